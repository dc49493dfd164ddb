-- Put work into the queue; work of this kind on this subject that is there already stays as it is, unless
-- it was given up: then the new takes its place, or nobody would ever do it.
CREATE FUNCTION fn.worker_enqueue(
  _kind text, _subject_kind text, _subjects bigint[], _account bigint, _lane text, _due_at timestamptz, _payload jsonb
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO worker_operation (kind, subject_kind, subject_id, account_id, lane, step, payload, due_at, attempt,
                                last_error, attention, created_at)
  SELECT _kind, _subject_kind, subject, _account, _lane, 'start', _payload, _due_at, 0, '', false, clock_timestamp()
  FROM unnest(_subjects) AS subject
  ON CONFLICT (kind, subject_kind, subject_id) DO UPDATE SET
    account_id = excluded.account_id, lane = excluded.lane, step = excluded.step, payload = excluded.payload,
    due_at = excluded.due_at, not_before = NULL, attempt = 0, last_error = '', attention = false,
    created_at = excluded.created_at
  WHERE worker_operation.attention;
END $$;

-- Claim due work in the given lanes ('' is the timers' own): each row leased to one owner.
CREATE FUNCTION fn.worker_claim(
  _lanes text[], _owner uuid, _now timestamptz, _wall timestamptz, _lease_until timestamptz, _limit int
) RETURNS SETOF worker_operation
LANGUAGE sql AS $$
  WITH due AS MATERIALIZED (  -- once: under a nested loop it would be run for each row, and pass its limit
    SELECT id FROM worker_operation
    WHERE due_at <= _now AND NOT attention AND lane = ANY (_lanes)
      AND (not_before IS NULL OR not_before <= _wall) AND (lease_until IS NULL OR lease_until < _wall)
    ORDER BY due_at, id LIMIT _limit FOR UPDATE SKIP LOCKED
  )
  UPDATE worker_operation o SET lease_owner = _owner, lease_until = _lease_until, attempt = attempt + 1
  FROM due WHERE o.id = due.id
  RETURNING o.*
$$;

-- Keep the leases of what this owner has in hand. What an act has locked is about to end, and nobody can claim
-- it: to wait for it would let the leases of all others run out.
CREATE FUNCTION fn.worker_renew(_ids bigint[], _owner uuid, _lease_until timestamptz) RETURNS void
LANGUAGE sql AS $$
  WITH held AS MATERIALIZED (
    SELECT id FROM worker_operation WHERE id = ANY (_ids) AND lease_owner = _owner
    ORDER BY id FOR UPDATE SKIP LOCKED
  )
  UPDATE worker_operation o SET lease_until = _lease_until FROM held WHERE o.id = held.id
$$;

-- The fence: end these operations if they are still this owner's at this step; the ids that were.
CREATE FUNCTION fn.worker_finish(_ids bigint[], _owner uuid, _step text) RETURNS bigint[]
LANGUAGE sql AS $$
  WITH done AS (
    DELETE FROM worker_operation WHERE id = ANY (_ids) AND lease_owner = _owner AND step = _step RETURNING id
  )
  SELECT coalesce(array_agg(id), '{}') FROM done
$$;

-- The same fence for going on to the next step: free to be claimed again at once, attempts from 0.
CREATE FUNCTION fn.worker_next(_id bigint, _owner uuid, _step text, _next text, _error text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  UPDATE worker_operation SET step = _next, lease_owner = NULL, lease_until = NULL, not_before = NULL, attempt = 0,
                              last_error = _error
  WHERE id = _id AND lease_owner = _owner AND step = _step;
  RETURN FOUND;
END $$;

-- Work goes on with another step whoever has it in hand: its owner is behind the fence from now on, and keeps his lease
-- until he has seen that, so that nobody does the next step beside him. The subjects whose work was at that step.
CREATE FUNCTION fn.worker_turn(
  _kind text, _subject_kind text, _subjects bigint[], _step text, _next text, _error text
) RETURNS bigint[]
LANGUAGE sql AS $$
  WITH turned AS (
    UPDATE worker_operation SET step = _next, not_before = NULL, attempt = 0, attention = false, last_error = _error
    WHERE kind = _kind AND subject_kind = _subject_kind AND subject_id = ANY (_subjects) AND step = _step
    RETURNING subject_id
  )
  SELECT coalesce(array_agg(subject_id ORDER BY subject_id), '{}') FROM turned
$$;

-- Into the payload of work that is still this owner's: what whoever does it next must know.
CREATE FUNCTION fn.worker_note(_id bigint, _owner uuid, _payload jsonb) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  UPDATE worker_operation SET payload = payload || _payload WHERE id = _id AND lease_owner = _owner;
  RETURN FOUND;
END $$;

-- Put work off until a wall instant, or (NULL) to the seller's attention. Fenced by the owner.
-- A wait that is nobody's fault gives its attempt back.
CREATE FUNCTION fn.worker_put_off(_ids bigint[], _owner uuid, _not_before timestamptz, _error text, _waiting boolean)
RETURNS void
LANGUAGE sql AS $$
  UPDATE worker_operation SET lease_owner = NULL, lease_until = NULL, not_before = _not_before, last_error = _error,
    attention = _not_before IS NULL, attempt = greatest(0, attempt - CASE WHEN _waiting THEN 1 ELSE 0 END)
  WHERE id = ANY (_ids) AND lease_owner = _owner
$$;

-- Whether anything that is due is still to be done by somebody.
CREATE FUNCTION fn.worker_due(_now timestamptz) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM worker_operation WHERE due_at <= _now AND NOT attention)
$$;
