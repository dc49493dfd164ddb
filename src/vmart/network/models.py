"""Private networks of customers and public addresses of zones."""

from django.db import models
from django.db.models import Q


class Vpc(models.Model):
    """A customer's default network in a region."""

    id: int
    public_id = models.CharField(max_length=20, unique=True)
    account = models.ForeignKey("customers.Account", models.PROTECT)
    region = models.ForeignKey("catalog.Region", models.PROTECT)
    cidr = models.CharField(max_length=20)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "network_vpc"
        constraints = [models.UniqueConstraint(fields=["account", "region"], name="network_vpc_default_once")]


class Subnet(models.Model):
    """The part of a VPC in one zone: one bridge there. ``next_host`` counts addresses given out."""

    id: int
    public_id = models.CharField(max_length=20, unique=True)
    account = models.ForeignKey("customers.Account", models.PROTECT, db_index=False)
    vpc = models.ForeignKey(Vpc, models.PROTECT, db_index=False)
    zone = models.ForeignKey("catalog.Zone", models.PROTECT, db_index=False)
    number = models.IntegerField()  # of the zone's private ranges: customers' bridges share a host
    cidr = models.GenericIPAddressField()  # network address
    prefix = models.IntegerField(default=20)
    next_host = models.IntegerField(default=10)  # .1 is the gateway, .2-.9 are kept
    created_at = models.DateTimeField()

    class Meta:
        db_table = "network_subnet"
        constraints = [
            models.UniqueConstraint(fields=["account", "zone"], name="network_subnet_default_once"),
            models.UniqueConstraint(fields=["zone", "number"], name="network_subnet_range_once"),
            models.UniqueConstraint(fields=["vpc", "number"], name="network_subnet_range_once_in_vpc"),
            models.CheckConstraint(condition=Q(next_host__gte=1), name="network_subnet_next_host"),
        ]


class PrivateAddress(models.Model):
    """A private address taken by a machine of a subnet."""

    subnet = models.ForeignKey(Subnet, models.PROTECT, db_index=False)
    ip = models.GenericIPAddressField()
    instance_id = models.BigIntegerField(primary_key=True)

    class Meta:
        db_table = "network_private_address"
        constraints = [models.UniqueConstraint(fields=["subnet", "ip"], name="network_private_address_once")]


class PublicAddress(models.Model):
    """One row an address of a zone's pool; claimed with SKIP LOCKED (decision 12)."""

    zone = models.ForeignKey("catalog.Zone", models.PROTECT, db_index=False)
    ip = models.GenericIPAddressField(primary_key=True)
    instance_id = models.BigIntegerField(null=True, unique=True)
    account_id = models.BigIntegerField(null=True)
    free_since = models.DateTimeField(null=True)  # longest free is given out first
    withdrawn = models.BooleanField(default=False)  # no longer in the zone's pool: goes when it is given back

    class Meta:
        db_table = "network_public_address"
        constraints = [
            models.CheckConstraint(
                condition=Q(instance_id=None, account_id=None, free_since__isnull=False)
                | Q(instance_id__isnull=False, account_id__isnull=False, free_since=None),
                name="network_public_address_free_or_held",
            )
        ]
        indexes = [
            models.Index(
                fields=["zone", "free_since", "ip"], condition=Q(instance_id=None), name="network_public_free"
            ),
            models.Index(fields=["ip"], condition=Q(withdrawn=True), name="network_public_withdrawn"),
        ]
