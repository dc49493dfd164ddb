"""Prices out of a host's cost: worked numbers, and what holds for every host."""

from dataclasses import replace
from decimal import Decimal, localcontext

from hypothesis import given
from hypothesis import strategies as st

from vmart.kernel.money import CONTEXT
from vmart.pricing import calculator
from vmart.pricing.calculator import Host, Price

HOST = Host(month=Decimal(700), vcpu=32, memory_gib=128, disk_gib=2000, line_month=Decimal(210), line_mbps=500)


def test_the_worked_example() -> None:
    """700 a month, 70 % sold, 40 % margin: a vCPU is 315 / (32 × 4 × 0.7) / 0.6, a GiB of memory 245 / 89.6 / 0.6."""
    per = calculator.units(HOST)
    assert (per.vcpu.share, per.vcpu.units) == (Decimal(315), Decimal("89.6"))
    assert round(per.vcpu.price, 6) == Decimal("5.859375")
    assert round(per.memory_gib.price, 6) == Decimal("4.557292")
    assert round(per.disk_gib.price, 6) == Decimal("0.166667")
    assert round(per.mbps.price, 6) == Decimal(1)
    assert calculator.machine(HOST, 1, 1) == Price(Decimal("10.42"), Decimal("0.0215"))
    assert calculator.machine(HOST, 2, 4) == Price(Decimal("29.95"), Decimal("0.0616"))
    assert calculator.machine(HOST, 2, 4, places=0).month == Decimal(30)
    assert calculator.disk(HOST) == Price(Decimal("0.1667"), Decimal("0.000343"))
    assert calculator.bandwidth(HOST) == Price(Decimal("1.00"), Decimal("0.0021"))
    assert calculator.traffic_gib(HOST) == Decimal("0.0109")  # 1.00 for 305.94 GiB × 0.3


WHOLE = st.integers(1, 10_000)
HOSTS = st.builds(
    Host,
    month=st.decimals("0.01", "1000000", places=2),
    vcpu=WHOLE, memory_gib=WHOLE, disk_gib=st.integers(1, 1_000_000),
    vcpu_overcommit=st.integers(1, 64), fill_percent=st.integers(1, 100), margin_percent=st.integers(0, 95),
    cpu_percent=st.integers(0, 50), memory_percent=st.integers(0, 50),
    line_month=st.decimals("0", "100000", places=2), line_mbps=st.integers(1, 100_000),
    hour_factor=st.decimals("1", "5", places=2),
)  # fmt: skip
SIZES = st.tuples(st.integers(1, 64), st.integers(1, 256))


@given(HOSTS)
def test_a_host_that_is_sold_as_expected_pays_for_itself_and_leaves_the_margin(host: Host) -> None:
    per = calculator.units(host)
    with localcontext(CONTEXT):
        brought = sum((unit.units * unit.price for unit in (per.vcpu, per.memory_gib, per.disk_gib)), Decimal(0))
        wanted = host.month / (1 - Decimal(host.margin_percent) / 100)
        assert abs(brought - wanted) <= wanted * Decimal("1e-30")


@given(HOSTS, SIZES, st.sampled_from([0, 2, 3]))
def test_a_price_is_never_below_what_it_is_worked_out_of_and_less_than_a_step_above(
    host: Host, size: tuple[int, int], places: int
) -> None:
    per, price = calculator.units(host), calculator.machine(host, *size, places)
    with localcontext(CONTEXT):
        exact = size[0] * per.vcpu.price + size[1] * per.memory_gib.price
        assert Decimal(0) <= price.month - exact < Decimal(1).scaleb(-places)
        assert price.hour * calculator.HOURS >= exact * host.hour_factor - Decimal("1e-30")
        assert (price.hour - Decimal("0.0001")) * calculator.HOURS < exact * host.hour_factor


@given(HOSTS, SIZES, st.integers(1, 10))
def test_a_larger_machine_and_a_dearer_host_never_cost_less(host: Host, size: tuple[int, int], more: int) -> None:
    here = calculator.machine(host, *size)
    assert calculator.machine(host, size[0] + more, size[1]).month >= here.month
    assert calculator.machine(host, size[0], size[1] + more).month >= here.month
    assert calculator.machine(replace(host, month=host.month * more), *size).month >= here.month
    assert calculator.machine(replace(host, fill_percent=100), *size).month <= here.month
