-- The purchase: one statement, one commit. Reads like the way of an order:
-- token → account lock → may this account buy → room → money → addresses → rows → work for the worker.
--
-- _p: what orders/purchase.py has decided (see there); numbers and ids are made before the call.
-- Returns {"answer": …, "repeated": bool, "fingerprint": hex}. Refusals: kernel.db.refusal().
CREATE FUNCTION fn.orders_purchase(_p jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
  _account bigint := (_p->>'account_id')::bigint;
  _now timestamptz := (_p->>'now')::timestamptz;
  _zone text := _p->>'zone';
  _prepaid boolean := _p->>'charge_type' = 'PREPAID';
  _count int := jsonb_array_length(_p->'machines');
  _ids bigint[];
  _granted bigint[];
  _subnet bigint;
  _machines jsonb;
  _known orders_idempotency;
  _answer jsonb := _p->'answer';
BEGIN
  IF _p->>'token' <> '' THEN
    INSERT INTO orders_idempotency (account_id, token, fingerprint, answer, created_wall_at)
    VALUES (_account, _p->>'token', decode(_p->>'fingerprint', 'hex'), _answer, (_p->>'wall')::timestamptz)
    ON CONFLICT (account_id, token) DO NOTHING;
    IF NOT FOUND THEN
      SELECT * INTO _known FROM orders_idempotency WHERE account_id = _account AND token = _p->>'token';
      RETURN jsonb_build_object('answer', _known.answer, 'repeated', true,
                                'fingerprint', encode(_known.fingerprint, 'hex'));
    END IF;
  END IF;

  PERFORM fn.orders_may_buy(_p, _count);
  SELECT array_agg((machine->>'id')::bigint ORDER BY n) INTO _ids
  FROM jsonb_array_elements(_p->'machines') WITH ORDINALITY AS line (machine, n);

  SELECT array_agg(instance_id) INTO _granted
  FROM fn.placement_claim(_zone, _account, _ids, (_p->>'vcpu')::int, (_p->>'memory_mib')::bigint,
                          (_p->>'disk_gib')::bigint);
  IF coalesce(cardinality(_granted), 0) < (_p->>'min_count')::int THEN
    PERFORM fn.kernel_refuse('sold_out', coalesce(cardinality(_granted), 0)::text);
  END IF;

  _machines := fn.orders_addressed(_p, _granted);
  _subnet := (_machines->0->>'subnet_id')::bigint;
  _count := cardinality(_granted);
  PERFORM fn.ledger_hold(
    _account, CASE WHEN _prepaid THEN 'fixed' ELSE 'floating' END,
    array_agg((machine->>'hold_id')::uuid), array_agg((_p->>'hold_machine_minor')::bigint),
    array_agg((machine->>'id')::bigint), _now)
  FROM jsonb_array_elements(_machines) AS machine;

  PERFORM fn.orders_write(_p, _machines, _count);
  PERFORM fn.worker_enqueue('deliver', _granted, _account, _zone, _now, '{}');

  IF _count < jsonb_array_length(_p->'machines') THEN
    _answer := jsonb_set(_answer, '{instance_ids}',
                         (SELECT jsonb_agg(machine->'public_id') FROM jsonb_array_elements(_machines) AS machine));
    UPDATE orders_idempotency SET answer = _answer WHERE account_id = _account AND token = _p->>'token';
  END IF;
  RETURN jsonb_build_object('answer', _answer, 'repeated', false, 'fingerprint', _p->>'fingerprint');
END $$;

-- Take the account lock and refuse who may not buy: a stale catalog, a frozen account, arrears, quotas.
CREATE FUNCTION fn.orders_may_buy(_p jsonb, _count int) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  _account bigint := (_p->>'account_id')::bigint;
  _purses ledger_purses := fn.ledger_lock(_account);
  _limits customers_account;
  _held bigint;
BEGIN
  IF fn.kernel_generation() <> (_p->>'generation')::bigint THEN
    PERFORM fn.kernel_refuse('stale_catalog', '');
  END IF;
  _limits := fn.customers_limits(_account);
  IF _limits.frozen_reason <> '' THEN
    PERFORM fn.kernel_refuse('account_frozen', _limits.frozen_reason);
  END IF;
  IF fn.ledger_balance(_purses) < 0 THEN
    PERFORM fn.kernel_refuse('in_arrears', fn.ledger_balance(_purses)::text);
  END IF;
  IF _p->>'charge_type' = 'PREPAID' THEN
    _held := fn.instances_counted(_account, _p->>'zone', 'PREPAID', (_p->>'month_start')::timestamptz);
    IF _held + _count > _limits.quota_prepaid_per_month THEN
      PERFORM fn.kernel_refuse('quota_prepaid', _held || '|' || _limits.quota_prepaid_per_month);
    END IF;
  ELSE
    _held := fn.instances_counted(_account, _p->>'zone', 'POSTPAID_BY_HOUR', NULL);
    IF _held + _count > _limits.quota_postpaid_per_zone THEN
      PERFORM fn.kernel_refuse('quota_postpaid', _held || '|' || _limits.quota_postpaid_per_zone);
    END IF;
  END IF;
END $$;

-- The machines that found room, each with its private and, where wanted, its public address.
CREATE FUNCTION fn.orders_addressed(_p jsonb, _granted bigint[]) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
  _account bigint := (_p->>'account_id')::bigint;
  _subnet bigint := fn.network_default_subnet(_account, _p->>'region', _p->>'zone', _p->>'vpc_public_id',
                                              _p->>'subnet_public_id', (_p->>'now')::timestamptz);
  _wants_public boolean := (_p->>'public_ip')::boolean;
  _public jsonb := '{}';
  _private jsonb;
BEGIN
  SELECT jsonb_object_agg(instance_id, host(ip)) INTO _private FROM fn.network_claim_private(_subnet, _granted);
  IF (SELECT count(*) FROM jsonb_object_keys(coalesce(_private, '{}'))) < cardinality(_granted) THEN
    PERFORM fn.kernel_refuse('no_private_address', _p->>'zone');
  END IF;
  IF _wants_public THEN
    SELECT jsonb_object_agg(instance_id, host(ip)) INTO _public
    FROM fn.network_claim_public(_p->>'zone', _account, _granted);
    IF (SELECT count(*) FROM jsonb_object_keys(coalesce(_public, '{}'))) < cardinality(_granted) THEN
      PERFORM fn.kernel_refuse('no_public_address', _p->>'zone');
    END IF;
  END IF;
  RETURN (SELECT jsonb_agg(machine || jsonb_build_object('subnet_id', _subnet, 'private_ip', _private->(machine->>'id'),
                                                         'public_ip', _public->(machine->>'id')) ORDER BY n)
          FROM jsonb_array_elements(_p->'machines') WITH ORDINALITY AS line (machine, n)
          WHERE (machine->>'id')::bigint = ANY (_granted));
END $$;

-- Order (or the payment of an unpaid one), lines, machines, disks.
CREATE FUNCTION fn.orders_write(_p jsonb, _machines jsonb, _count int) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  _account bigint := (_p->>'account_id')::bigint;
  _now timestamptz := (_p->>'now')::timestamptz;
  _order bigint := (_p->>'order_id')::bigint;
BEGIN
  IF (_p->>'order_exists')::boolean THEN
    UPDATE orders_order SET status = 3, paid_at = _now, count = _count,
      total_minor = (_p->>'machine_minor')::bigint * _count, hold_minor = (_p->>'hold_machine_minor')::bigint * _count
    WHERE id = _order AND account_id = _account AND status = 1;
    IF NOT FOUND THEN
      PERFORM fn.kernel_refuse('order_not_payable', _order::text);
    END IF;
  ELSE
    INSERT INTO orders_order (id, account_id, action, status, charge_type, count, total_minor, hold_minor, quote,
                              segments, request, book_version, tax_rate, tax_minor, tax_inclusive, created_at,
                              paid_at, reason)
    VALUES (_order, _account, 'purchase', 3, _p->>'charge_type', _count, (_p->>'machine_minor')::bigint * _count,
            (_p->>'hold_machine_minor')::bigint * _count, _p->'quote', _p->'segments', '{}',
            (_p->>'book_version')::int, 0, 0, true, _now, _now, '');
  END IF;
  INSERT INTO orders_line (order_id, account_id, instance_id, number, hold_id, amount_minor, paid_cash_minor,
                           paid_gift_minor, refund_minor, state, reason)
  SELECT _order, _account, (machine->>'id')::bigint, n, (machine->>'hold_id')::uuid, (_p->>'machine_minor')::bigint,
         0, 0, 0, 'delivering', ''
  FROM jsonb_array_elements(_machines) WITH ORDINALITY AS line (machine, n);
  PERFORM fn.instances_create(_p->'instance', _machines);
  PERFORM fn.storage_create((
    SELECT jsonb_agg(disk) FROM jsonb_array_elements(_machines) AS machine,
                               jsonb_array_elements(machine->'disks') AS disk));
END $$;
