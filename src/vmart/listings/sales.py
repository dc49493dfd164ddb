"""The seller's view: what was sold, how full the zones are, which deliveries failed."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from vmart import engines
from vmart.engines.driver import Driver
from vmart.kernel import clock, db
from vmart.listings.paging import PAGE, Page, cut, number
from vmart.orders import void

FILLING_PERCENT = 80  # from there on the seller is warned


@dataclass(frozen=True, slots=True)
class Sales:
    """Since ``since``: orders placed, machines delivered and failed, revenue.

    Revenue is what was charged for usage in the hours that began since, and prepaid terms delivered less refunds
    made since. Of all time it is what the ledger's revenue book holds.
    """

    since: dt.datetime
    orders: int
    delivered: int
    failed: int
    revenue_minor: int


@dataclass(frozen=True, slots=True)
class ZoneCapacity:
    """A zone's engine and room; capacities of hosts that are online and enabled, after overcommit."""

    code: str
    name_en: str
    name_zh: str
    engine_kind: str
    engine_status: str
    engine_why: str
    kind: str
    on_sale: bool
    hosts: int
    hosts_off: int
    hosts_drained: int  # of those that are on
    machines: int
    vcpu_used: int
    vcpu_capacity: int
    memory_used_mib: int
    memory_capacity_mib: int
    disk_used_gib: int
    disk_capacity_gib: int
    pool_filled_gib: int  # what real disks take and have; 0 of a zone that is not real
    pool_gib: int
    fullest_percent: int  # of its hosts' pools, the fullest one's
    addresses_free: int
    addresses: int
    images: Any

    @property
    def driver(self) -> Driver:
        """What is known of its kind of engine."""
        return engines.driver(self.engine_kind)

    @property
    def sold_ratio(self) -> Decimal:
        """Sold disks against the size of the storage they fill: above 1 it is sold more than once."""
        return round(Decimal(self.disk_used_gib) / self.pool_gib, 2) if self.pool_gib else Decimal(0)

    @property
    def is_filling(self) -> bool:
        """Time to add storage: a full pool stops every machine on it."""
        return self.fullest_percent >= FILLING_PERCENT

    @property
    def images_ready(self) -> int:
        return sum(image["status"] == "ready" for image in self.images)


@dataclass(frozen=True, slots=True)
class FailedDelivery:
    id: int
    order_id: int
    account_id: int
    account_name: str
    public_id: str
    zone: str
    reason: str
    at: dt.datetime


def today(zone: ZoneInfo) -> Sales:
    """Since midnight of the billing zone."""
    local = clock.now().astimezone(zone)
    return since(dt.datetime(local.year, local.month, local.day, tzinfo=zone))


def this_month(zone: ZoneInfo) -> Sales:
    """Since the first of the month in the billing zone."""
    return since(clock.month_start(clock.now(), zone))


def since(instant: dt.datetime) -> Sales:
    """Sales since an instant."""
    (row,) = db.rows(
        """
        SELECT
          (SELECT count(*) FROM orders_order WHERE created_at >= %(since)s) AS orders,
          (SELECT count(*) FROM orders_line WHERE delivered_at >= %(since)s) AS delivered,
          (SELECT count(*) FROM orders_line l JOIN orders_order o ON o.id = l.order_id
           WHERE l.state = 'failed' AND l.reason <> %(voided)s AND o.created_at >= %(since)s) AS failed,
          ((SELECT coalesce(sum(deducted_minor), 0) FROM settlement_hour WHERE start >= %(since)s)
           + (SELECT coalesce(sum(CASE kind WHEN 'refund' THEN -amount_minor ELSE amount_minor END), 0)
              FROM ledger_transfer WHERE kind IN ('prepaid', 'refund') AND at >= %(since)s))::bigint AS revenue_minor
        """,
        since=instant, voided=void.WHY,
    )  # fmt: skip
    return Sales(since=instant, **row)


def zones() -> Sequence[ZoneCapacity]:
    """Every zone, in the shop's order."""
    rows = db.rows(
        """
        SELECT z.code, z.name_en, z.name_zh, z.engine_kind, z.engine_status, z.engine_why, z.on_sale,
          coalesce(z.capabilities->>'instance_kind', '') AS kind,
          h.hosts, h.hosts_off, h.hosts_drained, h.vcpu_used, h.vcpu_capacity, h.memory_used_mib, h.memory_capacity_mib,
          h.disk_used_gib, h.disk_capacity_gib, p.pool_filled_gib, p.pool_gib, p.fullest_percent,
          (SELECT count(*) FROM instances_instance i WHERE i.zone_id = z.code AND i.state <> 'GONE') AS machines,
          coalesce(a.addresses, 0) AS addresses, coalesce(a.addresses_free, 0) AS addresses_free,
          coalesce((SELECT json_agg(json_build_object('name', m.os_name, 'status', s.status, 'percent', s.percent,
                                                      'why', s.why, 'detail', s.detail) ORDER BY m.position)
           FROM catalog_zone_image s JOIN catalog_image m ON m.public_id = s.image_id
           WHERE s.zone_id = z.code AND m.unavailable_en = ''), '[]') AS images
        FROM catalog_zone z
        LEFT JOIN LATERAL (
          SELECT count(*) FILTER (WHERE online AND enabled) AS hosts,
                 count(*) FILTER (WHERE NOT online) AS hosts_off,
                 count(*) FILTER (WHERE online AND NOT enabled) AS hosts_drained,
                 coalesce(sum(vcpu_used), 0)::bigint AS vcpu_used,
                 coalesce(sum(vcpu_capacity), 0)::bigint AS vcpu_capacity,
                 coalesce(sum(memory_used_mib), 0)::bigint AS memory_used_mib,
                 coalesce(sum(memory_capacity_mib), 0)::bigint AS memory_capacity_mib,
                 coalesce(sum(disk_used_gib), 0)::bigint AS disk_used_gib,
                 coalesce(sum(disk_capacity_gib), 0)::bigint AS disk_capacity_gib
          FROM placement_host WHERE zone_id = z.code) AS h ON true
        CROSS JOIN LATERAL (
          SELECT coalesce(sum((value->>0)::bigint), 0)::bigint AS pool_filled_gib,
                 coalesce(sum((value->>1)::bigint), 0)::bigint AS pool_gib,
                 coalesce(max((value->>0)::bigint * 100 / nullif((value->>1)::bigint, 0)), 0)::int AS fullest_percent
          FROM jsonb_each(z.capabilities->'pools')) AS p
        LEFT JOIN (
          SELECT zone_id, count(*) AS addresses, count(*) FILTER (WHERE instance_id IS NULL) AS addresses_free
          FROM network_public_address GROUP BY zone_id) AS a ON a.zone_id = z.code
        ORDER BY z.position
        """
    )
    return [ZoneCapacity(**row) for row in rows]


def failed_deliveries(before: str = "") -> Page[FailedDelivery]:
    """Lines that could not be delivered, latest first."""
    key = number(before)
    rows = db.rows(
        """
        SELECT l.id, l.order_id, l.account_id, a.name AS account_name, i.public_id, i.zone_id AS zone, l.reason,
               o.created_at AS at
        FROM orders_line l JOIN orders_order o ON o.id = l.order_id
        JOIN subscriptions_subscription i ON i.id = l.subscription_id
        JOIN customers_account a ON a.id = l.account_id
        WHERE l.state = 'failed' AND l.reason <> %(voided)s AND (%(before)s::bigint IS NULL OR l.id < %(before)s)
        ORDER BY l.id DESC LIMIT %(limit)s
        """,
        before=key, limit=PAGE + 1, voided=void.WHY,
    )  # fmt: skip
    return cut([FailedDelivery(**row) for row in rows], lambda row: row.id, first=key is None)
