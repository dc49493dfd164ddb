"""Price books by effective date, and the hourly rates the close joins."""

from django.db import models
from django.db.models import Q


class Book(models.Model):
    """A version of all prices; immutable once effective. ``ends_at`` is where the next one starts."""

    version = models.IntegerField(unique=True)
    effective_at = models.DateTimeField(unique=True)
    ends_at = models.DateTimeField(null=True)
    currency = models.CharField(max_length=3)
    document = models.JSONField()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "pricing_book"
        constraints = [
            models.CheckConstraint(condition=Q(ends_at=None) | Q(ends_at__gt=models.F("effective_at")),
                                   name="pricing_book_period"),
            models.UniqueConstraint(fields=["ends_at"], condition=Q(ends_at=None), nulls_distinct=False,
                                    name="pricing_book_one_open"),
        ]  # fmt: skip


class Rate(models.Model):
    """One step of quantity and one tier of age of a price key: what one unit costs an hour (or a GiB).

    Steps are progressive over the quantity, tiers over the tier clock; upper bounds null are open.
    """

    book = models.ForeignKey(Book, models.PROTECT)
    price_key = models.CharField(max_length=120)
    step_from = models.DecimalField(max_digits=20, decimal_places=8, default=0)
    step_to = models.DecimalField(max_digits=20, decimal_places=8, null=True)
    tier_from_s = models.BigIntegerField(default=0)
    tier_to_s = models.BigIntegerField(null=True)
    rate = models.DecimalField(max_digits=20, decimal_places=8)

    class Meta:
        db_table = "pricing_rate"
        constraints = [
            models.UniqueConstraint(fields=["price_key", "book", "step_from", "tier_from_s"], name="pricing_rate_once"),
            models.CheckConstraint(condition=Q(rate__gte=0), name="pricing_rate_not_negative"),
        ]
