"""The purchase: a configuration, a login and a name become an order, machines and a queue entry.

Everything that needs no lock is decided here, on the cached catalog; ``fn.orders_purchase`` then does
the rest in one statement, which is one commit. The engine is not called here.
"""

import base64
import datetime as dt
import functools
import hashlib
import json
import re
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction
from psycopg.types.json import Jsonb
from pydantic_core import to_json

from vmart.catalog import shop
from vmart.kernel import clock, db, ids
from vmart.kernel.errors import InvalidParameter, Refused
from vmart.kernel.money import exponent, from_minor
from vmart.kernel.secrets import Secrets
from vmart.orders import errors
from vmart.orders.login import NO_LOGIN, Login
from vmart.pricing import books
from vmart.pricing.configuration import PREPAID, Configuration
from vmart.pricing.quote import Quote, quote

NAME_MAX = 128
USER_DATA_MAX_BYTES = 16 * 1024
_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,58}[A-Za-z0-9])?")
_ID_KEY_PURPOSE = "public ids"

_instance_numbers = db.IdBlock("instances_block")
_disk_numbers = db.IdBlock("storage_block")
_order_numbers = db.IdBlock("orders_block")
_network_numbers = db.IdBlock("network_block")


@dataclass(frozen=True, slots=True)
class Machine:
    """What is not money: the machine's image, name and first boot. ``user_data`` is decoded."""

    image_id: str
    login: Login = NO_LOGIN
    name: str = ""
    hostname: str = ""
    user_data: bytes = b""


@dataclass(frozen=True, slots=True)
class Purchase:
    """A request to buy. ``min_count`` 0 means all or nothing; ``order_id`` pays an unpaid order."""

    account_id: int
    configuration: Configuration
    machine: Machine
    client_token: str = ""
    min_count: int = 0
    request_id: str = ""
    expected: Quote | None = None  # the quote that was shown; charged as it is
    order_id: int | None = None


@dataclass(frozen=True, slots=True)
class Bought:
    """The answer, the same for a repeated token. Ids are public ids, in order."""

    order_id: int
    instance_ids: tuple[str, ...]
    repeated: bool = False


def id_key() -> bytes:
    """The deployment's key of public ids."""
    return _derived_id_key(settings.SECRETS)


@functools.cache
def _derived_id_key(held: Secrets) -> bytes:
    return held.derive(_ID_KEY_PURPOSE)


def price(configuration: Configuration) -> Quote:
    """Today's quote of a configuration, zone and offer checked: the one that an order would charge."""
    here = shop.snapshot()
    check_offer(here, configuration)
    return quote(books.current_book(here.generation), configuration)


def check_offer(here: shop.Shop, configuration: Configuration) -> None:
    """Whether the zone sells this type. Raises UnknownZone, NotSoldHere, SoldOut."""
    zone = here.zones.get(configuration.zone)
    if zone is None or not zone.on_sale:
        raise errors.UnknownZone(
            "The zone {zone} does not exist.", field="Placement.Zone", zone=configuration.zone or "(empty)"
        )
    if zone.region != configuration.region:
        raise errors.UnknownZone(
            "The zone {zone} is not in the region {region}.",
            field="Placement.Zone",
            code="InvalidZone.MismatchRegion",
            zone=zone.code,
            region=configuration.region,
        )
    if configuration.instance_type in here.instance_types:
        sold_out = zone.offers.get(configuration.instance_type)
        if sold_out is None:
            raise errors.NotSoldHere(
                "The instance type {type} is not sold in {zone}.",
                field="InstanceType",
                type=configuration.instance_type,
                zone=zone.code,
            )
        if sold_out:
            raise errors.SoldOut(
                "The instance type {type} is sold out in {zone}.",
                field="InstanceType",
                type=configuration.instance_type,
                zone=zone.code,
            )


def check(purchase: Purchase) -> Quote:
    """All checks that need no lock, and the quote."""
    here = shop.snapshot()
    configuration, machine = purchase.configuration, purchase.machine
    check_offer(here, configuration)
    quoted = purchase.expected or quote(books.current_book(here.generation), configuration)
    image = here.images.get(machine.image_id)
    if image is None:
        raise errors.UnknownImage("The image {id} does not exist.", field="ImageId", id=machine.image_id)
    if image.unavailable_en:
        raise errors.ImageNotSold(
            "The image {id} is not available: {why}",
            field="ImageId", id=machine.image_id, why=errors.InLanguages(image.unavailable_en, image.unavailable_zh),
        )  # fmt: skip
    if configuration.system_disk.size_gib < image.size_gib:
        raise InvalidParameter(
            "The image needs a system disk of at least {size} GiB.", field="SystemDisk.DiskSize", size=image.size_gib
        )
    if len(machine.name) > NAME_MAX:
        raise errors.NameTooLong("A name has at most {most} characters.", field="InstanceName", most=NAME_MAX)
    if machine.hostname and (not _HOST_NAME.fullmatch(machine.hostname) or machine.hostname.isdigit()):
        raise errors.BadHostName(
            "A host name has 1 to 60 letters, digits and hyphens, a letter or digit at both ends, not only digits.",
            field="HostName",
        )
    if len(machine.user_data) > USER_DATA_MAX_BYTES:
        raise errors.UserDataTooLarge("User data has at most {most} bytes.", field="UserData", most=USER_DATA_MAX_BYTES)
    if purchase.min_count > configuration.count:
        raise InvalidParameter("MinCount is above InstanceCount.", field="MinCount")
    return quoted


def purchase(request: Purchase) -> Bought:
    """Buy. One commit, or a refusal that wrote nothing; a repeated token gets the first answer.

    Inside an act (the payment of an order by card) it is part of that act's commit, and a refusal leaves
    the act as it was. Raises the refusals of ``orders.errors`` and ``pricing.errors``.
    """
    first_in_zone = False
    for _ in range(3):
        try:
            return _purchase(request, first_in_zone=first_in_zone)
        except _StaleCatalog:
            shop.refresh()
        except _FirstInZone:
            first_in_zone = True
    raise RuntimeError("the catalog changes faster than a purchase is decided")


def dry_run(request: Purchase) -> None:
    """Raise what ``purchase`` would raise now: its statement runs in full and is taken back."""
    with db.act():
        purchase(request)
        transaction.set_rollback(True)


def next_order_id() -> int:
    """A number for an order that is placed without being paid."""
    return _order_numbers.take()[0]


class _StaleCatalog(Exception):
    """The catalog changed between this process's reading and the statement."""


class _FirstInZone(Exception):
    """The account has no network in this zone yet: the statement needs ids for one."""


def _purchase(request: Purchase, *, first_in_zone: bool) -> Bought:
    quoted = check(request)
    fingerprint = settings.SECRETS.fingerprint(fingerprinted(request)).hex()
    values = _values(request, quoted, fingerprint) | _network_ids(first_in_zone)
    inside_an_act = transaction.atomic() if db.in_transaction() else nullcontext()
    try:
        with inside_an_act:
            result = json.loads(db.call("orders_purchase", Jsonb(values, dumps=to_json)))
    except DatabaseError as error:
        refusal = db.refusal(error)
        if refusal is None:
            raise
        raise _refused(*refusal, request, quoted) from None
    if result["repeated"] and result["fingerprint"] != fingerprint:
        raise errors.TokenReused(
            "ClientToken was used before for a request with other parameters.", field="ClientToken"
        )
    if not result["repeated"]:
        db.on_commit_wake()  # at once, unless inside an act
    answer = result["answer"]
    return Bought(answer["order_id"], tuple(answer["instance_ids"]), result["repeated"])


def fingerprinted(request: Purchase) -> bytes:
    """What makes two requests the same. Password hashes have a salt of their own, so only that there is one."""
    machine = request.machine
    parts = [
        request.configuration.plain(), machine.image_id, bool(machine.login.password_hash), machine.login.key_ids,
        machine.name, machine.hostname, hashlib.sha256(machine.user_data).hexdigest(), request.min_count,
    ]  # fmt: skip
    return json.dumps(parts, sort_keys=True).encode()


def _values(request: Purchase, quoted: Quote, fingerprint: str) -> dict[str, Any]:
    """What ``fn.orders_purchase`` is given; all ids are made here, before the call."""
    here, configuration, key = shop.snapshot(), request.configuration, id_key()
    now = clock.now()
    kind = here.instance_types[configuration.instance_type]
    disks = (configuration.system_disk, *configuration.data_disks)
    machines = [
        _machine(request, key, number, position, disks)
        for position, number in enumerate(_instance_numbers.take(configuration.count))
    ]
    order_id = request.order_id or _order_numbers.take()[0]
    return {
        "account_id": request.account_id,
        "token": request.client_token,
        "fingerprint": fingerprint,
        "answer": {"order_id": order_id, "instance_ids": [machine["public_id"] for machine in machines]},
        "generation": here.generation,
        "now": now.isoformat(),
        "wall": clock.wall().isoformat(),
        "month_start": clock.month_start(now, here.billing_zone).isoformat(),
        "region": configuration.region,
        "zone": configuration.zone,
        "charge_type": configuration.charge_type,
        "vcpu": kind.vcpu,
        "memory_mib": kind.memory_mib,
        "disk_gib": sum(disk.size_gib for disk in disks),
        "public_ip": configuration.public_ip,
        "min_count": request.min_count or configuration.count,
        "order_id": order_id,
        "order_exists": request.order_id is not None,
        "machine_minor": quoted.machine_minor,
        "hold_machine_minor": quoted.machine_minor + quoted.hold_machine_minor,
        "book_version": quoted.book_version,
        "quote": quoted.plain(),
        "segments": segments(quoted),
        "instance": _common(request, now),
        "machines": machines,
    }


def _network_ids(first_in_zone: bool) -> dict[str, str]:
    """Ids for the network that the first purchase in a zone makes; empty for all later ones, which need none."""
    if not first_in_zone:
        return {"vpc_public_id": "", "subnet_public_id": ""}
    number = _network_numbers.take()[0]
    return {
        "vpc_public_id": ids.public_id(id_key(), "vpc", number),
        "subnet_public_id": ids.public_id(id_key(), "subnet", number),
    }


def segments(quoted: Quote) -> list[list[Any]]:
    """[component, price key, quantity] of what a machine is charged by usage: all of a postpaid one, traffic."""
    return [
        [f"{line.component}:{line.number}" if line.number else line.component, line.price_key, str(line.quantity)]
        for line in quoted.lines
        if line.unit != "month"
    ]


def _common(request: Purchase, now: dt.datetime) -> dict[str, Any]:
    """Columns of instances_instance that are the same for each machine of the order."""
    configuration, machine = request.configuration, request.machine
    here = shop.snapshot()
    kind, image = here.instance_types[configuration.instance_type], here.images[machine.image_id]
    return {
        "account_id": request.account_id, "zone_id": configuration.zone, "instance_type_id": kind.code,
        "image_id": image.public_id, "vcpu": kind.vcpu, "memory_mib": kind.memory_mib,
        "charge_type": configuration.charge_type, "internet_charge_type": configuration.internet_charge_type,
        "bandwidth_mbps": configuration.bandwidth_mbps, "public_ip_wanted": configuration.public_ip,
        "renew_flag": "NOTIFY_AND_MANUAL_RENEW", "state": "PENDING", "restrict_state": "NORMAL",
        "isolated_source": "NOTISOLATED", "stop_charging_mode": "NOT_APPLICABLE",
        "latest_operation": "RunInstances", "latest_operation_state": "OPERATING",
        "latest_operation_request_id": request.request_id, "latest_operation_error_code": "",
        "latest_operation_error": "", "kind": "", "login_user": image.login_user,
        "password_hash": machine.login.password_hash, "ssh_keys": list(machine.login.ssh_keys),
        "key_ids": list(machine.login.key_ids), "user_data": "\\x" + machine.user_data.hex(),
        "created_at": now.isoformat(),
        "period_months": configuration.period_months if configuration.charge_type == PREPAID else None,
        "hold_number": 1,
    }  # fmt: skip


def _machine(request: Purchase, key: bytes, number: int, position: int, disks: tuple[Any, ...]) -> dict[str, Any]:
    """Columns of one machine, and its disks."""
    public_id = ids.public_id(key, "ins", number)
    name, hostname = request.machine.name or "Unnamed", request.machine.hostname
    if request.configuration.count > 1:
        name = f"{name}-{position + 1}" if request.machine.name else name
        hostname = f"{hostname}-{position + 1}" if hostname else ""
    usages = ["SYSTEM_DISK"] + ["DATA_DISK"] * (len(disks) - 1)
    return {
        "id": number,
        "public_id": public_id,
        "name": name[:NAME_MAX],
        "hostname": hostname or public_id,
        "mac": "02:" + number.to_bytes(5, "big").hex(":"),
        "hold_id": str(ids.transfer_id("hold", number, 1)),
        "disks": [
            {
                "id": disk_number, "public_id": ids.public_id(key, "disk", disk_number),
                "account_id": request.account_id, "instance_id": number, "usage": usage,
                "disk_type": disk.disk_type, "size_gib": disk.size_gib, "position": place,
            }
            for place, (disk_number, disk, usage) in enumerate(
                zip(_disk_numbers.take(len(disks)), disks, usages, strict=True)
            )
        ],
    }  # fmt: skip


def _refused(name: str, detail: str, request: Purchase, quoted: Quote) -> Exception:
    """The refusal that the statement raised, as a sentence."""
    first, _, second = detail.partition("|")
    configuration = request.configuration
    if name == "stale_catalog":
        return _StaleCatalog()
    if name == "first_in_zone":
        return _FirstInZone()
    if name == "insufficient_balance":
        places = exponent(quoted.currency)
        return errors.InsufficientBalance(
            "The balance is not enough: {needed} {currency} are needed and {available} are available.",
            needed=from_minor(int(second), places), available=from_minor(int(first), places), currency=quoted.currency,
        )  # fmt: skip
    known: dict[str, Refused] = {
        "account_frozen": errors.AccountFrozen("This account may not buy: {why}", why=detail),
        "in_arrears": errors.InArrears("The account is in arrears; top up before buying."),
        "sold_out": errors.SoldOut(
            "The instance type {type} is sold out in {zone}: there is room for {room}.",
            field="InstanceType", type=configuration.instance_type, zone=configuration.zone, room=first,
        ),
        "no_public_address": errors.NoAddress(
            "No public address is free in {zone}.", field="InternetAccessible.PublicIpAssigned", zone=first
        ),
        "no_private_address": errors.NoAddress(
            "The private network in {zone} is full.", field="Placement.Zone", zone=first
        ),
        "no_private_range": errors.NoAddress(
            "The zone {zone} has no private network left.", field="Placement.Zone", zone=first
        ),
        "quota_postpaid": errors.QuotaReached(
            "The quota of postpaid machines in this zone is {quota}; {held} are there.",
            field="InstanceCount", held=first, quota=second,
        ),
        "quota_prepaid": errors.QuotaReached(
            "The quota of prepaid machines bought in this zone and month is {quota}; {held} were bought.",
            field="InstanceCount", code="LimitExceeded.PrepayQuota", held=first, quota=second,
        ),
        "order_not_payable": errors.OrderNotPayable("The order {id} cannot be paid.", field="DealId", id=first),
    }  # fmt: skip
    return known.get(name) or RuntimeError(f"unknown refusal {name}: {detail}")


def decode_user_data(text: str) -> bytes:
    """UserData of a request: base64, at most 16 KiB decoded. Raises InvalidUserDataFormat."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise errors.UserDataTooLarge(
            "UserData is not base64.", field="UserData", code="InvalidParameterValue.InvalidUserDataFormat"
        ) from None
