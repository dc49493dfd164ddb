"""Discounts of customers."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0016_kept_lists"),
    ]

    operations = [
        migrations.CreateModel(
            name="Discount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("from_at", models.DateTimeField()),
                ("factor", models.DecimalField(decimal_places=4, max_digits=5)),
                ("reason", models.CharField(max_length=500)),
                ("by", models.CharField(max_length=300)),
                ("created_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.account",
                    ),
                ),
            ],
            options={
                "db_table": "customers_discount",
                "constraints": [
                    models.UniqueConstraint(fields=("account", "from_at"), name="customers_discount_once"),
                    models.CheckConstraint(
                        condition=models.Q(("factor__gte", 0), ("factor__lte", 1)), name="customers_discount_factor"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("from_at__minute", 0), ("from_at__second", 0)),
                        name="customers_discount_full_hour",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="customers_discount_reason"
                    ),
                ],
            },
        ),
    ]
