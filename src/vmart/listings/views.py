"""A customer's things as plain values, in the words of the API 3.0: what its answers are made of."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from vmart.instances.attributes import Attributes
from vmart.pricing.configuration import DiskChoice
from vmart.security.policies import Policy
from vmart.tags.wanted import Tag


@dataclass(frozen=True, slots=True)
class DiskView:
    """A disk of a machine. ``usage``: SYSTEM_DISK or DATA_DISK. ``delete_with_instance``: as its buyer said it."""

    public_id: str
    usage: str
    disk_type: str
    size_gib: int
    delete_with_instance: bool = True
    name: str = ""
    snapshot_id: str = ""  # that it was bought with


@dataclass(frozen=True, slots=True)
class ListedDisk:
    """A disk as it was bought. ``state``: DiskState of the API 3.0.

    ``portable``: it has a life of its own; of any other the machine's agreement is told. ``instance_id``: the machine
    that has it, or had it until it was erased, "" for none; ``machine_expires_at`` and ``machine_renew_flag`` are of
    its term, where it is paid ahead. ``snapshot_ability``: snapshots of it can be made; ``rollbacking``: it is being
    given back what one holds; ``policies``: the public id of that by which snapshots of it are made.
    """

    public_id: str
    usage: str
    bought: DiskChoice
    state: str
    portable: bool
    instance_id: str
    zone: str
    charge_type: str
    renew_flag: str
    created_at: dt.datetime
    expires_at: dt.datetime | None
    isolated_source: str
    machine_expires_at: dt.datetime | None
    machine_renew_flag: str
    tags: tuple[Tag, ...] = ()
    snapshot_ability: bool = False
    snapshots: int = 0
    snapshots_gib: int = 0
    rollbacking: bool = False
    policies: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class VpcView:
    """A customer's private network in a region. ``id``: its number; ``subnets``: how many it has."""

    id: int
    public_id: str
    region: str
    name: str
    cidr: str
    is_default: bool
    multicast: bool
    created_at: dt.datetime
    subnets: int
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True, slots=True)
class SubnetView:
    """The part of a private network in one zone. ``addresses``: that machines can have; ``taken``: that they have."""

    id: int
    public_id: str
    vpc_number: int
    vpc_id: str
    vpc_name: str
    zone: str
    name: str
    cidr: str
    is_default: bool
    broadcast: bool
    created_at: dt.datetime
    addresses: int
    taken: int
    tags: tuple[Tag, ...] = ()

    @property
    def free(self) -> int:
        """How many machines find an address in it yet."""
        return self.addresses - self.taken


@dataclass(frozen=True, slots=True)
class RouteTableView:
    """The one route table of a VPC, and the subnets that follow it: all of them."""

    public_id: str
    vpc_id: str
    created_at: dt.datetime
    subnet_ids: list[str]


@dataclass(frozen=True, slots=True)
class TakenAddress:
    """A private address and the machine that has it."""

    vpc_id: str
    subnet_id: str
    ip: str
    instance_id: str


@dataclass(frozen=True, slots=True)
class SecurityGroupView:
    """A security group with its rules, in the order in which they decide."""

    public_id: str
    region: str  # "" for the default group, which is of all
    name: str
    description: str
    is_default: bool
    version: int
    ingress: tuple[Policy, ...]
    egress: tuple[Policy, ...]
    created_at: dt.datetime
    updated_at: dt.datetime
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True, slots=True)
class SnapshotView:
    """A snapshot. ``state``: SnapshotState of the API, and ERASING; ``disk``: public id of what it was made of.

    ``policy``: public id of what had it made, "" where a person did; ``delete_at``: when it ends by itself.
    """

    id: int
    public_id: str
    name: str
    state: str
    usage: str
    size_gib: int
    disk: str
    disk_name: str
    zone: str
    latest_operation: str
    latest_operation_state: str
    latest_operation_error: str
    created_at: dt.datetime
    policy: str
    delete_at: dt.datetime | None
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True, slots=True)
class EipView:
    """A bought public address. ``state``: AddressStatus of the API; ``machine`` has it, gets it or loses it, "" none.

    ``off``: arrears have switched it off, or it is in the recycle bin until ``release_at``. ``expires_at``: None where
    nothing is paid ahead. ``package``: the bandwidth package that it is in, "" none.
    """

    id: int
    public_id: str
    name: str
    ip: str
    state: str
    zone: str
    machine: str
    machine_name: str
    private_ip: str | None
    internet_charge_type: str
    bandwidth_mbps: int
    off: bool
    renew_flag: str
    expires_at: dt.datetime | None
    release_at: dt.datetime | None
    latest_operation: str
    latest_operation_state: str
    latest_operation_error: str
    created_at: dt.datetime
    tags: tuple[Tag, ...] = ()
    package: str = ""


@dataclass(frozen=True, slots=True)
class MemberView:
    """A public address in a bandwidth package, and the machine that has it, "" for none."""

    public_id: str
    ip: str
    name: str
    machine: str
    machine_name: str


@dataclass(frozen=True, slots=True)
class PackageView:
    """A bandwidth package. ``off``: arrears have switched it off, until ``release_at`` at most."""

    id: int
    public_id: str
    name: str
    zone: str
    bandwidth_mbps: int
    off: bool
    release_at: dt.datetime | None
    latest_operation: str
    latest_operation_state: str
    latest_operation_error: str
    created_at: dt.datetime
    members: tuple[MemberView, ...]
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True, slots=True)
class InstanceView:
    """A machine as its owner sees it; states and modes in the words of the API 3.0."""

    public_id: str
    name: str
    hostname: str
    zone: str
    legacy_zone_id: int
    instance_type: str
    vcpu: int
    memory_mib: int
    image_id: str
    os_name: str
    login_user: str
    key_ids: tuple[str, ...]
    disks: tuple[DiskView, ...]
    vpc_id: str
    subnet_id: str
    placement_group: str  # public id, or ""
    private_ip: str
    public_ip: str | None
    ipv6: str | None
    eip_id: str  # public id of the bought address that public_ip is, or ""
    internet_charge_type: str
    bandwidth_mbps: int
    charge_type: str
    renew_flag: str
    state: str
    restrict_state: str
    isolated_source: str
    stop_charging_mode: str
    latest_operation: str
    latest_operation_state: str
    latest_operation_request_id: str
    latest_operation_error: str
    attributes: Attributes
    created_at: dt.datetime
    expires_at: dt.datetime | None
    changed_at: dt.datetime  # the last thing that happened to it
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyPairView:
    """A key pair of a customer and the machines that have it."""

    public_id: str
    name: str
    public_key: str
    instance_ids: tuple[str, ...]
    created_at: dt.datetime
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True, slots=True)
class BalanceView:
    """Purses and holds of an account, in minor units."""

    account_id: int
    cash_minor: int
    gift_minor: int
    owed_minor: int
    held_minor: int
    credit_limit_minor: int
