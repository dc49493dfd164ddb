-- New machines, PENDING, in the order of _ids. _bought: what is the same for each of an order, in the words of who buys
-- (zone, instance_type, image_id, login, …); _machines: what is not ({public_id, name, hostname, mac}, and of a
-- password made for it {password_hash, password_sealed}); _public and _ipv6 are NULL where no address is wanted.
-- Columns are named one by one: a record out of JSON took twice the time of the whole insert.
CREATE FUNCTION fn.instances_create(
  _bought jsonb, _machines jsonb, _ids bigint[], _subnet bigint, _private inet[], _public inet[],
  _ipv6 inet[]
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE _keys jsonb := _bought->'login'->'ssh_keys'; _key_ids jsonb := _bought->'login'->'key_ids'; machine jsonb;
BEGIN
  FOR n IN 1..cardinality(_ids) LOOP
    machine := _machines->(n - 1);
    INSERT INTO instances_instance (
      id, public_id, account_id, zone_id, instance_type_id, image_id, vcpu, memory_mib, name, hostname,
      charge_type, internet_charge_type, bandwidth_mbps, public_ip_wanted, state, stop_charging_mode, latest_operation,
      latest_operation_state, latest_operation_request_id, latest_operation_error_code, latest_operation_error, kind,
      subnet_id, private_ip, mac, public_ip, login_user, password_hash, ssh_keys, key_ids, user_data,
      termination_protected, security_groups, max_price, ends_at, created_at, own_image, ipv6)
    VALUES (
      _ids[n], machine->>'public_id', (_bought->>'account_id')::bigint, _bought->>'zone',
      _bought->>'instance_type', _bought->>'image_id', (_bought->>'vcpu')::int, (_bought->>'memory_mib')::int,
      machine->>'name', replace(machine->>'hostname', '{IP}', host(_private[n])), _bought->>'charge_type',
      _bought->>'internet_charge_type',
      (_bought->>'bandwidth_mbps')::int, (_bought->>'public_ip')::boolean, 'PENDING', 'NOT_APPLICABLE',
      'RunInstances', 'OPERATING', _bought->>'request_id', '', '', '', _subnet, _private[n], machine->>'mac',
      _public[n], _bought->>'login_user', coalesce(machine->>'password_hash', _bought->'login'->>'password_hash'),
      _keys, _key_ids, decode(_bought->>'user_data', 'hex'), (_bought->'attributes'->>'termination_protected')::boolean,
      _bought->'attributes'->'security_groups', (_bought->'attributes'->>'max_price')::numeric,
      (_bought->>'ends_at')::timestamptz, (_bought->>'created_at')::timestamptz, _bought->>'own_image', _ipv6[n]);
    IF machine ? 'password_sealed' THEN
      INSERT INTO instances_sealed_password (instance_id, sealed, made_at)
      VALUES (_ids[n], decode(machine->>'password_sealed', 'hex'), (_bought->>'created_at')::timestamptz);
    END IF;
  END LOOP;
END $$;

-- One of these key pairs (public ids in JSON) that the account has not, or NULL.
CREATE FUNCTION fn.instances_missing_key(_account bigint, _key_ids jsonb) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT wanted FROM jsonb_array_elements_text(_key_ids) AS wanted
  WHERE NOT EXISTS (SELECT FROM instances_key_pair k WHERE k.public_id = wanted AND k.account_id = _account) LIMIT 1
$$;

-- PENDING to RUNNING, once; the arrays in one order. The machines that were PENDING.
CREATE FUNCTION fn.instances_delivered(_instances bigint[], _kinds text[]) RETURNS bigint[]
LANGUAGE plpgsql AS $$
DECLARE delivered bigint[];
BEGIN
  WITH running AS (
    UPDATE instances_instance i SET state = 'RUNNING', kind = line.kind, latest_operation_state = 'SUCCESS'
    FROM unnest(_instances, _kinds) AS line (id, kind)
    WHERE i.id = line.id AND i.id = ANY (_instances) AND i.state = 'PENDING' RETURNING i.id
  )
  SELECT coalesce(array_agg(id), '{}') INTO delivered FROM running;
  RETURN delivered;
END $$;

-- PENDING to LAUNCH_FAILED, once; the sentence is for the customer.
CREATE FUNCTION fn.instances_launch_failed(_instance bigint, _code text, _sentence text) RETURNS instances_instance
LANGUAGE plpgsql AS $$
DECLARE machine instances_instance;
BEGIN
  UPDATE instances_instance SET state = 'LAUNCH_FAILED', latest_operation_state = 'FAILED',
    latest_operation_error_code = _code, latest_operation_error = left(_sentence, 500), public_ip = NULL, ipv6 = NULL,
    password_hash = '', ends_at = NULL
  WHERE id = _instance AND state = 'PENDING' RETURNING * INTO machine;
  DELETE FROM instances_sealed_password WHERE instance_id = machine.id;
  RETURN machine;
END $$;

-- Of the account's machines in the zone that keep a public address in the recycle bin: as fn.subscriptions_in_bin.
CREATE FUNCTION fn.instances_addresses_in_bin(_account bigint, _zone text) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT fn.subscriptions_leaving(coalesce(array_agg(id), '{}')) FROM instances_instance
  WHERE account_id = _account AND zone_id || '' = _zone AND state IN ('SHUTDOWN', 'TERMINATING')
    AND public_ip IS NOT NULL
$$;

-- Machines that are there, of all accounts: what asks for all of them at once joins them by this.
CREATE FUNCTION fn.instances_there() RETURNS TABLE (
  id bigint, account_id bigint, public_id text, zone_id text, vcpu int)
LANGUAGE sql STABLE AS $$
  SELECT i.id, i.account_id, i.public_id::text, i.zone_id::text, i.vcpu
  FROM instances_instance i WHERE i.state <> 'GONE'
$$;
