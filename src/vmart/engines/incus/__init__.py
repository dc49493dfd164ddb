"""The Incus driver: REST over a unix socket or TLS, and the private daemon where there is none.

driver.py is the contract's verbs; opened.py what it first learns of a server, with its parts: machines.py machines as
the server has them, making.py how one is made or adopted, volumes.py data disks, copies.py snapshots, own_images.py
customers' images, imported.py those that they bring, room.py what a full disk needs. records.py is a machine's record
there; client.py the wire; network.py and firewall.py private networks, public addresses, caps and counters; seed.py
what cloud-init reads; image.py images on a server, build.py their making; daemon.py and packages.py the private daemon;
capability.py what a member can; settings.py what a catalog may say.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vmart.engines.driver import Driver, Here, Identity, Settings, problems_by

if TYPE_CHECKING:
    from vmart.engines.contract import Engine


def _open(settings: Settings) -> "Engine":
    from vmart.engines.incus.driver import IncusEngine

    return IncusEngine(settings)


def _problems(settings: Settings) -> Mapping[str, str]:
    from vmart.engines.incus.settings import OfCatalog

    return problems_by(OfCatalog, settings)


def _names_an_incus(own: Settings) -> bool:
    return "socket" in own or "url" in own


def _complete(_zone: str, own: Settings, here: Here) -> dict[str, Any]:
    """Told is how this machine's Incus is reached: of it, a zone that names another one takes only the images."""
    if not _names_an_incus(own):
        return {**here.told, **own}
    images = {name: here.told[name] for name in ("image_cache",) if name in here.told}
    return {"deployment": here.deployment, "lock_dir": str(here.folder), **images, **own}


def _identity(zone: str, own: Settings, here: Here) -> Identity:
    settings = _complete(zone, own, here)
    address = str(settings.get("socket") or settings.get("url") or "")
    return Identity("incus", address.rstrip("/"), str(settings.get("deployment", "")))


DRIVER = Driver(
    kind="incus",
    title="Incus",
    title_for_buyers="Real machines",
    is_real=True,
    finds_members=True,
    open=_open,
    problems=_problems,
    identity=_identity,
    complete=_complete,
    is_sellers_own=lambda own, compute: compute == "own" or _names_an_incus(own),
    settings_variable="VMART_INCUS_SETTINGS",
    found_as={"private": "--compute incus (vmart's own daemon)", "own": "--incus-socket"},
)
