"""The catalog file: the demo shop is right, and a wrong file is refused with path and reason."""

import copy
from functools import partial
from typing import Any

import pytest

from tests.pricing.demo import DEMO_FILE, demo_book, demo_catalog
from vmart.catalog.document import parse_catalog
from vmart.kernel.documents import DocumentError, read_yaml
from vmart.pricing.book import check_complete


def test_the_demo_shop_is_the_one_of_the_billing_rules() -> None:
    catalog = demo_catalog()
    assert [(region.code, region.legacy_code) for region in catalog.regions] == [
        ("ap-guangzhou", "gz"),
        ("ap-shanghai", "sh"),
    ]
    assert [zone.engine.kind for zone in catalog.zones] == ["auto", *["simulated"] * 4]
    assert [(t.code, t.vcpu, t.memory_gib) for t in catalog.instance_types] == [
        ("S1.SMALL1", 1, 1), ("S5.SMALL1", 1, 1), ("S5.SMALL2", 1, 2), ("S5.MEDIUM4", 2, 4), ("S5.LARGE8", 4, 8),
        ("S5.2XLARGE16", 8, 16), ("SA2.MEDIUM4", 2, 4), ("SA2.LARGE8", 4, 8), ("M5.SMALL8", 1, 8),
        ("M5.MEDIUM16", 2, 16), ("C3.LARGE8", 4, 8), ("C3.2XLARGE16", 8, 16),
    ]  # fmt: skip
    assert [i.recipe for i in catalog.images if i.unavailable is None] == ["debian-12", "debian-13"]
    assert [t.memory_mib for t in catalog.instance_types][:2] == [1024, 1024]


def test_everything_the_demo_shop_sells_has_a_price() -> None:
    catalog = demo_catalog()
    check_complete(
        demo_book(),
        regions=[region.code for region in catalog.regions],
        instance_types=[item.code for item in catalog.instance_types],
        disk_types=[item.code for item in catalog.disk_types],
    )


@pytest.mark.parametrize(
    ("instance_type", "month", "hour"),
    [("S1.SMALL1", "51", "0.42"), ("S5.SMALL1", "45", "0.14"), ("S5.SMALL2", "60", "0.18"),
     ("S5.MEDIUM4", "115", "0.35"), ("S5.LARGE8", "230", "0.7"), ("S5.2XLARGE16", "460", "1.4"),
     ("SA2.MEDIUM4", "98", "0.3"), ("SA2.LARGE8", "196", "0.6"), ("M5.SMALL8", "120", "0.37"),
     ("M5.MEDIUM16", "240", "0.74"), ("C3.LARGE8", "265", "0.81"), ("C3.2XLARGE16", "530", "1.62")],
)  # fmt: skip
def test_the_demo_prices_are_those_of_the_billing_rules(instance_type: str, month: str, hour: str) -> None:
    priced = demo_book().plain()["instance_types"][instance_type]
    assert (priced["month"], priced["hour"]) == (month, hour)


def test_an_offer_is_a_type_in_a_zone_and_some_are_sold_out() -> None:
    offers = {(zone.code, item.code): sold_out for zone, item, sold_out in demo_catalog().offers()}
    assert offers["ap-guangzhou-4", "C3.2XLARGE16"] is True
    assert offers["ap-shanghai-5", "C3.2XLARGE16"] is False
    assert ("ap-shanghai-5", "S1.SMALL1") not in offers


def _document() -> dict[str, Any]:
    return copy.deepcopy(read_yaml(DEMO_FILE.read_text(encoding="utf-8")))


def _in_country(said: object, document: dict[str, Any]) -> None:
    document["regions"][0]["country"] = said


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda d: d.pop("images"), "images: is missing"),
        (lambda d: d.update(colour="blue"), "colour: is not known here"),
        (lambda d: d["instance_types"][0].update(vcpu=0),
         "instance_types.0.vcpu: Input should be greater than 0, not 0"),
        (lambda d: d["instance_types"][0].update(family="S9"),
         "instance_types.S1.SMALL1.family: S9 is not among families (C3, M5, S1, S5, SA2)"),
        (lambda d: d["instance_types"][0].update(zones=["ap-tokyo-1"]),
         "instance_types.S1.SMALL1.zones: ap-tokyo-1 is not a zone of this file"),
        (lambda d: d["instance_types"][0].update(sold_out=["ap-shanghai-5"]),
         "instance_types.S1.SMALL1.sold_out: ap-shanghai-5 is not a zone in which it is sold"),
        (lambda d: d["instance_types"].append(dict(d["instance_types"][0])),
         "instance_types.code: S1.SMALL1 stands here twice"),
        (lambda d: d["regions"][1].update(legacy_code="gz"), "regions.legacy_code: gz stands here twice"),
        (lambda d: d["regions"][0]["zones"][1].update(legacy_id=100003),
         "regions.zones.legacy_id: 100003 stands here twice"),
        (lambda d: d["regions"][0]["name"].pop("zh"), "regions.0.name.zh: is missing"),
        *((partial(_in_country, said), f"regions.0.country: {said!r} is no country of ISO 3166-1: two capital letters"
           " are expected, as in DE") for said in ("cn", "XX", "EU", "UK", "CHN", "", "../x", 86, True, "ＣＮ")),
        (partial(_in_country, False),
         'regions.0.country: YAML reads NO as a word for false: Norway is "NO", in quotes'),
        (lambda d: d["regions"][0]["zones"][1]["engine"].update(members=[]),
         "regions.0.zones.1.engine: members: Simulated needs at least one"),
        (lambda d: d["regions"][0]["zones"][0]["engine"].update(kind="incus"),
         "regions.0.zones.0.engine: members: Incus finds its own"),
        (lambda d: d["regions"][0]["zones"][0]["address_pools"][0].update(last="203.0.113.255"),
         "regions.0.zones.0.address_pools.0: the first and the last address of 203.0.113.0/24 cannot be given to a "
         "machine"),
        (lambda d: d["regions"][0]["zones"][0]["address_pools"][0].update(first="203.0.114.1"),
         "regions.0.zones.0.address_pools.0: first 203.0.114.1 and last 203.0.113.254 lie in 203.0.113.0/24"),
        (lambda d: d["regions"][0]["zones"][2]["address_pools"][0].update(cidr="198.18.0.0/19", first="198.18.15.1"),
         "regions.zones.ap-guangzhou-6.address_pools: 198.18.15.1 is also in the pool of ap-guangzhou-4"),
        (lambda d: d["regions"][0]["zones"][0]["address_pools"][0].update(
            cidr="2001:db8::/32", first="2001:db8::1", last="2001:db8:ffff::1"),
         "regions.0.zones.0.address_pools.0: 2001:db8::/32 is not of IPv4, and public addresses are"),
        (lambda d: d["regions"][0]["zones"][0]["address_pools"][0].update(
            cidr="10.0.0.0/8", first="10.0.0.1", last="10.255.255.254"),
         "regions.0.zones.0.address_pools.0: 16777214 addresses; a pool has at most 65536"),
        (lambda d: d["regions"][0]["zones"][0].update(ipv6_prefix="2001:db8::1/64"),
         "regions.0.zones.0.ipv6_prefix: 2001:db8::1/64 has host bits set"),
        (lambda d: d["regions"][0]["zones"][0].update(ipv6_prefix="2001:db8::%x/64"),
         "regions.0.zones.0.ipv6_prefix: '2001:db8::%x/64' names a zone, which no network has"),
        (lambda d: d["regions"][0]["zones"][0].update(ipv6_prefix="2001:db8::/126"),
         "regions.0.zones.0.ipv6_prefix: 2001:db8::/126: the length of the prefix is 32 to 124"),
        (lambda d: d["regions"][0]["zones"][0].update(ipv6_prefix="fe80::/64"),
         "regions.0.zones.0.ipv6_prefix: fe80::/64 does not lie in 2000::/3 or fc00::/7"),
        (lambda d: d["regions"][0]["zones"][0].update(ipv6_prefix="203.0.113.0/24"),
         "regions.0.zones.0.ipv6_prefix: At least 3 parts expected in '203.0.113.0'"),
        (lambda d: d["regions"][0]["zones"][2].update(ipv6_prefix="2001:db8::/32"),
         "regions.zones.ap-guangzhou-6.ipv6_prefix: 2001:db8::/32 overlaps with 2001:db8:3::/64, that of"
         " ap-guangzhou-3"),
        (lambda d: d["images"][0].update(login_user="Root:"),
         "images.0.login_user: String should match pattern '^[A-Za-z_][A-Za-z0-9_-]*$', not Root:"),
        (lambda d: [image.update(unavailable={"en": "No.", "zh": "无"}) for image in d["images"]],
         "images: at least one must be available"),
        (lambda d: d.update(price_book={}), "price_book: a price book is expected"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_path_and_reason(change: Any, problem: str) -> None:
    document = _document()
    change(document)
    with pytest.raises(DocumentError) as refusal:
        parse_catalog(document)
    assert problem in refusal.value.problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[1, 2]: x", "line 1, column 1: a key is one word"),
        ("{a: b}: x", "line 1, column 1: a key is one word"),
        ("at: 2026-02-31", "day is out of range for month"),
        ('a: {b: ["\\0"]}', "a.b.0: holds characters that are not text"),
        ('a: "\\ud800"', "a: holds characters that are not text"),
        ('"\\0": a', "a key: holds characters that are not text"),
        ("- a", "document: a mapping of sections is expected"),
        ("", "document: a mapping of sections is expected"),
    ],
)
def test_what_is_no_document_is_refused_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(DocumentError) as refusal:
        read_yaml(text)
    assert refusal.value.problems == [problem]
