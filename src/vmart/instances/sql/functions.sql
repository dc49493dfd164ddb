-- New machines, PENDING, in the order of _ids. _common: what is the same for each of an order; _machines: what is not
-- ({public_id, name, hostname, mac}); _public is NULL where no address is wanted. Columns are named one by one: a record
-- out of JSON took twice the time of the whole insert.
CREATE FUNCTION fn.instances_create(
  _common jsonb, _machines jsonb, _ids bigint[], _holds uuid[], _subnet bigint, _private inet[], _public inet[]
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE _keys jsonb := _common->'ssh_keys'; _key_ids jsonb := _common->'key_ids'; machine jsonb;
BEGIN
  FOR n IN 1..cardinality(_ids) LOOP
    machine := _machines->(n - 1);
    INSERT INTO instances_instance (
      id, public_id, account_id, zone_id, instance_type_id, image_id, vcpu, memory_mib, name, hostname, charge_type,
      internet_charge_type, bandwidth_mbps, public_ip_wanted, renew_flag, state, restrict_state, isolated_source,
      stop_charging_mode, latest_operation, latest_operation_state, latest_operation_request_id,
      latest_operation_error_code, latest_operation_error, kind, subnet_id, private_ip, mac, public_ip, login_user,
      password_hash, ssh_keys, key_ids, user_data, termination_protected, created_at, period_months, hold_id,
      hold_number)
    VALUES (
      _ids[n], machine->>'public_id', (_common->>'account_id')::bigint, _common->>'zone_id',
      _common->>'instance_type_id', _common->>'image_id', (_common->>'vcpu')::int, (_common->>'memory_mib')::int,
      machine->>'name', replace(machine->>'hostname', '{IP}', host(_private[n])), _common->>'charge_type', _common->>'internet_charge_type',
      (_common->>'bandwidth_mbps')::int, (_common->>'public_ip_wanted')::boolean, _common->>'renew_flag', 'PENDING',
      'NORMAL', 'NOTISOLATED', 'NOT_APPLICABLE', 'RunInstances', 'OPERATING', _common->>'request_id', '', '', '',
      _subnet, _private[n], machine->>'mac', _public[n], _common->>'login_user', _common->>'password_hash', _keys,
      _key_ids, decode(_common->>'user_data', 'hex'), (_common->>'termination_protected')::boolean,
      (_common->>'created_at')::timestamptz, (_common->>'period_months')::int, _holds[n], 1);
  END LOOP;
END $$;

-- What happened to machines, for their owners and the seller; the arrays in one order.
CREATE FUNCTION fn.instances_events(
  _instances bigint[], _accounts bigint[], _kind text, _at timestamptz, _details jsonb[]
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO instances_event (at, instance_id, account_id, kind, detail)
  SELECT _at, instance, account, _kind, detail
  FROM unnest(_instances, _accounts, _details) AS line (instance, account, detail);
END $$;

-- PENDING to RUNNING, once; the arrays in one order. A prepaid term runs from _now, whatever the horizon says of
-- usage, which runs from _started. The machines that were PENDING.
CREATE FUNCTION fn.instances_delivered(
  _instances bigint[], _kinds text[], _expire_at timestamptz[], _started timestamptz, _now timestamptz
) RETURNS bigint[]
LANGUAGE plpgsql AS $$
DECLARE delivered bigint[];
BEGIN
  WITH running AS (
    UPDATE instances_instance i SET state = 'RUNNING', kind = line.kind, latest_operation_state = 'SUCCESS',
      started_at = CASE WHEN charge_type = 'PREPAID' THEN _now ELSE _started END,
      expires_at = CASE WHEN charge_type = 'PREPAID' THEN line.expires_at END,
      hold_id = CASE WHEN charge_type = 'PREPAID' THEN NULL ELSE hold_id END
    FROM unnest(_instances, _kinds, _expire_at) AS line (id, kind, expires_at)
    WHERE i.id = line.id AND i.id = ANY (_instances) AND i.state = 'PENDING' RETURNING i.id
  )
  SELECT coalesce(array_agg(id), '{}') INTO delivered FROM running;
  RETURN delivered;
END $$;

-- Those of the machines that are prepaid, by id.
CREATE FUNCTION fn.instances_prepaid(_instances bigint[]) RETURNS SETOF instances_instance
LANGUAGE sql STABLE AS $$
  SELECT * FROM instances_instance WHERE id = ANY (_instances) AND charge_type = 'PREPAID' ORDER BY id
$$;

-- PENDING to LAUNCH_FAILED, once; the sentence is for the customer.
CREATE FUNCTION fn.instances_launch_failed(_instance bigint, _code text, _sentence text) RETURNS instances_instance
LANGUAGE plpgsql AS $$
DECLARE machine instances_instance;
BEGIN
  UPDATE instances_instance SET state = 'LAUNCH_FAILED', latest_operation_state = 'FAILED',
    latest_operation_error_code = _code, latest_operation_error = left(_sentence, 500), hold_id = NULL,
    public_ip = NULL, password_hash = '', arrears_since = NULL
  WHERE id = _instance AND state = 'PENDING' RETURNING * INTO machine;
  RETURN machine;
END $$;

-- Machines that count against a quota. Postpaid: those an account has in a zone, also in the recycle bin. Prepaid: those
-- it bought there since an instant, also when they are gone by now, but for those never delivered or returned.
CREATE FUNCTION fn.instances_counted(_account bigint, _zone text, _charge_type text, _since timestamptz) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
  -- zone_id || '': only the account's indexes may answer. A plan made while the table was empty is kept by its
  -- connection, and then the zone's index looks as good; it reads everybody's machines.
  IF _charge_type = 'PREPAID' THEN
    RETURN (SELECT count(*) FROM instances_instance
            WHERE account_id = _account AND zone_id || '' = _zone AND charge_type = 'PREPAID'
              AND (state = 'PENDING' OR started_at IS NOT NULL) AND created_at >= _since
              AND isolated_source <> 'MANMADE');
  END IF;
  RETURN (SELECT count(*) FROM instances_instance
          WHERE account_id = _account AND zone_id || '' = _zone AND charge_type = _charge_type
            AND state <> 'GONE' AND state <> 'LAUNCH_FAILED');
END $$;

-- How many of the account's machines in the zone are in the recycle bin, and when the first of them leaves it, as
-- "number|instant"; of one charge type, of any (''), or (NULL) those that keep a public address.
CREATE FUNCTION fn.instances_in_bin(_account bigint, _zone text, _charge_type text) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT count(*) || '|' || coalesce(to_char(min(release_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '')
  FROM instances_instance
  WHERE account_id = _account AND zone_id || '' = _zone AND state IN ('SHUTDOWN', 'TERMINATING')
    AND CASE WHEN _charge_type IS NULL THEN public_ip IS NOT NULL ELSE _charge_type IN ('', charge_type) END
$$;
