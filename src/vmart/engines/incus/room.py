"""Room on a root disk that its guest has filled: more for one act of the server, then taken back.

The server writes files of its own into the machine's volume at each start and change, so a machine whose guest
filled its disk could never be started again. On btrfs the limit belongs to the volume. A limit below what is used must
never be set: after that the server can neither raise it nor write (seen in 6.0). So before the limit goes down a
ballast is written into the volume, where the guest does not see it, as large as the room. Where it finds place, the
guest uses no more than was sold. The ballast goes when the limit is down: meanwhile the guest cannot grow.

Linux changes a limit only where the volume has place for a block more (btrfs, from 6.18 on), so a disk that is full to
the last block would keep its limit for ever. Two reserves lie beside the ballast for that. A file can be removed from
a full disk, and its blocks are free when the file system has committed. A running guest may be quicker and take them,
so only the first reserve is spent beside it: the second is for the machine when it is off.

Disks are sold in whole GiB, and all room given is less than one: so the record's own size tells what was sold.
"""

import contextlib
import os
import time
from collections.abc import Callable

from vmart.engines.contract import EngineError
from vmart.engines.incus.client import IncusClient, IncusError, path_of

# The server writes some KiB. The room is small because a guest that goes on writing may take it meanwhile.
_ROOM_MIB = 8
_SOLD_MIB = 1024  # disks are sold in multiples of it
# Files among the server's templates that no template names. What they hold does not compress.
_BALLAST = "vmart-room"
_RESERVES = ("vmart-reserve-1", "vmart-reserve-2")
_PIECE = os.urandom(256 << 10)
_SETTLED_IN_S = 60.0  # for so long a limit is set again: writes under way, on a busy host, may be in its way
_PIECES_A_MIB = (1 << 20) // len(_PIECE)
_UNITS_MIB = {"GiB": 1024, "MiB": 1}

DISK_FULL = "The system disk is full."
DELETE_FILES = "Delete files in the machine, then try again; if it cannot be started, ask the seller."


class Room:
    """``is_limited``: whether the pool limits a machine's volume by a quota that goes up and down."""

    def __init__(self, client: IncusClient, pool: str, *, is_limited: bool) -> None:
        self._client = client
        self._pool = pool
        self._is_limited = is_limited

    def reserve(self, name: str) -> None:
        """A machine whose reserves are not whole gets them, where there is place: each act tries it again."""
        if self._is_limited:
            with contextlib.suppress(EngineError):
                self._fill_reserves(name)

    def during(self, name: str, act: Callable[[], object]) -> None:
        """Do ``act``; where the server refuses it, once more with room. Room that an earlier call left goes too."""
        if not self._is_limited:
            act()
            return
        try:
            act()
        except IncusError as refusal:
            if refusal.missing:
                raise
            self._with_room(name, act)
        else:
            self._try_to_take_back(name)

    def at_its_end(self, name: str, act: Callable[[], object]) -> None:
        """As ``during``, for what ends the machine: nothing is taken back, and there is always more room."""
        try:
            act()
        except IncusError as refusal:
            if refusal.missing or not self._is_limited:
                raise
            self._give(name, is_ending=True)
            act()

    def spared(self, size_gib: int) -> str:
        """A limit with room, of a disk that is made so; the next act on its machine takes the room back."""
        return f"{size_gib * 1024 + _ROOM_MIB}MiB"

    def grow(self, name: str, size_gib: int) -> None:
        """The disk is at least so large from now on: more is sold."""
        limit_mib = size_gib * 1024
        if self._limit_mib(name) >= limit_mib:
            return
        if self._is_limited:
            self._remove(name, _BALLAST)
            self._settle(name, limit_mib)
        else:
            self._set_limit(name, limit_mib)

    def _with_room(self, name: str, act: Callable[[], object]) -> None:
        self._give(name)
        try:
            act()
        finally:
            self._try_to_take_back(name)

    def _try_to_take_back(self, name: str) -> None:
        """What cannot be taken back now, the next act takes back: this one is done, or failed for its own reason."""
        with contextlib.suppress(EngineError):
            self._take_back(name)
        self.reserve(name)

    def _give(self, name: str, *, is_ending: bool = False) -> None:
        """More than today's limit each time: the guest may have taken what was given before."""
        limit_mib = self._limit_mib(name) + _ROOM_MIB
        if limit_mib % _SOLD_MIB < _ROOM_MIB and not is_ending:
            raise EngineError(DISK_FULL, transient=False, detail=f"{name}: no more room", helps=DELETE_FILES)
        self._remove(name, _BALLAST)
        self._settle(name, limit_mib)
        self.reserve(name)

    def _take_back(self, name: str) -> None:
        """To what was sold, or else to the MiB that the guest uses."""
        given_mib = self._limit_mib(name)
        sold_mib = given_mib - given_mib % _SOLD_MIB
        for limit_mib in sorted({sold_mib, max(sold_mib, given_mib - _ROOM_MIB + 1)}):
            if limit_mib < given_mib and self._leaves(name, given_mib - limit_mib):
                self._lower(name, limit_mib)
                return

    def _leaves(self, name: str, room_mib: int) -> bool:
        """Whether the guest leaves so much; then it is taken by the ballast."""
        self._remove(name, _BALLAST)
        return self._finds_place(name, _BALLAST, room_mib * _PIECES_A_MIB)

    def _lower(self, name: str, limit_mib: int) -> None:
        """The ballast goes only when the limit is in force, or stays as it was."""
        is_in_force = self._is_set(name, limit_mib)
        if not is_in_force:
            self._spend_a_reserve(name)
            is_in_force = self._is_set(name, limit_mib)
        self._remove(name, _BALLAST)
        self._commit(name)
        if is_in_force:
            self._settle(name, limit_mib)

    def _is_set(self, name: str, limit_mib: int) -> bool:
        """In force, though its record may be missing: what the server does after it finds no place under it."""
        try:
            self._set_limit(name, limit_mib)
        except IncusError as refusal:
            # The command after the one that sets it, or what is written when the record is there.
            return "qgroup limit -e none" in refusal.text or self._limit_mib(name) == limit_mib
        return True

    def _settle(self, name: str, limit_mib: int) -> None:
        ends = time.monotonic() + _SETTLED_IN_S
        said = ""
        while True:
            try:  # its record is written, the server's own file may find no place
                self._set_limit(name, limit_mib)
            except IncusError as refusal:
                said = refusal.text
            if self._limit_mib(name) == limit_mib:
                return
            if time.monotonic() > ends:
                detail = f"{name}: no limit can be set: {said}"
                raise EngineError(DISK_FULL, transient=True, detail=detail, helps=DELETE_FILES)
            self._spend_a_reserve(name)

    # -- the reserves --------------------------------------------------------------------------

    def _fill_reserves(self, name: str) -> None:
        """An interrupted call may leave one of them short, never both."""
        for reserve in self._missing_reserves(name):
            self._finds_place(name, reserve, 1)

    def _spend_a_reserve(self, name: str) -> None:
        found = self._client.find(path_of("instances", name))
        may_spend = _RESERVES if found and found["status"] == "Stopped" else _RESERVES[:1]
        left = [reserve for reserve in may_spend if reserve not in self._missing_reserves(name)]
        if left:
            self._remove(name, left[0])
        self._commit(name)

    def _missing_reserves(self, name: str) -> list[str]:
        there = self._client.get(_templates(name))
        return [reserve for reserve in _RESERVES if reserve not in there]

    # -- the server ----------------------------------------------------------------------------

    def _limit_mib(self, name: str) -> int:
        """0 for a machine that is not there."""
        found = self._client.find(path_of("instances", name))
        size = found["devices"]["root"]["size"] if found else "0MiB"
        return int(size[:-3]) * _UNITS_MIB[size[-3:]]

    def _set_limit(self, name: str, limit_mib: int) -> None:
        path = path_of("instances", name)
        size = f"{limit_mib}MiB" if limit_mib % _SOLD_MIB else f"{limit_mib // _SOLD_MIB}GiB"
        root = self._client.get(path)["devices"]["root"] | {"size": size}
        self._client.send("PATCH", path, {"devices": {"root": root}})

    def _finds_place(self, name: str, file: str, pieces: int) -> bool:
        """Whether the file could be written whole; else none of it is left."""
        try:
            self._client.upload(_templates(name), (_PIECE for _ in range(pieces)), path=file)
        except EngineError:
            self._remove(name, file)
            return False
        return True

    def _remove(self, name: str, file: str) -> None:
        try:
            self._client.send("DELETE", _templates(name), path=file)
        except IncusError as refusal:
            if not refusal.missing:
                raise

    def _commit(self, name: str) -> None:
        """Let what was removed count: the file system commits every 30 s by itself, and at each snapshot."""
        volumes = path_of("storage-pools", self._pool, "volumes", "custom")
        volume = f"{_BALLAST}-{name}"
        with contextlib.suppress(IncusError):  # left by an interrupted call
            self._client.send("POST", volumes, {"name": volume, "type": "custom", "content_type": "filesystem"})
        self._client.send("POST", f"{volumes}/{volume}/snapshots", {"name": "now"})
        self._client.send("DELETE", f"{volumes}/{volume}")


def _templates(name: str) -> str:
    return path_of("instances", name, "metadata", "templates")
