from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("instances", "0006_planned_ends_indexed"),
    ]

    operations = [
        migrations.AddField(
            model_name="instance", name="own_image",
            field=models.CharField(blank=True, db_default="", default="", max_length=20),
        ),
    ]  # fmt: skip
