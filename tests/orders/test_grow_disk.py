"""Given a machine's disk, when it is made larger, then each second costs the size that it had."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.orders.acting import Given, latest, line_of, stopped_without_charge
from tests.orders.ending import no_closes, now
from tests.support.actors import by
from tests.support.business_clock import START, BusinessClock
from tests.support.shopper import (
    HOURLY,
    HOURLY_HOLD_MINOR,
    MONTHLY,
    MONTHLY_MINOR,
    buy_running,
    open_purse,
    purses,
    raise_prices,
    work,
)
from tests.support.written import nothing_written, refused
from vmart.bills.models import Charge
from vmart.config.reconcile import reconcile
from vmart.customers.models import Account
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance, State
from vmart.kernel.clock import HOUR
from vmart.kernel.errors import InvalidParameter, Refused
from vmart.metering.models import Segment
from vmart.orders import actions, grow_disk, renew, return_prepaid, stop, terminate
from vmart.orders.errors import (
    Busy,
    DiskSoldOut,
    InsufficientBalance,
    UnknownDisk,
    UnknownInstance,
    WrongMode,
    WrongState,
)
from vmart.orders.grow_disk import UPGRADE, Growth
from vmart.orders.hourly import Hours
from vmart.orders.models import Order
from vmart.orders.renew import Renewal
from vmart.placement.models import Allocation, Host
from vmart.pricing.configuration import DiskChoice
from vmart.pricing.errors import OutOfRange
from vmart.pricing.priced import Priced
from vmart.storage.models import Disk
from vmart.subscriptions.models import Item
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

ACT = "ResizeInstanceDisks"
DATA = (DiskChoice("CLOUD_PREMIUM", 100), DiskChoice("CLOUD_SSD", 20))
WITH_DATA = replace(HOURLY, data_disks=DATA)
# 0.35 CPU and memory, 50 GiB at 0.0005; of 250 GiB 0.125
AT_250_MINOR = 48
# On 12 March 29 days are left: 200 GiB × 0.35 × 29 × 12 / 365
FEE_MINOR = 6674


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=200_000)


@pytest.fixture
def prepaid(account: int, test_clock: BusinessClock) -> Instance:
    """Bought on 10 March 2026 for a month; today is the 12th."""
    no_closes()
    bought = buy_running(account, MONTHLY)
    test_clock.advance(days=2)
    return bought


def _disks(machine: Instance) -> list[Disk]:
    return list(Disk.objects.filter(instance_id=machine.id).order_by("position"))


def _asked(machine: Instance, size_gib: int, position: int = 0) -> Growth:
    return Growth([machine.public_id], _disks(machine)[position].public_id, size_gib)


def _agreed(disk: Disk) -> list[tuple[int, bool]]:
    """Sizes in the terms, and whether each holds now."""
    found = Item.objects.filter(subscription_id=disk.id).order_by("from_at")
    return [(one.quantity, one.to_at is None) for one in found]


def _stretches(disk: Disk) -> list[tuple[int, dt.datetime, dt.datetime | None]]:
    found = Segment.objects.filter(subscription_id=disk.id).order_by("started_at", "id")
    return [(one.quantity, one.started_at, one.ended_at) for one in found]


def _room_gib(machine: Instance) -> int:
    """What its host keeps for it, and that the host counts no more and no less."""
    held = Allocation.objects.get(instance_id=machine.id)
    assert Host.objects.get(id=held.host_id).disk_used_gib == held.disk_gib
    return int(held.disk_gib)


def test_a_larger_disk_is_charged_from_the_second_in_which_it_is_there(
    account: int, world: World, test_clock: BusinessClock
) -> None:
    """602 s at 0.025 and 2,998 s at 0.125 an hour: 389.80 / 3,600 = 0.10827778."""
    machine = buy_running(account)
    (disk,), hour = _disks(machine), test_clock.at
    test_clock.advance(minutes=10)
    grow_disk.grow(by(account), _asked(machine, 250))
    assert (latest(machine), _room_gib(machine)) == (("RUNNING", ACT, "OPERATING"), 250)
    assert (_disks(machine)[0].size_gib, world.grown_gib(machine.public_id)) == (50, {})
    assert purses(account)["held"] == AT_250_MINOR
    there = test_clock.advance(seconds=2)
    work()
    assert (latest(machine), world.boots(machine.public_id)) == (("RUNNING", ACT, "SUCCESS"), 1)
    assert (_disks(machine)[0].size_gib, world.grown_gib(machine.public_id)) == (250, {disk.public_id: 250})
    assert _stretches(disk) == [(50, hour, there), (250, there, None)]
    assert _agreed(disk) == [(50, False), (250, True)]
    test_clock.set(hour + HOUR)
    work()
    charge = Charge.objects.get(component="disk")
    assert (charge.duration_s, Decimal(charge.exact_e8).scaleb(-8)) == (3600, Decimal("0.10827778"))
    assert purses(account)["held"] == AT_250_MINOR
    assert Event.objects.filter(kind=ACT, subject_id=machine.id).count() == 1
    assert Event.objects.get(kind="disk_grown").detail == {"disk": disk.public_id, "old": 50, "new": 250}
    assert list(reconcile()) == []


def test_of_several_disks_one_grows(account: int, world: World) -> None:
    machine = buy_running(account, WITH_DATA)
    grow_disk.grow(by(account), _asked(machine, 30, 2))
    work()
    assert [disk.size_gib for disk in _disks(machine)] == [50, 100, 30]
    assert world.grown_gib(machine.public_id) == {_disks(machine)[2].public_id: 30}
    assert (_room_gib(machine), _agreed(_disks(machine)[1])) == (180, [(100, True)])
    assert list(reconcile()) == []


def test_the_disk_of_one_that_is_off_without_charge_is_charged_on_at_its_size(
    account: int, test_clock: BusinessClock
) -> None:
    """0.125 of it and 0.565 of its network are held."""
    machine = stopped_without_charge(account, test_clock)
    grow_disk.grow(by(account), _asked(machine, 250))
    work()
    assert (latest(machine), purses(account)["held"]) == (("STOPPED", ACT, "SUCCESS"), 69)
    assert [quantity for quantity, _, ended_at in _stretches(_disks(machine)[0]) if ended_at is None] == [250]
    assert list(reconcile()) == []


def test_one_that_fails_is_paid_for_as_before(account: int, world: World) -> None:
    machine = buy_running(account)
    grow_disk.grow(by(account), _asked(machine, 250))
    world.fail("ensure_disk_size", times=6)
    work()
    assert (latest(machine), world.grown_gib(machine.public_id)) == (("RUNNING", ACT, "FAILED"), {})
    assert now(machine).latest_operation_error.splitlines()[0] == (
        "The disk could not be made larger; it is paid for as before."
    )
    assert (_room_gib(machine), _agreed(_disks(machine)[0]), purses(account)["held"]) == (
        50, [(50, True)], HOURLY_HOLD_MINOR,
    )  # fmt: skip
    assert list(reconcile()) == []


def test_one_whose_every_answer_is_lost_is_paid_for_as_before_and_never_made_smaller(
    account: int, world: World
) -> None:
    machine = buy_running(account)
    grow_disk.grow(by(account), _asked(machine, 250))
    world.lose_answer("ensure_disk_size", times=6)
    work()
    (disk,) = _disks(machine)
    assert (latest(machine)[2], disk.size_gib, _room_gib(machine)) == ("FAILED", 50, 50)
    assert (world.grown_gib(machine.public_id), purses(account)["held"]) == ({disk.public_id: 250}, HOURLY_HOLD_MINOR)
    grow_disk.grow(by(account), _asked(machine, 60))
    work()
    assert (latest(machine)[2], _disks(machine)[0].size_gib) == ("SUCCESS", 60)
    assert world.grown_gib(machine.public_id) == {disk.public_id: 250}
    assert list(reconcile()) == []


def test_of_a_machine_that_was_ended_meanwhile_nothing_is_charged(account: int) -> None:
    machine = buy_running(account)
    grow_disk.grow(by(account), _asked(machine, 250))
    terminate.terminate(by(account), [machine.public_id])
    work()
    assert (now(machine).state, _disks(machine)[0].size_gib, _room_gib(machine)) == ("SHUTDOWN", 50, 50)
    assert _agreed(_disks(machine)[0]) == [(50, True)]
    assert list(reconcile()) == []


def test_an_hour_of_it_must_be_there() -> None:
    poor = open_purse("poor", cash_minor=47)
    machine = buy_running(poor)
    with refused(InsufficientBalance, match="¥0.48 are needed and ¥0.47 are available"), nothing_written():
        grow_disk.grow(by(poor), _asked(machine, 250))


def test_where_its_host_has_no_room_no_money_moves(account: int) -> None:
    machine = buy_running(account)
    host = Allocation.objects.get(instance_id=machine.id).host_id
    Host.objects.filter(id=host).update(disk_capacity_gib=249)
    with refused(DiskSoldOut, field="system_disk.size_gib", match="no room for 200 GiB more"), nothing_written():
        grow_disk.grow(by(account), _asked(machine, 250))
    Host.objects.filter(id=host).update(disk_capacity_gib=250)
    grow_disk.grow(by(account), _asked(machine, 250))
    assert _room_gib(machine) == 250


def test_a_program_says_that_it_knows_of_the_running_machine(account: int) -> None:
    machine = buy_running(account)
    with refused(WrongState, field="while_running", match="say ResizeOnline or ForceStop"), nothing_written():
        grow_disk.grow(by(account), _asked(machine, 250), while_running=False)
    stop.stop(by(account), [machine.public_id])
    work()
    grow_disk.grow(by(account), _asked(machine, 250), while_running=False)
    work()
    assert latest(machine) == ("STOPPED", ACT, "SUCCESS")


def _of(size_gib: int, position: int = 0, **columns: object) -> Given:
    """A machine with data disks, and what is asked of one of its disks."""

    def given(account: int) -> Growth:  # type: ignore[return-value]
        machine = buy_running(account, WITH_DATA)
        Instance.objects.filter(pk=machine.pk).update(**columns)
        return _asked(machine, size_gib, position)

    return given  # type: ignore[return-value]


def _of_another(account: int) -> Growth:
    """The disk is another machine's of the same account."""
    own, other = buy_running(account), buy_running(account)
    return Growth([own.public_id], _disks(other)[0].public_id, 250)


@pytest.mark.parametrize(
    ("given", "error", "field"),
    [
        (lambda account: Growth(["ins-00000000"], "disk-00000000", 250), UnknownInstance, "machines"),
        (_of_another, UnknownDisk, "data_disks.0.id"),
        (_of(50), OutOfRange, "system_disk.size_gib"),
        (_of(49), OutOfRange, "system_disk.size_gib"),
        (_of(0), OutOfRange, "system_disk.size_gib"),
        (_of(-1), OutOfRange, "system_disk.size_gib"),
        (_of(2049), OutOfRange, "system_disk.size_gib"),
        (_of(105, 1), OutOfRange, "data_disks.0.size_gib"),
        (_of(60, latest_operation_state="OPERATING"), Busy, "machines"),
        (_of(60, state=State.SHUTDOWN), WrongState, "machines"),
        (_of(60, state=State.STARTING), WrongState, "machines"),
    ],
)  # fmt: skip
def test_what_cannot_grow(account: int, given: object, error: type[Refused], field: str) -> None:
    asked = given(account)  # type: ignore[operator]
    for act in (lambda: grow_disk.grow(by(account), asked), lambda: grow_disk.reckon(account, asked)):
        with refused(error, field=field):
            act()


def test_two_machines_have_no_disk_together(account: int) -> None:
    first, second = buy_running(account), buy_running(account)
    with refused(InvalidParameter, field="machines", match="of one machine"):
        grow_disk.grow(by(account), replace(_asked(first, 250), public_ids=[first.public_id, second.public_id]))


def test_what_it_would_cost(account: int) -> None:
    machine = buy_running(account)
    with nothing_written():
        found = grow_disk.reckon(account, _asked(machine, 250))
    hours = Hours(Decimal("0.375"), Decimal("0.475"), HOURLY_HOLD_MINOR, AT_250_MINOR)
    assert found == grow_disk.Reckoned(hours, Decimal("0.125"))


def test_in_a_term_it_is_paid_for_when_it_is_there(account: int, prepaid: Instance, world: World) -> None:
    cash = purses(account)["cash"]
    with nothing_written():
        shown = grow_disk.reckon(account, _asked(prepaid, 250))
    assert isinstance(shown, Priced)
    (line,) = shown.lines
    assert (shown.action, shown.due_minor, line.days, line.network_minor) == ("disk", FEE_MINOR, 29, 0)
    number = UPGRADE.order(by(account), _asked(prepaid, 250), expected=shown)
    assert line_of(number) == (3, "delivering", FEE_MINOR, 0)
    assert (purses(account)["cash"], purses(account)["held"]) == (cash, FEE_MINOR)
    work()
    assert line_of(number) == (4, "delivered", FEE_MINOR, FEE_MINOR)
    assert (purses(account)["cash"], purses(account)["held"]) == (cash - FEE_MINOR, 0)
    assert (_disks(prepaid)[0].size_gib, _agreed(_disks(prepaid)[0])) == (250, [(50, False), (250, True)])
    assert renew.price(account, Renewal([prepaid.public_id])).due_minor == 20250  # 115 and 87.50
    assert list(reconcile()) == []


def test_a_program_orders_it_by_the_same_act(account: int, prepaid: Instance) -> None:
    grow_disk.grow(by(account), _asked(prepaid, 250))
    work()
    (order,) = Order.objects.filter(action="disk")
    assert (line_of(order.id), latest(prepaid)) == (
        (4, "delivered", FEE_MINOR, FEE_MINOR), ("RUNNING", ACT, "SUCCESS"),
    )  # fmt: skip


def test_in_a_term_one_that_fails_costs_nothing(account: int, prepaid: Instance, world: World) -> None:
    before = purses(account)
    number = UPGRADE.order(by(account), _asked(prepaid, 250))
    world.fail("ensure_disk_size", times=6)
    work()
    assert (line_of(number), purses(account), _room_gib(prepaid)) == ((5, "failed", FEE_MINOR, 0), before, 50)
    assert list(reconcile()) == []


def test_its_price_is_of_one_size_and_the_machine_as_it_is(account: int, prepaid: Instance) -> None:
    shown = UPGRADE.price(account, _asked(prepaid, 250))
    with refused(InvalidParameter, field="system_disk.size_gib", match="of another size"):
        UPGRADE.order(by(account), _asked(prepaid, 260), expected=shown)
    grow_disk.grow(by(account), _asked(prepaid, 60))
    work()
    with refused(InvalidParameter, field="machines", match="was changed meanwhile"):
        UPGRADE.order(by(account), _asked(prepaid, 250), expected=shown)


def test_it_can_be_ordered_and_paid_later_at_the_price_shown(
    account: int, prepaid: Instance, test_clock: BusinessClock
) -> None:
    number = UPGRADE.place(by(account), _asked(prepaid, 250))
    raise_prices(test_clock, "2")
    actions.pay(by(account), number)
    work()
    assert (line_of(number), _disks(prepaid)[0].size_gib) == ((4, "delivered", FEE_MINOR, FEE_MINOR), 250)


def test_a_return_gives_its_whole_days_left(account: int, prepaid: Instance, test_clock: BusinessClock) -> None:
    """Three days at 0.375 an hour are 27.00 of 132.50; of the upgrade 28 of 29 days."""
    Account.objects.update(free_return_used_at=START)
    grow_disk.grow(by(account), _asked(prepaid, 250))
    work()
    test_clock.advance(days=1)
    (quoted,) = return_prepaid.quote_refund(account, [prepaid.public_id])
    assert (quoted.paid_minor, quoted.refund_minor) == (MONTHLY_MINOR + FEE_MINOR, 10550 + 6444)
    terminate.terminate(by(account), [prepaid.public_id])
    work()
    assert list(reconcile()) == []


def test_a_postpaid_one_has_no_term_to_pay_for(account: int) -> None:
    machine = buy_running(account)
    with refused(WrongMode, field="machines", match="nothing was paid ahead"):
        UPGRADE.order(by(account), _asked(machine, 250))


def test_while_it_is_under_way_no_term_is_renewed(account: int, prepaid: Instance) -> None:
    UPGRADE.order(by(account), _asked(prepaid, 250))
    with refused(Busy, field="machines"):
        renew.renew(by(account), Renewal([prepaid.public_id]))
    assert Operation.objects.filter(kind=grow_disk.KIND).count() == 1
