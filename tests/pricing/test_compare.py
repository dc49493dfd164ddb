"""What stands beside the price on the purchase page."""

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pricing.demo import demo_book, machine, prepaid
from vmart.kernel.errors import Refused
from vmart.pricing.compare import as_postpaid, as_prepaid, compare, preview_returns
from vmart.pricing.quote import DiskChoice, quote

SHANGHAI = ZoneInfo("Asia/Shanghai")


def test_both_modes_stand_side_by_side() -> None:
    """S5.SMALL2: 0.18 + 50 × 0.0005 an hour; 60 + 50 × 0.35 a month: 77.5 / 0.205 = 378.05 hours."""
    seen = compare(demo_book(), machine(instance_type="S5.SMALL2"))
    assert seen.hourly == Decimal("0.205")
    assert (seen.postpaid_month_minor, seen.prepaid_month_minor) == (14965, 7750)
    assert seen.break_even_hours == 379
    assert seen.break_even_gib is None


def test_break_even_walks_through_the_tiers_of_age() -> None:
    """S1: 51 + 17.5 = 68.5; 96 h at 0.445 = 42.72, then 0.235 an hour: 96 + 109.7."""
    assert compare(demo_book(), machine(instance_type="S1.SMALL1")).break_even_hours == 206


def test_a_longer_term_lowers_the_month_it_is_compared_with() -> None:
    assert compare(demo_book(), prepaid(12, instance_type="S5.SMALL2")).prepaid_month_minor == 6730


def test_bandwidth_against_traffic() -> None:
    """5 Mbps: 115 a month / 0.80 = 143.75 GiB; by the hour 0.315 × 730 / 0.80 = 287.4 GiB."""
    network = {"public_ip": True, "bandwidth_mbps": 5}
    assert compare(demo_book(), prepaid(**network)).break_even_gib == 144
    assert compare(demo_book(), machine(**network)).break_even_gib == 288


def test_a_mode_that_cannot_be_had_is_left_open() -> None:
    wide = prepaid(internet_charge_type="BANDWIDTH_PREPAID", bandwidth_mbps=200, public_ip=True)
    seen = compare(demo_book(), wide)
    assert (seen.hourly, seen.postpaid_month_minor, seen.break_even_hours) == (None, None, None)
    assert seen.prepaid_month_minor == quote(demo_book(), wide).due_minor
    with pytest.raises(Refused):
        compare(demo_book(), machine(count=0))


def test_the_other_mode_changes_the_bandwidth_with_it() -> None:
    by_month = prepaid(3, internet_charge_type="BANDWIDTH_PREPAID", bandwidth_mbps=2, public_ip=True)
    by_hour = as_postpaid(by_month)
    assert by_hour.internet_charge_type == "BANDWIDTH_POSTPAID_BY_HOUR"
    assert as_prepaid(by_hour, 3) == by_month
    assert as_prepaid(machine(), 1).internet_charge_type == "TRAFFIC_POSTPAID_BY_HOUR"


def test_what_a_return_would_give() -> None:
    """S1 for a year with 20 GiB: paid 507.96 + 84; 3 days cost 72 × (0.42 + 0.01); 6 months 51 × 6 × 0.88 + 42."""
    quoted = quote(demo_book(), prepaid(12, instance_type="S1.SMALL1", system_disk=DiskChoice("CLOUD_PREMIUM", 20)))
    start = dt.datetime(2024, 8, 31, 10, tzinfo=SHANGHAI)
    seen = {(view.days, view.months): view for view in preview_returns(demo_book(), quoted, start, SHANGHAI, 5)}
    assert quoted.machine_minor == 59196
    assert list(seen) == [(3, 0), (0, 1), (0, 3), (0, 6)]
    assert (seen[3, 0].refund_minor, seen[3, 0].free_minor) == (59196 - 3096, 59196)
    assert (seen[0, 1].refund_minor, seen[0, 1].free_minor) == (59196 - 5800, None)
    assert seen[0, 1].at == dt.datetime(2024, 9, 30, 10, tzinfo=SHANGHAI)
    assert seen[0, 6].refund_minor == 59196 - 26928 - 4200
    assert preview_returns(demo_book(), quote(demo_book(), machine()), start, SHANGHAI, 5) == ()
    assert [view.free_minor for view in preview_returns(demo_book(), quoted, start, SHANGHAI, 2)] == [None] * 4


@given(st.sampled_from(demo_book().sales.periods_months), st.sampled_from(sorted(demo_book().document.instance_types)))
def test_no_return_gives_more_than_was_paid(months: int, instance_type: str) -> None:
    quoted = quote(demo_book(), prepaid(months, instance_type=instance_type))
    start = dt.datetime(2024, 1, 31, tzinfo=SHANGHAI)
    for view in preview_returns(demo_book(), quoted, start, SHANGHAI, 5):
        assert 0 <= view.refund_minor <= quoted.machine_minor
