"""What ``fn.orders_purchase`` is given. All ids are made here, before the call."""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

from vmart.catalog import shop
from vmart.kernel import clock, ids, public_ids
from vmart.orders import naming, numbers, passwords
from vmart.orders.wanted import Purchase
from vmart.pricing.configuration import Configuration, DiskChoice
from vmart.pricing.quote import GIB, HOUR, MONTH, Quote
from vmart.subscriptions.models import DISK, MACHINE


def arguments(
    request: Purchase, quoted: Quote, here: shop.Shop, fingerprint: str, *, first_in_zone: bool
) -> tuple[dict[str, Any], list[int], list[uuid.UUID]]:
    """The values, and of each machine its number and its hold."""
    own = numbers.subscriptions(request.configuration.count)
    values = _values(request, quoted, here, clock.now())
    values |= _order(request, fingerprint, own) | _network_ids(first_in_zone)
    return values, own, [ids.transfer_id("hold", number, 1) for number in own]


def _values(request: Purchase, quoted: Quote, here: shop.Shop, now: dt.datetime) -> dict[str, Any]:
    """What is the same however often it is bought."""
    configuration = request.configuration
    kind = here.instance_types[configuration.instance_type]
    return {
        "generation": here.generation,
        "now": now.isoformat(),
        "wall": clock.wall().isoformat(),
        "month_start": clock.month_start(now, here.billing_zone).isoformat(),
        "region": configuration.region,
        "zone": configuration.zone,
        "charge_type": configuration.charge_type,
        "vcpu": kind.vcpu,
        "memory_mib": kind.memory_mib,
        "disk_gib": sum(disk.size_gib for disk in _choices(configuration)),
        "public_ip": configuration.public_ip,
        "min_count": request.min_count or configuration.count,
        "machine_minor": quoted.machine_minor,
        "hold_machine_minor": quoted.machine_minor + quoted.hold_machine_minor,
        "book_version": quoted.book_version,
        "quote": quoted.plain(),
        "months": configuration.period_months,
        "subscription": _agreed(request, quoted, now),
        "items": _items(quoted),
        "instance": _common(request, here, now),
    }


def _order(request: Purchase, fingerprint: str, own: Sequence[int]) -> dict[str, Any]:
    """Who buys, by which token, and what is made: the order, machines and disks with their ids."""
    order_id, machines = request.order_id or numbers.order(), _machines(request, own)
    return {
        "account_id": request.account_id,
        "actor": request.actor.told(),
        "token": request.client_token,
        "fingerprint": fingerprint,
        "answer": {"order_id": order_id, "instance_ids": [machine["public_id"] for machine in machines]},
        "order_id": order_id,
        "order_exists": request.order_id is not None,
        "machines": machines,
        "disks": _disks(request, own),
    }


def _network_ids(first_in_zone: bool) -> dict[str, str]:
    """Ids for the network that the first purchase in a zone makes; empty for all later ones, which need none."""
    if not first_in_zone:
        return {"vpc_public_id": "", "subnet_public_id": ""}
    number = numbers.network()
    return {"vpc_public_id": public_ids.of("vpc", number), "subnet_public_id": public_ids.of("subnet", number)}


def _choices(configuration: Configuration) -> tuple[DiskChoice, ...]:
    """All disks of one machine, its system disk first."""
    return (configuration.system_disk, *configuration.data_disks)


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


def _disks(request: Purchase, own: Sequence[int]) -> list[dict[str, Any]]:
    """The disks of all machines, and their subscriptions; the first of each is its system disk."""
    choices = _choices(request.configuration)
    disk_numbers = iter(numbers.subscriptions(len(own) * len(choices)))
    return [
        _disk(request.account_id, machine, next(disk_numbers), position, choice)
        for machine in own
        for position, choice in enumerate(choices)
    ]


def _disk(account_id: int, machine: int, number: int, position: int, choice: DiskChoice) -> dict[str, Any]:
    return {
        "id": number, "public_id": public_ids.of("disk", number), "account_id": account_id,
        "instance_id": machine, "bundle": machine, "kind": DISK,
        "usage": "DATA_DISK" if position else "SYSTEM_DISK", "disk_type": choice.disk_type,
        "size_gib": choice.size_gib, "position": position, "delete_with_instance": choice.delete_with_instance,
    }  # fmt: skip
