-- The instant at which a segment may start or end: never inside what is closed or being closed.
-- Called under the account lock: the close moves the horizon first and takes the account locks after,
-- so whoever holds the lock either is seen by the close or sees its horizon.
CREATE FUNCTION fn.metering_instant(_at timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
  SELECT greatest(date_trunc('second', _at), (SELECT closed_until FROM metering_horizon))
$$;

-- Begin charging components of a machine at an instant from fn.metering_instant.
CREATE FUNCTION fn.metering_start(
  _account bigint, _instance bigint, _components text[], _price_keys text[], _quantities numeric[], _ages bigint[],
  _at timestamptz
) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO metering_segment (account_id, instance_id, component, price_key, quantity, age_s, started_at)
  SELECT _account, _instance, component, price_key, quantity, age, _at
  FROM unnest(_components, _price_keys, _quantities, _ages) AS line (component, price_key, quantity, age)
$$;

-- Stop charging the open components of a machine whose name begins with _prefix ('' for all).
CREATE FUNCTION fn.metering_end(_instance bigint, _prefix text, _at timestamptz) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE ended int;
BEGIN
  UPDATE metering_segment SET ended_at = greatest(started_at, _at)
  WHERE instance_id = _instance AND ended_at IS NULL AND component LIKE _prefix || '%';
  GET DIAGNOSTICS ended = ROW_COUNT;
  RETURN ended;
END $$;

-- Seconds on a component's tier clock up to now: what its next segment starts with.
CREATE FUNCTION fn.metering_age(_instance bigint, _component text) RETURNS bigint
LANGUAGE sql STABLE AS $$
  SELECT coalesce((SELECT age_s + extract(epoch FROM coalesce(ended_at, started_at) - started_at)::bigint
                   FROM metering_segment WHERE instance_id = _instance AND component = _component
                   ORDER BY started_at DESC, id DESC LIMIT 1), 0)
$$;
