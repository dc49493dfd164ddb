"""What was charged: one row a machine, component and hour."""

from django.db import models
from django.db.models import Q


class Charge(models.Model):
    """A component's charge for a clock hour (billing-rules, section 6). Partitioned by month.

    ``exact_e8`` is the hour's charge in 10⁻⁸ of the currency unit, ``month_exact_e8`` the running total of the
    billing month with it, ``deducted_minor`` what it took: half-up of the new total less half-up of the old.
    """

    pk = models.CompositePrimaryKey("hour", "account_id", "instance_id", "component", "revision")  # ADR 0016
    hour = models.DateTimeField()
    account_id = models.BigIntegerField()
    instance_id = models.BigIntegerField()
    exact_e8 = models.BigIntegerField()
    month_exact_e8 = models.BigIntegerField()
    deducted_minor = models.BigIntegerField()
    out_bytes = models.BigIntegerField(default=0)
    duration_s = models.IntegerField()
    revision = models.IntegerField(default=0)
    component = models.CharField(max_length=24)

    class Meta:
        db_table = "bills_charge"
        constraints = [
            models.CheckConstraint(condition=Q(exact_e8__gte=0) & Q(deducted_minor__gte=0), name="bills_charge_values"),
            # A later revision changes the total that the next hour's close goes on from: that has to know it first.
            models.CheckConstraint(condition=Q(revision=0), name="bills_charge_first_revision"),
        ]
