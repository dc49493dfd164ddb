"""``vmart down --machines``: end every machine of this deployment, and the private engine with all it made."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from vmart import engines
from vmart.config import engine_host
from vmart.config.places import Deployment, Places

if TYPE_CHECKING:
    from vmart.provisioning.zone_engines import OwnEngine


def end_machines(places: Places, report: Callable[[str], None]) -> None:
    """Remove what drivers keep here and, as root, the private engine and everything it runs. Idempotent."""
    deployment = Deployment.read(places)
    if places.engine_dir.is_dir():
        for driver in engines.DRIVERS:
            driver.forget(places.engine_dir, report)
    if deployment is not None:
        engine_host.end_private(places, deployment.id, report)


def end_machines_elsewhere(own: "Iterable[OwnEngine]", report: Callable[[str], None]) -> None:
    """Remove what this deployment made on engines that the seller runs; nothing else there.

    Raises engines.contract.EngineError where one cannot be reached.
    """
    from vmart.engines.optional import LeavesHost

    for kind, address, settings in own:
        engine = engines.open_engine(kind, settings)
        names = [seen.name for seen in engine.list_ours()]
        for name in names:
            engine.ensure_absent(name)
        if isinstance(engine, LeavesHost):
            engine.leave_host()
        report(f"{address}: {len(names)} machines are gone")
