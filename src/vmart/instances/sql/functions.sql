-- Rows of machines: each element of _machines, with what it leaves out taken from _common.
CREATE FUNCTION fn.instances_create(_common jsonb, _machines jsonb) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO instances_instance
  SELECT (jsonb_populate_record(NULL::instances_instance, _common || machine)).*
  FROM jsonb_array_elements(_machines) AS machine
$$;

-- What happened to a machine, for its owner and the seller.
CREATE FUNCTION fn.instances_event(_instance bigint, _account bigint, _kind text, _at timestamptz, _detail jsonb)
RETURNS void
LANGUAGE sql AS $$
  INSERT INTO instances_event (at, instance_id, account_id, kind, detail)
  VALUES (_at, _instance, _account, _kind, _detail)
$$;
