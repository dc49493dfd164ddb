"""The way of a machine's public address: it leads to the machine, or nowhere while arrears keep it off.

Operation ``address``: the engine is told what the row says now, not what was asked when it was queued, so a
top-up that comes while the network is being turned off has the last word.
"""

import uuid
from collections.abc import Sequence

from vmart.engines.contract import Observation, Power, PublicAddress
from vmart.instances.models import ALIVE, ON, Instance, State
from vmart.orders import machines as m
from vmart.orders.acts import tell
from vmart.provisioning.specs import public_address
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.queue import Claimed

KIND = "address"


def send(machine: Instance) -> None:
    """Queue it. Belongs into the act's transaction."""
    send_all([machine])


def send_all(machines: Sequence[Instance]) -> None:
    """The same for several of one account."""
    m.send_all(machines, KIND)


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``address``."""
    tell(batch, owner, _wanted, _say)


def _say(machine: Instance, address: PublicAddress | None) -> None:
    engine_of(machine.zone_id).ensure_address(machine.public_id, machine.private_ip, address)


def take_off(machine: Instance) -> None:
    """No public address leads to the machine any more, which may have gone from the engine. Outside a transaction."""
    engine = engine_of(machine.zone_id)
    if engine.observe(machine.public_id).power != Power.ABSENT:
        engine.ensure_address(machine.public_id, machine.private_ip, None)


def _wanted(machine: Instance) -> PublicAddress | None:
    return public_address(machine) if machine.state in ALIVE else None


def differs(machine: Instance, seen: Observation) -> bool:
    """Whether the engine leads another address to a machine than it should, or one where none should lead.

    A stopped machine may want its address and not have it: its start brings it.
    """
    wanted = _wanted(machine)
    if machine.state in ON and seen.power == Power.RUNNING:
        return (seen.public_ip, seen.public_ipv6) != ((wanted.ip, wanted.ipv6) if wanted else ("", ""))
    return bool(seen.public_ip) and wanted is None and machine.state in (State.STOPPED, State.SHUTDOWN)
