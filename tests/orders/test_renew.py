"""Given a prepaid machine, when it is renewed, then its new term follows the old one and costs what was shown."""

import datetime as dt
from dataclasses import replace

import pytest
from django.conf import settings

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import (
    HOURLY,
    LOGIN,
    MONTHLY,
    MONTHLY_MINOR,
    buy_running,
    go_to,
    open_purse,
    pay,
    purses,
    raise_prices,
    wanted,
    work,
)  # fmt: skip
from tests.support.written import nothing_written, refused
from vmart.catalog import shop
from vmart.config.reconcile import reconcile
from vmart.customers.models import Account
from vmart.engines.contract import Power
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel import clock
from vmart.kernel.clock import add_months
from vmart.kernel.errors import InvalidParameter
from vmart.ledger.models import Transfer
from vmart.orders import actions, errors, open_account, renew, return_prepaid, terminate
from vmart.orders.models import EngineDrift, Idempotency, Line, Order
from vmart.orders.purchase import purchase
from vmart.orders.renew import Renewal
from vmart.pricing.configuration import TRAFFIC_POSTPAID_BY_HOUR
from vmart.pricing.errors import PeriodNotSold
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")
UTC = dt.UTC
assert LOGIN and wanted and purchase


def _expires(machine: Instance) -> dt.datetime:
    at = _now(machine).subscription.expires_at
    assert at is not None
    return at


def _now(machine: Instance) -> Instance:
    return Instance.objects.select_related("subscription").get(pk=machine.pk)


def _no_closes() -> None:
    Operation.objects.filter(kind="close_hour").delete()


def _timers() -> dict[str, dt.datetime]:
    return dict(Operation.objects.filter(kind__in=["expire", "term"]).values_list("kind", "due_at"))


def _plus(at: dt.datetime, months: int) -> dt.datetime:
    return add_months(at, months, shop.snapshot().billing_zone)


def test_several_renewals_ahead_follow_one_another(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=10 * MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    first = _expires(machine)
    number = renew.renew(by(account), Renewal([machine.public_id], 1))
    renew.renew(by(account), Renewal([machine.public_id], 2))
    assert _expires(machine) == _plus(test_clock.at, 4)
    order = Order.objects.get(id=number)
    assert (order.action, order.status, order.total_minor, order.paid_at) == ("renew", 4, MONTHLY_MINOR, test_clock.at)
    lines = Line.objects.filter(subscription_id=machine.id).order_by("id")
    assert list(lines.values_list("months", "period_from", "period_to", "amount_minor", "paid_cash_minor")) == [
        (1, test_clock.at, first, MONTHLY_MINOR, MONTHLY_MINOR),
        (1, first, _plus(test_clock.at, 2), MONTHLY_MINOR, MONTHLY_MINOR),
        (2, _plus(test_clock.at, 2), _plus(test_clock.at, 4), 2 * MONTHLY_MINOR, 2 * MONTHLY_MINOR),
    ]  # fmt: skip
    assert purses(account)["available"] == 6 * MONTHLY_MINOR
    assert _timers() == {"expire": _expires(machine), "term": _expires(machine) - dt.timedelta(days=7)}
    assert list(reconcile()) == []


def test_equal_money_whichever_way(test_clock: BusinessClock) -> None:
    """Six months at once, and bought for one and renewed for five: the price is each term's own."""
    account = open_purse(cash_minor=100 * MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    by_rule = renew.price(account, Renewal([machine.public_id], 6)).due_minor
    assert by_rule == 6 * round(0.88 * 11500) + 6 * 1750  # 6 × (115 × 0.88 + 17.50)
    left = purses(account)["available"]
    renew.renew(by(account), Renewal([machine.public_id], 6))
    assert left - purses(account)["available"] == by_rule
    (transfer,) = Transfer.objects.filter(kind="prepaid", amount_minor=by_rule)
    assert transfer.subject_id == machine.id


def test_out_of_the_recycle_bin_it_runs_again_from_the_old_expiry(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=2 * MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    expired = _expires(machine)
    _no_closes()
    go_to(test_clock, expired + dt.timedelta(days=3))
    assert _now(machine).state == "SHUTDOWN"
    renew.renew(by(account), Renewal([machine.public_id], 1))
    assert _now(machine).state == "STARTING"
    work()
    machine = _now(machine)
    assert (machine.state, machine.subscription.standing) == ("RUNNING", "active")
    assert (machine.subscription.isolated_at, machine.subscription.release_at) == (None, None)
    assert _expires(machine) == _plus(expired - dt.timedelta(0), 1) or _expires(machine) > expired
    assert engine_of(machine.zone_id).observe(machine.public_id).power == Power.RUNNING
    go_to(test_clock, expired + dt.timedelta(days=9))  # past the instant at which it would have been released
    assert _now(machine).state == "RUNNING"
    assert list(reconcile()) == []


def test_after_a_return_its_term_begins_at_the_return(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=3 * MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    test_clock.advance(days=1)
    returned_at = test_clock.at
    terminate.terminate(by(account), [machine.public_id])
    work()
    test_clock.advance(days=2)
    renew.renew(by(account), Renewal([machine.public_id], 1))
    work()
    assert (_now(machine).state, _expires(machine)) == ("RUNNING", _plus(returned_at, 1))
    assert list(reconcile()) == []


def test_a_return_gives_renewals_back_that_have_not_begun(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=4 * MONTHLY_MINOR)
    Account.objects.update(free_return_used_at=clock.now())
    machine = buy_running(account, MONTHLY)
    renew.renew(by(account), Renewal([machine.public_id], 2))
    test_clock.advance(days=1)
    used_minor = 900  # 24 × (0.35 + 50 × 0.0005)
    (quoted,) = return_prepaid.quote_refund(account, [machine.public_id])
    assert (quoted.paid_minor, quoted.refund_minor) == (3 * MONTHLY_MINOR, 3 * MONTHLY_MINOR - used_minor)
    terminate.terminate(by(account), [machine.public_id])
    lines = Line.objects.filter(subscription_id=machine.id).order_by("id")
    assert list(lines.values_list("state", "refund_minor")) == [
        ("returned", MONTHLY_MINOR - used_minor), ("returned", 2 * MONTHLY_MINOR),
    ]  # fmt: skip
    assert purses(account)["cash"] == 4 * MONTHLY_MINOR - used_minor
    assert _timers() == {}
    assert list(reconcile()) == []


def test_of_a_renewed_machine_the_running_period_is_what_is_used(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=3 * MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    renew.renew(by(account), Renewal([machine.public_id], 1))
    _no_closes()
    go_to(test_clock, _plus(test_clock.at, 1) + dt.timedelta(days=1))
    (quoted,) = return_prepaid.quote_refund(account, [machine.public_id])
    assert (quoted.paid_minor, quoted.refund_minor) == (MONTHLY_MINOR, MONTHLY_MINOR - 900)


@pytest.mark.parametrize("token", ["", "once"])
def test_a_repeated_request_renews_once_by_its_token_alone(test_clock: BusinessClock, token: str) -> None:
    account = open_purse(cash_minor=3 * MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    asked = Renewal([machine.public_id], 1)
    first = renew.renew(by(account), asked, client_token=token)
    again = renew.renew(by(account), asked, client_token=token)
    assert (first == again) == bool(token)
    assert Order.objects.filter(action="renew").count() == (1 if token else 2)
    if token:
        with refused(errors.TokenReused):
            renew.renew(by(account), Renewal([machine.public_id], 2), client_token=token)


def test_a_token_of_a_renewal_by_0_1_0_is_known_after_the_upgrade() -> None:
    """That told four fields in any case, and had no bandwidth to tell."""
    account = open_purse(cash_minor=3 * MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    told = f"renew|{{'public_ids': ['{machine.public_id}'], 'months': 1, 'day': 0, 'renew_flag': ''}}"
    Idempotency.objects.create(
        account_id=account, token="once", fingerprint=settings.SECRETS.fingerprint(told.encode()),
        answer={"order_id": 17}, created_wall_at=clock.wall(),
    )  # fmt: skip
    asked = Renewal([machine.public_id])
    with nothing_written():
        assert renew.renew(by(account), asked, client_token="once") == 17
    with nothing_written(), refused(errors.TokenReused, field="client_token"):
        renew.renew(by(account), replace(asked, bandwidth_mbps=2), client_token="once")


def test_what_was_shown_is_charged_although_prices_rise(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=4 * MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    asked = Renewal([machine.public_id], 1)
    shown = renew.price(account, asked)
    raise_prices(test_clock, "2")
    assert renew.price(account, asked).due_minor == 2 * MONTHLY_MINOR
    renew.renew(by(account), asked, expected=shown)
    assert purses(account)["available"] == 2 * MONTHLY_MINOR
    with nothing_written(), refused(InvalidParameter, match="was renewed or returned meanwhile", field="machines"):
        renew.renew(by(account), asked, expected=shown)


def test_an_unpaid_renewal_is_paid_at_its_price(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    expires = _expires(machine)
    number = renew.place(by(account), Renewal([machine.public_id], 1), client_token="t")
    assert renew.place(by(account), Renewal([machine.public_id], 1), client_token="t") == number
    assert (Order.objects.get(id=number).status, _expires(machine)) == (1, expires)
    with nothing_written(), refused(errors.InsufficientBalance):
        actions.pay(by(account), number)
    pay(account, MONTHLY_MINOR)
    actions.pay(by(account), number)
    assert (Order.objects.get(id=number).status, _expires(machine)) == (4, _plus(test_clock.at, 2))
    with refused(errors.OrderNotPayable):
        actions.pay(by(account), number)
    assert list(reconcile()) == []


def test_an_unpaid_renewal_of_a_machine_that_was_renewed_meanwhile_is_refused(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=4 * MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    number = renew.place(by(account), Renewal([machine.public_id], 1))
    renew.renew(by(account), Renewal([machine.public_id], 1))
    with nothing_written(), refused(InvalidParameter, match="meanwhile"):
        actions.pay(by(account), number)


def test_all_or_none(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=3 * MONTHLY_MINOR)
    one, two = buy_running(account, MONTHLY), buy_running(account, MONTHLY)
    said = "The balance is not enough: ¥265.00 are needed and ¥132.50 are available."
    with nothing_written(), refused(errors.InsufficientBalance, match=said):
        renew.renew(by(account), Renewal([one.public_id, two.public_id], 1))
    pay(account, MONTHLY_MINOR)
    renew.renew(by(account), Renewal([one.public_id, two.public_id], 1))
    assert purses(account)["available"] == 0
    assert _expires(one) == _expires(two) == _plus(test_clock.at, 2)


def test_what_cannot_be_renewed_is_refused_and_nothing_is_written(test_clock: BusinessClock) -> None:
    account, other = open_purse(cash_minor=10 * MONTHLY_MINOR), open_purse("other")
    machine, hourly = buy_running(account, MONTHLY), buy_running(account, HOURLY)
    for who, public_id, months, error in [
        (account, hourly.public_id, 1, errors.WrongMode),
        (account, "ins-00000000", 1, errors.UnknownInstance),
        (other, machine.public_id, 1, errors.UnknownInstance),
        (account, machine.public_id, 13, PeriodNotSold),
    ]:
        with nothing_written(), refused(error):
            renew.renew(by(who), Renewal([public_id], months))
    Account.objects.filter(id=account).update(frozen_reason="a check")
    with nothing_written(), refused(errors.AccountFrozen, match="This account may not buy: a check"):
        renew.renew(by(account), Renewal([machine.public_id], 1))


def test_at_most_ten_years_ahead(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=200 * MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    renew.renew(by(account), Renewal([machine.public_id], 60))
    with refused(InvalidParameter, match="at most 10 years ahead can be paid", field="months"):
        renew.renew(by(account), Renewal([machine.public_id], 60))


def test_to_a_unified_day(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=10 * MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)  # until 10 April
    renew.renew(by(account), Renewal([machine.public_id], 0, 20))
    line = Line.objects.latest("id")
    assert _expires(machine) == dt.datetime(2026, 5, 20, 2, tzinfo=UTC)
    assert line.amount_minor == MONTHLY_MINOR + round(MONTHLY_MINOR * 10 / 30)
    renew.renew(by(account), Renewal([machine.public_id], 1))
    assert _expires(machine) == dt.datetime(2026, 6, 20, 2, tzinfo=UTC)
    assert list(reconcile()) == []


def test_traffic_of_a_restored_machine_is_charged_again(test_clock: BusinessClock) -> None:
    by_traffic = replace(MONTHLY, internet_charge_type=TRAFFIC_POSTPAID_BY_HOUR, bandwidth_mbps=5, public_ip=True)
    account = open_purse(cash_minor=3 * MONTHLY_MINOR)
    machine = buy_running(account, by_traffic)
    _no_closes()
    go_to(test_clock, _expires(machine) + dt.timedelta(days=1))
    assert _now(machine).state == "SHUTDOWN"
    renew.renew(by(account), Renewal([machine.public_id], 1))
    work()
    assert (_now(machine).state, _now(machine).public_ip) == ("RUNNING", machine.public_ip)
    assert list(reconcile()) == []


def test_what_happened_is_told(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=2 * MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    renew.renew(by(account), Renewal([machine.public_id], 1))
    event = Event.objects.get(kind="renewed")
    assert event.detail == {"until": _plus(test_clock.at, 2).isoformat(), "paid_minor": MONTHLY_MINOR}


def test_a_price_of_other_machines_is_refused(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=4 * MONTHLY_MINOR)
    one, two = buy_running(account, MONTHLY), buy_running(account, MONTHLY)
    shown = renew.price(account, Renewal([one.public_id, two.public_id], 1))
    for verb in (renew.renew, renew.place):
        with nothing_written(), refused(InvalidParameter, match="The price is of something else"):
            verb(by(account), Renewal([one.public_id], 1), expected=shown)


def test_a_frozen_account_places_no_order_that_a_card_would_pay(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=2 * MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    Account.objects.filter(id=account).update(frozen_reason="a check")
    with nothing_written(), refused(errors.AccountFrozen):
        renew.place(by(account), Renewal([machine.public_id], 1))


def test_a_machine_that_its_engine_lost_takes_no_more_money(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=2 * MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    EngineDrift.objects.create(
        zone_id=machine.zone_id, name=machine.public_id, kind="lost", since_wall_at=clock.wall(), missed_at=clock.now()
    )
    with nothing_written(), refused(errors.WrongState, match="is lost by its host"):
        renew.renew(by(account), Renewal([machine.public_id], 1))


def test_a_term_that_would_be_over_is_not_sold(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=4 * MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    _no_closes()
    go_to(test_clock, _expires(machine) + dt.timedelta(days=1))
    Operation.objects.filter(kind="release").delete()  # its engine was away all the time
    test_clock.advance(days=40)
    with nothing_written(), refused(InvalidParameter, match="would still have expired"):
        renew.renew(by(account), Renewal([machine.public_id], 1))
    renew.renew(by(account), Renewal([machine.public_id], 2))
    assert _now(machine).state == "STARTING"


def test_an_id_that_no_text_of_the_database_can_be_is_unknown() -> None:
    account = open_purse()
    with nothing_written(), refused(errors.UnknownInstance):
        renew.renew(by(account), Renewal(["ins-\0"], 1))


def test_each_line_has_what_its_own_hold_took(test_clock: BusinessClock) -> None:
    """Gift pays first, in the order asked for: the first machine is paid by it, the second by cash."""
    account = open_purse(cash_minor=4 * MONTHLY_MINOR)
    dear, cheap = buy_running(account, replace(MONTHLY, instance_type="S5.LARGE8")), buy_running(account, MONTHLY)
    open_account.grant(account, MONTHLY_MINOR, "welcome")
    pay(account, 3 * MONTHLY_MINOR)
    renew.renew(by(account), Renewal([cheap.public_id, dear.public_id], 1))
    order = Order.objects.get(action="renew")
    lines = {line.subscription_id: line for line in Line.objects.filter(order=order)}
    assert (lines[cheap.id].paid_gift_minor, lines[cheap.id].paid_cash_minor) == (MONTHLY_MINOR, 0)
    assert (lines[dear.id].paid_gift_minor, lines[dear.id].paid_cash_minor) == (0, lines[dear.id].amount_minor)
    assert list(reconcile()) == []
