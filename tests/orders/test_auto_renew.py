"""Given a prepaid machine near its end, then its owner is reminded, or it renews itself, six times tried."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import HOURLY, MONTHLY, MONTHLY_MINOR, buy_running, go_to, open_purse, pay, purses, work
from tests.support.written import nothing_written, refused
from vmart.catalog import shop
from vmart.config.reconcile import reconcile
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel.errors import InvalidValue
from vmart.orders import errors, renew_flag, terminate
from vmart.orders.models import Order
from vmart.orders.term import instants, reminds
from vmart.pages import wording
from vmart.policy.numbers import DEFAULT, Policy
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")
DAY = dt.timedelta(days=1)


def _machine(account: int, flag: str) -> Instance:
    machine = buy_running(account, MONTHLY)
    renew_flag.set_flag(by(account), [machine.public_id], flag)
    Operation.objects.filter(kind="close_hour").delete()
    return Instance.objects.select_related("subscription").get(pk=machine.pk)


def _expires(machine: Instance) -> dt.datetime:
    machine.refresh_from_db()
    assert machine.subscription.expires_at is not None
    return machine.subscription.expires_at


SHANGHAI = ZoneInfo("Asia/Shanghai")


def _events(*kinds: str) -> list[tuple[dt.datetime, str]]:
    return list(Event.objects.filter(kind__in=kinds).order_by("at", "id").values_list("at", "kind"))


def test_its_owner_is_reminded_four_times(test_clock: BusinessClock) -> None:
    machine = _machine(open_purse(cash_minor=MONTHLY_MINOR), renew_flag.MANUAL)
    expires = _expires(machine)
    go_to(test_clock, expires)
    told = Event.objects.filter(kind="expires_soon").order_by("at").values_list("at", "detail")
    assert list(told) == [(expires - days * DAY, {"days": days}) for days in (7, 5, 3, 1)]
    machine.refresh_from_db()
    assert machine.state == "SHUTDOWN"


@pytest.mark.parametrize(("flag", "cash"), [(renew_flag.SILENT, 1), (renew_flag.AUTO, 2)])
def test_nobody_is_reminded_who_does_not_want_it_or_need_it(test_clock: BusinessClock, flag: str, cash: int) -> None:
    machine = _machine(open_purse(cash_minor=cash * MONTHLY_MINOR), flag)
    go_to(test_clock, _expires(machine) - dt.timedelta(hours=13))
    assert _events("expires_soon") == []


def test_it_renews_itself_at_midnight_of_its_last_day(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=3 * MONTHLY_MINOR)
    machine = _machine(account, renew_flag.AUTO)
    first = _expires(machine)  # 10 April, 10:00 in Shanghai
    midnight = dt.datetime(2026, 4, 9, 16, tzinfo=dt.UTC)
    go_to(test_clock, midnight - dt.timedelta(seconds=1))
    assert _expires(machine) == first
    go_to(test_clock, midnight)
    assert _expires(machine) == dt.datetime(2026, 5, 10, 2, tzinfo=dt.UTC)
    go_to(test_clock, first + DAY)
    assert (Order.objects.filter(action="renew").count(), purses(account)["available"]) == (1, MONTHLY_MINOR)
    machine.refresh_from_db()
    assert machine.state == "RUNNING"
    assert list(reconcile()) == []


def test_it_is_tried_six_times_and_comes_back_out_of_the_bin(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    machine = _machine(account, renew_flag.AUTO)
    expires = _expires(machine)
    midnight = dt.datetime(2026, 4, 9, 16, tzinfo=dt.UTC)
    go_to(test_clock, expires + 3 * DAY)
    tried = [midnight, *(expires + days * DAY for days in range(4))]
    assert [at for at, _ in _events("renew_failed")] == tried
    machine.refresh_from_db()
    assert machine.state == "SHUTDOWN"
    pay(account, MONTHLY_MINOR)
    go_to(test_clock, expires + 4 * DAY)
    work()
    machine.refresh_from_db()
    assert (machine.state, _expires(machine)) == ("RUNNING", dt.datetime(2026, 5, 10, 2, tzinfo=dt.UTC))
    assert purses(account)["available"] == 0
    assert list(reconcile()) == []


def test_after_the_sixth_it_is_not_tried_again(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    machine = _machine(account, renew_flag.AUTO)
    expires = _expires(machine)
    go_to(test_clock, expires + 4 * DAY)
    assert len(_events("renew_failed")) == 6
    pay(account, MONTHLY_MINOR)
    go_to(test_clock, expires + 9 * DAY)
    machine.refresh_from_db()
    assert (machine.state, len(_events("renew_failed"))) == ("GONE", 6)
    assert not Order.objects.filter(action="renew").exists()
    assert list(reconcile()) == []


def test_why_it_failed_is_told(test_clock: BusinessClock) -> None:
    machine = _machine(open_purse(cash_minor=MONTHLY_MINOR), renew_flag.AUTO)
    go_to(test_clock, dt.datetime(2026, 4, 9, 16, tzinfo=dt.UTC))
    event = Event.objects.get(subject_kind="machine", kind="renew_failed", subject_id=machine.id)
    assert event.detail["why"] == "The balance is not enough: ¥132.50 are needed and ¥0.00 are available."
    with translation.override("zh-hans"):
        assert wording.reason(event.detail) == "余额不足：需要 ¥132.50，可用 ¥0.00。"


@pytest.mark.parametrize("end", ["flag", "return"])
def test_a_changed_flag_or_a_return_ends_the_attempts(test_clock: BusinessClock, end: str) -> None:
    account = open_purse(cash_minor=3 * MONTHLY_MINOR)
    machine = _machine(account, renew_flag.AUTO)
    test_clock.advance(days=1)
    if end == "flag":
        renew_flag.set_flag(by(account), [machine.public_id], renew_flag.MANUAL)
    else:
        terminate.terminate(by(account), [machine.public_id])
    go_to(test_clock, dt.datetime(2026, 4, 11, tzinfo=dt.UTC))
    assert not Order.objects.filter(action="renew").exists()


def test_a_wrong_flag_or_a_postpaid_machine_is_refused(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=2 * MONTHLY_MINOR)
    machine, hourly = buy_running(account, MONTHLY), buy_running(account, HOURLY)
    with (
        nothing_written(),
        refused(InvalidValue, match="RenewFlag is one of NOTIFY_AND_AUTO_RENEW, ", field="renew_flag"),
    ):
        renew_flag.set_flag(by(account), [machine.public_id], "ALWAYS")
    with nothing_written(), refused(errors.WrongMode):
        renew_flag.set_flag(by(account), [machine.public_id, hourly.public_id], renew_flag.AUTO)


def test_the_instants_of_a_term_that_ends_at_midnight() -> None:
    zone = shop.snapshot().billing_zone
    ends = dt.datetime(2026, 4, 9, 16, tzinfo=dt.UTC)  # 00:00 in Shanghai
    assert [at for at in instants(ends, ends, zone, lambda _: DEFAULT) if not reminds(at, ends, zone)] == [
        ends,
        *(ends + n * DAY for n in range(1, 5)),
    ]


def test_a_pause_that_is_shortened_between_attempts_leaves_none_out() -> None:
    """Given attempts a day apart, when the pause is an hour from 30 hours after the expiry, then all six are made."""
    ends = dt.datetime(2026, 4, 9, 4, tzinfo=dt.UTC)
    hourly = DEFAULT.model_copy(update={"auto_renew_pause_hours": 1})

    def rules_at(instant: dt.datetime) -> Policy:
        return hourly if instant >= ends + dt.timedelta(hours=30) else DEFAULT

    made = instants(ends, ends + 2 * DAY, SHANGHAI, rules_at)
    hour = dt.timedelta(hours=1)
    assert made[-4:] == [ends + DAY, ends + 2 * DAY, ends + 2 * DAY + hour, ends + 2 * DAY + 2 * hour]
    fewer = DEFAULT.model_copy(update={"auto_renew_attempts": 3})
    assert instants(ends, ends, SHANGHAI, lambda at: DEFAULT if at == ends else fewer)[-1] == ends + DAY


def test_on_a_day_of_25_hours_it_is_tried_before_its_end() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    ends = dt.datetime(2026, 10, 25, 23, 30, tzinfo=berlin).astimezone(dt.UTC)
    first = next(at for at in instants(ends, ends, berlin, lambda _: DEFAULT) if not reminds(at, ends, berlin))
    assert first == dt.datetime(2026, 10, 25, 0, 0, tzinfo=berlin).astimezone(dt.UTC)


def test_late_reminders_are_not_sent_all_at_once(test_clock: BusinessClock) -> None:
    machine = _machine(open_purse(cash_minor=MONTHLY_MINOR), renew_flag.MANUAL)
    test_clock.set(_expires(machine) - 2 * DAY)
    work()
    assert list(Event.objects.filter(kind="expires_soon").values_list("detail", flat=True)) == [{"days": 2}]
