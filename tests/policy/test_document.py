"""The section ``policy`` of the catalog's file: versions by date, and for what is wrong the path and what is right."""

import datetime as dt
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from vmart.kernel.documents import DocumentError, read_yaml
from vmart.policy.document import Dated, held, read
from vmart.policy.numbers import BY_CURRENCY, DEFAULT, Policy

SHANGHAI = ZoneInfo("Asia/Shanghai")
NAMES = ", ".join(Policy.model_fields)
NO_INSTANT = (
    "policy.0.from: a date (2027-01-01: at 00:00 in the billing zone) or an instant with its offset"
    " (2027-01-01T09:00:00+08:00), in whole seconds, is expected"
)


def _read(text: str) -> list[Dated]:
    return read(read_yaml(text)["policy"], SHANGHAI)


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2027-01-01", dt.datetime(2026, 12, 31, 16, tzinfo=dt.UTC)),
        ("'2027-01-01'", dt.datetime(2026, 12, 31, 16, tzinfo=dt.UTC)),
        ("2027-01-01T09:00:00+08:00", dt.datetime(2027, 1, 1, 1, tzinfo=dt.UTC)),
        ("'2027-01-01 09:00:01+08:00'", dt.datetime(2027, 1, 1, 1, 0, 1, tzinfo=dt.UTC)),
        ("2027-01-01T09:00:00Z", dt.datetime(2027, 1, 1, 9, tzinfo=dt.UTC)),
    ],
)
def test_a_version_begins_on_a_day_of_the_billing_zone_or_at_an_instant(written: str, instant: dt.datetime) -> None:
    assert _read(f"policy: [{{from: {written}, unpaid_orders: 3}}]") == [Dated(instant, {"unpaid_orders": 3})]


def test_what_a_version_does_not_name_stays_as_it_was() -> None:
    text = """
    policy:
      - {from: 2027-01-01, unpaid_orders: 3, remind_days: [10, 1], top_up_min: {CNY: 5.50, JPY: 7}}
      - {from: 2027-02-01, bin_prepaid_days: 3}
      - {from: 2027-03-01, unpaid_orders: 4, top_up_min: {CNY: 1}, top_up_max: {CNY: 9}}
    """
    first, second, third = (rules for _, rules in held(_read(text)))
    assert (first.unpaid_orders, first.remind_days, first.bin_prepaid_days) == (3, (10, 1), 7)
    assert (second.unpaid_orders, second.remind_days, second.bin_prepaid_days) == (3, (10, 1), 3)
    assert (third.unpaid_orders, third.remind_days, third.bin_prepaid_days) == (4, (10, 1), 3)
    assert [first.top_up_minor(code) for code in ("CNY", "JPY", "KWD")] == [
        (550, 10_000_000),
        (7, 10_000_000),
        (100, 10_000_000),
    ]
    assert (third.top_up_minor("CNY"), third.top_up_minor("JPY")) == ((100, 900), (7, 10_000_000))
    assert first.quote_minutes == DEFAULT.quote_minutes


@pytest.mark.parametrize(
    ("version", "problems"),
    [
        ("unpaid_orders: 3", [NO_INSTANT]),
        ("from: soon", [f"{NO_INSTANT}, not soon"]),
        ("from: 2027-01-01T09:00:00", [f"{NO_INSTANT}, not 2027-01-01 09:00:00"]),
        ("from: 2027-01-01T09:00:00.5Z", [f"{NO_INSTANT}, not 2027-01-01 09:00:00.500000+00:00"]),
        ("from: 0001-01-01", [f"{NO_INSTANT}, not 0001-01-01"]),
        ("from: 20270101", [f"{NO_INSTANT}, not 20270101"]),
        ("from: 2027-01-01, unpaid_order: 3", [f"policy.0.unpaid_order: is not known here; what is: {NAMES}"]),
        (
            "from: 2027-01-01, unpaid_orders: 0, quote_minutes: 1441",
            [
                "policy.0.quote_minutes: Input should be less than or equal to 1440, not 1441",
                "policy.0.unpaid_orders: Input should be greater than or equal to 1, not 0",
            ],
        ),
        (
            "from: 2027-01-01, unpaid_orders: many",
            ["policy.0.unpaid_orders: Input should be a valid integer, unable to parse string as an integer, not many"],
        ),
        (
            "from: 2027-01-01, bin_prepaid_days: 1.5",
            [
                "policy.0.bin_prepaid_days: Input should be a valid integer, got a number with a fractional part,"
                " not 1.5"
            ],
        ),
        (
            "from: 2027-01-01, bin_prepaid_days: yes",
            ["policy.0.bin_prepaid_days: a truth value (yes, no, on, off, true, false) is no number"],
        ),
        (
            "from: 2027-01-01, remind_days: [on]",
            ["policy.0.remind_days: a truth value (yes, no, on, off, true, false) is no number"],
        ),
        ("from: 2027-01-01, remind_days: [3, 3]", ["policy.0.remind_days: a day stands here twice"]),
        (
            "from: 2027-01-01, remind_days: [61]",
            ["policy.0.remind_days.0: Input should be less than or equal to 60, not 61"],
        ),
        ("from: 2027-01-01, remind_days: 3", ["policy.0.remind_days: Input should be a valid tuple, not 3"]),
        ("from: 2027-01-01, top_up_min: {XYZ: 3}", ["policy.0.top_up_min: XYZ is no currency of ISO 4217"]),
        ("from: 2027-01-01, top_up_min: {CNY: 0.001}", ["policy.0.top_up_min: CNY: 0.001 has more than 2 decimals"]),
        ("from: 2027-01-01, top_up_min: {CNY: 0}", ["policy.0.top_up_min.CNY: Input should be greater than 0, not 0"]),
        ("from: 2027-01-01, top_up_max: {JPY: 100000000}", ["policy.0.top_up_max: JPY: 100000000 is above 99999999"]),
        (
            "from: 2027-01-01, top_up_min: {CNY: 2}, top_up_max: {CNY: 1.50}",
            ["policy.0: top_up_min.CNY: 2.00 is above top_up_max, 1.50"],
        ),
    ],
)
def test_a_wrong_version_is_refused_with_path_and_what_would_be_right(version: str, problems: list[str]) -> None:
    with pytest.raises(DocumentError) as caught:
        _read(f"policy: [{{{version}}}]")
    assert caught.value.problems == problems


@pytest.mark.parametrize(
    ("second", "problem"),
    [
        (
            "{from: 2027-01-01}",
            "policy.1.from: 2026-12-31T16:00:00+00:00 is not after 2026-12-31T16:00:00+00:00, where the version before"
            " it begins",
        ),
        (
            "{from: 2026-12-31T15:59:59Z}",
            "policy.1.from: 2026-12-31T15:59:59+00:00 is not after 2026-12-31T16:00:00+00:00, where the version before"
            " it begins",
        ),
        ("{from: 2027-02-01, top_up_min: {CNY: 6}}", "policy.1: top_up_min.CNY: 6.00 is above top_up_max, 5.00"),
        ("{from: 2027-02-01, top_up_max: {CNY: true}}",
         "policy.1.top_up_max: a truth value (yes, no, on, off, true, false) is no number"),
    ],
)  # fmt: skip
def test_versions_go_together(second: str, problem: str) -> None:
    with pytest.raises(DocumentError) as caught:
        _read(f"policy: [{{from: 2027-01-01, top_up_max: {{CNY: 5}}}}, {second}]")
    assert caught.value.problems == [problem]


def test_every_wrong_version_is_told() -> None:
    section: list[dict[str, Any]] = [{"from": "soon"}, {"from": dt.date(2027, 1, 1), "unpaid_orders": -1}]
    with pytest.raises(DocumentError) as caught:
        read(section, SHANGHAI)
    assert caught.value.problems == [
        f"{NO_INSTANT}, not soon",
        "policy.1.unpaid_orders: Input should be greater than or equal to 1, not -1",
    ]


def _rows() -> dict[str, list[str]]:
    text = (Path(__file__).parents[2] / "docs" / "operate" / "policy.md").read_text()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:3] == "| `"]
    return {row[0].strip("`"): row[1:] for row in rows}


def test_the_documentation_has_every_number_its_default_and_its_bounds() -> None:
    rows = _rows()
    assert list(rows) == list(Policy.model_fields)
    schema = Policy.model_json_schema()["properties"]
    for name, field in schema.items():
        if name in BY_CURRENCY:
            continue
        bounds = field.get("items", field)
        default = ", ".join(map(str, field["default"])) if "items" in field else str(field["default"])
        assert rows[name][:3] == [default, str(bounds["minimum"]), str(bounds["maximum"])], name
    assert (rows["top_up_min"][0], rows["top_up_max"][0]) == ("1.00", "100000.00")
