"""The engine of this machine beside the shop: installs the private one, runs its daemon, builds images.

With ``engine_packages`` this is where config knows an engine by name: Incus is the only one that vmart runs itself
(ADR 0030).

    python -m vmart.config.engine_host probe KIND --data-dir DIR --deployment ID [--test-clock] [--socket PATH]
    python -m vmart.config.engine_host serve
    python -m vmart.config.engine_host accompany

``probe`` prints which engine the shop opens with, as JSON, and changes nothing. ``serve`` is a child of
``vmart up``, as root; ``accompany`` is it where the Incus is the seller's own. Where it stands is in
``RUN/engine.json``: state (installing, starting, ready, failed), why, instance_kind. SIGTERM ends the
daemon; machines run on.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vmart.config import os_users
from vmart.config.places import Places
from vmart.engines import FALLBACK
from vmart.engines.incus import DRIVER as INCUS

TITLE = INCUS.title
SETTINGS_VARIABLE = INCUS.settings_variable  # JSON: how to reach the engine of this machine
NOT_INSTALLED = 4  # exit code of ``serve``: the packages cannot be had, which trying again at once does not help
_LOOK_AGAIN_S = 5.0  # for a seller's own Incus that does not answer
_COUNT_S = 10.0  # between two looks whether the pool counts what disks take
_BUILD_AGAIN_S = (30.0, 120.0, 600.0, 3600.0)  # pauses before what could not be built is tried again


def nothing_found(why: str) -> dict[str, Any]:
    """The choice of no engine at all."""
    kind = FALLBACK.kind
    return {"compute": kind, "engine": kind, "instance_kind": kind, "settings": {}, "why": why}


def not_installed(why: str) -> dict[str, Any]:
    """The same where an engine was found and its packages cannot be had."""
    return nothing_found(f"{TITLE} could not be installed, the next start tries again. {why}")


def program_beside(compute: str) -> str:
    """Which program of this module runs beside the shop, "" for none."""
    return {FALLBACK.kind: "", "private": "serve"}.get(compute, "accompany")


def choose(
    compute: str, *, test_clock: bool, socket: Path | None, places: Places | None = None, deployment: str = ""
) -> dict[str, Any]:
    """Which engine serves the zones that say ``auto``: kind, instance_kind as far as known, why.

    ``compute`` of the answer is what zones remember of it (``Driver.found_as``). ``settings`` are what the driver
    takes to reach it; ``refused`` is a sentence when ``compute`` asks for what cannot be.
    """
    if compute == FALLBACK.kind:
        return nothing_found(f"asked for by --compute {compute}")
    if compute == "auto" and test_clock:
        return nothing_found("a test clock never drives real machines unless --compute incus says so")
    own = socket is not None
    if socket is not None:
        trouble = "" if socket.is_socket() else f"there is no Incus socket at {socket}"
    else:
        from vmart.engines.incus.daemon import why_not_here

        trouble = why_not_here()
    if trouble and (compute == INCUS.kind or own):
        asked = "--compute incus" if compute == INCUS.kind else "--incus-socket"
        return nothing_found(trouble) | {"refused": f"{asked} is not possible here: {trouble}"}
    if trouble:
        return nothing_found(f"{trouble} For real machines see docs/operate/engine.md.")
    settings: dict[str, Any] = {}
    if places is not None:
        settings = {"deployment": deployment} | _locks(places)
        settings |= {"socket": str(socket)} if own else _private_daemon(places, deployment).settings()
        if not own or _why_no_images() == "":
            settings["image_cache"] = str(places.image_dir)
    compute = "own" if own else "private"
    return {"compute": compute, "engine": INCUS.kind, "instance_kind": "container", "settings": settings, "why": ""}


def _why_no_images() -> str:
    """Empty where images can be built beside an Incus of the seller's own, else why not."""
    from vmart.engines.incus import packages

    if not os_users.is_root():
        return "Building images needs root."
    return packages.can_install() if packages.missing_programs(packages.BUILDER_PROGRAMS) else ""


def _locks(places: Places) -> dict[str, str]:
    """Where this host's workers find each other's locks: the worker may write there."""
    return {"lock_dir": str(places.engine_dir)}


def _private_daemon(places: Places, deployment: str) -> Any:
    from vmart.engines.incus.daemon import PrivateDaemon

    return PrivateDaemon(places.data_dir, places.run_dir, group=os_users.WORKER, deployment=deployment)


def end_private(places: Places, deployment: str, report: Callable[[str], None]) -> None:
    """As root: the private daemon and everything it runs are gone. Idempotent."""
    if os_users.is_root() and (places.data_dir / "incus").exists():
        os_users.ensure_users()
        _private_daemon(places, deployment).teardown(report)


class EngineHost:
    """One run of ``serve`` or ``accompany``; ``settings`` are the driver's."""

    def __init__(self, places: Places, settings: Mapping[str, Any]) -> None:
        self.places = places
        self.settings = settings
        self.daemon = _private_daemon(places, str(settings["deployment"]))
        self.process: subprocess.Popen[bytes] | None = None
        self.ended = threading.Event()
        self.kind = ""

    def tell(self, state: str, why: str = "", **more: Any) -> None:
        """Write where the engine stands; readable by all: the shop shows it, `vmart up` prints it."""
        self.report(f"failed: {why}" if state == "failed" else why or state)
        fresh = self.places.run_dir / ".engine.json.new"
        fresh.write_text(json.dumps({"state": state, "why": why, **more}))
        fresh.chmod(0o644)
        fresh.replace(self.places.engine_state_file)

    def report(self, text: str) -> None:
        print(f"engine: {text}", file=sys.stderr, flush=True)

    def end(self, *_: object) -> None:
        """SIGTERM to the daemon leaves its machines alive; the next start adopts them."""
        self.ended.set()
        if self.process is not None:
            self.process.terminate()

    def serve(self) -> int:
        """Returns when the daemon has ended: 0 when told to, NOT_INSTALLED, else 1: the supervisor starts us again."""
        from vmart.engines.contract import EngineError
        from vmart.engines.incus.packages import InstallError, install_packages

        try:
            self.tell("installing", "installing what is missing")
            install_packages(self.report)
            self.tell("starting", "starting the private daemon")
            self.daemon.prepare(self.report)
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *self.daemon.command],
                env=self.daemon.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            if self.ended.is_set():
                self.process.terminate()
            self.daemon.wait_ready(120, alive=lambda: self.process is not None and self.process.poll() is None)
            self.daemon.initialise(self.report)
        except (EngineError, InstallError) as error:
            if self.ended.is_set():
                return 0
            self.tell("failed", str(error))
            if self.process is not None:
                self.process.terminate()
                self.process.wait()
            return NOT_INSTALLED if isinstance(error, InstallError) else 1
        self.kind = self.instance_kind()
        self.tell("ready", instance_kind=self.kind)
        threading.Thread(target=self.build_images, daemon=True).start()
        threading.Thread(target=self.count_disks, daemon=True).start()
        self.process.wait()
        return 0 if self.ended.is_set() else 1

    def count_disks(self) -> None:
        """Only root may: so here, not in the worker."""
        while not self.ended.wait(_COUNT_S):
            if self.daemon.count_disks():
                self.report("the pool had stopped counting what disks take, and was counted anew")

    def accompany(self) -> int:
        """Beside an Incus of the seller's own: what its machines are, and the images that it has none of."""
        from vmart.engines.contract import EngineError

        while not self.kind and not self.ended.is_set():
            try:
                self.kind = self.instance_kind()
            except EngineError as error:
                self.tell("failed", str(error))
                self.ended.wait(_LOOK_AGAIN_S)
        self.tell("ready", instance_kind=self.kind)
        if "image_cache" in self.settings and not self.settings.get("images"):
            threading.Thread(target=self.build_images_beside, daemon=True).start()
        self.ended.wait()
        return 0

    def build_images_beside(self) -> None:
        """Where the Incus is the seller's own only what building takes is installed."""
        from vmart.engines.incus import packages

        try:
            packages.install_packages(self.report, packages.BUILDER_PACKAGES, packages.BUILDER_PROGRAMS)
        except packages.InstallError as error:
            self.tell("ready", f"no image can be built: {error}", instance_kind=self.kind)
        else:
            self.build_images()

    def instance_kind(self) -> str:
        """What the engine's machines will be, as the driver decides it."""
        from vmart.engines.incus import capability
        from vmart.engines.incus.client import IncusClient

        with IncusClient(self.settings) as client:
            server = client.get("/1.0")
        capability.refuse_old(server)
        wanted = str(self.settings.get("instance_kind") or "auto")
        return str(capability.instance_kind(server, wanted, has_vm_image=bool(self.settings.get("images"))))

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
    parser.add_argument("what", choices=["probe", "serve", "accompany"])
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
    settings = json.loads(os.environ[SETTINGS_VARIABLE])
    host = EngineHost(Places.of(Path(os.environ["VMART_DATA_DIR"])), settings)
    signal.signal(signal.SIGTERM, host.end)
    signal.signal(signal.SIGINT, host.end)
    return host.serve() if arguments.what == "serve" else host.accompany()


if __name__ == "__main__":
    sys.exit(main())
