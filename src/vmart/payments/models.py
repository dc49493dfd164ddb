"""Card payments: top-ups and orders paid outright."""

from django.db import models
from django.db.models import F, Q


class Payment(models.Model):
    """Money asked of a card. ``unknown`` is polled, never blindly retried; it succeeds once."""

    class State(models.TextChoices):
        CREATED = "created"
        PENDING = "pending"  # the provider has it; the customer has something to do
        UNKNOWN = "unknown"  # the answer was lost
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    id: int
    account = models.ForeignKey("customers.Account", models.PROTECT)
    provider = models.CharField(max_length=20)
    reference = models.CharField(max_length=120, default="", blank=True)  # the provider's id
    amount_minor = models.BigIntegerField()
    order = models.ForeignKey("orders.Order", models.PROTECT, null=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.CREATED)
    reason = models.CharField(max_length=300, default="", blank=True)
    token = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    refunded_minor = models.BigIntegerField(default=0, db_default=0)  # by refunds to the card that have not failed

    class Meta:
        db_table = "payments_payment"
        constraints = [
            models.CheckConstraint(
                condition=Q(refunded_minor=0)
                | Q(refunded_minor__gt=0, refunded_minor__lte=F("amount_minor"), state="succeeded"),
                name="payments_payment_refunded",
            ),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="payments_payment_positive"),
            models.UniqueConstraint(
                fields=["provider", "reference"], condition=~Q(reference=""), name="payments_reference_once"
            ),
            models.UniqueConstraint(fields=["account", "token"], name="payments_token_once"),
        ]
        indexes = [models.Index(fields=["account", "-id"], name="payments_payment_account")]

    @property
    def left_minor(self) -> int:
        """What may go back to the card yet."""
        return self.amount_minor - self.refunded_minor if self.state == self.State.SUCCEEDED else 0


class CardRefund(models.Model):
    """Money that goes back to the card it came from; it lies aside in cash until the provider has sent it.

    A bank may send back what was sent: then it has failed after it had succeeded.
    """

    class State(models.TextChoices):
        ASKED = "asked"
        PENDING = "pending"  # the provider has it and has not sent it yet
        UNKNOWN = "unknown"  # the answer was lost
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    id: int
    payment = models.ForeignKey(Payment, models.PROTECT, db_index=False)
    amount_minor = models.BigIntegerField()
    state = models.CharField(max_length=12, choices=State.choices, default=State.ASKED)
    reference = models.CharField(max_length=120, default="", blank=True)  # the provider's id
    hold_id = models.UUIDField(unique=True)  # and the id of the transfer that it becomes
    reason = models.CharField(max_length=200)  # the seller's, which the customer reads
    why = models.CharField(max_length=300, default="", blank=True)  # it failed
    actor = models.CharField(max_length=254)
    key = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    seen = models.BooleanField(default=False)  # the seller knows that it failed

    class Meta:
        db_table = "payments_refund"
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0) & ~Q(reason=""), name="payments_refund_positive"),
            models.CheckConstraint(
                condition=Q(state__in=["succeeded", "failed"], resolved_at__isnull=False)
                | Q(state__in=["asked", "pending", "unknown"], resolved_at=None),
                name="payments_refund_resolved",
            ),
            models.UniqueConstraint(fields=["payment", "key"], name="payments_refund_once"),
        ]
        indexes = [
            models.Index(
                fields=["resolved_at", "id"], condition=Q(state="failed", seen=False), name="payments_refund_failed"
            ),
            models.Index(fields=["payment"], condition=Q(resolved_at=None), name="payments_refund_open"),
        ]


class Unexplained(models.Model):
    """A provider's signed message that fits no payment as we know it; the seller looks and takes it off the list."""

    id: int
    provider = models.CharField(max_length=20)
    reference = models.CharField(max_length=120, default="", blank=True)  # the provider's id of the charge, if it tells
    why = models.CharField(max_length=300)
    times = models.IntegerField(default=1)
    first_wall_at = models.DateTimeField()
    last_wall_at = models.DateTimeField()

    class Meta:
        db_table = "payments_unexplained"
        constraints = [
            models.UniqueConstraint(fields=["provider", "reference", "why"], name="payments_unexplained_once"),
        ]
        indexes = [models.Index(fields=["first_wall_at", "id"], name="payments_unexplained_in_order")]
