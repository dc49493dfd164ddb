-- Disks bought with machines.
CREATE FUNCTION fn.storage_create(_disks jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO storage_disk SELECT line.* FROM jsonb_populate_recordset(NULL::storage_disk, _disks) AS line;
END $$;
