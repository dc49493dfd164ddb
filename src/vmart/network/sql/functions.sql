-- Claim one public address of the zone for each machine, longest free first. Fewer rows: the pool is empty.
CREATE FUNCTION fn.network_claim_public(_zone text, _account bigint, _instances bigint[])
RETURNS TABLE (instance_id bigint, ip inet)
LANGUAGE sql AS $$
  WITH free AS (
    SELECT id FROM network_public_address WHERE zone_id = _zone AND instance_id IS NULL
    ORDER BY free_since, id LIMIT cardinality(_instances) FOR UPDATE SKIP LOCKED
  ), pair AS (
    SELECT free_row.id, machine.id AS machine
    FROM (SELECT id, row_number() OVER () AS n FROM free) AS free_row
    JOIN unnest(_instances) WITH ORDINALITY AS machine (id, n) USING (n)
  )
  UPDATE network_public_address a SET instance_id = pair.machine, account_id = _account, free_since = NULL
  FROM pair WHERE a.id = pair.id RETURNING a.instance_id, a.ip
$$;

CREATE FUNCTION fn.network_free_public(_instances bigint[], _at timestamptz) RETURNS void
LANGUAGE sql AS $$
  UPDATE network_public_address SET instance_id = NULL, account_id = NULL, free_since = _at
  WHERE instance_id = ANY (_instances)
$$;

-- A private address of the subnet for each machine: the next in turn, and once the turn is over, gaps.
CREATE FUNCTION fn.network_claim_private(_subnet bigint, _instances bigint[])
RETURNS TABLE (instance_id bigint, ip inet)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE subnet network_subnet; wanted int := cardinality(_instances); hosts int;
BEGIN
  SELECT * INTO subnet FROM network_subnet WHERE id = _subnet FOR NO KEY UPDATE;
  hosts := (1 << (32 - subnet.prefix)) - 1;  -- the last is broadcast
  IF subnet.next_host + wanted <= hosts THEN
    UPDATE network_subnet SET next_host = next_host + wanted WHERE id = _subnet;
    RETURN QUERY
      INSERT INTO network_private_address (subnet_id, ip, instance_id)
      SELECT _subnet, subnet.cidr + subnet.next_host + (n - 1)::int, machine
      FROM unnest(_instances) WITH ORDINALITY AS line (machine, n)
      RETURNING instance_id, ip;
    RETURN;
  END IF;
  RETURN QUERY
    WITH gap AS (
      SELECT subnet.cidr + host AS ip, row_number() OVER (ORDER BY host) AS n
      FROM generate_series(10, hosts - 1) AS host
      WHERE NOT EXISTS (SELECT FROM network_private_address taken
                        WHERE taken.subnet_id = _subnet AND taken.ip = subnet.cidr + host)
      LIMIT wanted
    )
    INSERT INTO network_private_address (subnet_id, ip, instance_id)
    SELECT _subnet, gap.ip, machine FROM unnest(_instances) WITH ORDINALITY AS line (machine, n) JOIN gap USING (n)
    RETURNING instance_id, ip;
END $$;

CREATE FUNCTION fn.network_free_private(_instances bigint[]) RETURNS void
LANGUAGE sql AS $$
  DELETE FROM network_private_address WHERE instance_id = ANY (_instances)
$$;
