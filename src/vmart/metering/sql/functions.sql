-- The instant at which a segment may start or end: never inside what is closed or being closed.
-- Called under the account lock: the close moves the horizon first and takes the account locks after,
-- so whoever holds the lock either is seen by the close or sees its horizon.
CREATE FUNCTION fn.metering_instant(_at timestamptz) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE AS $$  -- volatile: reads by its own snapshot, taken after the lock
BEGIN
  RETURN greatest(date_trunc('second', _at), (SELECT closed_until FROM metering_horizon));
END $$;

-- Begin charging what bundles use (fn.subscriptions_used) at an instant from fn.metering_instant. Each component goes
-- on where its tier clock stood, not before it ended by the clock of a host that is ahead; the clock of another price
-- key, which is another type, begins anew. One that is being charged already stays as it is.
CREATE FUNCTION fn.metering_start(_bundles bigint[], _paused bigint[], _at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO metering_segment (account_id, subscription_id, component, price_key, quantity, age_s, started_at)
  SELECT used.account_id, used.subscription_id, used.component, used.price_key, used.quantity,
         CASE WHEN last.price_key = used.price_key THEN last.age_s ELSE 0 END, greatest(_at, last.ended_at)
  FROM fn.subscriptions_used(_bundles, _paused) AS used
  LEFT JOIN LATERAL (
    SELECT s.age_s + extract(epoch FROM s.ended_at - s.started_at)::bigint AS age_s, s.ended_at, s.price_key
    FROM metering_segment s WHERE s.subscription_id = used.subscription_id AND s.component = used.component
    ORDER BY s.started_at DESC, s.id DESC LIMIT 1) AS last ON true
  WHERE NOT EXISTS (SELECT FROM metering_segment s WHERE s.subscription_id = used.subscription_id
                                                    AND s.component = used.component AND s.ended_at IS NULL);
END $$;

-- Stop charging bundles: all of them, or only what a stop without charge pauses. How many segments were cut short.
-- What ended later (a change that was under way came into force behind a planned end) ends then too.
CREATE FUNCTION fn.metering_end(_bundles bigint[], _pausable boolean, _at timestamptz) RETURNS int
LANGUAGE sql AS $$
  SELECT fn.metering_cut(array_agg(s.id), _at)
  FROM metering_segment s
  WHERE s.subscription_id IN (SELECT fn.subscriptions_parts(_bundles))
    AND (s.ended_at IS NULL OR NOT _pausable AND s.ended_at > greatest(s.started_at, _at))
    AND (NOT _pausable OR (s.subscription_id, s.component) IN (SELECT * FROM fn.subscriptions_pausable(_bundles)))
$$;

-- Stop charging these open components, the arrays in one order.
CREATE FUNCTION fn.metering_end_each(_subscriptions bigint[], _components text[], _at timestamptz) RETURNS int
LANGUAGE sql AS $$
  SELECT fn.metering_cut(array_agg(s.id), _at)
  FROM metering_segment s
  JOIN unnest(_subscriptions, _components) AS part (subscription, component)
    ON s.subscription_id = part.subscription AND s.component = part.component
  WHERE s.ended_at IS NULL
$$;

-- End these segments, not before they began. _at may lie before the horizon. Each hour from then on that is closed, or
-- is being closed, is noted: the account's close charges it anew.
CREATE FUNCTION fn.metering_cut(_segments bigint[], _at timestamptz) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE ended int;
BEGIN
  WITH done AS (
    UPDATE metering_segment s SET ended_at = greatest(s.started_at, _at) WHERE s.id = ANY (_segments)
    RETURNING s.account_id, s.ended_at
  ), amended AS (
    INSERT INTO metering_amendment (account_id, hour)
    SELECT DISTINCT account_id, hour FROM done CROSS JOIN metering_horizon
    CROSS JOIN generate_series(date_trunc('hour', ended_at), closed_until - interval '1 hour', interval '1 hour') AS hour
    ON CONFLICT DO NOTHING
  )
  SELECT count(*) INTO ended FROM done;
  RETURN ended;
END $$;

-- Take in engines' outbound counts, the arrays in one order, each read at its _at: what is new since the highest one of
-- its epoch becomes a sample; counts may come in any order, under the account locks. Machines without traffic charging
-- (no traffic segment ever) keep a counter and make no sample. Where charging has ended at _until, the sample is dated
-- then, and is no more than _cap_bytes_s for each second between the last count (or the first use) and that end. The
-- bytes that are new.
CREATE FUNCTION fn.metering_count(
  _accounts bigint[], _subscriptions bigint[], _epochs text[], _out_bytes bigint[], _at timestamptz[],
  _until timestamptz[], _cap_bytes_s bigint[]
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  _fresh bigint;
BEGIN
  WITH counted AS MATERIALIZED (
    SELECT line.*, greatest(k.out_bytes, max(line.out_bytes) OVER before, 0) AS known
    FROM unnest(_accounts, _subscriptions, _epochs, _out_bytes, _at, _until, _cap_bytes_s)
      AS line (account, subscription, epoch, out_bytes, at, until, cap_bytes_s)
    LEFT JOIN metering_counter k ON k.subscription_id = line.subscription AND k.epoch = line.epoch
    WINDOW before AS (PARTITION BY line.subscription, line.epoch ORDER BY line.at
                      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
  ), later AS MATERIALIZED (  -- the others are older answers that came late
    SELECT c.*, u.price_key, u.started_at, (SELECT max(sampled_at) FROM metering_counter k
                                            WHERE k.subscription_id = c.subscription) AS sampled_at
    FROM counted c LEFT JOIN LATERAL (
      SELECT s.price_key, s.started_at FROM metering_segment s
      WHERE s.subscription_id = c.subscription AND s.component = 'traffic' ORDER BY s.started_at DESC LIMIT 1
    ) AS u ON true WHERE c.out_bytes >= c.known
  ), kept AS (
    INSERT INTO metering_counter (subscription_id, account_id, epoch, out_bytes, sampled_at)
    SELECT DISTINCT ON (subscription, epoch) subscription, account, epoch, out_bytes, at FROM later
    ORDER BY subscription, epoch, at DESC
    ON CONFLICT (subscription_id, epoch) DO UPDATE SET out_bytes = excluded.out_bytes, sampled_at = excluded.sampled_at
  ), instant AS MATERIALIZED (
    SELECT at, fn.metering_instant(at) AS dated FROM (SELECT DISTINCT coalesce(until, at) AS at FROM later) AS one
  ), made AS (
    INSERT INTO metering_sample (subscription_id, at, account_id, price_key, out_bytes)
    SELECT l.subscription, i.dated, l.account, l.price_key, new.bytes
    FROM later l JOIN instant i ON i.at = coalesce(l.until, l.at)
    CROSS JOIN LATERAL (SELECT CASE WHEN l.until IS NULL THEN l.out_bytes - l.known ELSE least(
      l.out_bytes - l.known,
      greatest(extract(epoch FROM l.until - coalesce(l.sampled_at, l.started_at, l.at)), 0)::bigint * l.cap_bytes_s
    ) END AS bytes) AS new
    WHERE l.price_key IS NOT NULL AND new.bytes > 0 ORDER BY l.at, l.subscription
    RETURNING out_bytes
  )
  SELECT coalesce(sum(out_bytes), 0) INTO _fresh FROM made;
  RETURN _fresh;
END $$;
