"""The engine of each zone, opened once a process."""

import json
import os
import threading
from typing import Any

from django.conf import settings

from vmart.catalog.models import Zone
from vmart.engines import open_engine
from vmart.engines.contract import Engine

INCUS_SETTINGS_VARIABLE = "VMART_INCUS_SETTINGS"  # JSON: how to reach the private daemon, from the supervisor

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


def identity(zone: str, kind: str, own: dict[str, Any]) -> tuple[str, ...]:
    """The engine and our mark on it: two zones that have both in common would take each other's machines for theirs."""
    if kind == Zone.EngineKind.SIMULATED:
        return kind, str(own.get("file") or zone)
    merged = _settings(zone, kind, own)
    where = str(merged.get("socket") or merged.get("url") or "")
    return kind, where.rstrip("/"), str(merged.get("deployment", ""))


def _settings(zone: str, kind: str, own: dict[str, Any]) -> dict[str, Any]:
    if kind == Zone.EngineKind.SIMULATED:
        overrides = json.loads(os.environ.get("VMART_SIMULATED_SETTINGS", "{}"))
        return {"file": str(settings.DATA_DIR / "engine" / f"{zone}.sqlite"), **own, **overrides}
    private = json.loads(os.environ.get(INCUS_SETTINGS_VARIABLE, "{}"))
    if own.get("url"):
        private.pop("socket", None)  # a driver that is given both takes the socket
    return {**private, **own}
