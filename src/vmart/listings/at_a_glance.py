"""An account's first page: what runs, what it costs, what ends soon, what waits for its owner."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext

from vmart.catalog import shop
from vmart.instances.models import State
from vmart.kernel import clock, db
from vmart.kernel.clock import HOUR
from vmart.kernel.money import CONTEXT, exponent
from vmart.listings import charges
from vmart.orders.models import Order
from vmart.pricing import books
from vmart.pricing.book import PriceBook
from vmart.pricing.hour import price_version, rate_per_hour

SOON = dt.timedelta(days=14)
SHOWN = 10  # of what ends soon, and of what waits


@dataclass(frozen=True, slots=True)
class Cost:
    """What is charged by the hour of all that is in use now, exact, and what the month comes to.

    ``hour`` is None while something has no price. ``month_minor`` is what the closed hours of the billing month have
    taken; ``projected_minor`` adds what is left of it, if all goes on as now. Traffic to come is in neither.
    """

    hour: Decimal | None
    month_minor: int
    projected_minor: int | None


@dataclass(frozen=True, slots=True)
class Ending:
    """Something paid ahead whose term ends soon. ``kind`` is the agreement's."""

    kind: str
    public_id: str
    name: str
    expires_at: dt.datetime
    renew_flag: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for its owner: ``unpaid`` (an order, until ``at``), ``failed``, ``reclaim`` (taken back at ``at``),
    ``bin`` (erased at ``at``), ``password`` (not shown yet). Of all but the order it is a machine's id and name.
    """

    kind: str
    public_id: str
    name: str
    at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Glance:
    """``ending`` and ``waiting`` have SHOWN rows at most; ``more``: there are more that wait."""

    machines: Mapping[str, int]  # by state, GONE left out
    cost: Cost
    ending: Sequence[Ending]
    ending_count: int
    waiting: Sequence[Waiting]
    more: bool

    @property
    def running(self) -> int:
        return self.machines.get(State.RUNNING, 0)

    @property
    def all(self) -> int:
        return sum(self.machines.values())


_MACHINES = """
SELECT state, count(*) AS number FROM instances_instance
WHERE account_id = %(account)s AND state <> 'GONE' GROUP BY state
"""

# What is in use, with how many there are of each price, quantity and tier of age. While an hour is being closed, usage
# begins with the next one, which has not come yet: it is as new as can be.
_IN_USE = """
SELECT price_key, quantity, tier, count(*) AS number FROM (
  SELECT price_key, quantity, width_bucket(
           greatest(0, age_s + extract(epoch FROM %(now)s - started_at)), %(tiers)s::double precision[]) AS tier
  FROM metering_segment WHERE account_id = %(account)s AND ended_at IS NULL AND component <> 'traffic') AS used
GROUP BY price_key, quantity, tier
"""

_ENDING = """
SELECT s.kind, s.public_id, coalesce(i.name, d.name, e.name, '') AS name, s.expires_at, s.renew_flag,
       count(*) OVER () AS number
FROM subscriptions_subscription s LEFT JOIN instances_instance i ON i.id = s.id
LEFT JOIN storage_disk d ON d.id = s.id LEFT JOIN network_eip e ON e.id = s.id
WHERE s.account_id = %(account)s AND s.charge_type = 'PREPAID' AND s.standing = 'active' AND s.expires_at < %(until)s
ORDER BY s.expires_at, s.id LIMIT %(limit)s
"""

_WAITING = """
SELECT kind, public_id, name, at FROM (
  SELECT 1 AS place, 'reclaim' AS kind, public_id, name, reclaim_at AS at FROM instances_instance
  WHERE account_id = %(account)s AND reclaim_at IS NOT NULL AND state NOT IN ('GONE', 'TERMINATING', 'SHUTDOWN')
  UNION ALL
  SELECT 2, 'failed', public_id, name, created_at FROM instances_instance
  WHERE account_id = %(account)s AND state = 'LAUNCH_FAILED'
  UNION ALL
  SELECT 3, 'unpaid', id::text, '', expires_at FROM orders_order
  WHERE account_id = %(account)s AND status = 1 AND expires_at > %(now)s
  UNION ALL
  SELECT 4, 'bin', i.public_id, i.name, s.release_at
  FROM instances_instance i JOIN subscriptions_subscription s ON s.id = i.id
  WHERE i.account_id = %(account)s AND i.state = 'SHUTDOWN' AND s.release_at IS NOT NULL
  UNION ALL
  SELECT 5, 'password', i.public_id, i.name, p.made_at
  FROM instances_sealed_password p JOIN instances_instance i ON i.id = p.instance_id
  WHERE i.account_id = %(account)s AND i.state <> 'GONE'
) AS waiting ORDER BY place, at, name, public_id LIMIT %(limit)s
"""


def has_anything(account_id: int) -> bool:
    """Whether the account has ever bought anything."""
    return Order.objects.filter(account_id=account_id).exists()


def glance(account_id: int) -> Glance:
    """All of it, as of now."""
    now = clock.now()
    states = {row["state"]: row["number"] for row in db.rows(_MACHINES, account=account_id)}
    ending = db.rows(_ENDING, account=account_id, until=now + SOON, limit=SHOWN)
    number = ending[0]["number"] if ending else 0
    waiting = [Waiting(**row) for row in db.rows(_WAITING, account=account_id, now=now, limit=SHOWN + 1)]
    return Glance(
        states, _cost(account_id, now), [_ending(row) for row in ending], number, waiting[:SHOWN], len(waiting) > SHOWN
    )


def _ending(row: Mapping[str, object]) -> Ending:
    return Ending(**{name: value for name, value in row.items() if name != "number"})  # type: ignore[arg-type]


def _cost(account_id: int, now: dt.datetime) -> Cost:
    zone = shop.snapshot().billing_zone
    today = now.astimezone(zone)
    taken = sum(day.deducted_minor for day in charges.days_of_month(account_id, today.date().replace(day=1), zone))
    hour = per_hour(account_id, now)
    if hour is None:
        return Cost(None, taken, None)
    first = today.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    left = clock.add_months(first, 1, zone) - clock.hour_start(now)  # the open hour has not been taken either
    with localcontext(CONTEXT):
        coming = (hour * (left // HOUR)).scaleb(exponent(shop.snapshot().currency))
        return Cost(hour, taken, taken + int(coming.to_integral_value(ROUND_HALF_UP)))


def per_hour(account_id: int, now: dt.datetime) -> Decimal | None:
    """What an hour of all that is in use costs, each thing at the tier of its age; None where a price is missing."""
    return per_hour_by(account_id, books.own_book(account_id, shop.snapshot().generation, now), now)


def per_hour_by(account_id: int, book: PriceBook, now: dt.datetime) -> Decimal | None:
    """The same by another book."""
    rates = price_version(book).rates
    tiers = sorted({row.tier_from_s for rows in rates.values() for row in rows})
    found = Decimal(0)
    with localcontext(CONTEXT):
        for used in db.rows(_IN_USE, account=account_id, now=now, tiers=tiers):
            rows = rates.get(used["price_key"])
            if rows is None:
                return None
            age = tiers[used["tier"] - 1]
            tier = max(row.tier_from_s for row in rows if row.tier_from_s <= age)
            found += rate_per_hour(rows, used["quantity"], tier) * used["number"]
    return found
