"""All actions of both APIs, in one place to read: what stands in ``LATER`` is known and not offered yet."""

from vmart.api import cvm_catalog, cvm_instances, cvm_purchase, legacy, region
from vmart.api.later import LATER, LEGACY_LATER
from vmart.api.registry import Registry

API = Registry([*cvm_catalog.ACTIONS, *cvm_purchase.ACTIONS, *cvm_instances.ACTIONS, *region.ACTIONS], LATER)
LEGACY = Registry(legacy.ACTIONS, LEGACY_LATER)
