"""Bandwidth that is paid by the month becomes traffic that is paid as it is used (billing-rules, section 2).

What was paid for the bandwidth comes back, less what of it is used. It is reckoned at the request and moved when the
engine has counted what was sent until then: that was paid for, and is never traffic. Once a machine, since traffic
becomes no bandwidth again.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.kernel import clock, db, ids
from vmart.kernel.codec import Codec
from vmart.ledger.queries import balance
from vmart.orders import address, agreed, bandwidth, lowering, return_prepaid, sample, windows
from vmart.orders import machines as m
from vmart.orders.acts import accepting, outcome
from vmart.orders.credit import Credit, credit_all
from vmart.orders.errors import InArrears
from vmart.orders.return_prepaid import EndedBandwidth
from vmart.pricing import books
from vmart.pricing.configuration import TRAFFIC_POSTPAID_BY_HOUR
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.queue import Claimed

KIND = "to_traffic"
ACT = agreed.CHANGE_OF_BANDWIDTH
_FAILED = "The network could not be changed; it is paid by the month as before."


@dataclass(frozen=True, slots=True)
class Switch:
    """``mbps`` is the cap from then on, ``traffic_per_gib`` what 2^30 bytes cost, ``parts`` what comes back."""

    public_id: str
    mbps_now: int
    mbps: int
    traffic_per_gib: Decimal
    parts: tuple[EndedBandwidth, ...]

    @property
    def paid_minor(self) -> int:
        return sum(part.paid_minor for part in self.parts)

    @property
    def refund_minor(self) -> int:
        return sum(part.refund_minor for part in self.parts)

    @property
    def gift_minor(self) -> int:
        return sum(part.gift_minor for part in self.parts)


_CODEC = Codec(Switch)


def reckon(account_id: int, public_ids: Sequence[str], mbps: int) -> Switch:
    """What ``change`` would give back now; writes nothing. Raises what it raises."""
    with db.act():
        return _reckoned(m.lock(account_id, public_ids), mbps)


def change(actor: Actor, public_ids: Sequence[str], mbps: int) -> None:
    """Accept it, of one machine. Raises the refusals of ``bandwidth.refuse``, WrongMode, OutOfRange, InArrears."""
    with accepting(actor, ACT, public_ids) as found:
        switch = _reckoned(found, mbps)
        m.begin_all(found, ACT, actor.request_id)
        m.send_all(found, KIND, switch=_CODEC.plain(switch))


def _reckoned(machines: Sequence[Instance], mbps: int) -> Switch:
    _check(machines, mbps)
    (machine,) = machines
    here = shop.snapshot()
    prices = books.own_book(machine.account_id, here.generation).regions[here.zones[machine.zone_id].region]
    parts = return_prepaid.of_bandwidth(machine, clock.now())
    return Switch(machine.public_id, machine.bandwidth_mbps, mbps, prices.traffic_gib, parts)


def _check(machines: Sequence[Instance], mbps: int) -> None:
    bandwidth.refuse(machines)
    bandwidth.refuse_not_by_month(machines)
    bandwidth.refuse_several(machines)
    windows.refuse_open(machines)
    bandwidth.check_speed(machines[0], mbps, TRAFFIC_POSTPAID_BY_HOUR)
    if balance(machines[0].account_id).balance_minor < 0:
        raise InArrears(
            "The account is in arrears. Top up to zero or more, then its machines can pay by traffic.", field="machines"
        )


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``to_traffic``: the engine's cap and its count first, then money and terms, in one commit."""
    for operation in batch:
        machine, switch = m.read(operation.subject_id), _CODEC.of(operation.payload["switch"])
        before: Sequence[sample.Read] = []
        if m.is_under_way(machine, ACT):
            bandwidth.tell_engine(operation.lane, machine, switch.mbps)
            before = sample.read(engine_of(operation.lane), [sample.of_machine(machine)])
        with outcome(operation, owner) as changed:
            if changed and m.is_under_way(changed, ACT):
                sample.begin(before)
                _in_force(changed, switch)
            elif changed:
                address.send(changed)  # its end may have come just before the engine was told of the cap


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """The speed of before holds, and what was paid for it."""
    for operation in batch:
        with outcome(operation, owner) as machine:
            if machine is None:
                continue
            if m.is_under_way(machine, ACT):
                m.fail(machine, _FAILED, error)
            address.send(machine)  # an attempt whose answer was lost may have set the new cap


def _in_force(machine: Instance, switch: Switch) -> None:
    """From this second on what it sends is what it pays for. Belongs into the act."""
    agreed.by_traffic(machine, switch.mbps)
    lowering.withdraw([machine])
    Instance.objects.filter(pk=machine.pk).update(
        internet_charge_type=TRAFFIC_POSTPAID_BY_HOUR, bandwidth_mbps=switch.mbps, latest_operation_state="SUCCESS"
    )
    db.call("metering_start", [machine.id], [], db.call("metering_instant", clock.now()))
    return_prepaid.end_bandwidth(switch.parts)
    if switch.refund_minor:
        cash_minor = switch.refund_minor - switch.gift_minor
        transfer = ids.transfer_id("to_traffic", machine.id)
        credit_all(
            "refund", machine.account_id, "revenue", [Credit(transfer, machine.id, cash_minor, switch.gift_minor)]
        )
    m.event(machine, "by_traffic", refund_minor=switch.refund_minor)
