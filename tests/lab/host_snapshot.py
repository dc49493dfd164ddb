"""What one private daemon has on its host, by the marks of its own; other daemons there are not looked at."""

import subprocess
from pathlib import Path

from vmart.engines.incus.daemon import PrivateDaemon
from vmart.engines.incus.host import names_of_deployment


def found_on_host(daemon: PrivateDaemon) -> dict[str, list[str]]:
    """By kind; every list is empty when the daemon left nothing."""
    names = names_of_deployment(daemon.deployment)
    folder = str(daemon.data_dir)
    ours = (names.bridge_prefix, names.link_prefix)
    routes = [*_lines("ip", "route", "show", "table", "all"), *_lines("ip", "-6", "route", "show", "table", "all")]
    rules = _lines("nft", "list", "ruleset")
    loops = _lines("losetup", "--noheadings", "--list", "--output", "BACK-FILE")
    mounts = [line.split(" ")[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return {
        "links": [path.name for path in Path("/sys/class/net").iterdir() if path.name.startswith(ours)],
        "routes": [line for line in routes if any(prefix in line for prefix in ours)],
        "tables": [line for line in rules if names.table in line or names.bridge_prefix in line],
        "mounts": [point for point in mounts if point.startswith(folder)],
        "loops": [line for line in loops if folder in line],
        "processes": _processes(folder),
        "files": [str(path) for path in daemon.state_dir.iterdir()] if daemon.state_dir.exists() else [],
    }


def _lines(*command: str) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def _processes(folder: str) -> list[str]:
    """Processes that name the folder among their arguments or in their environment (a zombie has neither)."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes()
            variables = (entry / "environ").read_bytes()
        except OSError:
            continue
        if folder.encode() in words or f"INCUS_DIR={folder}".encode() in variables:
            found.append(f"{entry.name} {words.split(bytes(1))[0].decode(errors='replace')}")
    return found
