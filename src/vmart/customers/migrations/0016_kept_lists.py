"""Filters and columns that users keep of lists."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0015_words_indexed"),
    ]

    operations = [
        migrations.CreateModel(
            name="KeptColumns",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "user_id", "list_name", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("list_name", models.CharField(max_length=40)),
                ("columns", models.JSONField()),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "customers_kept_columns",
            },
        ),
        migrations.CreateModel(
            name="KeptFilter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("list_name", models.CharField(max_length=40)),
                ("name", models.CharField(max_length=60)),
                ("query", models.JSONField()),
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
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "customers_kept_filter",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user", "account", "list_name", "name"), name="customers_kept_filter_name_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("name", ""), _negated=True), name="customers_kept_filter_name"
                    ),
                ],
            },
        ),
    ]
