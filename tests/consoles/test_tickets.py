"""A ticket opens one console, once, soon, from the page that it was made for, as long as its owner may."""

import datetime as dt
import threading
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import IntegrityError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.consoles.conftest import ORIGIN, Owner, owner_of_a_machine, row
from tests.policy.dating import date_policy
from tests.support.actors import SELLER
from tests.support.at_once import at_once
from tests.support.business_clock import BusinessClock
from tests.support.shopper import ZONE, buy_running, go_to
from tests.support.written import nothing_written, refused
from vmart.catalog.models import Zone
from vmart.consoles import tickets, watch
from vmart.consoles.errors import BadTicket, NoConsole, Shut, TooManyConsoles
from vmart.consoles.models import Console
from vmart.customers.models import ApiKey, Member, User
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel import clock
from vmart.kernel.errors import Refused
from vmart.orders import standing, stop
from vmart.orders.errors import UnknownInstance, WrongState

ADDRESS = "203.0.113.99"
SPENT = r"^This ticket is not good any more"


def use(ticket: str, origin: str = ORIGIN) -> tickets.Opened:
    return tickets.use(ticket, origin, ADDRESS)


def events_of(machine: Instance) -> list[tuple[str, Any, Any]]:
    found = Event.objects.filter(subject_kind="machine", subject_id=machine.id, kind__startswith="console")
    return [(event.kind, event.detail, event.actor) for event in found.order_by("id")]


def test_a_ticket_opens_its_machine_and_is_kept_nowhere(owner: Owner) -> None:
    ticket = owner.ticket()
    assert len(ticket) == 43
    kept = Console.objects.values().get()
    assert ticket not in repr(kept)
    assert (kept["expires_at"] - kept["made_at"], kept["origin"]) == (dt.timedelta(seconds=30), ORIGIN)
    opened = use(ticket)
    assert (opened.machine, opened.zone, opened.idle_s, opened.superseded) == (owner.machine.public_id, ZONE, 900.0, [])
    assert (row(ticket).address, row(ticket).closed_at) == (ADDRESS, None)
    told = owner.actor.told()
    assert events_of(owner.machine) == [("console_opened", {"address": ADDRESS}, told)]
    watch.close(opened.id, "left")
    watch.close(opened.id, "idle")  # a second end is none
    assert (row(ticket).why, row(ticket).session_key) == ("left", "")
    closed = ("console_closed", {"seconds": 0, "address": ADDRESS, "ended_by": "left"}, told)
    assert events_of(owner.machine)[1:] == [closed]


def test_a_ticket_is_used_once(owner: Owner) -> None:
    ticket = owner.ticket()
    use(ticket)
    with refused(BadTicket, match=SPENT):
        use(ticket)


@pytest.mark.parametrize("ticket", ["", "x", "\0", "a" * 43, "💥", "' OR 1=1 --"])
def test_what_is_no_ticket_opens_nothing(owner: Owner, ticket: str) -> None:
    owner.ticket()
    with refused(BadTicket, match=SPENT):
        use(ticket)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(age_ms=st.integers(min_value=-5_000, max_value=90_000) | st.sampled_from([0, 29_999, 30_000]))
def test_it_is_good_for_thirty_seconds_and_not_one_longer(owner: Owner, age_ms: int) -> None:
    now = dt.datetime(2026, 3, 10, 2, tzinfo=dt.UTC)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(clock, "wall", lambda: now)
        Console.objects.all().delete()
        ticket = owner.ticket()
        session_ends = now + dt.timedelta(days=14)
        Session.objects.update(expire_date=session_ends)
        patched.setattr(clock, "wall", lambda: now + dt.timedelta(milliseconds=age_ms))
        if 0 <= age_ms < 30_000:
            assert use(ticket).machine == owner.machine.public_id
        else:
            with pytest.raises(BadTicket, match=SPENT):
                use(ticket)
            assert row(ticket).opened_at is None


def test_shown_from_another_page_it_is_spent(owner: Owner) -> None:
    ticket = owner.ticket()
    with pytest.raises(BadTicket, match=SPENT):
        use(ticket, "https://evil.example.org")
    with refused(BadTicket, match=SPENT):
        use(ticket)
    assert (row(ticket).why, events_of(owner.machine)) == ("refused", [])


def test_nobody_gets_one_for_anothers_machine(owner: Owner) -> None:
    other = owner_of_a_machine("other")
    with refused(UnknownInstance, match=r"^The instance ins-.{8} does not exist\.$", field="machines"):
        owner.ticket(other.machine)


def test_only_a_machine_that_runs_has_a_console(owner: Owner) -> None:
    ticket = owner.ticket()
    Instance.objects.filter(pk=owner.machine.pk).update(state="STOPPED")
    with refused(WrongState, match="is STOPPED", code="UnsupportedOperation.InstanceStateStopped"):
        owner.ticket()
    with pytest.raises(Shut, match="the machine is off"):
        use(ticket)
    assert (row(ticket).why, events_of(owner.machine)) == ("refused", [])


def test_a_zone_without_consoles_says_why(owner: Owner) -> None:
    why = "Virtual machines show no console: that has not been tried yet."
    zone = Zone.objects.get(pk=ZONE)
    Zone.objects.filter(pk=ZONE).update(
        capabilities=zone.capabilities | {"console": False, "missing": {"console": why}}
    )
    with refused(NoConsole, match=f"^{ZONE}: {why}$"):
        owner.ticket()
    Zone.objects.filter(pk=ZONE).update(capabilities={})
    with refused(NoConsole, match="Its engine shows no console"):
        owner.ticket()


def test_a_frozen_account_has_none_and_loses_those_that_are_open(owner: Owner) -> None:
    waits, opened = owner.ticket(), use(owner.ticket())
    standing.freeze(owner.account_id, "unpaid bills", SELLER)
    assert watch.look([opened.id]) == {opened.id: "frozen"}
    with refused(Shut, match="^The account is frozen, and has no consoles: unpaid bills$"):
        owner.ticket()
    with pytest.raises(Shut):
        use(waits)


def test_thirty_a_minute_of_a_machine_are_the_most(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(30):
        owner.ticket()
    with refused(TooManyConsoles, match="was asked for 30 times within a minute"):
        owner.ticket()
    later = clock.wall() + dt.timedelta(minutes=1, seconds=1)
    monkeypatch.setattr(clock, "wall", lambda: later)
    owner.ticket()


def test_as_many_are_open_at_once_as_the_policy_says(owner: Owner, test_clock: BusinessClock) -> None:
    machines = [owner.machine, *(buy_running(owner.account_id) for _ in range(2))]
    date_policy(test_clock.at + dt.timedelta(minutes=1), consoles=2, console_idle_minutes=3)
    assert use(owner.ticket()).idle_s == 900
    go_to(test_clock, test_clock.at + dt.timedelta(minutes=1))
    opened = [use(owner.ticket(machine)) for machine in machines[:2]]
    assert [one.idle_s for one in opened] == [180, 180]
    third = owner.ticket(machines[2])
    with pytest.raises(TooManyConsoles, match=r"^2 consoles are open, the most there may be; close one first\.$"):
        use(third)
    watch.close(opened[0].id, "left")
    assert use(owner.ticket(machines[2])).superseded == []


def test_a_second_console_of_a_machine_ends_the_first(owner: Owner) -> None:
    first = use(owner.ticket())
    second = use(owner.ticket())
    assert second.superseded == [first.id]
    assert watch.look([first.id, second.id]) == {first.id: "opened_elsewhere"}
    assert [kind for kind, _, _ in events_of(owner.machine)] == ["console_opened", "console_closed", "console_opened"]


def test_it_is_over_when_its_owner_signs_out_or_leaves_or_the_machine_goes_off(owner: Owner) -> None:
    opened = use(owner.ticket())
    assert watch.look([opened.id]) == {}
    Instance.objects.filter(pk=owner.machine.pk).update(state="REBOOTING")
    assert watch.look([opened.id]) == {}
    Instance.objects.filter(pk=owner.machine.pk).update(state="STOPPING")
    assert watch.look([opened.id]) == {opened.id: "machine_off"}
    Instance.objects.filter(pk=owner.machine.pk).update(state="RESCUE_MODE")
    assert watch.look([opened.id]) == {}
    User.objects.update(is_active=False)
    assert watch.look([opened.id]) == {opened.id: "no_member"}
    User.objects.update(is_active=True)
    Member.objects.all().delete()
    assert watch.look([opened.id]) == {opened.id: "no_member"}
    owner.sign_out()
    assert watch.look([opened.id]) == {opened.id: "signed_out"}


def test_one_of_a_program_is_over_when_its_key_is_off(owner: Owner) -> None:
    key = ApiKey.objects.create(
        account_id=owner.account_id, user_id=owner.by.user_id, secret_id="AKIDtest", secret_sealed=b"", enabled=True,
        created_at=clock.now(),
    )  # fmt: skip
    made = tickets.make(owner.actor, owner.machine.public_id, tickets.By(None, secret_id="AKIDtest"), ORIGIN)
    opened = use(made)
    assert watch.look([opened.id]) == {}
    ApiKey.objects.filter(pk=key.pk).update(enabled=False)
    assert watch.look([opened.id]) == {opened.id: "key_off"}


def test_of_two_who_use_it_at_once_one_has_it(owner: Owner) -> None:
    for _ in range(5):
        ticket = owner.ticket()
        outcomes = at_once(lambda: use(ticket), lambda: use(ticket), lambda: use(ticket))  # noqa: B023
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["BadTicket", "BadTicket", "Opened"]


def test_control_where_it_is_looked_at_before_it_is_spent_two_have_it(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the one statement that looks and spends, and without the account's lock before it."""
    both_have_looked = threading.Barrier(2)

    def careless(number: int, address: str) -> Console | None:
        found = Console.objects.select_related("instance__subscription").get(pk=number)
        is_good = found.opened_at is None
        both_have_looked.wait(5)
        Console.objects.filter(pk=number).update(opened_at=clock.wall(), seen_at=clock.wall(), address=address)
        return found if is_good else None

    monkeypatch.setattr(tickets, "_spend", careless)
    monkeypatch.setattr("vmart.customers.accounts.lock", lambda _account_id: None)
    ticket = owner.ticket()
    outcomes = at_once(lambda: use(ticket), lambda: use(ticket))
    assert [type(outcome).__name__ for outcome in outcomes] == ["Opened", "Opened"]


def test_what_a_killed_gateway_left_is_ended_when_it_was_seen_last(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = owner.ticket()
    opened = use(ticket)
    seen_at = row(ticket).seen_at
    now = clock.wall()
    assert seen_at is not None
    monkeypatch.setattr(clock, "wall", lambda: now + dt.timedelta(seconds=50))
    assert watch.sweep() == 0
    assert watch.look([opened.id]) == {}  # it is seen again
    monkeypatch.setattr(clock, "wall", lambda: now + dt.timedelta(seconds=100))
    assert watch.sweep() == 0
    monkeypatch.setattr(clock, "wall", lambda: now + dt.timedelta(seconds=130))
    assert watch.sweep() == 1
    assert watch.sweep() == 0
    kept = row(ticket)
    assert (kept.why, kept.closed_at) == ("gateway_lost", now + dt.timedelta(seconds=50))
    (_, (kind, detail, _)) = events_of(owner.machine)
    assert (kind, detail["ended_by"], 49 <= detail["seconds"] <= 50) == ("console_closed", "gateway_lost", True)
    with pytest.raises(BadTicket):
        use(ticket)
    monkeypatch.setattr(clock, "wall", lambda: now + dt.timedelta(days=2))
    watch.sweep()
    assert Console.objects.count() == 0


def test_a_stop_ends_it(owner: Owner, test_clock: BusinessClock) -> None:
    opened = use(owner.ticket())
    stop.stop(owner.actor, [owner.machine.public_id])
    go_to(test_clock, test_clock.at + dt.timedelta(minutes=1))
    assert watch.look([opened.id]) == {opened.id: "machine_off"}


@pytest.mark.parametrize(
    "broken",
    [
        {"opened_at": None, "seen_at": None},  # of one that has ended
        {"closed_at": None}, {"why": ""},
        {"expires_at": dt.datetime(2000, 1, 1, tzinfo=dt.UTC)},
    ],
)  # fmt: skip
def test_the_database_keeps_no_console_that_cannot_be(owner: Owner, broken: dict[str, Any]) -> None:
    watch.close(use(owner.ticket()).id, "left")
    with nothing_written(), pytest.raises(IntegrityError):
        Console.objects.update(**broken)


def test_refusals_are_of_the_shops_kind() -> None:
    assert all(issubclass(kind, Refused) for kind in (BadTicket, NoConsole, Shut, TooManyConsoles))
