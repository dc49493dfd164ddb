"""What was charged: a row for each component and clock hour, and what each statement has of an account's charges."""

from django.db import models
from django.db.models import F, Q


class Charge(models.Model):
    """A component's charge for a clock hour (billing-rules, section 6). Partitioned by month.

    ``exact_e8`` is the charge in 10⁻⁸ of the currency unit. Revision 0 is the hour's own close. A later one is the
    difference to what was charged before: the close of the hour ``closed_in`` found the usage changed.
    ``statement_month`` is the first day of the month whose statement has the row.
    """

    pk = models.CompositePrimaryKey("hour", "account_id", "subscription_id", "component", "revision")  # ADR 0016
    hour = models.DateTimeField()
    account_id = models.BigIntegerField()
    subscription_id = models.BigIntegerField()
    exact_e8 = models.BigIntegerField()
    out_bytes = models.BigIntegerField(default=0)
    closed_in = models.DateTimeField()
    duration_s = models.IntegerField()
    statement_month = models.DateField()
    revision = models.IntegerField(default=0)
    component = models.CharField(max_length=24)

    class Meta:
        db_table = "bills_charge"
        constraints = [
            models.CheckConstraint(
                condition=Q(revision=0, closed_in=F("hour"), exact_e8__gte=0, out_bytes__gte=0, duration_s__gte=0)
                | Q(revision__gt=0, closed_in__gt=F("hour")),
                name="bills_charge_values",
            ),
        ]


class Carry(models.Model):
    """What an account's statement of a month has taken in: Σ of its charges in 10⁻⁸, and that rounded to minor units.

    Rounding happens here and nowhere else: a close deducts what ``deducted_minor`` changes by. ``closed_through`` is
    the start of the last clock hour whose close changed the row. Written under the account lock.
    """

    pk = models.CompositePrimaryKey("account_id", "month")
    account_id = models.BigIntegerField()
    month = models.DateField()
    exact_e8 = models.DecimalField(max_digits=30, decimal_places=0)
    deducted_minor = models.BigIntegerField()
    closed_through = models.DateTimeField()

    class Meta:
        db_table = "bills_carry"
