-- The outcome of deliveries: state, money, usage, event and next step in one commit, each fenced by
-- (operation, lease owner, step). _results: [{operation, account, instance, kind, waited_ms, and of prepaid ones
-- expires_at, term_at} or, failed,
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
  IF cardinality(done) > 0 THEN
    PERFORM fn.orders_run(done, _results, _now);
  END IF;
  FOR result IN SELECT r FROM jsonb_array_elements(_results) AS r WHERE r ? 'error'
                ORDER BY (r->>'instance')::bigint LOOP
    IF fn.worker_next((result->>'operation')::bigint, _owner, 'start', 'clean', result->>'error') THEN
      PERFORM fn.orders_one_failed(result, _now);
      failed := failed || (result->>'operation')::bigint;
    END IF;
  END LOOP;
  orders := ARRAY(SELECT DISTINCT order_id FROM orders_line
                  WHERE subscription_id = ANY (ARRAY(SELECT (r->>'instance')::bigint
                                                     FROM jsonb_array_elements(_results) AS r
                                                     WHERE (r->>'operation')::bigint = ANY (done || failed))));
  UPDATE orders_order o SET status = summary.status, closed_at = CASE WHEN summary.status = 5 THEN _now END
  FROM (
    SELECT order_id, CASE WHEN bool_or(state = 'delivering') THEN 3 WHEN bool_or(state <> 'failed') THEN 4 ELSE 5 END
           AS status
    FROM orders_line WHERE order_id = ANY (orders) GROUP BY order_id
  ) AS summary
  WHERE o.id = summary.order_id AND o.id = ANY (orders) AND o.status <> summary.status;
  RETURN done || failed;
END $$;

-- The machines of these operations run: their lines, money, usage and events, all at once.
CREATE FUNCTION fn.orders_run(_operations bigint[], _results jsonb, _now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  started timestamptz := fn.metering_instant(_now);
  running bigint[];
  prepaid record;
BEGIN
  SELECT fn.instances_delivered(array_agg((r->>'instance')::bigint), array_agg(r->>'kind')) INTO running
  FROM jsonb_array_elements(_results) AS r WHERE (r->>'operation')::bigint = ANY (_operations);
  PERFORM fn.subscriptions_started(array_agg((r->>'instance')::bigint), array_agg((r->>'expires_at')::timestamptz),
                                   started, _now)
  FROM jsonb_array_elements(_results) AS r WHERE (r->>'instance')::bigint = ANY (running);
  UPDATE orders_line SET state = 'delivered', delivered_at = started WHERE subscription_id = ANY (running);
  FOR prepaid IN SELECT * FROM fn.subscriptions_prepaid(running) AS bundle LOOP
    PERFORM fn.orders_pay(prepaid.id, prepaid.account_id, prepaid.started_at, prepaid.expires_at, _now);
  END LOOP;
  PERFORM fn.worker_enqueue('term', 'machine', ARRAY[(r->>'instance')::bigint], (r->>'account')::bigint, '',
                            (r->>'term_at')::timestamptz, '{}')
  FROM jsonb_array_elements(_results) AS r WHERE r ? 'term_at' AND (r->>'instance')::bigint = ANY (running);
  PERFORM fn.metering_start(running, '{}', started);
  PERFORM fn.events_write(array_agg((r->>'account')::bigint), 'machine', array_agg((r->>'instance')::bigint),
                          'delivered', _now, array_agg(jsonb_build_object('waited_ms', r->'waited_ms')), '{}')
  FROM jsonb_array_elements(_results) AS r WHERE (r->>'instance')::bigint = ANY (running);
END $$;

-- A prepaid bundle runs: what was set aside for it is paid, and its term ends by a timer.
CREATE FUNCTION fn.orders_pay(
  _subscription bigint, _account bigint, _from timestamptz, _to timestamptz, _now timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE hold ledger_hold;
BEGIN
  hold := fn.ledger_post((SELECT hold_id FROM orders_line WHERE subscription_id = _subscription), 'prepaid', 'revenue',
                         _now);
  IF hold.id IS NULL THEN
    RAISE EXCEPTION 'the hold of subscription % was not pending at its delivery', _subscription;
  END IF;
  UPDATE orders_line SET paid_cash_minor = hold.cash_minor, paid_gift_minor = hold.gift_minor, period_from = _from,
                         period_to = _to
  WHERE subscription_id = _subscription;
  PERFORM fn.worker_enqueue('expire', 'machine', ARRAY[_subscription], _account, '', _to, '{}');
END $$;

CREATE FUNCTION fn.orders_one_failed(_result jsonb, _now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE machine instances_instance; line orders_line;
BEGIN
  machine := fn.instances_launch_failed((_result->>'instance')::bigint, _result->>'code', _result->>'error');
  IF machine.id IS NULL THEN
    RETURN;
  END IF;
  PERFORM fn.subscriptions_failed(machine.id);
  UPDATE orders_line SET state = 'failed', reason = left(_result->>'error', 500) WHERE subscription_id = machine.id
  RETURNING * INTO line;
  PERFORM fn.ledger_void(line.hold_id, _now);
  PERFORM fn.events_write(ARRAY[machine.account_id], 'machine', ARRAY[machine.id], 'launch_failed', _now,
                          ARRAY[jsonb_build_object('why', _result->>'error')], '{}');
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
  PERFORM fn.network_free_ipv6(ARRAY[_instance]);
  PERFORM fn.placement_free(ARRAY[_instance]);
  RETURN true;
END $$;

-- The seller voids what of an order is not delivered yet: its machines go the way of a failed delivery, whoever makes
-- them at this moment. How many there were. Belongs under the account lock.
CREATE FUNCTION fn.orders_voided(_order bigint, _code text, _why text, _now timestamptz) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE turned bigint[]; machine bigint;
BEGIN
  turned := fn.worker_turn('deliver', 'machine', ARRAY(
    SELECT subscription_id FROM orders_line WHERE order_id = _order AND state = 'delivering'), 'start', 'clean', _why);
  FOREACH machine IN ARRAY turned LOOP
    PERFORM fn.orders_one_failed(jsonb_build_object('instance', machine, 'code', _code, 'error', _why), _now);
  END LOOP;
  UPDATE orders_order SET
    status = CASE WHEN EXISTS (SELECT FROM orders_line WHERE order_id = _order AND state <> 'failed') THEN 4 ELSE 7 END,
    closed_at = CASE WHEN EXISTS (SELECT FROM orders_line WHERE order_id = _order AND state <> 'failed') THEN closed_at
                     ELSE _now END
  WHERE id = _order AND cardinality(turned) > 0
    AND NOT EXISTS (SELECT FROM orders_line WHERE order_id = _order AND state = 'delivering');
  RETURN cardinality(turned);
END $$;
