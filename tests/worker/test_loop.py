"""Given a running worker, then it takes work at once, in batches, by lane, tries again, and gives up in the end."""

import datetime as dt
import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence

import psycopg
import pytest
from django.db import connection

from vmart.engines.contract import EngineError
from vmart.kernel import clock, db, function_sets
from vmart.kernel.models import FunctionSet
from vmart.worker import loop, queue
from vmart.worker.loop import Step, Worker
from vmart.worker.models import Operation
from vmart.worker.queue import Claimed

pytestmark = pytest.mark.usefixtures("db", "test_clock")

TICK, LONG = dt.timedelta(microseconds=1), dt.timedelta(hours=1)


def _enqueue(*numbers: int, kind: str = "act", lane: str = "") -> None:
    with db.act():
        for number in numbers:
            queue.enqueue(kind, "machine", number, due_at=clock.now(), lane=lane)


def _ended(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    for operation in batch:
        with db.act():
            assert queue.finish(owner, operation)


def _renewed(number: int, times: int = 3) -> list[int]:
    """Wait for so many renewals of the operation's lease; subjects that another owner gets as each old lease ends.

    No time is measured: the other owner's clock shows the instant after the lease as it was before.
    """
    taken: list[int] = []
    for _ in range(times):
        before = _lease_until(number)
        _wait(lambda before=before: _lease_until(number) > before + TICK)  # type: ignore[misc]
        other = "SELECT subject_id FROM fn.worker_claim(ARRAY[''], %s, %s, %s, %s, 10)"
        wall = before + TICK
        taken += [row["subject_id"] for row in db.rows(other, uuid.uuid4(), clock.now(), wall, wall + LONG)]
    return taken


def _lease_until(number: int) -> dt.datetime:
    until = Operation.objects.get(subject_id=number).lease_until
    assert until is not None
    return until


def _wait(seen: Callable[[], bool], limit_s: float = 20) -> None:
    deadline = time.monotonic() + limit_s
    while not seen():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.005)


class _Started:
    """A worker in a thread of the test, and what its steps were given."""

    def __init__(self, steps: dict[str, Step], lanes: Sequence[str] = ("",), **options: int) -> None:
        self.worker = Worker(steps, lambda: lanes, **options)
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        self.worker.run()
        connection.close()

    def __enter__(self) -> Worker:
        self._thread.start()
        return self.worker

    def __exit__(self, *_: object) -> None:
        self.worker.stop()
        self._thread.join(20)
        assert not self._thread.is_alive()
        db.rows(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN {db.WAKE_CHANNEL}'")
        for beside in threading.enumerate():
            if beside.name in ("vmart-listen", "vmart-renew"):
                beside.join(5)


@pytest.fixture
def closing() -> Iterator[Callable[[Callable[..., None]], Callable[..., None]]]:
    """Steps run in threads of the worker: each gives its connection back."""

    def wrap(step: Callable[..., None]) -> Callable[..., None]:
        def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
            try:
                step(batch, owner)
            finally:
                connection.close()

        return run

    yield wrap


class _Begun:
    """A step that ends its operations at once and remembers which."""

    def __init__(self, closing: Callable[..., Callable[..., None]]) -> None:
        self.numbers: set[int] = set()
        self.steps = {"act": Step(closing(self._run))}

    def _run(self, batch: Sequence[Claimed], owner: uuid.UUID) -> None:
        self.numbers |= {operation.subject_id for operation in batch}
        _ended(batch, owner)


def test_the_wake_up_of_a_commit_is_what_begins_the_work(
    closing: Callable[..., Callable[..., None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a worker that would look again in an hour, then work lies there without its wake-up (the control)."""
    monkeypatch.setattr(loop, "IDLE_S", 3600.0)
    begun, numbers = _Begun(closing), itertools.count()
    with _Started(begun.steps):
        with monkeypatch.context() as lost:
            lost.setattr(db._waker, "wake", lambda: None)
            lying = next(number for number in numbers if _lies(number, begun))
        db.wake_workers()
        _wait(lambda: lying in begun.numbers)
        for number in itertools.islice(numbers, 20):
            _enqueue(number)
            _wait(lambda number=number: number in begun.numbers)  # type: ignore[misc]


def _lies(number: int, begun: _Begun) -> bool:
    """Whether work put there after a pause is left alone for a moment: a worker that was not yet idle takes it."""
    time.sleep(0.2)
    _enqueue(number)
    ends = time.monotonic() + 0.5
    while number not in begun.numbers and time.monotonic() < ends:
        time.sleep(0.005)
    return number not in begun.numbers


def test_a_lost_wake_up_delays_work_and_loses_none(
    closing: Callable[..., Callable[..., None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "IDLE_S", 0.05)
    monkeypatch.setattr(db._waker, "wake", lambda: None)
    begun = _Begun(closing)
    with _Started(begun.steps):
        for number in range(3):
            _enqueue(number)
            _wait(lambda number=number: number in begun.numbers)  # type: ignore[misc]


def test_a_batch_is_of_one_kind_one_lane_and_not_larger_than_asked(
    closing: Callable[..., Callable[..., None]],
) -> None:
    batches: list[tuple[str, str, int]] = []

    def step(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
        batches.append((batch[0].kind, batch[0].lane, len(batch)))
        assert {(item.kind, item.lane) for item in batch} == {(batch[0].kind, batch[0].lane)}
        _ended(batch, owner)

    _enqueue(*range(10), kind="many", lane="a")
    _enqueue(*range(10, 13), kind="many", lane="b")
    _enqueue(*range(2), kind="one", lane="a")
    with _Started({"many": Step(closing(step), batch=4), "one": Step(closing(step))}, ["a", "b"]):
        _wait(lambda: not Operation.objects.exists())
    assert sorted(batches) == [
        ("many", "a", 2), ("many", "a", 4), ("many", "a", 4), ("many", "b", 3), ("one", "a", 1), ("one", "a", 1),
    ]  # fmt: skip


def test_a_slow_lane_holds_up_nobody_else(closing: Callable[..., Callable[..., None]]) -> None:
    slow = threading.Event()

    def step(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
        if batch[0].lane == "slow":
            slow.wait(20)
        _ended(batch, owner)

    _enqueue(*range(20), lane="slow")
    with _Started({"act": Step(closing(step))}, ["slow", "quick"], threads_per_lane=2):
        _wait(lambda: Operation.objects.filter(lease_owner__isnull=False).exists())
        _enqueue(*range(100, 110), lane="quick")
        _wait(lambda: not Operation.objects.filter(lane="quick").exists(), 5)
        assert Operation.objects.filter(lane="slow").count() == 20
        slow.set()
        _wait(lambda: not Operation.objects.exists())


def test_the_lease_of_work_in_hand_is_renewed(
    closing: Callable[..., Callable[..., None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LEASE_S", 0.3)
    done = threading.Event()

    def step(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
        done.wait(20)
        _ended(batch, owner)

    _enqueue(1)
    with _Started({"act": Step(closing(step))}):
        _wait(lambda: Operation.objects.get().lease_owner is not None)
        assert _renewed(1) == []
        done.set()
        _wait(lambda: not Operation.objects.exists())


def test_the_lease_of_a_next_step_is_renewed_though_the_step_before_ends_after_it_was_claimed(
    closing: Callable[..., Callable[..., None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LEASE_S", 0.3)
    begun, done = threading.Event(), threading.Event()

    def step(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
        if batch[0].step == "start":
            assert db.call("worker_next", batch[0].id, owner, "start", "clean", "")
            db.wake_workers()
            assert begun.wait(20)
        else:
            begun.set()
            done.wait(20)
            _ended(batch, owner)

    _enqueue(1)
    with _Started({"act": Step(closing(step))}) as worker:
        assert begun.wait(20)
        _wait(lambda: worker._leases._held == {Operation.objects.get().id: 1})  # the step before has been dropped
        assert _renewed(1) == []
        done.set()
        _wait(lambda: not Operation.objects.exists())


def test_when_it_is_told_to_end_it_ends_what_it_has_begun(closing: Callable[..., Callable[..., None]]) -> None:
    begun, done = threading.Event(), threading.Event()

    def step(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
        begun.set()
        done.wait(20)
        _ended(batch, owner)

    _enqueue(1)
    with _Started({"act": Step(closing(step))}) as worker:
        assert begun.wait(20)
        worker.stop()
        _enqueue(2)
        done.set()
    assert list(Operation.objects.values_list("subject_id", flat=True)) == [2]


def test_when_it_is_told_to_end_it_keeps_the_lease_of_what_it_has_begun_and_no_other(
    closing: Callable[..., Callable[..., None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the next worker would do the same act a second time, at the same time."""
    monkeypatch.setattr(loop, "LEASE_S", 0.3)
    begun, done = threading.Event(), threading.Event()

    def step(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
        begun.set()
        done.wait(20)
        _ended(batch, owner)

    _enqueue(1, 2)
    with _Started({"act": Step(closing(step))}, threads_per_lane=1) as worker:
        assert begun.wait(20)
        worker.stop()
        _wait(lambda: worker._leases._held == {Operation.objects.get(subject_id=1).id: 1})
        assert _renewed(1) == [2]  # was claimed and not begun
        done.set()
    assert list(Operation.objects.values_list("subject_id", flat=True)) == [2]


def test_what_a_step_raises_is_a_later_attempt_and_at_last_the_sellers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_BACKOFF_S", (0.0,))
    tried: list[int] = []

    def step(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
        tried.append(batch[0].attempt)
        raise ValueError("a fault")

    _enqueue(1)
    assert loop.run_until_idle({"act": Step(step, attempts=3)}, lambda: [""]) == 3
    assert tried == [1, 2, 3]
    operation = Operation.objects.get()
    assert (operation.attention, operation.last_error) == (True, "ValueError: a fault")


def test_a_passing_fault_of_an_engine_is_logged_in_a_line_and_any_other_with_its_trace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    faults = {"passing": EngineError("It starts.", transient=True), "lasting": EngineError("No.", transient=False)}

    def fail(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
        raise faults[batch[0].kind]

    for kind in faults:
        _enqueue(1, kind=kind)
    loop.run_until_idle({kind: Step(fail) for kind in faults}, lambda: [""])
    traced = {
        record.levelname: bool(record.exc_info) for record in caplog.records if record.name == "vmart.worker.loop"
    }
    assert traced == {"WARNING": False, "ERROR": True}


def test_who_works_until_nothing_is_left_keeps_all_that_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given more than fits into a lease, then no other worker does any of it a second time."""
    monkeypatch.setattr(loop, "LEASE_S", 0.3)
    taken: list[int] = []

    def step(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
        taken.extend(_renewed(batch[0].subject_id))
        _ended(batch, owner)

    _enqueue(1, 2)
    assert loop.run_until_idle({"act": Step(step)}, lambda: [""]) == 2
    assert taken == []
    assert not [thread for thread in threading.enumerate() if thread.name == "vmart-renew"]


def test_the_last_word_may_be_the_acts_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_BACKOFF_S", (0.0,))
    told: list[str] = []

    def step(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
        raise ValueError("a fault")

    def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
        told.append(loop.said(error))
        _ended(batch, owner)

    _enqueue(1)
    loop.run_until_idle({"act": Step(step, attempts=2, exhausted=exhausted)}, lambda: [""])
    assert told == ["ValueError: a fault"]
    assert not Operation.objects.exists()


def test_a_last_word_that_fails_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an act that cannot be given up properly either, then it is not left hanging until its lease runs out."""
    monkeypatch.setattr(loop, "_BACKOFF_S", (0.0,))
    told: list[int] = []

    def step(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
        raise ValueError("a fault")

    def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
        told.append(batch[0].attempt)
        if len(told) < 3:
            raise OSError("and another")
        _ended(batch, owner)

    _enqueue(1)
    loop.run_until_idle({"act": Step(step, attempts=2, exhausted=exhausted)}, lambda: [""])
    assert told == [2, 3, 4]
    assert not Operation.objects.exists()


def test_of_a_batch_only_those_whose_attempts_are_used_up_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def step(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
        raise ValueError("a fault")

    _enqueue(1, 2)
    Operation.objects.filter(subject_id=1).update(attempt=2)
    owner = uuid.uuid4()
    loop.work({"act": Step(step, batch=2, attempts=3)}, queue.claim(owner, [""], 15, 2), owner)
    assert dict(Operation.objects.values_list("subject_id", "attention")) == {1: True, 2: False}


def _failing_as(fault: str) -> Callable[..., None]:
    """A step in whose statement the database fails so."""

    def step(_batch: Sequence[Claimed], _owner: uuid.UUID) -> None:
        with db.act():
            db.rows("SELECT 1")
            if fault == "lost connection":
                with psycopg.connect(**db.connection_parameters(), autocommit=True) as other:
                    other.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
                db.rows("SELECT pg_sleep(5)")
            elif fault == "statement timeout":
                db.rows("SELECT set_config('statement_timeout', '20ms', true)")
                db.rows("SELECT pg_sleep(5)")
            elif fault == "lock timeout":
                with psycopg.connect(**db.connection_parameters()) as other:
                    other.execute("LOCK TABLE worker_operation IN ACCESS EXCLUSIVE MODE")
                    db.rows("SELECT set_config('lock_timeout', '20ms', true)")
                    db.rows("SELECT id FROM worker_operation")
            else:
                with connection.cursor() as cursor:
                    cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'as told' USING ERRCODE = '{fault}'; END $$")

    return step


@pytest.mark.parametrize(
    "fault",
    ["lost connection", "lock timeout", "statement timeout", "40001", "40P01", "53100", "53300", "57P03", "58030"],
)
def test_a_passing_fault_of_the_database_costs_no_attempt(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a busy hour would end in refunds for machines that run."""
    monkeypatch.setattr(loop, "_BACKOFF_S", (0.0,))
    given_up: list[Exception] = []
    step = Step(_failing_as(fault), attempts=2, exhausted=lambda _batch, _owner, error: given_up.append(error))
    _enqueue(1)
    for _ in range(4):
        owner = uuid.uuid4()
        loop.work({"act": step}, queue.claim(owner, [""], 15, 1), owner)
    operation = Operation.objects.get()
    assert (given_up, operation.attempt, operation.attention, operation.lease_owner) == ([], 0, False, None)
    assert operation.last_error.startswith(("OperationalError: ", "InternalError: "))


@pytest.mark.parametrize("fault", ["P0001", "23505", "22003", "42P01", "XX000"])
def test_any_other_fault_of_the_database_is_the_steps_own(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_BACKOFF_S", (0.0,))
    _enqueue(1)
    loop.run_until_idle({"act": Step(_failing_as(fault), attempts=3)}, lambda: [""])
    operation = Operation.objects.get()
    assert (operation.attempt, operation.attention) == (3, True)


def test_what_cannot_even_be_given_up_is_the_sellers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_BACKOFF_S", (0.0,))

    def step(_batch: Sequence[Claimed], _owner: uuid.UUID) -> None:
        raise ValueError("a fault")

    def exhausted(_batch: Sequence[Claimed], _owner: uuid.UUID, _error: Exception) -> None:
        raise KeyError("another fault")

    _enqueue(1)
    loop.run_until_idle({"act": Step(step, attempts=2, exhausted=exhausted)}, lambda: [""])
    operation = Operation.objects.get()
    assert operation.attention
    assert operation.last_error == "ValueError: a fault; and giving it up: KeyError: 'another fault'"


def test_giving_up_waits_for_the_database_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_BACKOFF_S", (0.0,))
    tried: list[int] = []

    def step(batch: Sequence[Claimed], _owner: uuid.UUID) -> None:
        tried.append(batch[0].attempt)
        raise ValueError("a fault")

    def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, _error: Exception) -> None:
        if len(tried) < 3:
            _failing_as("40P01")(batch, owner)
        _ended(batch, owner)

    _enqueue(1)
    loop.run_until_idle({"act": Step(step, attempts=2, exhausted=exhausted)}, lambda: [""])
    assert tried == [1, 2, 2]
    assert not Operation.objects.exists()


def test_work_of_a_kind_that_nobody_knows_is_shown_and_not_lost() -> None:
    _enqueue(1, kind="from a newer vmart")
    loop.run_until_idle({}, lambda: [""])
    operation = Operation.objects.get()
    assert (operation.attention, "from a newer vmart" in operation.last_error) == (True, True)


def test_pauses_grow_from_half_a_second_to_five_minutes() -> None:
    assert [loop.pause_s(attempt) for attempt in (1, 2, 3, 8, 1000)] == [0.5, 1, 2, 300, 300]


def _worked_on_unknown_kind() -> Operation:
    _enqueue(7, kind="brought_by_the_next_version")
    loop.run_until_idle({}, lambda: [""])
    return Operation.objects.get()


def test_a_kind_that_nobody_knows_is_the_sellers() -> None:
    left = _worked_on_unknown_kind()
    said = "nothing here works on operations of the kind brought_by_the_next_version"
    assert (left.attention, left.last_error) == (True, said)


def test_a_kind_of_a_newer_version_is_left_to_its_worker() -> None:
    """Given a newer version's functions, as in an upgrade, then work that this one does not know costs no attempt."""
    FunctionSet.objects.create(schema="fn_of_the_next", release="0.2.0", installed_at=clock.wall())
    left = _worked_on_unknown_kind()
    assert (left.attention, left.attempt, left.lease_owner) == (False, 0, None)
    assert left.not_before is not None and clock.wall() < left.not_before <= clock.wall() + dt.timedelta(seconds=2)
    loop.run_until_idle({left.kind: Step(_ended)}, lambda: [""])
    assert Operation.objects.exists()  # it waits for its moment
    Operation.objects.update(not_before=None)
    loop.run_until_idle({left.kind: Step(_ended)}, lambda: [""])
    assert not Operation.objects.exists()


def test_a_kind_that_nobody_knows_outlives_a_connection_that_died() -> None:
    """Given a connection that died since the last step, then a new one is taken and the seller is told."""
    _enqueue(7, kind="brought_by_the_next_version")
    owner = uuid.uuid4()
    batch = queue.claim(owner, [""], 15, 1)
    with psycopg.connect(**db.connection_parameters(), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid])
    loop.work({}, batch, owner)
    left = Operation.objects.get()
    assert (left.attention, left.attempt, left.lease_owner) == (True, 1, None)


def test_a_kind_that_nobody_knows_waits_while_the_database_is_unwell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_BACKOFF_S", (0.0,))
    with monkeypatch.context() as unwell:
        unwell.setattr(function_sets, "superseded", lambda: _failing_as("57P03")([], uuid.UUID(int=0)))
        _enqueue(7, kind="brought_by_the_next_version")
        owner = uuid.uuid4()
        loop.work({}, queue.claim(owner, [""], 15, 1), owner)
    left = Operation.objects.get()
    assert (left.attention, left.attempt, left.lease_owner) == (False, 0, None)
    loop.run_until_idle({}, lambda: [""])
    assert Operation.objects.get().attention


def _limited(run: Callable[..., None], given_up: list[int], monkeypatch: pytest.MonkeyPatch) -> dict[str, Step]:
    """A step that is ended at once where it hangs; the "process" goes on, as another worker's would."""
    monkeypatch.setattr(loop, "pause_s", lambda attempt: 0.0)

    def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
        assert str(error) == queue.HUNG
        given_up.extend(operation.subject_id for operation in batch)
        _ended(batch, owner)

    return {"act": Step(run, batch=10, attempts=2, exhausted=exhausted)}


def test_what_hangs_is_tried_alone_and_given_up_when_its_attempts_are_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given three that were in hand when a worker was ended, of which one always hangs, then only that one is lost."""
    ran: list[list[int]] = []
    given_up: list[int] = []

    def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
        ran.append([operation.subject_id for operation in batch])
        if 2 in ran[-1]:  # as the process's end would: put off, and nothing is written
            queue.put_off(owner, batch, 0.0, queue.HUNG)
        else:
            _ended(batch, owner)

    steps = _limited(run, given_up, monkeypatch)
    _enqueue(1, 2, 3)
    worker = Worker(steps, lambda: [""])
    for _ in range(4):
        claimed = queue.claim(worker.owner, [""], 60, 10)
        for batch in worker._batches(claimed):
            loop.work(steps, batch, worker.owner)
    assert ran == [[1, 2, 3], [1], [2], [3]]
    assert (given_up, Operation.objects.count()) == ([2], 0)


def test_what_ends_its_worker_each_time_is_given_up_alone() -> None:
    """Whatever was said of it before; a worker that was stopped counts too, so there are three attempts more."""
    ran: list[list[int]] = []
    given_up: list[tuple[int, str]] = []

    def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
        ran.append([operation.subject_id for operation in batch])

    def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
        given_up.extend((operation.subject_id, str(error)) for operation in batch)
        _ended(batch, owner)

    steps = {"act": Step(run, batch=10, attempts=2, exhausted=exhausted)}
    _enqueue(1, 2, 3, 4)
    Operation.objects.filter(subject_id=3).update(attempt=2, last_error="away")
    Operation.objects.filter(subject_id=4).update(attempt=5, last_error="away")
    worker = Worker(steps, lambda: [""])
    for _ in range(3):  # as one that is killed: its lease runs out, and nothing is written
        for batch in worker._batches(queue.claim(worker.owner, [""], -1, 10)):
            loop.work(steps, batch, worker.owner)
    assert ran == [[1, 2], [3], [1, 2], [3], [1], [2], [3]]
    assert given_up == [(4, queue.ENDED)]
    for batch in worker._batches(queue.claim(worker.owner, [""], -1, 10)):
        loop.work(steps, batch, worker.owner)
    assert given_up == [(4, queue.ENDED), (3, queue.ENDED)]
    assert sorted(Operation.objects.values_list("subject_id", flat=True)) == [1, 2]


def test_whose_giving_up_ends_the_worker_too_is_the_sellers() -> None:
    ran: list[int] = []
    steps = {"act": Step(lambda batch, owner: ran.append(len(batch)), attempts=2, exhausted=lambda *_: ran.append(-1))}
    _enqueue(1)
    Operation.objects.update(attempt=2 + loop._LAST_WORDS)
    owner = uuid.uuid4()
    loop.work(steps, queue.claim(owner, [""], 60, 10), owner)
    left = Operation.objects.get()
    assert (left.attention, left.last_error, ran) == (True, queue.ENDED, [])


def test_what_cannot_even_be_given_up_for_hanging_is_the_sellers(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = _limited(lambda batch, owner: None, [], monkeypatch)
    _enqueue(1)
    Operation.objects.update(attempt=steps["act"].attempts + loop._LAST_WORDS, last_error=queue.HUNG)
    owner = uuid.uuid4()
    loop.work(steps, queue.claim(owner, [""], 60, 10), owner)
    left = Operation.objects.get()
    assert (left.attention, left.last_error) == (True, queue.HUNG)
