"""Given machines stopped for arrears, when money comes in by whatever way, then they may start as before."""

import datetime as dt
import uuid
from dataclasses import replace

import pytest

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import (
    HOURLY,
    HOURLY_HOLD_MINOR,
    MONTHLY,
    MONTHLY_MINOR,
    buy_running,
    go_to,
    open_purse,
    owe,
    parts,
    pay,
    purses,
    work,
)
from tests.support.written import refused
from vmart.bills.models import Charge
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.kernel.clock import HOUR
from vmart.ledger.models import Hold, Transfer
from vmart.metering.models import Segment
from vmart.network.models import PublicAddress
from vmart.orders import credit, end_arrears, open_account, start, terminate
from vmart.orders.errors import InsufficientBalance
from vmart.placement.models import Allocation
from vmart.settlement import close
from vmart.worker import loop, queue
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("shop")

DISK_HOLD_MINOR = 3  # 50 × 0.0005, half-up
ONLINE = replace(HOURLY, internet_charge_type="BANDWIDTH_POSTPAID_BY_HOUR", bandwidth_mbps=6, public_ip=True)


def _used_up(test_clock: BusinessClock, cash_minor: int = HOURLY_HOLD_MINOR) -> tuple[int, Instance]:
    """A machine whose second hour could not be paid: the account owes a part of it."""
    close.begin(test_clock.at)
    account = open_purse(cash_minor=cash_minor)
    machine = buy_running(account)
    for _ in range(2):
        start_of_hour = test_clock.at
        test_clock.advance(hours=1)
        close.close(start_of_hour)
    assert purses(account)["owed"] > 0
    return account, machine


def _in_arrears(test_clock: BusinessClock) -> tuple[int, Instance]:
    """The same, stopped two hours after the deduction, the engine's part done."""
    account, machine = _used_up(test_clock)
    test_clock.advance(hours=2)
    work()
    machine.refresh_from_db()
    assert (machine.state, machine.subscription.isolated_source, machine.latest_operation_state) == (
        "SHUTDOWN",
        "ARREAR",
        "SUCCESS",
    )
    return account, machine


def _top_up(account: int, amount_minor: int, transfer: uuid.UUID | None = None) -> bool:
    with db.act():
        return credit.credit(transfer or uuid.uuid4(), "top_up", account, "card", cash_minor=amount_minor)


def test_a_top_up_that_covers_its_disks_sets_an_hour_of_them_aside(test_clock: BusinessClock) -> None:
    account, machine = _in_arrears(test_clock)
    pay(account, purses(account)["owed"] + DISK_HOLD_MINOR)
    machine.refresh_from_db()
    assert purses(account) == {"cash": 3, "gift": 0, "owed": 0, "held": 3, "available": 0}
    assert (machine.state, machine.subscription.standing) == ("STOPPED", "active")
    assert machine.subscription.isolated_source == "NOTISOLATED"
    assert (machine.subscription.isolated_at, machine.subscription.release_at, machine.subscription.arrears_since) == (
        None,
        None,
        None,
    )
    assert not Operation.objects.filter(kind__in=["release", "arrears"]).exists()
    assert Event.objects.filter(subject_kind="machine", subject_id=machine.id, kind="arrears_ended").count() == 1
    disk = Segment.objects.get(subscription_id__in=parts(machine), ended_at=None)
    assert (disk.component, disk.started_at) == ("disk", test_clock.at)
    assert list(reconcile()) == []


@pytest.mark.parametrize("short", [DISK_HOLD_MINOR, 1])
def test_paying_what_is_owed_brings_it_back_with_the_hold_that_there_is(test_clock: BusinessClock, short: int) -> None:
    """Given a top-up to zero or a little more, then it is back; a start takes the full hold or says what lacks."""
    account, machine = _in_arrears(test_clock)
    pay(account, purses(account)["owed"] + DISK_HOLD_MINOR - short)
    machine.refresh_from_db()
    assert (machine.state, machine.subscription.standing, machine.subscription.release_at) == (
        "STOPPED",
        "active",
        None,
    )
    left = DISK_HOLD_MINOR - short
    assert purses(account) == {"cash": left, "gift": 0, "owed": 0, "held": left, "available": 0}
    assert list(Segment.objects.filter(ended_at=None).values_list("component", flat=True)) == ["disk"]
    assert not Operation.objects.filter(kind__in=["release", "arrears"]).exists()
    assert list(reconcile()) == []
    with refused(InsufficientBalance, match=f"¥0.38 are needed and ¥0.0{left} are available"):
        start.start(by(account), [machine.public_id])
    pay(account, HOURLY_HOLD_MINOR - left)
    start.start(by(account), [machine.public_id])
    work()
    machine.refresh_from_db()
    assert (machine.state, purses(account)["held"]) == ("RUNNING", HOURLY_HOLD_MINOR)
    assert list(reconcile()) == []


def test_what_its_disks_cost_after_that_brings_arrears_again(test_clock: BusinessClock) -> None:
    """Given money for what was owed and no more, then nothing is free: a new debt, two hours, a stop, 15 days."""
    account, machine = _in_arrears(test_clock)
    work()
    pay(account, purses(account)["owed"])
    paid = test_clock.at
    go_to(test_clock, paid + HOUR)
    disk = Charge.objects.filter(component="disk").latest("hour")
    assert (disk.hour, disk.duration_s, disk.exact_e8) == (paid, 3600, 2_500_000)
    assert (purses(account)["owed"], purses(account)["held"]) == (3, 0)
    go_to(test_clock, paid + 3 * HOUR)
    machine.refresh_from_db()
    assert (machine.state, machine.subscription.isolated_source) == ("SHUTDOWN", "ARREAR")
    assert machine.subscription.release_at == paid + 3 * HOUR + dt.timedelta(days=15)
    assert list(reconcile()) == []


def test_of_several_those_bought_first_have_their_holds_first(test_clock: BusinessClock) -> None:
    close.begin(test_clock.at)
    account = open_purse(cash_minor=1000)
    machines = [buy_running(account) for _ in range(3)]
    owe(account)
    work()
    pay(account, 100 + DISK_HOLD_MINOR + 1)
    rows = list(Instance.objects.order_by("id"))
    assert [row.state for row in rows] == ["STOPPED"] * 3
    held = dict(Hold.objects.filter(state="pending").values_list("id", "floating_minor"))
    assert [held[row.subscription.hold_id] for row in rows] == [DISK_HOLD_MINOR, 1, 0]
    assert purses(account) == {"cash": 4, "gift": 0, "owed": 0, "held": 4, "available": 0}
    assert not Operation.objects.filter(kind="release").exists()
    assert [row.id for row in rows] == [machine.id for machine in machines]
    assert list(reconcile()) == []


def test_after_arrears_it_is_as_one_stopped_without_charge(test_clock: BusinessClock) -> None:
    """Disk and by-bandwidth network are charged from the top-up on, under their hold; the address is anybody's."""
    close.begin(test_clock.at)
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, ONLINE)
    address = machine.public_ip
    test_clock.advance(minutes=30)
    owe(account)
    work()
    machine.refresh_from_db()
    assert machine.public_ip == address
    test_clock.advance(minutes=20)
    pay(account, 10_000)
    machine.refresh_from_db()
    assert (machine.state, machine.stop_charging_mode, machine.public_ip) == ("STOPPED", "STOP_CHARGING", None)
    assert PublicAddress.objects.values_list("instance_id", "free_since").get(ip=address) == (None, test_clock.at)
    assert purses(account)["held"] == 59  # 0.025 + 0.565
    assert Allocation.objects.values_list("vcpu", "memory_mib", "disk_gib").get() == (0, 0, 50)
    assert list(reconcile()) == []
    begin = clock.hour_start(test_clock.at)
    for hour in range(2):
        test_clock.set(begin + (hour + 1) * HOUR)
        close.close(begin + hour * HOUR)
    charged = Charge.objects.order_by("hour", "component").values_list("component", "duration_s")
    assert list(charged) == [
        ("bandwidth", 2400), ("cpu", 1800), ("disk", 2400), ("bandwidth", 3600), ("disk", 3600),
    ]  # fmt: skip
    start.start(by(account), [machine.public_id])
    work()
    machine.refresh_from_db()
    assert (machine.state, purses(account)["held"]) == ("RUNNING", 94)
    assert machine.public_ip is not None
    assert list(reconcile()) == []


def test_its_address_is_free_when_the_power_off_that_was_under_way_has_ended(test_clock: BusinessClock) -> None:
    close.begin(test_clock.at)
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, ONLINE)
    owe(account)
    owner = uuid.uuid4()
    for operation in queue.claim(owner, [""], 30, 10):  # timers and money; the zone's lane comes later
        loop.work(STEPS, [operation], owner)
    pay(account, 1000)
    machine.refresh_from_db()
    assert (machine.state, machine.latest_operation_state) == ("STOPPED", "OPERATING")
    assert PublicAddress.objects.get(instance_id=machine.id).ip == machine.public_ip  # the engine leads there still
    work()
    machine.refresh_from_db()
    assert (machine.latest_operation_state, machine.public_ip) == ("SUCCESS", None)
    assert not PublicAddress.objects.filter(instance_id=machine.id).exists()
    assert list(reconcile()) == []


def test_one_cent_less_ends_nothing(test_clock: BusinessClock) -> None:
    account, machine = _in_arrears(test_clock)
    before = Instance.objects.filter(id=machine.id).values().get()
    _top_up(account, purses(account)["owed"] - 1)
    assert Instance.objects.filter(id=machine.id).values().get() == before
    assert Operation.objects.filter(kind="release").count() == 1
    assert purses(account)["owed"] == 1


def test_it_starts_again_with_a_full_hold(test_clock: BusinessClock) -> None:
    account, machine = _in_arrears(test_clock)
    _top_up(account, purses(account)["owed"] + HOURLY_HOLD_MINOR - 1)
    with pytest.raises(InsufficientBalance):
        start.start(by(account), [machine.public_id])
    _top_up(account, 1)
    start.start(by(account), [machine.public_id])
    work()
    machine.refresh_from_db()
    assert machine.state == "RUNNING"
    assert purses(account)["held"] == HOURLY_HOLD_MINOR
    assert Segment.objects.filter(subscription_id__in=parts(machine), ended_at=None, started_at=test_clock.at).exists()


def test_the_release_that_was_due_does_not_come(test_clock: BusinessClock) -> None:
    account, machine = _in_arrears(test_clock)
    _top_up(account, 1000)  # also pays the two hours before the stop, which are closed later
    test_clock.advance(days=16)
    work()
    machine.refresh_from_db()
    assert machine.state == "STOPPED"


def test_a_machine_that_is_being_released_stays_so(test_clock: BusinessClock) -> None:
    account, machine = _in_arrears(test_clock)
    terminate.terminate(by(account), [machine.public_id])
    _top_up(account, 100)
    machine.refresh_from_db()
    assert machine.state == "TERMINATING"
    work()
    machine.refresh_from_db()
    assert machine.state == "GONE"


def test_before_its_power_off_has_ended_it_is_busy_and_then_not(test_clock: BusinessClock) -> None:
    account, machine = _used_up(test_clock)
    test_clock.advance(hours=2)
    owner = uuid.uuid4()
    for operation in queue.claim(owner, [""], 30, 10):  # timers and money; the zone's lane comes later
        loop.work(STEPS, [operation], owner)
    assert Instance.objects.get().latest_operation_state == "OPERATING"
    _top_up(account, 1000)
    machine.refresh_from_db()
    assert (machine.state, machine.latest_operation_state) == ("STOPPED", "OPERATING")
    work()
    machine.refresh_from_db()
    assert (machine.state, machine.latest_operation_state) == ("STOPPED", "SUCCESS")


def test_the_two_hours_begin_anew_with_the_next_arrears(test_clock: BusinessClock) -> None:
    """Given a top-up within the two hours, when the money ends again, then two hours run from that deduction."""
    account, machine = _used_up(test_clock)
    first = Operation.objects.get(kind="arrears").due_at
    test_clock.advance(minutes=90)
    _top_up(account, purses(account)["owed"])
    assert not Operation.objects.filter(kind="arrears").exists()
    close.close(first - 2 * HOUR)  # the hour in which it was topped up
    assert Operation.objects.get(kind="arrears").due_at == test_clock.at + 2 * HOUR > first
    test_clock.set(first + dt.timedelta(minutes=5))
    work()
    machine.refresh_from_db()
    assert machine.state == "RUNNING"


def test_a_grant_ends_arrears_too(test_clock: BusinessClock) -> None:
    account, machine = _in_arrears(test_clock)
    assert open_account.grant(account, 1000, "sorry")
    machine.refresh_from_db()
    assert machine.state == "STOPPED"


def test_a_refund_ends_arrears_too(test_clock: BusinessClock) -> None:
    close.begin(test_clock.at)
    account = open_purse(cash_minor=MONTHLY_MINOR)
    prepaid = buy_running(account, MONTHLY)
    _top_up(account, HOURLY_HOLD_MINOR)
    hourly = buy_running(account, HOURLY)
    for _ in range(2):
        start_of_hour = test_clock.at
        test_clock.advance(hours=1)
        close.close(start_of_hour)
    test_clock.advance(hours=2)
    work()
    hourly.refresh_from_db()
    assert hourly.subscription.isolated_source == "ARREAR"
    terminate.terminate(by(account), [prepaid.public_id])
    hourly.refresh_from_db()
    assert (hourly.state, hourly.subscription.isolated_source) == ("STOPPED", "NOTISOLATED")


def test_a_repeated_credit_is_one(test_clock: BusinessClock) -> None:
    account = open_purse()
    transfer = uuid.uuid4()
    assert _top_up(account, 500, transfer) is True
    assert _top_up(account, 500, transfer) is False
    assert purses(account)["cash"] == 500
    assert Transfer.objects.count() == 1


@pytest.mark.parametrize(
    "verb", [end_arrears.end, lambda account: credit.credit(uuid.uuid4(), "t", account, "card", cash_minor=1)]
)
def test_both_belong_into_an_act(verb: object) -> None:
    account = open_purse()
    with pytest.raises(db.TransactionRequired):
        verb(account)  # type: ignore[operator]
    assert not Transfer.objects.exists()
    assert not Hold.objects.exists()
