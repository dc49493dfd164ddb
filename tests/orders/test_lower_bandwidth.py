"""Given bandwidth that is paid by the month, when a renewal brings less of it, then from the renewal's begin on."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.orders.ending import no_closes, now
from tests.orders.prepaying import prepaid_disk
from tests.support.actors import by
from tests.support.business_clock import START, BusinessClock
from tests.support.shopper import HOURLY, MONTHLY, ZONE, buy_running, go_to, open_purse, owe, pay, purses, work
from tests.support.written import nothing_written, refused
from vmart.config.reconcile import reconcile
from vmart.customers.models import Account
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel.errors import InvalidParameter, Refused
from vmart.orders import actions, bandwidth, lowering, reboot, renew, resize, return_prepaid, terminate, to_traffic
from vmart.orders.bandwidth import UPGRADE
from vmart.orders.bandwidth_by_month import Upgrade
from vmart.orders.bandwidth_window import ACT_OF_WINDOW, Window
from vmart.orders.disks import renew as disks_renew
from vmart.orders.errors import UnknownInstance, WrongMode, WrongState
from vmart.orders.models import Line, LowerBandwidth, Order
from vmart.orders.renew import Renewal
from vmart.orders.renew_flag import AUTO
from vmart.orders.resize import Resize
from vmart.pricing.errors import OutOfRange
from vmart.provisioning import zones
from vmart.subscriptions.models import Item
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

BY_MONTH = replace(MONTHLY, internet_charge_type="BANDWIDTH_PREPAID", bandwidth_mbps=5, public_ip=True)
# A month: 115 CPU and memory, 17.50 disk; of the network 2 × 20 and 3 × 25, then 2 × 20
MONTH_MINOR, LOWER_MINOR = 24750, 17250
NETWORK_MINOR, LOWER_NETWORK_MINOR = 11500, 4000
EXPIRES = dt.datetime(2026, 4, 10, 2, tzinfo=dt.UTC)
THEN = dt.datetime(2026, 5, 10, 2, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=200_000)


@pytest.fixture
def machine(account: int) -> Instance:
    """Bought on 10 March 2026 at 10:00 in Shanghai for a month, with 5 Mbps."""
    no_closes()
    return buy_running(account, BY_MONTH)


def _lower(machine: Instance, mbps: int = 2, months: int = 1) -> int:
    asked = Renewal([machine.public_id], months, bandwidth_mbps=mbps)
    number = renew.renew(by(machine.account_id), asked)
    work()
    return number


def _speeds(machine: Instance, world: World) -> tuple[int, int]:
    """That of the row, and that of the engine."""
    return now(machine).bandwidth_mbps, world.cap_mbps(machine.public_id)


def _states() -> list[tuple[str, int, dt.datetime]]:
    return list(LowerBandwidth.objects.order_by("id").values_list("state", "mbps", "from_at"))


def _due() -> list[dt.datetime]:
    return list(Operation.objects.filter(kind="lower_bandwidth").values_list("due_at", flat=True))


def _item(machine: Instance) -> tuple[int, dt.datetime]:
    item = Item.objects.get(subscription_id=machine.id, component="bandwidth", to_at=None)
    return item.quantity, item.from_at


def _renewal_minor(machine: Instance, mbps: int = 0) -> int:
    return renew.price(machine.account_id, Renewal([machine.public_id], bandwidth_mbps=mbps)).due_minor


def test_the_whole_way(account: int, machine: Instance, world: World, test_clock: BusinessClock) -> None:
    asked = Renewal([machine.public_id], bandwidth_mbps=2)
    with nothing_written():
        priced = renew.price(account, asked)
    (line,) = priced.lines
    assert (priced.due_minor, line.network_minor, line.period_from, line.period_to) == (
        LOWER_MINOR, LOWER_NETWORK_MINOR, EXPIRES, THEN,
    )  # fmt: skip
    assert [(one[0], one[2]) for one in (line.terms[0], *line.had)] == [("bandwidth", 2), ("bandwidth", 5)]
    number = renew.renew(by(account), asked, expected=priced)
    work()
    cash = 200_000 - MONTH_MINOR - LOWER_MINOR
    assert (purses(account)["cash"], Order.objects.get(id=number).status) == (cash, 4)
    assert (_speeds(machine, world), _states(), _due()) == ((5, 5), [("waiting", 2, EXPIRES)], [EXPIRES])
    go_to(test_clock, EXPIRES - SECOND)
    assert (_speeds(machine, world), _item(machine)) == ((5, 5), (5, START))
    go_to(test_clock, EXPIRES)
    assert (_speeds(machine, world), _item(machine)) == ((2, 2), (2, EXPIRES))
    assert (_states(), _due(), now(machine).state) == ([("in_force", 2, EXPIRES)], [], "RUNNING")
    assert (purses(account)["cash"], _renewal_minor(machine)) == (cash, LOWER_MINOR)
    (changed,) = Event.objects.filter(kind="bandwidth_changed")
    assert (changed.detail, changed.at) == ({"old": 5, "new": 2}, EXPIRES)
    (renewed,) = Event.objects.filter(kind="renewed")
    assert renewed.detail == {
        "until": THEN.isoformat(), "paid_minor": LOWER_MINOR, "mbps": 2, "mbps_from": EXPIRES.isoformat(),
    }  # fmt: skip
    assert list(reconcile()) == []


@pytest.mark.parametrize("term", [{"months": 1}, {"months": 3}, {"months": 12}, {"months": 0, "day": 25}])
def test_it_costs_what_a_machine_that_always_had_so_little_pays(
    account: int, machine: Instance, term: dict[str, int]
) -> None:
    pay(account, 500_000)
    control = buy_running(account, replace(BY_MONTH, bandwidth_mbps=2))
    paid = renew.price(account, Renewal([control.public_id], **term))
    lower = renew.price(account, Renewal([machine.public_id], **term, bandwidth_mbps=2))
    (one,), (other,) = paid.lines, lower.lines
    assert sorted(one.terms) == sorted(other.terms)
    assert (one.list_minor, one.amount_minor, one.network_minor, one.period_to) == (
        other.list_minor, other.amount_minor, other.network_minor, other.period_to,
    )  # fmt: skip
    for number in (Renewal([control.public_id], **term), Renewal([machine.public_id], **term, bandwidth_mbps=2)):
        before = purses(account)["cash"]
        renew.renew(by(account), number)
        assert before - purses(account)["cash"] == one.amount_minor


def test_an_upgrade_after_it_counts_from_the_lower_one(
    account: int, machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    """30 days are 0.99 months of 75 more: 74.25. Without the renewal, 5 Mbps would be had already."""
    _lower(machine)
    go_to(test_clock, EXPIRES)
    price = UPGRADE.price(account, Upgrade([machine.public_id], 5))
    assert price.due_minor == 7425
    UPGRADE.order(by(account), Upgrade([machine.public_id], 5))
    work()
    assert (_speeds(machine, world), _renewal_minor(machine)) == ((5, 5), MONTH_MINOR)


def test_a_return_after_it_counts_what_the_renewal_was_of(
    account: int, machine: Instance, test_clock: BusinessClock
) -> None:
    """A day of it: 24 × (0.35 + 0.025 + 2 × 0.063) = 12.02."""
    Account.objects.update(free_return_used_at=START)
    _lower(machine)
    go_to(test_clock, EXPIRES + dt.timedelta(days=1))
    (refund,) = return_prepaid.quote_refund(account, [machine.public_id])
    assert refund.refund_minor == LOWER_MINOR - 1202


def test_a_return_before_it_gives_the_renewal_back_whole(
    account: int, machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    """Used: a day of the first term, 24 × (0.35 + 0.025 + 5 × 0.063) = 16.56."""
    Account.objects.update(free_return_used_at=START)
    _lower(machine)
    go_to(test_clock, START + dt.timedelta(days=1))
    terminate.terminate(by(account), [machine.public_id])
    work()
    assert (_states(), _due()) == ([("withdrawn", 2, EXPIRES)], [])
    assert purses(account)["cash"] == 200_000 - 1656
    _lower(machine, 3)  # out of the bin, it has the lower one at once
    assert (_speeds(machine, world), _item(machine), _due()) == ((3, 3), (3, test_clock.at), [])
    assert now(machine).state == "RUNNING"
    assert purses(account)["cash"] == 200_000 - 1656 - LOWER_MINOR - 2500
    assert list(reconcile()) == []


def test_out_of_the_recycle_bin_it_is_lower_at_once(
    account: int, machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    go_to(test_clock, EXPIRES + dt.timedelta(days=3))
    assert now(machine).state == "SHUTDOWN"
    _lower(machine)
    assert (now(machine).state, _speeds(machine, world)) == ("RUNNING", (2, 2))
    assert (_states(), _due()) == ([("in_force", 2, EXPIRES)], [])
    assert list(reconcile()) == []


def test_it_is_renewed_again_at_the_lower_one(account: int, machine: Instance, test_clock: BusinessClock) -> None:
    """By hand before it begins, then by itself: every term after it costs the lower bandwidth."""
    _lower(machine)
    assert _renewal_minor(machine) == LOWER_MINOR
    renew.renew(by(account), Renewal([machine.public_id], 1, renew_flag=AUTO))
    assert purses(account)["cash"] == 200_000 - MONTH_MINOR - 2 * LOWER_MINOR
    go_to(test_clock, dt.datetime(2026, 6, 10, 2, tzinfo=dt.UTC))
    assert purses(account)["cash"] == 200_000 - MONTH_MINOR - 3 * LOWER_MINOR
    assert (now(machine).state, now(machine).bandwidth_mbps) == ("RUNNING", 2)
    assert list(reconcile()) == []


def test_once_in_force_it_goes_down_further(machine: Instance, world: World, test_clock: BusinessClock) -> None:
    _lower(machine, 3)
    go_to(test_clock, EXPIRES)
    _lower(machine, 1)
    go_to(test_clock, THEN)
    assert (_speeds(machine, world), _states()) == ((1, 1), [("in_force", 3, EXPIRES), ("in_force", 1, THEN)])
    assert list(reconcile()) == []


def test_several_at_once(account: int, machine: Instance, world: World, test_clock: BusinessClock) -> None:
    other = buy_running(account, replace(BY_MONTH, bandwidth_mbps=3))
    asked = Renewal([other.public_id, machine.public_id], bandwidth_mbps=2)
    shown = renew.price(account, asked)
    swapped = replace(shown, lines=tuple(reversed(shown.lines)))
    renew.renew(by(account), asked, expected=swapped)
    assert (shown.due_minor, _due()) == (2 * LOWER_MINOR, [EXPIRES, EXPIRES])
    go_to(test_clock, EXPIRES)
    assert (_speeds(machine, world), _speeds(other, world)) == ((2, 2), (2, 2))


def test_to_traffic_before_it_gives_the_bandwidth_of_both_terms_back(
    account: int, machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    """Used: 24 × 5 × 0.063 = 7.56 of 115 + 40."""
    _lower(machine)
    go_to(test_clock, START + dt.timedelta(days=1))
    to_traffic.change(by(account), [machine.public_id], 9)
    work()
    assert (_states(), _due(), _speeds(machine, world)) == ([("withdrawn", 2, EXPIRES)], [], (9, 9))
    assert purses(account)["cash"] == 200_000 - MONTH_MINOR - LOWER_MINOR + NETWORK_MINOR + LOWER_NETWORK_MINOR - 756
    go_to(test_clock, EXPIRES)
    assert (now(machine).state, _speeds(machine, world)) == ("RUNNING", (9, 9))
    assert list(reconcile()) == []


def test_to_traffic_that_is_under_way_has_the_last_word(
    account: int, machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    _lower(machine)
    go_to(test_clock, EXPIRES - SECOND)
    to_traffic.change(by(account), [machine.public_id], 9)
    Operation.objects.filter(kind="to_traffic").update(not_before=dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
    test_clock.set(EXPIRES)
    work()
    assert (_speeds(machine, world), _states()[0][0]) == ((5, 5), "waiting")
    Operation.objects.update(not_before=None)
    work()
    assert (_speeds(machine, world), _states()[0][0], _due()) == ((9, 9), "withdrawn", [])
    assert list(reconcile()) == []


def test_it_waits_for_what_is_under_way(machine: Instance, world: World, test_clock: BusinessClock) -> None:
    _lower(machine)
    go_to(test_clock, EXPIRES - SECOND)
    reboot.reboot(by(machine.account_id), [machine.public_id])
    Operation.objects.filter(kind="reboot").update(not_before=dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
    test_clock.set(EXPIRES)
    work()
    assert (_speeds(machine, world), _renewal_minor(machine)) == ((5, 5), LOWER_MINOR)
    Operation.objects.update(not_before=None)
    work()
    assert _speeds(machine, world) == (2, 2)


def test_its_engine_is_told_until_it_knows(machine: Instance, world: World, test_clock: BusinessClock) -> None:
    _lower(machine)
    world.fail("ensure_address", times=5)
    go_to(test_clock, EXPIRES)
    assert (_speeds(machine, world), _item(machine), world.armed_count()) == ((2, 2), (2, EXPIRES), 0)
    assert now(machine).latest_operation_state == "SUCCESS"


def test_a_window_that_ends_before_it_stands_beside_it(
    account: int, machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    _lower(machine)
    names = [machine.public_id]
    ACT_OF_WINDOW.order(by(account), Window(names, 9, "2026-03-12", "2026-03-21"))
    go_to(test_clock, dt.datetime(2026, 3, 12, tzinfo=dt.UTC))
    assert _speeds(machine, world) == (9, 9)
    go_to(test_clock, dt.datetime(2026, 3, 22, tzinfo=dt.UTC))
    assert _speeds(machine, world) == (5, 5)
    go_to(test_clock, EXPIRES)
    assert _speeds(machine, world) == (2, 2)
    assert list(reconcile()) == []


def test_a_window_that_is_ended_late_ends_at_the_lower_one(
    account: int, machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    _lower(machine)
    ACT_OF_WINDOW.order(by(account), Window([machine.public_id], 9, "2026-04-08", "2026-04-09"))
    go_to(test_clock, dt.datetime(2026, 4, 9, tzinfo=dt.UTC))
    Operation.objects.filter(kind="window").update(due_at=EXPIRES + SECOND)
    go_to(test_clock, EXPIRES)
    assert (_speeds(machine, world), _item(machine)) == ((9, 9), (2, EXPIRES))
    go_to(test_clock, EXPIRES + SECOND)
    assert _speeds(machine, world) == (2, 2)
    assert list(reconcile()) == []


def test_in_arrears_it_is_lower_when_its_network_is_back(
    account: int, machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    _lower(machine)
    go_to(test_clock, EXPIRES - SECOND)
    owe(account)
    go_to(test_clock, EXPIRES)
    assert (now(machine).bandwidth_mbps, _item(machine)) == (2, (2, EXPIRES))
    pay(account, 1_000)
    work()
    assert (now(machine).state, _speeds(machine, world)) == ("RUNNING", (2, 2))
    assert list(reconcile()) == []


def test_one_that_expired_before_its_timer_came_has_it_all_the_same(
    account: int, machine: Instance, test_clock: BusinessClock
) -> None:
    """Given the shop stood still for the whole renewal, then the order of what is due makes no difference."""
    _lower(machine)
    Operation.objects.filter(kind="lower_bandwidth").update(due_at=THEN + SECOND)
    go_to(test_clock, THEN)
    assert (now(machine).state, _renewal_minor(machine)) == ("SHUTDOWN", LOWER_MINOR)
    go_to(test_clock, THEN + SECOND)
    assert (now(machine).state, now(machine).bandwidth_mbps, _states()[0][0]) == ("SHUTDOWN", 2, "in_force")


def test_one_that_was_erased_meanwhile_is_left_alone(
    account: int, machine: Instance, test_clock: BusinessClock
) -> None:
    _lower(machine)
    Operation.objects.filter(kind="lower_bandwidth").update(due_at=THEN + dt.timedelta(days=30))
    go_to(test_clock, THEN + dt.timedelta(days=30))
    assert (now(machine).state, now(machine).bandwidth_mbps, _states()[0][0]) == ("GONE", 5, "withdrawn")


def test_while_it_waits_bandwidth_is_not_changed_otherwise(account: int, machine: Instance) -> None:
    _lower(machine)
    names = [machine.public_id]
    for act in (
        lambda: UPGRADE.order(by(account), Upgrade(names, 9)),
        lambda: bandwidth.change(by(account), names, 9),
        lambda: ACT_OF_WINDOW.order(by(account), Window(names, 9, "2026-04-09", "2026-04-10")),
        lambda: resize.change(by(account), names, "S5.SMALL2"),
        lambda: renew.renew(by(account), Renewal(names, bandwidth_mbps=1)),
    ):
        with refused(WrongState, field="machines", match="goes down to 2 Mbps at 2026-04-10 02:00 UTC, by a renewal"):
            act()
    resize.UPGRADE.order(by(account), Resize(names, "S5.LARGE8"))


def test_an_order_that_waits_for_its_payment_promises_nothing(
    account: int, machine: Instance, test_clock: BusinessClock
) -> None:
    number = renew.place(by(account), Renewal([machine.public_id], bandwidth_mbps=2))
    assert (_states(), _due()) == ([], [])
    actions.pay(by(account), number)
    assert (_states(), _due()) == ([("waiting", 2, EXPIRES)], [EXPIRES])
    assert Line.objects.get(order_id=number).amount_minor == LOWER_MINOR


def test_a_price_is_of_one_bandwidth(account: int, machine: Instance) -> None:
    asked = Renewal([machine.public_id], bandwidth_mbps=2)
    shown = renew.price(account, asked)
    with refused(InvalidParameter, field="bandwidth_mbps", match="another bandwidth"):
        renew.renew(by(account), replace(asked, bandwidth_mbps=1), expected=shown)
    with refused(InvalidParameter, field="machines", match="was changed meanwhile"):
        renew.renew(by(account), replace(asked, bandwidth_mbps=0), expected=shown)
    number = renew.renew(by(account), asked, expected=shown, client_token="t")
    assert renew.renew(by(account), asked, expected=shown, client_token="t") == number
    assert LowerBandwidth.objects.count() == 1


def test_a_price_of_before_an_upgrade_holds(account: int, machine: Instance) -> None:
    """What the further term is of is the same, whatever the machine has until then."""
    asked = Renewal([machine.public_id], bandwidth_mbps=2)
    shown = renew.price(account, asked)
    UPGRADE.order(by(account), Upgrade([machine.public_id], 9))
    work()
    renew.renew(by(account), asked, expected=shown)
    assert _states() == [("waiting", 2, EXPIRES)]


def test_a_disk_has_none(account: int) -> None:
    zones.check(ZONE)
    disk = prepaid_disk(account)
    with refused(InvalidParameter, field="bandwidth_mbps", match="A disk has no bandwidth"):
        disks_renew.ACT.order(by(account), Renewal([disk.public_id], bandwidth_mbps=2))


Given = Callable[[int], list[str]]


def _of(configuration: object, **columns: object) -> Given:
    def given(account: int) -> list[str]:
        machine = buy_running(account, configuration)  # type: ignore[arg-type]
        Instance.objects.filter(pk=machine.pk).update(**columns)
        return [machine.public_id]

    return given


def _with_a_window(account: int) -> list[str]:
    names = _of(BY_MONTH)(account)
    ACT_OF_WINDOW.order(by(account), Window(names, 9, "2026-04-10", "2026-04-10"))
    return names


@pytest.mark.parametrize(
    ("given", "mbps", "error", "field"),
    [
        (_of(replace(BY_MONTH, internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR")), 2, WrongMode, "machines"),
        (_of(replace(HOURLY, internet_charge_type="BANDWIDTH_POSTPAID_BY_HOUR", bandwidth_mbps=5, public_ip=True)), 2,
         WrongMode, "machines"),
        (_of(replace(BY_MONTH, public_ip=False)), 2, WrongMode, "machines"),
        (_of(BY_MONTH), 5, OutOfRange, "bandwidth_mbps"),
        (_of(BY_MONTH), 6, OutOfRange, "bandwidth_mbps"),
        (_of(BY_MONTH), -1, OutOfRange, "bandwidth_mbps"),
        (_of(replace(BY_MONTH, bandwidth_mbps=1)), 1, OutOfRange, "bandwidth_mbps"),
        (lambda account: [*_of(BY_MONTH)(account), *_of(replace(BY_MONTH, bandwidth_mbps=2))(account)], 2, OutOfRange,
         "bandwidth_mbps"),
        (_with_a_window, 2, WrongState, "machines"),
        (lambda account: ["ins-00000000"], 2, UnknownInstance, "machines"),
    ],
)  # fmt: skip
def test_what_is_refused_changes_nothing(
    account: int, given: Given, mbps: int, error: type[Refused], field: str
) -> None:
    asked = Renewal(given(account), bandwidth_mbps=mbps)
    with refused(error, field=field):
        renew.renew(by(account), asked)
    with refused(error, field=field):
        renew.price(account, asked)
    with refused(error, field=field):
        renew.place(by(account), asked)


def test_nothing_waits_for_a_machine_that_asked_for_none(machine: Instance) -> None:
    renew.renew(by(machine.account_id), Renewal([machine.public_id]))
    assert (lowering.of(machine.id), _due()) == (None, [])
