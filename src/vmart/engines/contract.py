"""What an engine does for vmart: about ten idempotent verbs keyed by our own machine name.

Every verb may be called again after a lost answer, by another process, and then leads to the same
end state. No verb is called inside a database transaction (``Engine.__init_subclass__`` wraps each
verb with that check). Capabilities say what a member cannot do; what it cannot is said, not faked.
"""

import datetime as dt
import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


class EngineError(Exception):
    """The engine refused or could not. ``transient`` says whether trying again may help.

    ``sentence`` is fit to be shown to the customer: no host names, no paths, no secrets.
    """

    def __init__(self, sentence: str, *, transient: bool, detail: str = "") -> None:
        super().__init__(sentence if not detail else f"{sentence} ({detail})")
        self.sentence = sentence
        self.transient = transient
        self.detail = detail


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
    """A public image: ``name`` is the recipe or alias (``debian-12``), ``version`` its build."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class ImageState:
    status: ImageStatus
    percent: int = 0
    why: str = ""
    checksum: str = ""


@dataclass(frozen=True, slots=True)
class Subnet:
    """A customer's private network in one zone; ``key`` is ours, the driver hashes it to a name."""

    key: str
    cidr: str  # "10.0.0.0/20"
    gateway: str  # "10.0.0.1"


@dataclass(frozen=True, slots=True)
class Disk:
    key: str
    kind: str  # CLOUD_PREMIUM | CLOUD_BSSD | CLOUD_SSD
    size_gib: int


@dataclass(frozen=True, slots=True)
class PublicAddress:
    ip: str
    bandwidth_mbps: int  # cap of outbound, 10^6 bit/s each


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """Everything the engine needs for a machine; a second call with the same name changes nothing.

    ``password_hash`` is crypt(3) ("" for none); the plain password is never known here.
    ``user_data`` is the customer's cloud-init document, decoded, at most 16 KiB.
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


@dataclass(frozen=True, slots=True)
class Observation:
    """What the engine sees now. ``booted_at`` is wall time of the last start, None when off."""

    name: str
    power: Power
    kind: str = ""  # "container" | "virtual-machine" | "simulated"
    member: str = ""
    private_ip: str = ""
    booted_at: dt.datetime | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class ByteCount:
    """Bytes that left by the machine's public address since ``epoch`` (a new epoch is a reset)."""

    name: str
    out_bytes: int
    epoch: str


@dataclass(frozen=True, slots=True)
class MemberCapacity:
    member: str
    online: bool
    vcpu: int
    memory_mib: int
    disk_gib: int


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What machines of this engine get. ``missing`` maps a capability to a sentence why not."""

    instance_kind: str  # "container" | "virtual-machine" | "simulated"
    bandwidth_cap_out: bool = True
    bandwidth_cap_in: bool = True
    network_isolation: bool = True
    byte_counters: bool = True
    missing: dict[str, str] = field(default_factory=dict)


@runtime_checkable
class Engine(Protocol):
    """One zone's engine. Drivers are made by ``engines.open_engine(kind, settings)``."""

    def capabilities(self) -> Capabilities: ...

    def capacity(self) -> Sequence[MemberCapacity]: ...

    def ensure_image(self, image: ImageSpec) -> ImageState:
        """Start or go on making the image available; returns at once with how far it is."""

    def ensure_present(self, spec: MachineSpec) -> Observation:
        """The machine exists as specified, network and address in place, started and seen running."""

    def ensure_power(self, name: str, on: bool, *, force: bool = False) -> Observation:
        """Running or stopped. A stop asks the guest first, unless ``force``; then ends it."""

    def ensure_rebooted(self, name: str, after: dt.datetime, *, force: bool = False) -> Observation:
        """Running with a boot later than ``after`` (wall time): a repeat does not boot it twice."""

    def ensure_absent(self, name: str) -> None:
        """Machine, disks, address, forward, counter and, with its last machine, the bridge: gone."""

    def ensure_address(self, name: str, private_ip: str, address: PublicAddress | None) -> None:
        """Exactly this public address (or none) leads to and from the machine, with this cap."""

    def observe(self, name: str) -> Observation:
        """What is there; ``Power.ABSENT`` when nothing is."""

    def list_ours(self) -> Sequence[Observation]:
        """Every machine this deployment made, whatever its state."""

    def counters(self, names: Iterable[str]) -> dict[str, ByteCount]:
        """Outbound byte counts by name; a machine without a public address is left out."""
