"""A whole shop as its own processes: ``vmart up`` in a throw-away data directory on a free port."""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import claims
from vmart.config import os_users

ROOT = Path(__file__).resolve().parents[2]
VMART = str(ROOT / "bin" / "vmart")  # it knows where web and worker can read the source: a clone may be private
SHOPS = "vmart-shop-"  # what the names of their folders begin with
_DEFAULTS = ("--listen", "127.0.0.1:0", "--compute", "simulated")
_NOT_INHERITED = ("VMART_DATABASE_URL", "VMART_MASTER_KEY", "VMART_DATA_DIR", "VMART_STATIC_AS_IS", "VMART_TEST_RUN")


@dataclass
class RunningShop:
    """``ready`` is ready.json; ``vmart(…)`` runs a command against it; ``stop()`` ends it with its machines."""

    data_dir: Path
    process: "subprocess.Popen[bytes]"
    ready: dict[str, Any] = field(default_factory=dict)
    options: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return str(self.ready["url"])

    @property
    def log(self) -> str:
        """What supervisor and children have said so far."""
        return (self.data_dir / "up.log").read_text(errors="replace")

    def environment(self) -> dict[str, str]:
        """For commands that act on this shop."""
        return _clean_environment() | {"VMART_DATA_DIR": str(self.data_dir)}

    def vmart(self, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """``vmart WORDS`` on this shop's data directory."""
        done = subprocess.run(
            [VMART, *words], env=self.environment(), capture_output=True, text=True, check=False, timeout=120
        )
        if check and done.returncode != 0:
            raise AssertionError(f"vmart {' '.join(words)} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def control(self) -> dict[str, Any]:
        """The supervisor's note to the other commands: pid, environment, children by name."""
        from vmart.config.places import Places

        value: dict[str, Any] = json.loads(Places.of(self.data_dir).control_file.read_text())
        return value

    @property
    def database_url(self) -> str:
        return str(self.control()["environment"]["VMART_DATABASE_URL"])

    def child_pid(self, name: str) -> int:
        """Process id of ``postgres``, ``web``, ``web-tls``, ``worker`` or ``engine``, as it runs now."""
        return int(self.control()["children"][name])

    def kill(self, name: str) -> None:
        """kill -9 of one child; the supervisor starts it again."""
        os.kill(self.child_pid(name), signal.SIGKILL)

    def wait_ready(self, limit_s: float = 90) -> None:
        """Wait for ready.json; AssertionError with the log when the supervisor ends or time is up."""
        deadline = time.monotonic() + limit_s
        file = self.data_dir / "ready.json"
        while not file.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the shop did not open: {self.log}")
            time.sleep(0.02)
        self.ready = json.loads(file.read_text())

    def end(self, limit_s: float = 60) -> int:
        """SIGTERM, as an operator would; the supervisor's exit code."""
        self.process.terminate()
        return self.process.wait(limit_s)

    def start_again(self, *options: str) -> None:
        """A second ``vmart up`` on the same data directory."""
        self.process = _start(self.data_dir, options or self.options)
        self.wait_ready()

    def remove(self) -> None:
        """End it whole, and remove its folder. Also after a failure."""
        self.end_whole()
        claims.give_back(self.data_dir)

    def end_whole(self) -> None:
        """End it if it runs, with its machines and engine."""
        if self.process.poll() is None:
            try:
                self.end()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        end_machines_of(self.data_dir)


def new_data_dir() -> Path:
    """For ``RunningShop``, which gives it back."""
    data_dir = claims.take(SHOPS)
    if os_users.is_root():
        data_dir.chmod(0o711)
    return data_dir


def end_machines_of(data_dir: Path) -> None:
    """``vmart down --machines`` where no supervisor runs any more, and the runtime folder beside it."""
    from vmart.config.places import Places

    environment = _clean_environment() | {"VMART_DATA_DIR": str(data_dir)}
    subprocess.run([VMART, "down", "--machines"], env=environment, capture_output=True, check=False, timeout=120)
    shutil.rmtree(Places.of(data_dir).run_dir, ignore_errors=True)


def _clean_environment() -> dict[str, str]:
    environment = {name: text for name, text in os.environ.items() if name not in _NOT_INHERITED}
    return environment | {"VMART_ENV": sys.prefix}


@functools.cache
def _set_up() -> None:
    """What pages need beside the source (hashed static files, catalogues): nothing to do after bin/test."""
    environment = os.environ | {"VMART_ENV": sys.prefix, "VMART_NO_ENGINE": "1"}
    done = subprocess.run(
        [str(ROOT / "bin" / "setup"), "--dev"], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise AssertionError(f"bin/setup failed: {done.stderr}")


def _start(data_dir: Path, options: tuple[str, ...]) -> "subprocess.Popen[bytes]":
    with (data_dir / "up.log").open("ab") as log:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", VMART, "--data-dir", str(data_dir), "up", *options],
            env=_clean_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip


def open_shop(*options: str, environment: dict[str, str] | None = None, demo: bool = True) -> RunningShop:
    """Start a shop and wait until it serves. ``options`` come after the defaults and override them.

    ``environment`` variables are added to this process's for the start (``VMART_WEB_WORKERS``).
    """
    _set_up()
    data_dir = new_data_dir()
    chosen = (*_DEFAULTS, *(("--demo",) if demo else ()), *options)
    added = environment or {}
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        shop = RunningShop(data_dir, _start(data_dir, chosen), options=chosen)
    finally:
        for name, text in before.items():
            if text is None:
                os.environ.pop(name)
            else:
                os.environ[name] = text
    try:
        shop.wait_ready()
    except BaseException:
        shop.remove()
        raise
    return shop
