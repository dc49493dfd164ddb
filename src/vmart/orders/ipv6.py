"""Whether a machine can have an IPv6 address: where its zone has a prefix and an engine that guards it (ADR 0061)."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_noop

from vmart.catalog import shop
from vmart.catalog.models import Zone
from vmart.kernel.errors import InvalidParameter, Unsupported
from vmart.orders.own_network import NetworkWanted
from vmart.pricing.configuration import Configuration

OF_A_MACHINE_MAX = 1
FIELD = "network.ipv6_addresses"
_NONE = gettext_noop("There are no IPv6 addresses here.")


def check(here: shop.Shop, configuration: Configuration, network: NetworkWanted) -> None:
    """Raise InvalidParameter or Unsupported for addresses that machines cannot have."""
    if not network.ipv6_addresses:
        return
    if not 0 <= network.ipv6_addresses <= OF_A_MACHINE_MAX:
        raise InvalidParameter(
            "A machine has at most {most} IPv6 address; {count} are asked for.",
            field=FIELD, most=OF_A_MACHINE_MAX, count=network.ipv6_addresses,
        )  # fmt: skip
    if not configuration.public_ip:
        raise InvalidParameter(
            "An IPv6 address is had beside a public address: ask for that too.",
            field=FIELD, code="InvalidParameterCombination",
        )  # fmt: skip
    refuse_none(here, configuration.zone)


def refuse_none(here: shop.Shop, zone: str) -> None:
    """Raise Unsupported for a zone without IPv6 addresses."""
    capabilities = Zone.objects.values_list("capabilities", flat=True).get(pk=zone)
    if not here.zones[zone].ipv6_prefix or why_none(capabilities):
        raise Unsupported("There are no IPv6 addresses in {zone}.", field=FIELD, zone=zone)


def why_none(capabilities: Mapping[str, Any]) -> str:
    """Why machines of an engine with these capabilities have none; "" where they can."""
    if capabilities.get("ipv6", True):
        return ""
    return str((capabilities.get("missing") or {}).get("ipv6") or _NONE)
