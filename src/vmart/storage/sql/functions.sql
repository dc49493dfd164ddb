-- Disks bought with machines.
CREATE FUNCTION fn.storage_create(_disks jsonb) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO storage_disk
  SELECT (jsonb_populate_record(NULL::storage_disk, disk)).* FROM jsonb_array_elements(_disks) AS disk
$$;
