"""What those who sell write about a customer."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0013_staff_roles"),
    ]

    operations = [
        migrations.CreateModel(
            name="Note",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, to="customers.account"
                    ),
                ),
                ("at", models.DateTimeField()),
                ("by", models.CharField(max_length=300)),
                ("text", models.CharField(max_length=2000)),
                ("struck_at", models.DateTimeField(null=True)),
                ("struck_by", models.CharField(db_default="", default="", max_length=300)),
            ],
            options={
                "db_table": "customers_note",
                "indexes": [models.Index(fields=["account", "id"], name="customers_note_account")],
                "constraints": [
                    models.CheckConstraint(condition=~Q(text=""), name="customers_note_text"),
                    models.CheckConstraint(
                        condition=Q(struck_at=None) ^ ~Q(struck_by=""), name="customers_note_struck"
                    ),
                ],
            },
        ),
    ]
