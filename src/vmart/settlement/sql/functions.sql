-- The close of one clock hour for the accounts in (_low, _high], in one commit: charges, their part of the accounts'
-- statements, one deduction an account and statement, holds of machines that ended or are paid ahead now, arrears.
-- _oldest is the oldest statement month that is still open.
--
-- Exactly once: under the account locks, an account whose statements have taken in this hour is left alone; the key of
-- charges and the deduction's id out of (account, closing hour, statement month) stand behind that.
CREATE FUNCTION fn.settlement_close(
  _hour timestamptz, _zone text, _oldest date, _places int, _low bigint, _high bigint, _now timestamptz,
  _except bigint[], _grace interval
) RETURNS TABLE (charges bigint, deducted_minor bigint, credited bigint[])
LANGUAGE plpgsql AS $$
DECLARE
  _end timestamptz := _hour + interval '1 hour';
  _part record;
  _credit record;
  _over bigint[];
BEGIN
  PERFORM FROM ledger_purses WHERE account_id > _low AND account_id <= _high ORDER BY account_id FOR NO KEY UPDATE;
  charges := 0;
  deducted_minor := 0;
  credited := '{}';
  FOR _part IN
    SELECT * FROM fn.settlement_charge(_hour, _zone, _oldest, _places, _low, _high, _except || ARRAY(
      SELECT account_id FROM bills_carry WHERE account_id > _low AND account_id <= _high AND closed_through >= _hour
    )) ORDER BY month
  LOOP
    charges := charges + _part.charges;
    FOR _credit IN
      SELECT * FROM jsonb_to_recordset(_part.credits) AS line (account bigint, amount bigint, hours text[])
    LOOP
      PERFORM fn.settlement_give_back(_credit.account, _credit.amount, _credit.hours::timestamptz[], _hour, _part.month,
                                      _now);
      deducted_minor := deducted_minor - _credit.amount;
      credited := credited || _credit.account;
    END LOOP;
    IF _part.accounts IS NOT NULL THEN
      deducted_minor := deducted_minor + fn.settlement_deduct(_hour, _part.month, _part.accounts, _part.amounts, _now,
                                                             _grace);
    END IF;
  END LOOP;

  -- A bundle that is paid ahead now: until all that it was charged by the hour is deducted.
  _over := ARRAY(
    SELECT s.id FROM subscriptions_subscription s
    WHERE s.account_id > _low AND s.account_id <= _high AND s.hold_id IS NOT NULL AND s.charge_type = 'PREPAID'
      AND s.standing = 'active' AND s.account_id <> ALL (_except)
      AND NOT EXISTS (SELECT FROM subscriptions_subscription part JOIN subscriptions_item term
                        ON term.subscription_id = part.id
                      WHERE part.bundle_id = s.id AND term.mode = 'hour' AND term.to_at > _end));
  PERFORM fn.ledger_void(hold_id, _now) FROM subscriptions_subscription WHERE id = ANY (_over);
  UPDATE subscriptions_subscription SET hold_id = NULL WHERE id = ANY (_over);
  PERFORM fn.ledger_void(s.hold_id, _now) FROM subscriptions_subscription s
  WHERE s.account_id > _low AND s.account_id <= _high AND s.hold_id IS NOT NULL
    AND s.standing IN ('isolated', 'ended') AND s.isolated_at <= _end AND s.account_id <> ALL (_except);
  UPDATE subscriptions_subscription SET hold_id = NULL
  WHERE account_id > _low AND account_id <= _high AND hold_id IS NOT NULL
    AND standing IN ('isolated', 'ended') AND isolated_at <= _end AND account_id <> ALL (_except);
  RETURN NEXT;
END $$;

-- Close hours in a row from _first on for all accounts, each as of its own end, as many as _oldest names oldest open
-- statement months for, but only until something else is due: that comes first. How many hours that were.
-- The caller has locked all accounts, also those that do not exist yet.
CREATE FUNCTION fn.settlement_close_ahead(
  _first timestamptz, _zone text, _oldest date[], _places int, _grace interval[]
) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
  _closed int := 0;
  _hour timestamptz := _first;
  _end timestamptz;
BEGIN
  WHILE _closed < cardinality(_oldest) LOOP
    _end := _hour + interval '1 hour';
    EXIT WHEN fn.worker_due(_end) OR EXISTS (SELECT FROM metering_amendment);
    UPDATE metering_horizon SET closed_until = _end;
    INSERT INTO settlement_hour (start, closed_at, charges, deducted_minor)
    SELECT _hour, _end, charges, deducted_minor
    FROM fn.settlement_close(_hour, _zone, _oldest[_closed + 1], _places, 0, 9223372036854775807, _end, '{}',
                             _grace[_closed + 1]);
    _closed := _closed + 1;
    _hour := _end;
  END LOOP;
  RETURN _closed;
END $$;

-- Deduct what the close of _hour takes for the statement of _month, the arrays in one order; who is below his credit
-- limit then has _grace. The sum.
CREATE FUNCTION fn.settlement_deduct(
  _hour timestamptz, _month date, _accounts bigint[], _amounts bigint[], _now timestamptz, _grace interval
) RETURNS bigint
LANGUAGE sql AS $$
  WITH paid AS MATERIALIZED (
    SELECT * FROM fn.ledger_deduct('hour', fn.settlement_period(_hour, _month), _accounts, _amounts, 'revenue', _now)
  ), overdrawn AS MATERIALIZED (
    SELECT account_id, balance_minor FROM paid WHERE balance_minor < 0
  ), below AS (
    SELECT o.account_id FROM overdrawn o JOIN customers_account a ON a.id = o.account_id
    WHERE o.balance_minor < -a.credit_limit_minor
  ), queued AS (
    SELECT fn.worker_enqueue('arrears', 'account', array_agg(account_id), NULL, '', _now + _grace, '{}')
    FROM below HAVING count(*) > 0
  )
  SELECT coalesce(sum(gift_minor + cash_minor + owed_minor), 0)::bigint FROM paid LEFT JOIN queued ON true
$$;

-- What one close deducts for one statement, or gives back: the period in the id of that transfer.
CREATE FUNCTION fn.settlement_period(_hour timestamptz, _month date) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT to_char(_hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24') || to_char(_month, '/YYYY-MM')
$$;

-- The charges of one clock hour for the accounts in (_low, _high] but those excepted, and what they change in the
-- accounts' statements. A row a statement month: how many charges, what is deducted from which account, and credits
-- ([{account, amount, hours}], hours: those that are charged less than before). Belongs into fn.settlement_close,
-- which holds the account locks.
--
-- The account's rule is pricing.hour.deducted_minor: half-up of the month's exact total with this close, less the
-- same before it. The settings keep the plan what it is meant to be whatever the statistics say (a table that an hour
-- has just filled was analysed empty), and make it once a connection: rows by index, in its order, joined by hash.
CREATE FUNCTION fn.settlement_charge(
  _hour timestamptz, _zone text, _oldest date, _places int, _low bigint, _high bigint, _except bigint[]
) RETURNS TABLE (month date, charges bigint, accounts bigint[], amounts bigint[], credits jsonb)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_nestloop = off SET enable_mergejoin = off
SET enable_sort = off SET work_mem = '32MB' SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  _month date := fn.bills_statement_month(_hour, _zone, _oldest);
  _unit numeric := fn.bills_unit(_places);
BEGIN
  RETURN QUERY
  WITH charged AS (
    INSERT INTO bills_charge AS c (hour, account_id, subscription_id, exact_e8, out_bytes, closed_in, duration_s,
                                   statement_month, revision, component)
    SELECT _hour, account_id, subscription_id, exact_e8, out_bytes, _hour, duration_s, _month, 0, component
    FROM fn.settlement_cost(_hour, _low, _high, _except)
    RETURNING c.account_id, c.exact_e8
  ), amended AS MATERIALIZED (
    SELECT * FROM fn.settlement_amend(_hour, _zone, _oldest, _low, _high, _except)
  ), due AS MATERIALIZED (
    SELECT account_id, month, sum(exact_e8) AS exact_e8, count(*) AS rows,
           array_agg(hour) FILTER (WHERE exact_e8 < 0) AS hours
    FROM (SELECT account_id, _month AS month, exact_e8, NULL::timestamptz AS hour FROM charged
          UNION ALL SELECT account_id, month, exact_e8, hour FROM amended) AS line
    GROUP BY account_id, month
  ), carry AS (
    INSERT INTO bills_carry AS c (account_id, month, exact_e8, deducted_minor, closed_through)
    SELECT account_id, month, exact_e8, fn.bills_minor(exact_e8, _unit), _hour FROM due
    ON CONFLICT (account_id, month) DO UPDATE SET
      exact_e8 = c.exact_e8 + excluded.exact_e8, closed_through = excluded.closed_through,
      deducted_minor = fn.bills_minor(c.exact_e8 + excluded.exact_e8, _unit)
    RETURNING c.account_id, c.month, c.exact_e8, c.deducted_minor
  ), changed AS (
    SELECT month, d.account_id, d.rows, d.hours,
           c.deducted_minor - fn.bills_minor(c.exact_e8 - d.exact_e8, _unit) AS amount
    FROM due d JOIN carry c USING (account_id, month)
  )
  SELECT month, sum(rows)::bigint, array_agg(account_id ORDER BY account_id) FILTER (WHERE amount > 0),
         array_agg(amount ORDER BY account_id) FILTER (WHERE amount > 0),
         coalesce(jsonb_agg(jsonb_build_object('account', account_id, 'amount', -amount, 'hours', hours))
                  FILTER (WHERE amount < 0), '[]')
  FROM changed GROUP BY month;
END $$;

-- Charge anew the hours, closed before this one, in which an account's usage has changed since: the difference is a
-- further revision of the charge, which this close takes in. Those rows.
CREATE FUNCTION fn.settlement_amend(
  _hour timestamptz, _zone text, _oldest date, _low bigint, _high bigint, _except bigint[]
) RETURNS TABLE (account_id bigint, month date, hour timestamptz, exact_e8 bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  _amended record;
BEGIN
  FOR _amended IN
    WITH taken AS (
      DELETE FROM metering_amendment a
      WHERE a.account_id > _low AND a.account_id <= _high AND a.hour <= _hour AND a.account_id <> ALL (_except)
      RETURNING a.account_id, a.hour)
    SELECT account_id, hour FROM taken WHERE hour < _hour ORDER BY account_id, hour  -- its own charges see the usage as it is
  LOOP
    RETURN QUERY
    INSERT INTO bills_charge AS c (hour, account_id, subscription_id, exact_e8, out_bytes, closed_in, duration_s,
                                   statement_month, revision, component)
    SELECT _amended.hour, _amended.account_id, subscription_id,
           coalesce(used.exact_e8, 0) - coalesce(made.exact_e8, 0),
           coalesce(used.out_bytes, 0) - coalesce(made.out_bytes, 0), _hour,
           coalesce(used.duration_s, 0) - coalesce(made.duration_s, 0),
           fn.bills_statement_month(_amended.hour, _zone, _oldest), coalesce(made.revision, 0) + 1, component
    FROM fn.settlement_cost(_amended.hour, _amended.account_id - 1, _amended.account_id, '{}') AS used
    FULL JOIN (
      SELECT subscription_id, component, sum(exact_e8)::bigint AS exact_e8, sum(out_bytes)::bigint AS out_bytes,
             sum(duration_s)::int AS duration_s, max(revision) AS revision
      FROM bills_charge WHERE hour = _amended.hour AND account_id = _amended.account_id GROUP BY 1, 2
    ) AS made USING (subscription_id, component)
    WHERE (coalesce(used.exact_e8, 0), coalesce(used.out_bytes, 0), coalesce(used.duration_s, 0))
          <> (coalesce(made.exact_e8, 0), coalesce(made.out_bytes, 0), coalesce(made.duration_s, 0))
    RETURNING c.account_id, c.statement_month, c.hour, c.exact_e8;
  END LOOP;
END $$;

-- Give _amount back, which the close of _hour takes off the statement of _month: in gift and cash as the closes of
-- the hours that are charged less had been paid.
CREATE FUNCTION fn.settlement_give_back(
  _account bigint, _amount bigint, _hours timestamptz[], _hour timestamptz, _month date, _now timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  _gift bigint;
  _all bigint;
BEGIN
  SELECT coalesce(-sum(amount_minor) FILTER (WHERE book = 'gift'), 0), coalesce(-sum(amount_minor), 0)
  INTO _gift, _all
  FROM ledger_entry
  WHERE account_id = _account AND balance_after IS NOT NULL
    AND at >= (SELECT min(hour) FROM unnest(_hours) AS hour) AND transfer_id IN (
      SELECT fn.kernel_transfer_id('hour', _account::text, fn.settlement_period(hour, statement_month))
      FROM bills_charge WHERE account_id = _account AND hour = ANY (_hours) AND revision = 0);
  PERFORM fn.ledger_give_back(
    fn.kernel_transfer_id('hour', _account::text, fn.settlement_period(_hour, _month)), 'correction', _account,
    _amount, _gift, _all, 'revenue', _now);
END $$;

-- What all usage of one clock hour costs the accounts in (_low, _high] but those excepted: a row for each component.
--
-- The pure rule is pricing.hour; a test proves them equal. Money is in whole 10^-8 here (_e8), so that all but
-- prices is integer arithmetic, and div(x + half of n, n) is x / n half-up. This is the one place that names the
-- tables of several rooms (ADR 0004): the hot path is one pass over segments. The planner puts the function's query
-- in the place of its call: it is STABLE, has one statement and no settings of its own.
CREATE FUNCTION fn.settlement_cost(_hour timestamptz, _low bigint, _high bigint, _except bigint[])
RETURNS TABLE (account_id bigint, subscription_id bigint, component varchar, duration_s int, out_bytes bigint,
               exact_e8 bigint)
LANGUAGE sql STABLE AS $$
  WITH account AS MATERIALIZED (
    SELECT account_id FROM ledger_purses
    WHERE account_id > _low AND account_id <= _high AND account_id NOT IN (SELECT unnest(_except))
  ), version AS MATERIALIZED (  -- the price books in force, each with its seconds of this hour
    SELECT id, greatest(extract(epoch FROM effective_at - _hour), 0)::bigint AS from_s,
           least(extract(epoch FROM ends_at - _hour), 3600)::bigint AS to_s
    FROM pricing_book WHERE effective_at < (_hour + interval '1 hour') AND (ends_at IS NULL OR ends_at > _hour)
    UNION ALL  -- before the first one nothing has a price
    SELECT NULL, 0, least(extract(epoch FROM min(effective_at) - _hour), 3600)::bigint
    FROM pricing_book HAVING coalesce(min(effective_at), 'infinity') > _hour
  ), ended AS MATERIALIZED (
    SELECT s.* FROM account CROSS JOIN LATERAL (
      SELECT * FROM metering_segment s WHERE s.account_id = account.account_id AND ended_at > _hour OFFSET 0) AS s
  ), used AS NOT MATERIALIZED (  -- scanned twice: cheaper than a copy
    SELECT account_id, subscription_id, component, price_key, quantity, age_s, started_at, ended_at
    FROM metering_segment
    WHERE account_id > _low AND account_id <= _high AND account_id NOT IN (SELECT unnest(_except))
      AND ended_at IS NULL AND started_at < (_hour + interval '1 hour') AND component <> 'traffic'
    UNION ALL
    SELECT account_id, subscription_id, component, price_key, quantity, age_s, started_at, ended_at
    FROM ended WHERE started_at < (_hour + interval '1 hour') AND component <> 'traffic'
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
    SELECT u.account_id, u.subscription_id, u.component, s.seconds,
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
  ), paid AS MATERIALIZED (  -- accounts that pay a part of list prices in this hour
    SELECT account_id, part_e4 FROM (
      SELECT DISTINCT ON (account_id) account_id, (factor * 10000)::bigint AS part_e4 FROM customers_discount
      WHERE account_id > _low AND account_id <= _high AND from_at <= _hour ORDER BY account_id, from_at DESC) AS held
    WHERE part_e4 < 10000
  ), sample AS MATERIALIZED (
    SELECT s.*, date_part('epoch', at - _hour) AS at_s FROM account CROSS JOIN LATERAL (
      SELECT * FROM metering_sample s
      WHERE s.account_id = account.account_id AND at >= _hour AND at < (_hour + interval '1 hour') OFFSET 0) AS s
  ), sampled AS (  -- each sample at the price of its instant
    SELECT s.account_id, s.subscription_id, sum(s.out_bytes)::bigint AS out_bytes,
           sum(s.out_bytes * coalesce(p.rate, fn.settlement_stop('no price is in force for', s.price_key))) AS amount
    FROM sample s LEFT JOIN step p ON p.price_key = s.price_key AND s.at_s >= p.from_s AND s.at_s < p.to_s
    GROUP BY 1, 2
  ), fresh AS (
    SELECT u.account_id, u.subscription_id, u.component, 3600 AS duration_s, 0::bigint AS out_bytes,
           coalesce(u.quantity * p.rate_e8 + p.fixed_e8,
                    fn.settlement_stop('more than can be kept is the price of', u.price_key)) AS exact_e8
    FROM used u JOIN level p ON p.price_key = u.price_key AND u.quantity > p.above AND u.quantity <= p.up_to
    WHERE u.started_at <= _hour AND u.ended_at IS NULL
    UNION ALL
    SELECT account_id, subscription_id, component, sum(seconds)::int, 0,
           div(sum(amount) * 100000000 + 1800, 3600)::bigint
    FROM part GROUP BY 1, 2, 3
    UNION ALL
    SELECT account_id, subscription_id, 'traffic', 0, out_bytes,
           div(amount * 100000000 + 536870912, 1073741824)::bigint
    FROM sampled
  )
  SELECT account_id, subscription_id, component, duration_s, out_bytes,
         CASE WHEN paid.part_e4 IS NULL THEN exact_e8
              ELSE div(exact_e8::numeric * paid.part_e4 + 5000, 10000)::bigint END
  FROM fresh LEFT JOIN paid USING (account_id)
$$;

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
