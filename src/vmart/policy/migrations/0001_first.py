from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Version",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("begins_at", models.DateTimeField(unique=True)),
                ("numbers", models.JSONField()),
                ("applied_at", models.DateTimeField()),
            ],
            options={
                "db_table": "policy_version",
            },
        ),
    ]
