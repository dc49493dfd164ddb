"""Room on a root disk that its guest has filled: more for one act of the server, then taken back.

The server writes files of its own into the machine's volume at each start and change, so a machine whose guest
filled its disk could never be started again. On btrfs the limit belongs to the volume. A limit below what is used must
never be set: after that the server can neither raise it nor write (seen in 6.0). So before the limit goes down a
ballast is written into the volume, where the guest does not see it, as large as the room. Where it finds place, the
guest uses no more than was sold. The ballast goes when the limit is down: meanwhile the guest cannot grow.

Disks are sold in whole GiB, and all room given is less than one: so the record's own size tells what was sold.
"""

import contextlib
import time
from collections.abc import Callable

from vmart.engines.contract import EngineError
from vmart.engines.incus.client import IncusClient, IncusError, path_of

# The server writes some KiB. The room is small because a guest that goes on writing may take it meanwhile.
_ROOM_MIB = 8
_SOLD_MIB = 1024  # disks are sold in multiples of it
_BALLAST = "vmart-room"  # a file among the server's templates that no template names
_SETTLED_IN_S = 60.0  # for so long a limit is set again: writes under way, on a busy host, may be in its way
_MIB = 1 << 20
_UNITS_MIB = {"GiB": 1024, "MiB": 1}

DISK_FULL = "The system disk is full."
DELETE_FILES = "Delete files in the machine, then try again; if it cannot be started, ask the seller."


class Room:
    """``is_limited``: whether the pool limits a machine's volume by a quota that goes up and down."""

    def __init__(self, client: IncusClient, pool: str, *, is_limited: bool) -> None:
        self._client = client
        self._pool = pool
        self._is_limited = is_limited

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

    def grow(self, name: str, size_gib: int) -> None:
        """The disk is at least so large from now on: more is sold."""
        limit_mib = size_gib * 1024
        if self._limit_mib(name) >= limit_mib:
            return
        if self._is_limited:
            self._remove_ballast(name)
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

    def _give(self, name: str, *, is_ending: bool = False) -> None:
        """More than today's limit each time: the guest may have taken what was given before."""
        limit_mib = self._limit_mib(name) + _ROOM_MIB
        if limit_mib % _SOLD_MIB < _ROOM_MIB and not is_ending:
            raise EngineError(DISK_FULL, transient=False, detail=f"{name}: no more room", helps=DELETE_FILES)
        self._remove_ballast(name)
        self._settle(name, limit_mib)

    def _take_back(self, name: str) -> None:
        """To what was sold, or else to the MiB that the guest uses."""
        given_mib = self._limit_mib(name)
        sold_mib = given_mib - given_mib % _SOLD_MIB
        for limit_mib in sorted({sold_mib, max(sold_mib, given_mib - _ROOM_MIB + 1)}):
            if limit_mib < given_mib and self._leaves(name, given_mib - limit_mib):
                self._lower(name, limit_mib)
                return
        if 0 < given_mib - sold_mib < _SOLD_MIB - 1:
            # A disk that the ballast filled to the last block would let no limit be set: the guest fills what it
            # fills by itself to some blocks less.
            self._settle(name, given_mib + 1)

    def _leaves(self, name: str, room_mib: int) -> bool:
        """Whether the guest leaves so much; then it is taken by the ballast."""
        self._remove_ballast(name)
        try:
            self._write_ballast(name, room_mib)
        except EngineError:
            self._remove_ballast(name)
            return False
        return True

    def _lower(self, name: str, limit_mib: int) -> None:
        with contextlib.suppress(IncusError):  # guest and ballast are over it: it holds, only its record is missing
            self._set_limit(name, limit_mib)
        self._remove_ballast(name)
        self._commit(name)
        self._settle(name, limit_mib)

    def _settle(self, name: str, limit_mib: int) -> None:
        ends = time.monotonic() + _SETTLED_IN_S
        while True:
            with contextlib.suppress(IncusError):  # its record is written, the server's own file may find no place
                self._set_limit(name, limit_mib)
            if self._limit_mib(name) == limit_mib:
                return
            if time.monotonic() > ends:
                raise EngineError(DISK_FULL, transient=True, detail=f"{name}: no limit can be set", helps=DELETE_FILES)
            self._commit(name)

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

    def _write_ballast(self, name: str, size_mib: int) -> None:
        pieces = (bytes(_MIB) for _ in range(size_mib))
        self._client.upload(path_of("instances", name, "metadata", "templates"), pieces, path=_BALLAST)

    def _remove_ballast(self, name: str) -> None:
        try:
            self._client.send("DELETE", path_of("instances", name, "metadata", "templates"), path=_BALLAST)
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
