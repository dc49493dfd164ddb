"""The one act: what tags things have, replaced and taken away. Moves no money and asks no engine.

A thing of another account is unknown. What is written are dated rows, so that a charge can be told with the tags that
held in its hour.
"""

from collections.abc import Mapping, Sequence

from vmart.customers import accounts
from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import clock, db
from vmart.kernel.errors import MissingParameter
from vmart.tags import reads, things
from vmart.tags.errors import BadTag, KeyNotThere, KeyThere, TooManyInRequest, TooManyTags
from vmart.tags.things import KINDS, Owned, Thing
from vmart.tags.wanted import KEY_MAX, Tag, refuse_bad

TAGS_MAX = 50  # of a thing
CHANGES_MAX = 10  # tags that a request gives, and as many that it takes away (API 3.0, ModifyResourceTags)


def modify(
    actor: Actor, named: Sequence[Thing], put: Sequence[Tag], take: Sequence[str] = (), *, new: bool | None = None
) -> None:
    """Give these things of the account the tags ``put``, in the place of those of the same keys, and take others away.

    All or none; what is so already stays, a key that is not there is taken away. ``new``: none of the keys may be
    there (True), or all must be (False). Raises MissingParameter, BadTag, TooManyInRequest, UnknownThing,
    TooManyTags, KeyThere, KeyNotThere.
    """
    _refuse_unfit(put, take)
    named = list(dict.fromkeys(named))
    with db.act():
        accounts.lock(actor.account)
        found = things.owned(actor.account, named)
        held = reads.of_things(actor.account, named)
        if new is not None:
            _refuse_standing(held, [*(tag.key for tag in put), *take], new=new)
        changes = {one: _changes(held[one.thing], put, take) for one in found}
        _refuse_too_many(held, changes)
        _write(actor, {one: change for one, change in changes.items() if change})


def give(actor: Actor, new: Sequence[Thing], put: Sequence[Tag]) -> None:
    """Give things that are being made their first tags. Belongs into the act. Raises BadTag, TooManyTags."""
    db.require_transaction()
    refuse_bad(put)
    if len(put) > TAGS_MAX:
        raise TooManyTags("A thing has at most {most} tags.", field="tags", most=TAGS_MAX)
    accounts.lock(actor.account)
    change = {tag.key: tag.value for tag in put}
    _write(actor, dict.fromkeys(things.owned(actor.account, new), change))


def end(account_id: int, ended: Sequence[Thing]) -> None:
    """Close the tags of things that are no more. Belongs into the act that ends them."""
    db.require_transaction()
    accounts.lock(account_id)  # who tags them meanwhile was before, or finds them gone
    held = reads.of_things(account_id, ended)
    _tell_rows(account_id, {thing: dict.fromkeys(tags) for thing, tags in held.items()})


def _refuse_unfit(put: Sequence[Tag], take: Sequence[str]) -> None:
    if not put and not take:
        raise MissingParameter("No tag is named, neither to be given nor to be taken away.", field="tags")
    if max(len(put), len(take)) > CHANGES_MAX:
        raise TooManyInRequest(
            "A request gives at most {most} tags and takes away as many.",
            field="tags" if len(put) > CHANGES_MAX else "without", most=CHANGES_MAX,
        )  # fmt: skip
    refuse_bad(put)
    both = {tag.key for tag in put} & set(take)
    if both:
        raise BadTag(
            "The tag key {key} is both given and taken away.",
            field="without", code="InvalidParameterValue.DeleteTagsParamError", key=min(both),
        )  # fmt: skip


def _refuse_standing(held: Mapping[Thing, Mapping[str, str]], keys: Sequence[str], *, new: bool) -> None:
    for thing, has in held.items():
        for key in keys:
            if new and key in has:
                raise KeyThere("{id} has the tag key {key} already.", field="tags", id=thing.public_id, key=key)
            if not new and key not in has:
                raise KeyNotThere("{id} has no tag key {key}.", field="tags", id=thing.public_id, key=key[:KEY_MAX])


Changes = Mapping[str, str | None]  # value by key; None: taken away


def _changes(held: Mapping[str, str], put: Sequence[Tag], take: Sequence[str]) -> Changes:
    """What becomes another of a thing that has ``held``."""
    new: dict[str, str | None] = {tag.key: tag.value for tag in put if held.get(tag.key) != tag.value}
    return new | {key: None for key in take if key in held}


def _refuse_too_many(held: Mapping[Thing, Mapping[str, str]], changes: Mapping[Owned, Changes]) -> None:
    for one, change in changes.items():
        after = {**held[one.thing], **change}
        if sum(value is not None for value in after.values()) > TAGS_MAX:
            raise TooManyTags(
                "{id} would have more than {most} tags, the most there are.",
                field="tags", id=one.thing.public_id, most=TAGS_MAX,
            )  # fmt: skip


def _write(actor: Actor, changes: Mapping[Owned, Changes]) -> None:
    _tell_rows(actor.account, {one.thing: change for one, change in changes.items()})
    for kind in {one.thing.kind: None for one in changes}:
        alike = {one: change for one, change in changes.items() if one.thing.kind == kind}
        details = [{"name": one.thing.public_id, "tags": change} for one, change in alike.items()]
        numbers = [one.number for one in alike]
        record.write(
            actor.account, KINDS[kind].subject, numbers, "ModifyResourceTags", details=details, actor=actor
        )  # fmt: skip


def _tell_rows(account_id: int, changes: Mapping[Thing, Changes]) -> None:
    rows = [
        (thing.kind, thing.public_id, key, value) for thing, change in changes.items() for key, value in change.items()
    ]
    if rows:
        kinds, ids, keys, values = (list(column) for column in zip(*rows, strict=True))
        db.rows(
            "SELECT fn.tags_write(%s, %s::text[], %s::text[], %s::text[], %s::text[], %s)",
            account_id, kinds, ids, keys, values, clock.now(),
        )  # fmt: skip
