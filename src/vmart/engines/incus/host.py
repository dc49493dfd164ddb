"""System programs the driver runs, and the names by which ours are known on a host."""

import base64
import fcntl
import hashlib
import ipaddress
import json
import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from vmart.engines.contract import EngineError
from vmart.engines.incus.packages import program_path

LINKS = "v6-"  # what the names of all links for IPv6 begin with, also those of other deployments on the host
LOCAL_MEMBER = "local"  # of a server that is no cluster


@dataclass(frozen=True, slots=True)
class Names:
    """Names on the host of one deployment. An interface name has 15 characters at most."""

    deployment: str
    table: str
    bridge_prefix: str
    link_prefix: str

    def link(self, machine: str) -> str:
        """The host's end of a machine's own link for IPv6."""
        digest = hashlib.sha256(f"{self.deployment}/{machine}".encode()).digest()
        return f"{self.link_prefix}{base64.b32encode(digest)[:7].decode().lower()}"

    def bridge(self, subnet_key: str) -> str:
        digest = hashlib.sha256(f"{self.deployment}/{subnet_key}".encode()).hexdigest()
        return f"{self.bridge_prefix}{digest[:8]}"

    def volume(self, disk_key: str) -> str:
        digest = hashlib.sha256(f"{self.deployment}/{disk_key}".encode()).hexdigest()
        return f"vmart-{self.deployment}-{digest[:12]}"


def names_of_deployment(deployment: str) -> Names:
    """``deployment`` is any short text; its hash stands in names, so that two on one host never meet."""
    short = hashlib.sha256(deployment.encode()).hexdigest()[:5]
    return Names(short, f"vmart_{short}", bridge_prefix=f"v{short}-", link_prefix=f"{LINKS}{short}")


class OneAtATime:
    """``with alone():`` keeps this process's threads apart and, with a ``lock_file``, the processes of this host."""

    def __init__(self, lock_file: Path | None = None) -> None:
        self._lock_file = lock_file
        self._threads = threading.Lock()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._threads:
            if self._lock_file is None:
                yield
                return
            self._lock_file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._lock_file, os.O_CREAT | os.O_RDONLY, 0o644)  # whoever made it, all may wait
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)


def run(
    command: Sequence[str], *, text: str = "", check: bool = True, limit_s: float = 20.0, quiet: bool = False
) -> "subprocess.CompletedProcess[str]":
    """Run a system program; EngineError (transient) when it fails or takes too long.

    ``quiet``: its output goes nowhere, for one that leaves a process behind which would keep ours waiting.
    """
    program = program_path(command[0])
    if program is None:
        if check:
            raise EngineError("The host lacks a program.", transient=False, detail=command[0])
        return subprocess.CompletedProcess(list(command), 127, "", "missing")
    try:
        done = subprocess.run(
            [program, *command[1:]],
            input=text,
            stdout=subprocess.DEVNULL if quiet else subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else subprocess.PIPE,
            text=True,
            check=False,
            timeout=limit_s,
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError("The host takes too long.", transient=True, detail=command[0]) from error
    if check and done.returncode:
        raise EngineError(
            "The host refused.", transient=True, detail=f"{command[0]}: {(done.stderr or '').strip()[:400]}"
        )
    return done


def ask_again_soon(bridge: str) -> None:
    """Have the host ask for a machine on a bridge ten times a second, for three seconds as before.

    By itself the kernel asks once a second: who knocks just before a machine can hear would wait for the rest of it.
    """
    told = Path("/proc/sys/net/ipv4/neigh") / bridge
    with suppress(OSError):  # the host may be told nothing, or the bridge is gone: it is slower then
        (told / "retrans_time_ms").write_text("100")
        (told / "mcast_solicit").write_text("30")


def networks_of_host() -> list[tuple[str, ipaddress.IPv4Network]]:
    """(link, network) of each IPv4 address of this host."""
    listed = json.loads(run(["ip", "-4", "-json", "address"]).stdout)
    return [
        (link["ifname"], ipaddress.IPv4Interface(f"{address['local']}/{address['prefixlen']}").network)
        for link in listed
        for address in link.get("addr_info", [])
    ]


def unmount_below(folder: Path) -> None:
    """Unmount what is mounted at or below ``folder``, the deepest first, so that it can be removed safely."""
    points = [line.split(" ")[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    paths = [Path(point.encode().decode("unicode_escape")) for point in points]
    below = [path for path in paths if path == folder or folder in path.parents]
    for path in sorted(below, key=lambda path: len(path.parts), reverse=True):
        run(["umount", "-l", str(path)], check=False)
