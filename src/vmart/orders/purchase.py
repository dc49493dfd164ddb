"""The purchase: a configuration, a login and a name become an order, machines and a queue entry.

Everything that needs no lock is decided here, on the cached catalog; ``fn.orders_purchase`` then does
the rest in one statement, which is one commit. The engine is not called here.
"""

import base64
import datetime as dt
import functools
import hashlib
import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction
from psycopg.types.json import Jsonb
from pydantic_core import to_json

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.kernel import clock, db, ids
from vmart.kernel.errors import InvalidParameter, Refused
from vmart.kernel.secrets import Secrets
from vmart.orders import default_type, errors, login, naming, own_network, passwords, refusals, tokens
from vmart.orders.login import GENERATED, Login, LoginWanted
from vmart.orders.own_network import DEFAULT_NETWORK, NetworkWanted
from vmart.pricing import books
from vmart.pricing.configuration import Configuration, DiskChoice
from vmart.pricing.errors import UnknownDiskType
from vmart.pricing.quote import GIB, HOUR, MONTH, Quote, quote
from vmart.subscriptions.models import DISK, MACHINE

USER_DATA_MAX_BYTES = 16 * 1024
MANUAL_RENEWAL = "NOTIFY_AND_MANUAL_RENEW"
_ID_KEY_PURPOSE = "public ids"

_subscription_numbers = db.IdBlock("subscriptions_block")  # machines and disks: every subscription has its own
_order_numbers = db.IdBlock("orders_block")
_network_numbers = db.IdBlock("network_block")


@dataclass(frozen=True, slots=True)
class Machine:
    """What has no price: the machine's image, name and first boot. ``user_data`` is decoded.

    ``renew_flag`` is kept for a prepaid machine. ``protected``: no program may end it.
    """

    image_id: str
    login: Login | LoginWanted = GENERATED
    name: str = ""
    hostname: str = ""
    user_data: bytes = b""
    renew_flag: str = MANUAL_RENEWAL
    protected: bool = False
    network: NetworkWanted = DEFAULT_NETWORK

    @property
    def made_login(self) -> Login:
        """The login once ``ready`` has made it."""
        assert isinstance(self.login, Login)
        return self.login


@dataclass(frozen=True, slots=True)
class Purchase:
    """A request to buy. ``min_count`` 0 means all or nothing; ``order_id`` pays an unpaid order."""

    actor: Actor
    configuration: Configuration
    machine: Machine
    client_token: str = ""
    min_count: int = 0
    expected: Quote | None = None  # the quote that was shown; charged as it is
    order_id: int | None = None

    @property
    def account_id(self) -> int:
        """The account that pays and owns."""
        return self.actor.account


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


def price(configuration: Configuration, here: shop.Shop) -> Quote:
    """The quote of a configuration by the catalog ``here``, zone and offer checked: what an order would charge."""
    configuration = default_type.filled(configuration, here)
    check_offer(here, configuration)
    return quote(books.current_book(here.generation), configuration)


def check_offer(here: shop.Shop, configuration: Configuration) -> None:
    """Whether the zone sells this type and these disks. Raises UnknownZone, NotSoldHere, SoldOut, UnknownDiskType."""
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
    data_disks = ((f"DataDisks.{number}", disk) for number, disk in enumerate(configuration.data_disks))
    for field, disk in (("SystemDisk", configuration.system_disk), *data_disks):
        if disk.disk_type not in here.disk_types:  # the price book keeps those that are no longer sold
            raise UnknownDiskType(
                "The disk type {disk_type} is not sold; possible are {types}.",
                field=f"{field}.DiskType",
                disk_type=disk.disk_type,
                types=", ".join(here.disk_types),
            )


def check(purchase: Purchase, here: shop.Shop) -> Quote:
    """All checks by the catalog ``here`` that need no lock, but for the login, and the quote."""
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
    naming.names(machine.name, configuration.count)
    naming.host_names(machine.hostname, configuration.count)
    if len(machine.user_data) > USER_DATA_MAX_BYTES:
        raise errors.UserDataTooLarge("User data has at most {most} bytes.", field="UserData", most=USER_DATA_MAX_BYTES)
    if purchase.min_count > configuration.count:
        raise InvalidParameter("MinCount is above InstanceCount.", field="MinCount")
    return quoted


def ready(request: Purchase, here: shop.Shop) -> tuple[Purchase, Quote]:
    """The request with its type chosen and its login made, and its quote, after every check that needs no lock."""
    request = replace(request, configuration=default_type.filled(request.configuration, here))
    quoted = check(request, here)
    own_network.check(request.account_id, request.configuration, request.machine.network)
    machine = request.machine
    if isinstance(machine.login, LoginWanted):
        made = login.make(request.account_id, machine.login)
        request = replace(request, machine=replace(machine, login=made))
    return request, quoted


def answered(request: Purchase, fingerprint: bytes) -> Bought | None:
    """What this client token was answered before, also when the same request would be refused by now.

    None for a new token or none. Raises TokenReused where it came with other parameters.
    """
    known = tokens.first_answer(request.account_id, request.client_token, fingerprint)
    return Bought(known["order_id"], tuple(known["instance_ids"]), repeated=True) if known else None


def purchase(request: Purchase) -> Bought:
    """Buy. One commit, or a refusal that wrote nothing; a repeated token gets the first answer.

    Inside an act (the payment of an order by card) it is part of that act's commit, and a refusal leaves
    the act as it was. Raises the refusals of ``orders.errors`` and ``pricing.errors``.
    """
    first_in_zone = False
    fingerprint = settings.SECRETS.fingerprint(fingerprinted(request))  # of the request as it came, password and all
    for _ in range(3):
        here = shop.snapshot()  # once: quote, generation and rows are of the same catalog, or the statement refuses
        try:
            made, quoted = ready(request, here)
        except Refused:  # the offer may have changed since the first answer, which its buyer may never have got
            known = answered(request, fingerprint)
            if known is None:
                raise
            return known
        # A statement more, so that a repeat makes no passwords, which take their time and are for nobody.
        known = answered(request, fingerprint) if made.machine.made_login.generated else None
        if known is not None:
            return known
        try:
            return _purchase(made, quoted, here, fingerprint.hex(), first_in_zone=first_in_zone)
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


_ASKED_AGAIN = {"stale_catalog": _StaleCatalog, "first_in_zone": _FirstInZone}


def _purchase(request: Purchase, quoted: Quote, here: shop.Shop, fingerprint: str, *, first_in_zone: bool) -> Bought:
    numbers = _subscription_numbers.take(request.configuration.count)
    values = _values(request, quoted, here, fingerprint, numbers) | _network_ids(first_in_zone)
    holds = [ids.transfer_id("hold", number, 1) for number in numbers]
    inside_an_act = transaction.atomic() if db.in_transaction() else nullcontext()
    try:
        with inside_an_act:
            result = json.loads(db.call("orders_purchase", Jsonb(values, dumps=to_json), numbers, holds))
    except DatabaseError as error:
        refusal = db.refusal(error)
        if refusal is None:
            raise
        name, detail = refusal
        if name in _ASKED_AGAIN:
            raise _ASKED_AGAIN[name]() from None
        raise refusals.of_purchase(name, detail, request.configuration, quoted.currency) from None
    if result["repeated"] and result["fingerprint"] != fingerprint:
        raise tokens.reused()
    if not result["repeated"]:
        db.on_commit_wake()  # at once, unless inside an act
    answer = result["answer"]
    return Bought(answer["order_id"], tuple(answer["instance_ids"]), result["repeated"])


def fingerprinted(request: Purchase) -> bytes:
    """What makes two requests the same, for a keyed digest alone: a password is in it as it was typed."""
    machine = request.machine
    parts = [
        request.configuration.plain(), machine.image_id, machine.login.told_apart_by, machine.login.key_ids,
        machine.name, machine.hostname, hashlib.sha256(machine.user_data).hexdigest(), request.min_count,
        machine.renew_flag, machine.protected, machine.network.vpc_id, machine.network.subnet_id,
    ]  # fmt: skip
    return json.dumps(parts, sort_keys=True).encode()


def _values(
    request: Purchase, quoted: Quote, here: shop.Shop, fingerprint: str, numbers: Sequence[int]
) -> dict[str, Any]:
    """What ``fn.orders_purchase`` is given; all ids are made here, before the call."""
    configuration, key = request.configuration, id_key()
    now = clock.now()
    kind = here.instance_types[configuration.instance_type]
    disks = (configuration.system_disk, *configuration.data_disks)
    machines = _machines(request, key, numbers)
    order_id = request.order_id or _order_numbers.take()[0]
    return {
        "account_id": request.account_id,
        "actor": request.actor.told(),
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
        "months": configuration.period_months,
        "subscription": _agreed(request, quoted, now),
        "items": _items(quoted),
        "instance": _common(request, here, now),
        "machines": machines,
        "disks": _disks(request.account_id, key, numbers, disks),
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


_MODES = {MONTH: "month", HOUR: "hour", GIB: "traffic"}


def _items(quoted: Quote) -> list[list[Any]]:
    """Terms of each machine's bundle: [disk's position (None: the machine), component, mode, price key, quantity,
    pausable]. A stop without charge pauses CPU and memory alone.
    """
    return [
        [
            line.disk, DISK if line.disk is not None else line.component, _MODES[line.unit], line.price_key,
            line.quantity, line.component == "cpu",
        ]
        for line in quoted.lines
    ]  # fmt: skip


def _agreed(request: Purchase, quoted: Quote, now: dt.datetime) -> dict[str, Any]:
    """What ``fn.subscriptions_open`` writes of each machine of the order alike."""
    configuration = request.configuration
    return {
        "account_id": request.account_id, "zone": configuration.zone, "kind": MACHINE,
        "charge_type": configuration.charge_type, "renew_flag": request.machine.renew_flag,
        "created_at": now.isoformat(), "book_version": quoted.book_version,
    }  # fmt: skip


def _common(request: Purchase, here: shop.Shop, now: dt.datetime) -> dict[str, Any]:
    """What ``fn.instances_create`` writes of each machine of the order alike."""
    configuration, machine = request.configuration, request.machine
    way_in = machine.made_login
    kind, image = here.instance_types[configuration.instance_type], here.images[machine.image_id]
    return {
        "account_id": request.account_id, "zone_id": configuration.zone, "instance_type_id": kind.code,
        "image_id": image.public_id, "vcpu": kind.vcpu, "memory_mib": kind.memory_mib,
        "internet_charge_type": configuration.internet_charge_type, "bandwidth_mbps": configuration.bandwidth_mbps,
        "public_ip_wanted": configuration.public_ip, "request_id": request.actor.request_id,
        "login_user": image.login_user, "password_hash": way_in.password_hash, "ssh_keys": list(way_in.ssh_keys),
        "key_ids": list(way_in.key_ids), "user_data": machine.user_data.hex(), "created_at": now.isoformat(),
        "termination_protected": machine.protected,
    }  # fmt: skip


def _machines(request: Purchase, key: bytes, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """What ``fn.instances_create`` writes of each machine, a password of its own where none was given."""
    names = naming.names(request.machine.name, len(numbers))
    host_names = naming.host_names(request.machine.hostname, len(numbers))
    public_ids = [ids.public_id(key, "ins", number) for number in numbers]
    generated = request.machine.made_login.generated
    return [
        {
            "public_id": public_id, "name": name, "hostname": hostname or public_id,
            "mac": "02:" + number.to_bytes(5, "big").hex(":"),
        }
        | (passwords.make(number).columns if generated else {})
        for number, public_id, name, hostname in zip(numbers, public_ids, names, host_names, strict=True)
    ]  # fmt: skip


def _disks(account_id: int, key: bytes, numbers: Sequence[int], disks: Sequence[DiskChoice]) -> list[dict[str, Any]]:
    """The disks of all machines, and their subscriptions; the first of each is its system disk."""
    own = iter(_subscription_numbers.take(len(numbers) * len(disks)))
    return [
        {
            "id": disk_number, "public_id": ids.public_id(key, "disk", disk_number), "account_id": account_id,
            "instance_id": number, "bundle": number, "kind": DISK,
            "usage": "DATA_DISK" if position else "SYSTEM_DISK", "disk_type": disk.disk_type,
            "size_gib": disk.size_gib, "position": position, "delete_with_instance": disk.delete_with_instance,
        }
        for number in numbers
        for (position, disk), disk_number in zip(enumerate(disks), own, strict=False)
    ]  # fmt: skip


def decode_user_data(text: str) -> bytes:
    """UserData of a request: base64, also with line breaks as ``base64`` writes them. Raises InvalidUserDataFormat."""
    try:
        return base64.b64decode(text.replace("\r\n", "").replace("\n", ""), validate=True)
    except ValueError:
        raise errors.UserDataTooLarge(
            "UserData is not base64.", field="UserData", code="InvalidParameterValue.InvalidUserDataFormat"
        ) from None
