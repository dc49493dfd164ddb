"""What the members of a server have, and how much of it is in use."""

from collections.abc import Sequence

from vmart.engines.contract import MemberCapacity
from vmart.engines.incus.client import IncusClient, path_of
from vmart.engines.incus.host import LOCAL_MEMBER


def of_members(client: IncusClient, pool: str, *, is_cluster: bool) -> Sequence[MemberCapacity]:
    """Of each member; of a server that is no cluster its own."""
    if not is_cluster:
        return [_of(client, pool, LOCAL_MEMBER, "")]
    found = []
    for member in client.get("/1.0/cluster/members", recursion=1):
        name, online = member["server_name"], member["status"] == "Online"
        found.append(_of(client, pool, name, name) if online else MemberCapacity(name, False, 0, 0, 0))
    return found


def _of(client: IncusClient, pool: str, name: str, target: str) -> MemberCapacity:
    machine = client.get("/1.0/resources", target=target)
    filled = space(client, pool, target)
    return MemberCapacity(
        member=name,
        online=True,
        vcpu=int(machine["cpu"]["total"]),
        memory_mib=int(machine["memory"]["total"]) >> 20,
        disk_gib=filled["total"] >> 30,
        disk_filled_gib=filled["used"] >> 30,
    )


def space(client: IncusClient, pool: str, target: str) -> dict[str, int]:
    """``total`` and ``used`` bytes of a member's pool, "" for that of the member that answers."""
    found = client.get(path_of("storage-pools", pool, "resources"), target=target)
    return {name: int(found["space"].get(name) or 0) for name in ("total", "used")}
