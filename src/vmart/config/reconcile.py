"""``vmart reconcile``: prove ledger = charges = segments = holds = stock = engine, and say each difference.

Changes nothing. Every check is one set-based query over one snapshot of the database; the engines are
asked after it, so machines with work under way are left out of that part.
"""

import datetime as dt
from collections.abc import Iterator

from django.db import connection, transaction

from vmart.catalog import shop
from vmart.catalog.models import Zone
from vmart.config import reconcile_cards, reconcile_charges, reconcile_engines, reconcile_packages
from vmart.kernel import clock, db
from vmart.kernel.money import exponent
from vmart.orders import lowering, planned_end, reclaim, term, windows
from vmart.orders.snapshots import ends

# What is due for longer than this, with nothing under way that it could wait for, is not being done.
_LATE = dt.timedelta(minutes=10)
# What waits for a time in the life of a thing; it is not busy with that, also where its time has come.
_TIMERS = [
    "expire", term.KIND, planned_end.KIND, reclaim.KIND, reclaim.NOTICE_KIND, windows.KIND, lowering.KIND, ends.KIND
]  # fmt: skip

# (what is wrong, query whose rows are the differences)
_CHECKS = (
    (
        "the sides of a transfer do not add up to 0",
        "SELECT transfer_id, sum(amount_minor) AS off FROM ledger_entry GROUP BY 1 HAVING sum(amount_minor) <> 0",
    ),
    (
        "a transfer has no entries",
        "SELECT t.id, t.kind FROM ledger_transfer t"
        " WHERE NOT EXISTS (SELECT FROM ledger_entry e WHERE e.transfer_id = t.id)",
    ),
    (
        "a purse is not the sum of its entries",
        """
        SELECT p.account_id, purse.book, purse.posted, coalesce(e.total, 0) AS entries
        FROM ledger_purses p
        CROSS JOIN LATERAL (VALUES ('cash', p.cash_credits_posted - p.cash_debits_posted),
                                   ('gift', p.gift_credits_posted - p.gift_debits_posted),
                                   ('owed', p.owed_credits_posted - p.owed_debits_posted)) AS purse (book, posted)
        LEFT JOIN (SELECT account_id, book, sum(amount_minor) AS total FROM ledger_entry GROUP BY 1, 2) AS e
          ON e.account_id = p.account_id AND e.book = purse.book
        WHERE purse.posted <> coalesce(e.total, 0)
        """,
    ),
    (
        "pending counters are not the sum of pending holds",
        """
        SELECT p.account_id, p.cash_debits_pending, p.gift_debits_pending, p.floating_pending
        FROM ledger_purses p
        LEFT JOIN (SELECT account_id, sum(cash_minor) AS cash, sum(gift_minor) AS gift, sum(floating_minor) AS floating
                   FROM ledger_hold WHERE state = 'pending' GROUP BY 1) AS h ON h.account_id = p.account_id
        WHERE (p.cash_debits_pending, p.gift_debits_pending, p.floating_pending)
              <> (coalesce(h.cash, 0), coalesce(h.gift, 0), coalesce(h.floating, 0))
        """,
    ),
    (
        "a pending hold belongs to nothing that lives",
        """
        SELECT h.id, h.kind, h.subject_id FROM ledger_hold h
        LEFT JOIN subscriptions_subscription b ON b.id = h.subject_id AND b.account_id = h.account_id
        WHERE h.state = 'pending' AND NOT coalesce(CASE h.kind
          WHEN 'fixed' THEN EXISTS (SELECT FROM orders_line l WHERE l.subscription_id = b.id AND l.hold_id = h.id
                                                                AND l.state = 'delivering')
                       OR EXISTS (SELECT FROM payments_refund r WHERE r.hold_id = h.id AND r.resolved_at IS NULL)
          ELSE b.hold_id = h.id AND b.standing <> 'failed' AND (b.standing <> 'ended' OR b.isolated_at IS NULL
               OR b.isolated_at >= (SELECT closed_until FROM metering_horizon)
               OR EXISTS (SELECT FROM settlement_stuck x WHERE x.account_id = h.account_id)
               OR EXISTS (SELECT FROM settlement_hour WHERE closed_at IS NULL)) END, false)
        """,
    ),
    (
        "a subscription names a hold that is not pending",
        "SELECT b.public_id, h.state FROM subscriptions_subscription b LEFT JOIN ledger_hold h ON h.id = b.hold_id"
        " WHERE b.hold_id IS NOT NULL AND h.state IS DISTINCT FROM 'pending'",
    ),
    (
        "a postpaid subscription that is charged for has no hold",
        "SELECT public_id FROM subscriptions_subscription WHERE charge_type IN ('POSTPAID_BY_HOUR', 'SPOTPAID')"
        " AND hold_id IS NULL"
        " AND standing IN ('pending', 'active')",
    ),
    (
        "a subscription stands otherwise than its machine",
        """
        SELECT b.public_id, b.standing, i.state FROM subscriptions_subscription b
        LEFT JOIN instances_instance i ON i.id = b.id
        WHERE b.kind = 'machine' AND b.standing IS DISTINCT FROM CASE
          WHEN i.state = 'PENDING' THEN 'pending' WHEN i.state IN ('SHUTDOWN', 'TERMINATING', 'GONE')
            THEN CASE WHEN b.started_at IS NULL THEN 'failed' WHEN i.state = 'GONE' THEN 'ended' ELSE 'isolated' END
          WHEN i.state = 'LAUNCH_FAILED' THEN 'failed' WHEN i.state IS NOT NULL THEN 'active' END
        """,
    ),
    (
        "a subscription stands otherwise than its disk",
        """
        SELECT b.public_id, b.standing, d.state FROM storage_disk d JOIN subscriptions_subscription b ON b.id = d.id
        WHERE d.state <> '' AND b.standing <> CASE
          WHEN d.state = 'CREATING' THEN 'pending' WHEN d.state = 'FAILED' THEN 'failed'
          WHEN d.state = 'GONE' THEN 'ended' WHEN d.state IN ('TORECYCLE', 'ERASING') THEN 'isolated' ELSE 'active' END
        """,
    ),
    (
        "a subscription stands otherwise than its public address",
        """
        SELECT b.public_id, b.standing, b.isolated_source, e.state FROM subscriptions_subscription b
        LEFT JOIN network_eip e ON e.id = b.id
        WHERE b.kind = 'address' AND (b.standing IS DISTINCT FROM CASE
          WHEN e.state = 'GONE' THEN 'ended' WHEN e.state = 'OFFLINING' OR b.isolated_at IS NOT NULL THEN 'isolated'
          WHEN e.state IS NOT NULL THEN 'active' END
          OR (b.standing = 'active') <> (b.isolated_source = 'NOTISOLATED'))
        """,
    ),
    (
        "a bought public address is charged otherwise than it is bound",
        """
        SELECT e.public_id, e.state, e.internet_charge_type, i.component, i.mode, i.quantity FROM network_eip e
        JOIN subscriptions_subscription b ON b.id = e.id
        LEFT JOIN subscriptions_item i ON i.subscription_id = e.id AND i.to_at IS NULL
        WHERE e.state IN ('UNBIND', 'BINDING', 'BIND', 'UNBINDING') AND (
          (b.charge_type = 'PREPAID') <> (e.internet_charge_type = 'BANDWIDTH_PREPAID_BY_MONTH')
          OR i.component || ' by ' || i.mode IS DISTINCT FROM CASE
            WHEN e.internet_charge_type = 'BANDWIDTH_PREPAID_BY_MONTH' THEN 'bandwidth by month'
            WHEN e.state IN ('UNBIND', 'BINDING') THEN 'idle by hour'
            WHEN e.internet_charge_type = 'BANDWIDTH_PACKAGE' THEN NULL
            WHEN e.internet_charge_type = 'TRAFFIC_POSTPAID_BY_HOUR' THEN 'traffic by traffic'
            ELSE 'bandwidth by hour' END
          OR (i.mode = 'month' AND i.quantity <> e.bandwidth_mbps))
        """,
    ),
    (
        "a subscription stands otherwise than its snapshot",
        """
        SELECT b.public_id, b.standing, n.state FROM subscriptions_subscription b
        LEFT JOIN storage_snapshot n ON n.id = b.id
        WHERE b.kind = 'snapshot' AND b.standing IS DISTINCT FROM CASE n.state
          WHEN 'CREATING' THEN 'pending' WHEN 'FAILED' THEN 'failed' WHEN 'GONE' THEN 'ended'
          WHEN 'TORECYCLE' THEN 'isolated' WHEN 'ERASING' THEN 'isolated'
          WHEN 'NORMAL' THEN 'active' WHEN 'ROLLBACKING' THEN 'active' END
        """,
    ),
    (
        "a subscription stands otherwise than its imported image",
        """
        SELECT b.public_id, b.standing, b.isolated_source, o.state FROM subscriptions_subscription b
        LEFT JOIN storage_image o ON o.id = b.id
        WHERE b.kind = 'image' AND b.standing IS DISTINCT FROM CASE
          WHEN o.state = 'IMPORTING' THEN 'pending' WHEN o.state = 'IMPORTFAILED' OR b.started_at IS NULL THEN 'failed'
          WHEN o.state = 'GONE' THEN 'ended' WHEN o.state = 'DELETING' OR b.isolated_source = 'ARREAR' THEN 'isolated'
          WHEN o.state = 'NORMAL' THEN 'active' END
        """,
    ),
    (
        "an imported image has other room than its size, or pays for another",
        """
        SELECT o.public_id, o.state, a.disk_gib, o.size_gib, i.quantity FROM storage_image o
        LEFT JOIN placement_allocation a ON a.instance_id = o.id
        LEFT JOIN subscriptions_item i ON i.subscription_id = o.id AND i.to_at IS NULL
        WHERE (o.snapshot_id IS NULL AND o.state IN ('IMPORTING', 'NORMAL', 'DELETING')
               AND (a.disk_gib IS DISTINCT FROM o.size_gib OR i.quantity IS DISTINCT FROM o.size_gib))
          OR (a.instance_id IS NOT NULL AND (o.snapshot_id IS NOT NULL OR o.state = 'GONE'))
        """,
    ),
    (
        "a machine is listed under another charge type than its subscription's",
        "SELECT i.public_id, i.charge_type, b.charge_type AS agreed FROM instances_instance i"
        " JOIN subscriptions_subscription b ON b.id = i.id WHERE i.charge_type <> b.charge_type",
    ),
    (
        "a disk and its subscription differ, or it has no open terms",
        """
        SELECT d.public_id, b.bundle_id, d.instance_id FROM storage_disk d
        LEFT JOIN subscriptions_subscription b ON b.id = d.id
        WHERE b.kind IS DISTINCT FROM 'disk' OR b.public_id <> d.public_id
           OR b.bundle_id <> CASE d.state WHEN '' THEN d.instance_id ELSE d.id END
           OR NOT EXISTS (SELECT FROM subscriptions_item i WHERE i.subscription_id = b.id AND i.to_at IS NULL
                                                             AND i.quantity = d.size_gib)
        """,
    ),
    (
        "a prepaid subscription is paid until another instant than its lines say",
        """
        SELECT b.public_id, b.expires_at, l.paid_until FROM subscriptions_subscription b LEFT JOIN (
          SELECT subscription_id, max(period_to) AS paid_until FROM orders_line WHERE state = 'delivered' GROUP BY 1
        ) AS l ON l.subscription_id = b.id
        WHERE b.charge_type = 'PREPAID' AND b.isolated_source <> 'MANMADE'
          AND b.expires_at IS DISTINCT FROM l.paid_until
          -- A disk that stayed in the bin when its machine was erased was paid for with that.
          AND NOT (b.kind = 'disk' AND l.paid_until IS NULL AND b.standing IN ('isolated', 'ended'))
        """,
    ),
    (
        "what a line says was paid is not what the ledger posted for it, or not its price",
        """
        SELECT l.subscription_id, l.state, l.amount_minor, l.paid_cash_minor, l.paid_gift_minor, t.cash, t.gift
        FROM orders_line l JOIN orders_order o ON o.id = l.order_id LEFT JOIN (
          SELECT t.id, -sum(e.amount_minor) FILTER (WHERE e.book = 'cash') AS cash,
                 -sum(e.amount_minor) FILTER (WHERE e.book = 'gift') AS gift
          FROM ledger_transfer t JOIN ledger_entry e ON e.transfer_id = t.id WHERE t.kind = 'prepaid' GROUP BY 1
        ) AS t ON t.id = l.hold_id
        WHERE (l.paid_cash_minor, l.paid_gift_minor) <> (coalesce(t.cash, 0), coalesce(t.gift, 0))
           OR (o.charge_type = 'PREPAID' AND l.paid_cash_minor + l.paid_gift_minor
               <> CASE WHEN l.state IN ('delivered', 'returned') THEN l.amount_minor ELSE 0 END)
        """,
    ),
    (
        "what lines say was given back of a subscription is not what the ledger credited for it",
        """
        SELECT l.subscription_id, l.refund_minor, t.credited FROM (
          SELECT subscription_id, sum(refund_minor) AS refund_minor FROM orders_line GROUP BY 1) AS l
        LEFT JOIN (
          SELECT subject_id, sum(amount_minor) AS credited FROM ledger_transfer WHERE kind = 'refund' GROUP BY 1
        ) AS t ON t.subject_id = l.subscription_id
        WHERE l.refund_minor <> coalesce(t.credited, 0)
        """,
    ),
    (
        "a prepaid payment or a refund belongs to no line",
        """
        SELECT t.id, t.kind, t.account_id, t.amount_minor FROM ledger_transfer t WHERE t.kind = 'prepaid'
          AND NOT EXISTS (SELECT FROM orders_line l WHERE l.hold_id = t.id AND l.account_id = t.account_id)
        UNION ALL
        SELECT t.id, t.kind, t.account_id, t.amount_minor FROM ledger_transfer t WHERE t.kind = 'refund'
          AND NOT EXISTS (
            SELECT FROM orders_line l WHERE l.subscription_id = t.subject_id AND l.account_id = t.account_id)
        """,
    ),
    (
        "what the seller gave back of an order's line is not what its refunds say, or the ledger",
        """
        SELECT l.id, l.order_id, l.seller_back_minor, l.seller_gift_back_minor, r.cash, r.gift, r.credited
        FROM orders_line l LEFT JOIN (
          SELECT r.line_id, sum(r.cash_minor) AS cash, sum(r.gift_minor) AS gift, sum(t.amount_minor) AS credited
          FROM orders_refund r
          LEFT JOIN ledger_transfer t ON t.id = r.transfer_id AND t.kind = 'refund' GROUP BY 1) AS r ON r.line_id = l.id
        WHERE (l.seller_back_minor, l.seller_gift_back_minor, l.seller_back_minor)
              <> (coalesce(r.cash + r.gift, 0), coalesce(r.gift, 0), coalesce(r.credited, 0))
        """,
    ),
    (
        "usage is open otherwise than the terms say",
        """
        SELECT b.public_id, b.standing, t.component, t.mode, s.id AS segment FROM subscriptions_subscription h
        JOIN subscriptions_subscription b ON b.bundle_id = h.id
        JOIN subscriptions_item t ON t.subscription_id = b.id AND t.to_at IS NULL AND t.mode <> 'month'
        LEFT JOIN instances_instance i ON i.id = h.id
        LEFT JOIN metering_segment s ON s.subscription_id = b.id AND s.component = t.component AND s.ended_at IS NULL
        WHERE (s.id IS NOT NULL) <> (h.standing = 'active' AND NOT (
          t.pausable AND i.stop_charging_mode = 'STOP_CHARGING'))
          AND NOT EXISTS (SELECT FROM orders_engine_drift d WHERE d.name = h.public_id AND d.kind = 'lost')
        """,
    ),
    (
        "usage is open that no terms name",
        """
        SELECT s.subscription_id, s.component, s.price_key, s.quantity FROM metering_segment s
        LEFT JOIN subscriptions_item t ON t.subscription_id = s.subscription_id AND t.component = s.component
          AND t.to_at IS NULL
        WHERE s.ended_at IS NULL
          AND (s.price_key, s.quantity) IS DISTINCT FROM (t.price_key, t.quantity)
        """,
    ),
    (
        "a machine stopped without charge holds vCPU, memory or a public address",
        """
        SELECT i.public_id, a.vcpu, a.memory_mib, i.public_ip, p.ip FROM instances_instance i
        LEFT JOIN placement_allocation a ON a.instance_id = i.id
        LEFT JOIN network_public_address p ON p.instance_id = i.id
        WHERE i.state = 'STOPPED' AND i.stop_charging_mode = 'STOP_CHARGING' AND i.latest_operation_state <> 'OPERATING'
          AND (a.vcpu > 0 OR a.memory_mib > 0 OR i.public_ip IS NOT NULL OR p.ip IS NOT NULL)
        """,
    ),
    (
        "a machine holds other room on its host than it has",
        """
        SELECT i.public_id, a.vcpu, a.memory_mib, a.disk_gib FROM instances_instance i
        JOIN placement_allocation a ON a.instance_id = i.id
        JOIN (SELECT instance_id, sum(size_gib) AS gib FROM storage_disk WHERE state = '' GROUP BY 1) AS d
          ON d.instance_id = i.id
        WHERE i.state IN ('RUNNING', 'STOPPED', 'RESCUE_MODE') AND i.latest_operation_state <> 'OPERATING'
          AND i.stop_charging_mode <> 'STOP_CHARGING'
          AND (a.vcpu, a.memory_mib, a.disk_gib) <> (i.vcpu, i.memory_mib, d.gib)
        """,
    ),
    (
        "a machine's number of ways into the rescue mode and out of it is not that of its state",
        """
        SELECT i.public_id, i.state, i.rescue FROM instances_instance i
        WHERE i.state IN ('RUNNING', 'STOPPED', 'RESCUE_MODE') AND i.latest_operation_state <> 'OPERATING'
          AND (mod(i.rescue, 2) = 1) <> (i.state = 'RESCUE_MODE')
        """,
    ),
    (
        "a disk of its own has other room than its size, or on another host than its machine's",
        """
        SELECT d.public_id, d.state, a.host_id, a.left_host_id, a.disk_gib, d.size_gib, i.host_id AS machine_host_id
        FROM storage_disk d LEFT JOIN placement_allocation a ON a.instance_id = d.id
        LEFT JOIN placement_allocation i ON i.instance_id = d.instance_id
        WHERE (d.state NOT IN ('', 'GONE', 'FAILED') AND NOT (
            d.latest_operation = 'ResizeDisk' AND d.latest_operation_state = 'OPERATING') AND (
            a.disk_gib IS DISTINCT FROM d.size_gib OR a.host_id <> i.host_id
            OR (a.left_host_id IS NOT NULL AND d.state <> 'ATTACHING')))
          OR (d.state = 'GONE' AND a.instance_id IS NOT NULL)
        """,
    ),
    (
        "a disk is being worked on and nothing works on it",  # or on a snapshot of it
        """
        SELECT d.public_id, d.state, d.latest_operation FROM storage_disk d
        WHERE d.state <> '' AND d.latest_operation_state = 'OPERATING'
          AND NOT EXISTS (SELECT FROM worker_operation w WHERE w.due_at <= %(now)s AND w.kind <> ALL (%(timers)s) AND (
            (w.subject_kind = 'disk' AND w.subject_id = d.id)
            OR (w.subject_kind = 'snapshot' AND w.subject_id IN (
              SELECT n.id FROM storage_snapshot n WHERE n.disk_id = d.id))))
        """,
    ),
    (
        "a snapshot has other room than its size, or pays for another",
        """
        SELECT n.public_id, n.state, a.disk_gib, n.size_gib, i.quantity FROM storage_snapshot n
        LEFT JOIN placement_allocation a ON a.instance_id = n.id
        LEFT JOIN subscriptions_item i ON i.subscription_id = n.id AND i.to_at IS NULL
        WHERE (n.state NOT IN ('GONE', 'FAILED') AND a.disk_gib IS DISTINCT FROM n.size_gib)
          OR (n.state = 'GONE' AND a.instance_id IS NOT NULL) OR i.quantity <> n.size_gib
        """,
    ),
    (
        "a snapshot is being worked on and nothing works on it",
        """
        SELECT n.public_id, n.state, n.latest_operation FROM storage_snapshot n
        WHERE n.latest_operation_state = 'OPERATING'
          AND NOT EXISTS (SELECT FROM worker_operation w WHERE w.due_at <= %(now)s AND w.kind <> ALL (%(timers)s)
                            AND w.subject_kind = 'snapshot' AND w.subject_id = n.id)
        """,
    ),
    (
        "a snapshot policy is active and nothing waits for its time",
        """
        SELECT p.public_id FROM storage_snapshot_policy p
        WHERE p.active AND NOT EXISTS (
          SELECT FROM worker_operation w WHERE w.kind = 'snapshot_policy' AND w.subject_id = p.id)
        """,
    ),
    (
        "a snapshot is to end and nothing waits for that",
        """
        SELECT n.public_id, n.delete_at FROM storage_snapshot n
        WHERE n.delete_at IS NOT NULL AND n.state IN ('CREATING', 'NORMAL', 'ROLLBACKING', 'TORECYCLE')
          AND NOT EXISTS (SELECT FROM worker_operation w WHERE w.kind = 'snapshot_retention' AND w.subject_id = n.id)
        """,
    ),
    (
        "a machine has another bandwidth than it pays for",
        """
        SELECT i.public_id, i.bandwidth_mbps, coalesce(w.mbps, t.quantity) AS paid_mbps FROM instances_instance i
        JOIN subscriptions_item t ON t.subscription_id = i.id AND t.component = 'bandwidth' AND t.to_at IS NULL
        LEFT JOIN orders_bandwidth_window w ON w.subscription_id = i.id AND w.state = 'in_force'
        WHERE i.state NOT IN ('GONE', 'LAUNCH_FAILED') AND i.bandwidth_mbps <> coalesce(w.mbps, t.quantity)
        """,
    ),
    (
        "a window of more bandwidth is to begin or to end, and nothing does it",
        """
        SELECT i.public_id, w.state, w.mbps, w.starts_at, w.ends_at FROM orders_bandwidth_window w
        JOIN instances_instance i ON i.id = w.subscription_id
        WHERE w.state IN ('waiting', 'in_force') AND (NOT EXISTS (
            SELECT FROM worker_operation o
            WHERE o.kind IN ('window', 'window_speed') AND o.subject_id = i.id AND NOT o.attention)
          OR (i.latest_operation_state <> 'OPERATING'
              AND CASE w.state WHEN 'waiting' THEN w.starts_at ELSE w.ends_at END < %(late)s))
        """,
    ),
    (
        "less bandwidth of a renewal is to be in force, and nothing does it",
        """
        SELECT i.public_id, l.mbps, l.from_at FROM orders_lower_bandwidth l
        JOIN instances_instance i ON i.id = l.subscription_id
        WHERE l.state = 'waiting' AND (NOT EXISTS (
            SELECT FROM worker_operation o
            WHERE o.kind = 'lower_bandwidth' AND o.subject_id = i.id AND NOT o.attention)
          OR (i.latest_operation_state <> 'OPERATING' AND l.from_at < %(late)s))
        """,
    ),
    (
        "the notice of a spot machine is to end it, and nothing does",
        """
        SELECT i.public_id, i.state, i.reclaim_at FROM instances_instance i
        WHERE i.charge_type = 'SPOTPAID' AND i.reclaim_at IS NOT NULL
          AND i.state NOT IN ('TERMINATING', 'GONE', 'LAUNCH_FAILED') AND (NOT EXISTS (
            SELECT FROM worker_operation o WHERE o.kind = 'reclaim' AND o.subject_id = i.id AND NOT o.attention)
          OR (i.latest_operation_state <> 'OPERATING' AND i.reclaim_at < %(late)s))
        """,
    ),
    (
        "a host's counters are not the sum of its allocations",
        """
        SELECT h.zone_id, h.name, h.vcpu_used, h.memory_used_mib, h.disk_used_gib FROM placement_host h
        LEFT JOIN (SELECT host_id, sum(vcpu) AS vcpu, sum(memory_mib) AS memory, sum(disk_gib) AS disk
                   FROM (SELECT host_id, vcpu, memory_mib, disk_gib FROM placement_allocation
                         UNION ALL SELECT left_host_id, 0, 0, disk_gib FROM placement_allocation) AS held
                   GROUP BY 1) AS a ON a.host_id = h.id
        WHERE (h.vcpu_used, h.memory_used_mib, h.disk_used_gib)
              <> (coalesce(a.vcpu, 0), coalesce(a.memory, 0), coalesce(a.disk, 0))
        """,
    ),
    (
        "machines of a placement group lie closer than it allows",
        """
        SELECT g.public_id, min(h.name) AS host, count(*) AS machines, g.affinity FROM placement_member member
        JOIN placement_group g ON g.id = member.group_id
        JOIN placement_allocation a USING (instance_id) JOIN placement_host h ON h.id = a.host_id
        GROUP BY g.id, CASE WHEN g.apart = 'RACK' THEN h.zone_id || ' ' || h.rack ELSE h.id::text END
        HAVING count(*) > g.affinity
        """,
    ),
    (
        "an allocation or address is held by a machine that is gone or failed",
        """
        SELECT i.public_id FROM instances_instance i WHERE (i.state = 'GONE' OR (i.state = 'LAUNCH_FAILED'
          AND NOT EXISTS (SELECT FROM worker_operation w WHERE w.kind = 'deliver' AND w.subject_id = i.id))) AND (
          EXISTS (SELECT FROM placement_allocation a WHERE a.instance_id = i.id)
          OR EXISTS (SELECT FROM network_public_address a WHERE a.instance_id = i.id)
          OR EXISTS (SELECT FROM network_private_address a WHERE a.instance_id = i.id)
          OR EXISTS (SELECT FROM network_ipv6_address a WHERE a.instance_id = i.id))
        """,
    ),
    (
        "a machine shows a private address that it does not hold",
        """
        SELECT i.public_id, i.private_ip FROM instances_instance i WHERE i.state NOT IN ('GONE', 'LAUNCH_FAILED')
          AND NOT EXISTS (SELECT FROM network_private_address a
                          WHERE a.instance_id = i.id AND a.subnet_id = i.subnet_id AND a.ip = i.private_ip)
        """,
    ),
    (
        "a machine holds a second private address and is not on its way there, or it is held by no machine",
        """
        SELECT i.public_id, a.ip FROM network_private_address a
        LEFT JOIN instances_instance i ON i.id = abs(a.instance_id)
        WHERE i.id IS NULL OR (a.instance_id < 0 AND NOT EXISTS (
          SELECT FROM worker_operation w WHERE w.kind IN ('move', 'network') AND w.subject_id = i.id))
        """,
    ),
    (
        "a machine shows a public address that is not its own",
        """
        SELECT i.public_id, i.public_ip FROM instances_instance i WHERE i.public_ip IS NOT NULL AND NOT EXISTS (
          SELECT FROM network_public_address a WHERE a.instance_id = i.id AND a.ip = i.public_ip)
        """,
    ),
    (
        "a machine shows an IPv6 address that is not its own, or holds one that it does not show",
        """
        SELECT i.public_id, i.ipv6, a.ip AS held FROM instances_instance i
        JOIN network_ipv6_address a ON a.instance_id = i.id
        WHERE (i.state NOT IN ('GONE', 'LAUNCH_FAILED') AND i.ipv6 IS DISTINCT FROM a.ip)
           OR a.zone_id <> i.zone_id OR a.account_id <> i.account_id
        UNION ALL
        SELECT i.public_id, i.ipv6, NULL FROM instances_instance i WHERE i.ipv6 IS NOT NULL AND NOT EXISTS (
          SELECT FROM network_ipv6_address a WHERE a.instance_id = i.id)
        UNION ALL
        SELECT NULL, NULL, a.ip FROM network_ipv6_address a WHERE NOT EXISTS (
          SELECT FROM instances_instance i WHERE i.id = a.instance_id)
        """,
    ),
    (
        "a bought public address is not held in its zone's pool, or one is held for nothing",
        """
        SELECT e.public_id, e.state, e.ip, a.ip AS held FROM network_eip e
        LEFT JOIN network_public_address a ON a.instance_id = e.id
        WHERE (e.state = 'GONE') <> (a.ip IS NULL) OR e.ip IS DISTINCT FROM a.ip OR a.zone_id <> e.zone_id
           OR a.account_id <> e.account_id
        UNION ALL
        SELECT NULL, NULL, NULL, a.ip FROM network_public_address a WHERE a.instance_id IS NOT NULL AND NOT EXISTS (
          SELECT FROM subscriptions_subscription b WHERE b.id = a.instance_id AND b.kind IN ('machine', 'address'))
        """,
    ),
    (
        "a machine has two public addresses, or one of another account or zone",
        """
        SELECT i.public_id, e.public_id AS eip, e.ip FROM network_eip e
        JOIN instances_instance i ON i.id = e.instance_id
        WHERE i.public_ip_wanted OR i.account_id <> e.account_id OR i.zone_id <> e.zone_id
           OR (i.state = 'GONE' AND e.state = 'BIND')
        """,
    ),
    (
        "a bought public address is being worked on and nothing works on it",
        """
        SELECT e.public_id, e.state, e.latest_operation FROM network_eip e
        WHERE e.latest_operation_state = 'OPERATING'
          AND NOT EXISTS (SELECT FROM worker_operation w WHERE w.subject_kind = 'address' AND w.subject_id = e.id)
        """,
    ),
    (
        "an image is being worked on and nothing works on it",
        """
        SELECT o.public_id, o.state, o.latest_operation FROM storage_image o
        WHERE o.latest_operation_state = 'OPERATING'
          AND NOT EXISTS (SELECT FROM worker_operation w WHERE w.subject_kind = 'own_image' AND w.subject_id = o.id)
        """,
    ),
    (
        "what the seller moved by hand does not say why, or is not the ledger's",
        """
        SELECT coalesce(t.id, h.transfer_id) AS id, t.kind, t.amount_minor, h.amount_minor AS said_minor
        FROM (SELECT id, account_id, kind, amount_minor FROM ledger_transfer WHERE kind IN ('credit', 'debit')) AS t
        FULL JOIN ledger_by_hand h ON h.transfer_id = t.id
        WHERE (t.account_id, CASE t.kind WHEN 'credit' THEN t.amount_minor ELSE -t.amount_minor END)
              IS DISTINCT FROM (h.account_id, h.amount_minor)
        """,
    ),
    (
        "an order that is being delivered has nothing left to deliver",
        """
        SELECT o.id, o.status FROM orders_order o WHERE o.status = 3
          AND NOT EXISTS (SELECT FROM orders_line l WHERE l.order_id = o.id AND l.state = 'delivering')
        """,
    ),
    (
        "a machine is being delivered and nothing works on it",
        """
        SELECT i.public_id FROM instances_instance i WHERE i.state = 'PENDING'
          AND NOT EXISTS (SELECT FROM worker_operation w WHERE w.kind = 'deliver' AND w.subject_id = i.id)
        """,
    ),
    (
        "a machine is being worked on and nothing works on it",  # or on a disk, snapshot or address that is with it
        """
        SELECT i.public_id, i.state, i.latest_operation FROM instances_instance i
        WHERE i.latest_operation_state = 'OPERATING' AND i.state NOT IN ('PENDING', 'LAUNCH_FAILED', 'GONE')
          AND NOT EXISTS (SELECT FROM worker_operation w WHERE w.due_at <= %(now)s AND w.kind <> ALL (%(timers)s) AND (
            (w.subject_kind = 'machine' AND w.subject_id = i.id)
            OR (w.subject_kind = 'disk' AND w.subject_id IN (
              SELECT d.id FROM storage_disk d WHERE d.instance_id = i.id))
            OR (w.subject_kind = 'snapshot' AND w.subject_id IN (
              SELECT n.id FROM storage_snapshot n JOIN storage_disk d ON d.id = n.disk_id WHERE d.instance_id = i.id))
            OR (w.subject_kind = 'address' AND w.subject_id IN (
              SELECT e.id FROM network_eip e WHERE e.instance_id = i.id))))
        """,
    ),
)


def reconcile() -> Iterator[str]:
    """Each difference as a sentence; nothing when everything agrees."""
    now = clock.now()
    known = {"places": exponent(shop.current().currency), "late": now - _LATE, "now": now, "timers": _TIMERS}
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute("SET LOCAL statement_timeout = '10min'")
        found = [
            (what, row)
            for what, query in (
                *_CHECKS,
                *reconcile_charges.CHECKS,
                *reconcile_packages.CHECKS,
                *reconcile_cards.CHECKS,
            )
            for row in db.rows(query, **known)
        ]
    for what, row in found:
        yield f"{what}: " + ", ".join(f"{name} {value}" for name, value in row.items())
    for zone in Zone.objects.order_by("position").values_list("code", flat=True):
        yield from reconcile_engines.differences(zone)
