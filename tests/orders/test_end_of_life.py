"""Given a machine whose time is over (ended, returned, expired, unpaid), then it goes by the bin and leaves nothing."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.orders.ending import no_closes, nothing_left, now, power
from tests.support import quotas
from tests.support.actors import by
from tests.support.at_once import at_once
from tests.support.business_clock import BusinessClock
from tests.support.shopper import (
    HOURLY,
    HOURLY_HOLD_MINOR,
    MONTHLY,
    MONTHLY_MINOR,
    ZONE,
    buy_running,
    go_to,
    open_purse,
    purses,
    work,
)
from tests.support.written import nothing_written, refused
from vmart.bills.models import Charge
from vmart.config.reconcile import reconcile
from vmart.customers.models import Account
from vmart.engines.contract import Observation, Power
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.kernel.clock import HOUR, UTC
from vmart.kernel.errors import LimitExceeded
from vmart.kernel.money import from_minor, to_minor
from vmart.ledger.models import Entry, Hold, Transfer
from vmart.metering.models import Segment
from vmart.orders import credit, errors, isolate, return_prepaid, start, stop, terminate
from vmart.orders.models import Line
from vmart.placement.models import Allocation
from vmart.pricing.configuration import DiskChoice
from vmart.provisioning.zone_engines import engine_of
from vmart.settlement import arrears, close
from vmart.subscriptions.models import Subscription
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

ONLINE = replace(HOURLY, internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR", bandwidth_mbps=5, public_ip=True)
# The machine of the published refund examples: S1 1C1G for a year at 507.96, its disk beside it.
YEARLY = replace(MONTHLY, instance_type="S1.SMALL1", period_months=12, system_disk=DiskChoice("CLOUD_PREMIUM", 20))
CPU_YEAR_MINOR, DISK_YEAR_MINOR = 50796, 8400


# -- a postpaid machine is ended -------------------------------------------------------------------


def test_it_costs_the_seconds_up_to_the_request_and_goes_to_the_bin(test_clock: BusinessClock, world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, ONLINE)
    test_clock.advance(minutes=15)
    accepted = test_clock.at
    terminate.terminate(by(account, "r-9"), [machine.public_id])
    machine = now(machine)
    assert (machine.state, machine.subscription.isolated_source, machine.latest_operation) == (
        "SHUTDOWN", "MANMADE", "TerminateInstances",
    )  # fmt: skip
    assert (machine.subscription.isolated_at, machine.subscription.release_at) == (
        accepted,
        accepted + dt.timedelta(hours=2),
    )
    assert set(Segment.objects.values_list("ended_at", flat=True)) == {accepted}
    # 900 s: cpu 0.0875 and disk 0.00625, rounded up once
    assert purses(account)["held"] == 10
    test_clock.advance(seconds=30)
    work()
    assert (power(machine), now(machine).latest_operation_state) == (Power.STOPPED, "SUCCESS")
    assert [(o.kind, o.due_at) for o in Operation.objects.filter(subject_id=machine.id)] == [
        ("release", accepted + dt.timedelta(hours=2))
    ]
    go_to(test_clock, accepted.replace(minute=0) + dt.timedelta(hours=1))
    assert sorted(Charge.objects.values_list("component", "duration_s", "exact_e8")) == [
        ("cpu", 900, 8_750_000), ("disk", 900, 625_000),
    ]  # fmt: skip
    assert purses(account) == {"cash": 991, "gift": 0, "owed": 0, "held": 0, "available": 991}
    go_to(test_clock, accepted + dt.timedelta(hours=2))
    machine = now(machine)
    assert (machine.state, machine.gone_at, machine.public_ip, machine.password_hash) == (
        "GONE", test_clock.at, None, "",
    )  # fmt: skip
    assert purses(account)["cash"] == 991
    nothing_left(world)


def test_a_second_request_releases_at_once_and_moves_no_money(test_clock: BusinessClock, world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, ONLINE)
    test_clock.advance(minutes=15)
    terminate.terminate(by(account), [machine.public_id])
    work()
    money, segments = purses(account), list(Segment.objects.values())
    test_clock.advance(minutes=1)
    terminate.terminate(by(account), [machine.public_id])
    assert now(machine).state == "TERMINATING"
    with refused(errors.WrongState, field="machines", code="InvalidInstanceState.Terminating"):
        terminate.terminate(by(account), [machine.public_id])
    work()
    assert now(machine).state == "GONE"
    assert (purses(account), list(Segment.objects.values())) == (money, segments)
    assert not Operation.objects.filter(subject_id=machine.id).exists()
    go_to(test_clock, test_clock.at.replace(minute=0) + dt.timedelta(hours=1))
    assert purses(account) == {"cash": 991, "gift": 0, "owed": 0, "held": 0, "available": 991}
    nothing_left(world)


def test_a_release_that_overtakes_the_power_off_leaves_no_work_behind(world: World) -> None:
    """Given a power-off that comes later than the end of the bin, then nothing asks for the seller's attention."""
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, ONLINE)
    terminate.terminate(by(account), [machine.public_id])
    Operation.objects.filter(kind="isolate").update(due_at=dt.datetime(2026, 3, 10, 3, tzinfo=UTC))
    Operation.objects.filter(kind="release").update(due_at=dt.datetime(2026, 3, 10, 2, tzinfo=UTC))
    work()
    assert now(machine).state == "GONE"
    Operation.objects.filter(kind="isolate").update(due_at=dt.datetime(2026, 3, 10, 2, tzinfo=UTC))
    work()
    assert list(Operation.objects.values_list("kind", flat=True)) == ["close_hour"]
    nothing_left(world)


def test_ended_within_the_hour_it_was_bought_it_is_one_charge_of_its_seconds(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    terminate.terminate(by(account), [machine.public_id])  # in the same second
    go_to(test_clock, test_clock.at + dt.timedelta(hours=1))
    assert not Charge.objects.exists()
    assert purses(account)["available"] == 1000
    assert list(reconcile()) == []


def test_a_machine_that_was_not_seen_off_is_not_at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a host that is away, then the machine in the bin is turned off when it is back."""
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, ONLINE)
    terminate.terminate(by(account), [machine.public_id])
    real = engine_of(ZONE)
    answers = [Power.BROKEN, Power.RUNNING]

    class Away:
        def ensure_power(self, name: str, on: bool, *, force: bool = False) -> Observation:
            assert now(machine).latest_operation_state == "OPERATING"
            return Observation(name, answers.pop(0)) if answers else real.ensure_power(name, on=on, force=force)

    monkeypatch.setattr(isolate, "engine_of", lambda _zone: Away())
    work()
    assert answers == []
    assert (power(machine), now(machine).latest_operation_state) == (Power.STOPPED, "SUCCESS")


def test_a_request_repeated_at_once_erases_nothing(test_clock: BusinessClock, world: World) -> None:
    """Given a client that sends the same call twice, then the second is refused until the machine is in the bin."""
    account = open_purse(cash_minor=20_000)
    for configuration in (ONLINE, MONTHLY):
        machine = buy_running(account, configuration)
        terminate.terminate(by(account), [machine.public_id])
        with refused(errors.Busy, field="machines", match="busy with TerminateInstances"):
            terminate.terminate(by(account), [machine.public_id])
        with nothing_written():
            terminate.terminate(by(account), [machine.public_id], erase=False)
        work()
        assert (now(machine).state, now(machine).latest_operation_state) == ("SHUTDOWN", "SUCCESS")
        assert power(machine) == Power.STOPPED
        terminate.terminate(by(account), [machine.public_id])
        work()
        assert now(machine).state == "GONE"


def _ended_twice_at_once() -> tuple[list[object], str]:
    """A client's call and its own repetition meet at the account lock; what they were answered, the machine's state."""
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    results = at_once(*[lambda: terminate.terminate(by(account), [machine.public_id])] * 2)
    return sorted(results, key=lambda result: result is not None), now(machine).state


def test_of_two_requests_at_once_one_is_told_that_the_other_is_under_way() -> None:
    (accepted, other), state = _ended_twice_at_once()
    assert accepted is None
    assert isinstance(other, errors.Busy)
    assert other.code == "OperationDenied.InstanceOperationInProgress"
    assert state == "SHUTDOWN"
    assert list(Event.objects.order_by("id").values_list("kind", flat=True)) == [
        "RunInstances", "delivered", "TerminateInstances", "terminated",
    ]  # fmt: skip


def test_control_without_a_look_at_the_first_the_second_erases_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminate, "_refuse_unerasable", lambda machines: None)
    assert _ended_twice_at_once() == ([None, None], "TERMINATING")


def test_it_can_be_ended_while_it_is_stopped_without_charge(test_clock: BusinessClock, world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, ONLINE)
    stop.stop(by(account), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    work()
    test_clock.advance(minutes=30)
    terminate.terminate(by(account), [machine.public_id])
    assert purses(account)["held"] == 2  # half an hour of the disk, 0.0125, rounded up
    go_to(test_clock, test_clock.at + dt.timedelta(hours=2))
    assert Charge.objects.values_list("component", "duration_s").get() == ("disk", 1800)
    assert now(machine).state == "GONE"
    nothing_left(world)


def test_all_are_ended_or_none() -> None:
    account = open_purse(cash_minor=1000)
    one, busy = buy_running(account), buy_running(account)
    stop.stop(by(account), [busy.public_id])
    with refused(errors.Busy):
        terminate.terminate(by(account), [one.public_id, busy.public_id])


def test_a_release_that_fails_is_tried_again_and_then_shown_to_the_seller(
    test_clock: BusinessClock, world: World
) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    terminate.terminate(by(account), [machine.public_id])
    work()
    terminate.terminate(by(account), [machine.public_id])
    world.fail("ensure_absent", times=12)
    work()
    operation = Operation.objects.get(kind="release")
    assert (operation.attention, now(machine).state) == (True, "TERMINATING")
    assert Allocation.objects.exists()  # what may still be there keeps its room
    Operation.objects.update(attention=False, attempt=0)
    work()
    nothing_left(world)


# -- a prepaid machine is returned -----------------------------------------------------------------


def _paid(line: Line) -> int:
    return line.paid_cash_minor + line.paid_gift_minor


def test_the_first_return_within_five_days_gives_everything_back(test_clock: BusinessClock, world: World) -> None:
    """Vector refund-1: a year of S1, used 48 hours, the account's free return: all that was paid (507.96)."""
    no_closes()
    account = open_purse(cash_minor=CPU_YEAR_MINOR + DISK_YEAR_MINOR)
    machine = buy_running(account, YEARLY)
    assert purses(account)["cash"] == 0
    go_to(test_clock, test_clock.at + dt.timedelta(hours=48))
    quoted = return_prepaid.quote_refund(account, [machine.public_id])[0]
    assert (quoted.refund_minor, quoted.first_free) == (CPU_YEAR_MINOR + DISK_YEAR_MINOR, True)
    returned_at = test_clock.at
    terminate.terminate(by(account), [machine.public_id])
    machine = now(machine)
    assert (machine.state, machine.subscription.isolated_source, machine.subscription.expires_at) == (
        "SHUTDOWN",
        "MANMADE",
        returned_at,
    )
    assert machine.subscription.release_at == dt.datetime(
        2026, 3, 19, 16, tzinfo=UTC
    )  # first midnight in Shanghai after 7 × 24 h
    assert purses(account)["available"] == CPU_YEAR_MINOR + DISK_YEAR_MINOR
    assert Account.objects.get(id=account).free_return_used_at == returned_at
    line = Line.objects.get()
    assert (line.state, line.refund_minor) == ("returned", _paid(line))
    assert not Operation.objects.filter(kind="expire").exists()
    work()
    assert power(machine) == Power.STOPPED
    go_to(test_clock, dt.datetime(2026, 3, 19, 16, tzinfo=UTC))
    assert now(machine).state == "GONE"
    nothing_left(world)


def test_any_other_return_gives_back_what_was_not_used(test_clock: BusinessClock) -> None:
    """Vector refund-2: 48 hours at 0.42 are 20.16 used; its disk's 0.48 beside it.

    The example paid 407.96 with a voucher and gets 387.80; without vouchers it is 507.96 and 487.80.
    """
    no_closes()
    account = open_purse(cash_minor=CPU_YEAR_MINOR + DISK_YEAR_MINOR)
    Account.objects.update(free_return_used_at=test_clock.at)
    machine = buy_running(account, YEARLY)
    go_to(test_clock, test_clock.at + dt.timedelta(hours=48))
    used_minor = 2016 + 48  # 48 × 0.42; 48 × 20 × 0.0005
    terminate.terminate(by(account), [machine.public_id])
    refund = CPU_YEAR_MINOR - 2016 + DISK_YEAR_MINOR - 48
    assert purses(account)["cash"] == refund == CPU_YEAR_MINOR + DISK_YEAR_MINOR - used_minor
    assert CPU_YEAR_MINOR - 2016 == 48780
    transfer = Transfer.objects.get(kind="refund")
    assert (transfer.amount_minor, transfer.subject_id) == (refund, machine.id)
    assert sorted(Entry.objects.filter(transfer_id=transfer.id).values_list("book", "amount_minor")) == [
        ("cash", refund), ("revenue", -refund),
    ]  # fmt: skip
    assert Account.objects.get(id=account).free_return_used_at == dt.datetime(2026, 3, 10, 2, tzinfo=UTC)
    assert list(reconcile()) == []


def test_gift_money_comes_back_as_gift_money(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR - 3250)
    with db.act():
        credit.credit("00000000-0000-8000-8000-0000000000aa", "grant", account, "gifts", gift_minor=3250)  # type: ignore[arg-type]
    machine = buy_running(account, MONTHLY)
    assert purses(account)["available"] == 0
    terminate.terminate(by(account), [machine.public_id])
    assert (purses(account)["cash"], purses(account)["gift"]) == (MONTHLY_MINOR - 3250, 3250)


def test_five_days_are_inclusive_to_the_second(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=2 * MONTHLY_MINOR)
    one, two = buy_running(account, MONTHLY), buy_running(account, MONTHLY)
    test_clock.advance(days=5)
    assert return_prepaid.quote_refund(account, [one.public_id])[0].first_free
    test_clock.advance(seconds=1)
    assert not return_prepaid.quote_refund(account, [one.public_id, two.public_id])[1].first_free


def test_only_one_of_several_returned_at_once_is_free(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=2 * MONTHLY_MINOR)
    one, two = buy_running(account, MONTHLY), buy_running(account, MONTHLY)
    test_clock.advance(hours=100)
    terminate.terminate(by(account), [one.public_id, two.public_id])
    refunds = sorted(Line.objects.values_list("refund_minor", flat=True))
    assert refunds[1] == MONTHLY_MINOR
    assert refunds[0] == MONTHLY_MINOR - 3750  # 100 × (0.35 + 50 × 0.0005)


def test_what_several_would_give_back_together_is_what_they_give_back(test_clock: BusinessClock) -> None:
    """Given two machines and one free return, then the quote names one of them free: the first, as the return does."""
    account = open_purse(cash_minor=2 * MONTHLY_MINOR)
    one, two = buy_running(account, MONTHLY), buy_running(account, MONTHLY)
    test_clock.advance(hours=100)
    quotes = return_prepaid.quote_refund(account, [two.public_id, one.public_id])
    assert [(quote.public_id, quote.refund_minor, quote.first_free) for quote in quotes] == [
        (two.public_id, MONTHLY_MINOR, True), (one.public_id, MONTHLY_MINOR - 3750, False),
    ]  # fmt: skip
    terminate.terminate(by(account), [two.public_id, one.public_id])
    assert dict(Line.objects.values_list("subscription_id", "refund_minor")) == {
        two.id: MONTHLY_MINOR, one.id: MONTHLY_MINOR - 3750,
    }  # fmt: skip
    assert purses(account)["cash"] == 2 * MONTHLY_MINOR - 3750
    assert list(reconcile()) == []


def test_all_that_are_returned_together_are_returned_at_one_instant(test_clock: BusinessClock) -> None:
    """Given a clock that goes on an hour at every look, then each has been used up to the second it is told."""
    account = open_purse(cash_minor=3 * MONTHLY_MINOR)
    Account.objects.update(free_return_used_at=test_clock.at)
    machines = [buy_running(account, MONTHLY) for _ in range(3)]
    started = test_clock.at
    clock.install(lambda: test_clock.advance(hours=1))
    quotes = return_prepaid.quote_refund(account, [machine.public_id for machine in machines])
    assert len({quote.refund_minor for quote in quotes}) == 1
    terminate.terminate(by(account), [machine.public_id for machine in machines])
    ended = Instance.objects.values_list("subscription__isolated_at", flat=True).distinct().get()
    assert ended is not None
    used = Decimal("0.375") * ((ended - started) // HOUR)  # 0.35 + 50 × 0.0005 an hour
    refund_minor = to_minor(from_minor(MONTHLY_MINOR) - used)
    assert set(Line.objects.values_list("refund_minor", flat=True)) == {refund_minor}


def test_machines_of_every_kind_and_zone_end_in_one_call(test_clock: BusinessClock, world: World) -> None:
    """Given one in the bin, two postpaid in two zones and a prepaid one, then each ends as it would alone."""
    account = open_purse(cash_minor=MONTHLY_MINOR + 4 * HOURLY_HOLD_MINOR)
    elsewhere = replace(HOURLY, zone="ap-guangzhou-6")
    binned, near, far = buy_running(account), buy_running(account), buy_running(account, elsewhere)
    prepaid = buy_running(account, MONTHLY)
    terminate.terminate(by(account), [binned.public_id])  # in its first second: nothing is held for it
    work()
    test_clock.advance(minutes=15)
    terminate.terminate(by(account, "r"), [near.public_id, prepaid.public_id, binned.public_id, far.public_id])
    assert [(now(each).state, now(each).latest_operation_request_id) for each in (binned, near, far, prepaid)] == [
        ("TERMINATING", "r"), ("SHUTDOWN", "r"), ("SHUTDOWN", "r"), ("SHUTDOWN", "r"),
    ]  # fmt: skip
    # 900 s of each postpaid one: cpu 0.0875 and disk 0.00625, rounded up once
    assert dict(Hold.objects.filter(state="pending").values_list("subject_id", "floating_minor")) == {
        near.id: 10, far.id: 10, binned.id: 0,
    }  # fmt: skip
    assert purses(account)["cash"] == MONTHLY_MINOR + 4 * HOURLY_HOLD_MINOR
    waiting = [(o.kind, o.subject_id, o.lane) for o in Operation.objects.exclude(kind="close_hour")]
    assert sorted(waiting) == sorted(
        [("isolate", each.id, each.zone_id) for each in (near, far, prepaid)]
        + [("release", each.id, each.zone_id) for each in (binned, near, far, prepaid)]
    )
    assert sorted(Event.objects.filter(kind__in=["terminated", "returned"]).values_list("subject_id", "kind")) == [
        (binned.id, "terminated"), (near.id, "terminated"), (far.id, "terminated"), (prepaid.id, "returned"),
    ]  # fmt: skip
    no_closes()
    go_to(test_clock, test_clock.at + dt.timedelta(days=9))
    assert set(Instance.objects.values_list("state", flat=True)) == {"GONE"}
    nothing_left(world)


def test_a_postpaid_machine_has_nothing_to_return() -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    with refused(errors.WrongMode, field="machines"):
        return_prepaid.quote_refund(account, [machine.public_id])


def test_the_price_of_a_return_is_asked_for_without_writing(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    with nothing_written():
        return_prepaid.quote_refund(account, [machine.public_id])
    other = open_purse("other")
    with refused(errors.UnknownInstance):
        return_prepaid.quote_refund(other, [machine.public_id])


def test_returns_have_a_quota_a_year(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=3 * MONTHLY_MINOR)
    quotas.everyone(returns_per_year=1)
    one, two = buy_running(account, MONTHLY), buy_running(account, MONTHLY)
    terminate.terminate(by(account), [one.public_id])
    with refused(LimitExceeded, code="LimitExceeded.UserReturnQuota"):
        terminate.terminate(by(account), [two.public_id])
    with refused(LimitExceeded, code="LimitExceeded.UserReturnQuota"):  # nor is it quoted what cannot be had
        return_prepaid.quote_refund(account, [two.public_id])
    test_clock.set(dt.datetime(2026, 12, 31, 16, tzinfo=UTC))  # the year of the billing zone
    later = test_clock.at + dt.timedelta(days=1)
    Subscription.objects.filter(pk=two.pk).update(expires_at=later)  # still running
    Line.objects.filter(subscription_id=two.pk).update(period_to=later)
    terminate.terminate(by(account), [two.public_id])


# -- arrears ---------------------------------------------------------------------------------------


def test_arrears_from_the_first_unpaid_hour_to_the_release(test_clock: BusinessClock, world: World) -> None:
    begin = test_clock.at
    account = open_purse(cash_minor=HOURLY_HOLD_MINOR)
    machine = buy_running(account, ONLINE)
    go_to(test_clock, begin + dt.timedelta(hours=1))
    assert purses(account) == {"cash": 0, "gift": 0, "owed": 0, "held": 38, "available": -38}  # 0.35 + 0.03
    go_to(test_clock, begin + dt.timedelta(hours=2))
    assert purses(account)["owed"] == 37  # the running total of the disk is 0.05 now
    assert [(o.due_at, o.subject_id) for o in Operation.objects.filter(kind="arrears")] == [
        (begin + dt.timedelta(hours=4), account)
    ]
    go_to(test_clock, begin + dt.timedelta(hours=4) - dt.timedelta(seconds=1))
    assert now(machine).state == "RUNNING"  # charged on for two hours
    go_to(test_clock, begin + dt.timedelta(hours=4))
    machine = now(machine)
    stopped = begin + dt.timedelta(hours=4)
    assert (machine.state, machine.subscription.isolated_source) == ("SHUTDOWN", "ARREAR")
    assert (machine.subscription.isolated_at, machine.subscription.release_at) == (
        stopped,
        stopped + dt.timedelta(days=15),
    )
    assert power(machine) == Power.STOPPED
    assert set(Segment.objects.values_list("ended_at", flat=True)) == {stopped}
    assert (machine.subscription.hold_id, purses(account)["held"]) == (None, 0)
    assert not Hold.objects.filter(state="pending").exists()
    assert Allocation.objects.get().vcpu == 0
    assert purses(account)["owed"] == 4 * 35 + 10 - HOURLY_HOLD_MINOR  # four hours, 0.025 of the disk each
    with refused(errors.WrongState, match="it was stopped for arrears"):
        start.start(by(account), [machine.public_id])
    no_closes()
    go_to(test_clock, stopped + dt.timedelta(days=15) - dt.timedelta(seconds=1))
    assert now(machine).state == "SHUTDOWN"
    assert purses(account)["owed"] == 4 * 35 + 10 - HOURLY_HOLD_MINOR
    go_to(test_clock, stopped + dt.timedelta(days=15))
    assert now(machine).state == "GONE"
    nothing_left(world)


def test_a_top_up_makes_it_startable_with_its_own_tier_clock(test_clock: BusinessClock) -> None:
    begin = test_clock.at
    account = open_purse(cash_minor=HOURLY_HOLD_MINOR)
    machine = buy_running(account)
    go_to(test_clock, begin + dt.timedelta(hours=6))
    owed = purses(account)["owed"]
    with db.act():
        credit.credit("00000000-0000-8000-8000-0000000000bb", "opening", account, "card", cash_minor=owed + 100)  # type: ignore[arg-type]
    start.start(by(account), [machine.public_id])
    work()
    assert now(machine).state == "RUNNING"
    cpu = Segment.objects.get(component="cpu", ended_at=None)
    assert (cpu.started_at, cpu.age_s) == (test_clock.at, 4 * 3600)
    assert purses(account)["held"] == HOURLY_HOLD_MINOR
    assert list(reconcile()) == []


def test_a_credit_limit_is_kept_to_the_cent(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=HOURLY_HOLD_MINOR)
    Account.objects.update(credit_limit_minor=37)
    buy_running(account)
    go_to(test_clock, test_clock.at + dt.timedelta(hours=2))
    assert purses(account)["owed"] == 37
    assert not Operation.objects.filter(kind="arrears").exists()
    go_to(test_clock, test_clock.at + dt.timedelta(hours=1))
    assert Operation.objects.filter(kind="arrears").count() == 1


def test_arrears_that_nobody_could_work_on_come_again_with_the_next_unpaid_hour(test_clock: BusinessClock) -> None:
    begin = test_clock.at
    account = open_purse(cash_minor=HOURLY_HOLD_MINOR)
    machine = buy_running(account)
    go_to(test_clock, begin + dt.timedelta(hours=2))
    Operation.objects.filter(kind="arrears").update(attention=True, attempt=8, last_error="the database was full")
    go_to(test_clock, begin + dt.timedelta(hours=3))
    due = begin + dt.timedelta(hours=5)
    assert Operation.objects.values_list("attention", "attempt", "due_at").get(kind="arrears") == (False, 0, due)
    go_to(test_clock, due)
    assert (now(machine).state, now(machine).subscription.isolated_at) == ("SHUTDOWN", due)
    assert list(reconcile()) == []


def test_the_stop_waits_for_what_is_under_way_and_a_top_up_meanwhile_spares_the_machine(
    test_clock: BusinessClock,
) -> None:
    account = open_purse(cash_minor=HOURLY_HOLD_MINOR)
    machine = buy_running(account)
    go_to(test_clock, test_clock.at + dt.timedelta(hours=4) - dt.timedelta(seconds=1))
    stop.stop(by(account), [machine.public_id])
    Operation.objects.filter(kind="stop").update(due_at=test_clock.at + dt.timedelta(minutes=1))
    test_clock.advance(seconds=1)
    work()
    assert Operation.objects.get(kind="arrears").last_error == "an operation on one of its things is under way"
    with db.act():
        credit.credit("00000000-0000-8000-8000-0000000000cc", "opening", account, "card", cash_minor=1000)  # type: ignore[arg-type]
    test_clock.advance(minutes=1)
    work()
    assert (now(machine).state, arrears.in_arrears(account)) == ("STOPPED", False)


def test_prepaid_machines_of_an_account_in_arrears_run_on(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR + HOURLY_HOLD_MINOR)
    prepaid, hourly = buy_running(account, MONTHLY), buy_running(account)
    go_to(test_clock, test_clock.at + dt.timedelta(hours=5))
    assert (now(prepaid).state, now(hourly).state) == ("RUNNING", "SHUTDOWN")
    assert list(reconcile()) == []


def test_the_close_is_exactly_once(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    buy_running(account)
    hour = test_clock.at
    go_to(test_clock, hour + dt.timedelta(hours=1))
    money, charges = purses(account), list(Charge.objects.values())
    assert close.close(hour) == (0, 0)
    assert (purses(account), list(Charge.objects.values())) == (money, charges)
