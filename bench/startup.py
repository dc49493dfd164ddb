"""From a fresh clone to a serving shop, the second start, and what it holds in memory when nothing happens.

Each run (``--runs``, of each of two kinds) clones this repository into a folder of its own, installs everything
there (package caches warm, then without any), opens the demo shop on the simulated engine, ends it, starts
it again. The engine's packages and image are not part of it.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from vmart.config.status import memory_mib

ROOT = Path(__file__).resolve().parents[1]
_IDLE_S = 10
_COUNTED = ("postgres", "web", "worker")


class Trial:
    """One fresh clone with programs and data of its own."""

    def __init__(self, *, caches: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vmart-startup-"))
        self.folder.chmod(0o755)
        self.data_dir = self.folder / "data"
        self.environment = {
            name: text for name, text in os.environ.items() if not name.startswith("VMART_") and name != "PYTHONPATH"
        }
        self.environment |= {"VMART_PROGRAMS": str(self.folder / "programs"), "VMART_NO_ENGINE": "1"}
        if not caches:
            self.environment |= {"PIP_NO_CACHE_DIR": "1", "npm_config_cache": str(self.folder / "npm-cache")}
        subprocess.run(["git", "clone", "-q", str(ROOT), str(self.folder / "clone")], check=True)

    def start(self, command: str, *words: str) -> "tuple[float, subprocess.Popen[bytes]]":
        """Seconds until ready.json is there, and the supervisor."""
        options = ["--data-dir", str(self.data_dir), "--listen", "127.0.0.1:0", "--compute", "simulated"]
        began = time.monotonic()
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [str(self.folder / "clone" / "bin" / command), *words, *options],
                env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        while not (self.data_dir / "ready.json").exists():
            if process.poll() is not None:
                raise SystemExit(f"it did not open: {(self.folder / 'log').read_text()}")
            time.sleep(0.02)
        return time.monotonic() - began, process

    def run(self) -> dict[str, float]:
        first_s, process = self.start("run")
        self.end(process)
        again_s, process = self.start("run")
        time.sleep(_IDLE_S)
        memory = self.memory(process.pid)
        self.end(process)
        return {"fresh_s": first_s, "second_s": again_s, **memory}

    def memory(self, supervisor: int) -> dict[str, float]:
        """Proportional memory of the control plane and the database, MiB."""
        from vmart.config.places import Places

        children = json.loads(Places.of(self.data_dir).control_file.read_text())["children"]
        parts: dict[str, float] = {f"{name}_mib": memory_mib(children[name]) for name in _COUNTED}
        parts["supervisor_mib"] = memory_mib(supervisor, alone=True)
        return parts | {"idle_mib": sum(parts.values())}

    @staticmethod
    def end(process: "subprocess.Popen[bytes]") -> None:
        process.send_signal(signal.SIGTERM)
        process.wait(60)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def trials(runs: int, *, caches: bool) -> list[dict[str, float]]:
    results = []
    for number in range(runs):
        trial = Trial(caches=caches)
        try:
            results.append(trial.run())
        finally:
            trial.remove()
        print(f"caches {'warm' if caches else 'none'}, run {number + 1}: {results[-1]}", file=sys.stderr)
    return results


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    warm, none = trials(runs, caches=True), trials(runs, caches=False)

    def median(name: str, of: list[dict[str, float]]) -> float:
        return round(statistics.median(result[name] for result in of), 1)

    figures: dict[str, Any] = {
        "bench": "startup",
        "runs": runs,
        "fresh_to_ready_s": median("fresh_s", warm),
        "fresh_to_ready_without_caches_s": median("fresh_s", none),
        "second_start_s": median("second_s", warm + none),
        "idle_memory_mib": median("idle_mib", warm + none),
    }
    figures |= {f"{name}_mib": median(f"{name}_mib", warm + none) for name in (*_COUNTED, "supervisor")}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
