"""The lease loop: claims due work, runs its step in a thread of its lane, holds the lease meanwhile.

A killed worker's leases run out and another takes over; steps are idempotent and their outcome is
fenced by (operation, owner, step). A lane is a zone (or "" for timers and money): a slow engine fills
only its own threads.
"""

import contextlib
import logging
import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import psycopg
from django.db import close_old_connections, connection

from vmart.kernel import db, function_sets
from vmart.worker import queue
from vmart.worker.queue import Claimed

log = logging.getLogger(__name__)

LEASE_S = float(os.environ.get("VMART_LEASE_S", "15"))
IDLE_S = 1.0  # how long a lost wake-up can delay work
GATHER_S = 0.025  # under load, work gathers for a moment: one claim and one commit for many
CLAIM_LIMIT = 256
_LAST_WORDS = 20  # times that giving up is tried, over about an hour and a half, before the seller is asked
_STOPS = 3  # attempts more for what ended with its worker: that may be the upgrade's or a neighbour's doing
_GIVING_UP = "; and giving it up: "
_BACKOFF_S = (0.5, 1, 2, 5, 10, 30, 60, 300)
_FOR_ANOTHER_S = 2.0
_UNWELL = 3  # as after so many attempts


@dataclass(frozen=True, slots=True)
class Step:
    """How operations of one kind are worked on.

    ``run`` gets up to ``batch`` operations of one lane and the owner that fences them. What it raises
    puts them all off, with growing pauses, until ``attempts`` are used up; then ``exhausted`` (by
    default: the seller's attention) is given the last error and has the last word. A passing fault of the
    database uses up none. One that runs longer than ``limit_s`` hangs: the worker's process ends, and another takes
    its operations, one by one, until their attempts are used up. So it is, a little later, with what ends its worker
    otherwise each time: takes all memory, say.
    """

    run: Callable[[Sequence[Claimed], uuid.UUID], None]
    batch: int = 1
    attempts: int = 8
    limit_s: float = 900  # far beyond what a slow engine's calls may take together
    exhausted: Callable[[Sequence[Claimed], uuid.UUID, Exception], None] | None = None


class _Leases:
    """What an owner has in hand, and the thread beside the work that keeps its leases until it has ended.

    A step that hangs ends the process.
    """

    def __init__(self, owner: uuid.UUID) -> None:
        self._owner = owner
        self._running: dict[int, tuple[float, Sequence[Claimed]]] = {}  # thread -> (until when, its batch)
        self._held: Counter[int] = Counter()  # what ends at one step may be taken at the next before it is dropped
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="vmart-renew", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(10)

    def take(self, operations: Iterable[Claimed]) -> None:
        with self._lock:
            self._held.update(operation.id for operation in operations)

    def drop(self, operations: Iterable[Claimed]) -> None:
        with self._lock:
            self._held -= Counter(operation.id for operation in operations)

    @contextlib.contextmanager
    def running(self, batch: Sequence[Claimed], limit_s: float) -> Iterator[None]:
        """While this thread works on the batch."""
        me = threading.get_ident()
        with self._lock:
            self._running[me] = (time.monotonic() + limit_s, batch)
        try:
            yield
        finally:
            with self._lock:
                del self._running[me]

    def _end_if_hung(self) -> None:
        with self._lock:
            late = [batch for until, batch in self._running.values() if until < time.monotonic()]
        for batch in late:
            _end_process(batch, self._owner)

    def _renew(self) -> None:
        while not self._ended.wait(LEASE_S / 3):
            self._end_if_hung()
            with self._lock:
                held = list(self._held)
            if held:
                try:
                    queue.renew(self._owner, held, LEASE_S)
                except Exception:
                    log.exception("leases could not be renewed")
                    _drop_broken_connection()
        connection.close()


class Worker:
    """One worker process's loop over the given steps and lanes."""

    def __init__(
        self, steps: Mapping[str, Step], lanes: Callable[[], Iterable[str]], *, threads_per_lane: int = 8
    ) -> None:
        self.owner = uuid.uuid4()
        self._steps = steps
        self._lanes = lanes
        self._threads = threads_per_lane
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._waiting: dict[str, int] = {}
        self._leases = _Leases(self.owner)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._woken = threading.Event()

    # -- the loop ------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until ``stop``; then let what is running end."""
        threading.Thread(target=self._listen, name="vmart-listen", daemon=True).start()
        with self._leases:  # until nothing is in hand any more
            self._work_until_stopped()
            for wait in (False, True):  # nothing more begins in any lane, then what has begun ends
                for pool in self._pools.values():
                    pool.shutdown(wait=wait, cancel_futures=True)

    def _work_until_stopped(self) -> None:
        while not self._stop.is_set():
            self._woken.clear()
            try:
                found = self._claim_and_start()
            except Exception:
                log.exception("claiming work failed")
                _drop_broken_connection()
                found = 0
            if found:
                self._stop.wait(GATHER_S)
            else:
                self._woken.wait(IDLE_S)

    def stop(self) -> None:
        """End the loop after what is being worked on; work only claimed waits for its lease to run out."""
        self._stop.set()
        self._woken.set()

    def _claim_and_start(self) -> int:
        open_lanes = [lane for lane in self._lanes() if self._waiting.get(lane, 0) < self._threads]
        if not open_lanes:
            self._woken.wait(0.05)
            return 0
        claimed = queue.claim(self.owner, open_lanes, LEASE_S, CLAIM_LIMIT)
        self._leases.take(claimed)
        for batch in self._batches(claimed):
            lane = batch[0].lane
            with self._lock:
                self._waiting[lane] = self._waiting.get(lane, 0) + 1
            future = self._pool(lane).submit(self._work, batch)
            future.add_done_callback(lambda done, batch=batch: self._done(batch, done))  # type: ignore[misc]
        return len(claimed)

    def _batches(self, claimed: Sequence[Claimed]) -> Iterable[list[Claimed]]:
        groups: dict[tuple[str, str, str, int], list[Claimed]] = {}
        for operation in claimed:
            alone = operation.id if self._is_suspect(operation) else 0  # the others of its batch were well
            groups.setdefault((operation.lane, operation.kind, operation.step, alone), []).append(operation)
        for (_, kind, _, _), operations in groups.items():
            size = self._steps[kind].batch if kind in self._steps else len(operations)
            for start in range(0, len(operations), size):
                yield operations[start : start + size]

    def _is_suspect(self, operation: Claimed) -> bool:
        beyond = operation.attempt > self._steps.get(operation.kind, _UNKNOWN).attempts
        return operation.last_error == queue.HUNG or beyond

    def _pool(self, lane: str) -> ThreadPoolExecutor:
        if lane not in self._pools:
            name = f"vmart-lane-{lane or 'timers'}"
            self._pools[lane] = ThreadPoolExecutor(self._threads, thread_name_prefix=name)
        return self._pools[lane]

    def _done(self, batch: Sequence[Claimed], done: "Future[None]") -> None:
        with self._lock:
            self._waiting[batch[0].lane] -= 1
        self._leases.drop(batch)
        self._woken.set()
        error = None if done.cancelled() else done.exception()
        if error is not None:
            log.error("a step could not even be put off", exc_info=error)

    def _work(self, batch: Sequence[Claimed]) -> None:
        with self._leases.running(batch, self._steps.get(batch[0].kind, _UNKNOWN).limit_s):
            work(self._steps, batch, self.owner)

    # -- beside the loop -----------------------------------------------------------------------

    def _listen(self) -> None:
        """Wake the loop on NOTIFY; after a lost connection, connect again."""
        while not self._stop.is_set():
            try:
                with psycopg.connect(**db.connection_parameters(), autocommit=True) as own:
                    own.execute(f"LISTEN {db.WAKE_CHANNEL}")
                    self._woken.set()
                    while not self._stop.is_set():
                        for _ in own.notifies(timeout=IDLE_S):
                            self._woken.set()
            except psycopg.Error:
                time.sleep(0.5)


def _end_process(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Nothing in Python ends a thread that hangs. The supervisor starts a worker anew at once."""
    log.critical("step of %s hangs; this worker ends", batch[0].kind, extra={"operations": [one.id for one in batch]})
    with contextlib.suppress(Exception):  # then its leases run out, as a killed worker's do
        queue.put_off(owner, batch, pause_s(batch[0].attempt), queue.HUNG)
    os._exit(os.EX_TEMPFAIL)


def _given_up_before(step: Step, batch: Sequence[Claimed], owner: uuid.UUID) -> Sequence[Claimed]:
    """Give up what hung or ended its worker at its last attempts, without another; the rest of the batch."""
    rest = []
    for one in batch:
        reason = _ended_worker(step, one)
        if not reason:
            rest.append(one)
        elif one.attempt > step.attempts + _LAST_WORDS:  # giving it up does the same
            queue.needs_attention(owner, [one], reason)
        else:
            _give_up(step, [one], owner, TimeoutError(reason))
    return rest


def _ended_worker(step: Step, one: Claimed) -> str:
    """How, where all its attempts are used up; else ""."""
    if one.last_error == queue.HUNG:
        return queue.HUNG if one.attempt > step.attempts else ""
    more = _LAST_WORDS if _GIVING_UP in one.last_error else _STOPS
    return queue.ENDED if one.attempt > step.attempts + more else ""


def work(steps: Mapping[str, Step], batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Run one batch (one kind, one lane); what its step raises becomes a later attempt."""
    step = steps.get(batch[0].kind, _UNKNOWN)
    try:
        close_old_connections()
        batch = _given_up_before(step, batch, owner)
        if batch:
            step.run(batch, owner)
    except Exception as error:
        extra = {"operations": [item.id for item in batch]}
        if getattr(error, "transient", False):  # an engine's passing fault is no fault of the code: a line says it all
            log.warning("step of %s is tried again: %s", batch[0].kind, error, extra=extra)
        else:
            log.exception("step of %s failed", batch[0].kind, extra=extra)
        _drop_broken_connection()
        if db.is_passing(error):
            _wait(batch, owner, said(error))
            return
        last = [operation for operation in batch if operation.attempt >= step.attempts]
        rest = [operation for operation in batch if operation.attempt < step.attempts]
        if last:
            _give_up(step, last, owner, error)
        for operation in rest:
            queue.put_off(owner, [operation], pause_s(operation.attempt), said(error))


def _leave(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """A kind that is not known here: in an upgrade the newer version's worker knows it, else it is the seller's."""
    said = f"nothing here works on operations of the kind {batch[0].kind}"
    if function_sets.superseded():
        queue.put_off(owner, batch, _FOR_ANOTHER_S, said, waiting=True)
    else:
        queue.needs_attention(owner, batch, said)


_UNKNOWN = Step(_leave)


def _wait(batch: Sequence[Claimed], owner: uuid.UUID, reason: str) -> None:
    """Once more when the database may be well again, however often that takes."""
    queue.put_off(owner, batch, pause_s(_UNWELL), reason, waiting=True)


def _give_up(step: Step, batch: Sequence[Claimed], owner: uuid.UUID, cause: Exception) -> None:
    reason = said(cause)
    if step.exhausted is None:
        queue.needs_attention(owner, batch, reason)
        return
    try:
        step.exhausted(batch, owner, cause)
    except Exception as error:
        log.exception("giving up %s failed", batch[0].kind, extra={"operations": [item.id for item in batch]})
        _drop_broken_connection()
        if db.is_passing(error):
            _wait(batch, owner, reason)
            return
        reason = f"{reason}{_GIVING_UP}{said(error)}"
        for operation in batch:
            if operation.attempt < step.attempts + _LAST_WORDS:
                queue.put_off(owner, [operation], pause_s(operation.attempt), reason)
            else:
                queue.needs_attention(owner, [operation], reason)


def said(error: Exception) -> str:
    """The error for the seller and the log."""
    return f"{type(error).__name__}: {error}"


def pause_s(attempt: int) -> float:
    """Seconds before the next attempt: half a second, growing to five minutes."""
    return float(_BACKOFF_S[min(attempt, len(_BACKOFF_S)) - 1])


def _drop_broken_connection() -> None:
    with contextlib.suppress(Exception):
        if not connection.is_usable():
            connection.close()


def run_until_idle(
    steps: Mapping[str, Step], lanes: Callable[[], Iterable[str]], *, owner: uuid.UUID | None = None, wait: bool = False
) -> int:
    """Work in this thread on everything due now, until nothing is left; the number of operations worked on.

    ``wait`` also waits for what is put off for a moment or held by another worker.
    """
    owner = owner or uuid.uuid4()
    with _Leases(owner) as leases:
        return _run_until_idle(steps, lanes, owner, leases, wait=wait)


def _run_until_idle(
    steps: Mapping[str, Step], lanes: Callable[[], Iterable[str]], owner: uuid.UUID, leases: _Leases, *, wait: bool
) -> int:
    done = 0
    while True:
        claimed = queue.claim(owner, list(lanes()), LEASE_S, CLAIM_LIMIT)
        leases.take(claimed)
        for operation in claimed:
            work(steps, [operation], owner)
            leases.drop([operation])
        done += len(claimed)
        if claimed:
            continue
        if not wait or not db.rows("SELECT fn.worker_due(%s) AS due", _now())[0]["due"]:
            return done
        time.sleep(0.02)


def _now() -> object:
    from vmart.kernel import clock

    return clock.now()
