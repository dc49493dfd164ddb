"""What an engine does for vmart: about a dozen idempotent verbs keyed by our own machine name.

Every verb may be called again after a lost answer, by another process, and then leads to the same
end state. No verb is called inside a database transaction (the decorator ``driver`` wraps each
verb with that check). Capabilities say what a member cannot do; what it cannot is said, not faked.
"""

import datetime as dt
import enum
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol, TypeVar, runtime_checkable

from vmart.engines.rules import OPEN, MachineRules

_Driver = TypeVar("_Driver", bound=type)


class EngineError(Exception):
    """The engine refused or could not. ``transient`` says whether trying again may help.

    ``sentence`` is fit to be shown to the customer: no host names, no paths, no secrets. So is ``helps``:
    what the customer can do about it, where that is more than trying again.
    """

    def __init__(self, sentence: str, *, transient: bool, detail: str = "", helps: str = "") -> None:
        super().__init__(sentence if not detail else f"{sentence} ({detail})")
        self.sentence = sentence
        self.transient = transient
        self.detail = detail
        self.helps = helps


class UnknownUser(EngineError):
    """The guest has no user of this name: nothing to wait for."""

    def __init__(self, *, detail: str = "") -> None:
        super().__init__(
            "The machine has no user of this name.", transient=False, detail=detail,
            helps="Name a user that the machine has; leave the name away for the machine's own.",
        )  # fmt: skip


class ImageNotReady(EngineError):
    """A machine's image is still on its way."""

    def __init__(self, image: str) -> None:
        super().__init__("The image is not ready in this zone.", transient=True, detail=image)


class NotRunning(EngineError):
    """What is asked for, only a running machine does."""

    def __init__(self, machine: str) -> None:
        super().__init__("The machine does not run.", transient=True, detail=machine)


class Power(enum.StrEnum):
    """What the engine sees of a machine."""

    ABSENT = "absent"
    STARTING = "starting"
    RUNNING = "running"
    STOPPED = "stopped"
    BROKEN = "broken"


class ImageStatus(enum.StrEnum):
    MISSING = "missing"
    PREPARING = "preparing"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """A public image: ``name`` is the recipe or alias (``debian-12``), ``version`` its build.

    ``own``: of a customer's image, which descends from that public one, the public id ("img-4k2j0qzt"); else "".
    """

    name: str
    version: str
    own: str = ""


@dataclass(frozen=True, slots=True)
class ImageState:
    """How far an image is; of one that failed ``why`` is a sentence for customers, ``detail`` for the seller alone."""

    status: ImageStatus
    percent: int = 0
    why: str = ""
    checksum: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Subnet:
    """A customer's private network in one zone; ``key`` is ours, the driver hashes it to a name.

    ``peers``: keys of the other subnets of its VPC in the zone, with whose machines its own speak freely.
    """

    key: str
    cidr: str  # "10.0.0.0/20"
    gateway: str  # "10.0.0.1"
    peers: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Disk:
    key: str
    kind: str  # CLOUD_PREMIUM | CLOUD_BSSD | CLOUD_SSD
    size_gib: int


@dataclass(frozen=True, slots=True)
class Share:
    """One cap of outbound for all machines whose addresses name the ``key``, together; 10^6 bit/s each.

    Only for an engine whose ``capabilities`` say ``shared_bandwidth``. Whoever is told last of a key says how much it
    is for those that were told before, at the latest when they are told too.
    """

    key: str  # the bandwidth package's public id
    mbps: int


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """``ipv6`` is a further address beside it, "" for none: one cap and one count of bytes for both.

    ``share`` holds beside its own cap.
    """

    ip: str
    bandwidth_mbps: int  # cap of outbound, 10^6 bit/s each
    ipv6: str = ""
    share: Share | None = None


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """Everything the engine needs for a machine; a second call with the same name changes nothing.

    ``password_hash`` is crypt(3) ("" for none); the plain password is never known here. With ``keys_only`` SSH takes
    no passwords though there is one.
    ``user_data`` is the customer's cloud-init document, decoded, at most 16 KiB. ``installation`` counts how often
    the system disk was to be made anew, ``restoration`` how often it was to hold what a snapshot holds (``Snapshots``).
    ``rescue`` counts each way into the rescue mode and each way out: odd is in it (``Rescues``).
    """

    name: str  # the instance's public id, "ins-4k2j0qzt"
    member: str
    image: ImageSpec
    vcpu: int
    memory_mib: int
    system_disk: Disk
    data_disks: Sequence[Disk]
    subnet: Subnet
    private_ip: str
    mac: str
    hostname: str
    login_user: str
    password_hash: str
    ssh_keys: Sequence[str]
    user_data: bytes = b""
    public_address: PublicAddress | None = None
    keys_only: bool = False
    installation: int = 0
    restoration: int = 0
    rescue: int = 0
    rules: MachineRules = OPEN

    @property
    def ssh_passwords(self) -> bool:
        """Whether SSH takes passwords from the first boot on."""
        return bool(self.password_hash) and not self.keys_only


@dataclass(frozen=True, slots=True)
class Observation:
    """What the engine sees now. ``booted_at`` is wall time of the last start, None when off.

    ``public_ip`` is the address that leads to the machine, "" for none. ``installation`` is that of the spec by which
    its system disk was made, ``rescue`` that of the spec by which it has the system that it has. ``rules`` is the
    digest of the rules it was given, "" for none. ``public_ipv6`` as ``public_ip``.
    """

    name: str
    power: Power
    kind: str = ""  # "container" | "virtual-machine" | "simulated"
    member: str = ""
    private_ip: str = ""
    booted_at: dt.datetime | None = None
    public_ip: str = ""
    installation: int = 0
    rules: str = ""
    rescue: int = 0
    public_ipv6: str = ""


@dataclass(frozen=True, slots=True)
class ByteCount:
    """Bytes that left by the machine's public addresses since ``epoch`` (a new epoch is a reset)."""

    name: str
    out_bytes: int
    epoch: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What a running machine has used since ``epoch`` began (a new epoch counts from 0 again); None: it is not told.

    ``read_at`` is when it was counted, by the engine's clock: only differences of it mean something. ``cpu_ns`` is time
    of all its vCPU together. Network: all that goes by its interfaces; ``public_sent_bytes`` of that what left by its
    public addresses. Disks: all that it has; ``disk_used_bytes`` of ``disk_total_bytes`` on its system disk.
    """

    name: str
    epoch: str
    read_at: dt.datetime
    cpu_ns: int
    memory_bytes: int | None = None
    memory_total_bytes: int | None = None
    disk_used_bytes: int | None = None
    disk_total_bytes: int | None = None
    disk_read_bytes: int | None = None
    disk_written_bytes: int | None = None
    disk_reads: int | None = None
    disk_writes: int | None = None
    received_bytes: int | None = None
    sent_bytes: int | None = None
    received_packets: int | None = None
    sent_packets: int | None = None
    public_sent_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Volume:
    """A disk with a life of its own, as the engine has it. ``machine`` is the one that has it, "" for none."""

    name: str
    size_gib: int
    member: str
    machine: str = ""


@dataclass(frozen=True, slots=True)
class OwnImage:
    """A customer's image, as the engine has it. ``whole``: machines can be made of it."""

    name: str
    size_gib: int  # of the system disk that it was made of
    member: str
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Foreign:
    """A system that a customer brought. ``kind`` of ``foreign.kinds``: a plain tar of its files that ``rootfs.clean``
    wrote, or a qcow2 disk that is alone; ``content`` is a real file. ``size_gib``: the disk that takes it.
    """

    kind: str
    content: BinaryIO
    size_gib: int


@dataclass(frozen=True, slots=True)
class HeldDisk:
    """A disk and where it is. ``machine``: with which it was bought, "" for one with a life of its own."""

    name: str
    size_gib: int
    member: str
    machine: str = ""
    is_system: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of a disk as it was at one instant, as the engine has it."""

    name: str
    size_gib: int
    member: str


@dataclass(frozen=True, slots=True)
class MemberCapacity:
    member: str
    online: bool
    vcpu: int
    memory_mib: int
    disk_gib: int
    disk_filled_gib: int = 0  # of it: thin disks fill as they are written


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What machines of this engine get. ``missing`` maps a capability to a sentence why not.

    ``imports``: kinds of systems (``foreign.kinds``) of which it makes images. ``df_shows_gib``: what `df` shows inside
    a machine for each disk where that is the host's storage; 0 where it is the disk.
    """

    instance_kind: str  # "container" | "virtual-machine" | "simulated"
    bandwidth_cap_out: bool = True
    bandwidth_cap_in: bool = True
    network_isolation: bool = True
    byte_counters: bool = True
    security_groups: bool = True
    ipv6: bool = True
    shared_bandwidth: bool = True
    snapshots: bool = True
    rescue: bool = True
    console: bool = True
    imports: Sequence[str] = ()
    df_shows_gib: int = 0
    missing: dict[str, str] = field(default_factory=dict)


RESCUED_AT = "/mnt/system"  # where a rescue system has the machine's own disk

SPOT_NOTICE = "/run/spot/termination-time"  # in the guest, as published metadata name it


def spot_notice(at: dt.datetime) -> str:
    """What it says."""
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}"


@runtime_checkable
class Engine(Protocol):
    """One zone's engine. Drivers are made by ``engines.open_engine(kind, settings)``.

    Every verb raises EngineError. A driver may be used by several threads at once, and several
    processes may each have one on the same engine.
    """

    def capabilities(self) -> Capabilities: ...

    def capacity(self) -> Sequence[MemberCapacity]:
        """What each member has in all, not what is left: claims are placement's."""

    def ensure_image(self, image: ImageSpec) -> ImageState:
        """Start or go on making the image available; returns at once with how far it is."""

    def ensure_present(self, spec: MachineSpec) -> Observation:
        """The machine exists as specified, network and address in place, started and seen running."""

    def ensure_reinstalled(self, spec: MachineSpec) -> Observation:
        """As ``ensure_present``, on a system disk of ``spec.installation`` or a later one; its guest is asked to stop.

        A system disk of an earlier one is erased, once however often it is asked for, and made anew as specified. Data
        disks keep what is on them, the byte counter goes on. A machine that is not there is made. Disks with a life of
        their own (``Disks``) are attached again by whoever asks.
        """

    def ensure_power(self, name: str, on: bool, *, force: bool = False) -> Observation:
        """Running or stopped. A stop asks the guest first, unless ``force``; then ends it.

        A machine that is not there is answered with ``Power.ABSENT``, never made.
        """

    def ensure_rebooted(self, name: str, after: dt.datetime, *, force: bool = False) -> Observation:
        """Running with a boot later than ``after`` (wall time): a repeat does not boot it twice."""

    def ensure_absent(self, name: str) -> None:
        """Machine, disks, address, forward, counter and, with its last machine, the bridge: gone.

        The byte counter goes with it: stop the machine, read ``counters``, then call this.
        """

    def ensure_address(self, name: str, private_ip: str, address: PublicAddress | None) -> None:
        """Exactly this public address (or none) leads to and from the machine, with this cap.

        So does its IPv6 address, which the guest gets where it has none yet; only for an engine whose ``capabilities``
        say ``ipv6``: another raises EngineError. The machine's rules hold for it before it leads anywhere.
        The byte counter is kept, also without an address, until the machine is absent.
        """

    def ensure_network(self, spec: MachineSpec, *, on: bool) -> None:
        """The machine has the subnet, private address, public address and rules of ``spec``, inside too, and no others.

        A running one is turned off where that is not so yet. ``on``: it runs at the end; else it is left off or on as
        it is found, but for that. What else ``spec`` says counts for nothing. A driver that cannot reach into a stopped
        machine of its kind says so.
        """

    def ensure_rules(self, rules: Mapping[str, MachineRules]) -> None:
        """Exactly these rules are in force for these machines, from one instant on; connections that are known stay.

        A machine that is not there is left out. They hold until the machine is absent, whatever starts anew. Only for
        an engine whose ``capabilities`` say ``security_groups``: another raises EngineError.
        """

    def ensure_size(self, name: str, vcpu: int, memory_mib: int, *, on: bool) -> None:
        """Exactly this vCPU and memory. Where ``turns_off_for`` says so, a running machine is turned off for it.

        ``on``: it runs at the end; else it is left off or on as it is found, but for that.
        """

    def ensure_disk_size(self, name: str, disk: str, size_gib: int, *, is_system: bool, on: bool) -> None:
        """The disk with this key has at least so much: it is never made smaller. ``on``: as of ``ensure_size``.

        A running machine is turned off for it where ``turns_off_to_grow_a_disk`` says so.
        """

    def ensure_password(self, name: str, user: str, password_hash: str) -> None:
        """This crypt(3) hash is the user's in the guest, and SSH takes passwords; running or stopped, it stays so.

        Raises UnknownUser. A driver that cannot reach into a stopped machine of its kind says so.
        """

    def ensure_ssh_keys(
        self, name: str, user: str, keys: Sequence[str], forgotten: Sequence[str], *, passwords: bool | None
    ) -> None:
        """By each of ``keys`` the user is let in, and by none of ``forgotten``; running or stopped, it stays so.

        Keys are lines of ``authorized_keys`` without options; what else the user's file says stays as it is.
        ``passwords``: whether SSH takes passwords from then on; None leaves that as it is. A password itself stays.
        Raises UnknownUser. A driver that cannot reach into a stopped machine of its kind says so.
        """

    def ensure_hostname(self, name: str, hostname: str) -> None:
        """The guest goes by this name, at once where it runs, and after each start.

        A driver that cannot reach into a stopped machine of its kind says so.
        """

    def ensure_spot_notice(self, name: str, at: dt.datetime) -> None:
        """A running guest finds in ``SPOT_NOTICE`` when it is taken back. One that is off, or not there, needs none."""

    def observe(self, name: str) -> Observation:
        """What is there; ``Power.ABSENT`` when nothing is."""

    def list_ours(self) -> Sequence[Observation]:
        """Every machine this deployment made, whatever its state."""

    def counters(self, names: Iterable[str]) -> dict[str, ByteCount]:
        """Outbound byte counts by name; a machine that never had a public address is left out."""


def turns_off_for(kind: str, memory_mib: int, wanted_mib: int) -> bool:
    """Whether a running machine is turned off to get another size.

    A virtual machine is. Of a container no memory is taken while it runs: its programs may be using it.
    """
    return kind == "virtual-machine" or wanted_mib < memory_mib


def turns_off_to_grow_a_disk(kind: str) -> bool:
    """Whether a running machine is turned off while its disk grows: a virtual machine sees the size at its start."""
    return kind == "virtual-machine"


VERBS = (
    "capabilities",
    "capacity",
    "ensure_image",
    "ensure_present",
    "ensure_present_many",
    "ensure_reinstalled",
    "ensure_power",
    "ensure_rebooted",
    "ensure_absent",
    "ensure_address",
    "ensure_network",
    "ensure_rules",
    "ensure_size",
    "ensure_disk_size",
    "ensure_password",
    "ensure_ssh_keys",
    "ensure_hostname",
    "ensure_spot_notice",
    "observe",
    "list_ours",
    "counters",
    "usage",
    "changes",
    "ensure_volume",
    "ensure_kept",
    "ensure_volume_absent",
    "ensure_attached",
    "ensure_detached",
    "list_volumes",
    "ensure_image_of",
    "ensure_image_imported",
    "ensure_image_absent",
    "list_images",
    "ensure_snapshot",
    "ensure_snapshot_absent",
    "ensure_restored",
    "ensure_volume_restored",
    "list_snapshots",
    "ensure_rescue",
    "ensure_own_system",
    "console",
)

_transaction_is_open: Callable[[], bool] = lambda: False  # noqa: E731 (a value that config replaces)


def install_transaction_probe(is_open: Callable[[], bool]) -> None:
    """Tell the drivers how to see that a database transaction is open in this thread (config does, at start).

    An engine call takes seconds and may be lost; inside a transaction it would hold row locks that long.
    """
    global _transaction_is_open
    _transaction_is_open = is_open


def driver(cls: _Driver) -> _Driver:
    """Class decorator of every driver: its verbs refuse to run while a transaction is open."""
    for name in VERBS:
        verb = cls.__dict__.get(name)
        if verb is not None:
            setattr(cls, name, _outside_transaction(verb))
    return cls


def _outside_transaction(verb: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(verb)
    def checked(*arguments: Any, **named: Any) -> Any:
        if _transaction_is_open():
            raise RuntimeError(f"engine verb {verb.__name__} was called inside a database transaction")
        return verb(*arguments, **named)

    return checked
