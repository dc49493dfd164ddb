"""Makes machines: one contract, one folder per driver, none knows another.

Owns no table. Verbs: see ``contract.Engine``; what is known of a kind before it is opened: ``driver.Driver``.
Imports kernel only.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from vmart.engines.driver import Driver, Identity
from vmart.engines.incus import DRIVER as _INCUS
from vmart.engines.simulated import DRIVER as _SIMULATED

if TYPE_CHECKING:
    from vmart.engines.contract import Engine

DRIVERS: tuple[Driver, ...] = (_INCUS, _SIMULATED)
FALLBACK = _SIMULATED  # serves a zone of kind auto where nothing better was found


def driver(kind: str) -> Driver:
    """The driver of a kind. Of a kind that this version lacks it is one that opens nothing."""
    return next((found for found in DRIVERS if found.kind == kind), None) or _missing(kind)


def driver_found(compute: str) -> Driver:
    """The driver of what ``vmart up`` found for zones of kind auto (``Driver.found_as``)."""
    return next((found for found in DRIVERS if compute in found.found_as), None) or _missing(compute)


def open_engine(kind: str, settings: Mapping[str, Any]) -> "Engine":
    """The engine of one zone, by complete settings; reaches nothing before its first verb.

    Raises EngineError for an unknown kind or settings that cannot be right.
    """
    return driver(kind).open(settings)


def _missing(kind: str) -> Driver:
    def refuse(_settings: object) -> NoReturn:
        from vmart.engines.contract import EngineError

        raise EngineError("There is no engine of this kind.", transient=False, detail=kind)

    return Driver(
        kind=kind, title=kind, title_for_buyers=kind, is_real=True, finds_members=True, open=refuse,
        problems=lambda _settings: {}, identity=lambda zone, _own, here: Identity(kind, zone, here.deployment),
    )  # fmt: skip
