"""Roles of the seller's staff: who was an operator is an admin."""

import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q

_ROLES = ["", "admin", "support", "finance", "operations"]
_ADMINS = "UPDATE customers_user SET staff_role = 'admin' WHERE is_staff AND staff_role = ''"


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0012_members_and_roles"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="staff_role",
            field=models.CharField(blank=True, db_default="", default="", max_length=20),
        ),
        migrations.RunSQL(_ADMINS, migrations.RunSQL.noop),
        AddConstraintNotValid(
            model_name="user",
            constraint=models.CheckConstraint(condition=Q(staff_role__in=_ROLES), name="customers_user_staff_role"),
        ),
        migrations.CreateModel(
            name="StaffChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("before", models.CharField(db_default="", default="", max_length=20)),
                ("role", models.CharField(db_default="", default="", max_length=20)),
                ("by", models.CharField(max_length=300)),
            ],
            options={
                "db_table": "customers_staff_change",
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(before__in=_ROLES) & Q(role__in=_ROLES), name="customers_staff_change_roles"
                    )
                ],
            },
        ),
    ]
