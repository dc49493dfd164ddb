"""What acts share on whatever is sold with an agreement, a state and a latest operation: a machine, a disk,
an address, a snapshot, an imported image, a bandwidth package.

Each has a subscription, a zone and a kind (``KIND``), under which its events and its work are filed.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from django.db.models import QuerySet

from vmart.engines.contract import EngineError
from vmart.events import record
from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.kernel.errors import Refused
from vmart.kernel.text import sayable
from vmart.network.models import Eip, Package
from vmart.pricing.configuration import PREPAID
from vmart.storage.models import Disk, OwnImage, Snapshot
from vmart.subscriptions.models import Source, Standing, Subscription
from vmart.worker import queue

Thing = Instance | Disk | Eip | Snapshot | OwnImage | Package  # an image that was imported
W = TypeVar("W", bound=Thing)
# What is said where the engine said nothing, or not what helps.
_FAULT = EngineError(
    "Something went wrong in the shop.", transient=True,
    helps="Try again in a few minutes; if it fails again, ask the seller.",
)  # fmt: skip
_REFUSED = EngineError(_FAULT.sentence, transient=False, helps="Ask the seller.")


_NAMED_IN: Mapping[type, str] = {
    Instance: "machines", Disk: "disks", Eip: "addresses", Snapshot: "snapshots", OwnImage: "images",
    Package: "packages",
}  # fmt: skip


def named_in(thing: Thing) -> str:
    """The field that names such things in what is asked of an act."""
    return _NAMED_IN[type(thing)]


def check_ids(public_ids: Sequence[str], *, most: int, none: Refused, many: Refused, twice: Refused) -> None:
    """Raise one of these where no id is named, more than ``most`` are, or one is named twice."""
    if not public_ids:
        raise none
    if len(public_ids) > most:
        raise many
    if len(set(public_ids)) != len(public_ids):
        raise twice


def lock_own(rows: QuerySet[W], account_id: int, public_ids: Sequence[str]) -> dict[str, W]:
    """The account's among ``rows``, by public id: first its own lock, then theirs in the order of their numbers."""
    db.require_transaction()
    db.call("ledger_lock", account_id)
    named = rows.filter(account_id=account_id, public_id__in=sayable(public_ids)).order_by("id")
    return {str(row.public_id): row for row in named}


def lock_named(
    rows: QuerySet[W], account_id: int, public_ids: Sequence[str], unknown: Callable[[str], Refused]
) -> list[W]:
    """The same, in the order asked for. Raises ``unknown(id)`` for one that is not among them."""
    found = lock_own(rows, account_id, public_ids)
    for public_id in public_ids:
        if public_id not in found:
            raise unknown(public_id)
    return [found[public_id] for public_id in public_ids]


def is_prepaid(thing: Thing) -> bool:
    """Whether its term is paid ahead."""
    return thing.subscription.charge_type == PREPAID


def is_expired(thing: Thing) -> bool:
    """Whether its term is over: its isolation is due, if it has not come yet."""
    expires_at = thing.subscription.expires_at
    return expires_at is not None and expires_at <= clock.now()


def is_in_bin(thing: Thing) -> bool:
    """Whether it is in the recycle bin, or stopped for arrears."""
    return thing.subscription.standing == Standing.ISOLATED


def out_of_bin(things: Sequence[Thing]) -> None:
    """Their subscriptions stand again, and what they use is charged. Belongs into the act."""
    agree(things, standing=Standing.ACTIVE, isolated_source=Source.NOT_ISOLATED, isolated_at=None, release_at=None)
    db.call("metering_start", [thing.id for thing in things], [], db.call("metering_instant", clock.now()))


def is_under_way(thing: Thing, act: str) -> bool:
    """Whether nothing else has become of it: it may have been ended, or stopped for arrears, meanwhile."""
    return thing.latest_operation == act and thing.latest_operation_state == "OPERATING"


def begin(thing: Thing, operation: str, request_id: str, **columns: object) -> None:
    """Note an operation as under way, with the columns that change at once."""
    begin_all([thing], operation, request_id, **columns)


def begin_all(things: Sequence[Thing], operation: str, request_id: str, **columns: object) -> None:
    """The same for several, in one statement."""
    if not things:
        return
    type(things[0]).objects.filter(pk__in=[thing.pk for thing in things]).update(
        latest_operation=operation,
        latest_operation_state="OPERATING",
        latest_operation_request_id=request_id,
        latest_operation_error_code="",
        latest_operation_error="",
        **columns,
    )


def agree(things: Sequence[Thing], **columns: object) -> None:
    """Write columns of their subscriptions, in one statement."""
    Subscription.objects.filter(pk__in=[thing.pk for thing in things]).update(**columns)


def isolate_all(
    things: Sequence[Thing], source: Source, at: dt.datetime, release_at: dt.datetime, **columns: object
) -> None:
    """Their subscriptions are in the recycle bin from ``at`` on, and gone from ``release_at`` on."""
    agree(things, standing=Standing.ISOLATED, isolated_source=source, isolated_at=at, release_at=release_at, **columns)


def event(thing: Thing, kind: str, **detail: object) -> None:
    """What happened, for the owner and the seller."""
    events([thing], kind, [detail])


def events(
    things: Sequence[Thing],
    kind: str,
    details: Sequence[Mapping[str, object]] = (),
    actor: Actor | None = None,
) -> None:
    """The same event of several things of one account, in one statement; ``details`` are of each, in order."""
    if things:
        ids = [thing.id for thing in things]
        record.write(things[0].account_id, things[0].KIND, ids, kind, details=details, actor=actor)


def send(thing: Thing, kind: str, *, due_at: dt.datetime | None = None, **payload: object) -> None:
    """Queue work on it in its zone's lane."""
    send_all([thing], kind, due_at=due_at, **payload)


def send_all(things: Sequence[Thing], kind: str, *, due_at: dt.datetime | None = None, **payload: object) -> None:
    """The same for several of one account, one statement a zone."""
    for zone in sorted({thing.zone_id for thing in things}):
        there = [thing for thing in things if thing.zone_id == zone]
        queue.enqueue_all(
            kind, things[0].KIND, [thing.id for thing in there], account_id=there[0].account_id, lane=zone,
            due_at=due_at or clock.now(), payload=payload,
        )  # fmt: skip


def send_each(things: Sequence[Thing], kind: str, payloads: Sequence[Mapping[str, object]]) -> None:
    """The same for several of one account, now, each with what its work is of, in one statement."""
    if things:
        told = [(thing.id, thing.zone_id, payload) for thing, payload in zip(things, payloads, strict=True)]
        queue.enqueue_with(kind, things[0].KIND, things[0].account_id, told)


def end_usage(things: Sequence[Thing], instant: dt.datetime, *, pausable_only: bool = False) -> None:
    """Stop charging what goes with them: all of it, or what a stop without charge pauses."""
    db.call("metering_end", [thing.id for thing in things], pausable_only, instant)


def forget_work(kind: str, things: Sequence[Thing]) -> None:
    """Take an operation of this kind that waits for them out of the queue."""
    if things:
        queue.forget(kind, things[0].KIND, [thing.id for thing in things])


def fail(thing: Thing, what: str, error: Exception, **columns: object) -> None:
    """Note that the operation under way failed, why, and what helps, with the state that it is in then."""
    known = error if isinstance(error, EngineError) else _FAULT
    helps = known.helps or (_FAULT if known.transient else _REFUSED).helps
    sentence = f"{what}\n{known.sentence}\n{helps}"  # each line has its translation
    type(thing).objects.filter(pk=thing.pk).update(
        latest_operation_state="FAILED",
        latest_operation_error_code="FailedOperation.OperationFailed",
        latest_operation_error=sentence,
        **columns,
    )
    event(thing, "operation_failed", operation=thing.latest_operation, why=sentence)
