"""What those who sell write about a customer, for each other: the customer never sees it; struck out, not deleted."""

import re

from vmart.customers.models import Account, Note
from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import clock, db
from vmart.kernel.errors import InvalidValue, LimitExceeded, NotFound

TEXT_MAX = 2000
NOTES_MAX = 1000  # of one customer
_ODD = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")


def add(account_id: int, text: str, actor: Actor) -> Note:
    """Write one. Raises InvalidValue, LimitExceeded, NotFound; NotPermitted."""
    text = text.replace("\r\n", "\n").strip()
    if not 0 < len(text) <= TEXT_MAX or _ODD.search(text):
        raise InvalidValue("A note has 1 to {most} characters, and no control characters.", field="text", most=TEXT_MAX)
    with db.act():
        _lock(account_id)
        record.ask(actor)
        if Note.objects.filter(account_id=account_id).count() >= NOTES_MAX:
            raise LimitExceeded("A customer has at most {most} notes.", most=NOTES_MAX)
        return Note.objects.create(account_id=account_id, at=clock.now(), by=actor.name, text=text)


def strike(account_id: int, number: int, actor: Actor) -> bool:
    """Strike one out: it is shown as not holding any more, with who did it. False where it was so already.

    Raises NotFound; NotPermitted.
    """
    with db.act():
        _lock(account_id)
        record.ask(actor)
        found = Note.objects.filter(account_id=account_id, pk=number)
        if not found.exists():
            raise NotFound("There is no such note.", field="note")
        return bool(found.filter(struck_at=None).update(struck_at=clock.now(), struck_by=actor.name))


def _lock(account_id: int) -> None:
    """Of two notes at once one is the thousandth."""
    if not Account.objects.select_for_update(no_key=True).filter(pk=account_id).exists():
        raise NotFound("There is no customer {id}.", field="account_id", id=account_id)
