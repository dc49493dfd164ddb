"""``vmart status``: what runs on a data directory, out of files and /proc, and what its ``/healthz`` says."""

from pathlib import Path
from typing import Any

from vmart.config.health import health
from vmart.config.places import Places, read_json
from vmart.config.supervisor import lock_holder

_TROUBLES = {
    "web": "  NOT WELL: web does not answer; it is started again by itself, its log says more",
    "database": "  NOT WELL: the database does not answer or has no room left to write: `vmart doctor` says which",
}


def read_status(places: Places) -> dict[str, Any]:
    """A plain value: running, pid, url, engine, processes with their memory (PSS of the process group, MiB).

    Of one that serves also ``web`` and ``database``, whether each is in order, and ``well``: both are.
    """
    holder = lock_holder(places)
    value: dict[str, Any] = {"running": holder is not None, "data_dir": str(places.data_dir), "pid": holder}
    if holder is None:
        return value
    ready = _readable(places.ready_file) or {}
    value["ready"] = bool(ready)
    value |= {name: ready.get(name) for name in ("url", "tls_endpoint", "engine", "instance_kind")}
    if value["ready"]:
        value |= health(value["url"]) or {"web": False, "database": None}
        value["well"] = bool(value["web"] and value["database"])
    value["engine_state"] = _readable(places.engine_state_file)
    control = _readable(places.control_file) or {"children": {}}
    processes = {"supervisor": holder, **control["children"]}
    value["processes"] = {
        name: {"pid": pid, "memory_mib": memory_mib(pid, alone=name == "supervisor")} for name, pid in processes.items()
    }
    return value


def _attention(number: int, more: bool, worst: str) -> str:
    if not number:
        return "  nothing needs your attention"
    return f"  needs your attention: {number}{'+' if more else ''}, the worst: {worst}; `vmart attention` lists them"


def _readable(path: Path) -> dict[str, Any] | None:
    try:
        return read_json(path)
    except PermissionError:
        return None


def memory_mib(pid: int, *, alone: bool = False) -> int:
    """Proportional memory of the process and, unless ``alone``, of all its descendants; 0 where it may not be read."""
    total_kib = 0
    for member in [pid] if alone else [pid, *_descendants(pid)]:
        try:
            for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total_kib += int(line.split()[1])
        except OSError:
            continue
    return total_kib >> 10


def _descendants(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(text.rsplit(")", 1)[1].split()[1]), []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def show_status(value: dict[str, Any]) -> str:
    """The value as lines for a person."""
    if not value["running"]:
        return f"nothing runs on {value['data_dir']}"
    lines = [f"vmart runs on {value['data_dir']} (process {value['pid']})"]
    if value["ready"]:
        lines.append(f"  {value['url']}" + (f", TLS {value['tls_endpoint']}" if value["tls_endpoint"] else ""))
        lines.append(f"  engine: {value['engine']} ({value['instance_kind']})")
        lines += [text for name, text in _TROUBLES.items() if value[name] is False]
        if value.get("attention"):
            lines.append(_attention(**value["attention"]))
    else:
        lines.append("  starting")
    state = value["engine_state"]
    if state:
        lines.append(f"  engine's state: {state['state']}" + (f", {state['why']}" if state["why"] else ""))
    for name, process in value["processes"].items():
        lines.append(f"  {name:<11} process {process['pid']}, {process['memory_mib']} MiB")
    return "\n".join(lines)
