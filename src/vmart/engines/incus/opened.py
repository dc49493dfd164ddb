"""What the first verb learns of a server: its pool, its members, what this host may do for it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vmart.engines.contract import EngineError
from vmart.engines.incus import capability, groups, links
from vmart.engines.incus.client import IncusClient, path_of
from vmart.engines.incus.copies import Copies, spare_gib
from vmart.engines.incus.firewall import Firewall
from vmart.engines.incus.host import Names, OneAtATime
from vmart.engines.incus.image import Images
from vmart.engines.incus.imported import Imports
from vmart.engines.incus.machines import Machines
from vmart.engines.incus.making import Making
from vmart.engines.incus.network import Networks
from vmart.engines.incus.own_images import OwnImages
from vmart.engines.incus.rescue import Rescue
from vmart.engines.incus.room import Room
from vmart.engines.incus.usage import Used
from vmart.engines.incus.volumes import Volumes


class Opened:
    """What the first verb learns of the server."""

    def __init__(self, settings: Mapping[str, Any], names: Names) -> None:
        self.client = IncusClient(settings)
        self.server = self.client.get("/1.0")
        capability.refuse_old(self.server)
        self.pool = str(settings.get("pool") or _pool_of(self.client))
        sources = settings.get("images") or {}
        wanted = str(settings.get("instance_kind") or "auto")
        self.kind = capability.instance_kind(self.server, wanted, has_vm_image=bool(sources))
        self.members: list[str] = []
        if self.server["environment"].get("server_clustered"):
            self.members = [found["server_name"] for found in self.client.get("/1.0/cluster/members", recursion=1)]
        # A virtual machine's disk is a block device of its own, and other pools' limits cannot go down again.
        self.pool_driver = str(self.client.get(path_of("storage-pools", self.pool))["driver"])
        is_limited = self.pool_driver == "btrfs" and self.kind == "container"
        self.volumes = Volumes(self.client, self.pool, names, self.kind, is_cluster=bool(self.members))
        spare = spare_gib(self.kind, self.pool_driver)
        self.room = Room(self.client, self.pool, is_limited=is_limited)
        self.own_images = OwnImages(
            self.client, self.pool, names, self.room,
            is_cluster=bool(self.members), why_not=capability.why_no_images(self.kind), spare_gib=spare,
        )  # fmt: skip
        self.imports = Imports(
            self.client, names, self.own_images, str(self.server["environment"].get("kernel_architecture", ""))
        )
        self.copies = Copies(
            self.client, self.pool, names, self.volumes, self.room, is_cluster=bool(self.members), spare_gib=spare
        )
        self.firewall, self.why_no_firewall = self._host_firewall(settings, names)
        self.why_no_groups = groups.why_not() if self.firewall is not None else "no packet filter"
        self.why_no_ipv6 = links.why_not()
        self.networks = Networks(
            self.client, names, self.firewall, _alone(settings, "network"), watches=not self.why_no_groups
        )
        cache_dir = Path(settings["image_cache"]) if settings.get("image_cache") else None
        self.images = Images(
            self.client,
            pool=self.pool,
            deployment=names.deployment,
            cache_dir=cache_dir,
            sources=sources,
            kind=self.kind,
        )
        self.machines = Machines(self.client, names, is_cluster=bool(self.members))
        self.used = Used(self.client, is_cluster=bool(self.members))
        self.why_no_rescue = capability.why_no_rescue(
            self.server, self.kind, self.pool_driver, is_one_here=self.client.is_local and not self.members
        )
        state_dir = Path(str(settings["socket"])).parent if self.client.is_local else None
        self.rescue = Rescue(self.client, self.pool, names, machines=self.machines, room=self.room, state_dir=state_dir)
        self.making = Making(
            self.client,
            self.pool,
            names,
            kind=self.kind,
            machines=self.machines,
            volumes=self.volumes,
            images=self.images,
            own_images=self.own_images,
            rescue=self.rescue,
            room=self.room,
            is_cluster=bool(self.members),
            caps_nic=self.firewall is None,
        )

    def _host_firewall(self, settings: Mapping[str, Any], names: Names) -> tuple[Firewall | None, str]:
        wanted = settings.get("host_network", "auto")
        if wanted is False or (wanted == "auto" and (not self.client.is_local or self.members)):
            return None, "not on this host"
        firewall = Firewall(names, _alone(settings, "firewall"))
        why_not = firewall.why_not()
        if why_not and wanted is True:
            raise EngineError("The driver may not edit the host's packet filter.", transient=False, detail=why_not)
        return (None, why_not) if why_not else (firewall, "")


def _alone(settings: Mapping[str, Any], what: str) -> OneAtATime:
    folder = settings.get("lock_dir")
    return OneAtATime(Path(folder) / f"{what}.lock" if folder else None)


def _pool_of(client: IncusClient) -> str:
    """Where a seller's own server keeps machines when the zone does not say so."""
    pools = [path.rsplit("/", 1)[1] for path in client.get("/1.0/storage-pools")]
    profile = client.find(path_of("profiles", "default")) or {"devices": {}}
    roots = [found.get("pool") for found in profile["devices"].values() if found.get("path") == "/"]
    for pool in [*roots, *(pools if len(pools) == 1 else [])]:
        if pool in pools:
            return str(pool)
    raise EngineError(
        "The zone's settings name no storage pool, and the engine has no usual one.",
        transient=False,
        detail=", ".join(pools),
    )
