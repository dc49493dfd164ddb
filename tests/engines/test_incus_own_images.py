"""Given images of customers on a server that answers as told, then what is left of them goes, in time."""

from typing import Any

from vmart.config.steps import STEPS
from vmart.engines.incus import records
from vmart.engines.incus.network import MARK
from vmart.engines.incus.own_images import IMAGE, OwnImages
from vmart.orders.images import delete


class Names:
    deployment = "shop"


class Room:
    def at_its_end(self, name: str, act: Any) -> None:
        act()


class Server:
    """``instances`` by name."""

    def __init__(self) -> None:
        config = {MARK: "shop", records.ROLE: IMAGE, "user.vmart.size_gib": "2"}
        self.instances: dict[str, Any] = {"img-1": {"name": "img-1", "config": config}}
        self.limits: list[float] = []

    def find(self, path: str) -> Any:
        return self.instances.get(path.rsplit("/", 1)[1])

    def send(self, method: str, path: str, limit_s: float) -> None:
        assert method == "DELETE"
        self.limits.append(limit_s)
        del self.instances[path.rsplit("/", 1)[1]]


def test_a_removal_that_hangs_ends_before_its_worker_does() -> None:
    server: Any = Server()
    names: Any = Names()
    room: Any = Room()
    OwnImages(server, "pool", names, room, is_cluster=False, why_not="", spare_gib=1).remove("img-1")
    assert (server.instances, server.limits) == ({}, [600.0])
    assert server.limits[0] < STEPS[delete.KIND].limit_s
