-- The outcome of deliveries: state, money, usage, event and next step in one commit, each fenced by
-- (operation, lease owner, step). _results: [{operation, account, instance, kind, expires_at} or, failed,
-- {…, code, error}]. Returns the operations that were still this owner's.
CREATE FUNCTION fn.orders_delivered(_owner uuid, _now timestamptz, _results jsonb) RETURNS bigint[]
LANGUAGE plpgsql AS $$
DECLARE
  result jsonb;
  done bigint[];
  failed bigint[] := '{}';
  orders bigint[];
BEGIN
  PERFORM fn.ledger_lock_many(array_agg((r->>'account')::bigint)) FROM jsonb_array_elements(_results) AS r;
  done := fn.worker_finish((SELECT array_agg((r->>'operation')::bigint) FROM jsonb_array_elements(_results) AS r
                            WHERE NOT r ? 'error'), _owner, 'start');
  FOR result IN SELECT r FROM jsonb_array_elements(_results) AS r ORDER BY (r->>'instance')::bigint LOOP
    IF result ? 'error' THEN
      IF fn.worker_next((result->>'operation')::bigint, _owner, 'start', 'clean', result->>'error') THEN
        PERFORM fn.orders_one_failed(result, _now);
        failed := failed || (result->>'operation')::bigint;
      END IF;
    ELSIF (result->>'operation')::bigint = ANY (done) THEN
      PERFORM fn.orders_one_delivered(result, _now);
    END IF;
  END LOOP;
  orders := ARRAY(SELECT DISTINCT order_id FROM orders_line
                  WHERE instance_id = ANY (ARRAY(SELECT (r->>'instance')::bigint FROM jsonb_array_elements(_results) AS r)));
  UPDATE orders_order o SET status = summary.status, closed_at = CASE WHEN summary.status = 5 THEN _now END
  FROM (
    SELECT order_id, CASE WHEN bool_or(state = 'delivering') THEN 3 WHEN bool_or(state <> 'failed') THEN 4 ELSE 5 END
           AS status
    FROM orders_line WHERE order_id = ANY (orders) GROUP BY order_id
  ) AS summary
  WHERE o.id = summary.order_id AND o.id = ANY (orders) AND o.status <> summary.status;
  RETURN done || failed;
END $$;

CREATE FUNCTION fn.orders_one_delivered(_result jsonb, _now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  machine instances_instance;
  line orders_line;
  hold ledger_hold;
  started timestamptz := fn.metering_instant(_now);
  usage jsonb;
BEGIN
  machine := fn.instances_delivered(  -- a prepaid term runs from now, whatever the horizon says of usage
    (_result->>'instance')::bigint, _result->>'kind',
    CASE WHEN _result->>'expires_at' IS NULL THEN started ELSE _now END, (_result->>'expires_at')::timestamptz);
  IF machine.id IS NULL THEN
    RETURN;
  END IF;
  UPDATE orders_line SET state = 'delivered', delivered_at = started WHERE instance_id = machine.id
  RETURNING * INTO line;
  IF machine.charge_type = 'PREPAID' THEN
    hold := fn.ledger_post(line.hold_id, 'prepaid', 'revenue', _now);
    IF hold.id IS NULL THEN
      RAISE EXCEPTION 'the hold of instance % was not pending at its delivery', machine.id;
    END IF;
    UPDATE orders_line SET paid_cash_minor = hold.cash_minor, paid_gift_minor = hold.gift_minor WHERE id = line.id;
    PERFORM fn.worker_enqueue('expire', ARRAY[machine.id], machine.account_id, '', machine.expires_at, '{}');
  END IF;
  SELECT segments INTO usage FROM orders_order WHERE id = line.order_id;
  PERFORM fn.metering_start(machine.account_id, machine.id, usage, started);
  PERFORM fn.instances_event(machine.id, machine.account_id, 'delivered', _now,
                             jsonb_build_object('waited_ms', _result->'waited_ms'));
END $$;

CREATE FUNCTION fn.orders_one_failed(_result jsonb, _now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE machine instances_instance; line orders_line;
BEGIN
  machine := fn.instances_launch_failed((_result->>'instance')::bigint, _result->>'code', _result->>'error');
  IF machine.id IS NULL THEN
    RETURN;
  END IF;
  UPDATE orders_line SET state = 'failed', reason = left(_result->>'error', 500) WHERE instance_id = machine.id
  RETURNING * INTO line;
  PERFORM fn.ledger_void(line.hold_id, _now);
  PERFORM fn.instances_event(machine.id, machine.account_id, 'launch_failed', _now,
                             jsonb_build_object('why', _result->>'error'));
END $$;

-- The last step of a failed delivery, once nothing is left on the engine: room and addresses are free again.
CREATE FUNCTION fn.orders_cleaned(_owner uuid, _operation bigint, _instance bigint, _now timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  IF cardinality(fn.worker_finish(ARRAY[_operation], _owner, 'clean')) = 0 THEN
    RETURN false;
  END IF;
  PERFORM fn.network_free_public(ARRAY[_instance], _now);
  PERFORM fn.network_free_private(ARRAY[_instance]);
  PERFORM fn.placement_free(ARRAY[_instance]);
  RETURN true;
END $$;
