"""A purchase made ready: everything that is decided on the catalog alone, before any lock."""

from dataclasses import replace

from vmart.catalog import shop
from vmart.kernel.errors import InvalidParameter
from vmart.orders import (
    default_type,
    groups,
    ipv6,
    login,
    named,
    naming,
    offered,
    own_network,
    placement_groups,
    planned_end,
    spot,
    tagging,
    user_data,
)
from vmart.orders.disks import keep, of_snapshot
from vmart.orders.login import LoginWanted
from vmart.orders.wanted import Machine, Purchase
from vmart.pricing import books
from vmart.pricing.quote import Quote, quote


def ready(request: Purchase, here: shop.Shop) -> tuple[Purchase, Quote]:
    """The request with its type chosen and its login made, and its quote, after every check that needs no lock."""
    request = replace(request, configuration=default_type.filled(request.configuration, here))
    quoted = check(request, here)
    found = _named(request)
    network = own_network.checked(request.account_id, request.configuration, request.machine.network, found)
    placement_groups.check(request.account_id, request.machine.placement_groups)
    of_snapshot.check(request.account_id, request.configuration)
    groups.check(request.account_id, request.configuration.zone, request.machine.attributes.security_groups, found)
    attributes = spot.with_bid(here, request.configuration, request.machine.attributes)
    machine = replace(_with_login(request.account_id, request.machine, found), network=network, attributes=attributes)
    return replace(request, machine=machine), quoted


def check(request: Purchase, here: shop.Shop) -> Quote:
    """All checks by the catalog ``here`` that need no lock, but for network and login, and the quote."""
    configuration, machine = request.configuration, request.machine
    offered.check_offer(here, configuration)
    quoted = request.expected or quote(books.own_book(request.account_id, here.generation), configuration)
    offered.check_image(here, request)
    ipv6.check(here, configuration, machine.network)
    keep.check(configuration)
    spot.check(here, configuration, machine.attributes)
    naming.names(machine.name, configuration.count)
    naming.host_names(machine.hostname, configuration.count)
    user_data.check(machine.user_data)
    tagging.check(machine.tag_specification)
    planned_end.check_purchase(configuration.charge_type, machine.ends_at, machine.attributes)
    if request.min_count > configuration.count:
        raise InvalidParameter("MinCount is above InstanceCount.", field="min_count")
    return quoted


def _named(request: Purchase) -> named.Named | None:
    """What the purchase names by its id, in one statement; None where it names nothing, and for its default login."""
    machine = request.machine
    subnet_id, groups_named = own_network.id_of(machine.network.subnet_id), machine.attributes.security_groups
    key_ids = machine.login.key_ids if isinstance(machine.login, LoginWanted) else ()
    if not (subnet_id or groups_named or key_ids):
        return None
    zone = request.configuration.zone
    return named.look(
        request.account_id, zone, subnet_id=subnet_id, groups=groups_named[: groups.OF_A_MACHINE_MAX],
        key_ids=key_ids[: login.KEYS_MAX],
    )  # fmt: skip


def _with_login(account_id: int, machine: Machine, found: named.Named | None) -> Machine:
    if isinstance(machine.login, LoginWanted):
        return replace(machine, login=login.make(account_id, machine.login, found.public_keys if found else None))
    return machine
