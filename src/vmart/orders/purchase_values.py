"""What ``fn.orders_purchase`` is given. All ids are made here, before the call."""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

from vmart.catalog import shop
from vmart.kernel import clock, ids, public_ids
from vmart.network import numbers as networks
from vmart.orders import naming, numbers, offered, own_network, passwords
from vmart.orders.wanted import PURCHASE, Purchase
from vmart.pricing.quote import GIB, HOUR, MONTH, Quote
from vmart.security import held
from vmart.subscriptions.models import DISK, MACHINE


def arguments(
    request: Purchase, quoted: Quote, here: shop.Shop, fingerprint: str, *, first_in_zone: bool
) -> tuple[dict[str, Any], list[int], list[uuid.UUID]]:
    """The values, and of each machine its number and its hold."""
    own, now = numbers.subscriptions(request.configuration.count), clock.now()
    bought = _bought(request, quoted, here, now)
    values = _charged(request, quoted, here, now) | _made(request, bought, own) | _network_ids(first_in_zone)
    values |= {
        "bought": bought,
        "actor": request.actor.told(),
        "member": request.actor.member,
        "staff": request.actor.staff,
        "roles": request.actor.roles,
        "subnet": own_network.id_of(request.machine.network.subnet_id),
        "token": request.client_token,
        "fingerprint": fingerprint,
        "default_group": held.default_id(request.account_id),
        "ipv6_prefix": here.zones[request.configuration.zone].ipv6_prefix or None,
    }
    return values, own, [ids.transfer_id("hold", number, 1) for number in own]


def _bought(request: Purchase, quoted: Quote, here: shop.Shop, now: dt.datetime) -> dict[str, Any]:
    """What each machine of the order has alike: what was asked for, as the codec writes it, and what follows of it."""
    plain = PURCHASE.plain(request, without={"actor", "expected"})
    kind, image = here.instance_types[request.configuration.instance_type], offered.image(here, request)
    follows = {
        "account_id": request.account_id, "request_id": request.actor.request_id, "created_at": now.isoformat(),
        "kind": MACHINE, "book_version": quoted.book_version, "vcpu": kind.vcpu, "memory_mib": kind.memory_mib,
        "image_id": image.base.public_id, "own_image": image.own_id, "login_user": image.base.login_user,
    }  # fmt: skip
    return {**plain["configuration"], **plain["machine"], **follows}


def _charged(request: Purchase, quoted: Quote, here: shop.Shop, now: dt.datetime) -> dict[str, Any]:
    """What it costs, by which catalog and when."""
    return {
        "generation": here.generation,
        "now": now.isoformat(),
        "wall": clock.wall().isoformat(),
        "month_start": clock.month_start(now, here.billing_zone).isoformat(),
        "min_count": request.min_count or request.configuration.count,
        "machine_minor": quoted.machine_minor,
        "hold_machine_minor": quoted.machine_minor + quoted.hold_machine_minor,
        "book_version": quoted.book_version,
        "quote": quoted.plain(),
        "items": _items(quoted),
    }


def _made(request: Purchase, bought: dict[str, Any], own: Sequence[int]) -> dict[str, Any]:
    """What is made, with its ids: the order, machines and disks."""
    order_id, machines = request.order_id or numbers.order(), _machines(request, own)
    choices = [bought["system_disk"], *bought["data_disks"]]
    return {
        "answer": {"order_id": order_id, "instance_ids": [machine["public_id"] for machine in machines]},
        "order_id": order_id,
        "order_exists": request.order_id is not None,
        "machines": machines,
        "disk_gib": sum(choice["size_gib"] for choice in choices),
        "disks": _disks(request.account_id, own, choices),
    }


def _network_ids(first_in_zone: bool) -> dict[str, str]:
    """Ids for the network that the first purchase in a zone makes; empty for all later ones, which need none."""
    if not first_in_zone:
        return {"vpc_public_id": "", "subnet_public_id": ""}
    (number,) = networks.take()
    return {"vpc_public_id": public_ids.of("vpc", number), "subnet_public_id": public_ids.of("subnet", number)}


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


def _machines(request: Purchase, own: Sequence[int]) -> list[dict[str, Any]]:
    """What ``fn.instances_create`` writes of each machine, a password of its own where none was given."""
    names = naming.names(request.machine.name, len(own))
    host_names = naming.host_names(request.machine.hostname, len(own))
    generated = request.machine.made_login.generated
    return [
        {"public_id": public_id, "name": name, "hostname": hostname or public_id, "mac": _mac(number)}
        | (passwords.make(number).columns if generated else {})
        for number, name, hostname in zip(own, names, host_names, strict=True)
        for public_id in (public_ids.of("ins", number),)
    ]


def _mac(number: int) -> str:
    return "02:" + number.to_bytes(5, "big").hex(":")


def _disks(account_id: int, own: Sequence[int], choices: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The disks of all machines, and their subscriptions; the first of each is its system disk."""
    disk_numbers = iter(numbers.subscriptions(len(own) * len(choices)))
    return [
        choice | _disk(account_id, machine, next(disk_numbers), position)
        for machine in own
        for position, choice in enumerate(choices)
    ]


def _disk(account_id: int, machine: int, number: int, position: int) -> dict[str, Any]:
    return {
        "id": number, "public_id": public_ids.of("disk", number), "account_id": account_id,
        "instance_id": machine, "bundle": machine, "kind": DISK,
        "usage": "DATA_DISK" if position else "SYSTEM_DISK", "position": position,
    }  # fmt: skip
