"""Given a worker that imports a customer's system, when it is killed (kill -9), then another begins anew, once."""

import ipaddress
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.crash.conftest import Child, Nursery
from tests.orders.test_import_image import PACKED, wanted
from tests.support.actors import by
from tests.support.file_server import FileServer, serving
from tests.support.shopper import ZONE, open_purse
from vmart.catalog.models import Zone
from vmart.config.reconcile import reconcile
from vmart.engines.simulated.world import World
from vmart.orders.images import import_image
from vmart.provisioning import zones
from vmart.storage.models import OwnImage
from vmart.worker.models import Operation

pytestmark = [pytest.mark.usefixtures("open_shop"), pytest.mark.crash]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files of imports lie, of this process and of workers."""
    (found := tmp_path / "imports").mkdir()
    monkeypatch.setattr(settings, "IMPORT_NETWORKS", [ipaddress.ip_network("127.0.0.1/32")])
    monkeypatch.setattr(settings, "IMPORT_PLAIN", True)
    return found


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as there:
        there.files["/web.tar.gz"] = PACKED
        yield there


def _wait(seen: Callable[[], bool], what: str, limit_s: float = 40) -> None:
    deadline = time.monotonic() + limit_s
    while not seen():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def _kill(child: Child) -> None:
    os.kill(child.pid, signal.SIGKILL)
    assert child.answer() is None


def _begun(server: FileServer) -> int:
    """An import of an account; the image's number."""
    zones.check(ZONE)
    asked = wanted(server, base="img-db12k7x4")
    return OwnImage.objects.get(public_id=import_image.accept(by(open_purse(cash_minor=1000)), asked)).id


def _ends_well(nursery: Nursery, world: World, image: int, folder: Path) -> None:
    assert list(folder.iterdir()) == []
    second = nursery.begin("serve", lease_s=1.0, imports=str(folder))
    _wait(lambda: OwnImage.objects.get(id=image).state == "NORMAL", "the second worker imports it")
    _kill(second)
    found = OwnImage.objects.get(id=image)
    assert (found.size_gib, found.import_url, list(world.own_images())) == (2, "", [found.public_id])
    assert not Operation.objects.filter(subject_kind="own_image").exists()
    assert (list(reconcile()), list(folder.iterdir())) == ([], [])


def test_one_killed_in_the_download_leaves_no_file(
    nursery: Nursery, world: World, server: FileServer, folder: Path
) -> None:
    def stuck(asked: Any) -> None:
        server.files["/web.tar.gz"] = PACKED  # whoever comes next gets it whole
        asked.send_response(200)
        asked.send_header("Content-Length", str(len(PACKED)))
        asked.end_headers()
        asked.wfile.write(PACKED[:20])
        asked.wfile.flush()
        time.sleep(60)

    server.files["/web.tar.gz"] = stuck
    image = _begun(server)
    first = nursery.begin("serve", lease_s=1.0, imports=str(folder))
    _wait(lambda: server.asked == ["/web.tar.gz"], "the first worker asks")
    _kill(first)
    _ends_well(nursery, world, image, folder)
    assert server.asked == ["/web.tar.gz"] * 2


def test_one_killed_while_the_engine_makes_it_begins_anew(
    nursery: Nursery, world: World, server: FileServer, folder: Path
) -> None:
    plain = Zone.objects.get(code=ZONE).engine_settings
    Zone.objects.filter(code=ZONE).update(engine_settings=plain | {"latency_s": {"ensure_image_imported": 600}})
    image = _begun(server)
    first = nursery.begin("serve", lease_s=1.0, imports=str(folder))
    _wait(lambda: OwnImage.objects.get(id=image).percent == 90, "the first worker calls the engine")
    _kill(first)
    assert (OwnImage.objects.get(id=image).state, world.own_images()) == ("IMPORTING", {})
    Zone.objects.filter(code=ZONE).update(engine_settings=plain)
    _ends_well(nursery, world, image, folder)
