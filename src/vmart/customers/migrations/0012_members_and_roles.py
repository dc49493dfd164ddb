"""Members with roles, who are invited; keys with addresses; a user's time zone."""

import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q

_ROLES = ["owner", "admin", "operator", "billing", "viewer"]


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0011_quota_of_alarms"),
    ]

    operations = [
        migrations.CreateModel(
            name="Invitation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, to="customers.account"
                    ),
                ),
                ("email", models.EmailField(max_length=254)),
                ("role", models.CharField(max_length=20)),
                ("digest", models.BinaryField(unique=True)),
                (
                    "invited_by",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("mailed", models.BooleanField()),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "customers_invitation",
                "constraints": [
                    models.CheckConstraint(condition=Q(role__in=_ROLES), name="customers_invitation_role"),
                    models.UniqueConstraint(
                        models.F("account"),
                        django.db.models.functions.text.Lower("email"),
                        condition=Q(ended_at=None),
                        name="customers_invitation_once",
                    ),
                ],
            },
        ),
        migrations.AddField(model_name="apikey", name="addresses", field=models.JSONField(db_default=[], default=list)),
        migrations.AddField(model_name="member", name="joined_at", field=models.DateTimeField(null=True)),
        migrations.AddField(
            model_name="user",
            name="time_zone",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AlterField(model_name="member", name="role", field=models.CharField(max_length=20)),
        AddConstraintNotValid(
            model_name="member",
            constraint=models.CheckConstraint(condition=Q(role__in=_ROLES), name="customers_member_role"),
        ),
    ]
