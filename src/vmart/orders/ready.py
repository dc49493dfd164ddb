"""A purchase made ready: everything that is decided on the catalog alone, before any lock."""

from dataclasses import replace

from vmart.catalog import shop
from vmart.kernel.errors import InvalidParameter
from vmart.orders import (
    default_type,
    groups,
    ipv6,
    login,
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
    network = own_network.checked(request.account_id, request.configuration, request.machine.network)
    placement_groups.check(request.account_id, request.machine.placement_groups)
    of_snapshot.check(request.account_id, request.configuration)
    groups.check(request.account_id, request.configuration.zone, request.machine.attributes.security_groups)
    attributes = spot.with_bid(here, request.configuration, request.machine.attributes)
    machine = replace(_with_login(request.account_id, request.machine), network=network, attributes=attributes)
    return replace(request, machine=machine), quoted


def check(request: Purchase, here: shop.Shop) -> Quote:
    """All checks by the catalog ``here`` that need no lock, but for network and login, and the quote."""
    configuration, machine = request.configuration, request.machine
    offered.check_offer(here, configuration)
    quoted = request.expected or quote(books.current_book(here.generation), configuration)
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


def _with_login(account_id: int, machine: Machine) -> Machine:
    if isinstance(machine.login, LoginWanted):
        return replace(machine, login=login.make(account_id, machine.login))
    return machine
