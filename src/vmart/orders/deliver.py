"""Delivery: from a paid order to a running machine, or to a voided line and a sentence that says why.

Operation ``deliver``, subject: the instance. Steps: ``start`` (make the machine), and after a failure
``clean`` (leave nothing on the engine, then free room and addresses).
"""

import datetime as dt
import json
import logging
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import DatabaseError, connection

from vmart.catalog import shop
from vmart.engines.contract import Engine, EngineError, ImageStatus, Observation, Power
from vmart.engines.optional import DeliversMany, ensure_present_many
from vmart.instances.models import Instance, State
from vmart.kernel import clock, db
from vmart.orders import enforce, term
from vmart.orders import machines as m
from vmart.orders.disks import of_snapshot
from vmart.orders.models import Line
from vmart.policy import policy
from vmart.provisioning import specs
from vmart.provisioning.zone_engines import engine_of
from vmart.worker import queue
from vmart.worker.loop import said
from vmart.worker.queue import Claimed

log = logging.getLogger(__name__)

FAILED_CODE = "FailedOperation.LaunchFailed"
_IMAGE_WAIT_S = 0.5
_AT_ONCE = 8
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.3, 10.0  # between attempts at an engine that answers with passing faults


def deliver(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """One batch of one zone and one step."""
    if batch[0].step == "clean":
        for operation in batch:
            _clean(operation, owner)
        return
    ordered = specs.load([operation.subject_id for operation in batch])
    ready = []
    for operation in batch:
        order = ordered.get(operation.subject_id)
        if order is None:
            queue.needs_attention(owner, [operation], "the machine has no allocation")
        elif order.image_status == ImageStatus.READY:
            ready.append((operation, order))
        elif order.image_status == ImageStatus.FAILED:
            failure = _failure(operation, "The image cannot be made in this zone.")
            _commit(owner, [failure], clock.now())
        elif clock.wall() - operation.created_at > _patience(order):
            failure = _failure(operation, "The image did not get ready in this zone in time.")
            _commit(owner, [failure], clock.now())
        else:
            queue.put_off(owner, [operation], _IMAGE_WAIT_S, "waiting for the image", waiting=True)
    if not ready:
        return
    engine = engine_of(batch[0].lane)
    begun = clock.wall()
    if len(ready) == 1 or isinstance(engine, DeliversMany):
        _make(engine, ready, owner, begun)
        return

    def alone(one: tuple[Claimed, specs.Ordered]) -> None:
        try:
            _make(engine, [one], owner, begun)
        finally:
            connection.close()  # this thread's own

    # Machines made one by one are each delivered when it runs, not when the slowest of them does.
    with ThreadPoolExecutor(min(len(ready), _AT_ONCE), thread_name_prefix="vmart-deliver") as pool:
        list(pool.map(alone, ready))


def _patience(order: specs.Ordered) -> dt.timedelta:
    """How long an order waits for its image: where one can be made at all, it takes minutes."""
    return dt.timedelta(minutes=policy.at(order.paid_at).image_wait_minutes)


def _make(engine: Engine, ready: Sequence[tuple[Claimed, specs.Ordered]], owner: uuid.UUID, begun: dt.datetime) -> None:
    """Make these machines and commit what came of it."""
    held = queue.held(owner, [operation for operation, _ in ready])
    ready = [(operation, order) for operation, order in ready if operation.id in held]
    if not ready:
        return
    outcomes = _outcomes(engine, ready)
    now = clock.now()  # one look: a term begins and ends at the same time of day
    times = _times([order.instance_id for _, order in ready], now)
    results = []
    for (operation, order), outcome in zip(ready, outcomes, strict=True):
        if not isinstance(outcome, EngineError) and outcome.power == Power.RUNNING:
            results.append(_success(operation, outcome, begun, times.get(order.instance_id, {})))
            continue
        # A first boot of the customer's own may power the machine off: that is nobody else's failure.
        failure = _failed(operation, order, outcome if isinstance(outcome, EngineError) else m.not_on(outcome), owner)
        results += [failure] if failure else []
    committed = _commit(owner, results, now)
    with db.act():
        enforce.send_for([order.instance_id for operation, order in ready if operation.id in committed])
    _remove_given_up(engine, [order for operation, order in ready if operation.id not in committed])


def _outcomes(engine: Engine, ready: Sequence[tuple[Claimed, specs.Ordered]]) -> list[Observation | EngineError]:
    """Of each machine; its data disks that are to hold a snapshot hold it before it is made."""
    zone, wanted = ready[0][0].lane, [(order.instance_id, order.spec) for _, order in ready]
    failed: dict[int, EngineError] = of_snapshot.make_with(zone, wanted)
    made = iter(ensure_present_many(engine, [spec for number, spec in wanted if number not in failed]))
    return [failed[number] if number in failed else next(made) for number, _ in wanted]


def _remove_given_up(engine: Engine, uncommitted: Sequence[specs.Ordered]) -> None:
    """Nothing stays of a delivery that another worker gave up while this one made it: its address is free again."""
    if not uncommitted:
        return
    ended = Instance.objects.filter(
        id__in=[order.instance_id for order in uncommitted], state__in=[State.LAUNCH_FAILED, State.GONE]
    )
    for name in ended.values_list("public_id", flat=True):
        engine.ensure_absent(name)


def _times(numbers: Sequence[int], now: dt.datetime) -> dict[int, dict[str, str]]:
    """Of the prepaid ones, whose terms begin now: when they end, and when something comes up first."""
    zone = shop.snapshot().billing_zone
    bought = Line.objects.filter(subscription_id__in=numbers, months__isnull=False)
    times = {}
    for number, months in bought.values_list("subscription_id", "months"):
        expires_at = clock.add_months(now, months or 0, zone)
        first = term.following(expires_at, now, zone)
        assert first is not None  # 00:00 of its last day at least
        times[number] = {"expires_at": expires_at.isoformat(), "term_at": first.isoformat()}
    return times


def _success(operation: Claimed, seen: Observation, begun: dt.datetime, times: dict[str, str]) -> dict[str, Any]:
    return {
        **times, "operation": operation.id, "account": operation.account_id, "instance": operation.subject_id,
        "kind": seen.kind, "waited_ms": round((begun - operation.created_at).total_seconds() * 1000, 1),
    }  # fmt: skip


def _failed(operation: Claimed, order: specs.Ordered, error: EngineError, owner: uuid.UUID) -> dict[str, Any] | None:
    """A passing fault is tried again until the deadline; anything else is final.

    An engine that is started anew may take a minute, which is no reason to send everybody's money back:
    attempts are kept for the shop's own faults, and the pauses grow with the time that has passed.
    """
    begun = max(operation.created_at, order.image_ready_at or operation.created_at)
    waited = clock.wall() - begun
    if error.transient and waited < dt.timedelta(minutes=policy.at(order.paid_at).delivery_minutes):
        pause_s = min(max(waited.total_seconds(), _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S)
        queue.put_off(owner, [operation], pause_s, str(error), waiting=True)
        return None
    return _failure(operation, error.sentence)


def _failure(operation: Claimed, sentence: str) -> dict[str, Any]:
    return {
        "operation": operation.id, "account": operation.account_id, "instance": operation.subject_id,
        "code": FAILED_CODE, "error": sentence,
    }  # fmt: skip


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """Attempts used up by our own faults: the customer's money goes back all the same."""
    if batch[0].step == "clean":
        queue.needs_attention(owner, batch, said(error))
    else:
        failures = [_failure(item, "The machine could not be delivered for a fault of the shop.") for item in batch]
        _commit(owner, failures, clock.now())


def _commit(owner: uuid.UUID, results: Sequence[dict[str, Any]], now: dt.datetime) -> list[int]:
    """Ids of the operations that were still this owner's.

    All in one commit; when that fails, one by one, so that who is at fault spoils no other. Raises its error.
    """
    if not results:
        return []
    try:
        committed: list[int] = db.call("orders_delivered", owner, now, json.dumps(list(results)))
    except DatabaseError as error:
        if len(results) == 1 or not connection.is_usable():
            raise
        log.warning("%d deliveries could not be committed together: %s", len(results), error)
        return _commit_each(owner, results, now)
    if any("error" in result for result in results):
        db.wake_workers()
    return committed


def _commit_each(owner: uuid.UUID, results: Sequence[dict[str, Any]], now: dt.datetime) -> list[int]:
    committed: list[int] = []
    at_fault: DatabaseError | None = None
    for result in results:
        try:
            committed += _commit(owner, [result], now)
        except DatabaseError as error:
            at_fault = at_fault or error
    if at_fault is not None:
        raise at_fault
    return committed


def _clean(operation: Claimed, owner: uuid.UUID) -> None:
    name = Instance.objects.values_list("public_id", flat=True).get(id=operation.subject_id)
    engine_of(operation.lane).ensure_absent(name)
    db.call("orders_cleaned", owner, operation.id, operation.subject_id, clock.now())
