"""Machines moved to another private network of their owner's in their zone, or to another address of theirs (ADR 0055).

A running machine is turned off for it and on again. While it is on its way it holds both addresses; the one it had is
free in the commit in which the engine has it at the other, the other one when the engine has it where it was again.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.instances.models import Instance, State
from vmart.kernel import clock, db
from vmart.kernel.errors import InvalidParameter
from vmart.network.errors import PrivateAddressTaken
from vmart.network.models import PrivateAddress, Subnet
from vmart.orders import default_network, enforce, inside, own_network, refusals, where_it_is
from vmart.orders import machines as m
from vmart.orders.acts import accepting, outcome
from vmart.orders.errors import Busy
from vmart.orders.own_network import NetworkWanted
from vmart.provisioning import specs
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.queue import Claimed

KIND = "move"
ACT = "ModifyInstancesVpcAttribute"
_FAILED = "The machine could not be moved to the other network; it is where it was."


@dataclass(frozen=True, slots=True)
class _There:
    """Where the machines of a move are and stay; ``own_network.Where``."""

    region: str
    zone: str
    count: int


def move(actor: Actor, public_ids: Sequence[str], network: NetworkWanted, *, while_running: bool = True) -> None:
    """Accept it, all or none. ``network``: a subnet, or DEFAULT; addresses one a machine in order, or none.

    Raises the refusals of ``acts.accepting``, UnknownNetwork, InvalidParameter, BadPrivateAddress,
    PrivateAddressOutside, PrivateAddressTaken, SubnetFull, NoAddress.
    """
    with accepting(actor, ACT, public_ids, uses=True) as found:
        inside.refuse(found, while_running=while_running)
        _refuse_on_the_way(found)
        wanted = own_network.checked(actor.account, _there(found), network)
        _refuse_as_it_is(found, wanted)
        subnet_id, addresses = _claim(found, wanted)
        m.begin_all(found, ACT, actor.request_id)
        for machine, address in zip(found, addresses, strict=True):
            m.send(machine, KIND, subnet=subnet_id, private_ip=address)


def _there(machines: Sequence[Instance]) -> _There:
    zones = sorted({machine.zone_id for machine in machines})
    if len(zones) > 1:
        raise InvalidParameter(
            "The machines are in different zones, {zones}; a subnet is in one.",
            field="machines",
            zones=", ".join(zones),
        )
    return _There(shop.snapshot().region_of(zones[0]), zones[0], len(machines))


def _refuse_on_the_way(machines: Iterable[Instance]) -> None:
    """Raise Busy for one that an attempt without an answer may have left elsewhere."""
    on_the_way = PrivateAddress.objects.filter(instance_id__in=[-machine.id for machine in machines])
    left = {-address.instance_id for address in on_the_way}
    for machine in machines:
        if machine.id in left:
            raise Busy(
                "The instance {id} is still being set back from a move that failed; try again when it has ended.",
                field="machines", id=machine.public_id,
            )  # fmt: skip


def _refuse_as_it_is(machines: Sequence[Instance], wanted: NetworkWanted) -> None:
    """Private addresses are of one subnet of the zone, so the address alone says that nothing would change."""
    for machine, address in zip(machines, wanted.private_ips, strict=False):
        if address == machine.private_ip:
            raise PrivateAddressTaken(
                "The instance {id} has the private address {ip} already.",
                field="network.private_ips", id=machine.public_id, ip=address,
            )  # fmt: skip


def _claim(machines: Sequence[Instance], wanted: NetworkWanted) -> tuple[int, list[str]]:
    """The subnet's number, and an address there for each machine, under minus its number."""
    account_id, zone = machines[0].account_id, machines[0].zone_id
    named = own_network.id_of(wanted.subnet_id) or default_network.of(account_id, zone).public_id
    with refusals.saying():
        (claimed,) = db.rows(
            "SELECT subnet_id, ARRAY(SELECT host(ip) FROM unnest(addresses) AS ip) AS addresses"
            " FROM fn.network_claim_private(%s, '', %s, '', '', %s, %s::bigint[], %s, %s::inet[])",
            account_id, zone, clock.now(), [-one.id for one in machines], named, list(wanted.private_ips),
        )  # fmt: skip
    if len(claimed["addresses"]) < len(machines):
        raise refusals.of_networks("subnet_full", named)
    return claimed["subnet_id"], claimed["addresses"]


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``move``: the engine, then both addresses in one commit."""
    for operation in batch:
        machine = m.read(operation.subject_id)
        if m.is_under_way(machine, ACT):
            _say(machine, operation.payload)
        with outcome(operation, owner) as moved:
            if moved and m.is_under_way(moved, ACT):
                _arrived(moved, operation.payload)
            elif moved:  # it was ended, or stopped, before: the engine may have been told just now
                where_it_is.send(moved)


def _say(machine: Instance, payload: Mapping[str, Any]) -> None:
    spec = specs.moved(machine, payload["subnet"], payload["private_ip"])
    engine_of(machine.zone_id).ensure_network(spec, on=machine.state == State.RUNNING)


def _arrived(machine: Instance, payload: Mapping[str, Any]) -> None:
    """It is there; what it had is free. Rules that name groups of its are told in both networks."""
    db.call("network_arrived", machine.id)
    old = {"subnet": machine.subnet_id, "private_ip": machine.private_ip}
    Instance.objects.filter(pk=machine.pk).update(
        subnet_id=payload["subnet"], private_ip=payload["private_ip"], latest_operation_state="SUCCESS"
    )
    enforce.send_for([machine.id])
    names = dict(Subnet.objects.filter(id__in=[old["subnet"], payload["subnet"]]).values_list("id", "public_id"))
    m.event(
        machine, "network_changed", was_at=f"{names[machine.subnet_id]} {machine.private_ip}",
        now_at=f"{names[payload['subnet']]} {payload['private_ip']}",
    )  # fmt: skip


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """It stays where it was; the address it was to have is free once the engine has said so."""
    for operation in batch:
        with outcome(operation, owner) as machine:
            if machine is None:
                continue
            if m.is_under_way(machine, ACT):
                m.fail(machine, _FAILED, error)
            where_it_is.send(machine)
