"""Which machines that may be taken back have to go, so that others find room. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Room:
    """vCPU, memory and disk: what a machine needs, has, or finds free on a host."""

    vcpu: int
    memory_mib: int
    disk_gib: int

    def holds(self, other: "Room") -> bool:
        return (
            self.vcpu >= other.vcpu and self.memory_mib >= other.memory_mib and self.disk_gib >= other.disk_gib
        )  # fmt: skip

    def plus(self, other: "Room") -> "Room":
        return Room(self.vcpu + other.vcpu, self.memory_mib + other.memory_mib, self.disk_gib + other.disk_gib)

    def minus(self, other: "Room") -> "Room":
        return Room(self.vcpu - other.vcpu, self.memory_mib - other.memory_mib, self.disk_gib - other.disk_gib)


@dataclass(frozen=True, slots=True)
class Taken:
    """A machine that may be taken back, by its number; its room is free where it is ``leaving`` already."""

    id: int
    host: int
    room: Room
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Apart:
    """Of machines that lie apart: the place of each host on which they may lie, and how many more may come into it."""

    place_of: Mapping[int, str]
    left: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Host:
    free: Room
    left: tuple[Taken, ...]  # that may have to go, the newest first

    def victims(self, needed: Room) -> tuple[Taken, ...] | None:
        """The fewest of the newest without which a machine fits; None where it fits without none of them either."""
        free = self.free
        for count in range(len(self.left) + 1):
            if free.holds(needed):
                return self.left[:count]
            free = free.plus(self.left[count].room) if count < len(self.left) else free
        return None

    def without(self, gone: Sequence[Taken], placed: Room) -> "_Host":
        free = self.free
        for each in gone:
            free = free.plus(each.room)
        return replace(self, free=free.minus(placed), left=self.left[len(gone) :])


def plan(
    free: dict[int, Room], taken: Sequence[Taken], needed: Room, count: int, apart: Apart | None = None
) -> tuple[int, ...] | None:
    """Numbers of machines to be taken back so that ``count`` of this size find room; None where all would not do.

    ``free``: of each host that takes machines, by number. ``taken``: the newest first. Where the fewest have to go is
    chosen for each, what is free or leaving before all else. ``apart``: where they may lie at all.
    """
    left = dict(apart.left) if apart else {}
    place_of = apart.place_of if apart else {}
    hosts = {number: _Host(room, ()) for number, room in free.items()}
    for each in taken:
        if each.host in hosts:
            there = hosts[each.host]
            hosts[each.host] = (
                replace(there, free=there.free.plus(each.room)) if each.leaving
                else replace(there, left=(*there.left, each))
            )  # fmt: skip
    going: list[int] = []
    for _ in range(count):
        found = [
            (len(gone), number, gone)
            for number, host in hosts.items()
            if (apart is None or left.get(place_of.get(number, ""), 0) > 0)
            and (gone := host.victims(needed)) is not None
        ]
        if not found:
            return None
        _, number, gone = min(found, key=lambda one: one[:2])
        hosts[number] = hosts[number].without(gone, needed)
        if apart:
            left[place_of[number]] -= 1
        going += [each.id for each in gone]
    return tuple(going)
