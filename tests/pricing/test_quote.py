"""The quote: exact amounts, the refusals of a wrong configuration, and the same value after a round trip."""

import dataclasses
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import tencentcloud.cvm.v20170312.errorcodes as published
from hypothesis import given
from hypothesis import strategies as st

from tests.pricing.demo import demo_book, machine, prepaid
from vmart.kernel.errors import Refused
from vmart.kernel.money import to_minor
from vmart.pricing.errors import ForeignQuote
from vmart.pricing.quote import Configuration, DiskChoice, PriceTier, Quote, quote, returnables

PUBLISHED_CODES = {value for name, value in vars(published).items() if name.isupper()}
WITH_ADDRESS = {"public_ip": True, "bandwidth_mbps": 6}


def _lines(configuration: Configuration) -> list[tuple[str, int, int, Decimal, Decimal, Decimal]]:
    lines = quote(demo_book(), configuration).lines
    return [(x.component, x.number, x.quantity, x.list_amount, x.discount, x.amount) for x in lines]


def test_a_prepaid_year_is_discounted_on_cpu_and_memory_alone() -> None:
    """S5.SMALL2 60 × 12 × 0.83 + 50 GiB × 0.35 × 12 + data disk + 6 Mbps: 40 + 75 + 90 a month."""
    bought = prepaid(
        12,
        instance_type="S5.SMALL2",
        data_disks=(DiskChoice("CLOUD_SSD", 100),),
        internet_charge_type="BANDWIDTH_PREPAID",
        count=3,
        **WITH_ADDRESS,
    )
    assert _lines(bought) == [
        ("cpu", 0, 1, 720, Decimal("0.83"), Decimal("597.60")),
        ("system_disk", 0, 50, 210, 1, 210),
        ("data_disk", 1, 100, 1200, 1, 1200),
        ("bandwidth", 0, 6, 2460, 1, 2460),
    ]
    result = quote(demo_book(), bought)
    assert (result.list_machine_minor, result.machine_minor) == (459000, 446760)
    assert (result.due_minor, result.hold_minor, result.traffic_per_gib) == (1340280, 0, None)
    assert result.hourly == 0
    instance, bandwidth = result.instance_part(), result.bandwidth_part()
    assert (instance.list_minor, instance.amount_minor) == (639000, 602280)
    assert instance.discount_percent == Decimal("94.25")
    assert (bandwidth.list_minor, bandwidth.amount_minor, bandwidth.discount_percent) == (738000, 738000, 100)


def test_a_type_with_its_own_terms_is_discounted_from_the_first_month() -> None:
    assert _lines(prepaid(1, system_disk=DiskChoice("CLOUD_PREMIUM", 20)))[0] == (
        "cpu", 0, 1, 45, Decimal("0.87"), Decimal("39.15"),
    )  # fmt: skip
    assert quote(demo_book(), prepaid(1, system_disk=DiskChoice("CLOUD_PREMIUM", 20))).due_minor == 4615


def test_a_postpaid_machine_is_quoted_by_the_hour_and_held_for_one() -> None:
    """0.42 + 50 × 0.0005 + 5 × 0.063 + 0.25 = 1.01."""
    bought = machine(
        instance_type="S1.SMALL1", internet_charge_type="BANDWIDTH_POSTPAID_BY_HOUR", count=2, **WITH_ADDRESS
    )
    result = quote(demo_book(), bought)
    assert result.hourly == Decimal("1.01")
    assert (result.due_minor, result.list_minor, result.hold_machine_minor, result.hold_minor) == (0, 0, 101, 202)
    assert result.lines[0].tiers == (
        PriceTier(0, 345600, Decimal("0.42")),
        PriceTier(345600, 1296000, Decimal("0.21")),
        PriceTier(1296000, None, Decimal("0.1428")),
    )
    assert [step.amount for step in result.hourly_steps()] == [Decimal("0.445"), Decimal("0.235"), Decimal("0.1678")]
    assert (result.instance_part().per_hour, result.bandwidth_part().per_hour) == (Decimal("0.89"), Decimal("1.13"))


def test_traffic_is_priced_by_the_gib_and_never_held() -> None:
    with_traffic = quote(demo_book(), machine(region="ap-shanghai", **WITH_ADDRESS))
    without = quote(demo_book(), machine(region="ap-shanghai"))
    assert with_traffic.traffic_per_gib == Decimal("0.88")
    assert with_traffic.hold_minor == without.hold_minor == to_minor(Decimal("0.154") + Decimal("0.0275"))
    assert with_traffic.lines[-1].price_key == "ap-shanghai/traffic"
    assert len(without.hourly_steps()) == 1
    assert quote(demo_book(), prepaid(**WITH_ADDRESS)).due_minor == quote(demo_book(), prepaid()).due_minor


def test_bandwidth_without_a_public_address_costs_nothing() -> None:
    bought = prepaid(internet_charge_type="BANDWIDTH_PREPAID", bandwidth_mbps=6, public_ip=False)
    assert [line.component for line in quote(demo_book(), bought).lines] == ["cpu", "system_disk"]


RANGE = "InvalidParameterValue.Range"
COMBINATION = "InvalidParameterCombination"
MBPS = "bandwidth_mbps"
MODE = "internet_charge_type"
PERIOD = "period_months"


@pytest.mark.parametrize(
    ("configuration", "code", "field"),
    [
        (machine(region="ap-tokyo"), "InvalidParameterValue.InvalidRegion", "region"),
        (machine(instance_type="S9.TINY"), "InvalidParameterValue.InstanceTypeNotFound", "instance_type"),
        (machine(charge_type="CDHPAID"), "UnsupportedOperation.InstanceChargeType", "charge_type"),
        (machine(charge_type="FREE"), "InvalidParameterValue", "charge_type"),
        (machine(charge_type="PREPAID"), "MissingParameter", PERIOD),
        (prepaid(0), "InvalidPeriod", PERIOD),
        (prepaid(13), "InvalidPeriod", PERIOD),
        (machine(period_months=1), COMBINATION, "term"),
        (machine(system_disk=DiskChoice("CLOUD_TAPE", 50)), "InvalidParameterValue", "system_disk.disk_type"),
        (machine(system_disk=DiskChoice("CLOUD_SSD", 19)), RANGE, "system_disk.size_gib"),
        (machine(system_disk=DiskChoice("CLOUD_SSD", 2049)), RANGE, "system_disk.size_gib"),
        (
            machine(data_disks=(DiskChoice("CLOUD_SSD", 20), DiskChoice("CLOUD_SSD", 25))),
            RANGE,
            "data_disks.1.size_gib",
        ),
        (machine(data_disks=(DiskChoice("CLOUD_SSD", 0),)), RANGE, "data_disks.0.size_gib"),
        (machine(data_disks=(DiskChoice("CLOUD_SSD", 20),) * 21), "InvalidParameterValue.LimitExceeded", "data_disks"),
        (machine(internet_charge_type="BANDWIDTH_PREPAID"), COMBINATION, MODE),
        (prepaid(internet_charge_type="BANDWIDTH_POSTPAID_BY_HOUR"), COMBINATION, MODE),
        (machine(internet_charge_type="BANDWIDTH_PACKAGE"), "UnsupportedOperation.InstanceChargeType", MODE),
        (machine(internet_charge_type="PIGEON"), "InvalidParameterValue", MODE),
        (machine(bandwidth_mbps=101), RANGE, MBPS),
        (prepaid(bandwidth_mbps=201), RANGE, MBPS),
        (machine(bandwidth_mbps=-1), RANGE, MBPS),
        (machine(public_ip=True), COMBINATION, "public_ip"),
        (machine(count=0), RANGE, "count"),
        (machine(count=101), RANGE, "count"),
    ],
)
def test_a_wrong_configuration_is_refused_by_its_documented_code_and_member(
    configuration: Configuration, code: str, field: str
) -> None:
    with pytest.raises(Refused) as refusal:
        quote(demo_book(), configuration)
    assert (refusal.value.code, refusal.value.field) == (code, field)
    assert code in PUBLISHED_CODES
    assert "{" not in refusal.value.sentence


def test_the_sentence_of_a_refusal_says_what_would_be_right() -> None:
    with pytest.raises(Refused) as refusal:
        quote(demo_book(), machine(data_disks=(DiskChoice("CLOUD_SSD", 25),)))
    assert refusal.value.sentence == (
        "A CLOUD_SSD disk of 25 GiB is not sold here; possible are 20 to 32000 GiB in steps of 10."
    )


def test_the_limits_themselves_can_be_bought() -> None:
    assert quote(demo_book(), machine(bandwidth_mbps=100, public_ip=True, count=100)).configuration.count == 100
    widest = prepaid(60, bandwidth_mbps=200, public_ip=True, internet_charge_type="BANDWIDTH_PREPAID")
    assert quote(demo_book(), widest).lines[-1].amount == 17665 * 60


types = st.sampled_from(sorted(demo_book().document.instance_types))
disks = st.builds(
    DiskChoice, st.sampled_from(["CLOUD_PREMIUM", "CLOUD_BSSD", "CLOUD_SSD"]), st.integers(2, 200).map(lambda n: n * 10)
)


@st.composite
def configurations(draw: st.DrawFn) -> Configuration:
    months = draw(st.none() | st.sampled_from(demo_book().sales.periods_months))
    by_bandwidth = "BANDWIDTH_PREPAID" if months else "BANDWIDTH_POSTPAID_BY_HOUR"
    mbps = draw(st.integers(0, 100))
    return machine(
        region=draw(st.sampled_from(["ap-guangzhou", "ap-shanghai"])),
        instance_type=draw(types),
        charge_type="PREPAID" if months else "POSTPAID_BY_HOUR",
        period_months=months,
        system_disk=draw(disks),
        data_disks=tuple(draw(st.lists(disks, max_size=3))),
        internet_charge_type=draw(st.sampled_from([by_bandwidth, "TRAFFIC_POSTPAID_BY_HOUR"])),
        bandwidth_mbps=mbps,
        public_ip=bool(mbps) and draw(st.booleans()),
        count=draw(st.integers(1, 100)),
    )


@given(configurations())
def test_the_total_is_the_machine_times_the_count_and_the_parts_add_up(configuration: Configuration) -> None:
    result = quote(demo_book(), configuration)
    one = quote(demo_book(), dataclasses.replace(configuration, count=1))
    assert result.due_minor == one.due_minor * configuration.count
    assert result.hold_minor == one.hold_minor * configuration.count
    assert result.instance_part().amount_minor + result.bandwidth_part().amount_minor == result.due_minor
    assert result.instance_part().per_hour + result.bandwidth_part().per_hour == result.hourly * configuration.count
    assert one.machine_minor == to_minor(sum((x.amount for x in one.lines if x.unit == "month"), Decimal(0)))
    assert one.due_minor <= one.list_minor


@given(configurations())
def test_a_stored_quote_is_the_same_quote(configuration: Configuration) -> None:
    result = quote(demo_book(), configuration)
    assert Quote.of(json.loads(json.dumps(result.plain()))) == result


@given(configurations())
def test_what_is_returnable_is_what_was_bought(configuration: Configuration) -> None:
    result = quote(demo_book(), configuration)
    components = returnables(demo_book(), configuration)
    fixed = [line for line in result.lines if line.unit != "gib"]
    assert [component.component for component in components] == [line.component for line in fixed]
    for line, component in zip(fixed, components, strict=True):
        whole = component.hourly if line.unit == "hour" else component.monthly * (configuration.period_months or 0)
        assert line.list_amount == whole


@pytest.mark.parametrize("plain", ["", [], {}, None, {"lines": []}, 12])
def test_a_quote_that_is_none_is_refused(plain: Any) -> None:
    with pytest.raises(ForeignQuote):
        Quote.of(plain)


def test_a_quote_with_a_forged_amount_is_another_quote() -> None:
    result = quote(demo_book(), prepaid())
    forged: dict[str, Any] = result.plain() | {"machine_minor": 1}
    assert Quote.of(forged) != result


def test_the_rules_import_neither_django_nor_psycopg() -> None:
    import subprocess
    import sys

    rooms = "vmart.pricing.quote, vmart.pricing.compare, vmart.pricing.hour, vmart.catalog.document"
    check = f"import sys, {rooms}; sys.exit(bool({{'django', 'psycopg'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check], cwd=Path(__file__).parents[2], check=False).returncode == 0
