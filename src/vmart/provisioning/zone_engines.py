"""The engine of each zone, opened once a process."""

import json
import os
import threading
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from vmart.catalog.models import Zone
from vmart.engines import open_engine
from vmart.engines.contract import Engine

INCUS_SETTINGS_VARIABLE = "VMART_INCUS_SETTINGS"  # JSON: how to reach this machine's Incus, from the supervisor
DEPLOYMENT_VARIABLE = "VMART_DEPLOYMENT"  # marks what is ours on an engine

_lock = threading.Lock()
_open: dict[tuple[str, str, str], Engine] = {}


def engine_of(zone: str) -> Engine:
    """The engine of a zone. Raises engines.contract.EngineError when its settings cannot be right."""
    kind, own = Zone.objects.values_list("engine_kind", "engine_settings").get(code=zone)
    merged = _settings(zone, kind, own)
    key = (zone, kind, json.dumps(merged, sort_keys=True))
    with _lock:
        if key not in _open:
            _open[key] = open_engine(kind, merged)
        return _open[key]


def identity(zone: str, kind: str, own: Mapping[str, Any]) -> tuple[str, ...]:
    """Kind, the engine's address, and last our mark on it (of a simulated one: its file).

    Two zones that have all in common would take each other's machines for theirs.
    """
    if kind == Zone.EngineKind.SIMULATED:
        return kind, str(own.get("file") or zone)
    merged = _settings(zone, kind, own)
    where = str(merged.get("socket") or merged.get("url") or "")
    return kind, where.rstrip("/"), str(merged.get("deployment", ""))


def _settings(zone: str, kind: str, own: Mapping[str, Any]) -> dict[str, Any]:
    if kind == Zone.EngineKind.SIMULATED:
        overrides = json.loads(os.environ.get("VMART_SIMULATED_SETTINGS", "{}"))
        return {"file": str(settings.DATA_DIR / "engine" / f"{zone}.sqlite"), **own, **overrides}
    machine = json.loads(os.environ.get(INCUS_SETTINGS_VARIABLE, "{}"))
    if _names_an_incus(own):  # of this machine's settings only the images built here
        machine = {
            "deployment": os.environ.get(DEPLOYMENT_VARIABLE, ""),
            "lock_dir": str(settings.DATA_DIR / "engine"),
            **{name: machine[name] for name in ("image_cache",) if name in machine},
        }
    return {**machine, **own}


def _names_an_incus(own: Mapping[str, Any]) -> bool:
    return "socket" in own or "url" in own


def own_incus() -> list[dict[str, Any]]:
    """Driver settings of the zones that an Incus of the seller's own serves, not the daemon that vmart runs."""
    zones = Zone.objects.filter(engine_kind=Zone.EngineKind.INCUS).order_by("position")
    return [
        _settings(zone.code, zone.engine_kind, zone.engine_settings)
        for zone in zones
        if zone.auto_compute == "own" or _names_an_incus(zone.engine_settings)
    ]
