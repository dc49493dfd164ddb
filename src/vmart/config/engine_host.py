"""The private engine of this machine, as root, beside the shop: installs it, runs its daemon, builds images.

    python -m vmart.config.engine_host probe KIND --data-dir DIR --deployment ID [--test-clock] [--socket PATH]
    python -m vmart.config.engine_host serve

``probe`` prints which engine the shop opens with, as JSON, and changes nothing. ``serve`` is a child of
``vmart up``; where it stands is in ``RUN/engine.json``: state (installing, starting, ready, failed), why,
instance_kind. SIGTERM ends the daemon; machines run on.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vmart.config import os_users
from vmart.config.places import Places

_BUILD_AGAIN_S = (30.0, 120.0, 600.0, 3600.0)  # pauses before what could not be built is tried again


def simulated(why: str) -> dict[str, Any]:
    """The choice of no engine at all."""
    return {
        "compute": "simulated", "engine": "simulated", "instance_kind": "simulated", "private": False, "settings": {},
        "why": why,
    }  # fmt: skip


def choose(
    compute: str, *, test_clock: bool, socket: Path | None, places: Places | None = None, deployment: str = ""
) -> dict[str, Any]:
    """Which engine serves the zones that say ``auto``: kind, instance_kind as far as known, whether private, why.

    ``compute`` of the answer is what zones remember of it: simulated, private or own. ``settings`` are what the
    driver takes to reach it; ``refused`` is a sentence when ``compute`` asks for what cannot be.
    """
    if compute == "simulated":
        return simulated("asked for by --compute simulated")
    if compute == "auto" and test_clock:
        return simulated("a test clock never drives real machines unless --compute incus says so")
    real: dict[str, Any] = {"engine": "incus", "instance_kind": "container", "private": socket is None, "why": ""}
    if socket is not None:
        if socket.is_socket():
            return real | {
                "compute": "own",
                "settings": {"socket": str(socket), "deployment": deployment} | _locks(places),
            }
        trouble = f"there is no Incus socket at {socket}"
    else:
        from vmart.engines.incus.daemon import why_not_here

        trouble = why_not_here()
    if not trouble:
        real |= {"compute": "private", "settings": {}}
        if places is not None:
            more = {"image_cache": str(places.image_dir)} | _locks(places)
            real["settings"] = _private_daemon(places, deployment).settings() | more
        return real
    if compute == "incus":
        return simulated(trouble) | {"refused": f"--compute incus is not possible here: {trouble}"}
    return simulated(f"{trouble} For real machines see docs/operate/engine.md.")


def _locks(places: Places | None) -> dict[str, str]:
    """Where this host's workers find each other's locks: the worker may write there."""
    return {"lock_dir": str(places.engine_dir)} if places is not None else {}


def _private_daemon(places: Places, deployment: str) -> Any:
    from vmart.engines.incus.daemon import PrivateDaemon

    return PrivateDaemon(places.data_dir, places.run_dir, group=os_users.WORKER, deployment=deployment)


class EngineHost:
    """One run of ``serve``."""

    def __init__(self, places: Places, deployment: str) -> None:
        self.places = places
        self.daemon = _private_daemon(places, deployment)
        self.process: subprocess.Popen[bytes] | None = None
        self.ended = False
        self.kind = ""

    def tell(self, state: str, why: str = "", **more: Any) -> None:
        """Write where the engine stands; readable by all: the shop shows it, `vmart up` prints it."""
        self.report(f"{state} {why}".rstrip())
        fresh = self.places.run_dir / ".engine.json.new"
        fresh.write_text(json.dumps({"state": state, "why": why, **more}))
        fresh.chmod(0o644)
        fresh.replace(self.places.engine_state_file)

    def report(self, text: str) -> None:
        print(f"engine: {text}", file=sys.stderr, flush=True)

    def end(self, *_: object) -> None:
        """SIGTERM to the daemon leaves its machines alive; the next start adopts them."""
        self.ended = True
        if self.process is not None:
            self.process.terminate()

    def serve(self) -> int:
        """Returns when the daemon has ended: 0 when told to, else 1, and the supervisor starts us again."""
        from vmart.engines.contract import EngineError
        from vmart.engines.incus.packages import InstallError, install_packages

        signal.signal(signal.SIGTERM, self.end)
        signal.signal(signal.SIGINT, self.end)
        try:
            self.tell("installing", "installing what is missing")
            install_packages(self.report)
            self.tell("starting", "starting the private daemon")
            self.daemon.prepare(self.report)
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *self.daemon.command],
                env=self.daemon.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            if self.ended:
                self.process.terminate()
            self.daemon.wait_ready(120, alive=lambda: self.process is not None and self.process.poll() is None)
            self.daemon.initialise(self.report)
        except (EngineError, InstallError) as error:
            if self.ended:
                return 0
            self.tell("failed", str(error))
            if self.process is not None:
                self.process.terminate()
                self.process.wait()
            return 1
        self.kind = self.instance_kind()
        self.tell("ready", instance_kind=self.kind)
        threading.Thread(target=self.build_images, daemon=True).start()
        self.process.wait()
        return 0 if self.ended else 1

    def instance_kind(self) -> str:
        """What the daemon's machines will be, as the driver decides it for the images built here."""
        from vmart.engines.incus import capability
        from vmart.engines.incus.client import IncusClient

        server = IncusClient({"socket": str(self.daemon.socket)}).get("/1.0")
        return str(capability.instance_kind(server, "auto", has_vm_image=False))

    def build_images(self) -> None:
        """Every recipe; what could not be built (no mirror, no memory, killed) again and again, with growing pauses."""
        from vmart.engines.incus.build import RECIPES

        self.places.image_dir.mkdir(parents=True, exist_ok=True)
        wanted, rounds = list(RECIPES), 0
        while wanted := [recipe for recipe in wanted if not self._build(recipe)]:
            pause_s = _BUILD_AGAIN_S[min(rounds, len(_BUILD_AGAIN_S) - 1)]
            self.tell(
                "ready", f"{', '.join(wanted)} could not be built, again in {pause_s:.0f} s; the zone says why",
                instance_kind=self.kind,
            )  # fmt: skip
            time.sleep(pause_s)
            rounds += 1

    def _build(self, recipe: str) -> bool:
        """One builder, a process of its own that ends with us; whether the image is there now."""
        command = ["setpriv", "--pdeathsig", "TERM", *_builder(recipe, self.places.image_dir)]
        shown = -1
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as builder:
            assert builder.stdout is not None
            for line in builder.stdout:
                percent = int(line) // 10 * 10
                if percent != shown:
                    shown = percent
                    self.tell("ready", f"preparing image {recipe}, {percent} %", instance_kind=self.kind)
        if builder.returncode != 0:
            return False
        self.tell("ready", f"image {recipe} is ready", instance_kind=self.kind)
        return True


def _builder(recipe: str, folder: Path) -> Sequence[str]:
    """A program that builds the image and prints how far it is, in percent, a line each."""
    code = (
        "import sys; from pathlib import Path; from vmart.engines.incus.daemon import build_image; "
        "build_image(sys.argv[1], Path(sys.argv[2]), lambda percent, step: print(percent, flush=True))"
    )
    return [sys.executable, "-c", code, recipe, str(folder)]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["probe", "serve"])
    parser.add_argument("compute", nargs="?", default="auto")
    parser.add_argument("--test-clock", action="store_true")
    parser.add_argument("--socket", type=Path)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--deployment", default="")
    arguments = parser.parse_args()
    if arguments.what == "probe":
        choice = choose(
            arguments.compute, test_clock=arguments.test_clock, socket=arguments.socket,
            places=Places.of(arguments.data_dir), deployment=arguments.deployment,
        )  # fmt: skip
        print(json.dumps(choice))
        return 0
    host = EngineHost(Places.of(Path(os.environ["VMART_DATA_DIR"])), os.environ["VMART_DEPLOYMENT"])
    return host.serve()


if __name__ == "__main__":
    sys.exit(main())
