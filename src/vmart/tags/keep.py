"""Tags that an account keeps though nothing has them yet: made and deleted by themselves. Moves no money."""

from vmart.customers import accounts
from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import clock, db
from vmart.tags.errors import TagInUse, TagThere, TagUnknown, TooManyKept
from vmart.tags.models import Kept
from vmart.tags.models import Tag as Row
from vmart.tags.wanted import Tag, refuse_bad

KEPT_MAX = 1000  # of an account (Tencent 651/13354: keys of an account)


def keep(actor: Actor, tag: Tag) -> None:
    """Keep a tag. Raises BadTag, TagThere for one that is kept or that a thing has, TooManyKept."""
    refuse_bad([tag])
    with db.act():
        accounts.lock(actor.account)
        kept = Kept.objects.filter(account_id=actor.account)
        if kept.filter(key=tag.key, value=tag.value).exists() or _is_had(actor.account, tag):
            raise TagThere("The tag {key}={value} is there already.", field="tags", key=tag.key, value=tag.value)
        if kept.count() >= KEPT_MAX:
            raise TooManyKept("An account keeps at most {most} tags; delete one first.", field="tags", most=KEPT_MAX)
        Kept.objects.create(account_id=actor.account, key=tag.key, value=tag.value, created_at=clock.now())
        _tell(actor, "CreateTag", tag)


def forget(actor: Actor, tag: Tag) -> None:
    """Keep it no more. Raises TagInUse for one that a thing has, TagUnknown."""
    with db.act():
        accounts.lock(actor.account)
        if _is_had(actor.account, tag):
            raise TagInUse(
                "The tag {key}={value} is on something still; take it away there first.",
                field="tags", key=tag.key[:60], value=tag.value[:60],
            )  # fmt: skip
        sayable = "\0" not in tag.key + tag.value  # a text of the database has no NUL
        kept = Kept.objects.filter(account_id=actor.account, key=tag.key, value=tag.value) if sayable else None
        if kept is None or not kept.delete()[0]:
            raise TagUnknown(
                "The tag {key}={value} does not exist.", field="tags", key=tag.key[:60], value=tag.value[:60]
            )
        _tell(actor, "DeleteTag", tag)


def _is_had(account_id: int, tag: Tag) -> bool:
    if "\0" in tag.key + tag.value:
        return False
    return Row.objects.filter(account_id=account_id, key=tag.key, value=tag.value, to_at=None).exists()


def _tell(actor: Actor, act: str, tag: Tag) -> None:
    detail = {"key": tag.key, "value": tag.value}
    record.write(actor.account, record.ACCOUNT, [actor.account], act, details=[detail], actor=actor)
