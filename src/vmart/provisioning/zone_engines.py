"""The engine of each zone, opened once a process and again when its settings change."""

import json
import os
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.conf import settings

from vmart import engines
from vmart.catalog.models import Zone
from vmart.engines import open_engine
from vmart.engines.contract import Engine
from vmart.engines.driver import Driver, Here, Identity

DEPLOYMENT_VARIABLE = "VMART_DEPLOYMENT"  # marks what is ours on an engine

_lock = threading.Lock()
_open: dict[str, tuple[str, Engine]] = {}  # by zone: what it was opened with, and the engine


class OwnEngine(NamedTuple):
    """An engine that the seller runs, not vmart; ``settings`` are complete."""

    kind: str
    address: str
    settings: Mapping[str, Any]


def engine_of(zone: str) -> Engine:
    """The engine of a zone. Raises engines.contract.EngineError when its settings cannot be right."""
    kind, own = Zone.objects.values_list("engine_kind", "engine_settings").get(code=zone)
    complete = _complete(zone, kind, own)
    wanted = json.dumps([kind, complete], sort_keys=True)
    with _lock:
        if zone not in _open or _open[zone][0] != wanted:  # the one of other settings ends with its last user
            _open[zone] = (wanted, open_engine(kind, complete))
        return _open[zone][1]


def identity(zone: str, kind: str, own: Mapping[str, Any]) -> Identity:
    """By what two zones would take each other's machines for theirs."""
    driver = engines.driver(kind)
    return driver.identity(zone, own, _here(driver))


def sellers_own() -> list[OwnEngine]:
    """What serves zones and is not run by vmart."""
    return [
        OwnEngine(
            zone.engine_kind,
            identity(zone.code, zone.engine_kind, zone.engine_settings).address,
            _complete(zone.code, zone.engine_kind, zone.engine_settings),
        )
        for zone in Zone.objects.order_by("position")
        if engines.driver(zone.engine_kind).is_sellers_own(zone.engine_settings, zone.auto_compute)
    ]


def _complete(zone: str, kind: str, own: Mapping[str, Any]) -> dict[str, Any]:
    driver = engines.driver(kind)
    return driver.complete(zone, own, _here(driver))


def _here(driver: Driver) -> Here:
    told = json.loads(os.environ.get(driver.settings_variable, "{}"))
    return Here(os.environ.get(DEPLOYMENT_VARIABLE, ""), settings.DATA_DIR / "engine", told)
