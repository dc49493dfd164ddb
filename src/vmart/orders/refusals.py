"""What ``fn.orders_purchase`` and the SQL of networks refuse by a name, as the sentence that the buyer reads."""

import datetime as dt
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db.utils import Error as DjangoDatabaseError

from vmart.catalog import shop
from vmart.instances import key_pairs
from vmart.kernel import clock, db
from vmart.kernel.errors import Refused
from vmart.kernel.money import shown_minor
from vmart.network.errors import PrivateAddressTaken
from vmart.orders import errors, groups, placement_groups
from vmart.placement import explain
from vmart.pricing.configuration import Configuration

log = logging.getLogger(__name__)


def of_purchase(name: str, detail: str, configuration: Configuration, currency: str) -> Exception:
    """The refusal called ``name``; ``detail`` has its values, with | between them."""
    make = _KNOWN.get(name)
    return of_networks(name, detail) if make is None else make(detail.split("|"), configuration, currency)


@contextmanager
def saying() -> Iterator[None]:
    """What the SQL of networks refuses in the block is said in words."""
    try:
        yield
    except DjangoDatabaseError as error:
        refusal = db.refusal(error)
        if refusal is None:
            raise
        raise of_networks(*refusal) from None


def of_networks(name: str, detail: str) -> Exception:
    """What ``fn.network_claim_private`` refuses, and a subnet with too few addresses."""
    make = _OF_NETWORKS.get(name)
    return RuntimeError(f"unknown refusal {name}: {detail}") if make is None else make(detail)


def no_address(zone: str, binned: str, until: str, *, field: str) -> Refused:
    """No public address is free; ``binned`` machines of the account's keep one in the recycle bin."""
    if not int(binned):
        return errors.NoAddress("No public address is free in {zone}.", field=field, zone=zone)
    return errors.NoAddress(
        "No public address is free in {zone}. {binned} of your machines keep one in the recycle bin, the first until "
        "{until}; erase one to free it.",
        field=field, zone=zone, binned=binned, until=local(until),
    )  # fmt: skip


def _no_private_address(values: list[str], configuration: Configuration, currency: str) -> Refused:
    zone, binned, until = values
    if not int(binned):
        return errors.NoAddress("The private network in {zone} is full.", field="zone", zone=zone)
    return errors.NoAddress(
        "The private network in {zone} is full. {binned} of your machines keep an address in the recycle bin, the "
        "first until {until}; erase one to free it.",
        field="zone", zone=zone, binned=binned, until=local(until),
    )  # fmt: skip


def _quota_postpaid(values: list[str], configuration: Configuration, currency: str) -> Refused:
    held, quota, binned, until = values
    if not int(binned):
        return errors.QuotaReached(
            "The quota of postpaid machines in this zone is {quota}; {held} are there.",
            field="count", held=held, quota=quota,
        )  # fmt: skip
    return errors.QuotaReached(
        "The quota of postpaid machines in this zone is {quota}; {held} are there, {binned} of them in the recycle "
        "bin, the first until {until}. Erase one to make room.",
        field="count", held=held, quota=quota, binned=binned, until=local(until),
    )  # fmt: skip


def _quota_prepaid(values: list[str], configuration: Configuration, currency: str) -> Refused:
    held, quota = values
    zone = shop.snapshot().billing_zone
    next_month = clock.add_months(clock.month_start(clock.now(), zone), 1, zone)
    return errors.QuotaReached(
        "The quota of prepaid machines bought in this zone and month is {quota}; {held} were bought and not returned. "
        "It begins anew at {until}.",
        field="count", code="LimitExceeded.PrepayQuota", held=held, quota=quota,
        until=local(next_month.isoformat()),
    )  # fmt: skip


def _insufficient_balance(values: list[str], configuration: Configuration, currency: str) -> Refused:
    available, needed = (shown_minor(int(value), currency) for value in values)
    return errors.InsufficientBalance(
        "The balance is not enough: {needed} are needed and {available} are available.",
        needed=needed, available=available,
    )  # fmt: skip


def _sold_out(values: list[str], configuration: Configuration, currency: str) -> Refused:
    left = explain.left([int(count) for count in values[1].split(",")])
    log.info(
        "no room for %d of %s in %s: %s were placed; hosts left for one more: %s",
        configuration.count, configuration.instance_type, configuration.zone, values[0], explain.line(left),
    )  # fmt: skip
    return errors.NoRoom(
        "The instance type {type} is sold out in {zone}: there is room for {room}.",
        field="instance_type", type=configuration.instance_type, zone=configuration.zone, room=values[0],
    )  # fmt: skip


def _group_full(values: list[str], configuration: Configuration, currency: str) -> Refused:
    return errors.NoPlaceInGroup(
        "The placement group {id} may have no further machine: there is room for {room}.",
        field="placement_groups", id=values[0], room=values[1],
    )  # fmt: skip


def _group_apart(values: list[str], configuration: Configuration, currency: str) -> Refused:
    return errors.NoPlaceApart(
        "In {zone} is room for {room} machines apart from those of the placement group {id}: where else is room, the "
        "group has as many machines already as it may have in one place.",
        field="placement_groups", zone=configuration.zone, room=values[1], id=values[0],
    )  # fmt: skip


_OF_NETWORKS: dict[str, Callable[[str], Refused]] = {
    "subnet_full": lambda subnet: errors.SubnetFull(
        "The subnet {id} has too few free addresses.", field="network.subnet_id", id=subnet
    ),
    "no_subnet": lambda subnet: errors.UnknownNetwork(
        "The subnet {id} was deleted just now.",
        field="network.subnet_id", code="InvalidParameterValue.SubnetNotExist", id=subnet,
    ),
    "private_ip_taken": lambda ip: PrivateAddressTaken(
        "The private address {ip} is in use.", field="network.private_ips", ip=ip
    ),
    "no_private_range": lambda zone: errors.NoAddress(
        "The zone {zone} has no private network left.", field="zone", zone=zone
    ),
}  # fmt: skip
_KNOWN: dict[str, Callable[[list[str], Configuration, str], Refused]] = {
    "insufficient_balance": _insufficient_balance,
    "account_frozen": lambda values, _c, _m: errors.AccountFrozen(
        "This account may not buy: {why}", why="|".join(values)
    ),
    "in_arrears": lambda _v, _c, _m: errors.InArrears("The account is in arrears; top up before buying."),
    "no_key_pair": lambda values, _c, _m: key_pairs.unknown(values[0], "login.key_ids"),
    "no_security_group": lambda values, _c, _m: groups.unknown(values[0], 0),
    "no_image": lambda values, _c, _m: errors.UnknownImage(
        "The image {id} does not exist.", field="image_id", id=values[0]
    ),
    "no_snapshot": lambda values, _c, _m: errors.UnknownSnapshot(
        "The snapshot {id} has become another, or is gone, since it was looked at; try again.",
        field="data_disks",
        id=values[0],
    ),
    "sold_out": _sold_out,
    "no_placement_group": lambda values, _c, _m: placement_groups.unknown(values[0]),
    "group_full": _group_full,
    "group_apart": _group_apart,
    "no_public_address": lambda values, _c, _m: no_address(values[0], values[1], values[2], field="public_ip"),
    "no_ipv6_address": lambda values, _c, _m: errors.NoAddress(
        "No IPv6 address is free in {zone}.", field="network.ipv6_addresses", zone=values[0]
    ),
    "no_private_address": _no_private_address,
    "quota_postpaid": _quota_postpaid,
    "quota_prepaid": _quota_prepaid,
    "quota_spot": lambda values, _c, _m: errors.QuotaReached(
        "The quota of spot machines in this zone is {quota}; {held} are there.",
        field="count",
        code="LimitExceeded.UserSpotQuota",
        held=values[0],
        quota=values[1],
    ),
    "order_not_payable": lambda values, _c, _m: errors.OrderNotPayable(
        "The order {id} cannot be paid.", field="order_id", id=values[0]
    ),
}


def local(instant: str) -> str:
    """An instant in the shop's zone."""
    zone = shop.snapshot().billing_zone
    return f"{dt.datetime.fromisoformat(instant).astimezone(zone):%Y-%m-%d %H:%M:%S}"
