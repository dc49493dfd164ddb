from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q

OWN = [
    ("owner_id", models.BigIntegerField(null=True)),
    ("deleted_at", models.DateTimeField(null=True)),
]


def _of_one(prefix: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(account_id__isnull=False, owner_id=None) | Q(account_id=None, owner_id__isnull=False),
        name=f"{prefix}_of_one",
    )


def _without_account(model: str, field: models.Field) -> migrations.RunSQL:
    """Its row need have none. Said in SQL: Django asks the database which constraints a foreign key has."""
    drop = f"ALTER TABLE network_{model} ALTER COLUMN account_id DROP NOT NULL"
    keep = f"ALTER TABLE network_{model} ALTER COLUMN account_id SET NOT NULL"
    return migrations.RunSQL(drop, keep, state_operations=[migrations.AlterField(model, "account", field)])


class Migration(migrations.Migration):
    """A row has an account or an owner, so that the version before, which knows accounts, sees default networks only."""

    dependencies = [
        ("network", "0001_first"),
    ]

    operations = [
        *[migrations.AddField(model, name, field) for model in ("vpc", "subnet") for name, field in OWN],
        _without_account("vpc", models.ForeignKey("customers.Account", models.PROTECT, null=True)),
        migrations.AddField(
            "vpc", "name", models.CharField(max_length=60, default="Default-VPC", db_default="Default-VPC")
        ),
        migrations.AddField("vpc", "multicast", models.BooleanField(default=False, db_default=False)),
        _without_account("subnet", models.ForeignKey("customers.Account", models.PROTECT, db_index=False, null=True)),
        migrations.AlterField("subnet", "number", models.IntegerField(null=True)),
        migrations.AddField(
            "subnet", "name", models.CharField(max_length=60, default="Default-Subnet", db_default="Default-Subnet")
        ),
        migrations.AddField("subnet", "first_host", models.IntegerField(default=10, db_default=10)),
        migrations.AddField("subnet", "broadcast", models.BooleanField(default=False, db_default=False)),
        AddConstraintNotValid("vpc", _of_one("network_vpc")),
        AddConstraintNotValid("subnet", _of_one("network_subnet")),
    ]
