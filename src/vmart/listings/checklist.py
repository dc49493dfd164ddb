"""What a shop needs before its first sale, and what of it is done: for the seller's page and ``vmart doctor``."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vmart import engines
from vmart.customers.models import User
from vmart.kernel import db
from vmart.payments import providers


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. ``sentence`` is English, the msgid of the page's; ``params`` fill its places."""

    name: str
    done: bool
    sentence: str
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The English sentence with its places filled."""
        return self.sentence.format(**self.params)


def steps() -> list[Step]:
    """All of them, in the order in which they are done; six queries."""
    return [_operator(), _catalog(), _engine(), _addresses(), _payment(), _test_order()]


def _operator() -> Step:
    number = User.objects.filter(is_staff=True, is_active=True).count()
    if not number:
        return Step("operator", False, "Nobody: follow the link that “vmart up” prints, or use “vmart operator add”.")
    return Step("operator", True, "{number} may see these pages.", {"number": number})


def _catalog() -> Step:
    (found,) = db.rows(
        "SELECT (SELECT count(*) FROM catalog_zone WHERE on_sale) AS zones,"
        " (SELECT count(DISTINCT instance_type_id) FROM catalog_offer o JOIN catalog_zone z ON z.code = o.zone_id"
        "  WHERE z.on_sale AND NOT o.sold_out) AS types"
    )
    if not found["zones"]:
        return Step("catalog", False, "Nothing is on sale: write a catalog file, then “vmart catalog apply FILE”.")
    return Step("catalog", found["types"] > 0, "{types} machine types are on sale in {zones} zones.", found)


def _engine() -> Step:
    (found,) = db.rows(
        "SELECT count(*) AS zones, count(*) FILTER (WHERE engine_status = 'ready') AS ready,"
        " count(*) FILTER (WHERE engine_status = 'ready' AND engine_kind <> ALL(%(unreal)s)) AS real"
        " FROM catalog_zone WHERE on_sale",
        unreal=_unreal(),
    )
    if not found["ready"]:
        return Step("engine", False, "No zone's engine is ready: “vmart doctor” and the list of zones say why.")
    if not found["real"]:
        return Step("engine", False, "{ready} of {zones} zones are ready, all simulated: no real machine.", found)
    return Step("engine", True, "{ready} of {zones} zones are ready, {real} with real machines.", found)


def _unreal() -> list[str]:
    """Kinds of engine without real machines."""
    return [driver.kind for driver in engines.DRIVERS if not driver.is_real]


def _addresses() -> Step:
    """The seller's own, or at least none of a network for documentation and benchmarks, which nobody reaches."""
    found = db.rows(
        "SELECT host(min(a.ip)) AS first, count(*) AS number FROM network_public_address a"
        " JOIN catalog_zone z ON z.code = a.zone_id WHERE z.on_sale AND z.engine_kind <> ALL(%(unreal)s)"
        " AND NOT a.withdrawn GROUP BY z.code",
        unreal=_unreal(),
    )
    number = sum(row["number"] for row in found)
    if not number:
        return Step("addresses", False, "No zone with real machines has an address pool in the catalog.")
    if any(_is_for_examples(row["first"]) for row in found):
        return Step(
            "addresses", False, "{number}, among them those of a network for examples, which nobody reaches.",
            {"number": number},
        )  # fmt: skip
    return Step("addresses", True, "{number} public addresses.", {"number": number})


_FOR_EXAMPLES = [
    ipaddress.ip_network(cidr) for cidr in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15")
]  # RFC 5737, RFC 2544


def _is_for_examples(ip: str) -> bool:
    return any(ipaddress.ip_address(ip) in network for network in _FOR_EXAMPLES)


def _payment() -> Step:
    offered = providers.offered()
    (by_hand,) = db.rows("SELECT EXISTS (SELECT FROM ledger_by_hand WHERE amount_minor > 0) AS done")
    if "stripe" in offered:
        return Step("payment", True, "Customers pay by card.")
    if by_hand["done"]:
        return Step("payment", True, "No card provider; you have credited a customer by hand.")
    return Step(
        "payment", False,
        "Neither a card provider (docs/operate/cards.md) nor a first credit by hand (“vmart customer credit”).",
    )  # fmt: skip


def _test_order() -> Step:
    (found,) = db.rows("SELECT EXISTS (SELECT FROM orders_line WHERE delivered_at IS NOT NULL) AS delivered")
    if not found["delivered"]:
        return Step("test_order", False, "None yet: sign up as a customer, credit the account and buy a machine.")
    return Step("test_order", True, "A machine has been ordered and delivered.")
