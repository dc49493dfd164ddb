"""What ``vmart reconcile`` asks of bandwidth packages and of the addresses in them (ADR 0062)."""

# (what is wrong, query whose rows are the differences)
CHECKS = (
    (
        "a subscription stands otherwise than its bandwidth package, or is charged for another speed",
        """
        SELECT b.public_id, b.standing, k.state, k.bandwidth_mbps, i.quantity FROM subscriptions_subscription b
        LEFT JOIN network_package k ON k.id = b.id
        LEFT JOIN subscriptions_item i ON i.subscription_id = b.id AND i.to_at IS NULL
        WHERE b.kind = 'package' AND (b.standing IS DISTINCT FROM CASE
          WHEN k.state = 'GONE' THEN 'ended' WHEN b.isolated_at IS NOT NULL THEN 'isolated'
          WHEN k.state IS NOT NULL THEN 'active' END
          OR (k.state = 'CREATED'
              AND (i.component || ' by ' || i.mode, i.quantity) IS DISTINCT FROM ('package by hour', k.bandwidth_mbps)))
        """,
    ),
    (
        "a public address is in a bandwidth package that it cannot be in, or charged otherwise than that",
        """
        SELECT e.public_id, e.state, e.internet_charge_type, k.public_id AS package, k.state AS stands
        FROM network_eip e LEFT JOIN network_package k ON k.id = e.package_id
        WHERE e.state IN ('UNBIND', 'BINDING', 'BIND', 'UNBINDING') AND (
          (k.state = 'GONE' OR k.account_id <> e.account_id OR k.zone_id <> e.zone_id)
          OR ((e.package_id IS NOT NULL) <> (e.internet_charge_type = 'BANDWIDTH_PACKAGE')
              AND (e.latest_operation_state <> 'OPERATING' OR e.latest_operation NOT IN
                   ('AddBandwidthPackageResources', 'RemoveBandwidthPackageResources'))))
        """,
    ),
    (
        "a bandwidth package is being worked on and nothing works on it",
        """
        SELECT k.public_id, k.latest_operation FROM network_package k WHERE k.latest_operation_state = 'OPERATING'
          AND NOT EXISTS (SELECT FROM worker_operation w WHERE w.subject_kind = 'package' AND w.subject_id = k.id)
        """,
    ),
)
