-- One of these security groups (public ids in JSON) that the account has not in the region, or NULL. Its default group,
-- which may have no row, is named by _default.
CREATE FUNCTION fn.security_missing_group(_account bigint, _groups jsonb, _region text, _default text) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT wanted FROM jsonb_array_elements_text(_groups) AS wanted
  WHERE wanted <> _default AND NOT EXISTS (
    SELECT FROM security_group g WHERE g.public_id = wanted AND g.account_id = _account AND g.region IN ('', _region))
  LIMIT 1
$$;
