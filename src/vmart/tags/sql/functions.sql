-- What things have from now on: of the n-th, key and value; a value of NULL takes the tag away. What is so already
-- stays as it is, so the same again changes nothing. Under a lock by which nobody else writes these things' tags.
-- A tag that held for no time at all leaves no row; clocks of two processes differ, so none ends before it began.
CREATE FUNCTION fn.tags_write(_account bigint, _kinds text[], _ids text[], _keys text[], _values text[],
                              _now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  _at timestamptz;
BEGIN
  SELECT greatest(_now, max(t.from_at), max(t.to_at)) INTO _at FROM tags_tag t WHERE t.resource_id = ANY (_ids);
  DELETE FROM tags_tag t USING unnest(_kinds, _ids, _keys, _values) AS said (kind, id, key, value)
  WHERE t.kind = said.kind AND t.resource_id = said.id AND t.key = said.key AND t.to_at IS NULL
    AND t.value IS DISTINCT FROM said.value AND t.from_at >= _at;
  UPDATE tags_tag t SET to_at = _at FROM unnest(_kinds, _ids, _keys, _values) AS said (kind, id, key, value)
  WHERE t.kind = said.kind AND t.resource_id = said.id AND t.key = said.key AND t.to_at IS NULL
    AND t.value IS DISTINCT FROM said.value;
  INSERT INTO tags_tag (account_id, kind, resource_id, key, value, from_at)
  SELECT _account, said.kind, said.id, said.key, said.value, _at
  FROM unnest(_kinds, _ids, _keys, _values) AS said (kind, id, key, value)
  WHERE said.value IS NOT NULL
  ON CONFLICT (kind, resource_id, key) WHERE to_at IS NULL DO NOTHING;
END $$;

-- Tags of things that this statement makes: of the n-th, its kind and public id; _specified is
-- [{"resource_type": kind, "tags": [{"key": …, "value": …}, …]}, …], no key twice of a kind. Nothing of them is there
-- to be closed, so rows are written and none is looked for.
CREATE FUNCTION fn.tags_begin(_account bigint, _kinds text[], _ids text[], _specified jsonb, _now timestamptz)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO tags_tag (account_id, kind, resource_id, key, value, from_at)
  SELECT _account, made.kind, made.id, tag->>'key', tag->>'value', _now
  FROM unnest(_kinds, _ids) AS made (kind, id)
  JOIN jsonb_array_elements(_specified) AS said ON said->>'resource_type' = made.kind
  CROSS JOIN jsonb_array_elements(said->'tags') AS tag;
END $$;

-- Public ids of the account's things of a kind (null: of any) that meet every condition: [[keys, values], …], null for any.
CREATE FUNCTION fn.tags_meeting(_account bigint, _kind text, _conditions jsonb) RETURNS SETOF text
LANGUAGE sql STABLE AS $$
  SELECT t.resource_id
  FROM jsonb_array_elements(_conditions) WITH ORDINALITY AS asked (condition, number)
  JOIN tags_tag t ON t.account_id = _account AND (_kind IS NULL OR t.kind = _kind) AND t.to_at IS NULL
    AND (condition->0 = 'null' OR condition->0 ? t.key) AND (condition->1 = 'null' OR condition->1 ? t.value)
  GROUP BY t.resource_id
  HAVING count(DISTINCT number) = jsonb_array_length(_conditions)
$$;

-- Tags that things of a kind have now.
CREATE FUNCTION fn.tags_had(_kind text) RETURNS TABLE (resource_id text, key text, value text)
LANGUAGE sql STABLE AS $$
  SELECT t.resource_id::text, t.key::text, t.value::text FROM tags_tag t WHERE t.kind = _kind AND t.to_at IS NULL
$$;
