"""``vmart down --machines``: end every machine of this deployment, and the private engine with all it made."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vmart.config import os_users
from vmart.config.places import Deployment, Places


def end_machines(places: Places, report: Callable[[str], None]) -> None:
    """Remove simulated machines and, as root, the private Incus daemon and everything it runs. Idempotent."""
    deployment = Deployment.read(places)
    if places.engine_dir.is_dir():
        for file in places.engine_dir.glob("*.sqlite*"):
            file.unlink()
            report(f"simulated machines: {file.name} is gone")
    if os_users.is_root() and deployment is not None and (places.data_dir / "incus").exists():
        from vmart.engines.incus.daemon import PrivateDaemon

        os_users.ensure_users()
        daemon = PrivateDaemon(places.data_dir, places.run_dir, group=os_users.WORKER, deployment=deployment.id)
        daemon.teardown(report)


def end_machines_on_own_incus(engines: Iterable[Mapping[str, Any]], report: Callable[[str], None]) -> None:
    """Remove what this deployment made on an Incus of the seller's own (driver settings each); nothing else there.

    Raises engines.contract.EngineError where one cannot be reached.
    """
    from vmart.engines.incus.driver import IncusEngine

    for settings in engines:
        engine = IncusEngine(settings)
        names = [seen.name for seen in engine.list_ours()]
        for name in names:
            engine.ensure_absent(name)
        engine.leave_host()
        report(f"{settings.get('url') or settings.get('socket')}: {len(names)} machines are gone")
