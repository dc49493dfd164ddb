"""Signed messages of card providers that do not fit what we know: kept for the seller, never answered and forgotten.

After a restored backup a payment may be older here than at its provider, or not be here at all. Such a message names
this deployment and no payment of it. Another speaks of an amount, a currency or a reference that we did not ask for.
"""

from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import clock, db
from vmart.payments.models import Unexplained
from vmart.payments.providers.contract import printable

_TEXT_MAX = 300


def keep(provider: str, reference: str, why: str) -> None:
    """Note it, once for each reference and reason; a repeat counts and is dated anew. Its own commit."""
    with db.act():
        now = clock.wall()
        row, fresh = Unexplained.objects.select_for_update().get_or_create(
            provider=provider, reference=printable(reference)[:120], why=printable(why)[:_TEXT_MAX],
            defaults={"first_wall_at": now, "last_wall_at": now},
        )  # fmt: skip
        if not fresh:
            row.times += 1
            row.last_wall_at = now
            row.save(update_fields=["times", "last_wall_at"])


def dismiss(number: int, by: Actor) -> bool:
    """Take it off the seller's list; False when it is not there any more."""
    with db.act():
        record.ask(by)
        return bool(Unexplained.objects.filter(id=number).delete()[0])
