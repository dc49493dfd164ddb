"""What the engine has of customers' images, against what they have: the sweep's part of them."""

import logging
from collections.abc import Iterator

from vmart.engines.contract import Engine, EngineError, OwnImage
from vmart.engines.optional import Images
from vmart.orders.disks.sweep import Found
from vmart.storage.images import ImageState
from vmart.storage.images import OwnImage as Row

log = logging.getLogger(__name__)


def sweep(zone: str, engine: Engine) -> Iterator[Found]:
    """Removes what has ended; what nobody knows, and what is missing, is told."""
    if not isinstance(engine, Images):
        return
    seen = {image.name: image for image in engine.list_images()}
    states = dict(Row.objects.filter(zone_id=zone).exclude(state=ImageState.GONE).values_list("public_id", "state"))
    for name in sorted(seen.keys() - states.keys()):
        yield from _stranger(engine, seen[name])
    for name in sorted(states.keys() - seen.keys()):
        if states[name] == ImageState.NORMAL:
            yield Found("missing", name, repaired=False)


def _stranger(engine: Images, image: OwnImage) -> Iterator[Found]:
    """Only what is known to have ended is removed: after a restored backup another may be somebody's."""
    if not Row.objects.filter(public_id=image.name, state=ImageState.GONE).exists():
        yield Found("unknown", image.name, repaired=False)
        return
    try:
        engine.ensure_image_absent(image.name)
    except EngineError as error:
        log.warning("%s was deleted and its engine does not remove it: %s", image.name, error)
        return
    yield Found("orphan", image.name, repaired=True)
