"""The price book file: what is right is resolved exactly, what is wrong is named by its path."""

import copy
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pricing.demo import demo_book, demo_catalog
from vmart.kernel.documents import DocumentError, read_yaml
from vmart.pricing.book import check_complete, hourly_rates, load_book, parse_book
from vmart.pricing.rules import progressive


def _changed(path: str, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(dict(demo_catalog().price_book))
    *steps, last = path.split("/")
    place: Any = document
    for step in steps:
        place = place[int(step) if isinstance(place, list) else step]
    if value is None:
        del place[last]
    else:
        place[int(last) if isinstance(place, list) else last] = value
    return document


def _problems(path: str, value: Any) -> list[str]:
    with pytest.raises(DocumentError) as refusal:
        parse_book(_changed(path, value))
    return refusal.value.problems


STEP = {"above": 0, "up_to": 2, "price": 20}


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("bandwidth/month", [STEP, {"above": 3, "price": 90}],
         "price_book.bandwidth.month.1.above: gap: nothing holds between 2 and 3 Mbps"),
        ("bandwidth/month", [STEP, {"above": 1, "price": 90}],
         "price_book.bandwidth.month.1.above: overlap: two ranges hold between 1 and 2 Mbps"),
        ("bandwidth/hour", [{"above": 0, "price": 1}, {"above": 5, "price": 2}],
         "price_book.bandwidth.hour.1.above: overlap: a range begins at 5 Mbps after one without end"),
        ("bandwidth/hour", [STEP], "price_book.bandwidth.hour.0.up_to: gap: nothing holds from 2 Mbps on"),
        ("bandwidth/hour", [{"above": 1, "price": 1}],
         "price_book.bandwidth.hour.0.above: gap: nothing holds between 0 and 1 Mbps"),
        ("bandwidth/hour", [], "price_book.bandwidth.hour: gap: nothing holds from 0 Mbps on"),
        ("age_tiers/S1", [{"from_h": 0, "to_h": 96, "factor": 1}, {"from_h": 100, "factor": Decimal("0.5")}],
         "price_book.age_tiers.S1.1.from_h: gap: nothing holds between 96 and 100 hours"),
        ("instance_types/S5.SMALL1/hour", Decimal("-0.14"),
         "price_book.instance_types.S5.SMALL1.hour: Input should be greater than or equal to 0, not -0.14"),
        ("instance_types/S5.SMALL1/hour", None, "price_book.instance_types.S5.SMALL1.hour: is missing"),
        ("instance_types/S5.SMALL1/terms", "S7",
         "price_book.regions.ap-guangzhou.instance_types.S5.SMALL1.terms: S7 is not known to term_discounts.tables"),
        ("instance_types/S5.SMALL1/tiers", "S7",
         "price_book.regions.ap-guangzhou.instance_types.S5.SMALL1.tiers: S7 is not known to age_tiers"),
        ("instance_types/S5.SMALL1/day", 1, "price_book.instance_types.S5.SMALL1.day: is not known here"),
        ("instance_types/S5.SMALL1/month", True,
         "price_book.instance_types.S5.SMALL1.month: a truth value (yes, no, on, off, true, false) is not a price or a "
         "number"),
        ("disks/CLOUD_SSD/data_gib/min", 25,
         "price_book.disks.CLOUD_SSD.data_gib: min and max are multiples of step 10"),
        ("traffic_gib", None, "price_book.traffic_gib: is missing"),
        ("currency", "RMB", "price_book.currency: RMB is no currency of ISO 4217"),
        ("currency", "cny", "price_book.currency: cny is no currency of ISO 4217"),
        ("term_discounts/tables/default", None,
         "price_book.term_discounts: tables: the table default is missing"),
        ("regions/ap-shanghai/factor", Decimal(0),
         "price_book.regions.ap-shanghai.factor: Input should be greater than 0, not 0"),
        ("regions/ap-shanghai/disks", {"CLOUD_TAPE": {"month": 1, "hour": 1, "system_gib": {"min": 1, "max": 2},
                                                     "data_gib": {"min": 1, "max": 2}}},
         "price_book.regions.ap-shanghai.disks.CLOUD_TAPE: is not known to disks of the book"),
    ],
)  # fmt: skip
def test_a_wrong_book_is_refused_with_path_and_reason(path: str, value: Any, problem: str) -> None:
    assert problem in _problems(path, value)


def test_a_price_that_is_no_exact_rate_in_a_region_is_refused() -> None:
    assert _problems("instance_types/S5.SMALL1/hour", Decimal("0.14000001")) == [
        "price_book.regions.ap-shanghai.instance_types.S5.SMALL1.hour: 0.14000001 × 1.10 has more than 8 decimals; "
        "name the price of this region itself"
    ]


def test_yaml_numbers_are_exact_and_a_repeated_key_is_an_error() -> None:
    assert read_yaml("price: 0.1")["price"] == Decimal("0.1")
    with pytest.raises(DocumentError, match="line 2, column 1: a stands here twice"):
        read_yaml("a: 1\na: 2")
    with pytest.raises(DocumentError, match="mapping of sections"):
        read_yaml("- 1")
    with pytest.raises(DocumentError, match="line 1"):
        load_book("a: [")


def test_the_second_region_costs_ten_per_cent_more_exactly() -> None:
    book = demo_book()
    for name, listed in book.regions["ap-guangzhou"].cpu.items():
        raised = book.regions["ap-shanghai"].cpu[name]
        assert raised.month[0].price == listed.month[0].price * Decimal("1.1")
        assert raised.hour[0].price == listed.hour[0].price * Decimal("1.1")
    assert book.regions["ap-shanghai"].disk["CLOUD_PREMIUM"].hour[0].price == Decimal("0.00055")
    assert book.regions["ap-shanghai"].traffic_gib == Decimal("0.88")


def test_a_region_may_name_a_price_itself() -> None:
    book = parse_book(
        _changed("regions/ap-shanghai/instance_types", {"S5.SMALL1": {"month": 50, "hour": Decimal("0.2")}})
    )
    prices = book.regions["ap-shanghai"].cpu
    assert (prices["S5.SMALL1"].month[0].price, prices["S5.SMALL1"].hour[0].price) == (50, Decimal("0.2"))
    assert prices["S5.SMALL2"].month[0].price == 66


def test_a_stored_book_is_the_same_book() -> None:
    book = demo_book()
    again = parse_book(json.loads(book.canonical_json()))
    assert again == book
    assert again.canonical_json() == book.canonical_json()
    assert again.sha256() == book.sha256()
    assert hourly_rates(again) == hourly_rates(book)
    assert parse_book(_changed("traffic_gib", Decimal("0.81"))).sha256() != book.sha256()


def test_a_book_without_spot_machines_reads_as_before_there_were_any() -> None:
    """Given a type without ``spot``, then nothing of it says so, and it is sold in no region as such."""
    book = demo_book()
    told = book.plain()["instance_types"]
    assert ("spot" in told["S5.MEDIUM4"], told["S5.SMALL1"]["spot"]) == (False, "0.028")
    assert [sorted(prices.spot) for prices in book.regions.values()] == [["S5.SMALL1", "S5.SMALL2"]] * 2
    own = {"S5.MEDIUM4": {"month": 1, "hour": 1, "spot": Decimal("0.5")}, "S5.SMALL1": {"month": 1, "hour": 1}}
    regional = parse_book(_changed("regions/ap-shanghai/instance_types", own))
    assert [sorted(prices.spot) for prices in regional.regions.values()] == [
        ["S5.SMALL1", "S5.SMALL2"], ["S5.MEDIUM4", "S5.SMALL2"],
    ]  # fmt: skip
    assert regional.regions["ap-shanghai"].spot["S5.MEDIUM4"].hour[0].price == Decimal("0.5")
    for price in (Decimal(-1), Decimal(0)):  # a bid of 0 is none
        with pytest.raises(DocumentError, match=r"instance_types\.S5\.SMALL1\.spot"):
            parse_book(_changed("instance_types/S5.SMALL1/spot", price))


def test_rates_of_the_close_are_the_listed_ones() -> None:
    rows = hourly_rates(demo_book())
    tiered = [(r.tier_from_s, r.tier_to_s, r.rate) for r in rows if r.price_key == "ap-guangzhou/cpu/S1.SMALL1"]
    assert tiered == [
        (0, 345600, Decimal("0.42")), (345600, 1296000, Decimal("0.21")), (1296000, None, Decimal("0.1428")),
    ]  # fmt: skip
    for name in ("snapshot", "image"):
        found = [(r.step_to, r.rate) for r in rows if r.price_key == f"ap-shanghai/{name}"]
        assert found == [(None, Decimal("0.00022"))]
    assert [(r.step_to, r.rate) for r in rows if r.price_key == "ap-shanghai/package"] == [(None, Decimal("0.088"))]
    steps = [(r.step_from, r.step_to, r.rate) for r in rows if r.price_key == "ap-shanghai/bandwidth"]
    assert steps == [(0, 5, Decimal("0.0693")), (5, None, Decimal("0.275"))]
    spot = [(r.tier_from_s, r.tier_to_s, r.rate) for r in rows if r.price_key == "ap-shanghai/spot/S5.SMALL1"]
    assert spot == [(0, None, Decimal("0.0308"))]
    assert len(rows) == 2 * (12 + 2 + 2 + 3 + 2 + 1 + 1 + 1 + 1 + 1)
    assert len({(r.price_key, r.step_from, r.tier_from_s) for r in rows}) == len(rows)
    assert all(row.rate == round(row.rate, 8) for row in rows)


@given(st.integers(0, 300))
def test_the_rows_of_a_key_price_a_quantity_as_its_steps_do(mbps: int) -> None:
    unit = demo_book().regions["ap-shanghai"].bandwidth
    rows = [row for row in hourly_rates(demo_book()) if row.price_key == unit.price_key]
    by_rows = sum(max(Decimal(0), min(Decimal(mbps), r.step_to or Decimal(mbps)) - r.step_from) * r.rate for r in rows)
    assert by_rows == progressive(mbps, unit.hour)


def test_what_the_catalog_sells_must_have_a_price() -> None:
    check_complete(demo_book(), regions=["ap-guangzhou"], instance_types=["S5.SMALL1"], disk_types=["CLOUD_SSD"])
    with pytest.raises(DocumentError) as refusal:
        check_complete(demo_book(), regions=["ap-tokyo"], instance_types=["S9.TINY"], disk_types=["CLOUD_TAPE"])
    assert refusal.value.problems == [
        "price_book.regions.ap-tokyo: is missing, and the catalog sells it",
        "price_book.instance_types.S9.TINY: is missing, and the catalog sells it",
        "price_book.disks.CLOUD_TAPE: is missing, and the catalog sells it",
    ]
