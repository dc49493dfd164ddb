"""``vmart doctor``: looks at what a deployment needs and says, line by line, what is well and what is not."""

import os
import shutil
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vmart.config import engine_host, os_users, own_certificate, postgres
from vmart.config.places import Deployment, Places, read_json
from vmart.config.supervisor import lock_holder

_LOW_DISK_GIB = 5


@dataclass(frozen=True)
class Finding:
    """``well`` None is a remark: nothing is broken."""

    name: str
    well: bool | None
    text: str


def examine(places: Places) -> Iterator[Finding]:
    """Every check in turn; a check that itself fails is a finding too."""
    checks: list[tuple[str, Callable[[Places], Finding]]] = [
        ("python", _python), ("database programs", _programs), ("system users", _users), ("data directory", _folder),
        ("disk", _disk), ("running", _running), ("database", _database), ("static files", _static), ("engine", _engine),
        ("certificate", _certificate), ("storage of machines", _storage),
    ]  # fmt: skip
    database_well = False
    for name, check in checks:
        try:
            finding = check(places)
        except Exception as error:  # noqa: BLE001  a broken check is what one asked for
            finding = Finding(name, False, f"{type(error).__name__}: {error}")
        database_well = database_well or (name == "database" and finding.well is True)
        yield finding
    if database_well:
        yield from _before_the_first_sale()


def _before_the_first_sale() -> Iterator[Finding]:
    """The seller's checklist. What is not done yet is a remark: nothing is broken."""
    from vmart.listings import checklist

    try:
        for step in checklist.steps():
            yield Finding(f"first sale, {step.name.replace('_', ' ')}", step.done or None, step.text)
    except Exception as error:  # noqa: BLE001  as above
        yield Finding("first sale", False, f"{type(error).__name__}: {error}")


def _python(_places: Places) -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", sys.version_info >= (3, 11), f"{version} at {sys.executable}")


def _programs(_places: Places) -> Finding:
    folder = postgres.programs()
    os_users.ensure_users()
    os_users.require_reach(os_users.DB, folder / "postgres", "PostgreSQL's program")
    return Finding("database programs", True, str(folder))


def _users(_places: Places) -> Finding:
    if not os_users.is_root():
        return Finding("system users", None, "not root: everything runs as the caller, and no private engine")
    names = (os_users.DB, os_users.WEB, os_users.WORKER)
    return Finding("system users", True, ", ".join(f"{name} ({os_users.uid_gid(name)[0]})" for name in names))


def _folder(places: Places) -> Finding:
    if not places.data_dir.exists():
        return Finding("data directory", None, f"{places.data_dir} is made at the first start")
    if not os.access(places.data_dir, os.W_OK):
        return Finding("data directory", False, f"{places.data_dir} is not writable for this user")
    deployment = Deployment.read(places)
    name = f"deployment {deployment.id}" if deployment else "not started yet"
    return Finding("data directory", True, f"{places.data_dir}, {name}")


def _disk(places: Places) -> Finding:
    place = places.data_dir if places.data_dir.exists() else places.data_dir.parent
    free_gib = shutil.disk_usage(place if place.exists() else Path("/")).free >> 30
    return Finding("disk", free_gib >= _LOW_DISK_GIB, f"{free_gib} GiB free")


def _running(places: Places) -> Finding:
    holder = lock_holder(places)
    return Finding("running", None if holder is None else True, "no" if holder is None else f"process {holder}")


def _database(places: Places) -> Finding:
    if lock_holder(places) is None and "VMART_DATABASE_URL" not in os.environ:
        return Finding("database", None, "looked at when vmart runs")
    from vmart.config import bring_up, out_of_order
    from vmart.kernel import db

    bring_up.setup()
    try:
        pending = bring_up.pending_migrations()
        version = bring_up.server_version()
        db.probe()
    except Exception as error:
        if (said := out_of_order.sentence(error)) is None:
            raise
        return Finding("database", False, said)
    if pending:
        return Finding("database", False, f"lacks {len(pending)} migrations ({pending[0]} …): `vmart migrate`")
    return Finding(
        "database", version >= 150000, f"PostgreSQL {version // 10000}.{version % 10000}, migrations complete"
    )


def _storage(places: Places) -> Finding:
    """How full the real zones are: a full pool stops every machine on it."""
    name = "storage of machines"
    if lock_holder(places) is None and "VMART_DATABASE_URL" not in os.environ:
        return Finding(name, None, "looked at when vmart runs")
    from vmart.listings import sales

    real = [zone for zone in sales.zones() if zone.pool_gib]
    said = [
        f"{zone.code}: {zone.pool_filled_gib} of {zone.pool_gib} GiB filled, sold {zone.sold_ratio} times its size"
        for zone in real
    ]
    return Finding(name, not any(zone.is_filling for zone in real), "; ".join(said) or "no real zone")


def _static(_places: Places) -> Finding:
    built = Path(__file__).resolve().parents[1] / "static_built/served/staticfiles.json"
    return Finding("static files", built.exists(), "collected" if built.exists() else "run bin/setup")


def _engine(places: Places) -> Finding:
    state = read_json(places.engine_state_file)
    if state is not None:
        said = f"{engine_host.TITLE}: {state['state']} {state['why']}".strip()
        return Finding("engine", state["state"] != "failed", said)
    ready = read_json(places.ready_file) if os.access(places.data_dir, os.R_OK) else None
    if ready is not None:
        return Finding("engine", True, str(ready["engine"]))
    choice = engine_host.choose("auto", test_clock=False, socket=None)
    return Finding("engine", None, f"would be {choice['engine']}. {choice['why']}".rstrip())


def _certificate(places: Places) -> Finding:
    own, file = places.tls_dir / own_certificate.CERTIFICATE, places.tls_dir / "server.pem"
    if not own.exists() and not file.exists():
        return Finding("certificate", None, "made when --listen-tls is used")
    file = own if own.exists() else file
    decoded = ssl._ssl._test_decode_cert(str(file))  # type: ignore[attr-defined]
    days = int((ssl.cert_time_to_seconds(decoded["notAfter"]) - time.time()) // 86400)
    if file == own:
        return Finding("certificate", days > 0, f"yours, valid for {days} days")
    return Finding("certificate", days > 0, f"valid for {days} days; renewed at a start within 30 days of its end")
