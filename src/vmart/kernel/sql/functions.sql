-- The same id as kernel.ids.transfer_id: UUIDv8 of SHA-256, its first four bytes of "kind|period", the others of
-- "kind|subject|period".
CREATE FUNCTION fn.kernel_transfer_id(kind text, subject text, period text) RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE AS $$  -- one expression that names the digest once: put in the place of its call
  SELECT encode(set_bit(set_bit(set_bit(set_bit(set_bit(set_bit(
    substring(sha256(convert_to(kind || '|' || period, 'UTF8')) FROM 1 FOR 4)
    || substring(sha256(convert_to(kind || '|' || subject || '|' || period, 'UTF8')) FROM 5 FOR 12),
    55, 1), 54, 0), 53, 0), 52, 0),  -- version 8
    71, 1), 70, 0), 'hex')::uuid     -- variant 2
$$;

-- A refusal that nothing of the statement survives: its name and detail reach kernel.db.refusal().
CREATE FUNCTION fn.kernel_refuse(name text, detail text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'VM001', MESSAGE = name, DETAIL = coalesce(detail, '');
END $$;

-- A refusal is an answer, no fault: it stays out of the server's log. Whether an error is logged is decided where it
-- is raised, so the setting of this one function is enough. A server of the seller's own may not let us set it.
DO $$
BEGIN
  IF has_parameter_privilege('log_min_messages', 'SET') THEN
    ALTER FUNCTION fn.kernel_refuse SET log_min_messages = fatal;
  END IF;
END $$;

-- How often the catalog was changed: who sells by a cached one compares.
CREATE FUNCTION fn.kernel_generation() RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT generation FROM kernel_deployment);
END $$;
