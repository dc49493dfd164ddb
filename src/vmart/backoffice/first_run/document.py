"""The first catalog file out of the seller's answers: pure. What is typed wrongly is refused by its field's name."""

import datetime as dt
import ipaddress
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from vmart.backoffice import own_shop
from vmart.backoffice.first_run.answers import TYPES
from vmart.kernel.errors import InvalidValue
from vmart.kernel.money import CURRENCIES, exponent
from vmart.pricing import calculator
from vmart.pricing.calculator import Host
from vmart.pricing.host_typed import decimal, host

_SYSTEM, _DATA = {"min": 20, "max": 500}, {"min": 10, "max": 2000, "step": 10}
_DEBIAN = {"platform": "Debian", "architecture": "x86_64", "size_gib": 20, "login_user": "root", "version": "1"}
IMAGES = {
    "debian-12": {"public_id": "img-db12k7x4", "recipe": "debian-12", "os_name": "Debian 12 64-bit", **_DEBIAN},
    "debian-13": {"public_id": "img-db13q2m9", "recipe": "debian-13", "os_name": "Debian 13 64-bit", **_DEBIAN},
}  # what this shop builds by itself out of Debian's packages
BOOK_FROM = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)  # the first book holds at once
_EXAMPLES = [ipaddress.IPv4Network(cidr) for cidr in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]
_EXAMPLE_NOTE = {
    "en": "A documentation network. It is reachable from the host of the shop only.",
    "zh": "文档专用网段，仅能从商店所在主机访问。",
}
_OTHER_PRICES = ("disk", "mbps")


def prices(of: Host, currency: str) -> dict[str, str]:
    """What the calculator says, by the names of the step's fields."""
    places = exponent(currency)
    found = {f"type_{code}": calculator.machine(of, vcpu, gib, places) for code, vcpu, gib in TYPES}
    found |= {"disk": calculator.disk(of), "mbps": calculator.bandwidth(of)}
    said = {
        f"{name}_{per}": format(getattr(price, per), "f") for name, price in found.items() for per in ("month", "hour")
    }
    return said | {"traffic_gib": format(calculator.traffic_gib(of), "f")}


def check(step: str, said: Mapping[str, Any]) -> None:
    """Raises InvalidValue for what no catalog file would be asked about: the step's own numbers."""
    if step == "name" and not str(said.get("name_en", "")).strip():
        raise InvalidValue("Say what the shop is called.", field="name_en")
    if step == "name" and said.get("currency") not in CURRENCIES:
        raise InvalidValue(
            "{value} is no currency of ISO 4217.", field="currency", value=str(said.get("currency"))[:20]
        )
    if step == "images" and not set(str(said.get("images", "")).split()) <= IMAGES.keys():
        raise InvalidValue("There is no such image.", field="images")
    if step == "images" and not said.get("images"):
        raise InvalidValue("At least one image is needed: a machine starts with it.", field="images")


def catalog(answers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The whole file, out of answers to all steps. Raises InvalidValue with the name of the field."""
    for step, said in answers.items():
        check(step, said)
    costs = host(answers["host"])
    book = _book(answers, costs)
    return {
        "format": 1,
        "shop": _shop(answers),
        "regions": [_region(answers, costs)],
        "families": [{"code": "S1", "name": {"en": "Standard", "zh": "标准型"}, "cpu_model": "x86-64"}],
        "instance_types": [
            {"code": code, "family": "S1", "vcpu": vcpu, "memory_gib": gib}
            for code, vcpu, gib in TYPES
            if code in book["instance_types"]
        ],
        "disk_types": [
            {
                "code": "CLOUD_SSD",
                "name": {"en": "SSD Cloud Disk", "zh": "SSD云硬盘"},
                "description": {"en": "For systems and data.", "zh": "适用于系统及数据。"},
            }
        ],
        "images": [IMAGES[name] for name in answers["images"]["images"].split()],
        "quotas": {"default": {"postpaid_per_zone": 30, "prepaid_per_zone_month": 150}},
        "price_book": book,
    }


def _shop(answers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    said = {**answers["name"], **answers["terms"], "without_logo": False}
    return own_shop.section(said, {"logo": said["logo"]}, None) | {"billing_zone": said["billing_zone"]}


def _region(answers: Mapping[str, Mapping[str, Any]], costs: Host) -> dict[str, Any]:
    place = answers["place"]
    names = {"en": place["place_en"].strip(), "zh": place["place_zh"].strip() or place["place_en"].strip()}
    members = [{"name": "host-1", "vcpu": costs.vcpu, "memory_gib": costs.memory_gib, "disk_gib": costs.disk_gib}]
    zone = {
        "code": f"{place['code'].strip()}-a", "legacy_id": 900001,
        "name": {language: f"{name} A" for language, name in names.items()},
        "engine": {"kind": place["engine"], "members": members}, "vcpu_overcommit": costs.vcpu_overcommit,
        "address_pools": _pools(answers["addresses"]),
    }  # fmt: skip
    where = {"country": place["country"]} if place["country"] else {}
    return {"code": place["code"].strip(), "legacy_code": "home", "name": names, **where, "zones": [zone]}


def _pools(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    typed = {name: str(said[name]).strip() for name in ("cidr", "first", "last")}
    if not any(typed.values()):
        return []
    for name, text in typed.items():
        try:
            ipaddress.IPv4Network(text) if name == "cidr" else ipaddress.IPv4Address(text)
        except ValueError as error:
            raise InvalidValue(
                "{value} is not right here: {problem}.", field=name, value=text[:40], problem=error
            ) from error
    network = ipaddress.IPv4Network(typed["cidr"])
    return [typed | ({"note": _EXAMPLE_NOTE} if any(network.subnet_of(example) for example in _EXAMPLES) else {})]


def _book(answers: Mapping[str, Mapping[str, Any]], costs: Host) -> dict[str, Any]:
    currency = answers["name"]["currency"]
    said = {**prices(costs, currency), **answers["prices"]}
    month = exponent(currency)
    types = {
        code: {"month": decimal(said, f"type_{code}_month", month), "hour": decimal(said, f"type_{code}_hour", 8)}
        for code, _vcpu, _gib in TYPES
        if str(said[f"type_{code}_month"]).strip()
    }
    if not types:
        raise InvalidValue(
            "At least one type is needed: a month of it has its price.", field=f"type_{TYPES[0][0]}_month"
        )
    other = {f"{name}_{per}": decimal(said, f"{name}_{per}", 8) for name in _OTHER_PRICES for per in ("month", "hour")}
    return {
        "version": 1, "effective_at": BOOK_FROM, "currency": currency,
        "term_discounts": {"covers": ["cpu"], "tables": {"default": {6: Decimal("0.90"), 12: Decimal("0.80")}}},
        "sales": {"periods_months": [1, 2, 3, 6, 12], "machines_max": 100, "data_disks_max": 20,
                  "prepaid_mbps_max": 200, "postpaid_mbps_max": 100},
        "instance_types": types,
        "disks": {"CLOUD_SSD": {"month": other["disk_month"], "hour": other["disk_hour"], "system_gib": _SYSTEM,
                                "data_gib": _DATA}},
        "bandwidth": {"month": [{"above": 0, "price": other["mbps_month"]}],
                      "hour": [{"above": 0, "price": other["mbps_hour"]}]},
        "traffic_gib": decimal(said, "traffic_gib", 8),
        "regions": {answers["place"]["code"].strip(): {"factor": 1}},
    }  # fmt: skip
