from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("instances", "0007_own_image"),
    ]

    operations = [
        migrations.AddField("instance", "max_price", models.DecimalField(decimal_places=8, max_digits=20, null=True)),
        migrations.AddField("instance", "reclaim_at", models.DateTimeField(null=True)),
        migrations.AddField("instance", "reclaimed_for_room", models.BooleanField(db_default=False, default=False)),
        AddConstraintNotValid(
            model_name="instance",
            constraint=models.CheckConstraint(
                condition=Q(charge_type="SPOTPAID", max_price__isnull=False, max_price__gt=0)
                | (~Q(charge_type="SPOTPAID") & Q(max_price=None, reclaim_at=None)),
                name="instances_spot",
            ),
        ),
    ]
