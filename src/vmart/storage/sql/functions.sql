-- Disks bought with machines: the rows in _disks of those in _instances.
CREATE FUNCTION fn.storage_create(_disks jsonb, _instances bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO storage_disk (id, public_id, account_id, instance_id, usage, disk_type, size_gib, position,
                            delete_with_instance, name)
  SELECT id, public_id, account_id, instance_id, usage, disk_type, size_gib, position, delete_with_instance,
         name
  FROM jsonb_populate_recordset(NULL::storage_disk, _disks) AS disk
  WHERE disk.instance_id = ANY (_instances);
END $$;
