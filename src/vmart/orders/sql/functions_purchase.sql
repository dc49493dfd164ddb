-- The purchase: one statement, one commit. Reads like the way of an order:
-- account lock → may who asks still → token → may this account buy → room → money → addresses → rows → work for the worker.
--
-- _p: what was decided and made before the call (orders/purchase_values.py); _ids and
-- _holds one a machine, in order.
-- Returns {"answer": …, "repeated": bool, "fingerprint": hex}. Refusals: kernel.db.refusal().
-- A plan for any number of machines does for each number: without that setting, arrays have it planned anew each time.
CREATE FUNCTION fn.orders_purchase(_p jsonb, _ids bigint[], _holds uuid[]) RETURNS jsonb
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  _bought jsonb := _p->'bought';
  _account bigint := (_bought->>'account_id')::bigint;
  _now timestamptz := (_p->>'now')::timestamptz;
  _zone text := _bought->>'zone';
  _count int := cardinality(_ids);
  _granted int;
  _known orders_idempotency;
  _answer jsonb := _p->'answer';
  _purses ledger_purses := fn.ledger_lock(_account);
BEGIN
  IF coalesce((_p->>'member')::bigint, 0) + coalesce((_p->>'staff')::bigint, 0) <> 0 AND NOT fn.customers_permits(
       _account, (_p->>'member')::bigint, (_p->>'staff')::bigint,
       ARRAY(SELECT jsonb_array_elements_text(_p->'roles'))) THEN
    PERFORM fn.kernel_refuse('not_permitted', '');
  END IF;
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

  PERFORM fn.orders_may_buy(_p, _purses, _count);
  _granted := fn.orders_claim(_p, _ids);
  IF _granted < _count THEN
    _ids := _ids[1:_granted];
    _holds := _holds[1:_granted];
    _answer := jsonb_set(_answer, '{instance_ids}', jsonb_path_query_array(
      _answer, '$.instance_ids[0 to $last]', jsonb_build_object('last', _granted - 1)));
    UPDATE orders_idempotency SET answer = _answer WHERE account_id = _account AND token = _p->>'token';
  END IF;

  PERFORM fn.ledger_hold(_account, CASE WHEN _bought->>'charge_type' = 'PREPAID' THEN 'fixed' ELSE 'floating' END,
                         _holds, array_fill((_p->>'hold_machine_minor')::bigint, ARRAY[_granted]), _ids, _now);
  PERFORM fn.orders_write(_p, _ids, _holds);
  PERFORM fn.worker_enqueue('deliver', 'machine', _ids, _account, _zone, _now, '{}');
  IF _bought->>'ends_at' IS NOT NULL THEN
    PERFORM fn.worker_enqueue('planned_end', 'machine', _ids, _account, '', (_bought->>'ends_at')::timestamptz, '{}');
  END IF;
  RETURN jsonb_build_object('answer', _answer, 'repeated', false, 'fingerprint', _p->>'fingerprint');
END $$;

-- Room for the machines, apart from the others of their placement group where one is named: how many found it. Refuses
-- where they are fewer than the least.
CREATE FUNCTION fn.orders_claim(_p jsonb, _ids bigint[]) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
  _bought jsonb := _p->'bought';
  _account bigint := (_bought->>'account_id')::bigint;
  _zone text := _bought->>'zone';
  _vcpu int := (_bought->>'vcpu')::int;
  _memory_mib bigint := (_bought->>'memory_mib')::bigint;
  _disk_gib bigint := (_p->>'disk_gib')::bigint;
  _group text := _bought->'placement_groups'->>0;
  _granted int;
  _why text := '';
BEGIN
  IF _group IS NULL THEN
    _granted := fn.placement_claim(_zone, _account, _ids, _vcpu, _memory_mib, _disk_gib);
  ELSE
    _granted := fn.placement_claim_apart(_group, _zone, _account, _ids, _vcpu, _memory_mib, _disk_gib);
  END IF;
  IF _granted >= (_p->>'min_count')::int THEN
    RETURN _granted;
  END IF;
  IF _group IS NOT NULL THEN
    _why := fn.placement_why_not_apart(_group, _zone, _account, _vcpu, _memory_mib, _disk_gib);
  END IF;
  IF _why <> '' THEN
    PERFORM fn.kernel_refuse('group_' || _why, _group || '|' || _granted);
  END IF;
  PERFORM fn.kernel_refuse('sold_out', _granted || '|' || array_to_string(
    fn.placement_explain(_zone, _vcpu, _memory_mib, _disk_gib), ','));
END $$;

-- Refuse who may not buy: a stale catalog, a frozen account, arrears, a key pair, a security group, a
-- snapshot or an image that is gone, quotas. Under the account lock, by which those are deleted too.
CREATE FUNCTION fn.orders_may_buy(_p jsonb, _purses ledger_purses, _count int) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  _bought jsonb := _p->'bought';
  _account bigint := (_bought->>'account_id')::bigint;
  _zone text := _bought->>'zone';
  _limits customers_account;
  _held bigint;
  _most int;
  _gone text := fn.instances_missing_key(_account, _bought->'login'->'key_ids');
  _gone_snapshot text := fn.storage_missing_snapshot(_account, _zone, _bought->'data_disks');
  _gone_group text := fn.security_missing_group(
    _account, _bought->'attributes'->'security_groups', _bought->>'region', _p->>'default_group');
BEGIN
  IF (_bought->'network'->>'ipv6_addresses')::int > 0 THEN
    PERFORM fn.network_hold_prefixes();
  END IF;
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
  IF _gone IS NOT NULL THEN
    PERFORM fn.kernel_refuse('no_key_pair', _gone);
  END IF;
  IF _gone_group IS NOT NULL THEN
    PERFORM fn.kernel_refuse('no_security_group', _gone_group);
  END IF;
  IF _gone_snapshot IS NOT NULL THEN
    PERFORM fn.kernel_refuse('no_snapshot', _gone_snapshot);
  END IF;
  IF _bought->>'own_image' <> '' AND NOT fn.storage_hold_image(_bought->>'own_image', _account, _zone) THEN
    PERFORM fn.kernel_refuse('no_image', _bought->>'own_image');
  END IF;
  IF _bought->>'charge_type' = 'PREPAID' THEN
    _held := fn.subscriptions_counted(_account, _zone, 'PREPAID', (_p->>'month_start')::timestamptz);
    _most := fn.customers_quota(_account, 'prepaid_per_month');
    IF _held + _count > _most THEN
      PERFORM fn.kernel_refuse('quota_prepaid', _held || '|' || _most);
    END IF;
  ELSIF _bought->>'charge_type' = 'SPOTPAID' THEN
    _held := fn.subscriptions_counted(_account, _zone, 'SPOTPAID', NULL);
    _most := fn.customers_quota(_account, 'spot_per_zone');
    IF _held + _count > _most THEN
      PERFORM fn.kernel_refuse('quota_spot', _held || '|' || _most);
    END IF;
  ELSE
    _held := fn.subscriptions_counted(_account, _zone, 'POSTPAID_BY_HOUR', NULL);
    _most := fn.customers_quota(_account, 'postpaid_per_zone');
    IF _held + _count > _most THEN
      PERFORM fn.kernel_refuse('quota_postpaid', _held || '|' || _most || '|'
                                                 || fn.subscriptions_in_bin(_account, _zone, 'POSTPAID_BY_HOUR'));
    END IF;
  END IF;
END $$;

-- Addresses; the order (or the payment of an unpaid one), lines, machines and disks.
CREATE FUNCTION fn.orders_write(_p jsonb, _ids bigint[], _holds uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  _bought jsonb := _p->'bought';
  _account bigint := (_bought->>'account_id')::bigint;
  _now timestamptz := (_p->>'now')::timestamptz;
  _zone text := _bought->>'zone';
  _order bigint := (_p->>'order_id')::bigint;
  _amount bigint := (_p->>'machine_minor')::bigint;
  _count int := cardinality(_ids);
  _subnet bigint;
  _private inet[];
  _public inet[];
  _ipv6 inet[];
BEGIN
  SELECT subnet_id, addresses INTO _subnet, _private
  FROM fn.network_claim_private(_account, _bought->>'region', _zone, _p->>'vpc_public_id', _p->>'subnet_public_id',
                                _now, _ids, _p->>'subnet',
                                ARRAY(SELECT jsonb_array_elements_text(_bought->'network'->'private_ips')::inet));
  IF cardinality(_private) < _count AND _p->>'subnet' <> '' THEN
    PERFORM fn.kernel_refuse('subnet_full', _p->>'subnet');
  END IF;
  IF cardinality(_private) < _count THEN
    PERFORM fn.kernel_refuse('no_private_address', _zone || '|' || fn.subscriptions_in_bin(_account, _zone, ''));
  END IF;
  IF (_bought->>'public_ip')::boolean THEN
    _public := fn.network_claim_public(_zone, _account, _ids);
    IF cardinality(_public) < _count THEN
      PERFORM fn.kernel_refuse('no_public_address', _zone || '|' || fn.instances_addresses_in_bin(_account, _zone));
    END IF;
  END IF;
  IF (_bought->'network'->>'ipv6_addresses')::int > 0 THEN
    _ipv6 := fn.network_claim_ipv6(_zone, (_p->>'ipv6_prefix')::inet, _account, _ids);
    IF cardinality(_ipv6) < _count THEN
      PERFORM fn.kernel_refuse('no_ipv6_address', _zone);
    END IF;
  END IF;

  IF (_p->>'order_exists')::boolean THEN
    UPDATE orders_order SET status = 3, paid_at = _now, count = _count, total_minor = _amount * _count,
                            hold_minor = (_p->>'hold_machine_minor')::bigint * _count
    WHERE id = _order AND account_id = _account AND status = 1;
    IF NOT FOUND THEN
      PERFORM fn.kernel_refuse('order_not_payable', _order::text);
    END IF;
  ELSE
    INSERT INTO orders_order (id, account_id, action, status, charge_type, count, total_minor, hold_minor, quote,
                              request, book_version, tax_rate, tax_minor, tax_inclusive, created_at, paid_at,
                              reason)
    VALUES (_order, _account, 'purchase', 3, _bought->>'charge_type', _count, _amount * _count,
            (_p->>'hold_machine_minor')::bigint * _count, _p->'quote', '{}',
            (_p->>'book_version')::int, 0, 0, true, _now, _now, '');
  END IF;
  PERFORM fn.events_write(ARRAY[_account], 'order', ARRAY[_order], 'RunInstances', _now, ARRAY['{}'::jsonb],
                          _p->'actor');
  INSERT INTO orders_line (order_id, account_id, subscription_id, number, hold_id, months, amount_minor,
                           paid_cash_minor, paid_gift_minor, refund_minor, state, reason)
  SELECT _order, _account, id, n, hold, (_bought->>'period_months')::int, _amount, 0, 0, 0, 'delivering', ''
  FROM unnest(_ids, _holds) WITH ORDINALITY AS line (id, hold, n);
  PERFORM fn.subscriptions_open(
    _bought, _ids, ARRAY(SELECT machine->>'public_id' FROM jsonb_array_elements(_p->'machines') AS machine
                                    LIMIT _count), _holds, _p->'disks', _p->'items');
  PERFORM fn.instances_create(_bought, _p->'machines', _ids, _subnet, _private, _public, _ipv6);
  PERFORM fn.storage_create(_p->'disks', _ids);
  IF jsonb_array_length(_bought->'tag_specification') > 0 THEN
    PERFORM fn.orders_tag(_p, _ids, _account, _now);
  END IF;
END $$;

-- Tags of the machines and disks that are bought. Nobody knows them yet, so nobody else tags them.
CREATE FUNCTION fn.orders_tag(_p jsonb, _ids bigint[], _account bigint, _now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  _kinds text[];
  _named text[];
BEGIN
  SELECT array_agg(kind), array_agg(public_id) INTO _kinds, _named FROM (
    (SELECT 'instance', machine->>'public_id' FROM jsonb_array_elements(_p->'machines') AS machine
     LIMIT cardinality(_ids))
    UNION ALL
    SELECT 'volume', disk->>'public_id' FROM jsonb_array_elements(_p->'disks') AS disk
    WHERE (disk->>'instance_id')::bigint = ANY (_ids)
  ) AS bought (kind, public_id);
  PERFORM fn.tags_begin(_account, _kinds, _named, _p->'bought'->'tag_specification', _now);
END $$;
