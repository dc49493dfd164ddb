"""Where a deployment keeps its things, and the few facts that are fixed at its first start.

Imports nothing heavy: the supervisor stays small.
"""

import contextlib
import datetime as dt
import hashlib
import json
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from vmart.config import os_users
from vmart.kernel import clock

HOST_NOTES = Path("/run/vmart/host")
_SOCKET_ROOM = 90  # what a folder's path may have so that a socket below it stays within 107 characters


class Misused(Exception):
    """The command cannot do that; the text says why and what to do instead."""


def default_data_dir() -> Path:
    """``$VMART_DATA_DIR``, else ``/var/lib/vmart`` as root, else ``./var``."""
    chosen = os.environ.get("VMART_DATA_DIR")
    return Path(chosen or ("/var/lib/vmart" if os_users.is_root() else "var"))


@dataclass(frozen=True)
class Places:
    """Every path of one deployment, out of its data directory (made absolute, links resolved)."""

    data_dir: Path

    @classmethod
    def of(cls, data_dir: Path | None) -> "Places":
        return cls((data_dir or default_data_dir()).resolve())

    @property
    def run_dir(self) -> Path:
        """Sockets and other things of this boot; short, because a socket's path is."""
        digest = hashlib.sha256(str(self.data_dir).encode()).hexdigest()[:12]
        if os_users.is_root():
            return Path("/run/vmart") / digest
        near = self.data_dir / "run"
        if len(str(near)) <= _SOCKET_ROOM - 20:
            return near
        base = os.environ.get("XDG_RUNTIME_DIR")
        return Path(base) / f"vmart-{digest}" if base else Path(tempfile.gettempdir()) / f"vmart-{os.getuid()}-{digest}"

    @property
    def pgdata(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def database_socket_dir(self) -> Path:
        return self.run_dir / "db"

    @property
    def lock_file(self) -> Path:
        return self.data_dir / "lock"

    @property
    def ready_file(self) -> Path:
        return self.data_dir / "ready.json"

    @property
    def control_file(self) -> Path:
        """Written by a running supervisor for the other commands: its pid and its children's environment."""
        return self.run_dir / "control.json"

    @property
    def engine_state_file(self) -> Path:
        return self.run_dir / "engine.json"

    @property
    def secrets_dir(self) -> Path:
        return self.data_dir / "secrets"

    @property
    def tls_dir(self) -> Path:
        return self.data_dir / "tls"

    @property
    def engine_dir(self) -> Path:
        """The simulated engine's state; the worker writes it."""
        return self.data_dir / "engine"

    @property
    def log_dir(self) -> Path:
        return self.data_dir / "log"

    @property
    def image_dir(self) -> Path:
        """Built machine images, shared by all deployments of this machine."""
        return Path("/var/cache/vmart/images") if os_users.is_root() else self.data_dir / "images"

    def require_reach(self) -> None:
        """As root, refuse a data directory that the shop's users could not reach: UsersMissing. Makes nothing."""
        if not os_users.is_root():
            return
        there = next(folder for folder in self.data_dir.parents if folder.exists())
        for user in (os_users.DB, os_users.WEB, os_users.WORKER):
            os_users.require_reach(user, there, "the data directory")

    def make(self) -> None:
        """Create the folders with the owners they need; changes no folder that is not ours.

        Raises Misused, and what was created until then is gone again.
        """
        made: list[Path] = []
        try:
            self._make(made)
        except (OSError, Misused) as error:
            for folder in reversed(made):
                with contextlib.suppress(OSError):  # it did not come about, or somebody else has put something there
                    folder.rmdir()
            if isinstance(error, Misused):
                raise
            raise Misused(
                f"{error.filename or self.data_dir} cannot be made ({error.strerror or error}): "
                "choose another place with --data-dir"
            ) from error

    def _make(self, made: list[Path]) -> None:
        if os_users.is_root():
            Path("/run/vmart").mkdir(mode=0o755, exist_ok=True)
        _make_folder(self.data_dir, 0o755, made)
        if os_users.is_root() and stat.S_IMODE(self.data_dir.stat().st_mode) & 0o001 == 0:
            self.data_dir.chmod(stat.S_IMODE(self.data_dir.stat().st_mode) | 0o011)
        _make_folder(self.run_dir, 0o755 if os_users.is_root() else 0o700, made)
        self._refuse_foreign(self.run_dir)
        for folder, mode in (
            (self.secrets_dir, 0o700), (self.tls_dir, 0o755), (self.log_dir, 0o755), (self.engine_dir, 0o750),
        ):  # fmt: skip
            _make_folder(folder, mode, made)
        if os_users.is_root():
            # What the worker notes of the host: for all deployments on it, and until the host's next start.
            _make_folder(HOST_NOTES, 0o755, made)
            for folder in (self.engine_dir, HOST_NOTES):
                os.chown(folder, *os_users.uid_gid(os_users.WORKER))

    def forget_this_boot(self) -> None:
        """Remove what a run left in ``run_dir``; what machines that run on still need stays."""
        for file in (self.control_file, self.engine_state_file):
            file.unlink(missing_ok=True)
        shutil.rmtree(self.database_socket_dir, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.run_dir.rmdir()

    def _refuse_foreign(self, folder: Path) -> None:
        if folder.stat().st_uid != os.geteuid():
            raise Misused(f"{folder} belongs to another user")


def _make_folder(folder: Path, mode: int, made: list[Path]) -> None:
    """Create it with its missing parents; ``made`` grows by what is new, parents first."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    made.extend(reversed(missing))
    folder.mkdir(parents=True, exist_ok=True, mode=mode)


@contextlib.contextmanager
def usable(path: Path) -> Iterator[None]:
    """What the system refuses inside, about a file or folder of the deployment, as Misused."""
    try:
        yield
    except OSError as error:
        raise Misused(
            f"{error.filename or path} cannot be used ({error.strerror or error}): choose another place with --data-dir"
        ) from error


def write_private(path: Path, value: Any) -> None:
    """Write JSON to ``path`` with mode 0600, as a whole or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(value, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in ``path``, or None when there is none."""
    try:
        value: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return value


@dataclass(frozen=True)
class Deployment:
    """Facts fixed at the first start: a short id that marks what is ours on an engine, and the test clock."""

    id: str
    test_clock: str | None  # business time at first start, ISO 8601 UTC; None runs on the wall clock

    @classmethod
    def read(cls, places: Places) -> "Deployment | None":
        file = places.data_dir / "deployment.json"
        try:
            with usable(file):
                value = read_json(file)
            return None if value is None else cls(value["id"], value["test_clock"])
        except (ValueError, KeyError, TypeError) as error:
            raise Misused(f"{file} is damaged: put it back from a backup") from error

    @classmethod
    def found(cls, places: Places, test_clock: str | None) -> "Deployment":
        """Read it, or write it at the first start. Raises Misused when the clock differs from the first one."""
        wanted = None if test_clock is None else whole_second_utc(test_clock)
        existing = cls.read(places)
        if existing is not None:
            if test_clock is not None and existing.test_clock is None:
                raise Misused("this deployment runs on the wall clock since its first start; that cannot change")
            if wanted not in (None, existing.test_clock):
                raise Misused(f"the test clock here began at {existing.test_clock}; `vmart clock advance` moves it on")
            return existing  # a test clock has moved on since: where it stands is in the database
        fresh = cls(secrets.token_hex(5), wanted)
        file = places.data_dir / "deployment.json"
        with usable(file):
            write_private(file, {"id": fresh.id, "test_clock": fresh.test_clock})
        return fresh


def billing_zone() -> str:
    """``$VMART_BILLING_ZONE``, else Asia/Shanghai. Raises Misused for one in which hours are not charge hours."""
    name = os.environ.get("VMART_BILLING_ZONE", "Asia/Shanghai")
    try:
        zone = ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise Misused(f"VMART_BILLING_ZONE: there is no time zone {name!r} (Asia/Shanghai, Europe/Berlin)") from error
    if not clock.has_whole_hours(zone, clock.wall()):
        raise Misused(f"VMART_BILLING_ZONE: {name} is not whole hours from UTC, and charges are of whole UTC hours")
    return name


def whole_second_utc(text: str) -> str:
    """``2026-03-01T00:00:00+08:00`` to ISO 8601 in UTC, whole seconds; without offset it is UTC. Raises Misused."""
    try:
        instant = dt.datetime.fromisoformat(text)
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=dt.UTC)
        return instant.astimezone(dt.UTC).replace(microsecond=0).isoformat()
    except (ValueError, OverflowError) as error:
        raise Misused(f"--test-clock: {text!r} is no ISO 8601 time (2026-03-01T00:00:00+08:00)") from error
