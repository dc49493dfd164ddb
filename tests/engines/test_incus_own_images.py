"""Given images of customers on a server that answers as told, then what is left of them goes, in time."""

import io
from typing import Any

import pytest

from vmart.config.steps import STEPS
from vmart.engines.contract import Foreign
from vmart.engines.foreign.kinds import ROOTFS
from vmart.engines.incus import identity, records
from vmart.engines.incus.imported import Imports
from vmart.engines.incus.network import MARK
from vmart.engines.incus.own_images import IMAGE, OwnImages
from vmart.orders.images import delete


class Names:
    deployment = "shop"


class Room:
    def at_its_end(self, name: str, act: Any) -> None:
        act()

    during = at_its_end


class Server:
    """``instances`` by name; what was sent, and how long was waited for it."""

    def __init__(self) -> None:
        self.instances: dict[str, Any] = {}
        self.images: list[dict[str, Any]] = []
        self.sent: list[tuple[str, str, float]] = []

    def find(self, path: str) -> Any:
        return self.instances.get(path.rsplit("/", 1)[1])

    def get(self, path: str, recursion: int = 0) -> Any:
        return self.images if recursion else self.find(path)

    def post_file(self, path: str, body: Any, headers: Any, limit_s: float) -> None:
        self.images.append({"fingerprint": "f1", "properties": {"vmart.image": "img-1", "vmart.deployment": "shop"}})

    def send(self, method: str, path: str, body: Any = None, limit_s: float = 0.0, target: str = "") -> None:
        self.sent.append((method, path, limit_s))
        if method == "POST":
            self.instances[body["name"]] = dict(body)
        elif method == "PUT":
            self.find(path).update(body)
        elif "/images/" in path:
            self.images.clear()
        else:
            del self.instances[path.rsplit("/", 1)[1]]


def own_images(server: Any) -> OwnImages:
    names: Any = Names()
    room: Any = Room()
    return OwnImages(server, "pool", names, room, is_cluster=False, why_not="", spare_gib=1)


def test_a_removal_that_hangs_ends_before_its_worker_does() -> None:
    server = Server()
    config = {MARK: "shop", records.ROLE: IMAGE, "user.vmart.size_gib": "2"}
    server.instances["img-1"] = {"name": "img-1", "config": config}
    own_images(server).remove("img-1")
    assert (server.instances, server.sent) == ({}, [("DELETE", "/1.0/instances/img-1", 600.0)])
    assert STEPS[delete.KIND].limit_s == 900


def test_the_servers_image_of_an_import_goes_before_ours_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks for it afterwards: a worker that is killed between leaves none."""
    monkeypatch.setattr(identity, "forget", lambda *_: None)
    server: Any = Server()
    names: Any = Names()
    system = Foreign(ROOTFS, io.BytesIO(b"tar"), 2)
    made = Imports(server, names, own_images(server), "x86_64").make("img-1", system, "ubuntu", "")
    assert (made.name, made.size_gib, made.whole, server.images) == ("img-1", 2, True, [])
    assert [(method, path) for method, path, _ in server.sent] == [
        ("POST", "/1.0/instances"), ("DELETE", "/1.0/images/f1"), ("PUT", "/1.0/instances/img-1"),
    ]  # fmt: skip
