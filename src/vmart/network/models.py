"""Private networks of customers, public addresses of zones, those of them with a life of their own, and bandwidth that
these share (ADR 0047, 0062).
"""

import ipaddress

from django.db import models
from django.db.models import Q

from vmart.instances.models import Instance
from vmart.subscriptions.models import ADDRESS, PACKAGE, Sold


def _of_one(prefix: str) -> models.CheckConstraint:
    """Whose it is says one column alone: two would make it somebody's default and somebody's own."""
    return models.CheckConstraint(
        condition=Q(account_id__isnull=False, owner_id=None) | Q(account_id=None, owner_id__isnull=False),
        name=f"{prefix}_of_one",
    )


class Vpc(models.Model):
    """A network of a customer in a region: the default one of ``account``, or one that ``owner`` made (ADR 0044).

    A row stays when it is deleted: machines that are gone still show where they were.
    """

    id: int
    region_id: str
    public_id = models.CharField(max_length=20, unique=True)
    account = models.ForeignKey("customers.Account", models.PROTECT, null=True)
    owner_id = models.BigIntegerField(null=True)
    region = models.ForeignKey("catalog.Region", models.PROTECT)
    name = models.CharField(max_length=60, default="Default-VPC", db_default="Default-VPC")
    cidr = models.CharField(max_length=20)
    multicast = models.BooleanField(default=False, db_default=False)  # kept as it was said
    created_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "network_vpc"
        constraints = [
            models.UniqueConstraint(fields=["account", "region"], name="network_vpc_default_once"),
            _of_one("network_vpc"),
        ]
        indexes = [models.Index(fields=["owner_id"], condition=Q(owner_id__isnull=False), name="network_vpc_owner")]

    @property
    def is_default(self) -> bool:
        """Whether it is the one that a first purchase makes."""
        return self.owner_id is None


class Subnet(models.Model):
    """The part of a VPC in one zone: one bridge there. Whose it is, and that it stays, as of its VPC.

    ``next_host`` counts addresses given out in turn, from ``first_host`` on.
    """

    id: int
    vpc_id: int
    zone_id: str
    public_id = models.CharField(max_length=20, unique=True)
    account = models.ForeignKey("customers.Account", models.PROTECT, db_index=False, null=True)
    owner_id = models.BigIntegerField(null=True)
    vpc = models.ForeignKey(Vpc, models.PROTECT, db_index=False)
    zone = models.ForeignKey("catalog.Zone", models.PROTECT, db_index=False)
    name = models.CharField(max_length=60, default="Default-Subnet", db_default="Default-Subnet")
    # Of a default one: which of the zone's private ranges it has. Customers' bridges share a host.
    number = models.IntegerField(null=True)
    cidr = models.GenericIPAddressField()  # network address
    prefix = models.IntegerField(default=20)
    first_host = models.IntegerField(default=10, db_default=10)  # .1 is the gateway; a default one keeps .2-.9 too
    next_host = models.IntegerField(default=10)
    broadcast = models.BooleanField(default=False, db_default=False)  # kept as it was said
    created_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "network_subnet"
        constraints = [
            models.UniqueConstraint(fields=["account", "zone"], name="network_subnet_default_once"),
            models.UniqueConstraint(fields=["zone", "number"], name="network_subnet_range_once"),
            models.UniqueConstraint(fields=["vpc", "number"], name="network_subnet_range_once_in_vpc"),
            models.CheckConstraint(condition=Q(next_host__gte=1), name="network_subnet_next_host"),
            _of_one("network_subnet"),
        ]
        indexes = [
            models.Index(fields=["owner_id"], condition=Q(owner_id__isnull=False), name="network_subnet_owner"),
            models.Index(fields=["zone"], condition=Q(number=None, deleted_at=None), name="network_subnet_own_in_zone"),
        ]

    @property
    def is_default(self) -> bool:
        """Whether it is the one that a first purchase makes."""
        return self.owner_id is None

    @property
    def block(self) -> ipaddress.IPv4Network:
        """Its range."""
        return ipaddress.IPv4Network(f"{self.cidr}/{self.prefix}")


class PrivateAddress(models.Model):
    """A private address taken by a machine of a subnet.

    ``instance_id`` is the machine's number; minus that number where it is on its way there and has another one still.
    """

    subnet = models.ForeignKey(Subnet, models.PROTECT, db_index=False)
    ip = models.GenericIPAddressField()
    instance_id = models.BigIntegerField(primary_key=True)

    class Meta:
        db_table = "network_private_address"
        constraints = [models.UniqueConstraint(fields=["subnet", "ip"], name="network_private_address_once")]


class PublicAddress(models.Model):
    """One row an address of a zone's pool; claimed with SKIP LOCKED (decision 12).

    ``instance_id`` is the subscription that holds it: a machine's, or that of an ``Eip``.
    """

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


class Ipv6Address(models.Model):
    """An IPv6 address out of its zone's prefix that a machine has; one that nobody has is no row."""

    ip = models.GenericIPAddressField(primary_key=True)
    instance_id = models.BigIntegerField(unique=True)
    account_id = models.BigIntegerField()
    zone = models.ForeignKey("catalog.Zone", models.PROTECT, db_index=False)

    class Meta:
        db_table = "network_ipv6_address"


class PackageState(models.TextChoices):
    """Where a bandwidth package is in its life; the word of the API, and GONE."""

    CREATED = "CREATED"
    GONE = "GONE"


class Package(Sold):
    """A bandwidth package: one speed for all the public addresses of an account that are in it (ADR 0062)."""

    KIND = PACKAGE

    zone = models.ForeignKey("catalog.Zone", models.PROTECT, db_constraint=False, db_index=False)
    zone_id: str
    created_at = models.DateTimeField()
    name = models.CharField(max_length=60, default="", blank=True)
    bandwidth_mbps = models.IntegerField()

    state = models.CharField(max_length=12, choices=PackageState.choices)

    class Meta:
        db_table = "network_package"
        constraints = [
            models.UniqueConstraint(fields=["public_id"], name="network_package_public_id_once"),
            models.CheckConstraint(condition=Q(bandwidth_mbps__gt=0), name="network_package_bandwidth"),
        ]
        indexes = [
            models.Index(
                fields=["account_id", "created_at", "id"],
                include=["zone", "name"],
                condition=~Q(state="GONE"),
                name="network_package_in_order",
            ),
        ]


class EipState(models.TextChoices):
    """Where a public address with a life of its own is in it; the words of the API, and GONE."""

    UNBIND = "UNBIND"
    BINDING = "BINDING"
    BIND = "BIND"
    UNBINDING = "UNBINDING"
    OFFLINING = "OFFLINING"  # being given back; a machine may have it until it is taken off
    GONE = "GONE"


_WITH_MACHINE = Q(state__in=["BINDING", "BIND", "UNBINDING"])


class Eip(Sold):
    """A public address that an account has by itself: bound to a machine, or to none. Its id holds it in the pool."""

    KIND = ADDRESS

    # Its subscription's, which never change: what an account has is listed by one index.
    zone = models.ForeignKey("catalog.Zone", models.PROTECT, db_constraint=False, db_index=False)
    created_at = models.DateTimeField()
    ip = models.GenericIPAddressField(null=True)  # None once it is gone
    name = models.CharField(max_length=128, default="", blank=True)
    internet_charge_type = models.CharField(max_length=40)
    bandwidth_mbps = models.IntegerField()
    instance = models.OneToOneField(Instance, models.PROTECT, null=True, related_name="eip")
    instance_id: int | None
    # The one that it is in, from the request on; how it is charged follows, with its engine. How it was charged before
    # stands beside it, and is how it is charged afterwards.
    package = models.ForeignKey(
        Package, models.PROTECT, null=True, db_constraint=False, db_index=False, related_name="addresses"
    )
    package_id: int | None
    charged_outside = models.CharField(max_length=40, default="", db_default="", blank=True)

    state = models.CharField(max_length=12, choices=EipState.choices)
    mode_changes = models.IntegerField(default=0, db_default=0)  # how often it was charged otherwise from then on
    task = models.BigIntegerField()  # number of the latest act on it, alike for all that it was on

    class Meta:
        db_table = "network_eip"
        constraints = [
            models.UniqueConstraint(fields=["public_id"], name="network_eip_public_id_once"),
            models.UniqueConstraint(fields=["ip"], name="network_eip_ip_once"),
            models.CheckConstraint(condition=Q(bandwidth_mbps__gt=0), name="network_eip_bandwidth"),
            models.CheckConstraint(
                condition=Q(state="OFFLINING")
                | (_WITH_MACHINE & Q(instance__isnull=False))
                | (~_WITH_MACHINE & Q(instance=None)),
                name="network_eip_at_machine",
            ),
            models.CheckConstraint(
                condition=Q(state="GONE", ip=None) | (~Q(state="GONE") & Q(ip__isnull=False)), name="network_eip_gone"
            ),
            models.CheckConstraint(
                condition=Q(package=None) | ~Q(state__in=["OFFLINING", "GONE"]) & ~Q(charged_outside=""),
                name="network_eip_in_package",
            ),
        ]
        indexes = [
            models.Index(
                fields=["account_id", "created_at", "id"],
                include=["zone", "state", "name", "instance"],
                condition=~Q(state="GONE"),
                name="network_eip_in_order",
            ),
            models.Index(
                fields=["account_id", "name", "created_at", "id"],
                condition=~Q(state="GONE"),
                name="network_eip_by_name",
            ),
            models.Index(fields=["account_id", "task"], name="network_eip_task"),
            models.Index(fields=["zone"], condition=Q(state="BIND"), name="network_eip_counted"),
            models.Index(fields=["package"], condition=Q(package__isnull=False), name="network_eip_of_package"),
        ]
