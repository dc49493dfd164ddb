"""Makes machines: one contract, one file or folder per driver, none knows another.

Owns no table. Verbs: see ``contract.Engine``; drivers are made by ``open_engine``. Imports kernel only.
"""

from collections.abc import Mapping
from typing import Any

from vmart.engines.contract import Engine, EngineError


def open_engine(kind: str, settings: Mapping[str, Any]) -> Engine:
    """The driver of one zone: ``kind`` is ``simulated`` or ``incus``; reaches nothing before its first verb.

    Settings of ``simulated``: see ``simulated.SimulatedEngine``; of ``incus``: ``incus.driver.IncusEngine``.
    Raises EngineError for an unknown kind or settings that cannot be right.
    """
    if kind == "simulated":
        from vmart.engines.simulated import SimulatedEngine

        return SimulatedEngine(settings)
    if kind == "incus":
        from vmart.engines.incus.driver import IncusEngine

        return IncusEngine(settings)
    raise EngineError("There is no engine of this kind.", transient=False, detail=kind)
