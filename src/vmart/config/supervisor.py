"""``vmart up``: database, web, worker and a private engine under one roof, in the foreground.

Light on purpose: no Django, no psycopg. What needs them runs in children. SIGTERM ends the control
plane and leaves the machines running.
"""

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from vmart.config import engine_host, mail, os_users, own_certificate
from vmart.config.children import Child
from vmart.config.console_door import FDS, Door, listen_beside
from vmart.config.places import Deployment, Misused, Places, billing_zone, read_json, usable, write_private
from vmart.config.postgres import Embedded
from vmart.config.postgres import environment as postgres_environment

_START_LIMIT_S = 120.0
_LOOKED_AT_S = 0.5


class AlreadyRunning(Misused):
    """Another supervisor holds this data directory."""


class StartFailed(Exception):
    """A part did not come up; the text says which, and where its log is."""


@dataclass(frozen=True)
class UpOptions:
    """What ``vmart up`` was told. ``listen`` and ``listen_tls`` are (host, port); port 0 takes a free one."""

    listen: tuple[str, int] = ("127.0.0.1", 8000)
    listen_tls: tuple[str, int] | None = None
    database: str | None = None
    compute: str = "auto"
    demo: bool = False
    test_clock: str | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    incus_socket: Path | None = None
    smtp: str = ""
    mail_from: str = ""
    public_url: str = ""
    console_listen: tuple[str, int] | None = None
    console_listen_tls: tuple[str, int] | None = None
    console_url: str = ""


def parse_listen(text: str) -> tuple[str, int]:
    """``HOST:PORT``, ``[::1]:8000``; raises Misused."""
    host, separator, port = text.rpartition(":")
    host = host.strip("[]")
    if not separator or not host or not port.isdigit() or int(port) > 65535:
        raise Misused(f"{text!r} is not HOST:PORT (127.0.0.1:8000)")
    return host, int(port)


def show_address(address: tuple[str, int]) -> str:
    """``host:port`` as one types it into a client on this machine."""
    host, port = address
    if host in ("0.0.0.0", "::", "*"):  # noqa: S104  shown, not bound
        host = "127.0.0.1" if host != "::" else "::1"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def claim_port(address: tuple[str, int], option: str) -> tuple[str, int]:
    """The address with its real port; raises Misused when it cannot be listened on."""
    host, port = address
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return host, probe.getsockname()[1]
    except OSError as error:
        raise Misused(
            f"cannot listen on {host}:{port} ({error.strerror or error}): choose another with {option}"
        ) from error


@contextlib.contextmanager
def data_directory_lock(places: Places) -> Iterator[None]:
    """Hold the data directory alone; raises AlreadyRunning, naming the process that has it."""
    with usable(places.lock_file):
        descriptor = os.open(places.lock_file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _locked(descriptor):
            raise _already_running(places, os.pread(descriptor, 20, 0).decode().strip() or "unknown")
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
        os.truncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _already_running(places: Places, holder: int | str) -> AlreadyRunning:
    return AlreadyRunning(
        f"vmart already runs on {places.data_dir} (process {holder}): `vmart status` shows it, "
        f"`vmart down` ends it, --data-dir chooses another place"
    )


def _locked(descriptor: int) -> bool:
    """Whether it is ours now. Who only looks (``lock_holder``) has it for a moment, which is waited for."""
    deadline = time.monotonic() + _LOOKED_AT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def lock_holder(places: Places) -> int | None:
    """Process id of the supervisor that runs on this data directory, or None. Raises Misused where it may not look."""
    try:
        with usable(places.lock_file):
            descriptor = os.open(places.lock_file, os.O_RDONLY)
    except Misused as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            return None
        raise
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two who look do not see each other
    except BlockingIOError:
        return int(os.pread(descriptor, 20, 0).decode().strip() or 0) or None
    finally:
        os.close(descriptor)
    return None


@dataclass
class Supervisor:
    """One run of ``vmart up``; ``run()`` returns when it was told to end."""

    places: Places
    options: UpOptions
    children: list[Child] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    engine: dict[str, Any] = field(default_factory=dict)
    demo: dict[str, Any] = field(default_factory=dict)
    listen: tuple[str, int] = ("", 0)
    listen_tls: tuple[str, int] | None = None
    door: Door | None = None
    _demo_is_new: bool = False
    _first_operator: str = ""
    _sells: bool = True
    _stop: bool = False
    _opened: bool = False
    _began: float = field(default_factory=time.monotonic)
    _wakeup: int = -1
    _engine_seen: float = 0.0
    _engine_told: str = ""

    def run(self) -> None:
        """Start everything, say ``ready``, keep it running, end it. Raises Misused, StartFailed, DatabaseTrouble."""
        self._refuse_early()
        self.places.make()
        with data_directory_lock(self.places):
            for left in (self.places.ready_file, self.places.engine_state_file):  # by a supervisor that was killed
                left.unlink(missing_ok=True)
            self._listen_to_signals()
            deployment = Deployment.found(self.places, self.options.test_clock)
            try:
                try:
                    self._start(deployment)
                except OSError as error:
                    raise StartFailed(f"{error.filename or self.places.data_dir}: {error.strerror or error}") from error
                self._watch()
            finally:
                self._end()

    # -- starting ---------------------------------------------------------------------------------

    def _refuse_early(self) -> None:
        """Whatever can be refused before anything is made. Takes the addresses."""
        billing_zone()
        os_users.ensure_users()
        if holder := lock_holder(self.places):
            raise _already_running(self.places, holder)
        self.listen = claim_port(self.options.listen, "--listen")
        if self.options.listen_tls:
            self.listen_tls = claim_port(self.options.listen_tls, "--listen-tls")
        self.door = self._open_door()
        self.places.require_reach()

    def _open_door(self) -> Door:
        """Where consoles are reached: beside each of the shop's addresses."""
        taken = {address[1] for address in (self.listen, self.listen_tls) if address}
        door = Door(listen_beside(self.listen, self.options.console_listen, taken, "--console-listen"))
        if self.listen_tls:
            taken.add(door.plain.getsockname()[1])
            wanted = self.options.console_listen_tls
            door.tls = listen_beside(self.listen_tls, wanted, taken, "--console-listen-tls")
        return door

    def _start(self, deployment: Deployment) -> None:
        if self.options.tls_certificate is None:
            own_certificate.forget(self.places.tls_dir)
        probe = self._begin_engine_probe(deployment)
        try:
            self._make_environment(deployment)
            if self.options.database is None:
                self._start_database()
            self._settle_engine(probe)
        finally:
            probe.kill()  # it has ended, unless something failed beside it
            probe.communicate()
        self._bring_up()
        self._start_services()
        self._write_control()
        self._wait_until_serving()
        if not self._stop:
            self._say_ready()

    def _program(self, *words: str) -> list[str]:
        return [sys.executable, "-m", *words]

    def _begin_engine_probe(self, deployment: Deployment) -> "subprocess.Popen[bytes]":
        """Ask in a process of its own which engine this machine can have; it needs half a second."""
        words = ["vmart.config.engine_host", "probe", self.options.compute, "--data-dir", str(self.places.data_dir)]
        words += ["--deployment", deployment.id]
        if deployment.test_clock is not None:
            words.append("--test-clock")
        if self.options.incus_socket is not None:
            words += ["--socket", str(self.options.incus_socket)]
        return subprocess.Popen(self._program(*words), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)

    def _settle_engine(self, probe: "subprocess.Popen[bytes]") -> None:
        answer, _ = probe.communicate(timeout=60)
        if probe.returncode != 0:
            raise StartFailed("could not find out which engine this machine can have: see above")
        found = json.loads(answer)
        if found.get("refused"):
            raise Misused(found["refused"])
        self._use_engine(found)

    def _use_engine(self, choice: dict[str, Any]) -> None:
        self.engine = choice
        self.environment["VMART_COMPUTE"] = choice["compute"]
        self.environment[engine_host.SETTINGS_VARIABLE] = json.dumps(choice["settings"])

    def _make_environment(self, deployment: Deployment) -> None:
        embedded = Embedded(self.places.pgdata, self.places.database_socket_dir)
        self.environment = {
            **os.environ,
            "VMART_DATA_DIR": str(self.places.data_dir),
            "VMART_RUN_DIR": str(self.places.run_dir),
            "VMART_DATABASE_URL": self.options.database or embedded.url(),
            "VMART_DEPLOYMENT": deployment.id,
            "VMART_TEST_CLOCK": deployment.test_clock or "",
            "VMART_SANDBOX_CARDS": "1" if self.options.demo else os.environ.get("VMART_SANDBOX_CARDS", ""),
            mail.SMTP: self.options.smtp,
            mail.SENDER: self.options.mail_from,
            mail.SHOP: self.options.public_url,
            "VMART_CONSOLE_URL": self.options.console_url,
            **(self.door.ports() if self.door else {}),
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        }

    def _service_environment(self) -> dict[str, str]:
        """For web and worker: as root they may not read the secrets folder, so the key comes with them."""
        environment = os_users.environment_of_others(self.environment)
        if os_users.is_root() and "VMART_MASTER_KEY" not in environment:
            environment["VMART_MASTER_KEY"] = (self.places.secrets_dir / "master.key").read_text().strip()
        return environment

    def _start_database(self) -> None:
        embedded = Embedded(self.places.pgdata, self.places.database_socket_dir)
        child = Child(
            "postgres", embedded.command, postgres_environment(), self.places.pgdata,
            end_signal=signal.SIGINT, end_limit_s=60, before=embedded.prepare, log_dir=self._log_dir(),
        )  # fmt: skip
        embedded.prepare()
        child.start()
        self.children.append(child)
        embedded.wait_ready(_START_LIMIT_S, child.process)

    def _bring_up(self) -> None:
        """Migrate, install the SQL functions, apply the demo catalog to an empty shop, make the demo logins."""
        words = ["vmart.config.bring_up"]
        known = read_json(self.places.secrets_dir / "demo.json")
        if self.options.demo:
            words.append("--demo")
        if self.options.compute != "auto":
            words.append("--asked")
        done = subprocess.run(
            self._program(*words), env=self.environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode != 0:
            raise StartFailed("the database could not be brought up to date: see above")
        outcome = json.loads(done.stdout.splitlines()[-1])
        self.demo = outcome["logins"]
        self._demo_is_new = bool(self.demo) and self.demo != known
        self._first_operator, self._sells = outcome["first_operator"], outcome["sells"]
        if outcome["stays"]:
            self._use_engine(engine_host.nothing_found(outcome["stays"]))
        self._use_engine(self.engine | {"settings": self.engine["settings"] | outcome["auto_settings"]})
        self.environment["VMART_WORKER_GROUPS"] = ",".join(os_users.groups_for(outcome["sockets"]))
        if self.options.listen_tls and self.options.tls_certificate is None:
            host = self.options.listen_tls[0]
            made = subprocess.run(
                self._program("vmart.config.tls", str(self.places.tls_dir), host), env=self.environment, check=False
            )
            if made.returncode != 0:
                raise StartFailed("the certificate could not be made: see above")

    def _start_services(self) -> None:
        environment = self._service_environment()
        web = ["vmart.config.cli", "--data-dir", str(self.places.data_dir), "web", "--listen"]
        low_port = ("net_bind_service",) if self.listen[1] < 1024 else ()
        self._add("web", os_users.WEB, [*web, _raw(self.listen)], environment, ambient=low_port)
        if self.listen_tls is not None:
            certificate, key, _ca = self._tls_files()
            words = [*web, _raw(self.listen_tls), "--tls-certificate", str(certificate), "--tls-key", str(key)]
            low_port = ("net_bind_service",) if self.listen_tls[1] < 1024 else ()
            self._add("web-tls", os_users.WEB, words, environment, ambient=low_port, before=self._lay_out_certificate)
        worker = ["vmart.config.cli", "--data-dir", str(self.places.data_dir), "worker"]
        groups = tuple(filter(None, environment["VMART_WORKER_GROUPS"].split(",")))
        self._add("worker", os_users.WORKER, worker, environment, ambient=("net_admin",), groups=groups)
        self._make_gateway(environment, groups)
        if beside := engine_host.program_beside(self.engine["compute"]):
            words = ["vmart.config.engine_host", beside]
            child = Child(
                "engine", lambda: [*_dies_with_us(), *self._program(*words)], self.environment, Path("/"),
                end_limit_s=30, log_dir=self._log_dir(),
            )  # fmt: skip
            child.start()
            self.children.append(child)

    def _make_gateway(self, environment: dict[str, str], groups: tuple[str, ...]) -> None:
        """Nothing is started: the door does when somebody comes. It may reach engines, and read the shop's own key."""
        assert self.door is not None
        words = ["vmart.config.cli", "--data-dir", str(self.places.data_dir), "console"]
        if self.door.tls:
            certificate, key, _ca = self._tls_files()
            words += ["--tls-certificate", str(certificate), "--tls-key", str(key)]
            groups = (*groups, os_users.WEB) if os_users.is_root() else groups
        prefix = os_users.as_user(os_users.WORKER, death_signal="TERM", groups=groups)
        self.door.child = Child(
            "console", lambda: [*prefix, *self._program(*words)], environment | {FDS: self.door.descriptors()},
            Path("/") if os_users.is_root() else self.places.data_dir,
            passes=tuple(held.fileno() for held in self.door.sockets), log_dir=self._log_dir(),
        )  # fmt: skip

    def _tls_files(self) -> tuple[Path, Path, Path | None]:
        """What the TLS twin serves with, and the deployment's CA where that vouches for it."""
        folder = self.places.tls_dir
        if self.options.tls_certificate is not None:
            return folder / own_certificate.CERTIFICATE, folder / own_certificate.KEY, None
        return folder / "server.pem", folder / "server.key", folder / "ca.pem"

    def _lay_out_certificate(self) -> None:
        """Before each start of the TLS twin: a certificate that was renewed meanwhile is served from then on."""
        if self.options.tls_certificate is not None and self.options.tls_key is not None:
            own_certificate.lay_out(self.options.tls_certificate, self.options.tls_key, self.places.tls_dir)

    def _add(
        self, name: str, user: str, words: list[str], environment: dict[str, str], *,
        ambient: tuple[str, ...] = (), groups: tuple[str, ...] = (), before: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        prefix = os_users.as_user(user, death_signal="TERM", ambient=ambient, groups=groups)
        cwd = Path("/") if os_users.is_root() else self.places.data_dir
        child = Child(
            name, lambda: [*prefix, *self._program(*words)], environment, cwd, announces=True, before=before,
            log_dir=self._log_dir(),
        )  # fmt: skip
        child.start()
        self.children.append(child)

    def _log_dir(self) -> Path | None:
        """On a terminal the children's logs go to files, so that the person sees what matters."""
        return self.places.log_dir if os.isatty(2) else None

    def _wait_until_serving(self) -> None:
        deadline = time.monotonic() + _START_LIMIT_S
        waited_for = [child for child in self.children if child.announces]
        while not self._stop and not all(child.check_ready() for child in waited_for):
            self._wait(0.02)
            for child in self.children:
                code = (
                    child.ended() if child.name != "engine" else None
                )  # the shop opens without, and it is tried again
                if code is not None:
                    where = f": see {self.places.log_dir}/{child.name}.log" if self._log_dir() else ": see above"
                    raise StartFailed(f"{child.name} ended at its start with code {code}{where}")
            if time.monotonic() > deadline:
                late = ", ".join(child.name for child in waited_for if not child.ready)
                raise StartFailed(f"{late}: not ready within {_START_LIMIT_S:.0f} s")

    # -- running ----------------------------------------------------------------------------------

    def _ready_value(self) -> dict[str, Any]:
        value: dict[str, Any] = {
            "url": f"http://{show_address(self.listen)}",
            "api_endpoint": show_address(self.listen),
            "tls_endpoint": show_address(self.listen_tls) if self.listen_tls else None,
            "ca_file": None,
            "console": self.options.console_url or f"ws://{show_address(self._console_address())}",
            "engine": self.engine["engine"],
            "instance_kind": self.engine["instance_kind"],
        }
        if self.listen_tls:
            ca = self._tls_files()[2]
            value["ca_file"] = str(ca) if ca else None
        return value | self.demo

    def _console_address(self) -> tuple[str, int]:
        assert self.door is not None
        host, port = self.door.plain.getsockname()[:2]
        return host, port

    def _say_ready(self) -> None:
        value = self._ready_value()
        write_private(self.places.ready_file, value)
        self._opened = True
        took_s = time.monotonic() - self._began
        lines = [f"ready {value['url']} (after {took_s:.1f} s)"]
        if self._demo_is_new:  # passwords are said once (decision 20)
            operator, customer = self.demo["operator"], self.demo["customer"]
            lines += [
                f"  demo customer  {customer['email']}  password {customer['password']}",
                f"  demo seller    {operator['email']}  password {operator['password']}",
            ]
        elif self.demo:
            lines.append(f"  demo logins    as at the first start: {self.places.ready_file} has them")
        if self.demo:
            lines.append(f"  API            {value['api_endpoint']}, keys in {self.places.ready_file}")
        if self.engine["why"]:
            lines.append(f"  engine         {self.engine['engine']}: {self.engine['why']}")
        lines += self._still_closed(value["url"])
        _tell("\n".join(lines))

    def _still_closed(self, url: str) -> list[str]:
        """What lets buyers in, where something of it is missing: an operator and a catalog."""
        lines = []
        if self._first_operator:
            here = self.options.public_url.rstrip("/") or url
            lines.append(f"  first operator {here}{self._first_operator} (once, within 24 hours)")
        if not self._sells:
            lines.append("  catalog        none yet: `vmart catalog apply FILE`")
        return [*lines, "  closed         buyers are let in once there are an operator and a catalog"] if lines else []

    def _write_control(self) -> None:
        known = {name: text for name, text in self.environment.items() if name.startswith("VMART_")}
        gateway = [self.door.child] if self.door and self.door.child else []
        pids = {child.name: child.process.pid for child in [*self.children, *gateway] if child.process}
        write_private(self.places.control_file, {"pid": os.getpid(), "environment": known, "children": pids})

    def _watch(self) -> None:
        while not self._stop:
            changed = False
            for child in self.children:
                code = child.ended()
                if code == engine_host.NOT_INSTALLED and child.name == "engine" and self._fall_back():
                    self.children = [other for other in self.children if other is not child]
                    changed = True
                    break
                if code is not None:
                    self._warn(f"{child.name} ended with code {code}, starts again")
                if child.process is None and time.monotonic() >= child.next_start:
                    try:
                        child.start()
                        changed = True
                    except Exception as error:  # noqa: BLE001  whatever it is, the others run on and it is tried again
                        self._warn(f"{child.name} does not start: {error}")
                        child.next_start = time.monotonic() + 5
            if changed:
                self._write_control()
            if self.door is not None and self.door.see_to(self._warn):
                self._write_control()
            self._look_at_engine()
            self._wait(self._until_next_start())

    def _fall_back(self) -> bool:
        """The engine found here cannot be installed: its zones are simulated until the next start; False where not."""
        if self.options.compute != "auto":
            return False
        words = self._program("vmart.config.bring_up", "--fall-back")
        if subprocess.run(words, env=self.environment, stdin=subprocess.DEVNULL, check=False).returncode != 0:
            return False
        state = read_json(self.places.engine_state_file) or {}
        self.places.engine_state_file.unlink(missing_ok=True)
        self._use_engine(engine_host.not_installed(state.get("why", "")))
        write_private(self.places.ready_file, self._ready_value())
        _tell(f"  engine         {self.engine['engine']}: {self.engine['why']}")
        return True

    def _until_next_start(self) -> float:
        waiting = [child.next_start - time.monotonic() for child in self.children if child.process is None]
        return max(0.01, min([1.0, *waiting]))

    def _look_at_engine(self) -> None:
        """The engine comes up after the shop: what it turned out to be goes into ready.json."""
        try:
            changed = self.places.engine_state_file.stat().st_mtime
        except FileNotFoundError:
            return
        if changed == self._engine_seen or not self._opened:
            return
        self._engine_seen = changed
        state = read_json(self.places.engine_state_file) or {}
        if self._log_dir() and (told := state.get("why") or state.get("state", "")) != self._engine_told:
            self._engine_told = told
            _tell(f"  engine         {told}")
        kind = state.get("instance_kind")
        if kind and kind != self.engine["instance_kind"]:
            self.engine["instance_kind"] = kind
            write_private(self.places.ready_file, self._ready_value())

    def _listen_to_signals(self) -> None:
        self._wakeup, write_end = os.pipe()
        for end in (self._wakeup, write_end):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._told_to_end)

    def _told_to_end(self, _number: int, _frame: object) -> None:
        self._stop = True

    def _wait(self, seconds: float) -> None:
        """Sleep until a signal (a child's end among them) or the time is up."""
        waiting = select.poll()  # select() refuses a descriptor of 1024 or more
        waiting.register(self._wakeup, select.POLLIN)
        if self.door is not None:
            self.door.watch(waiting)
        if waiting.poll(seconds * 1000):
            with contextlib.suppress(BlockingIOError):
                os.read(self._wakeup, 4096)

    def _warn(self, text: str) -> None:
        _tell(f"vmart: {text}", sys.stderr)

    # -- ending -----------------------------------------------------------------------------------

    def _end(self) -> None:
        """Web and worker first, then the engine's daemon, the database last. Machines run on."""
        self.places.ready_file.unlink(missing_ok=True)
        order = [["web", "web-tls", "worker", "console"], ["engine"], ["postgres"]]
        gateway = [self.door.child] if self.door and self.door.child else []
        for names in order:
            group = [child for child in [*self.children, *gateway] if child.name in names]
            for child in group:
                child.ask_to_end()
            for child in group:
                if not child.wait_ended():
                    self._warn(f"{child.name} did not end within {child.end_limit_s:.0f} s and was killed")
        self.places.forget_this_boot()
        if self._opened and engine_host.program_beside(self.engine["compute"]):
            _tell("the shop has ended; machines that were sold run on (`vmart down --machines` ends those too)")


def _tell(text: str, stream: TextIO | None = None) -> None:
    """Print; whoever read us may be gone (a closed terminal), and that must not keep us from ending in order."""
    with contextlib.suppress(OSError):
        print(text, file=stream or sys.stdout, flush=True)


def _raw(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _dies_with_us() -> list[str]:
    return ["setpriv", "--pdeathsig", "TERM"]
