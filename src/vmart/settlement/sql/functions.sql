-- The close of one clock hour for the accounts in (_low, _high], in one commit: charges, one deduction an
-- account, holds of machines that ended, arrears.
--
-- Exactly once: under the account locks, an account that has charges of the hour is left alone; the key of
-- charges and the deduction's id out of (account, hour) stand behind that.
CREATE FUNCTION fn.settlement_close(
  _hour timestamptz, _month_start timestamptz, _places int, _low bigint, _high bigint, _now timestamptz,
  _except bigint[]
) RETURNS TABLE (charges bigint, deducted_minor bigint)
LANGUAGE plpgsql AS $$
DECLARE
  _end timestamptz := _hour + interval '1 hour';
  _accounts bigint[];
  _amounts bigint[];
  _charges bigint;
  _deducted bigint := 0;
BEGIN
  PERFORM FROM ledger_purses WHERE account_id > _low AND account_id <= _high ORDER BY account_id FOR NO KEY UPDATE;

  SELECT made.charges, made.accounts, made.amounts INTO _charges, _accounts, _amounts
  FROM fn.settlement_charge(_hour, _month_start, _places, _low, _high, _except || ARRAY(
    SELECT DISTINCT account_id FROM bills_charge WHERE hour = _hour AND account_id > _low AND account_id <= _high
  )) AS made;

  IF _accounts IS NOT NULL THEN
    WITH paid AS MATERIALIZED (
      SELECT * FROM fn.ledger_deduct('hour', to_char(_hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24'),
                                     _accounts, _amounts, 'revenue', _now)
    ), overdrawn AS MATERIALIZED (
      SELECT account_id, balance_minor FROM paid WHERE balance_minor < 0
    ), below AS (
      SELECT o.account_id FROM overdrawn o JOIN customers_account a ON a.id = o.account_id
      WHERE o.balance_minor < -a.credit_limit_minor
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

-- The charges of one clock hour for the accounts in (_low, _high] but those excepted: how many they are, and what
-- is to be deducted from which account. Belongs into fn.settlement_close, which holds the account locks.
--
-- The pure rule is pricing.hour; a test proves them equal. Money is in whole 10^-8 here (_e8), so that all but
-- prices is integer arithmetic, and div(x + half of n, n) is x / n half-up. This is the one place that names the
-- tables of several rooms (ADR 0004): the hot path is one pass over segments.
--
-- The settings keep the plan what it is meant to be whatever the statistics say (a table that an hour has just
-- filled was analysed empty), and make it once a connection: rows by index, in its order, joined by hash.
CREATE FUNCTION fn.settlement_charge(
  _hour timestamptz, _month_start timestamptz, _places int, _low bigint, _high bigint, _except bigint[]
) RETURNS TABLE (charges bigint, accounts bigint[], amounts bigint[])
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_nestloop = off SET enable_mergejoin = off
SET enable_sort = off SET work_mem = '32MB' SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  _end timestamptz := _hour + interval '1 hour';
  _since timestamptz := greatest(_month_start, (SELECT min(start) FROM settlement_hour));  -- the month's first close
  _minor bigint := 10 ^ (8 - _places);  -- one minor unit
BEGIN
  RETURN QUERY
  WITH account AS MATERIALIZED (
    SELECT account_id FROM ledger_purses
    WHERE account_id > _low AND account_id <= _high AND account_id NOT IN (SELECT unnest(_except))
  ), version AS MATERIALIZED (  -- the price books in force, each with its seconds of this hour
    SELECT id, greatest(extract(epoch FROM effective_at - _hour), 0)::bigint AS from_s,
           least(extract(epoch FROM ends_at - _hour), 3600)::bigint AS to_s
    FROM pricing_book WHERE effective_at < _end AND (ends_at IS NULL OR ends_at > _hour)
    UNION ALL  -- before the first one nothing has a price
    SELECT NULL, 0, least(extract(epoch FROM min(effective_at) - _hour), 3600)::bigint
    FROM pricing_book HAVING coalesce(min(effective_at), 'infinity') > _hour
  ), ended AS MATERIALIZED (
    SELECT s.* FROM account CROSS JOIN LATERAL (
      SELECT * FROM metering_segment s WHERE s.account_id = account.account_id AND ended_at > _hour OFFSET 0) AS s
  ), used AS NOT MATERIALIZED (  -- scanned twice: cheaper than a copy
    SELECT account_id, instance_id, component, price_key, quantity, age_s, started_at, ended_at
    FROM metering_segment
    WHERE account_id > _low AND account_id <= _high AND account_id NOT IN (SELECT unnest(_except))
      AND ended_at IS NULL AND started_at < _end AND component <> 'traffic'
    UNION ALL
    SELECT account_id, instance_id, component, price_key, quantity, age_s, started_at, ended_at
    FROM ended WHERE started_at < _end AND component <> 'traffic'
  ), step AS MATERIALIZED (  -- an hour of a (whole) quantity in (above, up_to] costs quantity * rate + fixed
    SELECT k.price_key, v.from_s, v.to_s, r.tier_from_s, r.tier_to_s, r.rate,  -- null: no price is in force
           CASE WHEN r.step_from > 0 THEN floor(r.step_from) ELSE -1 END::bigint AS above,
           coalesce(floor(r.step_to), 9223372036854775807)::bigint AS up_to,
           coalesce(sum((r.step_to - r.step_from) * r.rate) OVER below, 0) - r.step_from * r.rate AS fixed
    FROM (SELECT DISTINCT price_key FROM pricing_rate WHERE book_id IN (SELECT id FROM version)) AS k
    CROSS JOIN version v LEFT JOIN pricing_rate r ON r.book_id = v.id AND r.price_key = k.price_key
    WINDOW below AS (PARTITION BY v.from_s, k.price_key, r.tier_from_s ORDER BY r.step_from
                     ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
  ), level AS MATERIALIZED (  -- one price the whole hour through; null: beyond bigint
    SELECT price_key, above, up_to, CASE WHEN rate < 10000000000 THEN rate * 100000000 END::bigint AS rate_e8,
           CASE WHEN abs(fixed) < 10000000000 THEN floor(fixed * 100000000 + 0.5) END::bigint AS fixed_e8
    FROM step WHERE from_s = 0 AND to_s = 3600 AND tier_from_s = 0 AND tier_to_s IS NULL
  ), part AS (  -- all other usage: the stretches of a segment in each validity and tier
    SELECT u.account_id, u.instance_id, u.component, s.seconds,
           s.seconds * coalesce(u.quantity * p.rate + p.fixed,
                                fn.settlement_stop('no price is in force for', u.price_key)) AS amount
    FROM (SELECT *, date_part('epoch', started_at - _hour)::bigint AS start_s,  -- seconds count from the hour's start
                 date_part('epoch', ended_at - _hour)::bigint AS end_s
          FROM used WHERE started_at > _hour OR ended_at IS NOT NULL
                       OR price_key NOT IN (SELECT price_key FROM level)) AS u
    LEFT JOIN step p ON p.price_key = u.price_key
                    AND (p.rate IS NULL OR u.quantity > p.above AND u.quantity <= p.up_to)
    CROSS JOIN LATERAL (SELECT  -- least and greatest pass over null: an open end, no price, no bounds of a tier
      least(3600, p.to_s, u.end_s, u.start_s - u.age_s + p.tier_to_s)
      - greatest(0, p.from_s, u.start_s, u.start_s - u.age_s + p.tier_from_s) AS seconds) AS s
    WHERE s.seconds > 0
  ), sample AS MATERIALIZED (
    SELECT s.*, date_part('epoch', at - _hour) AS at_s FROM account CROSS JOIN LATERAL (
      SELECT * FROM metering_sample s
      WHERE s.account_id = account.account_id AND at >= _hour AND at < _end OFFSET 0) AS s
  ), sampled AS (  -- each sample at the price of its instant
    SELECT s.account_id, s.instance_id, sum(s.out_bytes)::bigint AS out_bytes,
           sum(s.out_bytes * coalesce(p.rate, fn.settlement_stop('no price is in force for', s.price_key))) AS amount
    FROM sample s LEFT JOIN step p ON p.price_key = s.price_key AND s.at_s >= p.from_s AND s.at_s < p.to_s
    GROUP BY 1, 2
  ), fresh AS (
    SELECT u.account_id, u.instance_id, u.component, 3600 AS duration_s, 0::bigint AS out_bytes,
           coalesce(u.quantity * p.rate_e8 + p.fixed_e8,
                    fn.settlement_stop('more than can be kept is the price of', u.price_key)) AS exact_e8
    FROM used u JOIN level p ON p.price_key = u.price_key AND u.quantity > p.above AND u.quantity <= p.up_to
    WHERE u.started_at <= _hour AND u.ended_at IS NULL
    UNION ALL
    SELECT account_id, instance_id, component, sum(seconds)::int, 0,
           div(sum(amount) * 100000000 + 1800, 3600)::bigint
    FROM part GROUP BY 1, 2, 3
    UNION ALL
    SELECT account_id, instance_id, 'traffic', 0, out_bytes,
           div(amount * 100000000 + 536870912, 1073741824)::bigint
    FROM sampled
  ), total AS (
    SELECT f.*, coalesce(last.month_exact_e8, CASE WHEN _since < _hour THEN  -- none: the last one before that
      fn.bills_month_exact_e8(f.account_id, f.instance_id, f.component, greatest(_since, (
        SELECT date_trunc('hour', min(started_at)) FROM metering_segment s
        WHERE s.instance_id = f.instance_id AND s.component = f.component)), _hour - interval '1 hour') END, 0)
      AS before_e8
    FROM fresh f LEFT JOIN bills_charge last
      ON last.instance_id = f.instance_id AND last.component = f.component AND last.revision = 0
     AND last.account_id > _low AND last.account_id <= _high
     AND last.hour = _hour - interval '1 hour' AND last.hour >= _month_start
  ), charged AS (
    INSERT INTO bills_charge AS c (hour, account_id, instance_id, exact_e8, month_exact_e8, deducted_minor, out_bytes,
                                   duration_s, revision, component)
    SELECT _hour, account_id, instance_id, exact_e8, before_e8 + exact_e8,
           (before_e8 + exact_e8 + _minor / 2) / _minor - (before_e8 + _minor / 2) / _minor, out_bytes,
           duration_s, 0, component
    FROM total
    RETURNING c.account_id, c.deducted_minor
  ), due AS (
    SELECT account_id, sum(deducted_minor)::bigint AS amount, count(*) AS rows FROM charged GROUP BY account_id
  )
  SELECT coalesce(sum(rows), 0)::bigint, array_agg(account_id ORDER BY account_id) FILTER (WHERE amount > 0),
         array_agg(amount ORDER BY account_id) FILTER (WHERE amount > 0)
  FROM due;
END $$;

-- Usage without a price, or of one that cannot be counted, is an error of the account's close and never free.
CREATE FUNCTION fn.settlement_stop(_why text, _key text) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RAISE EXCEPTION '% %', _why, _key;
END $$;

-- Accounts that may have something to close in this hour, cut into equal batches of at most _size, as many for
-- each of _connections: the upper bound of each.
CREATE FUNCTION fn.settlement_batches(_size int, _connections int) RETURNS SETOF bigint
LANGUAGE sql STABLE AS $$
  SELECT ids[least(number, cardinality(ids))]
  FROM (SELECT array_agg(account_id ORDER BY account_id) AS ids FROM ledger_purses) AS purses
  CROSS JOIN LATERAL (SELECT ceil(cardinality(ids) / (_size * _connections)::numeric) * _connections AS batches) AS cut
  CROSS JOIN LATERAL (SELECT ceil(cardinality(ids) / batches)::int AS size) AS parts
  CROSS JOIN generate_series(size, cardinality(ids) + size - 1, size) AS number
$$;
