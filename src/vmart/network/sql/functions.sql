-- Claim one public address of the zone for each machine, longest free first; in the machines' order.
-- Fewer than machines: the pool is empty.
CREATE FUNCTION fn.network_claim_public(_zone text, _account bigint, _instances bigint[]) RETURNS inet[]
LANGUAGE plpgsql AS $$
DECLARE machine bigint; claimed inet; addresses inet[] := '{}';
BEGIN
  FOREACH machine IN ARRAY _instances LOOP
    UPDATE network_public_address SET instance_id = machine, account_id = _account, free_since = NULL
    WHERE ip = (SELECT ip FROM network_public_address WHERE zone_id = _zone AND instance_id IS NULL
                ORDER BY free_since, ip LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING ip INTO claimed;
    EXIT WHEN NOT FOUND;
    addresses := addresses || claimed;
  END LOOP;
  RETURN addresses;
END $$;

-- Give machines' public addresses back; those that their zone's pool no longer has go for good.
CREATE FUNCTION fn.network_free_public(_instances bigint[], _at timestamptz) RETURNS void
LANGUAGE sql AS $$
  UPDATE network_public_address SET instance_id = NULL, account_id = NULL, free_since = _at
  WHERE instance_id = ANY (_instances);
  DELETE FROM network_public_address WHERE withdrawn AND instance_id IS NULL;
$$;

-- A private address for each machine, in their order, in the customer's default subnet of the zone: the next
-- in turn, and once the turn is over, gaps. Fewer than machines: the subnet is full.
CREATE FUNCTION fn.network_claim_private(
  _account bigint, _region text, _zone text, _vpc_id text, _subnet_id text, _at timestamptz, _instances bigint[],
  OUT subnet_id bigint, OUT addresses inet[]
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE subnet network_subnet; wanted int := cardinality(_instances);
BEGIN
  FOR attempt IN 1..2 LOOP  -- the first machine in the zone makes the subnet
    UPDATE network_subnet SET next_host = next_host + wanted  -- the last host is broadcast
    WHERE account_id = _account AND zone_id = _zone AND next_host + wanted <= (1 << (32 - prefix)) - 1
    RETURNING * INTO subnet;
    EXIT WHEN FOUND;
    subnet_id := fn.network_default_subnet(_account, _region, _zone, _vpc_id, _subnet_id, _at);
  END LOOP;
  IF subnet.id IS NULL THEN
    SELECT * INTO subnet FROM network_subnet WHERE id = subnet_id FOR NO KEY UPDATE;
    addresses := ARRAY(
      SELECT subnet.cidr + host FROM generate_series(10, (1 << (32 - subnet.prefix)) - 2) AS host
      WHERE NOT EXISTS (SELECT FROM network_private_address taken
                        WHERE taken.subnet_id = subnet.id AND taken.ip = subnet.cidr + host)
      ORDER BY host LIMIT wanted);
  ELSE
    FOR host IN subnet.next_host - wanted..subnet.next_host - 1 LOOP
      addresses := addresses || subnet.cidr + host;
    END LOOP;
  END IF;
  subnet_id := subnet.id;
  IF cardinality(addresses) = wanted THEN
    INSERT INTO network_private_address (subnet_id, ip, instance_id)
    SELECT subnet.id, ip, machine FROM unnest(_instances, addresses) AS line (machine, ip);
  END IF;
END $$;

CREATE FUNCTION fn.network_free_private(_instances bigint[]) RETURNS void
LANGUAGE sql AS $$
  DELETE FROM network_private_address WHERE instance_id = ANY (_instances)
$$;

-- The customer's default subnet in a zone, made with its VPC at the first purchase there. The public ids
-- are used only then; without them a first purchase is refused, and asked again with them. Ranges are /20 of 10.64.0.0 up, one a customer and zone: their bridges share hosts.
CREATE FUNCTION fn.network_default_subnet(
  _account bigint, _region text, _zone text, _vpc_id text, _subnet_id text, _at timestamptz
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE subnet bigint; vpc bigint; range_number int; ours boolean;
BEGIN
  SELECT id INTO subnet FROM network_subnet WHERE account_id = _account AND zone_id = _zone;
  IF FOUND THEN
    RETURN subnet;
  END IF;
  IF _subnet_id = '' THEN
    PERFORM fn.kernel_refuse('first_in_zone', _zone);
  END IF;
  INSERT INTO network_vpc (public_id, account_id, region_id, cidr, created_at)
  VALUES (_vpc_id, _account, _region, '10.0.0.0/8', _at) ON CONFLICT (account_id, region_id) DO NOTHING;
  SELECT id INTO vpc FROM network_vpc WHERE account_id = _account AND region_id = _region;
  -- The next number that nobody else is taking right now: first purchases do not wait for each other.
  SELECT coalesce(max(number) + 1, 0) INTO range_number FROM network_subnet WHERE zone_id = _zone;
  LOOP
    IF range_number >= 192 * 16 THEN
      PERFORM fn.kernel_refuse('no_private_range', _zone);
    END IF;
    ours := pg_try_advisory_xact_lock(hashtext('vmart subnet ' || _zone), range_number);
    EXIT WHEN ours  -- looked up after the lock: in one expression with it, who had it before would not be seen
      AND NOT EXISTS (SELECT FROM network_subnet
                      WHERE number = range_number AND (zone_id = _zone OR vpc_id = vpc));
    range_number := range_number + 1;
  END LOOP;
  INSERT INTO network_subnet (public_id, account_id, vpc_id, zone_id, number, cidr, prefix, next_host, created_at)
  VALUES (_subnet_id, _account, vpc, _zone, range_number, inet '10.64.0.0' + range_number * 4096, 20, 10, _at)
  RETURNING id INTO subnet;
  RETURN subnet;
END $$;
