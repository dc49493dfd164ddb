"""An engine without machines, for rehearsal, load tests and places without an engine: a citizen, not a mock.

Its state lives in an SQLite file of its own, so that killing the database or the worker does not kill
"the engine", and several processes may use it at once (``file.py``). ``world.World`` is the hand from outside.
"""

import datetime as dt
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from vmart.engines.contract import (
    ByteCount,
    Capabilities,
    EngineError,
    Foreign,
    HeldDisk,
    ImageNotReady,
    ImageSpec,
    ImageState,
    ImageStatus,
    MachineSpec,
    MemberCapacity,
    Observation,
    OwnImage,
    Power,
    PublicAddress,
    Snapshot,
    UnknownUser,
    Usage,
    Volume,
    driver,
    spot_notice,
    turns_off_for,
)
from vmart.engines.foreign import kinds
from vmart.engines.optional import ConsoleLine
from vmart.engines.rules import MachineRules
from vmart.engines.simulated import console, machines, own_images, rescue, snapshots, usage, volumes
from vmart.engines.simulated.calls import Calls
from vmart.engines.simulated.file import File

_REINSTALL = """
UPDATE machine SET image = ?, hostname = ?, login_user = ?, password_hash = ?, ssh_keys = ?, ssh_passwords = ?,
                   installation = ?, erased = erased + 1
WHERE name = ?
"""
_MOVE = """
UPDATE machine SET subnet = :subnet, private_ip = :private_ip, public_ip = :public_ip, public_ipv6 = :public_ipv6,
                   bandwidth_mbps = :bandwidth_mbps, share = :share, rules = :rules, power = :power,
                   booted_at = :booted_at, flowing_since = :flowing_since, counted = :counted
WHERE name = :name
"""

DEFAULT_MEMBERS: Mapping[str, Mapping[str, int]] = {
    f"sim-{number}": {"vcpu": 64, "memory_mib": 256 * 1024, "disk_gib": 8192} for number in (1, 2, 3)
}


@driver
class SimulatedEngine:
    """Settings (all but ``file`` optional):

    ``file``                 the SQLite file of this zone's engine
    ``members``              {name: {vcpu, memory_mib, disk_gib}}, default three of 64 vCPU
    ``latency_s``            seconds a call, one number or {verb: seconds}; default 0
    ``failure_rate``         share of changing calls that fail having done nothing; default 0
    ``lost_answer_rate``     share that are done and whose answer is lost; default 0
    ``seed``                 of both rates
    ``image_ready_s``        how long an image takes to get ready (wall time); default 0
    ``images``               names that can be made; others FAIL; default: any
    ``traffic_bytes_per_s``  what each running machine with a public address sends by itself, in business time
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        if not settings.get("file"):
            raise EngineError("The simulated zone names no file for its state.", transient=False)
        self._file = File(Path(settings["file"]))
        self._members: Mapping[str, Mapping[str, int]] = settings.get("members") or DEFAULT_MEMBERS
        self._calls = Calls(self._file, settings)
        self._image_ready_s = float(settings.get("image_ready_s") or 0.0)
        self._images: set[str] | None = set(settings["images"]) if settings.get("images") else None
        self._bytes_per_s = int(settings.get("traffic_bytes_per_s") or 0)

    # -- what it is ----------------------------------------------------------------------------

    def capabilities(self) -> Capabilities:
        missing = {"graphic_console": "There are consoles of text only: simulated machines have no screen."}
        return Capabilities(instance_kind="simulated", imports=(kinds.ROOTFS, kinds.QCOW2), missing=missing)

    def capacity(self) -> Sequence[MemberCapacity]:
        with self._calls.call("capacity") as connection:
            down = machines.down(connection)
        return [
            MemberCapacity(
                name, name not in down, int(size["vcpu"]), int(size["memory_mib"]), int(size.get("disk_gib", 8192))
            )
            for name, size in self._members.items()
        ]

    def ensure_image(self, image: ImageSpec) -> ImageState:
        if self._images is not None and image.name not in self._images:
            return ImageState(ImageStatus.FAILED, why="This zone cannot make the image.")
        now = machines.wall_s()
        with self._calls.call("ensure_image", writes=True) as connection:
            connection.execute("INSERT OR IGNORE INTO image VALUES (?, ?, ?)", (image.name, image.version, now))
            return self._image_state(connection, image, now)

    # -- machines ------------------------------------------------------------------------------

    def ensure_present(self, spec: MachineSpec) -> Observation:
        outcome = self._deliver([spec])[0]
        if isinstance(outcome, EngineError):
            raise outcome
        return outcome

    def ensure_present_many(self, specs: Sequence[MachineSpec]) -> list[Observation | EngineError]:
        """One transaction of the file for all of them: several thousand a second."""
        return self._deliver(specs)

    def ensure_reinstalled(self, spec: MachineSpec) -> Observation:
        with self._calls.call("ensure_reinstalled", writes=True) as connection:
            found = machines.row(connection, spec.name)
            if found is not None and found["installation"] < spec.installation:
                machines.refuse_offline(connection, found["member"])
                if self._lacks(connection, spec.image):
                    raise ImageNotReady(spec.image.own or spec.image.name)
                self._reinstall(connection, spec, found)
            down = machines.down(connection)
            outcome = self._deliver_one(connection, spec, down)
        if isinstance(outcome, EngineError):
            raise outcome
        return outcome

    def _reinstall(self, connection: sqlite3.Connection, spec: MachineSpec, found: Mapping[str, Any]) -> None:
        self._bank_bytes(connection, found)
        connection.execute(
            _REINSTALL,
            (
                spec.image.name, spec.hostname, spec.login_user, spec.password_hash, json.dumps(list(spec.ssh_keys)),
                spec.ssh_passwords, spec.installation, spec.name,
            ),
        )  # fmt: skip
        volumes.take_all_off(connection, spec.name)
        own_images.put_on(connection, spec)
        machines.boot(connection, spec.name, found)

    def ensure_power(self, name: str, on: bool, *, force: bool = False) -> Observation:
        with self._calls.call("ensure_power", writes=True) as connection:
            found = machines.row(connection, name)
            if found is None:
                return Observation(name, Power.ABSENT)
            machines.refuse_offline(connection, found["member"])
            if on and found["power"] != Power.RUNNING:
                machines.boot(connection, name, found)
            elif not on and found["power"] != Power.STOPPED:
                self._bank_bytes(connection, found)
                machines.turn_off(connection, name)
            return machines.observed(connection, name)

    def ensure_rebooted(self, name: str, after: dt.datetime, *, force: bool = False) -> Observation:
        with self._calls.call("ensure_rebooted", writes=True) as connection:
            found = machines.row(connection, name)
            if found is None:
                return Observation(name, Power.ABSENT)
            machines.refuse_offline(connection, found["member"])
            if found["power"] != Power.RUNNING or found["booted_at"] <= after.timestamp():
                self._bank_bytes(connection, found)
                machines.boot(connection, name, found)
            return machines.observed(connection, name)

    def ensure_absent(self, name: str) -> None:
        with self._calls.call("ensure_absent", writes=True) as connection:
            found = machines.row(connection, name)
            if found is not None:
                machines.refuse_offline(connection, found["member"])
                connection.execute("DELETE FROM machine WHERE name = ?", (name,))
                connection.execute("DELETE FROM grown WHERE machine = ?", (name,))
                volumes.take_all_off(connection, name)

    def ensure_address(self, name: str, private_ip: str, address: PublicAddress | None) -> None:
        with self._calls.call("ensure_address", writes=True) as connection:
            found = machines.present(connection, name)
            self._bank_bytes(connection, found)
            try:
                connection.execute(
                    "UPDATE machine SET public_ip = ?, public_ipv6 = ?, bandwidth_mbps = ?, share = ?,"
                    " flowing_since = ?, counted = counted OR ? WHERE name = ?",
                    (
                        address.ip if address else None,
                        machines.ipv6(address),
                        address.bandwidth_mbps if address else 0,
                        machines.share(connection, address),
                        machines.business_s() if address and found["power"] == Power.RUNNING else None,
                        address is not None,
                        name,
                    ),
                )
            except sqlite3.IntegrityError as error:
                raise EngineError("The public address is in use.", transient=False, detail=str(error)) from error

    def ensure_network(self, spec: MachineSpec, *, on: bool) -> None:
        with self._calls.call("ensure_network", writes=True) as connection:
            found, address = machines.present(connection, spec.name), spec.public_address
            self._bank_bytes(connection, found)
            is_there = (found["subnet"], found["private_ip"]) == (spec.subnet.key, spec.private_ip)
            is_on = found["power"] == Power.RUNNING and (is_there or on)
            columns = {
                "subnet": spec.subnet.key, "private_ip": spec.private_ip, "public_ip": address.ip if address else None,
                "bandwidth_mbps": address.bandwidth_mbps if address else 0, "rules": json.dumps(spec.rules.plain()),
                "power": found["power"] if is_on else "stopped", "booted_at": found["booted_at"] if is_on else None,
                "flowing_since": machines.business_s() if address and is_on else None,
                "counted": found["counted"] or address is not None, "name": spec.name,
                "public_ipv6": machines.ipv6(address),
                "share": machines.share(connection, address),
            }  # fmt: skip
            try:
                connection.execute(_MOVE, columns)
            except sqlite3.IntegrityError as error:
                raise EngineError("An address of the machine is in use.", transient=False, detail=str(error)) from error
            if on and not (is_on and is_there):
                machines.boot(connection, spec.name, columns)

    def ensure_rules(self, rules: Mapping[str, MachineRules]) -> None:
        with self._calls.call("ensure_rules", writes=True) as connection:
            connection.executemany(
                "UPDATE machine SET rules = ? WHERE name = ?",
                [(json.dumps(told.plain()), name) for name, told in rules.items()],
            )

    def ensure_size(self, name: str, vcpu: int, memory_mib: int, *, on: bool) -> None:
        with self._calls.call("ensure_size", writes=True) as connection:
            found = machines.present(connection, name)
            if on and (found["power"] != Power.RUNNING or turns_off_for("simulated", found["memory_mib"], memory_mib)):
                self._bank_bytes(connection, found)
                machines.boot(connection, name, found)
            connection.execute("UPDATE machine SET vcpu = ?, memory_mib = ? WHERE name = ?", (vcpu, memory_mib, name))

    def ensure_disk_size(self, name: str, disk: str, size_gib: int, *, is_system: bool, on: bool) -> None:
        with self._calls.call("ensure_disk_size", writes=True) as connection:
            found = machines.present(connection, name)
            connection.execute(
                "INSERT INTO grown (machine, disk, size_gib) VALUES (?, ?, ?)"
                " ON CONFLICT (machine, disk) DO UPDATE SET size_gib = max(size_gib, excluded.size_gib)",
                (name, disk, size_gib),
            )
            if on and found["power"] != Power.RUNNING:
                machines.boot(connection, name, found)

    def console(self, name: str, columns: int, rows: int) -> AbstractContextManager[ConsoleLine]:
        def look() -> dict[str, Any] | None:
            return console.machine(self._file.connection(), name)

        with self._calls.call("console") as connection:
            machines.refuse_offline(connection, (look() or {}).get("member", ""))
        return console.attached(look, name, columns, rows)

    # -- disks of their own life ---------------------------------------------------------------

    def ensure_volume(self, name: str, size_gib: int, member: str) -> None:
        with self._calls.call("ensure_volume", writes=True) as connection:
            if member not in self._members:
                raise EngineError("The host does not exist.", transient=False, detail=member)
            machines.refuse_offline(connection, member)
            volumes.put(connection, name, size_gib, member)

    def ensure_kept(self, machine: str, name: str, size_gib: int) -> bool:
        with self._calls.call("ensure_kept", writes=True) as connection:
            found = machines.row(connection, machine)
            if found is not None:
                machines.refuse_offline(connection, found["member"])
                volumes.make(connection, name, size_gib, found["member"])
            return volumes.found(connection, name) is not None

    def ensure_volume_absent(self, name: str) -> None:
        with self._calls.call("ensure_volume_absent", writes=True) as connection:
            found = volumes.found(connection, name)
            if found is None:
                return
            machines.refuse_offline(connection, found.member)
            if found.machine:
                raise EngineError("A machine has the disk.", transient=True, detail=found.machine)
            volumes.remove(connection, name)

    def ensure_attached(self, machine: str, volume: str) -> None:
        with self._calls.call("ensure_attached", writes=True) as connection:
            host, found = machines.present(connection, machine)["member"], volumes.found(connection, volume)
            if found is None or found.member != host:
                raise EngineError("The disk is not on the machine's host.", transient=False, detail=volume)
            if found.machine not in ("", machine):
                raise EngineError("Another machine has the disk.", transient=False, detail=found.machine)
            connection.execute("UPDATE volume SET machine = ? WHERE name = ?", (machine, volume))

    def ensure_detached(self, machine: str, volume: str) -> None:
        with self._calls.call("ensure_detached", writes=True) as connection:
            found = machines.row(connection, machine)
            if found is not None:
                machines.refuse_offline(connection, found["member"])
            connection.execute("UPDATE volume SET machine = '' WHERE name = ? AND machine = ?", (volume, machine))

    def list_volumes(self) -> Sequence[Volume]:
        with self._calls.call("list_volumes") as connection:
            return volumes.listed(connection)

    # -- customers' images ---------------------------------------------------------------------

    def ensure_image_of(self, name: str, snapshot: str, user: str) -> OwnImage:
        with self._calls.call("ensure_image_of", writes=True) as connection:
            if own_images.found(connection, name) is None:
                machines.refuse_offline(connection, snapshots.whole(connection, snapshot)["member"])
            return own_images.made(connection, name, snapshot)

    def ensure_image_imported(self, name: str, system: Foreign, user: str, member: str) -> OwnImage:
        with self._calls.call("ensure_image_imported", writes=True) as connection:
            image = own_images.found(connection, name)
            if image is None:
                machines.refuse_offline(connection, member)
                image = own_images.imported(connection, name, system, member)
            return image

    def ensure_image_absent(self, name: str) -> None:
        with self._calls.call("ensure_image_absent", writes=True) as connection:
            found = own_images.found(connection, name)
            if found is not None:
                machines.refuse_offline(connection, found.member)
                own_images.remove(connection, name)

    def list_images(self) -> Sequence[OwnImage]:
        with self._calls.call("list_images") as connection:
            return own_images.listed(connection)

    # -- snapshots -----------------------------------------------------------------------------

    def ensure_snapshot(self, name: str, disk: HeldDisk) -> None:
        with self._calls.call("ensure_snapshot", writes=True) as connection:
            if snapshots.found(connection, name) is not None:
                return
            holder = machines.row(connection, disk.machine) if disk.machine else volumes.found(connection, disk.name)
            if holder is None:
                raise EngineError("The disk is not there.", transient=False, detail=disk.name)
            machines.refuse_offline(connection, disk.member)
            snapshots.make(connection, name, disk)

    def ensure_snapshot_absent(self, name: str) -> None:
        with self._calls.call("ensure_snapshot_absent", writes=True) as connection:
            found = snapshots.found(connection, name)
            if found is not None:
                machines.refuse_offline(connection, found["member"])
                snapshots.remove(connection, name)

    def ensure_restored(self, spec: MachineSpec, snapshot: str) -> None:
        with self._calls.call("ensure_restored", writes=True) as connection:
            if snapshots.restoration(connection, spec.system_disk.key) >= spec.restoration:
                return
            copy, found = snapshots.whole(connection, snapshot), machines.row(connection, spec.name)
            machines.refuse_offline(connection, spec.member)
            if found is not None and found["power"] == Power.RUNNING:
                raise EngineError("The machine is running.", transient=False, detail=spec.name)
            self._deliver_one(connection, spec, set())
            connection.execute(
                "UPDATE machine SET image = ?, power = 'stopped', booted_at = NULL, flowing_since = NULL"
                " WHERE name = ?",
                (copy["image"], spec.name),
            )
            volumes.take_all_off(connection, spec.name)
            snapshots.restore(connection, spec.system_disk.key, copy, spec.restoration)

    def ensure_volume_restored(self, disk: HeldDisk, snapshot: str, restoration: int) -> None:
        with self._calls.call("ensure_volume_restored", writes=True) as connection:
            if snapshots.restoration(connection, disk.name) >= restoration:
                return
            copy = snapshots.whole(connection, snapshot)
            machines.refuse_offline(connection, disk.member)
            self._refuse_used(connection, disk)
            if not disk.machine:
                volumes.make(connection, disk.name, disk.size_gib, disk.member)
            snapshots.restore(connection, disk.name, copy, restoration)

    def list_snapshots(self) -> Sequence[Snapshot]:
        with self._calls.call("list_snapshots") as connection:
            return snapshots.listed(connection)

    def _refuse_used(self, connection: sqlite3.Connection, disk: HeldDisk) -> None:
        found = machines.row(connection, disk.machine) if disk.machine else None
        volume = volumes.found(connection, disk.name)
        if (found is not None and found["power"] == Power.RUNNING) or (volume is not None and volume.machine):
            raise EngineError("A machine has the disk.", transient=False, detail=disk.name)

    # -- the rescue mode -----------------------------------------------------------------------

    def ensure_rescue(self, spec: MachineSpec, *, force: bool = False) -> Observation:
        with self._calls.call("ensure_rescue", writes=True) as connection:
            found = machines.row(connection, spec.name)
            if found is None:
                raise EngineError("The machine is not found on its host.", transient=True, detail=spec.name)
            machines.refuse_offline(connection, found["member"])
            if found["rescue"] < spec.rescue:
                if self._lacks(connection, spec.image):
                    raise ImageNotReady(spec.image.name)
                self._bank_bytes(connection, found)
                rescue.begin(connection, found, spec)
                volumes.take_all_off(connection, spec.name)
                machines.boot(connection, spec.name, found)
            elif found["rescue"] == spec.rescue and found["power"] != Power.RUNNING:
                machines.boot(connection, spec.name, found)
            return machines.observed(connection, spec.name)

    def ensure_own_system(self, spec: MachineSpec, *, on: bool) -> Observation:
        with self._calls.call("ensure_own_system", writes=True) as connection:
            found = machines.row(connection, spec.name)
            if found is None:
                return Observation(spec.name, Power.ABSENT)
            machines.refuse_offline(connection, found["member"])
            if found["rescue"] > spec.rescue:
                return machines.observed(connection, spec.name)
            if found["own_system"] or not on:
                self._bank_bytes(connection, found)
                machines.turn_off(connection, spec.name)
                found |= {"power": Power.STOPPED}
            if found["own_system"]:
                volumes.take_all_off(connection, spec.name)
            if found["rescue"] < spec.rescue:
                rescue.end(connection, found, spec)
            if on and found["power"] != Power.RUNNING:
                machines.boot(connection, spec.name, found)
            return machines.observed(connection, spec.name)

    # -- inside a machine ----------------------------------------------------------------------

    def ensure_password(self, name: str, user: str, password_hash: str) -> None:
        """Its only user is the one of its image."""
        with self._calls.call("ensure_password", writes=True) as connection:
            self._of_user(connection, name, user)
            connection.execute(
                "UPDATE machine SET password_hash = ?, ssh_passwords = 1 WHERE name = ?", (password_hash, name)
            )

    def ensure_ssh_keys(
        self, name: str, user: str, keys: Sequence[str], forgotten: Sequence[str], *, passwords: bool | None
    ) -> None:
        with self._calls.call("ensure_ssh_keys", writes=True) as connection:
            found = self._of_user(connection, name, user)
            kept = [key for key in json.loads(found["ssh_keys"]) if key not in forgotten]
            left = kept + [key for key in keys if key not in kept]
            takes = found["ssh_passwords"] if passwords is None else passwords
            connection.execute(
                "UPDATE machine SET ssh_keys = ?, ssh_passwords = ? WHERE name = ?", (json.dumps(left), takes, name)
            )

    def ensure_hostname(self, name: str, hostname: str) -> None:
        with self._calls.call("ensure_hostname", writes=True) as connection:
            machines.present(connection, name)
            connection.execute("UPDATE machine SET hostname = ? WHERE name = ?", (hostname, name))

    def ensure_spot_notice(self, name: str, at: dt.datetime) -> None:
        with self._calls.call("ensure_spot_notice", writes=True) as connection:
            found = machines.row(connection, name)
            if found is None:
                return
            machines.refuse_offline(connection, found["member"])
            if found["power"] == Power.RUNNING:
                connection.execute(
                    "INSERT OR REPLACE INTO notice (machine, says) VALUES (?, ?)", (name, spot_notice(at))
                )

    def _of_user(self, connection: sqlite3.Connection, name: str, user: str) -> dict[str, Any]:
        """The machine, whose system can be reached and has this user."""
        found = machines.present(connection, name)
        if found["login_user"] != user:
            raise UnknownUser(detail=user)
        return found

    def observe(self, name: str) -> Observation:
        with self._calls.call("observe") as connection:
            return machines.observed(connection, name)

    def list_ours(self) -> Sequence[Observation]:
        with self._calls.call("list_ours") as connection:
            return machines.all_observed(connection)

    def counters(self, names: Iterable[str]) -> dict[str, ByteCount]:
        wanted = json.dumps(list(names))
        with self._calls.call("counters") as connection:
            rows = connection.execute(
                "SELECT name, sent_bytes, flowing_since FROM machine "
                "WHERE counted AND name IN (SELECT value FROM json_each(?))",
                (wanted,),
            ).fetchall()
        now_s = machines.business_s()
        return {name: ByteCount(name, sent + self._flowed(since, now_s), "1") for name, sent, since in rows}

    def usage(self) -> Sequence[Usage]:
        with self._calls.call("usage") as connection:
            return usage.of_all(connection, self._bytes_per_s)

    # -- parts ---------------------------------------------------------------------------------

    def _deliver(self, specs: Sequence[MachineSpec]) -> list[Observation | EngineError]:
        self._calls.sleep("ensure_present")
        outcomes: list[Observation | EngineError | None] = [None] * len(specs)
        losing: dict[int, EngineError] = {}
        for place in range(len(specs)):
            try:
                lost = self._calls.fault("ensure_present")
            except EngineError as error:
                outcomes[place] = error
            else:
                if lost is not None:
                    losing[place] = lost
        with self._file.writing() as connection:
            down = machines.down(connection)
            for place, spec in enumerate(specs):
                if outcomes[place] is None:
                    outcomes[place] = self._deliver_one(connection, spec, down)
        return [losing.get(place) or outcome for place, outcome in enumerate(outcomes)]  # type: ignore[misc]

    def _deliver_one(
        self, connection: sqlite3.Connection, spec: MachineSpec, down: set[str]
    ) -> Observation | EngineError:
        if spec.member not in self._members:
            return EngineError("The host does not exist.", transient=False, detail=spec.member)
        if spec.member in down:
            return EngineError("The host does not answer.", transient=True, detail=spec.member)
        if self._lacks(connection, spec.image):
            return ImageNotReady(spec.image.own or spec.image.name)
        booted_at = machines.wall_s()
        try:
            made = machines.add(connection, spec, booted_at, flows=bool(self._bytes_per_s))
        except sqlite3.IntegrityError as error:
            return EngineError("An address of the machine is in use.", transient=False, detail=str(error))
        if made:
            if spec.image.own:
                own_images.put_on(connection, spec)
            return machines.as_added(spec, booted_at, down)
        found = machines.row(connection, spec.name)
        if found is not None and found["power"] != Power.RUNNING:
            machines.boot(connection, spec.name, found)
        return machines.observed(connection, spec.name)

    def _lacks(self, connection: sqlite3.Connection, image: ImageSpec) -> bool:
        if image.own:
            return own_images.found(connection, image.own) is None
        if not self._image_ready_s and self._images is None:
            return False
        return self._image_state(connection, image, machines.wall_s()).status is not ImageStatus.READY

    def _image_state(self, connection: sqlite3.Connection, image: ImageSpec, now_s: float) -> ImageState:
        if self._images is not None and image.name not in self._images:
            return ImageState(ImageStatus.FAILED, why="This zone cannot make the image.")
        row = connection.execute(
            "SELECT asked_at FROM image WHERE name = ? AND version = ?", (image.name, image.version)
        ).fetchone()
        if row is None:
            return ImageState(ImageStatus.MISSING)
        share = 1.0 if self._image_ready_s <= 0 else (now_s - row[0]) / self._image_ready_s
        if share >= 1:
            return ImageState(ImageStatus.READY, 100, checksum=f"simulated-{image.name}-{image.version}")
        return ImageState(ImageStatus.PREPARING, int(share * 100))

    def _bank_bytes(self, connection: sqlite3.Connection, found: Mapping[str, Any]) -> None:
        """What flowed by itself until now is written down before the flow ends or changes."""
        flowed = self._flowed(found["flowing_since"], machines.business_s())
        if flowed:
            connection.execute("UPDATE machine SET sent_bytes = sent_bytes + ? WHERE name = ?", (flowed, found["name"]))

    def _flowed(self, since_s: float | None, now_s: float) -> int:
        return 0 if since_s is None else max(0, int((now_s - since_s) * self._bytes_per_s))
