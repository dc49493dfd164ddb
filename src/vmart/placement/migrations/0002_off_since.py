from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("placement", "0001_first"),
    ]

    operations = [
        migrations.AddField(model_name="host", name="off_since", field=models.DateTimeField(null=True)),
    ]
