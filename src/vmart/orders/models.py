"""Orders (deals), their lines, what was answered to which client token, and where engines differ from what was sold."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q


class Status(models.IntegerChoices):
    """Order status as the field numbers it (billing-rules, section 5)."""

    UNPAID = 1
    PAID = 2
    DELIVERING = 3
    DELIVERED = 4
    FAILED = 5
    REFUNDED = 6
    CLOSED = 7
    EXPIRED = 8


class Order(models.Model):
    id: int
    account = models.ForeignKey("customers.Account", models.PROTECT, db_index=False)
    action = models.CharField(max_length=20, default="purchase")
    status = models.IntegerField(choices=Status.choices)
    charge_type = models.CharField(max_length=20)
    count = models.IntegerField()
    total_minor = models.BigIntegerField()  # prepaid: the price; postpaid: 0
    hold_minor = models.BigIntegerField()  # set aside at the purchase
    quote = models.JSONField()
    request = models.JSONField(default=dict)  # an unpaid order's machine, password as crypt(3) hash only
    book_version = models.IntegerField()
    tax_rate = models.DecimalField(max_digits=9, decimal_places=6, default=0)
    tax_minor = models.BigIntegerField(default=0)
    tax_inclusive = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)  # unpaid: its price holds until then
    reason = models.CharField(max_length=500, default="", blank=True)

    class Meta:
        db_table = "orders_order"
        constraints = [
            models.CheckConstraint(condition=Q(total_minor__gte=0) & Q(hold_minor__gte=0) & Q(count__gte=1),
                                   name="orders_order_values"),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["account", "-id"], name="orders_order_account"),
            models.Index(fields=["status", "-id"], name="orders_order_by_status"),
            BrinIndex(fields=["created_at"], name="orders_order_age"),
        ]


class Line(models.Model):
    """What an order does for one bundle. A void line has given its money back.

    A prepaid line pays for ``months`` in [``period_from``, ``period_to``); a purchase's period is known at delivery.
    """

    class State(models.TextChoices):
        DELIVERING = "delivering"
        DELIVERED = "delivered"
        FAILED = "failed"
        RETURNED = "returned"

    id: int
    order = models.ForeignKey(Order, models.PROTECT, db_index=False)
    account_id = models.BigIntegerField()
    subscription_id = models.BigIntegerField()  # of the bundle's head
    number = models.IntegerField()
    hold_id = models.UUIDField()  # set aside at the purchase; a prepaid line's is posted at delivery
    months = models.IntegerField(null=True)
    period_from = models.DateTimeField(null=True)
    period_to = models.DateTimeField(null=True)
    amount_minor = models.BigIntegerField()
    paid_cash_minor = models.BigIntegerField(default=0)
    paid_gift_minor = models.BigIntegerField(default=0)
    refund_minor = models.BigIntegerField(default=0)
    # What of the price was for bandwidth that ended within the term, and how much gift came back of that; null: none.
    bandwidth_ended_minor = models.BigIntegerField(null=True)
    bandwidth_gift_back_minor = models.BigIntegerField(default=0, db_default=0)
    # What of the refund the seller gave back of the order (``Refund``), and how much gift that was.
    seller_back_minor = models.BigIntegerField(default=0, db_default=0)
    seller_gift_back_minor = models.BigIntegerField(default=0, db_default=0)
    state = models.CharField(max_length=12, choices=State.choices, default=State.DELIVERING)
    delivered_at = models.DateTimeField(null=True)
    returned_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500, default="", blank=True)

    class Meta:
        db_table = "orders_line"
        constraints = [
            models.UniqueConstraint(fields=["order", "number"], name="orders_line_number_once"),
            models.CheckConstraint(
                condition=Q(refund_minor__gte=0)
                & Q(refund_minor__lte=models.F("paid_cash_minor") + models.F("paid_gift_minor")),
                name="orders_line_refund_at_most_paid",
            ),
            models.CheckConstraint(
                condition=Q(seller_gift_back_minor__gte=0)
                & Q(seller_gift_back_minor__lte=models.F("seller_back_minor"))
                & Q(seller_back_minor__lte=models.F("refund_minor")),
                name="orders_line_seller_back",
            ),
        ]
        indexes = [
            BrinIndex(fields=["delivered_at"], name="orders_line_delivery"),
            models.Index(fields=["id"], condition=Q(state="failed"), name="orders_line_failed"),
            models.Index(fields=["subscription_id"], name="orders_line_subscription"),
            models.Index(
                fields=["account_id", "returned_at"],
                condition=Q(returned_at__isnull=False),
                name="orders_line_returned",
            ),
        ]

    @property
    def left_minor(self) -> int:
        """What was paid and has not come back."""
        return self.paid_cash_minor + self.paid_gift_minor - self.refund_minor

    @property
    def gift_left_minor(self) -> int:
        """What of that is gift; known of a line that no return has given back."""
        return self.paid_gift_minor - self.bandwidth_gift_back_minor - self.seller_gift_back_minor


class Refund(models.Model):
    """What the seller gave back of an order's line, why, and who it was; written with its transfer."""

    transfer_id = models.UUIDField(primary_key=True)
    order = models.ForeignKey(Order, models.PROTECT, db_index=False)
    line = models.ForeignKey(Line, models.PROTECT, db_index=False)
    key = models.CharField(max_length=64)  # of what was sent: a repeat is the same refund
    cash_minor = models.BigIntegerField()
    gift_minor = models.BigIntegerField()
    ended = models.BooleanField()  # what the line is of went into the recycle bin with it
    reason = models.CharField(max_length=200)
    actor = models.CharField(max_length=254)
    at = models.DateTimeField()

    class Meta:
        db_table = "orders_refund"
        constraints = [
            models.UniqueConstraint(fields=["order", "key", "line"], name="orders_refund_once"),
            models.CheckConstraint(
                condition=Q(cash_minor__gte=0) & Q(gift_minor__gte=0) & ~Q(cash_minor=0, gift_minor=0) & ~Q(reason=""),
                name="orders_refund_says_why",
            ),
        ]


class BandwidthWindow(models.Model):
    """More bandwidth of a machine for some days, paid by an order. A machine has one open window at most."""

    class State(models.TextChoices):
        WAITING = "waiting"
        IN_FORCE = "in_force"
        ENDED = "ended"
        FAILED = "failed"

    subscription_id = models.BigIntegerField()
    order_id = models.BigIntegerField()
    mbps = models.IntegerField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)

    class Meta:
        db_table = "orders_bandwidth_window"
        constraints = [
            models.UniqueConstraint(
                fields=["subscription_id"],
                condition=Q(state__in=["waiting", "in_force"]),
                name="orders_bandwidth_window_one_open",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=models.F("starts_at"), mbps__gt=0), name="orders_bandwidth_window_values"
            ),
        ]


class LowerBandwidth(models.Model):
    """Less bandwidth of a machine from the begin of a renewal on. A machine waits for one at most."""

    class State(models.TextChoices):
        WAITING = "waiting"
        IN_FORCE = "in_force"
        WITHDRAWN = "withdrawn"  # the renewal, or the bandwidth, came back before

    subscription_id = models.BigIntegerField()
    order_id = models.BigIntegerField()
    mbps = models.IntegerField()
    from_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)

    class Meta:
        db_table = "orders_lower_bandwidth"
        constraints = [
            models.UniqueConstraint(
                fields=["subscription_id"], condition=Q(state="waiting"), name="orders_lower_bandwidth_one_waits"
            ),
            models.CheckConstraint(condition=Q(mbps__gt=0), name="orders_lower_bandwidth_values"),
        ]


class Idempotency(models.Model):
    """What was answered to a client token; kept for days of wall time (decision 7)."""

    pk = models.CompositePrimaryKey("account_id", "token")
    account_id = models.BigIntegerField()
    token = models.CharField(max_length=64)
    fingerprint = models.BinaryField()
    answer = models.JSONField()
    created_wall_at = models.DateTimeField()

    class Meta:
        db_table = "orders_idempotency"
        indexes = [BrinIndex(fields=["created_wall_at"], name="orders_idempotency_age")]


class EngineDrift(models.Model):
    """Where a zone's engine differed from what was sold at the last sweep, and nobody but the seller can say why."""

    class Kind(models.TextChoices):
        MISSING = "missing"  # sold here, and not on the engine at the last sweep
        LOST = "lost"  # nor at the one before: its charging has ended at missed_at
        UNKNOWN = "unknown"  # on the engine, and in no order
        ELSEWHERE = "elsewhere"  # on the engine, and sold in another zone
        MOVED = "moved"  # on another member of the engine than its room is taken on

    id: int
    zone = models.ForeignKey("catalog.Zone", models.PROTECT, db_index=False)
    name = models.CharField(max_length=80)  # of the machine, as the engine knows it
    kind = models.CharField(max_length=12, choices=Kind.choices)
    since_wall_at = models.DateTimeField()
    missed_at = models.DateTimeField(null=True)  # business time of the first of the misses in a row

    class Meta:
        db_table = "orders_engine_drift"
        constraints = [models.UniqueConstraint(fields=["zone", "name"], name="orders_engine_drift_once")]
        indexes = [models.Index(fields=["kind", "since_wall_at", "id"], name="orders_engine_drift_by_kind")]
