from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Nonce",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "secret_id", "nonce", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("secret_id", models.CharField(max_length=64)),
                ("nonce", models.BigIntegerField()),
                ("expires_at", models.DateTimeField()),
            ],
            options={
                "db_table": "api_nonce",
                "indexes": [models.Index(fields=["secret_id", "expires_at"], name="api_nonce_expiry")],
            },
        ),
        migrations.CreateModel(
            name="Rate",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account_id", "action", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("account_id", models.BigIntegerField()),
                ("action", models.CharField(max_length=60)),
                ("second", models.BigIntegerField()),
                ("used", models.IntegerField()),
                ("granted", models.IntegerField()),
            ],
            options={"db_table": "api_rate"},
        ),
        migrations.RunSQL("ALTER TABLE api_rate SET UNLOGGED", "ALTER TABLE api_rate SET LOGGED"),
    ]
