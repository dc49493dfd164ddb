"""All actions of both APIs, in one place to read: what stands in ``LATER`` is known and not offered yet.

To add an action: declare its request (a ``Shape``, members as published), write the function from call and
request to members, add an ``Action`` to the file's ``ACTIONS``, take its name out of ``later``, translate new
sentences in ``locale``, and test it through ``tests.api.calling.Client``, which checks the answer.
"""

from vmart.api import billing, cvm_catalog, cvm_instances, cvm_keys, cvm_purchase, legacy, region
from vmart.api.later import LATER, LEGACY_LATER
from vmart.api.registry import Registry

_SERVICES = (cvm_catalog, cvm_purchase, cvm_instances, cvm_keys, billing, region)
API = Registry([action for service in _SERVICES for action in service.ACTIONS], LATER)
LEGACY = Registry(legacy.ACTIONS, LEGACY_LATER)
