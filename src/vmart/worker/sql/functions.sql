-- Put work into the queue; work of this kind on this subject that is there already stays as it is.
CREATE FUNCTION fn.worker_enqueue(
  _kind text, _subjects bigint[], _account bigint, _lane text, _due_at timestamptz, _payload jsonb
) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO worker_operation (kind, subject_id, account_id, lane, step, payload, due_at, attempt, last_error,
                                attention, created_at)
  SELECT _kind, subject, _account, _lane, 'start', _payload, _due_at, 0, '', false, _due_at
  FROM unnest(_subjects) AS subject
  ON CONFLICT (kind, subject_id) DO NOTHING
$$;

-- Claim due work of the given kinds: each row leased until _lease_until to one owner.
CREATE FUNCTION fn.worker_claim(
  _kinds text[], _owner uuid, _now timestamptz, _wall timestamptz, _lease_until timestamptz, _limit int
) RETURNS SETOF worker_operation
LANGUAGE sql AS $$
  UPDATE worker_operation SET lease_owner = _owner, lease_until = _lease_until, attempt = attempt + 1
  WHERE id IN (
    SELECT id FROM worker_operation
    WHERE due_at <= _now AND NOT attention AND kind = ANY (_kinds)
      AND (not_before IS NULL OR not_before <= _wall) AND (lease_until IS NULL OR lease_until < _wall)
    ORDER BY due_at, id LIMIT _limit FOR UPDATE SKIP LOCKED
  )
  RETURNING *
$$;

-- The fence: end these operations if they are still this owner's at this step; the ids that were.
CREATE FUNCTION fn.worker_finish(_ids bigint[], _owner uuid, _step text) RETURNS SETOF bigint
LANGUAGE sql AS $$
  DELETE FROM worker_operation WHERE id = ANY (_ids) AND lease_owner = _owner AND step = _step RETURNING id
$$;
