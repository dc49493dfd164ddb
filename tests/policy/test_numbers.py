"""Every number of the policy: its default is the rule's, it acts where it is changed, and not before its date."""

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings

from tests.orders.ending import no_closes
from tests.orders.ending import now as now_of
from tests.policy.dating import date_policy
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import HOURLY, MONTHLY, MONTHLY_MINOR, ZONE, buy_running, go_to, open_purse, owe, wanted
from tests.support.shopper import work as work_all
from tests.support.written import refused
from tests.web.visiting import customer
from vmart.bills import models as bills
from vmart.catalog import shop
from vmart.catalog.models import Zone, ZoneImage
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS
from vmart.customers.models import Invitation
from vmart.engines.contract import MemberCapacity
from vmart.engines.simulated.engine import SimulatedEngine
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.events.record import PAYMENT
from vmart.instances.models import Instance
from vmart.kernel import clock, outward
from vmart.kernel.clock import HOUR
from vmart.kernel.errors import InvalidParameter
from vmart.metering.models import Horizon
from vmart.orders import (
    errors,
    idempotency,
    offered,
    passwords,
    place,
    purchase,
    renew,
    renew_flag,
    return_prepaid,
    terminate,
)
from vmart.orders.addresses.allocate import NewAddresses, allocate
from vmart.orders.images import import_image
from vmart.orders.images.import_image import NewImport
from vmart.orders.models import Idempotency, Order
from vmart.orders.renew import Renewal
from vmart.pages import shown_quote
from vmart.payments import poll, top_up
from vmart.payments.errors import AmountOutOfRange, TooManyOpen
from vmart.payments.models import Payment
from vmart.payments.providers.contract import Charge, Outcome, Status
from vmart.payments.providers.sandbox import PAYS
from vmart.payments.record import CARDS_LANE, POLL_KIND
from vmart.placement.models import Host
from vmart.policy import policy
from vmart.policy.numbers import DEFAULT, Policy
from vmart.pricing.address import AddressPart
from vmart.pricing.priced import Priced
from vmart.provisioning import zones
from vmart.settlement import close
from vmart.storage.models import OwnImage
from vmart.subscriptions.models import Subscription
from vmart.worker import loop, queue
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

DAY = dt.timedelta(days=1)
SECOND = dt.timedelta(seconds=1)


def test_the_defaults_are_the_rules_of_before() -> None:
    assert DEFAULT.model_dump() == {
        "quote_minutes": 15, "unpaid_order_minutes": 30, "unpaid_orders": 20, "open_payments": 10,
        "abandoned_payment_minutes": 30, "top_up_min": {}, "top_up_max": {}, "client_token_days": 30,
        "rooms_unbought": 3, "delivery_minutes": 10, "image_wait_minutes": 30, "password_keep_days": 7,
        "sold_disk_percent": 90,
        "image_import_gib": 10, "image_import_minutes": 60, "image_imports": 2,
        "consoles": 10, "console_idle_minutes": 15,
        "sold_memory_percent": 80, "renew_ahead_years": 10, "remind_days": (7, 5, 3, 1), "auto_renew_attempts": 6,
        "auto_renew_pause_hours": 24, "free_return_days": 5, "bin_postpaid_hours": 2, "bin_prepaid_days": 7,
        "arrears_grace_hours": 2, "arrears_keep_days": 15, "arrears_idle_address_hours": 24,
        "statement_closes_hour": 19, "invitation_days": 7,
    }  # fmt: skip
    assert [DEFAULT.top_up_minor(currency) for currency in ("CNY", "JPY", "KWD")] == [(100, 10_000_000)] * 3
    assert policy.at(clock.now()) == DEFAULT


# -- each number's effect: fails unless the number is in force exactly -----------------------------


def _invitation(test_clock: BusinessClock, days: int) -> None:
    assert customer().post("/members/", {"email": "new@example.net", "role": "viewer"}).status_code == 200
    made = Invitation.objects.latest("id")
    assert made.expires_at == made.created_at + days * DAY


def _quote(test_clock: BusinessClock, minutes: int) -> None:
    account = _purse()
    quoted = offered.price(HOURLY, shop.snapshot(), account)
    text = shown_quote.sign(account, quoted)
    test_clock.advance(minutes=minutes)
    assert shown_quote.read(account, text) == quoted
    test_clock.advance(SECOND)
    with pytest.raises(shown_quote.NotShown) as caught:
        shown_quote.read(account, text)
    assert caught.value.expired


def _unpaid(test_clock: BusinessClock, minutes: int) -> None:
    order = place.place(wanted(_purse()))
    go_to(test_clock, test_clock.at + dt.timedelta(minutes=minutes) - SECOND)
    assert Order.objects.get(id=order).status == 1
    go_to(test_clock, test_clock.at + SECOND)
    assert Order.objects.get(id=order).status == 8


def _unpaid_orders(_clock: BusinessClock, most: int) -> None:
    account = _purse()
    for _ in range(most):
        place.place(wanted(account))
    with refused(errors.QuotaReached, match=f"^{most} orders wait for payment"):
        place.place(wanted(account))


def _open_payments(_clock: BusinessClock, most: int) -> None:
    account = _purse()
    for number in range(most):
        Payment.objects.create(
            account_id=account, provider="sandbox", amount_minor=500, token=f"t{number}", created_at=clock.now()
        )
    with refused(TooManyOpen, match=f"^{most} payments wait"):
        top_up.begin(by(account), 500, "sandbox", "one more", method=PAYS)
    Payment.objects.all().delete()


def _abandoned(test_clock: BusinessClock, minutes: int) -> None:
    """A payment that waits for its customer, until it is canceled at the provider."""
    payment = Payment.objects.create(
        account_id=_purse(), provider="sandbox", amount_minor=500, token="t", created_at=clock.now(), state="pending"
    )
    queue.enqueue(POLL_KIND, PAYMENT, payment.id, account_id=payment.account_id, lane=CARDS_LANE, due_at=clock.now())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(poll, "provider_of", lambda _name: _Waiting())
        test_clock.set(payment.created_at + dt.timedelta(minutes=minutes) - SECOND)
        assert _polled(payment) == "pending"
        test_clock.advance(SECOND)
        assert _polled(payment) == "failed"


class _Waiting:
    """A provider at which the customer does nothing."""

    def look_up(self, charge: Charge) -> Outcome:
        return Outcome(Status.PENDING, charge.token)

    def cancel(self, charge: Charge) -> Outcome:
        return Outcome(Status.FAILED, charge.token)


def _polled(payment: Payment) -> str:
    Operation.objects.filter(kind=POLL_KIND).update(due_at=clock.now(), not_before=None)
    work_all()
    payment.refresh_from_db()
    return payment.state


def _top_up_min(_clock: BusinessClock, amounts: dict[str, Any]) -> None:
    least = int(amounts["CNY"] * 100) if amounts else 100
    _one_payment(least, least - 1)


def _top_up_max(_clock: BusinessClock, amounts: dict[str, Any]) -> None:
    most = int(amounts["CNY"] * 100) if amounts else 10_000_000
    _one_payment(most, most + 1)


def _one_payment(good: int, bad: int) -> None:
    account = _purse()
    with refused(AmountOutOfRange, match=r"^One payment may be ¥", field="amount_minor"):
        top_up.begin(by(account), bad, "sandbox", "bad", method=PAYS)
    assert top_up.begin(by(account), good, "sandbox", "good", method=PAYS).state == "succeeded"


def _client_tokens(_clock: BusinessClock, days: int) -> None:
    wall = clock.wall()
    for name, age in (("kept", dt.timedelta(days=days)), ("old", dt.timedelta(days=days, seconds=1))):
        Idempotency.objects.create(account_id=1, token=name, fingerprint=b"", answer={}, created_wall_at=wall - age)
    assert idempotency.forget_old(wall) == 1
    assert Idempotency.objects.filter(token__in=["kept", "old"]).get().token == "kept"
    Idempotency.objects.all().delete()


def _delivery(_clock: BusinessClock, minutes: int) -> None:
    """The engine answers with passing faults: tried again until then, wall time."""
    machine = _pending(minutes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vmart.orders.deliver._SHORTEST_PAUSE_S", 0.0)
        patch.setattr("vmart.orders.deliver._LONGEST_PAUSE_S", 0.0)
        World(_engine_file()).fail("ensure_present", times=2)
        _deliver_once(machine, "PENDING")
        Operation.objects.filter(kind="deliver").update(created_at=clock.wall() - dt.timedelta(minutes=minutes))
        _deliver_once(machine, "LAUNCH_FAILED")


def _image_wait(_clock: BusinessClock, minutes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vmart.orders.deliver._IMAGE_WAIT_S", 0.0)
        machine = _pending(minutes)
        ZoneImage.objects.filter(zone_id=ZONE).update(status="preparing")
        _deliver_once(machine, "PENDING")
        Operation.objects.filter(kind="deliver").update(created_at=clock.wall() - dt.timedelta(minutes=minutes))
        _deliver_once(machine, "LAUNCH_FAILED")
    ZoneImage.objects.filter(zone_id=ZONE).update(status="ready")


def _engine_file() -> Any:
    return settings.DATA_DIR / "engine" / f"{ZONE}.sqlite"


def _pending(minutes: int) -> Instance:
    """A machine on order for all but half a minute of them; its image is long there."""
    zones.check(ZONE)
    zones.prepare_images(ZONE)
    ZoneImage.objects.filter(zone_id=ZONE).update(ready_at=clock.wall() - DAY)
    (name,) = purchase.purchase(wanted(_purse(1000), HOURLY)).instance_ids
    since = clock.wall() - dt.timedelta(minutes=minutes, seconds=-30)
    Operation.objects.filter(kind="deliver").update(created_at=since)
    return Instance.objects.get(public_id=name)


def _deliver_once(machine: Instance, state: str) -> None:
    owner = uuid.uuid4()
    Operation.objects.update(not_before=None)
    loop.work(STEPS, queue.claim(owner, [ZONE], 30, 10), owner)
    assert now_of(machine).state == state


def _password_kept(test_clock: BusinessClock, days: int) -> None:
    machine = buy_running(_purse(1000))
    no_closes()
    passwords.keep(machine, passwords.make(machine.id).sealed)
    until = test_clock.at + dt.timedelta(days=days)
    test_clock.set(until - SECOND)
    assert passwords.kept([machine.id]) == {machine.id: until}
    assert passwords.erase_old(test_clock.at) == 0
    test_clock.set(until)
    assert passwords.kept([machine.id]) == {}
    assert passwords.erase_old(test_clock.at) == 1


def _sold_disk(_clock: BusinessClock, percent: int) -> None:
    assert _host_of_a_real_engine().disk_capacity_gib == percent * 4  # of 100 GiB, four times sold


def _sold_memory(_clock: BusinessClock, percent: int) -> None:
    assert _host_of_a_real_engine().memory_capacity_mib == percent * 100  # of 10,000


def _host_of_a_real_engine() -> Host:
    with pytest.MonkeyPatch.context() as patch:
        Zone.objects.filter(code=ZONE).update(engine_kind="incus")
        real = SimulatedEngine({"file": "/nonexistent"})
        patch.setattr(real, "capacity", lambda: [MemberCapacity("gz4-b", True, 8, 10_000, 100)])
        patch.setattr(zones, "engine_of", lambda _zone: real)
        assert zones.check(ZONE)
    return Host.objects.get(zone_id=ZONE, name="gz4-b")


def _new_import(name: str) -> NewImport:
    assert zones.check(ZONE)
    return NewImport(name, "https://files.example.com/web.tar", "img-db12k7x4", zone=ZONE)


def _import_gib(_clock: BusinessClock, most_gib: int) -> None:
    asked = _new_import("web")
    if not most_gib:
        account = _purse()
        with refused(errors.NoImports):
            import_image.accept(by(account), asked)
        return
    with _fetched_by(asked) as limits:
        assert limits["most_bytes"] == most_gib << 30


def _import_minutes(_clock: BusinessClock, minutes: int) -> None:
    with _fetched_by(_new_import("web")) as limits:
        assert limits["limit_s"] == minutes * 60


@contextmanager
def _fetched_by(asked: NewImport) -> Iterator[dict[str, Any]]:
    """Within what limits it was to be fetched."""
    found: dict[str, Any] = {}

    def fetch(_url: str, _reach: object, **limits: Any) -> Any:
        found.update(limits)
        raise outward.FetchError("The host of the address does not answer.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outward, "fetch", fetch)
        import_image.accept(by(_purse()), asked)
        work_all()
    yield found


def _imports(_clock: BusinessClock, most: int) -> None:
    account = _purse()
    for number in range(most):
        import_image.accept(by(account), _new_import(f"web {number}"))
    one_more = _new_import("one more")
    with refused(errors.TooManyImports, match=f"^At most {most} images are imported at once"):
        import_image.accept(by(account), one_more)
    OwnImage.objects.filter(account_id=account).update(state="IMPORTFAILED", import_url="")
    Operation.objects.filter(subject_kind="own_image").delete()


def _renew_ahead(test_clock: BusinessClock, years: int) -> None:
    account = _purse(MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    nearly = clock.add_months(test_clock.at, 12 * years - 1, shop.snapshot().billing_zone)
    Subscription.objects.filter(id=machine.id).update(expires_at=nearly, anchor_at=nearly)
    renew.price(account, Renewal([machine.public_id], 1))
    with refused(InvalidParameter, match=f"at most {years} years ahead can be paid"):
        renew.price(account, Renewal([machine.public_id], 2))


def _first_reminder(_clock: BusinessClock, days: tuple[int, ...]) -> None:
    machine = now_of(buy_running(_purse(MONTHLY_MINOR), MONTHLY))
    timer = Operation.objects.get(kind="term", subject_id=machine.id)
    assert machine.subscription.expires_at is not None
    assert timer.due_at == machine.subscription.expires_at - max(days) * DAY


def _free_return(test_clock: BusinessClock, days: int) -> None:
    account = _purse(MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    no_closes()
    test_clock.advance(days=days)
    (free,) = return_prepaid.quote_refund(account, [machine.public_id])
    assert (free.first_free, free.refund_minor, free.free_days) == (True, MONTHLY_MINOR, days)
    test_clock.advance(SECOND)
    (late,) = return_prepaid.quote_refund(account, [machine.public_id])
    assert (late.first_free, late.refund_minor < MONTHLY_MINOR) == (False, True)


def _bin_postpaid(test_clock: BusinessClock, hours: int) -> None:
    account = _purse(1000)
    machine = buy_running(account)
    terminate.terminate(by(account), [machine.public_id])
    _released_at(test_clock, machine, test_clock.at + hours * HOUR)


def _bin_prepaid(test_clock: BusinessClock, days: int) -> None:
    account = _purse(MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    test_clock.advance(hours=1)
    terminate.terminate(by(account), [machine.public_id])
    no_closes()
    midnight = test_clock.at.astimezone(shop.snapshot().billing_zone).replace(hour=0, minute=0, second=0)
    _released_at(test_clock, machine, midnight + (days + 1) * DAY)


def _arrears_kept(test_clock: BusinessClock, days: int) -> None:
    account = _purse(1000)
    machine = buy_running(account)
    owe(account)
    no_closes()
    _released_at(test_clock, machine, test_clock.at + days * DAY)


def _idle_address_kept(test_clock: BusinessClock, hours: int) -> None:
    """The hours of grace, which are over when charging stops, are among them."""
    account = _purse(1000)
    asked = NewAddresses("ap-guangzhou", AddressPart("TRAFFIC_POSTPAID_BY_HOUR", 1), ZONE)
    (public_id,) = allocate(by(account), asked).public_ids
    owe(account)
    no_closes()
    work_all()
    assert Subscription.objects.get(public_id=public_id).release_at == test_clock.at + (hours - 2) * HOUR


def _released_at(test_clock: BusinessClock, machine: Instance, instant: dt.datetime) -> None:
    """What was promised when it was turned off holds, whatever has changed meanwhile."""
    work_all()
    assert now_of(machine).subscription.release_at == instant
    go_to(test_clock, instant - SECOND)
    assert now_of(machine).state == "SHUTDOWN"
    go_to(test_clock, instant)
    assert now_of(machine).state == "GONE"


def _arrears_grace(test_clock: BusinessClock, hours: int) -> None:
    account = _purse(40)
    buy_running(account)
    go_to(test_clock, clock.hour_start(test_clock.at) + 2 * HOUR)  # the second close books beyond the purse
    (timer,) = Operation.objects.filter(kind="arrears")
    assert (timer.subject_id, timer.due_at) == (account, test_clock.at + hours * HOUR)


def _rooms_made(_clock: BusinessClock, most: int) -> None:
    buyer, owner = _purse(20_000), _purse(20_000)
    zones.check(ZONE)
    spot = replace(HOURLY, charge_type="SPOTPAID", instance_type="S5.SMALL1")
    for number in range(most + 1):
        Host.objects.filter(zone_id=ZONE).update(enabled=True, memory_capacity_mib=65_536)
        machine = buy_running(owner, spot)
        host = Host.objects.get(allocation__instance_id=machine.id)
        Host.objects.exclude(pk=host.pk).update(enabled=False)
        Host.objects.filter(pk=host.pk).update(memory_capacity_mib=host.memory_used_mib)
        with pytest.raises(errors.RoomIsMade if number < most else errors.NoRoom):
            purchase.purchase(wanted(buyer, replace(HOURLY, instance_type="S5.SMALL1")))
        Instance.objects.filter(reclaimed_for_room=True).update(reclaimed_for_room=False)


_purses = iter(range(10**6))


def _purse(cash_minor: int = 0) -> int:
    return open_purse(f"buyer{next(_purses)}", cash_minor=cash_minor)


Check = Callable[[BusinessClock, Any], None]
NUMBERS: dict[str, tuple[Any, Any, Check]] = {
    "quote_minutes": (15, 40, _quote),
    "unpaid_order_minutes": (30, 45, _unpaid),
    "unpaid_orders": (20, 2, _unpaid_orders),
    "open_payments": (10, 3, _open_payments),
    "abandoned_payment_minutes": (30, 5, _abandoned),
    "top_up_min": ({}, {"CNY": 5}, _top_up_min),
    "top_up_max": ({}, {"CNY": 200}, _top_up_max),
    "client_token_days": (30, 2, _client_tokens),
    "rooms_unbought": (3, 1, _rooms_made),
    "delivery_minutes": (10, 3, _delivery),
    "image_wait_minutes": (30, 4, _image_wait),
    "password_keep_days": (7, 2, _password_kept),
    "sold_disk_percent": (90, 50, _sold_disk),
    "sold_memory_percent": (80, 95, _sold_memory),
    "image_import_gib": (10, 0, _import_gib),
    "image_import_minutes": (60, 3, _import_minutes),
    "image_imports": (2, 5, _imports),
    "renew_ahead_years": (10, 2, _renew_ahead),
    "remind_days": ((7, 5, 3, 1), [2, 4], _first_reminder),
    "free_return_days": (5, 1, _free_return),
    "bin_postpaid_hours": (2, 5, _bin_postpaid),
    "bin_prepaid_days": (7, 3, _bin_prepaid),
    "arrears_keep_days": (15, 4, _arrears_kept),
    "arrears_idle_address_hours": (24, 6, _idle_address_kept),
    "arrears_grace_hours": (2, 6, _arrears_grace),
    "invitation_days": (7, 3, _invitation),
}
ELSEWHERE = {"auto_renew_attempts", "auto_renew_pause_hours", "statement_closes_hour"}  # below
ELSEWHERE |= {"consoles", "console_idle_minutes"}  # tests/consoles/test_tickets.py


def test_no_number_is_without_its_test() -> None:
    assert set(NUMBERS) | ELSEWHERE == set(Policy.model_fields)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_from_tomorrow_acts_tomorrow_and_not_today(
    name: str, test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What began today goes on by today's number, also after the change."""
    monkeypatch.setenv("VMART_SANDBOX_CARDS", "1")
    before, after, check = NUMBERS[name]
    tomorrow = test_clock.at + DAY
    date_policy(tomorrow, **{name: after})
    check(test_clock, before)
    if test_clock.at < tomorrow:
        go_to(test_clock, tomorrow)
    check(test_clock, after)


# -- what takes weeks, or the end of a month -------------------------------------------------------


def _expiring(flag: str, test_clock: BusinessClock, **numbers: Any) -> tuple[Instance, dt.datetime]:
    """A machine on a policy of its own from its purchase on, which nobody can pay another month of."""
    date_policy(test_clock.at + SECOND, **numbers)
    test_clock.advance(SECOND)
    account = _purse(MONTHLY_MINOR)
    machine = now_of(buy_running(account, MONTHLY))
    renew_flag.set_flag(by(account), [machine.public_id], flag)
    no_closes()
    assert machine.subscription.expires_at is not None
    return machine, machine.subscription.expires_at


def _times(kind: str) -> list[dt.datetime]:
    return list(Event.objects.filter(kind=kind).order_by("at").values_list("at", flat=True))


def test_it_is_reminded_on_the_days_of_the_policy(test_clock: BusinessClock) -> None:
    _machine, expires = _expiring(renew_flag.MANUAL, test_clock, remind_days=[2, 10, 4])
    go_to(test_clock, expires)
    assert _times("expires_soon") == [expires - days * DAY for days in (10, 4, 2)]


def test_nobody_is_reminded_where_no_day_is_named(test_clock: BusinessClock) -> None:
    machine, expires = _expiring(renew_flag.MANUAL, test_clock, remind_days=[])
    go_to(test_clock, expires)
    assert (_times("expires_soon"), now_of(machine).state) == ([], "SHUTDOWN")


def test_a_reminder_that_is_set_comes_and_the_next_follows_the_newer_policy(test_clock: BusinessClock) -> None:
    _machine, expires = _expiring(renew_flag.MANUAL, test_clock, remind_days=[6, 4, 1])
    date_policy(expires - 8 * DAY, remind_days=[7, 3, 2])
    go_to(test_clock, expires)
    assert _times("expires_soon") == [expires - days * DAY for days in (6, 3, 2)]


def test_it_is_tried_as_often_and_in_the_pauses_that_the_policy_says(test_clock: BusinessClock) -> None:
    _machine, expires = _expiring(renew_flag.AUTO, test_clock, auto_renew_attempts=4, auto_renew_pause_hours=12)
    go_to(test_clock, expires + 5 * DAY)
    midnight = dt.datetime(2026, 4, 9, 16, tzinfo=dt.UTC)
    assert _times("renew_failed") == [midnight, expires, expires + 12 * HOUR, expires + 24 * HOUR]
    assert list(reconcile()) == []


@pytest.mark.parametrize(
    ("begins", "month"),
    [
        ("2026-05-01", dt.date(2026, 3, 1)),  # 19:00 as ever
        ("2026-04-01", dt.date(2026, 4, 1)),  # in force when April begins: March is closed at 08:00
        ("2026-04-01T05:00:00+08:00", dt.date(2026, 3, 1)),  # a month's end keeps the hour that it began with
    ],
)
def test_a_statement_closes_at_the_hour_that_holds_when_the_next_month_begins(
    test_clock: BusinessClock, begins: str, month: dt.date
) -> None:
    """Given the last hour of March, closed late, on 1 April at 10:00, then it is in the statement that is open."""
    test_clock.set(dt.datetime(2026, 3, 31, 15, tzinfo=dt.UTC))  # 23:00 in Shanghai
    Operation.objects.all().delete()
    Horizon.objects.update(closed_until=test_clock.at)
    date_policy(_instant(begins), statement_closes_hour=8)
    machine = buy_running(_purse(1000), replace(HOURLY, bandwidth_mbps=0))
    Operation.objects.filter(kind="close_hour").delete()
    test_clock.set(dt.datetime(2026, 4, 1, 2, tzinfo=dt.UTC))
    close.close(dt.datetime(2026, 3, 31, 15, tzinfo=dt.UTC))
    charged = bills.Charge.objects.filter(subscription_id=machine.id)
    assert {charge.statement_month for charge in charged} == {month}


def _instant(text: str) -> dt.datetime:
    if "T" in text:
        return dt.datetime.fromisoformat(text)
    return dt.datetime.fromisoformat(text).replace(tzinfo=shop.snapshot().billing_zone)


def test_a_shown_price_ends_where_another_policy_begins(test_clock: BusinessClock) -> None:
    """The page beside the price tells rules (a free return); so none of them changes while it can be accepted."""
    changes_at = test_clock.at + dt.timedelta(minutes=5)
    date_policy(changes_at, free_return_days=1)
    signed = shown_quote.sign(1, Priced("renew", 1, "CNY", ()))
    test_clock.set(changes_at - SECOND)
    assert shown_quote.read_as(1, signed, Priced.of).action == "renew"
    test_clock.set(changes_at)
    with pytest.raises(shown_quote.NotShown) as refusal:
        shown_quote.read_as(1, signed, Priced.of)
    assert refusal.value.expired
