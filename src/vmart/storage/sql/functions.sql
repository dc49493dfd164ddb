-- Disks bought with machines: the rows in _disks of those in _instances.
CREATE FUNCTION fn.storage_create(_disks jsonb, _instances bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO storage_disk (id, public_id, account_id, instance_id, usage, disk_type, size_gib, position,
                            delete_with_instance, name, snapshot_id, restorations)
  SELECT id, public_id, account_id, instance_id, usage, disk_type, size_gib, position, delete_with_instance,
         name, snapshot_id, CASE WHEN snapshot_id <> '' THEN 1 ELSE 0 END
  FROM jsonb_populate_recordset(NULL::storage_disk, _disks) AS disk
  WHERE disk.instance_id = ANY (_instances);
END $$;

-- The first of the snapshots (public ids) of data disks to buy of which the account's disk cannot be made in the zone now;
-- NULL where all can. Under the account lock, by which they are deleted too.
CREATE FUNCTION fn.storage_missing_snapshot(_account bigint, _zone text, _data_disks jsonb) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT disk->>'snapshot_id' FROM jsonb_array_elements(_data_disks) AS disk
  WHERE disk->>'snapshot_id' <> '' AND NOT EXISTS (
    SELECT FROM storage_snapshot n
    WHERE n.public_id = disk->>'snapshot_id' AND n.account_id = _account AND n.zone_id = _zone AND n.state = 'NORMAL'
      AND n.usage = 'DATA_DISK' AND n.latest_operation_state <> 'OPERATING'
      AND n.size_gib <= (disk->>'size_gib')::bigint)
  LIMIT 1
$$;

-- Whether a machine of the account may be made of the image (public id) in the zone now. It stays until the act's
-- commit: who deletes an image locks its row, and then sees what is made of it.
CREATE FUNCTION fn.storage_hold_image(_image text, _account bigint, _zone text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM storage_image m WHERE m.public_id = _image AND m.zone_id = _zone AND m.state = 'NORMAL'
    AND NOT EXISTS (SELECT FROM storage_snapshot n WHERE n.id = m.snapshot_id AND n.state = 'TORECYCLE')
    AND NOT fn.subscriptions_is_isolated(m.id)
    AND (m.account_id = _account
         OR EXISTS (SELECT FROM storage_image_share s WHERE s.image_id = m.id AND s.account_id = _account))
  FOR SHARE OF m;
  RETURN FOUND;
END $$;
