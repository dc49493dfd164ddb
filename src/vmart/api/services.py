"""All actions of both APIs, in one place to read: what is published and stands in no ``ACTIONS`` is not offered yet.

How an action is added: CONTRIBUTING.md.
"""

import json
from pathlib import Path

from vmart.api.actions.api import zones
from vmart.api.actions.billing import balance
from vmart.api.actions.cbs import disk_terms, disks, own_disks, snapshot_policies, snapshots
from vmart.api.actions.cvm import (
    account_quota,
    action_timers,
    attributes,
    bandwidth,
    charge_type,
    console,
    disk_sizes,
    images,
    imported_images,
    instance_types,
    instances,
    key_pairs,
    launch_templates,
    move,
    own_images,
    placement_groups,
    places,
    purchase,
    renewal,
    rescue,
    resize,
    system,
)
from vmart.api.actions.cvm import security_groups as groups_of_machines
from vmart.api.actions.monitor import metrics
from vmart.api.actions.region import places as places_of_product
from vmart.api.actions.sts import identity
from vmart.api.actions.tag import keys as tag_keys
from vmart.api.actions.tag import resources
from vmart.api.actions.vpc import (
    addresses,
    bandwidth_packages,
    eip_terms,
    eips,
    route_tables,
    security_groups,
    subnets,
    vpcs,
)
from vmart.api.legacy import offered as legacy
from vmart.api.registry import Registry

# Written by ``python -m tests.support.published_actions``.
PUBLISHED_FILE = Path(__file__).with_name("published_actions.json")

_SERVICES = (
    places, instance_types, images, purchase, instances, attributes, action_timers, bandwidth, resize, move, disk_sizes,
    system, rescue, renewal, charge_type, key_pairs, launch_templates, placement_groups, own_images, imported_images,
    account_quota, balance, console,
    places_of_product, zones, disks, own_disks, disk_terms, snapshots, snapshot_policies, vpcs, subnets, route_tables,
    addresses, eips, eip_terms, bandwidth_packages, security_groups, groups_of_machines, resources, tag_keys, identity,
    metrics,
)  # fmt: skip
API = Registry([action for service in _SERVICES for action in service.ACTIONS], json.loads(PUBLISHED_FILE.read_text()))
LEGACY = Registry(legacy.ACTIONS, legacy.PUBLISHED)
