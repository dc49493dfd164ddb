"""What needs the seller: one list, read from the rows that are the causes themselves (ADR 0029).

Nothing is stored for it and nothing closes it. A cause is a row of some room whose own life ends it: an operation that
is tried again, a drift that the next sweep does not find. ``CAUSES`` has them all. A new one is an entry there, and a
line in ``docs/operate/attention.md``.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vmart.kernel import clock, db
from vmart.listings.paging import PAGE, Page, cut, number
from vmart.listings.sales import FILLING_PERCENT

ERROR, WARNING = 2, 1  # a machine, money or a zone stands still; or it soon will, or somebody should look
SEVERITIES = {ERROR: "error", WARNING: "warning"}
MOST = 100  # so many are counted
DELIVERIES_DAYS = 3  # of business time that a failed delivery is told
_LATEST_FAILURES = 200
_KEY_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Cause:
    """A kind of thing that needs the seller. ``title``, ``says`` and ``helps`` are English, the msgids of the page's.

    ``query`` gives since (-infinity: not known), key (a number of its own), subject_kind, subject, account (its
    customer's number or null), number (how many things are merged into the line) and places (of ``says``). Where many
    rows may be found, an index has them in the order of (since, key).
    """

    tag: str
    severity: int
    title: str
    says: str
    helps: str
    query: str


@dataclass(frozen=True, slots=True)
class Need:
    """A line of the list. ``key`` is the number of the row that is the cause; None in ``since``: not known."""

    place: int  # of its cause
    since: dt.datetime | None
    key: int
    subject_kind: str
    subject: str
    account: int | None
    number: int
    places: Mapping[str, Any]

    @property
    def cause(self) -> Cause:
        return CAUSES[self.place]

    @property
    def severity(self) -> str:
        return SEVERITIES[self.cause.severity]

    @property
    def text(self) -> str:
        """What it is and what helps, in English."""
        return f"{self.cause.says.format(**self.places).rstrip('.')}. {self.cause.helps}"


@dataclass(frozen=True, slots=True)
class Summary:
    """How many lines there are, at most ``MOST``; ``more``: there are more. ``worst`` is a severity, "" of none."""

    number: int
    more: bool
    worst: str

    def __str__(self) -> str:
        return f"{self.number}{'+' if self.more else ''}"


def _drift(kind: str) -> str:
    return f"""
        SELECT d.since_wall_at AS since, d.id AS key,
               CASE WHEN d.name LIKE 'disk-%%' THEN 'disk' WHEN d.name LIKE 'img-%%' THEN 'own_image'
                    WHEN d.name LIKE 'snap-%%' THEN 'snapshot' ELSE 'machine' END AS subject_kind, d.name AS subject,
               coalesce(i.account_id, own.account_id, o.account_id, n.account_id) AS account, 1 AS number,
               json_build_object('zone', d.zone_id, 'sold_in', coalesce(i.zone_id, '')) AS places
        FROM orders_engine_drift d LEFT JOIN instances_instance i ON i.public_id = d.name
        LEFT JOIN storage_disk own ON own.public_id = d.name
        LEFT JOIN storage_image o ON o.public_id = d.name
        LEFT JOIN storage_snapshot n ON n.public_id = d.name
        WHERE d.kind = '{kind}'"""  # noqa: S608  a word of ours


CAUSES: tuple[Cause, ...] = (
    Cause(
        "zone_unreachable", ERROR, "Zone not reachable",
        "{why} Machines in the zone: {machines}. Operations given up there: {waiting}.",
        "Have its engine answer again (“vmart doctor”). What was given up there is listed then, to be retried.",
        query="""
        SELECT coalesce(z.engine_seen_at, '-infinity') AS since, z.legacy_id::bigint AS key, 'zone' AS subject_kind,
               z.code AS subject, NULL::bigint AS account, machines.n AS number,
               json_build_object('why', z.engine_why, 'machines', machines.n, 'waiting', waiting.n) AS places
        FROM catalog_zone z
        CROSS JOIN LATERAL (SELECT count(*)::int AS n FROM instances_instance i
                            WHERE i.zone_id = z.code AND i.state <> 'GONE') AS machines
        CROSS JOIN LATERAL (SELECT count(*)::int AS n FROM worker_operation w
                            WHERE w.attention AND w.lane = z.code) AS waiting
        WHERE z.engine_status = 'unreachable' AND (z.on_sale OR machines.n > 0 OR waiting.n > 0)""",
    ),
    Cause(
        "host_offline", ERROR, "Host off",
        "The host is off, in zone {zone}. Machines on it: {machines}.",
        "Start it again, or move its machines: they are charged meanwhile.",
        query="""
        SELECT coalesce(h.off_since, '-infinity') AS since, h.id AS key, 'host' AS subject_kind, h.name AS subject,
               NULL::bigint AS account, machines.n AS number,
               json_build_object('zone', h.zone_id, 'machines', machines.n) AS places
        FROM placement_host h
        CROSS JOIN LATERAL (SELECT count(*)::int AS n FROM placement_allocation a
                            JOIN instances_instance i ON i.id = a.instance_id WHERE a.host_id = h.id) AS machines
        WHERE NOT h.online AND machines.n > 0""",
    ),
    Cause(
        "machine_lost", ERROR, "Machine lost",
        "Sold, and twice in a row not found on the engine of zone {zone}. It is charged no more since it was first"
        " missed.",
        "Deliver it again (you are shown first which of its disks will be empty), refund and end it, or end it.",
        query=_drift("lost"),
    ),
    Cause(
        "operation_given_up", ERROR, "Operation given up",
        "{operation}, attempts: {attempts}. {why}",
        "Mend what it says, then retry.",
        query="""
        SELECT w.created_at AS since, w.id AS key, w.subject_kind,
               coalesce(i.public_id, own.public_id, e.public_id, n.public_id, o.public_id,
                        k.public_id,
                        w.subject_id::text) AS subject,
               w.account_id AS account, 1 AS number,
               json_build_object('operation', w.kind, 'attempts', w.attempt, 'why', w.last_error) AS places
        FROM worker_operation w
        LEFT JOIN instances_instance i ON w.subject_kind = 'machine' AND i.id = w.subject_id
        LEFT JOIN storage_disk own ON w.subject_kind = 'disk' AND own.id = w.subject_id
        LEFT JOIN network_eip e ON w.subject_kind = 'address' AND e.id = w.subject_id
        LEFT JOIN network_package k ON w.subject_kind = 'package' AND k.id = w.subject_id
        LEFT JOIN storage_image o ON w.subject_kind = 'own_image' AND o.id = w.subject_id
        LEFT JOIN storage_snapshot n ON w.subject_kind = 'snapshot' AND n.id = w.subject_id
        WHERE w.attention
          AND (SELECT engine_status FROM catalog_zone z WHERE z.code = w.lane) IS DISTINCT FROM 'unreachable'""",
    ),
    Cause(
        "hours_not_closed", ERROR, "Hourly close behind",
        "Clock hours that have ended and are not closed: {hours}. Their usage is not charged yet.",
        "See in “vmart status” whether the worker runs, and in its log what the close meets.",
        query="""
        SELECT open.first + interval '1 hour' AS since, 0::bigint AS key, 'hour' AS subject_kind, '' AS subject,
               NULL::bigint AS account, behind.n AS number, json_build_object('hours', behind.n) AS places
        FROM metering_horizon h
        CROSS JOIN LATERAL (  -- the horizon passes an hour when its close begins
          SELECT least(h.closed_until, (SELECT min(start) FROM settlement_hour WHERE closed_at IS NULL
                                        AND start >= h.closed_until - interval '1 day')) AS first) AS open
        CROSS JOIN LATERAL (
          SELECT floor(extract(epoch FROM %(now)s::timestamptz - open.first) / 3600)::int AS n) AS behind
        WHERE behind.n >= 2""",
    ),
    Cause(
        "account_not_charged", ERROR, "Account not charged",
        "Accounts whose usage is not charged from then on: {accounts}. {why}",
        "Mend what it says, most often a price that is missing: each hourly close tries again.",
        query="""
        SELECT min(s.from_hour) AS since, min(s.account_id) AS key, 'account' AS subject_kind,
               CASE count(*) WHEN 1 THEN min(s.account_id)::text ELSE '' END AS subject,
               CASE count(*) WHEN 1 THEN min(s.account_id) END AS account, count(*)::int AS number,
               json_build_object('why', s.reason, 'accounts', count(*)) AS places
        FROM settlement_stuck s GROUP BY s.reason""",
    ),
    Cause(
        "card_message", ERROR, "Card message that fits no payment",
        "{provider}: {why}",
        "Compare it with the provider's own list; credit the customer by hand where the money is his. Then mark it as"
        " seen.",
        query="""
        SELECT u.first_wall_at AS since, u.id AS key, 'card_message' AS subject_kind, u.reference AS subject,
               NULL::bigint AS account, u.times AS number,
               json_build_object('provider', u.provider, 'why', u.why) AS places
        FROM payments_unexplained u""",
    ),
    Cause(
        "deliveries_failed", WARNING, "Deliveries failed",
        "{why} The money went back.",
        "Mend the cause, then its customers can buy again.",
        query=f"""
        SELECT max(o.created_at) AS since, max(l.id) AS key, 'zone' AS subject_kind, i.zone_id AS subject,
               NULL::bigint AS account, count(*)::int AS number, json_build_object('why', l.reason) AS places
        FROM (SELECT id, order_id, subscription_id, reason FROM orders_line WHERE state = 'failed'
              ORDER BY id DESC LIMIT {_LATEST_FAILURES}) AS l
        JOIN orders_order o ON o.id = l.order_id
        JOIN subscriptions_subscription i ON i.id = l.subscription_id
        WHERE o.created_at > %(now)s::timestamptz - interval '{DELIVERIES_DAYS} days'
        GROUP BY i.zone_id, l.reason""",  # noqa: S608
    ),
    Cause(
        "card_refund_failed", WARNING, "Refund to a card failed",
        "{provider}: {why} The money is in the customer's balance.",
        "Agree with the customer how the money comes to him; then mark it as seen.",
        query="""
        SELECT r.resolved_at AS since, r.id AS key, 'payment' AS subject_kind, r.payment_id::text AS subject,
               p.account_id AS account, 1 AS number,
               json_build_object('provider', p.provider, 'why', r.why) AS places
        FROM payments_refund r JOIN payments_payment p ON p.id = r.payment_id
        WHERE r.state = 'failed' AND NOT r.seen""",
    ),
    Cause(
        "machine_missing", WARNING, "Machine not found",
        "Sold, and not found on the engine of zone {zone}. A machine is looked for once more before its charging ends.",
        "Find out where it went; nothing is to be done here yet.",
        query=_drift("missing"),
    ),
    Cause(
        "machine_unknown", WARNING, "Machine in no order",
        "On the engine of zone {zone} and in no order: after a restored backup it may be somebody's.",
        "Nothing touches it here. Look whose it is; if nobody's, remove it on the engine.",
        query=_drift("unknown"),
    ),
    Cause(
        "machine_elsewhere", WARNING, "Machine on another zone's engine",
        "On the engine of zone {zone}, and sold in {sold_in}.",
        "Nothing touches it here. Move it back, or let each zone name an engine of its own.",
        query=_drift("elsewhere"),
    ),
    Cause(
        "machine_moved", WARNING, "Machine on another host",
        "In zone {zone} it is on another host than its room is taken on.",
        "Move it back, or the stock of both hosts is wrong.",
        query=_drift("moved"),
    ),
    Cause(
        "storage_filling", WARNING, "Storage fills up",
        "Hosts whose storage fills up: {hosts}. The fullest is {host}: {filled} of {size} GiB.",
        "Add storage or sell less of it: a full pool stops every machine on it.",
        query=f"""
        SELECT '-infinity'::timestamptz AS since, z.legacy_id::bigint AS key, 'zone' AS subject_kind, z.code AS subject,
               NULL::bigint AS account, f.hosts AS number,
               json_build_object('hosts', f.hosts, 'host', f.host, 'filled', f.filled, 'size', f.size) AS places
        FROM catalog_zone z
        CROSS JOIN LATERAL (
          SELECT p.key AS host, (p.value->>0)::bigint AS filled, (p.value->>1)::bigint AS size,
                 count(*) OVER ()::int AS hosts
          FROM jsonb_each(z.capabilities->'pools') AS p
          WHERE (p.value->>1)::bigint > 0 AND (p.value->>0)::bigint * 100 >= (p.value->>1)::bigint * {FILLING_PERCENT}
          ORDER BY (p.value->>0)::numeric / (p.value->>1)::numeric DESC, p.key LIMIT 1) AS f""",  # noqa: S608
    ),
    Cause(
        "addresses_used_up", WARNING, "No public address free",
        "All public addresses of the zone are taken: {addresses}. Who wants one cannot buy.",
        "Add addresses to the zone in the catalog file and apply it.",
        query="""
        SELECT '-infinity'::timestamptz AS since, z.legacy_id::bigint AS key, 'zone' AS subject_kind, z.code AS subject,
               NULL::bigint AS account, 1 AS number, json_build_object('addresses', (
                 SELECT count(*)::int FROM network_public_address a WHERE a.zone_id = z.code)) AS places
        FROM catalog_zone z  -- CASE: a zone that has a free address has none of its others looked at
        WHERE z.on_sale AND CASE WHEN (
          SELECT min(f.free_since) FROM network_public_address f
          WHERE f.zone_id = z.code AND f.instance_id IS NULL) IS NULL
        THEN EXISTS (SELECT FROM network_public_address a WHERE a.zone_id = z.code) END""",
    ),
    Cause(
        "image_failed", WARNING, "Image not made",
        "In zone {zone}: {why} {detail}",
        "It is tried again by itself, at last every hour; what it met is in the last words.",
        query="""
        SELECT '-infinity'::timestamptz AS since, s.id AS key, 'image' AS subject_kind, m.os_name AS subject,
               NULL::bigint AS account, 1 AS number,
               json_build_object('zone', s.zone_id, 'why', s.why, 'detail', s.detail) AS places
        FROM catalog_zone_image s JOIN catalog_image m ON m.public_id = s.image_id
        WHERE s.status = 'failed' AND m.unavailable_en = ''""",
    ),
)  # fmt: skip


_PART = """
(SELECT {cause.severity} AS severity, {place} AS place, q.since, q.key, q.subject_kind, q.subject, q.account, q.number,
        q.places
 FROM ({cause.query}) AS q WHERE (q.since, q.key) < (%(since_{place})s::timestamptz, %(key_{place})s::bigint)
 ORDER BY q.since DESC, q.key DESC LIMIT {limit})
"""
_PAGE = """
SELECT place, nullif(since, '-infinity') AS since, key, subject_kind, subject, account, number, places
FROM ({parts}) AS needs ORDER BY severity DESC, needs.since DESC, place DESC, key DESC LIMIT {limit}
"""
_COUNTED = "(SELECT {cause.severity} AS severity FROM ({cause.query}) AS q LIMIT {limit})"
_SUMMARY = "SELECT count(*) AS number, max(severity) AS worst FROM ({parts}) AS needs"


def page(before: str = "") -> Page[Need]:
    """The worst first, of these the latest. ``before`` is a page key; a wrong one means the first page. One query."""
    after = _key(before)
    values: dict[str, Any] = {"now": clock.now()}
    parts = []
    for place, cause in enumerate(CAUSES):
        bound = _bound(place, after)
        if bound is not None:
            values |= {f"since_{place}": bound[0], f"key_{place}": bound[1]}
            parts.append(_PART.format(cause=cause, place=place, limit=PAGE + 1))
    query = _PAGE.format(parts=" UNION ALL ".join(parts), limit=PAGE + 1)
    rows = db.rows(query, **values)
    return cut([Need(**row) for row in rows], _key_of, first=after is None)


def summary() -> Summary:
    """How many lines there are and how bad the worst is. One query."""
    parts = [_COUNTED.format(cause=cause, limit=MOST + 1) for cause in CAUSES]
    (row,) = db.rows(_SUMMARY.format(parts=" UNION ALL ".join(parts)), now=clock.now())
    return Summary(min(row["number"], MOST), row["number"] > MOST, SEVERITIES.get(row["worst"], ""))


_Key = tuple[int, dt.datetime | str, int]  # place of the cause, since, key


def _bound(place: int, after: _Key | None) -> tuple[dt.datetime | str, int] | None:
    """What (since, key) of this cause's rows must lie below, to come after the row ``after``; None: all came before."""
    if after is None:
        return "infinity", _KEY_MAX
    last, since, key = after
    severity, its_own = CAUSES[last].severity, CAUSES[place].severity
    if its_own != severity:
        return ("infinity", _KEY_MAX) if its_own < severity else None
    return since, key if place == last else _KEY_MAX if place < last else -1


def _key_of(row: Need) -> str:
    return f"{row.place}~{row.since.isoformat() if row.since else ''}~{row.key}"


def _key(text: str) -> _Key | None:
    place, _, rest = text.partition("~")
    since, _, key = rest.partition("~")
    last, below = number(place), number(key)
    if last is None or below is None or last >= len(CAUSES):
        return None
    try:
        return last, _instant(since), below
    except (ValueError, OverflowError):
        return None


def _instant(text: str) -> dt.datetime | str:
    if not text:
        return "-infinity"
    at = dt.datetime.fromisoformat(text)
    if at.tzinfo is None or not 1970 < at.year < 9000:
        raise ValueError(text)
    return at.astimezone(dt.UTC)
