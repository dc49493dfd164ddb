"""What was charged: one row a machine, component and hour."""

from django.db import models
from django.db.models import Q


class Charge(models.Model):
    """A component's charge for a clock hour (billing-rules, section 6). Partitioned by month.

    ``exact`` is the hour's charge to 8 decimals, ``month_exact`` the running total of the billing
    month with it, ``deducted_minor`` what it took: half-up of the new total less half-up of the old.
    """

    pk = models.CompositePrimaryKey("account_id", "hour", "instance_id", "component", "revision")  # ADR 0011
    account_id = models.BigIntegerField()
    instance_id = models.BigIntegerField()
    component = models.CharField(max_length=24)
    hour = models.DateTimeField()
    revision = models.IntegerField(default=0)
    duration_s = models.IntegerField()
    out_bytes = models.BigIntegerField(default=0)
    exact = models.DecimalField(max_digits=24, decimal_places=8)
    month_exact = models.DecimalField(max_digits=24, decimal_places=8)
    deducted_minor = models.BigIntegerField()

    class Meta:
        db_table = "bills_charge"
        constraints = [
            models.CheckConstraint(condition=Q(exact__gte=0) & Q(deducted_minor__gte=0), name="bills_charge_values")
        ]
