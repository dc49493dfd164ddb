-- What was bought: the bundles in the order of _ids, each with its members and its terms.
--
-- _common: what is the same for each (account_id, zone, kind, charge_type, renew_flag, created_at, book_version).
-- _members: [{id, public_id, kind, bundle, position}], position from 0. _items: of each bundle [position (null: of the
-- head), component, mode, price key, quantity, pausable].
CREATE FUNCTION fn.subscriptions_open(
  _common jsonb, _ids bigint[], _public_ids text[], _holds uuid[], _members jsonb, _items jsonb
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  _account bigint := (_common->>'account_id')::bigint;
  _at timestamptz := (_common->>'created_at')::timestamptz;
BEGIN
  INSERT INTO subscriptions_subscription (
    id, account_id, zone_id, kind, public_id, bundle_id, created_at, charge_type, standing, renew_flag,
    isolated_source, hold_id, hold_number)
  SELECT head.id, _account, _common->>'zone', _common->>'kind', head.public_id, head.id, _at, _common->>'charge_type',
         'pending', _common->>'renew_flag', 'NOTISOLATED', head.hold, 1
  FROM unnest(_ids, _public_ids, _holds) AS head (id, public_id, hold)
  UNION ALL
  SELECT member.id, _account, _common->>'zone', member.kind, member.public_id, member.bundle, _at, '', '', '', '',
         NULL, 0
  FROM jsonb_to_recordset(_members) AS member (id bigint, public_id text, kind text, bundle bigint)
  WHERE member.bundle = ANY (_ids);
  INSERT INTO subscriptions_item (
    subscription_id, component, mode, price_key, quantity, book_version, pausable, from_at)
  SELECT coalesce(member.id, head), item->>1, item->>2, item->>3, (item->>4)::bigint,
         (_common->>'book_version')::int, (item->>5)::boolean, _at
  FROM unnest(_ids) AS head CROSS JOIN jsonb_array_elements(_items) AS item
  LEFT JOIN jsonb_to_recordset(_members) AS member (id bigint, bundle bigint, position int)
    ON member.bundle = head AND member.position = (item->>0)::int;
END $$;

-- Bundles that are in use from now on, the arrays in one order. A prepaid term runs from _now, whatever the horizon
-- says of usage, which runs from _started.
CREATE FUNCTION fn.subscriptions_started(
  _ids bigint[], _expire_at timestamptz[], _started timestamptz, _now timestamptz
) RETURNS void
LANGUAGE sql AS $$
  UPDATE subscriptions_subscription s SET standing = 'active',
    started_at = CASE WHEN charge_type = 'PREPAID' THEN _now ELSE _started END,
    anchor_at = CASE WHEN charge_type = 'PREPAID' THEN _now END,
    expires_at = CASE WHEN charge_type = 'PREPAID' THEN line.expires_at END,
    hold_id = CASE WHEN charge_type = 'PREPAID' THEN NULL ELSE hold_id END
  FROM unnest(_ids, _expire_at) AS line (id, expires_at) WHERE s.id = line.id AND s.id = ANY (_ids)
$$;

-- Whether there is such a bundle, and it is in the recycle bin or put away for arrears.
CREATE FUNCTION fn.subscriptions_is_isolated(_id bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM subscriptions_subscription WHERE id = _id AND standing = 'isolated')
$$;

-- Those of the bundles that are prepaid, by id.
CREATE FUNCTION fn.subscriptions_prepaid(_ids bigint[]) RETURNS SETOF subscriptions_subscription
LANGUAGE sql STABLE AS $$
  SELECT * FROM subscriptions_subscription WHERE id = ANY (_ids) AND charge_type = 'PREPAID' ORDER BY id
$$;

-- A bundle that could not be delivered.
CREATE FUNCTION fn.subscriptions_failed(_id bigint) RETURNS void
LANGUAGE sql AS $$
  UPDATE subscriptions_subscription SET standing = 'failed', hold_id = NULL, arrears_since = NULL WHERE id = _id
$$;

-- What the bundles are charged by usage now; of those in _paused, without what a stop without charge pauses.
CREATE FUNCTION fn.subscriptions_used(_bundles bigint[], _paused bigint[])
RETURNS TABLE (account_id bigint, subscription_id bigint, component varchar, price_key varchar, quantity bigint)
LANGUAGE sql STABLE AS $$
  SELECT s.account_id, s.id, i.component, i.price_key, i.quantity
  FROM subscriptions_subscription s JOIN subscriptions_item i ON i.subscription_id = s.id
  WHERE s.bundle_id = ANY (_bundles) AND i.to_at IS NULL AND i.mode <> 'month'
    AND NOT (i.pausable AND s.bundle_id = ANY (_paused))
$$;

-- The subscriptions of bundles: heads and members.
CREATE FUNCTION fn.subscriptions_parts(_bundles bigint[]) RETURNS SETOF bigint
LANGUAGE sql STABLE AS $$
  SELECT id FROM subscriptions_subscription WHERE bundle_id = ANY (_bundles)
$$;

-- What a stop without charge pauses of them.
CREATE FUNCTION fn.subscriptions_pausable(_bundles bigint[])
RETURNS TABLE (subscription_id bigint, component varchar)
LANGUAGE sql STABLE AS $$
  SELECT i.subscription_id, i.component
  FROM subscriptions_subscription s JOIN subscriptions_item i ON i.subscription_id = s.id
  WHERE s.bundle_id = ANY (_bundles) AND i.to_at IS NULL AND i.pausable
$$;

-- Machines that count against a quota. Postpaid: those an account has in a zone, also in the recycle bin. Prepaid: those
-- it bought there since an instant, also when they are gone by now, but for those never delivered or returned.
CREATE FUNCTION fn.subscriptions_counted(_account bigint, _zone text, _charge_type text, _since timestamptz)
RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
  -- zone_id || '': only the account's indexes may answer. A plan made while the table was empty is kept by its
  -- connection, and then any index looks as good.
  IF _charge_type = 'PREPAID' THEN
    RETURN (SELECT count(*) FROM subscriptions_subscription
            WHERE account_id = _account AND zone_id || '' = _zone AND charge_type = 'PREPAID' AND kind = 'machine'
              AND standing <> 'failed' AND created_at >= _since AND isolated_source <> 'MANMADE');
  END IF;
  RETURN (SELECT count(*) FROM subscriptions_subscription
          WHERE account_id = _account AND zone_id || '' = _zone AND charge_type = _charge_type AND kind = 'machine'
            AND standing NOT IN ('ended', 'failed'));
END $$;

-- How many of the account's machines in the zone are in the recycle bin, and when the first of them leaves it, as
-- "number|instant"; of one charge type or of any ('').
CREATE FUNCTION fn.subscriptions_in_bin(_account bigint, _zone text, _charge_type text) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT count(*) || '|' || coalesce(to_char(min(release_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '')
  FROM subscriptions_subscription
  WHERE account_id = _account AND zone_id || '' = _zone AND kind = 'machine' AND standing = 'isolated'
    AND _charge_type IN ('', charge_type)
$$;

-- When the first of these bundles leaves the recycle bin, and how many of them are in it; as above.
CREATE FUNCTION fn.subscriptions_leaving(_ids bigint[]) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT count(*) || '|' || coalesce(to_char(min(release_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '')
  FROM subscriptions_subscription WHERE id = ANY (_ids) AND standing = 'isolated'
$$;
