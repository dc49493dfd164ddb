-- The same id as kernel.ids.transfer_id: UUIDv8 of SHA-256, its first four bytes of "kind|period", the others of
-- "kind|subject|period".
CREATE FUNCTION fn.kernel_transfer_id(kind text, subject text, period text) RETURNS uuid
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$  -- not sql: set up anew at each call, that took four times as long
DECLARE digest bytea := overlay(
  substring(sha256(convert_to(kind || '|' || subject || '|' || period, 'UTF8')) FROM 1 FOR 16)
  PLACING substring(sha256(convert_to(kind || '|' || period, 'UTF8')) FROM 1 FOR 4) FROM 1);
BEGIN
  RETURN encode(set_byte(set_byte(digest, 6, get_byte(digest, 6) & 15 | 128), 8, get_byte(digest, 8) & 63 | 128),
                'hex')::uuid;
END $$;

-- A refusal that nothing of the statement survives: its name and detail reach kernel.db.refusal().
CREATE FUNCTION fn.kernel_refuse(name text, detail text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'VM001', MESSAGE = name, DETAIL = coalesce(detail, '');
END $$;

-- How often the catalog was changed: who sells by a cached one compares.
CREATE FUNCTION fn.kernel_generation() RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT generation FROM kernel_deployment);
END $$;
