"""Why there is no room: how many hosts each filter of a claim leaves. For the seller alone, no customer reads it."""

from collections.abc import Sequence

from vmart.kernel import db

# In the order of fn.placement_passed; "hosts" are all that there are.
FILTERS = ("hosts", "online", "accepting", "vCPU", "memory", "disk")

Left = dict[str, int]


def in_zone(zone: str, vcpu: int, memory_mib: int, disk_gib: int) -> Left:
    """Hosts of the zone that each filter leaves for one more machine of this size; the last of them can take it."""
    return left(db.call("placement_explain", zone, vcpu, memory_mib, disk_gib))


def on_its_host(instance_id: int, vcpu: int, memory_mib: int) -> Left:
    """The same for the one host on which a machine has its disks, which are no filter then."""
    return left(db.call("placement_explain_grow", instance_id, vcpu, memory_mib))


def left(counts: Sequence[int]) -> Left:
    """Counts by the filter's name."""
    return dict(zip(FILTERS, counts, strict=False))


def line(counts: Left) -> str:
    """For a log: "hosts 3, online 2, …"."""
    return ", ".join(f"{name} {count}" for name, count in counts.items())
