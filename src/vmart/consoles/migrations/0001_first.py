import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("customers", "0010_quota_of_packages"),
        ("instances", "0011_ipv6"),
    ]

    operations = [
        migrations.CreateModel(
            name="Console",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ticket_hash", models.CharField(max_length=64, unique=True)),
                ("actor", models.JSONField()),
                ("user_id", models.BigIntegerField(null=True)),
                ("session_key", models.CharField(blank=True, default="", max_length=40)),
                ("secret_id", models.CharField(blank=True, default="", max_length=64)),
                ("origin", models.CharField(max_length=300)),
                ("made_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("opened_at", models.DateTimeField(null=True)),
                ("address", models.CharField(blank=True, default="", max_length=45)),
                ("seen_at", models.DateTimeField(null=True)),
                ("closed_at", models.DateTimeField(null=True)),
                ("why", models.CharField(blank=True, default="", max_length=20)),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.account",
                    ),
                ),
                (
                    "instance",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="instances.instance",
                    ),
                ),
            ],
            options={
                "db_table": "consoles_console",
                "indexes": [
                    models.Index(
                        condition=models.Q(("closed_at", None), ("opened_at__isnull", False)),
                        fields=["account"],
                        name="consoles_open",
                    ),
                    models.Index(fields=["instance", "made_at"], name="consoles_of_machine"),
                    models.Index(fields=["made_at"], name="consoles_by_age"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("expires_at__gt", models.F("made_at"))), name="consoles_expires"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("opened_at", None),
                            models.Q(
                                ("opened_at__gte", models.F("made_at")), ("opened_at__lt", models.F("expires_at"))
                            ),
                            _connector="OR",
                        ),
                        name="consoles_opened_in_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("opened_at", None), ("seen_at", None)),
                            models.Q(("opened_at__isnull", False), ("seen_at__gte", models.F("opened_at"))),
                            _connector="OR",
                        ),
                        name="consoles_seen_while_open",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("closed_at", None), ("why", "")),
                            models.Q(
                                ("closed_at__gte", models.F("opened_at")),
                                ("opened_at__isnull", False),
                                models.Q(("why", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="consoles_closed_once_open",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("secret_id", ""), ("session_key", ""), _negated=True),
                            ("closed_at__isnull", False),
                            _connector="OR",
                        ),
                        name="consoles_of_somebody",
                    ),
                ],
            },
        ),
    ]
