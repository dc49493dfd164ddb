"""A shop of its own for a benchmark: a supervisor started on a temporary data directory, ended after it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class Shop:
    """``with Shop() as shop``: ``shop.ready`` is ready.json, ``shop.run(code)`` runs Python beside the database."""

    def __init__(self, *options: str, environment: dict[str, str] | None = None, compute: str = "simulated") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vmart-bench-"))
        self.folder.chmod(0o755)
        self.data_dir = self.folder / "data"
        self.options = (
            "--listen", "127.0.0.1:0", "--compute", compute, "--demo", *options,
        )  # fmt: skip
        self.environment = {**os.environ, **(environment or {})}
        self.ready: dict[str, Any] = {}
        self.started_s = 0.0

    def __enter__(self) -> "Shop":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        subprocess.run(
            [ROOT / "bin/vmart", "down", "--machines", "--data-dir", self.data_dir], check=False, capture_output=True
        )
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        begun = time.monotonic()
        (self.data_dir / "ready.json").unlink(missing_ok=True)
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [ROOT / "bin/vmart", "up", "--data-dir", self.data_dir, *self.options],
            stdout=log, stderr=log, env=self.environment,
        )  # fmt: skip
        ready = self.data_dir / "ready.json"
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() - begun > 300:
                sys.exit(f"the shop did not start:\n{(self.folder / 'log').read_text()[-3000:]}")
            time.sleep(0.02)
        self.started_s = time.monotonic() - begun
        self.ready = json.loads(ready.read_text())

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    @property
    def control(self) -> dict[str, Any]:
        """The supervisor's pid and the environment of its children."""
        from vmart.config.places import Places

        return dict(json.loads(Places.of(self.data_dir).control_file.read_text()))

    def connect(self) -> dict[str, str]:
        """Set this process up as one of the shop's own programs and return the environment it took."""
        environment = self.control["environment"]
        os.environ.update(environment)
        from vmart.config import bring_up, business_time

        bring_up.setup()
        business_time.install()
        return dict(environment)

    def cpu_s(self) -> dict[str, float]:
        """Processor seconds so far by part: this process ("client"), and each child of the supervisor with its own."""
        parents: dict[int, list[int]] = {}
        spent: dict[int, float] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
                # own time and that of children it has waited for: ended connections' server processes
                spent[int(entry.name)] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

        def tree(pid: int) -> float:
            return spent.get(pid, 0.0) + sum(tree(child) for child in parents.get(pid, []))

        parts = {name: tree(pid) for name, pid in self.control["children"].items()}
        return {"client": sum(os.times()[:2]), **parts}
