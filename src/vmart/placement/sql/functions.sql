-- How many of the filters a host passes, in their order: it is online, takes machines, has the vCPU free, the memory,
-- the disk (placement/explain.py names them). 5: a machine of this size may be placed on it. What claims asks it, and
-- what explains counts it; the pure rule is placement.rules. The planner puts it in the place of its call.
CREATE FUNCTION fn.placement_passed(_host placement_host, _vcpu int, _memory_mib bigint, _disk_gib bigint) RETURNS int
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN NOT _host.online THEN 0
              WHEN NOT _host.enabled THEN 1
              WHEN _host.vcpu_used + _vcpu > _host.vcpu_capacity THEN 2
              WHEN _host.memory_used_mib + _memory_mib > _host.memory_capacity_mib THEN 3
              WHEN _host.disk_used_gib + _disk_gib > _host.disk_capacity_gib THEN 4
              ELSE 5 END
$$;

-- How many hosts of a zone there are, and how many each filter leaves for one machine of this size.
CREATE FUNCTION fn.placement_explain(_zone text, _vcpu int, _memory_mib bigint, _disk_gib bigint) RETURNS int[]
LANGUAGE sql STABLE AS $$
  SELECT ARRAY[count(*), count(*) FILTER (WHERE passed >= 1), count(*) FILTER (WHERE passed >= 2),
               count(*) FILTER (WHERE passed >= 3), count(*) FILTER (WHERE passed >= 4),
               count(*) FILTER (WHERE passed >= 5)]::int[]
  FROM (SELECT fn.placement_passed(h, _vcpu, _memory_mib, _disk_gib) AS passed
        FROM placement_host h WHERE h.zone_id = _zone) AS hosts
$$;

-- The same of the one host that a machine may start on again, where its disks are: without the filter of the disk.
CREATE FUNCTION fn.placement_explain_grow(_instance bigint, _vcpu int, _memory_mib bigint) RETURNS int[]
LANGUAGE sql STABLE AS $$
  SELECT ARRAY[count(*), count(*) FILTER (WHERE passed >= 1), count(*) FILTER (WHERE passed >= 2),
               count(*) FILTER (WHERE passed >= 3), count(*) FILTER (WHERE passed >= 4)]::int[]
  FROM (SELECT fn.placement_passed(h, _vcpu - held.vcpu, _memory_mib - held.memory_mib, 0) AS passed
        FROM placement_allocation held JOIN placement_host h ON h.id = held.host_id
        WHERE held.instance_id = _instance) AS hosts
$$;

-- Claim room for several machines of one size in a zone, in order; how many found it.
-- Policy: the host with most free memory that nobody else is claiming from right now, and only if all
-- are taken, the fullest queue is waited for. The row's own update is the compare-and-swap.
-- Fewer than asked when there is no room: the caller decides (all or nothing, MinCount).
CREATE FUNCTION fn.placement_claim(
  _zone text, _account bigint, _instances bigint[], _vcpu int, _memory_mib bigint, _disk_gib bigint
) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE done int := 0; wanted int := cardinality(_instances); host placement_host; fits int; part bigint[];
BEGIN
  IF wanted > 1 THEN  -- only such an order may hold one host and wait for another: one at a time, or two could for ever
    PERFORM pg_advisory_xact_lock(hashtext('vmart claim ' || _zone));
  END IF;
  WHILE done < wanted LOOP
    SELECT h.* INTO host FROM placement_host h
    WHERE h.zone_id = _zone AND fn.placement_passed(h, _vcpu, _memory_mib, _disk_gib) = 5
    ORDER BY h.memory_capacity_mib - h.memory_used_mib DESC, h.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
      SELECT h.* INTO host FROM placement_host h
      WHERE h.zone_id = _zone AND fn.placement_passed(h, _vcpu, _memory_mib, _disk_gib) = 5
      ORDER BY h.id LIMIT 1 FOR NO KEY UPDATE;
      EXIT WHEN NOT FOUND;
    END IF;
    fits := least(wanted - done, (host.vcpu_capacity - host.vcpu_used) / _vcpu,
                  (host.memory_capacity_mib - host.memory_used_mib) / _memory_mib,
                  CASE WHEN _disk_gib > 0 THEN (host.disk_capacity_gib - host.disk_used_gib) / _disk_gib
                       ELSE wanted END);
    part := _instances[done + 1 : done + fits];
    WITH held AS (
      INSERT INTO placement_allocation (instance_id, host_id, account_id, vcpu, memory_mib, disk_gib)
      SELECT id, host.id, _account, _vcpu, _memory_mib, _disk_gib FROM unnest(part) AS id
    )
    UPDATE placement_host SET vcpu_used = vcpu_used + fits * _vcpu,
      memory_used_mib = memory_used_mib + fits * _memory_mib, disk_used_gib = disk_used_gib + fits * _disk_gib
    WHERE id = host.id;
    done := done + fits;
  END LOOP;
  RETURN done;
END $$;

-- Give the room of machines back, and with it their place in a group; a second call finds nothing. Hosts in order of id: last locks of an act.
CREATE FUNCTION fn.placement_free(_instances bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM id FROM placement_host
  WHERE id IN (SELECT host_id FROM placement_allocation WHERE instance_id = ANY (_instances))
  ORDER BY id FOR NO KEY UPDATE;
  WITH gone AS (
    DELETE FROM placement_allocation WHERE instance_id = ANY (_instances) RETURNING host_id, vcpu, memory_mib, disk_gib
  ), freed AS (
    SELECT host_id, sum(vcpu) AS vcpu, sum(memory_mib) AS memory_mib, sum(disk_gib) AS disk_gib FROM gone GROUP BY 1
  )
  UPDATE placement_host h SET vcpu_used = h.vcpu_used - freed.vcpu,
    memory_used_mib = h.memory_used_mib - freed.memory_mib, disk_used_gib = h.disk_used_gib - freed.disk_gib
  FROM freed WHERE h.id = freed.host_id;
END $$;

-- Lock the hosts of machines, sorted, before an act changes them one by one. One that needs several takes its
-- turn among the orders that do, which lock hosts by room and not by id.
CREATE FUNCTION fn.placement_lock(_instances bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  hosts bigint[] := ARRAY(SELECT DISTINCT host_id FROM placement_allocation WHERE instance_id = ANY (_instances));
BEGIN
  IF cardinality(hosts) > 1 THEN
    PERFORM pg_advisory_xact_lock(hashtext('vmart claim ' || zone))
    FROM (SELECT DISTINCT zone_id AS zone FROM placement_host WHERE id = ANY (hosts) ORDER BY 1) AS zones;
  END IF;
  PERFORM id FROM placement_host WHERE id = ANY (hosts) ORDER BY id FOR NO KEY UPDATE;
END $$;

-- A machine keeps at most this vCPU and memory, none when it is stopped without charge; its disks stay where they are.
CREATE FUNCTION fn.placement_shrink(_instance bigint, _vcpu int, _memory_mib bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE held placement_allocation;
BEGIN
  SELECT * INTO held FROM placement_allocation WHERE instance_id = _instance FOR UPDATE;
  UPDATE placement_host SET vcpu_used = vcpu_used - greatest(held.vcpu - _vcpu, 0),
                            memory_used_mib = memory_used_mib - greatest(held.memory_mib - _memory_mib, 0)
  WHERE id = held.host_id;
  UPDATE placement_allocation SET vcpu = least(vcpu, _vcpu), memory_mib = least(memory_mib, _memory_mib)
  WHERE instance_id = _instance;
END $$;

-- More of its host's disks for a machine; false when there is no room.
CREATE FUNCTION fn.placement_grow_disk(_instance bigint, _gib bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE held placement_allocation;
BEGIN
  SELECT * INTO held FROM placement_allocation WHERE instance_id = _instance FOR UPDATE;
  UPDATE placement_host h SET disk_used_gib = disk_used_gib + _gib
  WHERE id = held.host_id AND fn.placement_passed(h, 0, 0, _gib) = 5;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  UPDATE placement_allocation SET disk_gib = disk_gib + _gib WHERE instance_id = _instance;
  RETURN true;
END $$;

-- What was taken so, given back: the disk did not grow.
CREATE FUNCTION fn.placement_shrink_disk(_instance bigint, _gib bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE held placement_allocation;
BEGIN
  SELECT * INTO held FROM placement_allocation WHERE instance_id = _instance FOR UPDATE;
  UPDATE placement_host SET disk_used_gib = disk_used_gib - _gib WHERE id = held.host_id;
  UPDATE placement_allocation SET disk_gib = disk_gib - _gib WHERE instance_id = _instance;
END $$;

-- Take vCPU and memory again, on the host where its disks are; false when there is no room.
CREATE FUNCTION fn.placement_grow(_instance bigint, _vcpu int, _memory_mib bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE held placement_allocation;
BEGIN
  SELECT * INTO held FROM placement_allocation WHERE instance_id = _instance FOR UPDATE;
  UPDATE placement_host h SET vcpu_used = vcpu_used + _vcpu - held.vcpu,
                              memory_used_mib = memory_used_mib + _memory_mib - held.memory_mib
  WHERE id = held.host_id
    AND fn.placement_passed(h, _vcpu - held.vcpu, _memory_mib - held.memory_mib, 0) >= 4;  -- its disks lie there
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  UPDATE placement_allocation SET vcpu = _vcpu, memory_mib = _memory_mib WHERE instance_id = _instance;
  RETURN true;
END $$;

-- Room for disks of one size with a life of their own, each on the host with most disk free; how many found it.
CREATE FUNCTION fn.placement_claim_disks(_zone text, _account bigint, _disks bigint[], _gib bigint) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE disk bigint; chosen bigint; done int := 0;
BEGIN
  IF cardinality(_disks) > 1 THEN  -- as an order of several machines
    PERFORM pg_advisory_xact_lock(hashtext('vmart claim ' || _zone));
  END IF;
  FOREACH disk IN ARRAY _disks LOOP
    SELECT h.id INTO chosen FROM placement_host h
    WHERE h.zone_id = _zone AND fn.placement_passed(h, 0, 0, _gib) = 5
    ORDER BY h.disk_capacity_gib - h.disk_used_gib DESC, h.id LIMIT 1 FOR NO KEY UPDATE;
    EXIT WHEN NOT FOUND;
    INSERT INTO placement_allocation (instance_id, host_id, account_id, vcpu, memory_mib, disk_gib)
    VALUES (disk, chosen, _account, 0, 0, _gib);
    UPDATE placement_host SET disk_used_gib = disk_used_gib + _gib WHERE id = chosen;
    done := done + 1;
  END LOOP;
  RETURN done;
END $$;

-- What a machine has for a disk of it is the disk's own from now on, on the same host.
CREATE FUNCTION fn.placement_split_disk(_disk bigint, _instance bigint, _gib bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE held placement_allocation;
BEGIN
  UPDATE placement_allocation SET disk_gib = disk_gib - _gib WHERE instance_id = _instance RETURNING * INTO held;
  INSERT INTO placement_allocation (instance_id, host_id, account_id, vcpu, memory_mib, disk_gib)
  VALUES (_disk, held.host_id, held.account_id, 0, 0, _gib);
END $$;

-- Room for a snapshot on the host of its disk: the machine's, or its own. False when there is none.
CREATE FUNCTION fn.placement_claim_beside(_snapshot bigint, _beside bigint, _gib bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE held placement_allocation;
BEGIN
  SELECT * INTO held FROM placement_allocation WHERE instance_id = _beside;
  UPDATE placement_host h SET disk_used_gib = disk_used_gib + _gib
  WHERE id = held.host_id AND fn.placement_passed(h, 0, 0, _gib) = 5;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  INSERT INTO placement_allocation (instance_id, host_id, account_id, vcpu, memory_mib, disk_gib)
  VALUES (_snapshot, held.host_id, held.account_id, 0, 0, _gib);
  RETURN true;
END $$;

-- Room for a disk on the host of a machine, which is about to get it; where it is, it keeps its room until
-- placement_moved. False when there is none.
CREATE FUNCTION fn.placement_move_disk(_disk bigint, _instance bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE held placement_allocation; there bigint;
BEGIN
  SELECT host_id INTO there FROM placement_allocation WHERE instance_id = _instance;
  SELECT * INTO held FROM placement_allocation WHERE instance_id = _disk FOR UPDATE;
  IF held.host_id = there THEN
    RETURN true;
  END IF;
  UPDATE placement_host h SET disk_used_gib = disk_used_gib + held.disk_gib
  WHERE id = there AND fn.placement_passed(h, 0, 0, held.disk_gib) = 5;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  UPDATE placement_allocation SET host_id = there, left_host_id = held.host_id WHERE instance_id = _disk;
  RETURN true;
END $$;

-- The disk is on its new host, or (not _arrived) it stayed where it was; one that was not being moved is left.
CREATE FUNCTION fn.placement_moved(_disk bigint, _arrived boolean) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE held placement_allocation;
BEGIN
  SELECT * INTO held FROM placement_allocation WHERE instance_id = _disk AND left_host_id IS NOT NULL FOR UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  UPDATE placement_host SET disk_used_gib = disk_used_gib - held.disk_gib
  WHERE id = CASE WHEN _arrived THEN held.left_host_id ELSE held.host_id END;
  UPDATE placement_allocation
  SET host_id = CASE WHEN _arrived THEN held.host_id ELSE held.left_host_id END, left_host_id = NULL
  WHERE instance_id = _disk;
END $$;
