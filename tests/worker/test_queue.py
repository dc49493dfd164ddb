"""Given work in the queue, then one owner at a time has it, by its lease, and only that one can end it."""

import datetime as dt
import uuid

import psycopg
import pytest
from django.db import connection

from tests.support.shopper import open_purse
from vmart.events.actor import SELLER, Actor
from vmart.events.models import Event
from vmart.kernel import clock, db
from vmart.worker import queue
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("db", "test_clock")

LEASE_S = 15.0
ME, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)


def _enqueue(number: int = 1, *, kind: str = "act", lane: str = "", **due: float) -> None:
    with db.act():
        queue.enqueue(
            kind, "machine", number, due_at=clock.now() + dt.timedelta(**due), lane=lane, payload={"n": number}
        )


def _claim(owner: uuid.UUID = ME, *lanes: str, limit: int = 100) -> list[queue.Claimed]:
    return queue.claim(owner, lanes or ("",), LEASE_S, limit)


def _subjects(claimed: list[queue.Claimed]) -> list[int]:
    return [operation.subject_id for operation in claimed]


def _finish(owner: uuid.UUID, operation: queue.Claimed) -> bool:
    with db.act():
        return queue.finish(owner, operation)


def _wall(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    later = clock.wall() + dt.timedelta(seconds=seconds)
    monkeypatch.setattr(clock, "wall", lambda: later)


def test_work_is_claimed_once() -> None:
    _enqueue()
    claimed = _claim()
    assert [(c.kind, c.subject_id, c.step, c.attempt, c.payload) for c in claimed] == [("act", 1, "start", 1, {"n": 1})]
    assert _claim(OTHER) == _claim(ME) == []


def test_work_of_one_kind_on_one_subject_is_there_once() -> None:
    _enqueue(1)
    _enqueue(1, days=1)
    _enqueue(1, kind="other")
    assert sorted(Operation.objects.values_list("kind", "due_at")) == [("act", clock.now()), ("other", clock.now())]


def test_it_is_not_there_when_its_act_was_not_committed() -> None:
    with pytest.raises(ZeroDivisionError), db.act():
        queue.enqueue("act", "machine", 1, due_at=clock.now())
        raise ZeroDivisionError
    assert _claim() == []


def test_work_is_due_by_business_time(test_clock: object) -> None:
    _enqueue(1, seconds=1)
    assert _claim() == []
    test_clock.advance(seconds=1)  # type: ignore[attr-defined]
    assert _subjects(_claim()) == [1]


def test_the_oldest_comes_first_and_no_more_than_asked_for() -> None:
    for number, minutes in ((1, -1), (2, -3), (3, -2)):
        _enqueue(number, minutes=minutes)
    assert _subjects(_claim(limit=2)) == [2, 3]
    assert _subjects(_claim(limit=2)) == [1]


def test_no_more_than_asked_for_whatever_plan_the_server_takes() -> None:
    """Given a plan that looks for each row anew (seen under load), then the limit still holds."""
    for number in range(50):
        _enqueue(number)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE worker_operation")
        for kind in ("hashjoin", "mergejoin", "hashagg", "sort", "material", "memoize"):
            cursor.execute(f"SET enable_{kind} = off")
    try:
        assert len(_claim(limit=3)) == 3
    finally:
        connection.close()


def test_a_lane_is_claimed_by_those_who_work_on_it() -> None:
    _enqueue(1, lane="zone-1")
    _enqueue(2, lane="zone-2")
    assert _claim() == []
    assert _subjects(_claim(ME, "zone-2", "")) == [2]


def test_a_lease_runs_out_and_another_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    _enqueue()
    first = _claim(ME)[0]
    _wall(monkeypatch, LEASE_S - 1)
    assert _claim(OTHER) == []
    _wall(monkeypatch, 1.1)
    second = _claim(OTHER)[0]
    assert (second.id, second.attempt) == (first.id, 2)


def test_who_lost_the_lease_can_neither_end_nor_put_off_nor_renew(monkeypatch: pytest.MonkeyPatch) -> None:
    _enqueue()
    lost = _claim(ME)[0]
    _wall(monkeypatch, LEASE_S + 1)
    held = _claim(OTHER)[0]
    before = Operation.objects.values().get()
    assert not _finish(ME, lost)
    queue.put_off(ME, [lost], 60, "late")
    queue.needs_attention(ME, [lost], "late")
    queue.renew(ME, [lost.id], 600)
    assert not db.call("worker_next", lost.id, ME, "start", "clean", "late")
    assert Operation.objects.values().get() == before
    assert _finish(OTHER, held)
    assert not Operation.objects.exists()


def test_an_operation_is_ended_at_the_step_it_was_claimed_at() -> None:
    _enqueue()
    claimed = _claim()[0]
    assert db.call("worker_next", claimed.id, ME, "start", "clean", "why")
    assert not _finish(ME, claimed)
    again = _claim(OTHER)[0]
    assert (again.step, again.attempt, again.last_error) == ("clean", 1, "why")


def test_ending_belongs_into_the_acts_transaction() -> None:
    _enqueue()
    claimed = _claim()[0]
    with pytest.raises(db.TransactionRequired):
        queue.finish(ME, claimed)
    with pytest.raises(ZeroDivisionError), db.act():
        assert queue.finish(ME, claimed)
        raise ZeroDivisionError
    assert Operation.objects.get().lease_owner == ME


def test_a_renewed_lease_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    _enqueue()
    claimed = _claim()[0]
    _wall(monkeypatch, 10)
    queue.renew(ME, [claimed.id], LEASE_S)
    _wall(monkeypatch, 10)
    assert _claim(OTHER) == []


def test_the_leases_of_the_others_are_renewed_though_one_is_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an act that ends one operation and waits for something else, then no other's lease runs out meanwhile.

    Nobody can claim the locked one either.
    """
    for number in (1, 2, 3):
        _enqueue(number)
    held = _claim()
    with psycopg.connect(**db.connection_parameters()) as ending:
        ending.execute("SELECT id FROM worker_operation WHERE id = %s FOR UPDATE", [held[1].id])
        _wall(monkeypatch, 10)
        queue.renew(ME, [operation.id for operation in reversed(held)], LEASE_S)
        _wall(monkeypatch, 10)
        assert _claim(OTHER) == []
    assert _subjects(_claim(OTHER)) == [2]  # its act was rolled back: the lease had run out


def test_what_is_put_off_comes_later_and_has_used_an_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    _enqueue()
    queue.put_off(ME, _claim(), 5, "not now")
    assert _claim() == []
    _wall(monkeypatch, 5)
    again = _claim(OTHER)[0]
    assert (again.attempt, again.last_error) == (2, "not now")


def test_waiting_costs_no_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    _enqueue()
    for _ in range(20):
        queue.put_off(ME, _claim(), 0, "waiting", waiting=True)
    assert _claim()[0].attempt == 1


def test_what_needs_attention_waits_for_the_sellers_retry() -> None:
    _enqueue()
    queue.needs_attention(ME, _claim(), "x" * 3000)
    operation = Operation.objects.get()
    assert (operation.attention, len(operation.last_error)) == (True, 2000)
    assert _claim() == []
    assert not db.rows("SELECT fn.worker_due(%s) AS due", clock.now())[0]["due"]
    assert queue.retry(operation.id)
    assert not queue.retry(operation.id)  # only once
    assert _claim()[0].attempt == 1


def test_who_had_it_tried_again_is_told_where_it_is_an_accounts() -> None:
    seller = Actor(None, SELLER, "you@example.com")
    account = open_purse()
    for number, owner in ((1, None), (7, account)):
        with db.act():
            queue.enqueue("act", "machine", number, due_at=clock.now(), account_id=owner)
        queue.needs_attention(ME, _claim(), "nobody could")
    numbers = list(Operation.objects.order_by("id").values_list("id", flat=True))
    assert [queue.retry_by(seller, number) for number in (*numbers, numbers[0], 999_999)] == [True, True, False, False]
    told = Event.objects.filter(kind="retried")
    assert list(told.values_list("account_id", "subject_kind", "subject_id", "kind", "actor")) == [
        (account, "machine", 7, "retried", {"via": "seller", "user": "you@example.com"})
    ]


def test_work_that_comes_anew_is_done_though_it_was_given_up_before() -> None:
    """Given work of the kind on the subject that needs attention, then it does not swallow the new: it becomes it."""
    _enqueue()
    queue.needs_attention(ME, _claim(), "nobody could")
    with db.act():
        queue.enqueue("act", "machine", 1, due_at=clock.now() + dt.timedelta(hours=2), lane="zone-1", payload={"n": 2})
    row = Operation.objects.get()
    assert (row.attention, row.attempt, row.last_error, row.lane) == (False, 0, "", "zone-1")
    assert row.due_at == clock.now() + dt.timedelta(hours=2)
    Operation.objects.update(due_at=clock.now())
    claimed = _claim(OTHER, "zone-1")[0]
    assert (claimed.attempt, claimed.step, claimed.payload) == (1, "start", {"n": 2})


def test_work_that_comes_anew_changes_nothing_of_what_is_in_hand_or_waits() -> None:
    for number in (1, 2, 3):
        _enqueue(number)
    in_hand, waits, _ = _claim()
    queue.put_off(ME, [waits], 60, "not now")
    before = list(Operation.objects.order_by("id").values())
    for number in (1, 2, 3):
        _enqueue(number, days=1)
    assert list(Operation.objects.order_by("id").values()) == before
    assert _finish(ME, in_hand)
