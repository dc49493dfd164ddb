"""Writing events down."""

import json
from collections.abc import Callable, Mapping, Sequence

from vmart.events.actor import Actor
from vmart.kernel import clock, db
from vmart.kernel.errors import Refused

MACHINE, ORDER, KEY_PAIR, API_KEY, PAYMENT, ACCOUNT = "machine", "order", "key_pair", "api_key", "payment", "account"
LAUNCH_TEMPLATE, PLACEMENT_GROUP, VPC, SUBNET = "launch_template", "placement_group", "vpc", "subnet"
DISK, SECURITY_GROUP, ADDRESS, SNAPSHOT, IMAGE = "disk", "security_group", "address", "snapshot", "own_image"
SNAPSHOT_POLICY, PACKAGE, ALARM, USER = "snapshot_policy", "package", "alarm", "user"

# How it is known whether who asks may still: SQL of one truth, over account, member, staff and roles, and what is
# raised where it is not so. The room of members says it (``asking``), which lies above this one.
_permitted: tuple[str, Callable[[Actor], Exception]] | None = None


def asking(permitted: str, refusal: Callable[[Actor], Exception]) -> None:
    """Have ``write`` ask of each actor who has a role whether he still may, in the statement that writes."""
    global _permitted
    _permitted = permitted, refusal


def ask(actor: Actor) -> None:
    """The same of an act that writes no event. Belongs into the act, after its locks."""
    db.require_transaction()
    if _is_asked(actor) and _permitted:
        (row,) = db.rows(f"SELECT {_permitted[0]} AS permitted", *_of(actor, actor.account_id or 0))
        if not row["permitted"]:
            raise _permitted[1](actor)


def _is_asked(actor: Actor) -> bool:
    return bool(actor.member or actor.staff)


def _of(actor: Actor, account_id: int) -> tuple[object, ...]:
    return account_id, actor.member, actor.staff, list(actor.roles)


def write(
    account_id: int,
    subject_kind: str,
    subject_ids: Sequence[int],
    kind: str,
    *,
    details: Sequence[Mapping[str, object]] = (),
    actor: Actor | None = None,
) -> None:
    """The same event of several subjects of one account, in one statement, now; ``details`` are of each, in order.

    An act writes who asked for it under its lock. An actor who has lost his place by then, or has another role, is
    refused here: nothing of his act is kept.
    """
    asks, values = "true", tuple[object, ...]()
    if actor and _is_asked(actor) and _permitted:
        asks, values = _permitted[0], _of(actor, account_id)
    (row,) = db.rows(
        f"SELECT {asks} AS permitted, fn.events_write(%s, %s, %s, %s, %s, %s::jsonb[], %s::jsonb)",
        *values,
        [account_id] * len(subject_ids), subject_kind, list(subject_ids), kind, clock.now(),
        [json.dumps(detail) for detail in details or [{}] * len(subject_ids)],
        json.dumps(actor.told() if actor else {}),
    )  # fmt: skip
    if not row["permitted"] and actor and _permitted:
        raise _permitted[1](actor)


def reason(refused: Refused) -> dict[str, object]:
    """Why something did not happen, as an event keeps it: in English, and as what each reader's language says it by."""
    places = {name: value if isinstance(value, int) else str(value) for name, value in refused.params.items()}
    return {"why": refused.sentence, "template": refused.template, "places": places}
