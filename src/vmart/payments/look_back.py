"""After a restored backup: what was paid since it was made. Nobody tells us of that again.

The provider's messages were answered by the shop that was lost, so each charge that was paid since is taken as its
message is: a payment that the backup still knows as waiting succeeds, one that it does not know is shown to the seller.
"""

import datetime as dt
import uuid
from collections.abc import Sequence

from vmart.kernel import db
from vmart.payments import unexplained
from vmart.payments.models import Payment
from vmart.payments.providers import offered, provider_of
from vmart.payments.providers.contract import WebhookUnreadable
from vmart.payments.providers.sandbox import Sandbox
from vmart.payments.webhook import take
from vmart.worker import queue
from vmart.worker.queue import Claimed

KIND = "card_look_back"  # queued by ``vmart restore``; payload: ``since``, wall time


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``card_look_back``. Raises what a provider's silence raises: the queue asks again, then the seller."""
    for operation in batch:
        since = dt.datetime.fromisoformat(operation.payload["since"])
        for name in _providers():
            for told in provider_of(name).paid_since(since):
                if isinstance(told, WebhookUnreadable):
                    unexplained.keep(name, told.reference, str(told))
                else:
                    take(name, told)
        with db.act():
            queue.finish(owner, operation)


def _providers() -> list[str]:
    """Those offered here, and those that were when the backup was made: one that is not set up yet is waited for."""
    known = set(Payment.objects.order_by().values_list("provider", flat=True).distinct())
    return sorted({*offered(), *known} - {Sandbox.name})
