-- Rows of machines: each element of _machines, with what it leaves out taken from _common.
CREATE FUNCTION fn.instances_create(_common jsonb, _machines jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO instances_instance
  SELECT line.* FROM jsonb_array_elements(_machines) AS machine,
    jsonb_populate_record(NULL::instances_instance, _common || machine) AS line;
END $$;

-- What happened to a machine, for its owner and the seller.
CREATE FUNCTION fn.instances_event(_instance bigint, _account bigint, _kind text, _at timestamptz, _detail jsonb)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO instances_event (at, instance_id, account_id, kind, detail)
  VALUES (_at, _instance, _account, _kind, _detail);
END $$;

-- PENDING to RUNNING, once. The instance as it is then, or NULL when it was not PENDING.
CREATE FUNCTION fn.instances_delivered(_instance bigint, _kind text, _at timestamptz, _expires_at timestamptz)
RETURNS instances_instance
LANGUAGE plpgsql AS $$
DECLARE machine instances_instance;
BEGIN
  UPDATE instances_instance SET state = 'RUNNING', kind = _kind, started_at = _at, latest_operation_state = 'SUCCESS',
    expires_at = CASE WHEN charge_type = 'PREPAID' THEN _expires_at END,
    hold_id = CASE WHEN charge_type = 'PREPAID' THEN NULL ELSE hold_id END
  WHERE id = _instance AND state = 'PENDING' RETURNING * INTO machine;
  RETURN machine;
END $$;

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

-- Machines that count against a quota: of one charge type in a zone, bought since an instant (NULL: ever).
CREATE FUNCTION fn.instances_counted(_account bigint, _zone text, _charge_type text, _since timestamptz) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT count(*) FROM instances_instance
          WHERE account_id = _account AND zone_id = _zone AND charge_type = _charge_type AND state <> 'GONE'
            AND state <> 'LAUNCH_FAILED' AND (_since IS NULL OR created_at >= _since));
END $$;
