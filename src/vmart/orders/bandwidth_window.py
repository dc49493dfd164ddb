"""More bandwidth that is paid by the month, for a window of days (billing-rules, section 2).

It is paid when it is ordered. A timer begins it at its first day's 00:00, or at once where that is today, and ends it
with its last day. What the machine is agreed to pay for by the month stays; so do its renewals.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_noop

from vmart.catalog import shop
from vmart.events import record
from vmart.events.actor import Actor
from vmart.instances.models import AT_REST, Instance
from vmart.kernel import clock, ids
from vmart.kernel.errors import InvalidParameter, InvalidValue
from vmart.orders import address, agreed, bandwidth, lowering, paid, windows
from vmart.orders import machines as m
from vmart.orders.acts import outcome, when_idle
from vmart.orders.agreed import New
from vmart.orders.credit import Credit, credit_all
from vmart.orders.models import BandwidthWindow, Line, Order
from vmart.orders.priced_act import PricedAct
from vmart.pricing import books, window
from vmart.pricing.book import BANDWIDTH
from vmart.pricing.errors import OutOfRange
from vmart.pricing.priced import WINDOW_ORDER, Priced, PricedLine
from vmart.worker import queue
from vmart.worker.queue import Claimed

SPEED_KIND = "window_speed"
ACT = agreed.CHANGE_OF_BANDWIDTH
_FAILED = "The bandwidth could not be raised; what was paid for these days came back."
_MISSED = gettext_noop("The shop could not raise the bandwidth in these days; what was paid for them came back.")
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """``mbps`` from the date ``starts_on`` to the date ``ends_on``, both included, as ``2016-10-30``."""

    public_ids: Sequence[str]
    mbps: int
    starts_on: str
    ends_on: str


def _date(text: str, field: str) -> dt.date:
    try:
        return dt.datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007  a date of the billing zone
    except ValueError:
        raise InvalidValue("A day is said as 2016-10-30.", field=field) from None


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), shop.snapshot().billing_zone).astimezone(dt.UTC)


def _check(machines: Sequence[Instance], asked: Window) -> None:
    bandwidth.refuse(machines)
    bandwidth.refuse_not_by_month(machines)
    bandwidth.refuse_several(machines)
    (machine,) = machines
    bandwidth.check_speed(machine, asked.mbps, machine.internet_charge_type)
    windows.refuse_open(machines)
    if asked.mbps <= machine.bandwidth_mbps:
        raise OutOfRange(
            "The bandwidth of {id} is {now} Mbps; for a window it is more.",
            field="bandwidth_mbps", id=machine.public_id, now=machine.bandwidth_mbps,
        )  # fmt: skip
    _check_days(machine, asked)


def _check_days(machine: Instance, asked: Window) -> None:
    first, last = _date(asked.starts_on, "starts_on"), _date(asked.ends_on, "ends_on")
    zone, expires_at = shop.snapshot().billing_zone, machine.subscription.expires_at
    assert expires_at is not None
    if first < clock.now().astimezone(zone).date():
        raise InvalidValue("The first day is over; the earliest is today.", field="starts_on")
    if last < first:
        raise InvalidValue("The last day is before the first.", field="ends_on")
    if last > expires_at.astimezone(zone).date() or _midnight(last) >= expires_at:
        raise InvalidValue("The last day is after the expiry of {id}.", field="ends_on", id=machine.public_id)
    lowering.refuse_waiting([machine], _midnight(last + _DAY))


def _new(machine: Instance, asked: Window) -> New:
    return agreed.at_speed(machine, asked.mbps)


def _priced(machines: Sequence[Instance], asked: Window) -> Priced:
    (machine,) = machines
    book, new = books.own_book(machine.account_id, shop.snapshot().generation), _new(machine, asked)
    first, last = _date(asked.starts_on, "starts_on"), _date(asked.ends_on, "ends_on")
    had, anchor_at = agreed.had(new), machine.subscription.anchor_at
    assert anchor_at is not None
    amount = window.price_minor(book, had, new.term, first, last)
    line = PricedLine(
        machine.public_id, amount, amount, amount, amount, 0, (last - first).days + 1, anchor_at,
        max(clock.now(), _midnight(first)), _midnight(last + _DAY), (new.term,), (had,),
    )  # fmt: skip
    return Priced.by(book, WINDOW_ORDER, [line])


def _still_so(machines: Sequence[Instance], due: Priced, asked: Window) -> None:
    """Raise InvalidParameter for a price of another speed or window, or of a machine as it was before a change."""
    (machine,), (line,) = machines, due.lines
    now = _priced(machines, asked).lines[0]
    if line.terms != now.terms:
        raise InvalidParameter("The price is of another bandwidth; ask for it again.", field="bandwidth_mbps")
    if (line.days, line.period_to) != (now.days, now.period_to):
        raise InvalidParameter("The price is of other days; ask for it again.", field="starts_on")
    if line.had != now.had:
        raise InvalidParameter(
            "{id} was changed meanwhile; ask for its price again.", field="machines", id=machine.public_id
        )


def _carry_out(order: Order, machines: Sequence[Instance], due: Priced, asked: Window, actor: Actor) -> None:
    (machine,), (line,) = machines, due.lines
    paid.take(due, {machine.public_id: machine.subscription}, order)
    starts_at = max(clock.now(), _midnight(_date(asked.starts_on, "starts_on")))
    ends_at = line.period_to
    BandwidthWindow.objects.create(
        subscription_id=machine.id, order_id=order.id, mbps=asked.mbps, starts_at=starts_at, ends_at=ends_at
    )
    told = {"mbps": asked.mbps, "starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat()}
    m.events(machines, "window_bought", [told], actor)
    _timer(machine, starts_at)


def _timer(machine: Instance, due_at: dt.datetime) -> None:
    queue.enqueue(windows.KIND, record.MACHINE, machine.id, account_id=machine.account_id, due_at=due_at)


ACT_OF_WINDOW = PricedAct(WINDOW_ORDER, Window, _check, _priced, _still_so, _carry_out)


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``window``, due at its start and at its end; waits for an operation that is under way."""
    when_idle(batch, owner, _due)


def _due(machine: Instance) -> None:
    """To its speed, or back; of a machine that is in the recycle bin nobody has to be told."""
    found = windows.of(machine.id)
    if found is None:
        return
    starts = found.state == BandwidthWindow.State.WAITING
    if machine.state not in AT_REST:
        if starts:
            _pay_back(machine, found)
        else:
            windows.end(found)
        return
    if starts and found.ends_at <= clock.now():
        _pay_back(machine, found)
        m.event(machine, "window_missed", why=_MISSED)
        return
    base = agreed.item(machine.id, BANDWIDTH).quantity
    m.begin(machine, ACT, "")
    m.send(machine, SPEED_KIND, mbps=found.mbps if starts else base)


def run_speed(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``window_speed``: the engine first, then the row."""
    for operation in batch:
        machine, mbps = m.read(operation.subject_id), int(operation.payload["mbps"])
        if m.is_under_way(machine, ACT):
            bandwidth.tell_engine(operation.lane, machine, mbps)
        with outcome(operation, owner) as changed:
            if changed and m.is_under_way(changed, ACT):
                _in_force(changed, mbps)
            elif changed:
                address.send(changed)  # its end may have come just before the engine was told of the address


def _in_force(machine: Instance, mbps: int) -> None:
    found = windows.of(machine.id)
    assert found is not None  # whatever closes a window ends what is under way
    old = machine.bandwidth_mbps
    if mbps == found.mbps:
        found.state = BandwidthWindow.State.IN_FORCE
        found.save()
        _timer(machine, found.ends_at)
    else:
        windows.end(found)
    Instance.objects.filter(pk=machine.pk).update(bandwidth_mbps=mbps, latest_operation_state="SUCCESS")
    m.event(machine, "bandwidth_changed", old=old, new=mbps)


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """A window that could not begin is paid back; one that is over is over, and the engine is told until it knows."""
    for operation in batch:
        with outcome(operation, owner) as machine:
            if machine is None:
                continue
            found = windows.of(machine.id)
            if found and m.is_under_way(machine, ACT):
                if found.state == BandwidthWindow.State.WAITING:
                    _pay_back(machine, found)
                    m.fail(machine, _FAILED, error)
                else:
                    windows.end(found)
                    Instance.objects.filter(pk=machine.pk).update(latest_operation_state="SUCCESS")
            address.send(machine)  # also an attempt whose answer was lost may have set another


def _pay_back(machine: Instance, found: BandwidthWindow) -> None:
    """It was never in force. Belongs into the act."""
    found.state = BandwidthWindow.State.FAILED
    found.save()
    line = Line.objects.get(order_id=found.order_id)
    left_minor, gift_minor = line.left_minor, line.gift_left_minor
    line.state, line.refund_minor = Line.State.RETURNED, line.refund_minor + left_minor
    line.save()
    if left_minor:
        transfer = ids.transfer_id("window", found.pk)
        part = Credit(transfer, machine.id, left_minor - gift_minor, gift_minor)
        credit_all("refund", machine.account_id, "revenue", [part])
