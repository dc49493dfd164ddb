"""Numbers of networks and of tasks: they are taken before the statement that makes one, which so knows its ids."""

from vmart.kernel import db

_networks = db.IdBlock("network_block")
_tasks = db.IdBlock("network_task_block")


def take(count: int = 1) -> list[int]:
    """Of VPCs and subnets, out of which their public ids are made."""
    return _networks.take(count)


def task() -> int:
    """Of an act on public addresses, by which its caller asks how far it is."""
    return _tasks.take()[0]
