"""The tables of docs/examples are run: a bold column is what the rules compute from the others of its row."""

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.pricing.demo import demo_book, machine, prepaid
from vmart.kernel import db
from vmart.kernel.ids import transfer_id
from vmart.kernel.money import from_minor, to_minor
from vmart.pricing.book import RateRow
from vmart.pricing.compare import compare
from vmart.pricing.hour import (
    ByteSample,
    PriceVersion,
    Segment,
    charge_hour,
    charge_traffic,
    deducted_minor,
    price_version,
)
from vmart.pricing.quote import DiskChoice, quote, returnables
from vmart.pricing.rules import HOUR_S, postpaid_price, progressive, return_refund, used_value, whole_months

EXAMPLES = Path(__file__).parents[2] / "docs/examples"
GUANGZHOU = demo_book().regions["ap-guangzhou"]
START = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
NOTHING = Decimal(0)
Row = dict[str, str]


def _flat(price: str, effective_at: dt.datetime) -> PriceVersion:
    return PriceVersion(effective_at, {"cpu": [RateRow("cpu", NOTHING, None, 0, None, Decimal(price))]})


def _hours(row: Row) -> Row:
    used = Segment(START, START + dt.timedelta(seconds=int(row["seconds used"])), 1, "cpu")
    before = Decimal(row["exact total before"])
    charge = charge_hour([used], [_flat(row["price per hour"], START)], START)
    return {
        "charge": str(charge.exact),
        "exact total after": str(before + charge.exact),
        "deducted": str(from_minor(deducted_minor(before, charge.exact))),
    }


def _holds(row: Row) -> Row:
    network: dict[str, Any] = {}
    if row["network"] != "none":
        mbps, mode = row["network"].split(" Mbps by ")
        modes = {"bandwidth": "BANDWIDTH_POSTPAID_BY_HOUR", "traffic": "TRAFFIC_POSTPAID_BY_HOUR"}
        network = {"bandwidth_mbps": int(mbps), "public_ip": True, "internet_charge_type": modes[mode]}
    result = quote(
        demo_book(),
        machine(instance_type=row["machine"], system_disk=_disk(row), count=int(row["count"]), **network),
    )
    return {
        "price per hour": str(result.hourly),
        "held per machine": str(from_minor(result.hold_machine_minor)),
        "held": str(from_minor(result.hold_minor)),
    }


def _disk(row: Row) -> DiskChoice:
    return DiskChoice("CLOUD_PREMIUM", int(row["disk, GiB of CLOUD_PREMIUM"]))


def _ages(row: Row) -> Row:
    unit = GUANGZHOU.cpu["S1.SMALL1"]
    seconds, age_s = int(row["hours used"]) * HOUR_S, int(row["age at the start, h"]) * HOUR_S
    return {"charge": str(postpaid_price(unit.hour[0].price, seconds, unit.tiers, age_s))}


def _change(row: Row) -> Row:
    changes_at = START + dt.timedelta(seconds=int(row["changes at second"]))
    versions = [_flat(row["price before"], START - dt.timedelta(days=1)), _flat(row["price after"], changes_at)]
    return {"charge of the full hour": str(charge_hour([Segment(START, None, 1, "cpu")], versions, START).exact)}


def _purses(row: Row) -> Row:
    """By the ledger itself."""
    due = sum(int(cents) for cents in row["charges, cents"].split(" + "))
    cash, gift = int(row["cash, cents"]), int(row["gift, cents"])
    with db.act():
        db.call("ledger_open", 1)
        if cash + gift:
            db.call("ledger_credit", transfer_id("test", 1), "test", 1, cash, gift, "card", START, None)
        (paid,) = db.rows("SELECT * FROM fn.ledger_deduct('hour', '', ARRAY[1], ARRAY[%s], 'revenue', %s)", due, START)
    return {
        "from gift": str(paid["gift_minor"]),
        "from cash": str(paid["cash_minor"]),
        "owed": str(paid["owed_minor"]),
    }


def _terms(row: Row) -> Row:
    bought = prepaid(
        int(row["months"]),
        region=row["region"],
        instance_type=row["machine"],
        system_disk=_disk(row),
        count=int(row["count"]),
    )
    result = quote(demo_book(), bought)
    return {
        "list": str(from_minor(result.list_minor)),
        "discount on CPU and memory": str(result.lines[0].discount),
        "due": str(from_minor(result.due_minor)),
    }


def _returns(row: Row) -> Row:
    cpu = returnables(demo_book(), prepaid(12, instance_type="S1.SMALL1"))[:1]
    used = used_value(cpu, int(row["months used"]), int(row["hours over"]) * HOUR_S)
    cash, gift = to_minor(Decimal(row["paid in cash"])), to_minor(Decimal(row["paid in gift"]))
    refund = return_refund(used, cash, gift, first_free=row["first return"] == "yes")
    return {
        "used": str(used),
        "refund": str(from_minor(refund.refund_minor)),
        "cash": str(from_minor(refund.cash_minor)),
        "gift": str(from_minor(refund.gift_minor)),
    }


def _months(row: Row) -> Row:
    zone = ZoneInfo("Asia/Shanghai")
    start, end = (dt.datetime.fromisoformat(row[name]).replace(tzinfo=zone) for name in ("from", "to"))
    months, rest_s = whole_months(start, end, zone)
    return {"whole months": str(months), "hours over": str(Decimal(rest_s) / HOUR_S)}


def _bandwidth(row: Row) -> Row:
    mbps = int(row["Mbps"])
    return {
        "a month": str(progressive(mbps, GUANGZHOU.bandwidth.month)),
        "an hour": str(progressive(mbps, GUANGZHOU.bandwidth.hour)),
    }


def _bandwidth_changes(row: Row) -> Row:
    half, key = START + dt.timedelta(minutes=30), GUANGZHOU.bandwidth.price_key
    segments = [
        Segment(START, half, int(row["Mbps until 30:00"]), key),
        Segment(half, None, int(row["Mbps from 30:00"]), key),
    ]
    charge = charge_hour(segments, [price_version(demo_book())], START)
    return {"charge": str(charge.exact), "deducted alone": str(from_minor(deducted_minor(NOTHING, charge.exact)))}


def _traffic(row: Row) -> Row:
    samples = [ByteSample(START, int(row["bytes out"]))]
    charge = charge_traffic(samples, GUANGZHOU.traffic_key, [price_version(demo_book())], START)
    return {"charge": str(charge.exact), "deducted alone": str(from_minor(deducted_minor(NOTHING, charge.exact)))}


def _break_even(row: Row) -> Row:
    make = {"prepaid": prepaid, "postpaid": machine}[row["machine"]]
    return {
        "GB a month": str(compare(demo_book(), make(public_ip=True, bandwidth_mbps=int(row["Mbps"]))).break_even_gib)
    }


RULES: dict[str, Callable[[Row], Row]] = {
    "hours": _hours,
    "holds": _holds,
    "ages": _ages,
    "change": _change,
    "purses": _purses,
    "terms": _terms,
    "returns": _returns,
    "months": _months,
    "bandwidth": _bandwidth,
    "bandwidth changes": _bandwidth_changes,
    "traffic": _traffic,
    "break-even": _break_even,
}


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _rows(page: Path) -> list[tuple[str, Row, Row]]:
    """(rule, given columns, bold columns) of each row of each table that names its rule."""
    rows = []
    for rule, table in re.findall(r"<!-- computed by: (.+) -->\n((?:\|.*\n)+)", page.read_text(encoding="utf-8")):
        header, _, *body = [_cells(line) for line in table.splitlines()]
        for cells in body:
            pairs = list(zip(header, cells, strict=True))
            given = {name: cell for name, cell in pairs if not name.startswith("**")}
            rows.append((rule, given, {name.strip("*"): cell for name, cell in pairs if name.startswith("**")}))
    return rows


PAGES = sorted(EXAMPLES.glob("*.md"))
ROWS = [(page.name, *row) for page in PAGES for row in _rows(page)]


@pytest.mark.parametrize(
    ("page", "rule", "given", "expected"), ROWS, ids=[f"{page}-{rule}-{n}" for n, (page, rule, *_) in enumerate(ROWS)]
)
def test_a_documented_row_is_what_the_rule_computes(
    page: str, rule: str, given: Row, expected: Row, request: pytest.FixtureRequest
) -> None:
    if rule == "purses":
        request.getfixturevalue("db")
    computed = RULES[rule](given)
    assert computed.keys() == expected.keys()
    for name, cell in expected.items():
        assert Decimal(computed[name]) == Decimal(cell), (page, name)


def test_every_table_of_the_examples_names_its_rule() -> None:
    tables = sum(len(re.findall(r"^\|---", page.read_text(encoding="utf-8"), re.MULTILINE)) for page in PAGES)
    named = [rule for page in PAGES for rule in re.findall(r"<!-- computed by: (.+) -->\n\|", page.read_text("utf-8"))]
    assert len(named) == tables
    assert sorted(named) == sorted(RULES)


NAMED = sorted({name for page in PAGES for name in re.findall(r"`(tests/\S+\.py::\w+)`", page.read_text("utf-8"))})


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_is_named_is_there(name: str) -> None:
    file, _, test = name.partition("::")
    assert f"\ndef {test}(" in (EXAMPLES.parents[1] / file).read_text("utf-8")
