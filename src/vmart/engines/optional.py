"""What an engine may offer beside the verbs that each has: ``isinstance(engine, Disks)`` asks whether it does.

Its capabilities say what a member cannot do all the same.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from vmart.engines.contract import (
    Engine,
    EngineError,
    Foreign,
    HeldDisk,
    MachineSpec,
    Observation,
    OwnImage,
    Snapshot,
    Usage,
    Volume,
)


@runtime_checkable
class DeliversMany(Protocol):
    """An engine that makes many machines cheaper together than one by one."""

    def ensure_present_many(self, specs: Sequence[MachineSpec]) -> "list[Observation | EngineError]": ...


@runtime_checkable
class TellsChanges(Protocol):
    """An engine that tells by itself when a machine was turned on or off, from inside too."""

    def changes(self) -> "AbstractContextManager[Callable[[float], str | None]]":
        """Listen: the call waits so many seconds for the next name, None when nothing happened.

        Raises EngineError when the line is lost: what happened since then was not told. Names of others may be
        among those told.
        """


@runtime_checkable
class Metrics(Protocol):
    """An engine that tells what machines use."""

    def usage(self) -> Sequence[Usage]:
        """Of every running machine of this deployment, asked for together; nothing is changed.

        It takes seconds at most, however many there are: an engine that is slower is given up with EngineError.
        """


@runtime_checkable
class LeavesHost(Protocol):
    """An engine that keeps something on this host for all of its machines together."""

    def leave_host(self) -> None:
        """Take it away when the last machine is gone: at the end of a deployment."""


@runtime_checkable
class Disks(Protocol):
    """An engine that keeps disks with a life of their own, which a machine gets and gives back while it runs.

    They stay when their machine is made absent. ``name`` is the disk's public id, "disk-4k2j0qzt".
    """

    def ensure_volume(self, name: str, size_gib: int, member: str) -> None:
        """The disk is on this member with all that is on it, and has at least this size: it is never made smaller.

        One that is on another member is moved; a machine that has it is on its member.
        """

    def ensure_kept(self, machine: str, name: str, size_gib: int) -> bool:
        """A data disk that was made with the machine is a disk with a life of its own, with all that is on it.

        It is at no machine when that one is absent. False where there is no such disk: nothing is made.
        """

    def ensure_volume_absent(self, name: str) -> None:
        """The disk is gone with all that is on it. Raises EngineError while a machine has it."""

    def ensure_attached(self, machine: str, volume: str) -> None:
        """The machine has the disk, running or stopped. Raises EngineError while another machine has it."""

    def ensure_detached(self, machine: str, volume: str) -> None:
        """The machine does not have the disk. A machine that is not there has none."""

    def list_volumes(self) -> Sequence[Volume]:
        """Every disk of its own life that this deployment made."""


@runtime_checkable
class Images(Protocol):
    """An engine that keeps images made of snapshots of system disks. ``name`` is the public id, "img-4k2j0qzt".

    They stay when snapshot and machine are absent, and machines made of one stay when that is. Machines are made of
    one by ``MachineSpec.image`` with its name in ``own``.
    """

    def ensure_image_of(self, name: str, snapshot: str, user: str) -> OwnImage:
        """The image is what the snapshot of a system disk holds; one that is there stays as it is.

        What makes a machine itself is not in the image: its machine id, SSH's host keys, what its first boot remembers,
        the random seed, and how ``user`` is let in. Raises EngineError where the snapshot is not there.
        """

    def ensure_image_imported(self, name: str, system: Foreign, user: str, member: str) -> OwnImage:
        """The image is what a customer brought, on the member; one that is there stays, and nothing is read then.

        What makes a machine itself is not in it, as of ``ensure_image_of``. Raises EngineError for a kind that is not
        among ``Capabilities.imports``.
        """

    def ensure_image_absent(self, name: str) -> None:
        """The image is gone with all that is on it."""

    def list_images(self) -> Sequence[OwnImage]:
        """Every customer's image that this deployment made, those that are not whole among them."""


@runtime_checkable
class Snapshots(Protocol):
    """An engine that copies disks as they are at one instant, while they are used. Only for one whose ``capabilities``
    say ``snapshots``.

    A copy has a life of its own: it stays when its disk and machine are absent. ``name`` is the snapshot's public id,
    "snap-4k2j0qzt".
    """

    def ensure_snapshot(self, name: str, disk: HeldDisk) -> None:
        """The copy is there, on the disk's member. One that is there whole stays as it is.

        Raises EngineError where the disk is not there, and there is no such copy.
        """

    def ensure_snapshot_absent(self, name: str) -> None:
        """The copy is gone; disks that were made of it, or hold what it held, stay."""

    def ensure_restored(self, spec: MachineSpec, snapshot: str) -> None:
        """The system disk holds what the snapshot of it holds, once for each ``spec.restoration``; the machine is off.

        What it has but for its system disk stays as specified, and the disk its size. A machine that is not there is
        made. Disks with a life of their own are attached again by whoever asks. Raises EngineError for a machine that
        runs, and where the snapshot is not there; then nothing is erased.
        """

    def ensure_volume_restored(self, disk: HeldDisk, snapshot: str, restoration: int) -> None:
        """The data disk holds what the snapshot of one holds, once for each ``restoration``, and has at least its size.

        One that is not there is made. Raises EngineError while a machine uses it, and where the snapshot is not there;
        then nothing is erased.
        """

    def list_snapshots(self) -> Sequence[Snapshot]:
        """Every copy that this deployment made, whole or not."""


@runtime_checkable
class Rescues(Protocol):
    """An engine that boots a machine from another system, in which its own system disk is a folder. Only for one whose
    ``capabilities`` say ``rescue``.

    The machine keeps its name, its addresses, its data disks and its byte counter either way. ``spec.rescue`` says
    which call is the later one: a machine that has come to a later one is only looked at.
    """

    def ensure_rescue(self, spec: MachineSpec, *, force: bool = False) -> Observation:
        """It runs the rescue system of ``spec`` (``spec.rescue`` is odd), and has its own disk at ``RESCUED_AT``.

        A running machine is turned off for it, its guest asked first unless ``force``. Nothing that is on its own disk
        is changed. Raises EngineError where nothing of the machine is there.
        """

    def ensure_own_system(self, spec: MachineSpec, *, on: bool) -> Observation:
        """It has its own system disk again, as ``spec`` says (``spec.rescue`` is even), and runs where ``on``, else it
        is off. Nothing is left of the rescue system. One that never left its own system is not booted for it.

        A machine of which nothing is there is answered with ``Power.ABSENT``, never made. Disks with a life of their
        own are attached again by whoever asks, here as for a rescue system.
        """


class ConsoleLine(Protocol):
    """An open console, for one reader and one writer at a time; what is sent is what a terminal sends."""

    def read(self, limit_s: float) -> bytes | None:
        """What the machine says next; None when it says nothing for so long, b"" at the console's end: whoever had
        logged in has logged out, or the machine went off.
        """

    def write(self, keys: bytes) -> None:
        """What was typed. Of a console that has ended it goes nowhere."""

    def resize(self, columns: int, rows: int) -> None:
        """So large is the terminal from now on."""


@runtime_checkable
class Consoles(Protocol):
    """An engine that shows a machine's console as text. Only for one whose ``capabilities`` say ``console``."""

    def console(self, name: str, columns: int, rows: int) -> AbstractContextManager[ConsoleLine]:
        """A login of a running machine, as on a screen and a keyboard of its own: it needs no network.

        Raises EngineError where the machine is not there, NotRunning, and EngineError when the line is lost later.
        The machine is as before when the line is closed, whatever becomes of who had it open.
        """


def ensure_present_many(
    engine: Engine, specs: Sequence[MachineSpec], *, threads: int = 8
) -> "list[Observation | EngineError]":
    """One outcome per spec, in order; a failure is a value here, so that it spoils no other.

    Uses the driver's own batch verb where it has one, else ``threads`` calls at a time.
    """
    if isinstance(engine, DeliversMany):
        return engine.ensure_present_many(specs)

    def one(spec: MachineSpec) -> Observation | EngineError:
        try:
            return engine.ensure_present(spec)
        except EngineError as error:
            return error

    if len(specs) == 1:
        return [one(specs[0])]
    with ThreadPoolExecutor(max_workers=max(1, min(threads, len(specs)))) as pool:
        return list(pool.map(one, specs))
