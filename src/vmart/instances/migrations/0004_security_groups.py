from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("instances", "0003_installation"),
    ]

    operations = [
        migrations.AddField(
            model_name="instance", name="security_groups", field=models.JSONField(db_default=[], default=list)
        ),
    ]
