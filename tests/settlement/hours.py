"""Usage, prices and purses drawn at random, and what the pure rule says the closes of some hours must do with them."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from vmart.kernel import clock
from vmart.kernel.clock import HOUR
from vmart.pricing.book import RateRow
from vmart.pricing.hour import (
    ByteSample,
    HourCharge,
    PriceVersion,
    Segment,
    charge_hour,
    charge_traffic,
    deducted_minor,
    discounted,
)
from vmart.pricing.rules import HOUR_S

HOURS = 4
KEYS = {"cpu": "r/cpu/T", "disk": "r/disk/D", "bandwidth": "r/bandwidth"}
TRAFFIC = "r/traffic"
CURRENCIES = {"CNY": 2, "JPY": 0, "KWD": 3}

# (billing zone, start of the first hour): each window of HOURS holds an edge that such systems get wrong.
EDGES = [
    ("Asia/Shanghai", "2026-03-10T02:00"),  # nothing special
    ("Asia/Shanghai", "2026-03-31T14:00"),  # a month begins in the zone, none in UTC
    ("Asia/Shanghai", "2026-05-31T22:00"),  # a month begins in UTC: another partition, the same billing month
    ("UTC", "2026-12-31T22:00"),  # both, and a year
    ("Europe/Berlin", "2026-03-29T00:00"),  # the missing hour
    ("Europe/Berlin", "2026-10-24T23:00"),  # the doubled one
    ("America/New_York", "2026-11-01T03:00"),  # a month begins, two hours later the clock goes back
    ("America/Asuncion", "2017-10-01T02:00"),  # the month begins at a midnight that does not exist
]


@dataclass
class Machine:
    """One machine: its number, usage by component, samples; from which hours its owner pays which part of prices."""

    id: int
    segments: dict[str, list[Segment]]
    samples: list[ByteSample]
    parts: Mapping[dt.datetime, Decimal] = field(default_factory=dict)

    def part(self, hour: dt.datetime) -> Decimal:
        """What part of list prices is paid in an hour."""
        begun = [at for at in self.parts if at <= hour]
        return self.parts[max(begun)] if begun else Decimal(1)


@dataclass
class Account:
    """One account: money in minor units, part of it under a fixed hold, what closes before the window have charged
    (statement month → exact), and its machines.
    """

    id: int
    cash_minor: int
    gift_minor: int
    cash_held_minor: int
    gift_held_minor: int
    credit_limit_minor: int
    machines: list[Machine]
    before: dict[dt.date, Decimal] = field(default_factory=dict)


@dataclass
class World:
    """Everything a few closes depend on."""

    start: dt.datetime
    zone: ZoneInfo
    currency: str
    versions: list[PriceVersion]
    accounts: list[Account] = field(default_factory=list)

    @property
    def hours(self) -> list[dt.datetime]:
        return [self.start + HOUR * n for n in range(HOURS)]

    @property
    def places(self) -> int:
        return CURRENCIES[self.currency]


def charges(world: World, machine: Machine) -> Iterator[tuple[dt.datetime, str, HourCharge]]:
    """(hour, component, charge) of a machine by the pure rule, hour after hour."""
    for hour in world.hours:
        for component, segments in machine.segments.items():
            charge = charge_hour(segments, world.versions, hour)
            if charge.lines:
                yield hour, component, discounted(charge, machine.part(hour))
        charge = charge_traffic(machine.samples, TRAFFIC, world.versions, hour)
        if charge.lines:
            yield hour, "traffic", discounted(charge, machine.part(hour))


def statement_month(world: World, hour: dt.datetime) -> dt.date:
    """First day of the month whose statement has an hour that is closed as soon as it has ended."""
    return clock.month_start(hour, world.zone).astimezone(world.zone).date().replace(day=1)


def deductions(world: World, account: Account) -> dict[dt.datetime, int]:
    """Hour → minor units that its close deducts of the account: only hours that deduct something."""
    totals = dict(account.before)
    used: dict[dt.datetime, Decimal] = {}
    for machine in account.machines:
        for hour, _, charge in charges(world, machine):
            used[hour] = used.get(hour, Decimal(0)) + charge.exact
    due = {}
    for hour in sorted(used):
        month = statement_month(world, hour)
        before = totals.get(month, Decimal(0))
        totals[month] = before + used[hour]
        due[hour] = deducted_minor(before, used[hour], world.places)
    return {hour: amount for hour, amount in due.items() if amount}


rates = st.decimals(min_value=0, max_value=9, places=8)


@st.composite
def _rows(draw: st.DrawFn, key: str) -> list[RateRow]:
    """Progressive steps × tiers of age of one price key; steps may end between two whole quantities."""
    bounds = st.integers(1, 12).map(Decimal) | st.decimals("0.25", 12, places=2)
    tops = sorted(draw(st.sets(bounds, max_size=3))) if key == KEYS["bandwidth"] else []
    steps = list(zip([0, *tops], [*tops, None], strict=True))
    ages = st.sampled_from([HOUR_S, 2 * HOUR_S]) | st.integers(1, 5 * HOUR_S)
    ends = sorted(draw(st.sets(ages, max_size=3))) if key == KEYS["cpu"] else []
    tiers = list(zip([0, *ends], [*ends, None], strict=True))
    return [
        RateRow(key, Decimal(low), None if top is None else Decimal(top), begin, end, draw(rates))
        for low, top in steps
        for begin, end in tiers
    ]


@st.composite
def _versions(draw: st.DrawFn, start: dt.datetime) -> list[PriceVersion]:
    edges = st.sampled_from([HOUR_S - 1, HOUR_S, HOUR_S + 1, 2 * HOUR_S])
    changes = draw(st.sets(edges | st.integers(1, HOURS * HOUR_S - 1), max_size=3))
    return [
        PriceVersion(
            start + dt.timedelta(seconds=at),
            {key: draw(_rows(key)) for key in KEYS.values()}
            | {TRAFFIC: [RateRow(TRAFFIC, Decimal(0), None, 0, None, draw(rates))]},
        )
        for at in [-30 * 24 * HOUR_S, *sorted(changes)]
    ]  # fmt: skip


@st.composite
def _segments(draw: st.DrawFn, component: str, start: dt.datetime) -> list[Segment]:
    """A chain of usage with and without pauses, from before the window to within it or beyond."""
    edges = st.sampled_from([-HOUR_S, 0, 1, HOUR_S])
    at = start + dt.timedelta(seconds=draw(edges | st.integers(-2 * HOUR_S, 2 * HOUR_S)))
    age_s = draw(st.sampled_from([0, 1, HOUR_S - 1]) | st.integers(0, 5 * HOUR_S))
    segments = []
    for _ in range(draw(st.integers(1, 4))):
        length = draw(st.sampled_from([0, 1, 40, HOUR_S]) | st.integers(0, 3 * HOUR_S))
        quantity = 1 if component == "cpu" else draw(st.integers(0, 20))
        end = at + dt.timedelta(seconds=length)
        segments.append(Segment(at, end, quantity, KEYS[component], age_s))
        age_s += length
        at = end + dt.timedelta(seconds=draw(st.just(0) | st.integers(0, HOUR_S)))
    if draw(st.booleans()):
        last = segments[-1]
        segments[-1] = Segment(last.start, None, last.quantity, last.price_key, last.age_s)
    return segments


@st.composite
def _parts(draw: st.DrawFn, start: dt.datetime) -> dict[dt.datetime, Decimal]:
    """Discounts that begin before the window, at its hours, and after it."""
    factors = st.sampled_from([Decimal(0), Decimal(1), Decimal("0.875")]) | st.decimals(0, 1, places=4)
    return {start + HOUR * n: factor for n, factor in draw(st.dictionaries(st.integers(-2, HOURS), factors)).items()}


@st.composite
def _machine(draw: st.DrawFn, number: int, start: dt.datetime, parts: Mapping[dt.datetime, Decimal]) -> Machine:
    components = draw(st.sets(st.sampled_from(sorted(KEYS)), min_size=1))
    samples = draw(st.lists(st.tuples(st.integers(-60, HOURS * HOUR_S + 60), st.integers(1, 2**33)), max_size=5))
    return Machine(
        number,
        {component: draw(_segments(component, start)) for component in sorted(components)},
        [ByteSample(start + dt.timedelta(seconds=at), size) for at, size in samples],
        parts,
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A window of HOURS at one of the EDGES, with prices, accounts, machines and usage."""
    name, at = draw(st.sampled_from(EDGES))
    start, zone = dt.datetime.fromisoformat(at).replace(tzinfo=dt.UTC), ZoneInfo(name)
    world = World(start, zone, draw(st.sampled_from(sorted(CURRENCIES))), draw(_versions(start)))
    money = st.integers(0, 30) | st.integers(0, 10**7)
    for number in range(1, draw(st.integers(1, 3)) + 1):
        cash, gift = draw(money), draw(money)
        parts = draw(st.just({}) | _parts(start))
        machines = [draw(_machine(number * 10 + n, start, parts)) for n in range(draw(st.integers(1, 2)))]
        held = (draw(st.integers(0, cash)), draw(st.integers(0, gift)))
        month = statement_month(world, start)
        months = st.sampled_from([month, (month - dt.timedelta(days=1)).replace(day=1)])
        before = draw(st.dictionaries(months, st.decimals(0, 100_000, places=8)))
        limit = draw(st.sampled_from([0, 0, 500]))
        world.accounts.append(Account(number * 7, cash, gift, *held, limit, machines, before))
    return world


def rate_columns(versions: Sequence[PriceVersion]) -> list[Mapping[str, object]]:
    """Rows of the rate table, with the position of their version."""
    return [
        {"book": position, **{name: getattr(row, name) for name in RateRow.__slots__}}
        for position, version in enumerate(versions)
        for rows in version.rates.values()
        for row in rows
    ]
