from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("placement", "0004_left_host"),
    ]

    operations = [
        migrations.AddField(model_name="host", name="drained_at", field=models.DateTimeField(null=True)),
        migrations.AddField(
            model_name="host",
            name="drained_by",
            field=models.CharField(blank=True, db_default="", default="", max_length=254),
        ),
    ]
