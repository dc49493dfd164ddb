"""Given disks with a life of their own, when they are renewed, renew themselves or are paid ahead, then as machines."""

import datetime as dt
from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.orders.prepaying import MONTH_MINOR, SSD, lines, prepaid_disk, term
from tests.orders.test_own_disks import again, latest
from tests.support.actors import by
from tests.support.business_clock import START, BusinessClock
from tests.support.shopper import HOURLY, MONTHLY, ZONE, buy_running, go_to, open_purse, owe, pay, purses, work
from tests.support.written import nothing_written, refused
from vmart.bills.models import Charge
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel.clock import HOUR, UTC
from vmart.kernel.errors import InvalidParameter, InvalidValue, MissingParameter, Refused
from vmart.metering.models import Segment
from vmart.orders import actions, errors, renew_flag
from vmart.orders import renew as of_machine
from vmart.orders import terminate as of_machines
from vmart.orders.convert import Conversion
from vmart.orders.disks import align, convert, renew
from vmart.orders.disks.attach import attach
from vmart.orders.disks.create import create
from vmart.orders.disks.resize import resize
from vmart.orders.disks.terminate import terminate
from vmart.orders.models import Order
from vmart.orders.renew import Renewal
from vmart.pricing.errors import PeriodNotSold
from vmart.provisioning import zones
from vmart.storage.models import Disk
from vmart.subscriptions.models import Subscription
from vmart.worker.loop import run_until_idle
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

DAY = dt.timedelta(days=1)
EXPIRY = dt.datetime(2026, 4, 10, 2, tzinfo=UTC)
MIDNIGHT = dt.datetime(2026, 4, 9, 16, tzinfo=UTC)  # of the expiry's day in Shanghai


@pytest.fixture
def account() -> int:
    zones.check(ZONE)
    return open_purse(cash_minor=100_000)


def _postpaid(account: int) -> Disk:
    (public_id,) = create(by(account), replace(SSD, charge_type="POSTPAID_BY_HOUR", months=0))
    work()
    return again(Disk.objects.get(public_id=public_id))


# Renewal --------------------------------------------------------------------------------------------------------------


def test_a_renewal_goes_on_from_the_old_expiry(account: int) -> None:
    disk, other = prepaid_disk(account), prepaid_disk(account, months=2)
    asked = Renewal([disk.public_id, other.public_id], 3, renew_flag=renew_flag.SILENT)
    before = purses(account)["cash"]
    assert renew.ACT.price(account, asked).due_minor == 2 * 3 * MONTH_MINOR
    renew.ACT.order(by(account), asked)
    assert before - purses(account)["cash"] == 6 * MONTH_MINOR
    assert (term(disk), term(other)) == (
        (START, EXPIRY.replace(month=7)), (START, EXPIRY.replace(month=8)),
    )  # fmt: skip
    assert again(disk).subscription.renew_flag == "DISABLE_NOTIFY_AND_MANUAL_RENEW"
    assert lines(disk) == [
        ("buy_disk", "delivered", MONTH_MINOR, 0), ("renew_disk", "delivered", 3 * MONTH_MINOR, 0),
    ]  # fmt: skip
    due = dict(Operation.objects.filter(kind="expire").values_list("subject_id", "due_at"))
    assert due == {disk.id: EXPIRY.replace(month=7), other.id: EXPIRY.replace(month=8)}
    assert list(reconcile()) == []


def test_to_a_unified_day_days_over_cost_a_thirtieth_each(account: int) -> None:
    """From 10 April to 25 May: a month, and 15 days at 100.00 / 30."""
    disk = prepaid_disk(account)
    before = purses(account)["cash"]
    renew.ACT.order(by(account), Renewal([disk.public_id], 0, 25))
    assert (before - purses(account)["cash"], term(disk)[1]) == (15_000, dt.datetime(2026, 5, 25, 2, tzinfo=UTC))


def _with_machine(account: int, months: int = 3) -> tuple[Instance, Disk]:
    """A machine for some months, and a disk for one, attached to it, both bought at START."""
    machine = buy_running(account, replace(MONTHLY, period_months=months))
    disk = prepaid_disk(account)
    attach(by(account), machine.public_id, [disk.public_id])
    work()
    return machine, disk


def test_a_disk_goes_on_as_long_as_its_machine(account: int, test_clock: BusinessClock) -> None:
    """From 10 April to the machine's end on 25 July: three months, and 15 days at 100.00 / 30."""
    machine, disk = _with_machine(account)
    to = EXPIRY.replace(month=7, day=25)
    Subscription.objects.filter(pk=machine.pk).update(anchor_at=START + 15 * DAY, expires_at=to)
    asked = Renewal([disk.public_id], 0, with_machine=True)
    (line,) = renew.ACT.price(account, asked).lines
    assert (line.months, line.days, line.amount_minor) == (3, 15, 35_000)
    before = purses(account)["cash"]
    renew.ACT.order(by(account), asked)
    assert before - purses(account)["cash"] == 35_000
    assert term(disk) == (START + 15 * DAY, to)
    with refused(InvalidParameter, field="months", match="as long as its machine already"), nothing_written():
        renew.ACT.order(by(account), asked)
    renew.ACT.order(by(account), Renewal([disk.public_id], 1, with_machine=True))  # as its machine's next month will
    assert term(disk)[1] == EXPIRY.replace(month=8, day=25)


def test_a_day_that_has_begun_is_paid(account: int) -> None:
    machine, disk = _with_machine(account)
    Subscription.objects.filter(pk=machine.pk).update(expires_at=EXPIRY + dt.timedelta(seconds=1))
    (line,) = renew.ACT.price(account, Renewal([disk.public_id], 0, with_machine=True)).lines
    assert (line.months, line.days, line.amount_minor) == (0, 1, 333)


@pytest.mark.parametrize(
    ("months", "told", "right"),
    [
        (1, "2026-04-30", True),  # as it was before the renewal by a month
        (1, "2026-05-31", False),  # as it is now: another month is asked for
        (3, "2026-02-28", True),
        (1, "2026-05-01", None),
        (3, "2026-03-03", None),
        (5, "2025-12-31", None),  # before its first term
    ],
)
def test_the_deadline_of_a_machine_renewed_just_before_counts_from_its_anchor(
    account: int, months: int, told: str, *, right: bool | None
) -> None:
    """Bought on 31 January and renewed so that it ends on 31 May, four months later."""
    machine, disk = _with_machine(account)
    begun, ends = (dt.datetime(2026, month, 31, 2, tzinfo=UTC) for month in (1, 5))
    Subscription.objects.filter(pk=machine.pk).update(anchor_at=begun, expires_at=ends)
    deadline = dt.datetime.fromisoformat(f"{told}T02:00:00+00:00")
    if right is None:
        with refused(InvalidParameter, field="deadline", match="expires at 2026-05-31 10:00:00"):
            align.to_its_machine(account, disk.public_id, deadline, months)
        return
    asked = align.to_its_machine(account, disk.public_id, deadline, months)
    assert asked == Renewal([disk.public_id], 0 if right else months, with_machine=True)
    renew.ACT.order(by(account), asked)
    assert term(disk) == (begun, ends if right else dt.datetime(2026, 6, 30, 2, tzinfo=UTC))


@pytest.mark.parametrize("how", ["detached", "postpaid"])
def test_a_disk_without_a_machine_that_is_paid_ahead_goes_on_with_none(account: int, how: str) -> None:
    disk = prepaid_disk(account)
    if how == "postpaid":
        attach(by(account), buy_running(account, HOURLY).public_id, [disk.public_id])
        work()
    with refused(InvalidParameter, field="disks", match="no machine that is paid ahead"), nothing_written():
        renew.ACT.order(by(account), Renewal([disk.public_id], 0, with_machine=True))


def test_a_machine_is_not_renewed_to_the_end_of_one(account: int) -> None:
    machine, _disk = _with_machine(account)
    with refused(InvalidParameter, field="with_machine"), nothing_written():
        of_machine.renew(by(account), Renewal([machine.public_id], 0, with_machine=True))


def test_a_machine_is_renewed_with_its_disks(account: int) -> None:
    pay(account, 100_000)
    machine, disk = _with_machine(account, months=1)
    longer = prepaid_disk(account, months=4)
    attach(by(account), machine.public_id, [longer.public_id])
    work()
    asked = Renewal([machine.public_id], 2)
    of_it, (of_disks,) = align.price_with_disks(account, asked)
    assert [line.public_id for line in of_disks.lines] == [disk.public_id]
    before = purses(account)["cash"]
    align.renew_with_disks(by(account), asked)
    assert before - purses(account)["cash"] == of_it.due_minor + of_disks.due_minor
    machine.subscription.refresh_from_db()
    assert term(disk) == (machine.subscription.anchor_at, machine.subscription.expires_at)
    assert term(longer)[1] == EXPIRY.replace(month=7)
    assert list(reconcile()) == []


def test_the_terms_of_machines_are_read_at_once_however_many_disks_they_have(account: int) -> None:
    machine, disk = _with_machine(account)
    others = [prepaid_disk(account).public_id for _ in range(2)]
    attach(by(account), machine.public_id, others)
    work()

    def statements(names: list[str]) -> int:
        with CaptureQueriesContext(connection) as asked:
            renew.ACT.price(account, Renewal(names, 0, with_machine=True))
        return len(asked)

    statements([disk.public_id])  # the catalog is read once
    assert statements([disk.public_id]) == statements([disk.public_id, *others])


def test_a_machine_is_not_renewed_where_the_money_for_its_disk_is_missing(account: int) -> None:
    machine, disk = _with_machine(account, months=1)
    asked = Renewal([machine.public_id], 1)
    of_it, _ = align.price_with_disks(account, asked)
    owe(account, -of_it.due_minor)  # but that much is left
    assert (purses(account)["cash"], term(disk)[1]) == (of_it.due_minor, EXPIRY)
    with refused(errors.InsufficientBalance), nothing_written():
        align.renew_with_disks(by(account), asked)


@pytest.mark.parametrize("how", ["expired", "returned"])
def test_out_of_the_bin_it_comes_back(account: int, test_clock: BusinessClock, world: World, how: str) -> None:
    disk = prepaid_disk(account)
    if how == "expired":
        go_to(test_clock, EXPIRY)
        test_clock.advance(days=2)
    else:
        test_clock.advance(days=6)
        terminate(by(account), [disk.public_id])
        work()
    begun = EXPIRY if how == "expired" else test_clock.at
    assert latest(disk)[0] == "TORECYCLE"
    renew.ACT.order(by(account), Renewal([disk.public_id]))
    agreed = again(disk).subscription
    assert (latest(disk)[0], agreed.standing, agreed.isolated_source, agreed.release_at) == (
        "UNATTACHED", "active", "NOTISOLATED", None,
    )  # fmt: skip
    assert (agreed.expires_at, lines(disk)[-1][:2]) == (
        begun.replace(month=begun.month + 1), ("renew_disk", "delivered"),
    )  # fmt: skip
    assert not Operation.objects.filter(kind="release_disk").exists()
    go_to(test_clock, begun + 9 * DAY)
    assert world.volume(disk.public_id) is not None
    assert list(reconcile()) == []


def test_on_its_way_into_the_bin_it_is_not_renewed(account: int, test_clock: BusinessClock) -> None:
    machine, disk = buy_running(account), prepaid_disk(account)
    attach(by(account), machine.public_id, [disk.public_id])
    work()
    test_clock.set(EXPIRY)
    run_until_idle(STEPS, lambda: [""])  # the lane of timers alone
    assert latest(disk) == ("TORECYCLE", "IsolateDisks", "OPERATING")
    with refused(errors.DiskBusy, field="disks"), nothing_written():
        renew.ACT.order(by(account), Renewal([disk.public_id]))
    work()
    renew.ACT.order(by(account), Renewal([disk.public_id]))
    assert (latest(disk)[0], again(disk).instance_id) == ("UNATTACHED", None)


@pytest.mark.parametrize(
    ("asked", "error", "field"),
    [
        (Renewal([], 1), MissingParameter, "disks"),
        (Renewal(["disk-unknown0"], 1), errors.UnknownOwnDisk, "disks"),
        (Renewal(["{disk}"], 13), PeriodNotSold, "months"),
        (Renewal(["{disk}"], 0, 32), InvalidParameter, "day"),
        (Renewal(["{disk}"], 1, renew_flag="ALWAYS"), InvalidValue, "renew_flag"),
        (Renewal(["{disk}", "{postpaid}"], 1), errors.NotPrepaid, "disks"),
        (Renewal(["{disk}", "{disk}"], 1), InvalidParameter, "disks"),
        (Renewal(["{system}"], 1), errors.GoesWithMachine, "disks"),
        (Renewal(["{disk}"], 60), errors.InsufficientBalance, None),
    ],
)
def test_what_is_not_renewed(account: int, asked: Renewal, error: type[Refused], field: str | None) -> None:
    names = {
        "disk": prepaid_disk(account).public_id, "postpaid": _postpaid(account).public_id,
        "system": Disk.objects.get(instance_id=buy_running(account).id).public_id,
    }  # fmt: skip
    asked = replace(asked, public_ids=[name.format(**names) for name in asked.public_ids])
    with refused(error, field=field), nothing_written():
        renew.ACT.order(by(account), asked)


def test_a_price_of_before_a_change_is_not_charged(account: int) -> None:
    disk = prepaid_disk(account)
    asked = Renewal([disk.public_id])
    shown = renew.ACT.price(account, asked)
    resize(by(account), disk.public_id, 110)
    with refused(errors.DiskBusy, field="disks"), nothing_written():
        renew.ACT.order(by(account), asked, expected=shown)
    work()
    with refused(InvalidParameter, field="disks", match="was changed meanwhile"), nothing_written():
        renew.ACT.order(by(account), asked, expected=shown)


def test_it_can_wait_for_its_payment(account: int) -> None:
    disk = prepaid_disk(account)
    number = renew.ACT.place(by(account), Renewal([disk.public_id]))
    assert (Order.objects.get(id=number).status, term(disk)[1]) == (1, EXPIRY)
    actions.pay(by(account), number)
    assert (Order.objects.get(id=number).status, term(disk)[1]) == (4, EXPIRY.replace(month=5))


# By itself ------------------------------------------------------------------------------------------------------------


def test_its_owner_is_reminded_four_times(account: int, test_clock: BusinessClock) -> None:
    disk = prepaid_disk(account)
    go_to(test_clock, EXPIRY)
    told = Event.objects.filter(kind="expires_soon", subject_kind="disk", subject_id=disk.id).order_by("at")
    assert list(told.values_list("at", "detail")) == [(EXPIRY - days * DAY, {"days": days}) for days in (7, 5, 3, 1)]
    assert latest(disk)[0] == "TORECYCLE"


def test_it_renews_itself_at_midnight_of_its_last_day(account: int, test_clock: BusinessClock) -> None:
    disk = prepaid_disk(account, flag=renew_flag.AUTO)
    before = purses(account)["cash"]
    go_to(test_clock, MIDNIGHT - dt.timedelta(seconds=1))
    assert term(disk)[1] == EXPIRY
    go_to(test_clock, MIDNIGHT)
    assert (term(disk)[1], before - purses(account)["cash"]) == (EXPIRY.replace(month=5), MONTH_MINOR)
    go_to(test_clock, EXPIRY + DAY)
    assert latest(disk)[0] == "UNATTACHED"
    assert list(reconcile()) == []


def test_without_money_it_tries_again_out_of_the_bin(test_clock: BusinessClock) -> None:
    zones.check(ZONE)
    poor = open_purse("poor", cash_minor=MONTH_MINOR)
    disk = prepaid_disk(poor, flag=renew_flag.AUTO)
    go_to(test_clock, EXPIRY + dt.timedelta(hours=23))
    failed = Event.objects.filter(kind="renew_failed", subject_id=disk.id).order_by("at")
    assert [event.at for event in failed] == [MIDNIGHT, EXPIRY]
    assert latest(disk)[0] == "TORECYCLE"
    pay(poor, MONTH_MINOR)
    go_to(test_clock, EXPIRY + DAY)
    assert (latest(disk)[0], term(disk)[1], purses(poor)["cash"]) == ("UNATTACHED", EXPIRY.replace(month=5), 0)
    assert list(reconcile()) == []


def test_whether_it_renews_itself_is_switched(account: int) -> None:
    disk, postpaid = prepaid_disk(account), _postpaid(account)
    renew.set_flag(by(account), [disk.public_id], renew_flag.AUTO)
    assert again(disk).subscription.renew_flag == "NOTIFY_AND_AUTO_RENEW"
    assert Event.objects.get(kind="renew_flag").detail == {"flag": "NOTIFY_AND_AUTO_RENEW"}
    with refused(InvalidValue, field="renew_flag"), nothing_written():
        renew.set_flag(by(account), [disk.public_id], "ALWAYS")
    with refused(errors.WrongMode, field="disks", code="InvalidDisk.NotSupported"), nothing_written():
        renew.set_flag(by(account), [disk.public_id, postpaid.public_id], renew_flag.SILENT)


# Conversion -----------------------------------------------------------------------------------------------------------


def test_one_by_the_hour_is_paid_ahead_from_the_second_it_is_paid(account: int, test_clock: BusinessClock) -> None:
    """30 minutes at 0.14 are deducted with the hour: 0.07; a return later counts the term alone."""
    machine, disk = buy_running(account), _postpaid(account)
    attach(by(account), machine.public_id, [disk.public_id], ends_with_machine=True)
    work()
    held, before = purses(account)["held"], purses(account)["cash"]
    test_clock.advance(minutes=30)
    asked = Conversion([disk.public_id], 2, renew_flag.AUTO)
    assert convert.ACT.price(account, asked).due_minor == 2 * MONTH_MINOR
    convert.ACT.order(by(account), asked)
    agreed = again(disk).subscription
    assert (agreed.charge_type, agreed.renew_flag, term(disk)) == (
        "PREPAID", "NOTIFY_AND_AUTO_RENEW", (test_clock.at, test_clock.at.replace(month=5)),
    )  # fmt: skip
    assert (before - purses(account)["cash"], held - purses(account)["held"]) == (2 * MONTH_MINOR, 14 - 7)
    assert (again(disk).state, again(disk).delete_with_instance) == ("ATTACHED", False)
    assert Segment.objects.get(subscription_id=disk.id).ended_at == test_clock.at
    assert list(reconcile()) == []
    test_clock.set(START + HOUR)
    work()
    charge = Charge.objects.get(subscription_id=disk.id)
    assert (charge.duration_s, charge.exact_e8) == (1800, 7_000_000)
    assert again(disk).subscription.hold_id is None
    for _ in range(2):
        of_machines.terminate(by(account), [machine.public_id])
        work()
    assert (latest(disk)[0], Instance.objects.get(pk=machine.pk).state) == ("UNATTACHED", "GONE")
    assert list(reconcile()) == []


def test_what_is_not_paid_ahead(account: int) -> None:
    prepaid, postpaid = prepaid_disk(account), _postpaid(account)
    with refused(errors.NotPostpaid, field="disks", code="InvalidDisk.NotSupported"), nothing_written():
        convert.ACT.order(by(account), Conversion([postpaid.public_id, prepaid.public_id]))
    with refused(PeriodNotSold, field="months"), nothing_written():
        convert.ACT.order(by(account), Conversion([postpaid.public_id], 13))
    with refused(InvalidValue, field="renew_flag"), nothing_written():
        convert.ACT.order(by(account), Conversion([postpaid.public_id], 1, "ALWAYS"))
    with refused(errors.InsufficientBalance), nothing_written():
        convert.ACT.order(by(account), Conversion([postpaid.public_id], 60))
    resize(by(account), postpaid.public_id, 110)
    with refused(errors.DiskBusy, field="disks"), nothing_written():
        convert.ACT.order(by(account), Conversion([postpaid.public_id]))
    work()
    owe(account)
    with refused(errors.InArrears, field="disks"), nothing_written():
        convert.ACT.order(by(account), Conversion([postpaid.public_id]))
    work()
    with refused(errors.DiskState, field="disks"), nothing_written():
        convert.ACT.order(by(account), Conversion([postpaid.public_id]))
