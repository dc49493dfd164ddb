"""The simulated driver: an engine without machines. engine.py is the engine, file.py what it keeps, calls.py how its
calls go wrong; machines.py, volumes.py, snapshots.py and own_images.py are machines, disks and their copies in the
file, world.py is the hand of tests on it, settings.py what a catalog may say.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vmart.engines.driver import Driver, Here, Identity, Settings, problems_by

if TYPE_CHECKING:
    from vmart.engines.contract import Engine


def _open(settings: Settings) -> "Engine":
    from vmart.engines.simulated.engine import SimulatedEngine

    return SimulatedEngine(settings)


def _problems(settings: Settings) -> Mapping[str, str]:
    from vmart.engines.simulated.settings import OfCatalog

    return problems_by(OfCatalog, settings)


def _complete(zone: str, own: Settings, here: Here) -> dict[str, Any]:
    return {"file": str(here.folder / f"{zone}.sqlite"), **own, **here.told}


def _identity(zone: str, own: Settings, _here: Here) -> Identity:
    return Identity("simulated", "", str(own.get("file") or zone))


def _forget(folder: Path, report: Callable[[str], None]) -> None:
    for file in folder.glob("*.sqlite*"):
        file.unlink()
        report(f"simulated machines: {file.name} is gone")


DRIVER = Driver(
    kind="simulated",
    title="Simulated",
    title_for_buyers="Simulated",
    is_real=False,
    finds_members=False,
    open=_open,
    problems=_problems,
    identity=_identity,
    complete=_complete,
    is_sellers_own=lambda _own, _compute: False,
    forget=_forget,
    settings_variable="VMART_SIMULATED_SETTINGS",
    found_as={"simulated": "--compute simulated"},
)
