"""Purses, holds, transfers and entries: TigerBeetle's model on PostgreSQL (architecture, section 5).

Written only by the functions in ``sql/functions.sql``. All amounts are int8 minor units.
"""

from django.db import models
from django.db.models import F, Q


class Purses(models.Model):
    """One customer's accounts cash, gift and owed side by side: one row, so one lock (ADR 0002).

    Fixed holds are debits_pending of the purse they lie on. ``floating_pending`` is the sum of the
    floating holds, which lie on cash and gift together and give way to a settlement.
    """

    account_id = models.BigIntegerField(primary_key=True)
    cash_credits_posted = models.BigIntegerField(default=0)
    cash_debits_posted = models.BigIntegerField(default=0)
    cash_debits_pending = models.BigIntegerField(default=0)
    gift_credits_posted = models.BigIntegerField(default=0)
    gift_debits_posted = models.BigIntegerField(default=0)
    gift_debits_pending = models.BigIntegerField(default=0)
    owed_debits_posted = models.BigIntegerField(default=0)
    owed_credits_posted = models.BigIntegerField(default=0)
    floating_pending = models.BigIntegerField(default=0)

    class Meta:
        db_table = "ledger_purses"
        constraints = [
            models.CheckConstraint(
                condition=Q(cash_credits_posted__gte=F("cash_debits_posted") + F("cash_debits_pending")),
                name="ledger_cash_not_below_zero",
            ),
            models.CheckConstraint(
                condition=Q(gift_credits_posted__gte=F("gift_debits_posted") + F("gift_debits_pending")),
                name="ledger_gift_not_below_zero",
            ),
            models.CheckConstraint(
                condition=Q(owed_debits_posted__gte=F("owed_credits_posted")), name="ledger_owed_not_overpaid"
            ),
            models.CheckConstraint(
                condition=Q(cash_credits_posted__gte=0)
                & Q(cash_debits_posted__gte=0)
                & Q(cash_debits_pending__gte=0)
                & Q(gift_credits_posted__gte=0)
                & Q(gift_debits_posted__gte=0)
                & Q(gift_debits_pending__gte=0)
                & Q(owed_debits_posted__gte=0)
                & Q(owed_credits_posted__gte=0)
                & Q(floating_pending__gte=0),
                name="ledger_counters_not_negative",
            ),
        ]


class Hold(models.Model):
    """Money set aside: pending, then exactly once posted or voided.

    A fixed one (prepaid order) lies on purses; a floating one (postpaid hour) on their sum.
    """

    class Kind(models.TextChoices):
        FIXED = "fixed"
        FLOATING = "floating"

    class State(models.TextChoices):
        PENDING = "pending"
        POSTED = "posted"
        VOIDED = "voided"

    id = models.UUIDField(primary_key=True)
    account_id = models.BigIntegerField()
    kind = models.CharField(max_length=10, choices=Kind.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    cash_minor = models.BigIntegerField(default=0)
    gift_minor = models.BigIntegerField(default=0)
    floating_minor = models.BigIntegerField(default=0)
    subject_id = models.BigIntegerField()
    at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "ledger_hold"
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="fixed", floating_minor=0, cash_minor__gte=0, gift_minor__gte=0)
                | Q(kind="floating", cash_minor=0, gift_minor=0, floating_minor__gte=0),
                name="ledger_hold_kind",
            ),
            models.CheckConstraint(
                condition=Q(state="pending", resolved_at=None) | (~Q(state="pending") & Q(resolved_at__isnull=False)),
                name="ledger_hold_resolved_once",
            ),
        ]
        indexes = [models.Index(fields=["account_id"], condition=Q(state="pending"), name="ledger_hold_pending")]


class Transfer(models.Model):
    """Money that moved, immutable; the id is made by the caller before the call."""

    id = models.UUIDField(primary_key=True)
    account_id = models.BigIntegerField()
    kind = models.CharField(max_length=24)
    amount_minor = models.BigIntegerField()
    at = models.DateTimeField()
    subject_id = models.BigIntegerField(null=True)

    class Meta:
        db_table = "ledger_transfer"
        constraints = [models.CheckConstraint(condition=Q(amount_minor__gt=0), name="ledger_transfer_positive")]
        indexes = [
            models.Index(  # the seller's revenue beside usage, which the closes have added up
                fields=["at"], include=["kind", "amount_minor"], condition=Q(kind__in=["prepaid", "refund"]),
                name="ledger_transfer_sales",
            ),
            # What has come back of a thing.
            models.Index(fields=["subject_id"], condition=Q(kind="refund"), name="ledger_transfer_refunds"),
        ]  # fmt: skip


class ByHand(models.Model):
    """Why the seller credited (positive) or debited a customer, and who it was; written with its transfer."""

    transfer_id = models.UUIDField(primary_key=True)
    account_id = models.BigIntegerField()
    purse = models.CharField(max_length=4)
    amount_minor = models.BigIntegerField()
    reason = models.CharField(max_length=200)
    actor = models.CharField(max_length=254)
    at = models.DateTimeField()

    class Meta:
        db_table = "ledger_by_hand"
        constraints = [
            models.CheckConstraint(condition=Q(purse__in=["cash", "gift"]) & ~Q(amount_minor=0) & ~Q(reason=""),
                                   name="ledger_by_hand_says_why"),
        ]  # fmt: skip


class Entry(models.Model):
    """One side of a transfer; the sides of each add up to 0. Partitioned by month of ``at``.

    ``book`` is a purse of the customer (cash, gift, owed: then ``balance_after`` is that purse after
    it) or a platform account (revenue, card, gifts, …: then null). Credits are positive. ``number`` goes up
    with each: it is taken under the account lock, so an account's entries by it are in the order in which its
    purses moved, whatever their times say.
    """

    pk = models.CompositePrimaryKey("account_id", "number", "at")  # what a statement is read by
    account_id = models.BigIntegerField()
    number = models.BigIntegerField()
    at = models.DateTimeField()
    transfer_id = models.UUIDField()
    book = models.CharField(max_length=24)
    amount_minor = models.BigIntegerField()
    balance_after = models.BigIntegerField(null=True)

    class Meta:
        db_table = "ledger_entry"
        constraints = [
            models.CheckConstraint(
                condition=Q(book__in=["cash", "gift", "owed"], balance_after__isnull=False)
                | (~Q(book__in=["cash", "gift", "owed"]) & Q(balance_after=None)),
                name="ledger_entry_running_balance",
            ),
        ]
