"""Work that makes a system out of an image begins when that is in its zone, and is given up where it never will be."""

import datetime as dt
import uuid
from collections.abc import Callable, Sequence

from vmart.catalog.models import ZoneImage
from vmart.engines.contract import EngineError, ImageStatus
from vmart.kernel import clock
from vmart.policy import policy
from vmart.worker import queue
from vmart.worker.queue import Claimed

_WAIT_S = 0.5


def when_there(
    batch: Sequence[Claimed],
    owner: uuid.UUID,
    begin: Callable[[Claimed, uuid.UUID], None],
    give_up: Callable[[Sequence[Claimed], uuid.UUID, Exception], None],
    *,
    helps: str,
) -> None:
    """``begin`` each operation whose image (``image`` of its payload) is in its zone; others wait.

    ``helps``: what the customer can do about one that cannot be made there.
    """
    for operation in batch:
        status = _status(operation)
        if status == ImageStatus.READY:
            begin(operation, owner)
        elif status == ImageStatus.FAILED or _waited_too_long(operation):
            why = EngineError("The image cannot be made in this zone.", transient=False, helps=helps)
            give_up([operation], owner, why)
        else:
            queue.put_off(owner, [operation], _WAIT_S, "waiting for the image", waiting=True)


def _status(operation: Claimed) -> str:
    if operation.payload.get("own_image"):  # it is on its engine, or the engine says that it is not
        return ImageStatus.READY
    found = ZoneImage.objects.filter(zone_id=operation.lane, image_id=operation.payload["image"])
    return found.values_list("status", flat=True).first() or ImageStatus.MISSING


def _waited_too_long(operation: Claimed) -> bool:
    patience = dt.timedelta(minutes=policy.at(clock.now()).image_wait_minutes)
    return clock.wall() - operation.created_at > patience
