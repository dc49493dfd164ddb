-- The instant at which a segment may start or end: never inside what is closed or being closed.
-- Called under the account lock: the close moves the horizon first and takes the account locks after,
-- so whoever holds the lock either is seen by the close or sees its horizon.
CREATE FUNCTION fn.metering_instant(_at timestamptz) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE AS $$  -- volatile: reads by its own snapshot, taken after the lock
BEGIN
  RETURN greatest(date_trunc('second', _at), (SELECT closed_until FROM metering_horizon));
END $$;

-- Begin charging components of machines at an instant from fn.metering_instant; the arrays in one order. _lines:
-- of each machine, elements [component, price key, quantity]; each goes on where its tier clock stood, not before
-- it ended by the clock of a host that is ahead; one that is being charged already stays as it is.
CREATE FUNCTION fn.metering_start_many(_accounts bigint[], _instances bigint[], _lines jsonb[], _at timestamptz)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO metering_segment (account_id, instance_id, component, price_key, quantity, age_s, started_at)
  SELECT machine.account, machine.id, line->>0, line->>1, (line->>2)::bigint, coalesce(last.age_s, 0),
         greatest(_at, last.ended_at)
  FROM unnest(_accounts, _instances, _lines) AS machine (account, id, lines)
  CROSS JOIN LATERAL jsonb_array_elements(machine.lines) AS line
  LEFT JOIN LATERAL (
    SELECT age_s + extract(epoch FROM ended_at - started_at)::bigint AS age_s, ended_at
    FROM metering_segment WHERE instance_id = machine.id AND component = line->>0
    ORDER BY started_at DESC, id DESC LIMIT 1) AS last ON true
  WHERE NOT EXISTS (SELECT FROM metering_segment WHERE instance_id = machine.id AND component = line->>0
                                                    AND ended_at IS NULL);
END $$;

-- The same of one machine.
CREATE FUNCTION fn.metering_start(_account bigint, _instance bigint, _lines jsonb, _at timestamptz) RETURNS void
LANGUAGE sql AS $$
  SELECT fn.metering_start_many(ARRAY[_account], ARRAY[_instance], ARRAY[_lines], _at)
$$;

-- Stop charging the open components of a machine whose name begins with _prefix ('' for all). _at may lie before the
-- horizon. Each hour from then on that is closed, or is being closed, is noted: the account's close charges it anew.
CREATE FUNCTION fn.metering_end(_instance bigint, _prefix text, _at timestamptz) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE ended int;
BEGIN
  WITH done AS (
    UPDATE metering_segment SET ended_at = greatest(started_at, _at)
    WHERE instance_id = _instance AND ended_at IS NULL AND component LIKE _prefix || '%'
    RETURNING account_id, ended_at
  ), amended AS (
    INSERT INTO metering_amendment (account_id, hour)
    SELECT DISTINCT account_id, hour FROM done CROSS JOIN metering_horizon
    CROSS JOIN generate_series(date_trunc('hour', ended_at), closed_until - interval '1 hour', interval '1 hour') AS hour
    ON CONFLICT DO NOTHING
  )
  SELECT count(*) INTO ended FROM done;
  RETURN ended;
END $$;

-- Take in an engine's outbound count: what is new since the highest one of its epoch becomes a sample; counts
-- may come in any order, under the account lock. Machines without traffic charging (no traffic segment ever) keep a counter and make no sample.
-- Where charging has ended at _until, the sample is dated then, and is no more than _cap_bytes_s for each
-- second between the last count (or the first use) and that end.
CREATE FUNCTION fn.metering_count(
  _account bigint, _instance bigint, _epoch text, _out_bytes bigint, _at timestamptz, _until timestamptz,
  _cap_bytes_s bigint
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE known bigint; since timestamptz; fresh bigint; usage metering_segment; at_instant timestamptz;
BEGIN
  SELECT * INTO usage FROM metering_segment WHERE instance_id = _instance AND component = 'traffic'
  ORDER BY started_at DESC LIMIT 1;
  SELECT max(sampled_at), max(out_bytes) FILTER (WHERE epoch = _epoch) INTO since, known
  FROM metering_counter WHERE instance_id = _instance;
  since := coalesce(since, usage.started_at, _at);
  fresh := _out_bytes - coalesce(known, 0);
  IF fresh < 0 THEN  -- an older answer that came late
    RETURN 0;
  END IF;
  INSERT INTO metering_counter (instance_id, account_id, epoch, out_bytes, sampled_at)
  VALUES (_instance, _account, _epoch, _out_bytes, _at)
  ON CONFLICT (instance_id, epoch) DO UPDATE SET out_bytes = excluded.out_bytes, sampled_at = excluded.sampled_at;
  IF _until IS NOT NULL THEN
    fresh := least(fresh, greatest(extract(epoch FROM _until - since), 0) * _cap_bytes_s);
  END IF;
  IF fresh = 0 OR usage.price_key IS NULL THEN
    RETURN 0;
  END IF;
  at_instant := fn.metering_instant(coalesce(_until, _at));
  INSERT INTO metering_sample (instance_id, at, account_id, price_key, out_bytes)
  VALUES (_instance, at_instant, _account, usage.price_key, fresh);
  RETURN fresh;
END $$;
