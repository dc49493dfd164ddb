"""Public ids under this deployment's own key."""

import functools

from django.conf import settings

from vmart.kernel import ids
from vmart.kernel.secrets import Secrets

_PURPOSE = "public ids"


def of(prefix: str, number: int) -> str:
    """The public id of the thing that has this number, as ``kernel.ids.public_id`` makes it."""
    return ids.public_id(_key(settings.SECRETS), prefix, number)


@functools.cache
def _key(held: Secrets) -> bytes:
    return held.derive(_PURPOSE)
