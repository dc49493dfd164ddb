"""Card payments: top-ups and orders paid outright."""

from django.db import models
from django.db.models import Q


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

    class Meta:
        db_table = "payments_payment"
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="payments_payment_positive"),
            models.UniqueConstraint(
                fields=["provider", "reference"], condition=~Q(reference=""), name="payments_reference_once"
            ),
            models.UniqueConstraint(fields=["account", "token"], name="payments_token_once"),
        ]
        indexes = [models.Index(fields=["account", "-id"], name="payments_payment_account")]


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
