"""Agreements and their terms; the things that are sold share the agreement's id (ADR 0020)."""

from typing import Any

from django.db import models
from django.db.models import F, Q

# Kinds; ids of all kinds come from one sequence.
MACHINE, DISK, ADDRESS, SNAPSHOT = "machine", "disk", "address", "snapshot"
IMAGE, PACKAGE = "image", "package"


class Standing(models.TextChoices):
    """Where a bundle is in its life, whatever its thing does meanwhile (billing-rules, section 4)."""

    PENDING = "pending"  # bought, not delivered
    ACTIVE = "active"
    ISOLATED = "isolated"  # in the recycle bin: expired, returned, ended or stopped for arrears
    ENDED = "ended"
    FAILED = "failed"  # never delivered


class Source(models.TextChoices):
    """Why a bundle is isolated, in the words of the API."""

    NOT_ISOLATED = "NOTISOLATED"
    ARREAR = "ARREAR"
    EXPIRE = "EXPIRE"
    MANMADE = "MANMADE"


_OF_MEMBER = Q(charge_type="", standing="", renew_flag="", isolated_source="", hold_number=0, started_at=None,
               anchor_at=None, expires_at=None, isolated_at=None, release_at=None, arrears_since=None,
               hold_id=None)  # fmt: skip

_WITHOUT_TERM = Q(charge_type__in=["POSTPAID_BY_HOUR", "SPOTPAID"], expires_at=None, anchor_at=None)


class Subscription(models.Model):
    """One thing that an account pays for. ``bundle_id`` is the head's id, a head's own.

    Dates, standing, renewal and the hold are the bundle's and stand on its head alone.
    """

    id = models.BigIntegerField(primary_key=True)
    account = models.ForeignKey("customers.Account", models.PROTECT, db_index=False)
    # Checked where a purchase is decided; a key check would share-lock the zone's row in every purchase.
    zone = models.ForeignKey("catalog.Zone", models.PROTECT, db_constraint=False, db_index=False)
    kind = models.CharField(max_length=20)
    public_id = models.CharField(max_length=20)
    bundle_id = models.BigIntegerField()
    created_at = models.DateTimeField()
    charge_type = models.CharField(max_length=20, blank=True)  # PREPAID | POSTPAID_BY_HOUR | SPOTPAID
    standing = models.CharField(max_length=10, choices=Standing.choices, blank=True)
    renew_flag = models.CharField(max_length=40, blank=True)
    started_at = models.DateTimeField(null=True)  # first in use: charging starts here
    anchor_at = models.DateTimeField(null=True)  # prepaid: terms are whole months from here, so its day is kept
    expires_at = models.DateTimeField(null=True)  # prepaid
    isolated_source = models.CharField(max_length=12, choices=Source.choices, blank=True)
    isolated_at = models.DateTimeField(null=True)
    release_at = models.DateTimeField(null=True)
    arrears_since = models.DateTimeField(null=True)  # stopped for them, or (prepaid) its public network off
    hold_id = models.UUIDField(null=True)  # the pending hold, if any
    hold_number = models.IntegerField(default=0)  # makes the next hold's id

    class Meta:
        db_table = "subscriptions_subscription"
        constraints = [
            models.UniqueConstraint(fields=["public_id"], name="subscriptions_public_id_once"),
            models.CheckConstraint(
                condition=(Q(bundle_id=F("id")) & ~Q(standing="") & (Q(charge_type="PREPAID") | _WITHOUT_TERM))
                | (~Q(bundle_id=F("id")) & _OF_MEMBER),
                name="subscriptions_head_or_member",
            ),
            models.CheckConstraint(
                condition=Q(isolated_at=None) | Q(standing__in=[Standing.ISOLATED, Standing.ENDED]),
                name="subscriptions_isolated",
            ),
        ]
        indexes = [
            models.Index(fields=["bundle_id"], name="subscriptions_bundle"),
            models.Index(
                fields=["account", "zone"],
                condition=Q(kind=MACHINE) & ~Q(standing__in=[Standing.ENDED, Standing.FAILED]),
                name="subscriptions_of_account",
            ),
            models.Index(
                fields=["account", "created_at"], condition=Q(charge_type="PREPAID"), name="subscriptions_prepaid"
            ),
            models.Index(
                fields=["account"],
                condition=Q(hold_id__isnull=False, standing__in=[Standing.ISOLATED, Standing.ENDED]),
                name="subscriptions_hold_of_ended",
            ),
            models.Index(
                fields=["account"],
                condition=Q(hold_id__isnull=False, charge_type="PREPAID", standing=Standing.ACTIVE),
                name="subscriptions_hold_converted",
            ),
        ]


class Agreed(models.Model):
    """What stands on a subscription of the same id: no column of its own, and a key in the database."""

    subscription = models.ForeignObject(
        Subscription, models.PROTECT, from_fields=["id"], to_fields=["id"], related_name="+"
    )

    class Meta:
        abstract = True

    def refresh_from_db(self, *args: Any, **named: Any) -> None:
        """As Django's, and the subscription is read anew with it: Django forgets relations with a column only."""
        self._state.fields_cache.pop("subscription", None)
        super().refresh_from_db(*args, **named)


class Sold(Agreed):
    """What is sold by itself beside machines, and what was done to it last."""

    id = models.BigIntegerField(primary_key=True)  # its subscription's
    public_id = models.CharField(max_length=20)
    account_id = models.BigIntegerField()
    latest_operation = models.CharField(max_length=40)
    latest_operation_state = models.CharField(max_length=12)
    latest_operation_request_id = models.CharField(max_length=64, default="", blank=True)
    latest_operation_error_code = models.CharField(max_length=80, default="", blank=True)
    latest_operation_error = models.CharField(max_length=500, default="", blank=True)

    class Meta:
        abstract = True


class Item(models.Model):
    """What a subscription is charged for, [from_at, to_at); the open row (``to_at`` null) is what holds now.

    ``mode``: month (paid ahead), hour (by the second of use) or traffic (by what is sent). ``pausable``: not charged
    while its machine is stopped without charge. ``component`` has no ordinal: a second disk is a subscription.
    """

    class Mode(models.TextChoices):
        MONTH = "month"
        HOUR = "hour"
        TRAFFIC = "traffic"

    pk = models.CompositePrimaryKey("subscription_id", "component", "from_at")
    subscription = models.ForeignKey(Subscription, models.PROTECT, db_index=False)
    component = models.CharField(max_length=24)
    mode = models.CharField(max_length=8, choices=Mode.choices)
    price_key = models.CharField(max_length=120)
    quantity = models.BigIntegerField()  # 1, GiB, Mbps
    book_version = models.IntegerField()
    pausable = models.BooleanField()
    from_at = models.DateTimeField()
    to_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "subscriptions_item"
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "component"], condition=Q(to_at=None), name="subscriptions_item_one_open"
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=0, component__regex="^[a-z]+$")
                & (Q(to_at=None) | Q(to_at__gte=F("from_at"))),
                name="subscriptions_item_values",
            ),
        ]
