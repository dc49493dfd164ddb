-- The close of one clock hour for the accounts in (_low, _high], in one commit: charges, one deduction an
-- account, holds of machines that ended, arrears. This file is the one place that names the tables of
-- several rooms (ADR 0004): the hot path is one pass over segments.
--
-- Exactly once: under the account locks, what is charged already is seen and left alone; the key of charges
-- and the deduction's id out of (account, hour) stand behind that. The pure rule is pricing.hour.charge_hour;
-- the test proves them equal.
--
-- The settings keep the plan what it is meant to be whatever the statistics say (a table that an hour has just
-- filled was analysed empty): each account's and each component's rows by index, prices by hash.
CREATE FUNCTION fn.settlement_close(
  _hour timestamptz, _month_start timestamptz, _places int, _low bigint, _high bigint, _now timestamptz,
  _except bigint[]
) RETURNS TABLE (charges bigint, deducted_minor bigint)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashagg = off SET enable_memoize = off
SET work_mem = '32MB' SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  _end timestamptz := _hour + interval '1 hour';
  _previous timestamptz := greatest(_month_start, _hour - interval '1 hour');
  _accounts bigint[];
  _amounts bigint[];
  _charges bigint;
  _deducted bigint := 0;
BEGIN
  PERFORM FROM ledger_purses WHERE account_id > _low AND account_id <= _high ORDER BY account_id FOR NO KEY UPDATE;

  WITH account AS MATERIALIZED (
    SELECT account_id FROM ledger_purses
    WHERE account_id > _low AND account_id <= _high AND account_id <> ALL (_except)
  ), version AS MATERIALIZED (  -- the price books in force, each with its seconds of this hour
    SELECT id, greatest(extract(epoch FROM effective_at - _hour), 0)::bigint AS from_s,
           least(extract(epoch FROM ends_at - _hour), 3600)::bigint AS to_s
    FROM pricing_book WHERE effective_at < _end AND (ends_at IS NULL OR ends_at > _hour)
    UNION ALL  -- before the first one nothing has a price
    SELECT NULL, 0, least(extract(epoch FROM min(effective_at) - _hour), 3600)::bigint
    FROM pricing_book HAVING coalesce(min(effective_at), 'infinity') > _hour
  ), used AS MATERIALIZED (  -- what was in use; seconds count from the start of the hour
    SELECT s.account_id, instance_id, component, price_key, quantity, age_s,
           date_part('epoch', started_at - _hour)::bigint AS start_s, NULL::bigint AS end_s
    FROM account CROSS JOIN LATERAL (
      SELECT * FROM metering_segment s WHERE s.account_id = account.account_id AND ended_at IS NULL OFFSET 0) AS s
    WHERE started_at < _end AND component <> 'traffic'
    UNION ALL
    SELECT s.account_id, instance_id, component, price_key, quantity, age_s,
           date_part('epoch', started_at - _hour)::bigint, date_part('epoch', ended_at - _hour)::bigint
    FROM account CROSS JOIN LATERAL (
      SELECT * FROM metering_segment s WHERE s.account_id = account.account_id AND ended_at > _hour OFFSET 0) AS s
    WHERE started_at < _end AND component <> 'traffic'
  ), priced AS MATERIALIZED (  -- what one second costs × 3600, once per distinct (price, quantity, validity, tier)
    SELECT d.price_key, d.quantity, v.from_s, v.to_s, r.tier_from_s, r.tier_to_s,
           sum((least(d.quantity, r.step_to) - r.step_from) * r.rate) AS per_hour  -- null: no price is in force
    FROM (SELECT DISTINCT price_key, quantity FROM used) AS d
    CROSS JOIN version v
    LEFT JOIN pricing_rate r ON r.book_id = v.id AND r.price_key = d.price_key
                            AND (r.step_from < d.quantity OR r.step_from = 0)
    GROUP BY 1, 2, 3, 4, 5, 6
  ), part AS (
    SELECT u.account_id, u.instance_id, u.component, s.seconds,
           s.seconds * coalesce(p.per_hour, fn.settlement_no_price(u.price_key)) AS amount
    FROM used u JOIN priced p ON p.price_key = u.price_key AND p.quantity = u.quantity
    CROSS JOIN LATERAL (SELECT  -- least and greatest pass over null: an open end, a tier without bounds
      least(p.to_s, u.end_s, u.start_s - u.age_s + p.tier_to_s)
      - greatest(p.from_s, u.start_s, u.start_s - u.age_s + p.tier_from_s) AS seconds) AS s
    WHERE s.seconds > 0
  ), fresh AS (
    SELECT account_id, instance_id, component, sum(seconds)::int AS duration_s, 0::bigint AS out_bytes,
           round(sum(amount)::numeric(60, 30) / 3600, 8) AS exact
    FROM part GROUP BY 1, 2, 3
    UNION ALL
    SELECT account_id, instance_id, 'traffic', 0, sum(out_bytes)::bigint,
           round(sum(out_bytes * coalesce(r.rate, fn.settlement_no_price(t.price_key)))::numeric(60, 30)
                 / 1073741824, 8)
    FROM (
      SELECT s.account_id, instance_id, price_key, v.id AS book_id, sum(out_bytes) AS out_bytes
      FROM account CROSS JOIN LATERAL (
        SELECT *, date_part('epoch', at - _hour) AS at_s FROM metering_sample s
        WHERE s.account_id = account.account_id AND at >= _hour AND at < _end OFFSET 0) AS s
      JOIN version v ON s.at_s >= v.from_s AND s.at_s < v.to_s
      GROUP BY 1, 2, 3, 4) AS t
    LEFT JOIN pricing_rate r ON r.book_id = t.book_id AND r.price_key = t.price_key
    GROUP BY 1, 2
  ), total AS (
    SELECT f.*, coalesce(last.month_exact, (  -- none in the hour before: the last one of the month
      SELECT month_exact FROM bills_charge c
      WHERE c.account_id = f.account_id AND c.instance_id = f.instance_id AND c.component = f.component
        AND c.hour < _hour AND c.hour >= greatest(_month_start, (
          SELECT date_trunc('hour', min(started_at)) FROM metering_segment s
          WHERE s.instance_id = f.instance_id AND s.component = f.component))
      ORDER BY c.hour DESC, c.revision DESC LIMIT 1), 0) AS before
    FROM (SELECT * FROM fresh ORDER BY account_id, instance_id, component) AS f LEFT JOIN LATERAL (
      SELECT hour, month_exact FROM bills_charge c
      WHERE c.account_id = f.account_id AND c.instance_id = f.instance_id AND c.component = f.component
        AND c.hour >= _previous AND c.hour <= _hour
      ORDER BY c.hour DESC, c.revision DESC LIMIT 1
    ) AS last ON true
    WHERE last.hour IS DISTINCT FROM _hour  -- this hour is charged already
  ), charged AS (
    INSERT INTO bills_charge AS c (account_id, instance_id, component, hour, revision, duration_s, out_bytes, exact,
                                   month_exact, deducted_minor)
    SELECT account_id, instance_id, component, _hour, 0, duration_s, out_bytes, exact, before + exact,
           ((round(before + exact, _places) - round(before, _places)) * power(10::numeric, _places))::bigint
    FROM total
    RETURNING c.account_id, c.deducted_minor
  ), due AS (
    SELECT account_id, sum(c.deducted_minor)::bigint AS amount, count(*) AS rows FROM charged c GROUP BY account_id
  )
  SELECT coalesce(sum(rows), 0), array_agg(account_id ORDER BY account_id) FILTER (WHERE amount > 0),
         array_agg(amount ORDER BY account_id) FILTER (WHERE amount > 0)
  INTO _charges, _accounts, _amounts FROM due;

  IF _accounts IS NOT NULL THEN
    WITH paid AS MATERIALIZED (
      SELECT * FROM fn.ledger_deduct('hour', to_char(_hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24'),
                                     _accounts, _amounts, 'revenue', _now)
    ), below AS (
      SELECT p.account_id FROM paid p JOIN customers_account a ON a.id = p.account_id
      WHERE p.balance_minor < -a.credit_limit_minor
    ), queued AS (
      SELECT fn.worker_enqueue('arrears', array_agg(account_id), NULL, '', _now + interval '2 hours', '{}')
      FROM below HAVING count(*) > 0
    )
    SELECT coalesce(sum(gift_minor + cash_minor + owed_minor), 0) INTO _deducted
    FROM paid LEFT JOIN queued ON true;
  END IF;

  PERFORM fn.ledger_void(i.hold_id, _now) FROM instances_instance i
  WHERE i.account_id > _low AND i.account_id <= _high AND i.hold_id IS NOT NULL
    AND i.state IN ('SHUTDOWN', 'TERMINATING', 'GONE') AND i.isolated_at <= _end AND i.account_id <> ALL (_except);
  UPDATE instances_instance SET hold_id = NULL
  WHERE account_id > _low AND account_id <= _high AND hold_id IS NOT NULL
    AND state IN ('SHUTDOWN', 'TERMINATING', 'GONE') AND isolated_at <= _end AND account_id <> ALL (_except);
  RETURN QUERY SELECT _charges, _deducted;
END $$;

-- Usage without a price is an error of the account's close and never free.
CREATE FUNCTION fn.settlement_no_price(_key text) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RAISE EXCEPTION 'no price is in force for %', _key;
END $$;

-- Accounts that may have something to close in this hour, cut into batches: the upper bound of each.
CREATE FUNCTION fn.settlement_batches(_size int) RETURNS SETOF bigint
LANGUAGE sql STABLE AS $$
  SELECT max(account_id) FROM (
    SELECT account_id, (row_number() OVER (ORDER BY account_id) - 1) / _size AS batch FROM ledger_purses
  ) AS numbered GROUP BY batch ORDER BY 1
$$;
