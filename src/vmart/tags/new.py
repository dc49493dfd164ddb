"""Tags that a thing has from the commit on that makes it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from vmart.events.actor import Actor
from vmart.kernel import db
from vmart.tags.errors import TooManyTags
from vmart.tags.modify import TAGS_MAX, write
from vmart.tags.things import Thing
from vmart.tags.wanted import Tag, refuse_bad


def check(tags: Sequence[Tag], path: str = "tags") -> None:
    """Raise BadTag or TooManyTags for what no new thing can have."""
    if len(tags) > TAGS_MAX:
        raise TooManyTags(
            "A thing has at most {most} tags.", field=path, code="LimitExceeded.TagResourceQuota", most=TAGS_MAX
        )
    refuse_bad(tags, path)


def give(account_id: int, kind: str, ids: Sequence[str], tags: Sequence[Tag]) -> None:
    """Checked tags for things that nobody else knows yet. Belongs into the act that makes them."""
    db.require_transaction()
    write(account_id, {Thing(kind, public_id): {tag.key: tag.value for tag in tags} for public_id in ids})


@contextmanager
def tagging(actor: Actor, kind: str, tags: Sequence[Tag], path: str = "tags") -> Iterator[Callable[[str], None]]:
    """The act that makes things of a kind: each id that it is told has the tags. Raises BadTag, TooManyTags.

    For rooms below this one: what they make within it is a part of the act (``db.part_of_act``).
    """
    check(tags, path)
    made: list[str] = []
    with db.act():
        yield made.append
        give(actor.account, kind, made, tags)
