"""All actions of both APIs, in one place to read: what stands in ``LATER`` is known and not offered yet."""

from vmart.api import cvm_catalog, cvm_purchase
from vmart.api.later import LATER, LEGACY_LATER
from vmart.api.registry import Registry

API = Registry([*cvm_catalog.ACTIONS, *cvm_purchase.ACTIONS], LATER)
LEGACY = Registry([], LEGACY_LATER)
