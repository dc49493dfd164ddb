"""All actions of both APIs, in one place to read: what stands in ``LATER`` is known and not offered yet."""

from vmart.api.later import LATER, LEGACY_LATER
from vmart.api.registry import Registry

API = Registry([], LATER)
LEGACY = Registry([], LEGACY_LATER)
