"""The hand from outside on a simulated engine: faults that are armed, members that are switched off, bytes sent.

Tests and demonstrations use it from any process.
"""

import json
from pathlib import Path

from vmart.engines.rules import OPEN, MachineRules, Packet, decide, of_plain
from vmart.engines.simulated import usage
from vmart.engines.simulated.file import FAILED, LOST, File


class World:
    """The hand from outside on a simulated engine, by its file; seen by every process that uses the engine."""

    def __init__(self, path: Path | str) -> None:
        self._file = File(Path(path))

    def fail(self, verb: str, nth: int = 1, *, times: int = 1, transient: bool = True, sentence: str = FAILED) -> None:
        """The ``nth`` call of ``verb`` from now (``*``: of any changing verb) fails having done nothing."""
        self._arm(verb, nth, times, lose_answer=False, transient=transient, sentence=sentence)

    def lose_answer(self, verb: str, nth: int = 1, *, times: int = 1) -> None:
        """The ``nth`` call of ``verb`` from now is done, and its caller told that there was no answer."""
        self._arm(verb, nth, times, lose_answer=True, transient=True, sentence=LOST)

    def _arm(self, verb: str, nth: int, times: int, *, lose_answer: bool, transient: bool, sentence: str) -> None:
        with self._file.writing() as connection:
            connection.execute(
                "INSERT INTO fault (verb, calls_left, times, lose_answer, transient, sentence) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (verb, nth, times, lose_answer, transient, sentence),
            )

    def armed_count(self) -> int:
        """Faults that have not fired yet: 0 tells a test that its n-th call took place."""
        return int(self._file.connection().execute("SELECT count(*) FROM fault").fetchone()[0])

    def clear_faults(self) -> None:
        with self._file.writing() as connection:
            connection.execute("DELETE FROM fault")

    def count_calls(self, on: bool = True) -> None:
        """Begin (from zero) or end counting calls by verb."""
        with self._file.writing() as connection:
            connection.execute("DELETE FROM call")
            connection.execute("DELETE FROM switch WHERE name = 'count'")
            if on:
                connection.execute("INSERT INTO switch (name, value) VALUES ('count', '1')")

    def calls(self) -> dict[str, int]:
        return dict(self._file.connection().execute("SELECT verb, calls FROM call"))

    def stop_engine(self) -> None:
        """Every verb is answered as by an engine that is not there, until ``start_engine``."""
        self._switch("stopped", "1")

    def start_engine(self) -> None:
        self._switch("stopped", None)

    def set_member_online(self, member: str, online: bool) -> None:
        with self._file.writing() as connection:
            connection.execute("DELETE FROM member_down WHERE member = ?", (member,))
            if not online:
                connection.execute("INSERT INTO member_down (member) VALUES (?)", (member,))

    def send_bytes(self, name: str, traffic_bytes: int) -> None:
        """Let a machine that runs and has a public address send bytes by it; ValueError for any other."""
        with self._file.writing() as connection:
            changed = connection.execute(
                "UPDATE machine SET sent_bytes = sent_bytes + ? "
                "WHERE name = ? AND public_ip IS NOT NULL AND power = 'running'",
                (traffic_bytes, name),
            ).rowcount
        if not changed:
            raise ValueError(f"{name} cannot send: absent, off, or without a public address")

    def use(
        self,
        name: str,
        *,
        cpu_percent: float = 0,
        memory_percent: float = 0,
        disk_percent: float = 0,
        **each_second: float,
    ) -> None:
        """What a running machine uses from now on in business time; ``each_second``: of ``usage.COUNTERS``."""
        unknown = set(each_second) - set(usage.COUNTERS)
        if unknown:
            raise ValueError(f"no machine uses {', '.join(sorted(unknown))}")
        rates = {"cpu": cpu_percent / 100, **each_second}
        with self._file.writing() as connection:
            usage.tell(connection, name, usage.Load(rates, memory_percent / 100, disk_percent / 100))

    def break_machine(self, name: str) -> None:
        """The machine is found broken, as after a fault of its host."""
        with self._file.writing() as connection:
            connection.execute("UPDATE machine SET power = 'broken', booted_at = NULL WHERE name = ?", (name,))

    def remove_machine(self, name: str) -> None:
        """The machine vanishes behind vmart's back."""
        with self._file.writing() as connection:
            connection.execute("DELETE FROM machine WHERE name = ?", (name,))
            connection.execute("UPDATE volume SET machine = '' WHERE machine = ?", (name,))

    def remove_volume(self, name: str) -> None:
        """A disk of its own life vanishes behind vmart's back."""
        with self._file.writing() as connection:
            connection.execute("DELETE FROM volume WHERE name = ?", (name,))

    def write(self, disk: str, held: str) -> None:
        """A guest writes this on a disk, in the place of what is on it."""
        with self._file.writing() as connection:
            connection.execute(
                "INSERT INTO content (disk, held) VALUES (?, ?) ON CONFLICT (disk) DO UPDATE SET held = excluded.held",
                (disk, held),
            )

    def lose_disk(self, disk: str) -> None:
        """What is on a disk that goes with its machine vanishes behind vmart's back, as with the storage under it."""
        with self._file.writing() as connection:
            connection.execute("DELETE FROM content WHERE disk = ?", (disk,))

    def read(self, disk: str) -> str:
        """What is on a disk; "" where nothing was written."""
        row = self._file.connection().execute("SELECT held FROM content WHERE disk = ?", (disk,)).fetchone()
        return "" if row is None else str(row[0])

    def snapshot(self, name: str) -> tuple[int, str, str] | None:
        """Size in GiB, member and content of a snapshot; None where there is none."""
        columns = "SELECT size_gib, member, held FROM snapshot WHERE name = ?"
        row = self._file.connection().execute(columns, (name,)).fetchone()
        return None if row is None else (int(row[0]), str(row[1]), str(row[2]))

    def remove_snapshot(self, name: str) -> None:
        """A snapshot vanishes behind vmart's back."""
        with self._file.writing() as connection:
            connection.execute("DELETE FROM snapshot WHERE name = ?", (name,))

    def volume(self, name: str) -> tuple[int, str, str] | None:
        """Size in GiB, member and machine of a disk of its own life; None where there is none."""
        found = (
            self._file.connection()
            .execute("SELECT size_gib, member, machine FROM volume WHERE name = ?", (name,))
            .fetchone()
        )
        return None if found is None else (int(found[0]), str(found[1]), str(found[2]))

    def password_hash(self, name: str) -> str:
        """What the machine's user has to be let in with; "" for none."""
        row = self._file.connection().execute("SELECT password_hash FROM machine WHERE name = ?", (name,)).fetchone()
        return str(row[0])

    def ssh_keys(self, name: str) -> list[str]:
        """By which public keys the machine's user is let in."""
        row = self._file.connection().execute("SELECT ssh_keys FROM machine WHERE name = ?", (name,)).fetchone()
        return list(json.loads(row[0]))

    def takes_passwords(self, name: str) -> bool:
        """Whether the machine's user is let in by SSH with its password."""
        row = self._file.connection().execute("SELECT ssh_passwords FROM machine WHERE name = ?", (name,)).fetchone()
        return bool(row[0])

    def system(self, name: str) -> tuple[str, str]:
        """The image on its system disk, and its host name."""
        row = self._file.connection().execute("SELECT image, hostname FROM machine WHERE name = ?", (name,)).fetchone()
        return str(row[0]), str(row[1])

    def rescue(self, name: str) -> int:
        """Which way into the rescue mode, or out of it, it came; odd is in it."""
        row = self._file.connection().execute("SELECT rescue FROM machine WHERE name = ?", (name,)).fetchone()
        return int(row[0])

    def own_images(self) -> dict[str, str]:
        """Customers' images, and what is on each."""
        rows = self._file.connection().execute("SELECT name, held FROM own_image")
        return {str(name): str(text) for name, text in rows}

    def remove_own_image(self, name: str) -> None:
        """A customer's image vanishes behind vmart's back."""
        with self._file.writing() as connection:
            connection.execute("DELETE FROM own_image WHERE name = ?", (name,))

    def spot_notice(self, name: str) -> str:
        """What its system was told of its end; "" for nothing."""
        row = self._file.connection().execute("SELECT says FROM notice WHERE machine = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def erased(self, name: str) -> int:
        """How often its system disk was erased."""
        row = self._file.connection().execute("SELECT erased FROM machine WHERE name = ?", (name,)).fetchone()
        return int(row[0])

    def cap_mbps(self, name: str) -> int:
        """What its public address lets out; 0 without one."""
        row = self._file.connection().execute("SELECT bandwidth_mbps FROM machine WHERE name = ?", (name,)).fetchone()
        return int(row[0])

    def shares(self, name: str) -> tuple[str, int] | None:
        """The cap that its public address shares with others', by its key, and how much it is; None for none."""
        row = (
            self._file.connection()
            .execute("SELECT s.name, s.mbps FROM machine m JOIN share s ON s.name = m.share WHERE m.name = ?", (name,))
            .fetchone()
        )
        return (str(row[0]), int(row[1])) if row else None

    def lets_in(self, name: str, packet: Packet) -> bool:
        """Whether a packet that opens a connection would reach the machine."""
        return decide(packet, self._rules(name).ingress)

    def lets_out(self, name: str, packet: Packet) -> bool:
        """Whether the machine could send it."""
        return decide(packet, self._rules(name).egress)

    def _rules(self, name: str) -> MachineRules:
        row = self._file.connection().execute("SELECT rules FROM machine WHERE name = ?", (name,)).fetchone()
        return of_plain(json.loads(row[0])) if row[0] else OPEN

    def forget_rules(self, name: str) -> None:
        """The machine's rules are lost behind vmart's back, as by a restored copy of it."""
        with self._file.writing() as connection:
            connection.execute("UPDATE machine SET rules = '' WHERE name = ?", (name,))

    def size(self, name: str) -> tuple[int, int]:
        """Its vCPU and its memory in MiB."""
        row = self._file.connection().execute("SELECT vcpu, memory_mib FROM machine WHERE name = ?", (name,)).fetchone()
        return int(row[0]), int(row[1])

    def grown_gib(self, name: str) -> dict[str, int]:
        """Its disks that were made larger, and their sizes."""
        rows = self._file.connection().execute("SELECT disk, size_gib FROM grown WHERE machine = ?", (name,))
        return {str(disk): int(size_gib) for disk, size_gib in rows}

    def boots(self, name: str) -> int:
        """How often it was turned on."""
        row = self._file.connection().execute("SELECT boots FROM machine WHERE name = ?", (name,)).fetchone()
        return int(row[0])

    def count_machines(self) -> int:
        return int(self._file.connection().execute("SELECT count(*) FROM machine").fetchone()[0])

    def _switch(self, name: str, value: str | None) -> None:
        with self._file.writing() as connection:
            connection.execute("DELETE FROM switch WHERE name = ?", (name,))
            if value is not None:
                connection.execute("INSERT INTO switch (name, value) VALUES (?, ?)", (name, value))
