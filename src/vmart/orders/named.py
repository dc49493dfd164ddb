"""What a purchase names by its id: a subnet, security groups and key pairs, found by one statement."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vmart.catalog import shop
from vmart.kernel import db
from vmart.kernel.text import sayable
from vmart.network import held
from vmart.network.models import Subnet


@dataclass(frozen=True, slots=True)
class Named:
    """Of the things that were asked for, those that are the account's and of the place; ``subnet`` of any zone."""

    capabilities: Mapping[str, Any]  # of the zone's engine, as it was last seen
    groups: frozenset[str]
    public_keys: Mapping[str, str]  # by the id of the pair
    subnet: Any  # a Subnet with ``vpc_public_id``, or None


# On the way of each purchase: no more is read than is asked, and it is planned once.
_NAMED = """
SELECT z.capabilities,
  ARRAY(SELECT g.public_id::text FROM security_group g WHERE g.account_id = %s AND g.public_id = ANY (%s)
    AND g.region IN ('', %s)) AS groups,
  (SELECT jsonb_object_agg(k.public_id, k.public_key) FROM instances_key_pair k
    WHERE k.account_id = %s AND k.public_id = ANY (%s)) AS public_keys,
  s.id, s.zone_id, s.cidr, s.prefix, s.first_host, v.public_id AS vpc_public_id
FROM catalog_zone z
LEFT JOIN network_subnet s ON s.public_id = %s AND %s IN (s.account_id, s.owner_id) AND s.deleted_at IS NULL
LEFT JOIN network_vpc v ON v.id = s.vpc_id
WHERE z.code = %s
"""


def look(
    account_id: int, zone: str, *, subnet_id: str = "", groups: Sequence[str] = (), key_ids: Sequence[str] = ()
) -> Named:
    """What of these is there. ``zone``: one of the catalog's."""
    region = shop.snapshot().region_of(zone)
    (row,) = db.prepared(
        _NAMED, account_id, sayable(groups), region, account_id, sayable(key_ids), held.sayable(subnet_id), account_id,
        zone,
    )  # fmt: skip
    return Named(
        json.loads(row.pop("capabilities")), frozenset(row.pop("groups")),
        json.loads(row.pop("public_keys") or "{}"), _subnet(row),
    )  # fmt: skip


def _subnet(row: dict[str, Any]) -> Any:
    vpc = row.pop("vpc_public_id")
    if vpc is None:
        return None
    found: Any = Subnet(**row)
    found.vpc_public_id = vpc
    return found
