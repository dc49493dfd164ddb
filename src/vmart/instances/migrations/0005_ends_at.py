from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("instances", "0004_security_groups"),
    ]

    operations = [
        migrations.AddField(model_name="instance", name="ends_at", field=models.DateTimeField(null=True)),
        AddConstraintNotValid(
            model_name="instance",
            constraint=models.CheckConstraint(
                condition=Q(ends_at=None) | Q(charge_type="POSTPAID_BY_HOUR"), name="instances_planned_end_of_postpaid"
            ),
        ),
    ]
