from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0002_unexplained_in_order"),
    ]

    operations = [
        migrations.AddField("payment", "refunded_minor", models.BigIntegerField(db_default=0, default=0)),
        AddConstraintNotValid(
            "payment",
            models.CheckConstraint(
                condition=Q(refunded_minor=0)
                | Q(refunded_minor__gt=0, refunded_minor__lte=F("amount_minor"), state="succeeded"),
                name="payments_payment_refunded",
            ),
        ),
        migrations.CreateModel(
            name="CardRefund",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("payment", models.ForeignKey(db_index=False, on_delete=models.PROTECT, to="payments.payment")),
                ("amount_minor", models.BigIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("asked", "Asked"),
                            ("pending", "Pending"),
                            ("unknown", "Unknown"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                        ],
                        default="asked",
                        max_length=12,
                    ),
                ),
                ("reference", models.CharField(blank=True, default="", max_length=120)),
                ("hold_id", models.UUIDField(unique=True)),
                ("reason", models.CharField(max_length=200)),
                ("why", models.CharField(blank=True, default="", max_length=300)),
                ("actor", models.CharField(max_length=254)),
                ("key", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField()),
                ("resolved_at", models.DateTimeField(null=True)),
                ("seen", models.BooleanField(default=False)),
            ],
            options={
                "db_table": "payments_refund",
                "indexes": [
                    models.Index(
                        condition=Q(("seen", False), ("state", "failed")),
                        fields=["resolved_at", "id"],
                        name="payments_refund_failed",
                    ),
                    models.Index(condition=Q(("resolved_at", None)), fields=["payment"], name="payments_refund_open"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(("amount_minor__gt", 0), Q(("reason", ""), _negated=True)),
                        name="payments_refund_positive",
                    ),
                    models.CheckConstraint(
                        condition=Q(
                            Q(("resolved_at__isnull", False), ("state__in", ["succeeded", "failed"])),
                            Q(("resolved_at", None), ("state__in", ["asked", "pending", "unknown"])),
                            _connector="OR",
                        ),
                        name="payments_refund_resolved",
                    ),
                    models.UniqueConstraint(fields=("payment", "key"), name="payments_refund_once"),
                ],
            },
        ),
    ]
