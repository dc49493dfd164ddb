"""Numbers of networks: they are taken before the statement that makes one, so that it knows the public ids."""

from vmart.kernel import db

_networks = db.IdBlock("network_block")


def take(count: int = 1) -> list[int]:
    """Of VPCs and subnets, out of which their public ids are made."""
    return _networks.take(count)
