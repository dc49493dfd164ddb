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

-- The zones' prefixes stay what they are to the end of the transaction: of a purchase, before it reads the catalog.
CREATE FUNCTION fn.network_hold_prefixes() RETURNS void
LANGUAGE sql AS $$
  SELECT pg_advisory_xact_lock_shared(hashtext('vmart ipv6 prefixes'), 0)
$$;

-- Alone with them, of a catalog that is being applied: what purchases have claimed is seen, and new ones wait for it.
CREATE FUNCTION fn.network_lock_prefixes() RETURNS void
LANGUAGE sql AS $$
  SELECT pg_advisory_xact_lock(hashtext('vmart ipv6 prefixes'), 0)
$$;

-- An IPv6 address for each machine, in their order, somewhere in the prefix, which is the zone's. Fewer than machines: none is free.
-- Of a prefix with many, one is taken at random, so that purchases wait for nobody; of a few, free ones are looked for.
CREATE FUNCTION fn.network_claim_ipv6(_zone text, _prefix inet, _account bigint, _instances bigint[]) RETURNS inet[]
LANGUAGE plpgsql AS $$
DECLARE
  bits int := least(128 - masklen(_prefix), 62);
  machine bigint; claimed inet; addresses inet[] := '{}';
BEGIN
  IF bits <= 16 THEN
    PERFORM pg_advisory_xact_lock(hashtext('vmart ipv6'), hashtext(_zone));
    addresses := fn.network_spare_ipv6(_prefix, bits, cardinality(_instances));
    INSERT INTO network_ipv6_address (ip, instance_id, account_id, zone_id)
    SELECT ip, number, _account, _zone FROM unnest(_instances, addresses) AS line (number, ip) WHERE ip IS NOT NULL;
    RETURN addresses;
  END IF;
  FOREACH machine IN ARRAY _instances LOOP
    claimed := NULL;
    FOR attempt IN 1..200 LOOP  -- at random, none is met as often as that unless nearly all are taken
      INSERT INTO network_ipv6_address (ip, instance_id, account_id, zone_id)
      VALUES (set_masklen(_prefix, 128)
                + greatest(1, hashtextextended(gen_random_uuid()::text, 0) & ((1::bigint << bits) - 1)),
              machine, _account, _zone)
      ON CONFLICT (ip) DO NOTHING RETURNING ip INTO claimed;
      EXIT WHEN FOUND;
    END LOOP;
    EXIT WHEN claimed IS NULL;
    addresses := addresses || claimed;
  END LOOP;
  RETURN addresses;
END $$;

-- So many addresses of a prefix with few that nobody has, the next ones from a random one on; fewer where they are taken.
-- The first of a prefix is every router's.
CREATE FUNCTION fn.network_spare_ipv6(_prefix inet, _bits int, _count int) RETURNS inet[]
LANGUAGE sql AS $$
  WITH start (host) AS MATERIALIZED (SELECT 1 + floor(random() * ((1 << _bits) - 1))::int)
  SELECT ARRAY(
    SELECT set_masklen(_prefix, 128) + candidate
    FROM start, generate_series(1, (1 << _bits) - 1) AS candidate
    WHERE NOT EXISTS (SELECT FROM network_ipv6_address a WHERE a.ip = set_masklen(_prefix, 128) + candidate)
    ORDER BY candidate < host, candidate LIMIT _count)
$$;

-- Give machines' IPv6 addresses back.
CREATE FUNCTION fn.network_free_ipv6(_instances bigint[]) RETURNS void
LANGUAGE sql AS $$
  DELETE FROM network_ipv6_address WHERE instance_id = ANY (_instances)
$$;

-- A private address for each machine, in their order, in the named subnet of the customer's ('': its default one in the
-- zone, which the first machine there makes): those of _wanted, or the next in turn, or gaps where those are taken or
-- the turn is over. Fewer than machines: the subnet is full. A subnet is deleted under the same row lock.
CREATE FUNCTION fn.network_claim_private(
  _account bigint, _region text, _zone text, _vpc_id text, _subnet_id text, _at timestamptz, _instances bigint[],
  _named text, _wanted inet[], OUT subnet_id bigint, OUT addresses inet[]
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE subnet network_subnet; wanted int := cardinality(_instances); written int;
BEGIN
  IF _named = '' THEN
    subnet_id := fn.network_default_subnet(_account, _region, _zone, _vpc_id, _subnet_id, _at);
  ELSE
    SELECT id INTO subnet_id FROM network_subnet
    WHERE public_id = _named AND zone_id = _zone AND _account IN (account_id, owner_id);
  END IF;
  UPDATE network_subnet SET next_host = CASE  -- the last host is broadcast; behind it the turn is over for good
    WHEN cardinality(_wanted) > 0 THEN next_host
    WHEN next_host + wanted < 1 << (32 - prefix) THEN next_host + wanted
    ELSE 1 << (32 - prefix) END
  WHERE id = subnet_id AND deleted_at IS NULL
  RETURNING * INTO subnet;
  IF NOT FOUND THEN
    PERFORM fn.kernel_refuse('no_subnet', _named);
  END IF;
  addresses := CASE WHEN cardinality(_wanted) > 0 THEN _wanted[1:wanted]
                    ELSE fn.network_next_private(subnet, wanted) END;
  IF cardinality(addresses) = wanted THEN
    INSERT INTO network_private_address (subnet_id, ip, instance_id)
    SELECT subnet.id, ip, machine FROM unnest(_instances, addresses) AS line (machine, ip)
    ON CONFLICT (subnet_id, ip) DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written < wanted THEN
      PERFORM fn.kernel_refuse('private_ip_taken', coalesce((
        SELECT host(chosen)
        FROM network_private_address taken, unnest(_instances, addresses) AS line (machine, chosen)
        WHERE taken.subnet_id = subnet.id AND taken.ip = chosen AND taken.instance_id <> machine
        ORDER BY chosen LIMIT 1), host(addresses[1])));
    END IF;
  END IF;
END $$;

-- So many free addresses of a subnet whose turn was moved on already: those of the turn, or, where a customer chose one
-- of them before or the turn is over, the lowest that are free. Fewer: it is full.
CREATE FUNCTION fn.network_next_private(_subnet network_subnet, _count int) RETURNS inet[]
LANGUAGE plpgsql AS $$
DECLARE turn int := _subnet.next_host - _count; last int := (1 << (32 - _subnet.prefix)) - 2;
BEGIN
  IF _subnet.next_host - 1 <= last AND NOT EXISTS (
    SELECT FROM network_private_address
    WHERE subnet_id = _subnet.id AND ip BETWEEN _subnet.cidr + turn AND _subnet.cidr + _subnet.next_host - 1
  ) THEN
    RETURN ARRAY(SELECT _subnet.cidr + host FROM generate_series(turn, _subnet.next_host - 1) AS host);
  END IF;
  RETURN ARRAY(
    SELECT _subnet.cidr + host FROM generate_series(_subnet.first_host, last) AS host
    WHERE NOT EXISTS (SELECT FROM network_private_address taken
                      WHERE taken.subnet_id = _subnet.id AND taken.ip = _subnet.cidr + host)
    ORDER BY host LIMIT _count);
END $$;

-- Give machines' private addresses back, also those that they were on their way to.
CREATE FUNCTION fn.network_free_private(_instances bigint[]) RETURNS void
LANGUAGE sql AS $$
  DELETE FROM network_private_address
  WHERE instance_id = ANY (_instances || ARRAY(SELECT -machine FROM unnest(_instances) AS machine))
$$;

-- A machine is where it was on its way to: what it had before is free. What it goes to was claimed under minus its
-- number, so that it holds both meanwhile and nobody else gets either.
CREATE FUNCTION fn.network_arrived(_instance bigint) RETURNS void
LANGUAGE sql AS $$
  DELETE FROM network_private_address WHERE instance_id = _instance;
  UPDATE network_private_address SET instance_id = _instance WHERE instance_id = -_instance;
$$;

-- A machine stays where it was: what it was on its way to is free.
CREATE FUNCTION fn.network_stayed(_instance bigint) RETURNS void
LANGUAGE sql AS $$
  DELETE FROM network_private_address WHERE instance_id = -_instance
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
  SELECT id INTO vpc FROM network_vpc WHERE account_id = _account AND region_id = _region FOR NO KEY UPDATE;
  PERFORM pg_advisory_xact_lock_shared(hashtext('vmart ranges'), hashtext(_zone));  -- against network_lock_ranges
  -- The next number that nobody else is taking right now: first purchases do not wait for each other.
  SELECT coalesce(max(number) + 1, 0) INTO range_number FROM network_subnet WHERE zone_id = _zone;
  LOOP
    IF range_number >= 192 * 16 THEN
      PERFORM fn.kernel_refuse('no_private_range', _zone);
    END IF;
    ours := pg_try_advisory_xact_lock(hashtext('vmart subnet ' || _zone), range_number);
    EXIT WHEN ours  -- looked up after the lock: in one expression with it, who had it before would not be seen
      AND NOT EXISTS (SELECT FROM network_subnet
                      WHERE number = range_number AND (zone_id = _zone OR vpc_id = vpc))
      AND NOT EXISTS (SELECT FROM network_subnet  -- made by customers
                      WHERE number IS NULL AND deleted_at IS NULL AND (zone_id = _zone OR vpc_id = vpc)
                        AND set_masklen(cidr, prefix) && set_masklen(inet '10.64.0.0' + range_number * 4096, 20));
    range_number := range_number + 1;
  END LOOP;
  INSERT INTO network_subnet (public_id, account_id, vpc_id, zone_id, number, cidr, prefix, first_host, next_host,
                              created_at)
  VALUES (_subnet_id, _account, vpc, _zone, range_number, inet '10.64.0.0' + range_number * 4096, 20, 10, 10, _at)
  RETURNING id INTO subnet;
  RETURN subnet;
END $$;

-- Alone with a zone's private ranges to the end of the transaction: first purchases, which look after each other by
-- their ranges' numbers, wait meanwhile.
CREATE FUNCTION fn.network_lock_ranges(_zone text) RETURNS void
LANGUAGE sql AS $$
  SELECT pg_advisory_xact_lock(hashtext('vmart ranges'), hashtext(_zone))
$$;
