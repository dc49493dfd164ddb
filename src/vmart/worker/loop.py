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
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import psycopg
from django.db import close_old_connections, connection

from vmart.kernel import db
from vmart.worker import queue
from vmart.worker.queue import Claimed

log = logging.getLogger(__name__)

LEASE_S = float(os.environ.get("VMART_LEASE_S", "15"))
IDLE_S = 1.0  # how long a lost wake-up can delay work
GATHER_S = 0.01  # under load, work gathers for a moment: one claim and one commit for many
CLAIM_LIMIT = 256
_BACKOFF_S = (0.5, 1, 2, 5, 10, 30, 60, 300)


@dataclass(frozen=True, slots=True)
class Step:
    """How operations of one kind are worked on.

    ``run`` gets up to ``batch`` operations of one lane and the owner that fences them. What it raises
    puts them all off, with growing pauses, until ``attempts`` are used up; then ``exhausted`` (by
    default: the seller's attention) has the last word.
    """

    run: Callable[[Sequence[Claimed], uuid.UUID], None]
    batch: int = 1
    attempts: int = 8
    exhausted: Callable[[Sequence[Claimed], uuid.UUID, str], None] | None = None


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
        self._held: set[int] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._woken = threading.Event()

    # -- the loop ------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until ``stop``; then let what is running end."""
        for target in (self._listen, self._renew):
            threading.Thread(target=target, name=f"vmart-{target.__name__.strip('_')}", daemon=True).start()
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
        for pool in self._pools.values():
            pool.shutdown(wait=True, cancel_futures=True)

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
        with self._lock:
            self._held.update(operation.id for operation in claimed)
        for batch in self._batches(claimed):
            lane = batch[0].lane
            with self._lock:
                self._waiting[lane] = self._waiting.get(lane, 0) + 1
            future = self._pool(lane).submit(self._work, batch)
            future.add_done_callback(lambda done, batch=batch: self._done(batch, done))  # type: ignore[misc]
        return len(claimed)

    def _batches(self, claimed: Sequence[Claimed]) -> Iterable[list[Claimed]]:
        groups: dict[tuple[str, str, str], list[Claimed]] = {}
        for operation in claimed:
            groups.setdefault((operation.lane, operation.kind, operation.step), []).append(operation)
        for (_, kind, _), operations in groups.items():
            size = self._steps[kind].batch if kind in self._steps else len(operations)
            for start in range(0, len(operations), size):
                yield operations[start : start + size]

    def _pool(self, lane: str) -> ThreadPoolExecutor:
        if lane not in self._pools:
            name = f"vmart-lane-{lane or 'timers'}"
            self._pools[lane] = ThreadPoolExecutor(self._threads, thread_name_prefix=name)
        return self._pools[lane]

    def _done(self, batch: Sequence[Claimed], done: "Future[None]") -> None:
        with self._lock:
            self._waiting[batch[0].lane] -= 1
            self._held.difference_update(operation.id for operation in batch)
        self._woken.set()
        error = None if done.cancelled() else done.exception()
        if error is not None:
            log.error("a step could not even be put off", exc_info=error)

    def _work(self, batch: Sequence[Claimed]) -> None:
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

    def _renew(self) -> None:
        """Keep the leases of everything in hand."""
        while not self._stop.wait(LEASE_S / 3):
            with self._lock:
                held = list(self._held)
            if held:
                try:
                    queue.renew(self.owner, held, LEASE_S)
                except Exception:
                    log.exception("leases could not be renewed")
                    _drop_broken_connection()
        connection.close()


def work(steps: Mapping[str, Step], batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Run one batch (one kind, one lane); what its step raises becomes a later attempt."""
    step = steps.get(batch[0].kind)
    if step is None:
        queue.needs_attention(owner, batch, f"nothing here works on operations of the kind {batch[0].kind}")
        return
    try:
        close_old_connections()
        step.run(batch, owner)
    except Exception as error:
        log.exception("step of %s failed", batch[0].kind, extra={"operations": [item.id for item in batch]})
        _drop_broken_connection()
        reason = f"{type(error).__name__}: {error}"
        last = [operation for operation in batch if operation.attempt >= step.attempts]
        rest = [operation for operation in batch if operation.attempt < step.attempts]
        try:
            if last:
                (step.exhausted or queue_attention)(last, owner, reason)
        except Exception:
            log.exception("giving up %s failed", batch[0].kind, extra={"operations": [item.id for item in last]})
            _drop_broken_connection()
            rest += last  # no end without its last word
        for operation in rest:
            queue.put_off(owner, [operation], pause_s(operation.attempt), reason)


def queue_attention(batch: Sequence[Claimed], owner: uuid.UUID, reason: str) -> None:
    queue.needs_attention(owner, batch, reason)


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
    done = 0
    while True:
        claimed = queue.claim(owner, list(lanes()), LEASE_S, CLAIM_LIMIT)
        for operation in claimed:
            work(steps, [operation], owner)
        done += len(claimed)
        if claimed:
            continue
        if not wait or not db.rows("SELECT fn.worker_due(%s) AS due", _now())[0]["due"]:
            return done
        time.sleep(0.02)


def _now() -> object:
    from vmart.kernel import clock

    return clock.now()
