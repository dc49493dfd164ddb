"""What ``vmart reconcile`` asks of what is charged by the hour: statements, deductions, usage."""

# (what is wrong, query whose rows are the differences)
CHECKS = (
    (
        "an account's statement is not the sum of its charges, or not rounded half-up",
        """
        SELECT account_id, month, c.exact_e8, c.deducted_minor, made.exact_e8 AS charged_e8 FROM bills_carry c
        FULL JOIN (SELECT account_id, statement_month AS month, sum(exact_e8) AS exact_e8
                   FROM bills_charge GROUP BY 1, 2) AS made USING (account_id, month)
        WHERE (c.exact_e8, c.deducted_minor)
              IS DISTINCT FROM (made.exact_e8, fn.bills_minor(made.exact_e8, fn.bills_unit(%(places)s)))
        """,
    ),
    (
        "an account's statement is not what the closes have deducted for it",
        """
        SELECT account_id, month, c.deducted_minor, coalesce(t.deducted, 0) AS booked FROM bills_carry c LEFT JOIN (
          SELECT part.account_id, part.month,
                 sum(CASE t.kind WHEN 'correction' THEN -t.amount_minor ELSE t.amount_minor END) AS deducted
          FROM (SELECT DISTINCT account_id, closed_in, statement_month AS month FROM bills_charge) AS part
          JOIN ledger_transfer t ON t.id = fn.kernel_transfer_id(
            'hour', part.account_id::text, fn.settlement_period(part.closed_in, part.month))
          GROUP BY 1, 2) AS t USING (account_id, month)
        WHERE c.deducted_minor <> coalesce(t.deducted, 0)
        """,
    ),
    (
        "a deduction or a correction has no charges",
        """
        SELECT t.id, t.kind, t.account_id FROM ledger_transfer t LEFT JOIN (
          SELECT DISTINCT fn.kernel_transfer_id('hour', account_id::text,
                                                fn.settlement_period(closed_in, statement_month)) AS id
          FROM (SELECT DISTINCT account_id, closed_in, statement_month FROM bills_charge) AS part) AS made USING (id)
        WHERE t.kind IN ('hour', 'correction') AND made.id IS NULL
        """,
    ),
    (
        "a charge is less than nothing over its revisions",
        """
        SELECT hour, account_id, subscription_id, component, sum(exact_e8) AS exact_e8 FROM bills_charge
        GROUP BY 1, 2, 3, 4 HAVING sum(exact_e8) < 0 OR sum(duration_s) < 0 OR sum(out_bytes) < 0
        """,
    ),
    (
        "the seconds charged are not the seconds used",
        """
        SELECT s.subscription_id, s.component, s.used, coalesce(c.charged, 0) AS charged FROM (
          SELECT account_id, subscription_id, component,
                 sum(extract(epoch FROM least(coalesce(ended_at, 'infinity'), h.closed_until)
                                        - least(started_at, h.closed_until)))::bigint AS used
          FROM metering_segment, metering_horizon h WHERE component <> 'traffic' GROUP BY 1, 2, 3) AS s
        LEFT JOIN (SELECT account_id, subscription_id, component, sum(duration_s) AS charged
                   FROM bills_charge GROUP BY 1, 2, 3) AS c USING (account_id, subscription_id, component)
        WHERE s.used <> coalesce(c.charged, 0)
          AND NOT EXISTS (SELECT FROM metering_amendment a WHERE a.account_id = s.account_id)
          AND NOT EXISTS (SELECT FROM settlement_stuck x WHERE x.account_id = s.account_id)
          AND NOT EXISTS (SELECT FROM settlement_hour WHERE closed_at IS NULL)
        """,
    ),
    (
        "the bytes charged are not the bytes sampled",
        """
        SELECT s.subscription_id, s.sampled, coalesce(c.charged, 0) AS charged FROM (
          SELECT account_id, subscription_id, sum(out_bytes) AS sampled FROM metering_sample, metering_horizon h
          WHERE at < h.closed_until GROUP BY 1, 2) AS s
        LEFT JOIN (SELECT account_id, subscription_id, sum(out_bytes) AS charged FROM bills_charge
                   WHERE component = 'traffic' GROUP BY 1, 2) AS c USING (account_id, subscription_id)
        WHERE s.sampled <> coalesce(c.charged, 0)
          AND NOT EXISTS (SELECT FROM settlement_stuck x WHERE x.account_id = s.account_id)
          AND NOT EXISTS (SELECT FROM settlement_hour WHERE closed_at IS NULL)
        """,
    ),
)
