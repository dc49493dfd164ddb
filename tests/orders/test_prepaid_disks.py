"""Given a disk with a life of its own that is paid ahead, then its term is as a machine's: bought, used, ended."""

import datetime as dt
from dataclasses import replace

import pytest

from tests.orders.prepaying import MONTH_MINOR, SSD, lines, prepaid_disk, term
from tests.orders.test_own_disks import again, latest
from tests.support import quotas
from tests.support.actors import by
from tests.support.business_clock import START, BusinessClock
from tests.support.shopper import MONTHLY, ZONE, buy_running, go_to, open_purse, owe, purses, work
from tests.support.written import nothing_written, refused
from vmart.bills.models import Charge
from vmart.config.reconcile import reconcile
from vmart.customers.models import Account
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.kernel import clock
from vmart.kernel.clock import UTC
from vmart.kernel.errors import InvalidParameter, InvalidValue, LimitExceeded, MissingParameter
from vmart.metering.models import Segment
from vmart.orders import errors
from vmart.orders import terminate as of_machines
from vmart.orders.disks import give_back
from vmart.orders.disks.attach import attach
from vmart.orders.disks.attributes import modify
from vmart.orders.disks.create import create, price
from vmart.orders.disks.detach import detach
from vmart.orders.disks.resize import reckon, resize
from vmart.orders.disks.terminate import terminate
from vmart.orders.models import Order
from vmart.placement.models import Allocation
from vmart.pricing.errors import PeriodNotSold
from vmart.pricing.priced import Priced
from vmart.provisioning import zones
from vmart.storage.models import Disk
from vmart.subscriptions.models import Subscription
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

YEAR_OF_20_MINOR = 24_000  # 20 × 1.00 × 12
EXPIRY = dt.datetime(2026, 4, 10, 2, tzinfo=UTC)
LEAVES_BIN = dt.datetime(2026, 4, 17, 16, tzinfo=UTC)  # 00:00 of the 18th in Shanghai: the first not before 7 × 24 h


@pytest.fixture
def account() -> int:
    zones.check(ZONE)
    return open_purse(cash_minor=100_000)


def test_its_term_is_paid_when_it_is_there_and_begins_then(account: int, test_clock: BusinessClock) -> None:
    cost = price(account, SSD)
    assert (cost.hourly, cost.hold_minor, cost.listed_minor) == (None, MONTH_MINOR, MONTH_MINOR)
    (public_id,) = create(by(account), SSD)
    disk = Disk.objects.get(public_id=public_id)
    assert (purses(account)["held"], purses(account)["cash"]) == (MONTH_MINOR, 100_000)
    assert (latest(disk)[0], again(disk).subscription.standing, term(disk)) == ("CREATING", "pending", (None, None))
    assert list(reconcile()) == []
    test_clock.advance(seconds=90)
    work()
    assert (purses(account)["held"], purses(account)["cash"]) == (0, 100_000 - MONTH_MINOR)
    assert (latest(disk), again(disk).subscription.charge_type) == (("UNATTACHED", "CreateDisks", "SUCCESS"), "PREPAID")
    begun = START + dt.timedelta(seconds=90)
    assert term(disk) == (begun, EXPIRY + dt.timedelta(seconds=90))
    assert lines(disk) == [("buy_disk", "delivered", MONTH_MINOR, 0)]
    order = Order.objects.get()
    assert (order.status, order.charge_type, order.total_minor, order.count) == (4, "PREPAID", MONTH_MINOR, 1)
    assert sorted(Operation.objects.filter(subject_kind="disk").values_list("kind", flat=True)) == ["expire", "term"]
    test_clock.set(begun.replace(minute=0, second=0) + dt.timedelta(hours=1))
    work()
    assert (Segment.objects.count(), Charge.objects.count()) == (0, 0)
    assert list(reconcile()) == []


def test_several_are_lines_of_one_order_and_one_that_is_not_made_is_not_paid(account: int, world: World) -> None:
    create(by(account), replace(SSD, count=2, months=12, disk=replace(SSD.disk, size_gib=20)))
    assert purses(account)["held"] == 2 * YEAR_OF_20_MINOR
    failed, made = Disk.objects.order_by("id")
    Operation.objects.filter(subject_id=made.id).update(not_before=clock.wall() + dt.timedelta(hours=1))
    world.fail("ensure_volume", times=6)
    work()
    assert (purses(account)["held"], Order.objects.get().status) == (YEAR_OF_20_MINOR, 3)
    Operation.objects.update(not_before=None)
    work()
    assert (latest(failed)[0], latest(made)[0]) == ("FAILED", "UNATTACHED")
    assert (lines(failed), lines(made)) == (
        [("buy_disk", "failed", YEAR_OF_20_MINOR, 0)], [("buy_disk", "delivered", YEAR_OF_20_MINOR, 0)],
    )  # fmt: skip
    assert (purses(account)["held"], Order.objects.get().status) == (0, 4)
    assert term(made)[1] == EXPIRY.replace(year=2027, month=3)
    assert list(reconcile()) == []


@pytest.mark.parametrize(
    ("what", "error", "field"),
    [
        ({"months": 0}, MissingParameter, "months"),
        ({"months": 13}, PeriodNotSold, "months"),
        ({"renew_flag": "ALWAYS"}, InvalidValue, "renew_flag"),
        ({"charge_type": "POSTPAID_BY_HOUR"}, InvalidParameter, "months"),
        ({"months": 12, "disk": replace(SSD.disk, size_gib=1000)}, errors.InsufficientBalance, None),
    ],
)
def test_what_is_not_sold_is_refused(
    account: int, what: dict[str, object], error: type[errors.Refused], field: str | None
) -> None:
    with refused(error, field=field), nothing_written():
        create(by(account), replace(SSD, **what))  # type: ignore[arg-type]


def test_at_its_expiry_it_is_taken_off_its_machine_and_after_seven_days_erased(
    account: int, test_clock: BusinessClock, world: World
) -> None:
    machine, disk = buy_running(account), prepaid_disk(account)
    attach(by(account), machine.public_id, [disk.public_id])
    work()
    cash = purses(account)["cash"]
    go_to(test_clock, EXPIRY - dt.timedelta(seconds=1))
    assert latest(disk)[0] == "ATTACHED"
    go_to(test_clock, EXPIRY)
    assert (latest(disk), again(disk).instance_id) == (("TORECYCLE", "IsolateDisks", "SUCCESS"), None)
    agreed = again(disk).subscription
    assert (agreed.standing, agreed.isolated_source, agreed.isolated_at, agreed.release_at) == (
        "isolated", "EXPIRE", EXPIRY, LEAVES_BIN,
    )  # fmt: skip
    seen = world.volume(disk.public_id)
    assert (seen and seen[2], Allocation.objects.filter(instance_id=disk.id).count()) == ("", 1)
    go_to(test_clock, LEAVES_BIN - dt.timedelta(seconds=1))
    assert latest(disk)[0] == "TORECYCLE"
    go_to(test_clock, LEAVES_BIN)
    assert (latest(disk)[0], world.volume(disk.public_id), purses(account)["cash"]) == ("GONE", None, cash)
    told = Event.objects.filter(subject_id=disk.id).exclude(kind="expires_soon").order_by("id")
    assert list(told.values_list("kind", flat=True)) == [
        "CreateDisks", "disk_made", "AttachDisks", "disk_attached", "expired", "released",
    ]  # fmt: skip
    assert list(reconcile()) == []


def test_from_its_expiry_on_nothing_is_done_to_it(account: int, test_clock: BusinessClock) -> None:
    """Its isolation is late: none of these puts it off."""
    machine, disk = buy_running(account), prepaid_disk(account)
    test_clock.set(EXPIRY)
    for act in (
        lambda: attach(by(account), machine.public_id, [disk.public_id]),
        lambda: resize(by(account), disk.public_id, 200),
        lambda: terminate(by(account), [disk.public_id]),
        lambda: give_back.quote_refund(account, [disk.public_id]),
    ):
        with refused(errors.DiskExpired, field="disks", code="InvalidDisk.Expire"), nothing_written():
            act()
    Disk.objects.filter(pk=disk.pk).update(state="ATTACHED", instance_id=machine.id, position=5)
    with refused(errors.DiskExpired, field="disks"), nothing_written():
        detach(by(account), [disk.public_id])


def test_an_expiry_waits_for_what_is_under_way(account: int, test_clock: BusinessClock) -> None:
    machine, disk = buy_running(account), prepaid_disk(account)
    test_clock.set(EXPIRY - dt.timedelta(seconds=1))
    attach(by(account), machine.public_id, [disk.public_id])
    Operation.objects.filter(kind="attach_disk").update(due_at=EXPIRY + dt.timedelta(seconds=5))
    test_clock.set(EXPIRY)
    work()
    assert latest(disk) == ("ATTACHING", "AttachDisks", "OPERATING")
    test_clock.set(EXPIRY + dt.timedelta(seconds=5))
    for _ in range(2):
        Operation.objects.update(not_before=None)
        work()
    assert (latest(disk)[0], again(disk).subscription.isolated_at) == ("TORECYCLE", EXPIRY)
    assert list(reconcile()) == []


# Returns --------------------------------------------------------------------------------------------------------------


def test_the_first_return_within_five_days_gives_everything_back(account: int, test_clock: BusinessClock) -> None:
    """One an account, of disks and machines together."""
    first, second = prepaid_disk(account, months=3), prepaid_disk(account)
    test_clock.set(START + dt.timedelta(days=5))
    (quoted,) = give_back.quote_refund(account, [first.public_id])
    assert (quoted.refund_minor, quoted.first_free) == (3 * MONTH_MINOR, True)
    before = purses(account)["cash"]
    terminate(by(account), [first.public_id])
    assert purses(account)["cash"] - before == 3 * MONTH_MINOR
    (quoted,) = give_back.quote_refund(account, [second.public_id])
    # 120 hours at 0.14
    assert (quoted.refund_minor, quoted.first_free) == (MONTH_MINOR - 1680, False)
    assert Account.objects.get(id=account).free_return_used_at == test_clock.at


def test_an_ordinary_return_gives_back_what_is_not_used(account: int, test_clock: BusinessClock, world: World) -> None:
    """Two of three months paid; a month and 10 h 30 min are used: 300.00 − 100.00 − 10.5 × 0.14."""
    Account.objects.filter(id=account).update(free_return_used_at=START)
    disk = prepaid_disk(account, months=3)
    test_clock.set(EXPIRY + dt.timedelta(hours=10, minutes=30))
    before, now = purses(account)["cash"], test_clock.at
    terminate(by(account), [disk.public_id])
    assert purses(account)["cash"] - before == 30_000 - 10_000 - 147
    work()
    agreed = again(disk).subscription
    assert (latest(disk), agreed.isolated_source, term(disk)) == (
        ("TORECYCLE", "TerminateDisks", "SUCCESS"), "MANMADE", (now, now),
    )  # fmt: skip
    assert agreed.release_at == LEAVES_BIN
    assert lines(disk) == [("buy_disk", "returned", 30_000, 19_853)]
    assert not Operation.objects.filter(kind__in=["expire", "term"], subject_id=disk.id).exists()
    assert list(reconcile()) == []
    terminate(by(account), [disk.public_id])
    work()
    assert (latest(disk)[0], world.volume(disk.public_id)) == ("GONE", None)
    assert list(reconcile()) == []


def test_prepaid_and_postpaid_ones_end_together(account: int, test_clock: BusinessClock) -> None:
    prepaid = prepaid_disk(account)
    (postpaid,) = create(by(account), replace(SSD, charge_type="POSTPAID_BY_HOUR", months=0))
    work()
    test_clock.advance(minutes=30)
    terminate(by(account), [postpaid, prepaid.public_id])
    work()
    assert set(Disk.objects.values_list("state", flat=True)) == {"TORECYCLE"}
    kinds = Event.objects.filter(kind__in=["returned", "terminated"]).order_by("kind")
    assert list(kinds.values_list("kind", flat=True)) == ["returned", "terminated"]
    assert list(reconcile()) == []


def test_what_cannot_be_returned(account: int) -> None:
    machine, disk = buy_running(account), prepaid_disk(account)
    (postpaid,) = create(by(account), replace(SSD, charge_type="POSTPAID_BY_HOUR", months=0))
    work()
    with refused(errors.NotPrepaid, field="disks", code="ResourceUnavailable.NotSupportRefund"):
        give_back.quote_refund(account, [postpaid])
    attach(by(account), machine.public_id, [disk.public_id])
    work()
    with refused(errors.DiskAttached, field="disks"):
        terminate(by(account), [disk.public_id])
    detach(by(account), [disk.public_id])
    work()
    quotas.one(account, returns_per_year=0)
    with refused(LimitExceeded, field="disks", code="ResourceInsufficient.OverRefundQuota"), nothing_written():
        terminate(by(account), [disk.public_id])


# Larger ---------------------------------------------------------------------------------------------------------------


def test_a_larger_one_costs_the_rest_of_the_term(account: int, test_clock: BusinessClock, world: World) -> None:
    """29 days are left: 150 × 1.00 × 29 × 12 / 365 = 143.01; its return gives back 28 of 29 days a day later."""
    disk = prepaid_disk(account)
    test_clock.advance(days=2)
    (cost,) = reckon(account, [disk.public_id], 250)
    assert isinstance(cost, Priced)
    assert cost.due_minor == 14_301
    before = purses(account)["cash"]
    resize(by(account), disk.public_id, 250)
    assert (purses(account)["held"], latest(disk)) == (14_301, ("UNATTACHED", "ResizeDisk", "OPERATING"))
    work()
    assert (again(disk).size_gib, before - purses(account)["cash"], purses(account)["held"]) == (250, 14_301, 0)
    seen = world.volume(disk.public_id)
    assert (seen and seen[0], lines(disk)[1]) == (250, ("grow_own_disk", "delivered", 14_301, 0))
    assert list(reconcile()) == []
    Account.objects.filter(id=account).update(free_return_used_at=START)
    test_clock.advance(days=1)
    (quoted,) = give_back.quote_refund(account, [disk.public_id])
    # 72 h of 100 GiB at 0.14, and of the upgrade 28 of 29 days
    assert quoted.refund_minor == MONTH_MINOR - 1008 + 13_808


def test_one_that_does_not_grow_costs_nothing(account: int, world: World) -> None:
    disk = prepaid_disk(account)
    resize(by(account), disk.public_id, 250)
    world.fail("ensure_volume", times=6)
    work()
    assert (again(disk).size_gib, purses(account)["held"], lines(disk)[1][:2]) == (
        100, 0, ("grow_own_disk", "failed"),
    )  # fmt: skip
    assert (Order.objects.latest("id").status, latest(disk)[2]) == (5, "FAILED")
    assert Allocation.objects.get(instance_id=disk.id).disk_gib == 100
    assert list(reconcile()) == []


def test_a_larger_one_must_be_paid_for(account: int) -> None:
    disk = prepaid_disk(account)
    owe(account, 1)
    with refused(errors.InsufficientBalance), nothing_written():
        resize(by(account), disk.public_id, 110)


# Beside machines ------------------------------------------------------------------------------------------------------


def test_arrears_leave_it_where_it_is(account: int, test_clock: BusinessClock) -> None:
    machine, disk = buy_running(account, MONTHLY), prepaid_disk(account)
    attach(by(account), machine.public_id, [disk.public_id])
    work()
    owe(account)
    work()
    assert (latest(disk)[0], again(disk).subscription.standing) == ("ATTACHED", "active")


def test_it_stays_when_its_machine_ends(account: int) -> None:
    machine, disk = buy_running(account), prepaid_disk(account)
    with refused(errors.NotPostpaid, field="disks", match="ends with its own term"), nothing_written():
        attach(by(account), machine.public_id, [disk.public_id], ends_with_machine=True)
    with refused(errors.NotPostpaid, field="disks"), nothing_written():
        modify(by(account), [disk.public_id], ends_with_machine=True)
    attach(by(account), machine.public_id, [disk.public_id])
    work()
    for _ in range(2):
        of_machines.terminate(by(account), [machine.public_id])
        work()
    assert (latest(disk)[0], again(disk).instance_id) == ("UNATTACHED", None)
    assert list(reconcile()) == []


def test_a_term_that_nobody_paid_is_found(account: int) -> None:
    """The control: the books would tell."""
    disk = prepaid_disk(account)
    assert list(reconcile()) == []
    Subscription.objects.filter(pk=disk.pk).update(expires_at=EXPIRY + dt.timedelta(days=1))
    (found,) = reconcile()
    assert "paid until another instant" in str(found)
    assert disk.public_id in str(found)
