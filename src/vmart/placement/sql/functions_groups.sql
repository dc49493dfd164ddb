-- How many machines of a group lie where this host is: on it, or in its rack. The planner puts it in the place of its
-- call.
CREATE FUNCTION fn.placement_beside(_group placement_group, _host placement_host) RETURNS bigint
LANGUAGE sql STABLE AS $$
  SELECT count(*) FROM placement_member member
  JOIN placement_allocation held USING (instance_id) JOIN placement_host there ON there.id = held.host_id
  WHERE member.group_id = _group.id
    AND CASE WHEN _group.apart = 'RACK' THEN (there.zone_id, there.rack) = (_host.zone_id, _host.rack) ELSE there.id = _host.id END
$$;

-- Whether one more machine of the group may lie there. A host of which nobody has said the rack is in no rack.
CREATE FUNCTION fn.placement_may_join(_group placement_group, _host placement_host) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT (_group.apart <> 'RACK' OR _host.rack <> '') AND fn.placement_beside(_group, _host) < _group.affinity
$$;

-- As fn.placement_claim, for machines that come into a group of the account's: how many of them found room, apart from
-- those that are in it. Belongs under the account lock, by which every change of a group goes.
CREATE FUNCTION fn.placement_claim_apart(
  _group_id text, _zone text, _account bigint, _instances bigint[], _vcpu int, _memory_mib bigint, _disk_gib bigint
) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE wanted placement_group; host placement_host; done int := 0; most int;
BEGIN
  SELECT * INTO wanted FROM placement_group WHERE public_id = _group_id AND account_id = _account;
  IF NOT FOUND THEN
    PERFORM fn.kernel_refuse('no_placement_group', _group_id);
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('vmart claim ' || _zone));  -- as every order that may lock several hosts
  most := least(cardinality(_instances), fn.placement_group_left(_account, wanted.id));
  WHILE done < most LOOP
    SELECT h.* INTO host FROM placement_host h
    WHERE h.zone_id = _zone AND fn.placement_passed(h, _vcpu, _memory_mib, _disk_gib) = 5
      AND fn.placement_may_join(wanted, h)
    ORDER BY h.memory_capacity_mib - h.memory_used_mib DESC, h.id LIMIT 1 FOR NO KEY UPDATE;
    EXIT WHEN NOT FOUND;
    done := done + 1;
    INSERT INTO placement_allocation (instance_id, host_id, account_id, vcpu, memory_mib, disk_gib)
    VALUES (_instances[done], host.id, _account, _vcpu, _memory_mib, _disk_gib);
    INSERT INTO placement_member (instance_id, group_id) VALUES (_instances[done], wanted.id);
    UPDATE placement_host SET vcpu_used = vcpu_used + _vcpu, memory_used_mib = memory_used_mib + _memory_mib,
                              disk_used_gib = disk_used_gib + _disk_gib WHERE id = host.id;
  END LOOP;
  RETURN done;
END $$;

-- How many machines more the group may have.
CREATE FUNCTION fn.placement_group_left(_account bigint, _group bigint) RETURNS bigint
LANGUAGE sql STABLE AS $$
  SELECT greatest(0, fn.customers_quota(_account, 'machines_per_group')
                     - (SELECT count(*) FROM placement_member WHERE group_id = _group))
$$;

-- Why a claim for a group found too little room: 'full' (it may have no machine more), 'apart' (only where its machines
-- are already), or '' where no host has room for anybody.
CREATE FUNCTION fn.placement_why_not_apart(
  _group_id text, _zone text, _account bigint, _vcpu int, _memory_mib bigint, _disk_gib bigint
) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN fn.placement_group_left(_account, id) = 0 THEN 'full'
              WHEN (fn.placement_explain(_zone, _vcpu, _memory_mib, _disk_gib))[6] > 0 THEN 'apart'
              ELSE '' END
  FROM placement_group WHERE public_id = _group_id
$$;

-- Machines into a group, one after the other, each in the place of the group that it was in; they stay on their hosts.
-- NULL; or why not ('full', 'apart') and which machine, "why|number": then the caller takes all of it back.
CREATE FUNCTION fn.placement_join(_group_id bigint, _instances bigint[]) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE wanted placement_group; host placement_host; machine bigint;
BEGIN
  PERFORM fn.placement_lock(_instances);  -- no rack changes meanwhile
  SELECT * INTO wanted FROM placement_group WHERE id = _group_id;
  FOREACH machine IN ARRAY _instances LOOP
    CONTINUE WHEN EXISTS (SELECT FROM placement_member WHERE instance_id = machine AND group_id = _group_id);
    IF fn.placement_group_left(wanted.account_id, _group_id) = 0 THEN
      RETURN 'full|' || machine;
    END IF;
    SELECT h.* INTO host FROM placement_allocation held JOIN placement_host h ON h.id = held.host_id
    WHERE held.instance_id = machine;
    IF NOT FOUND OR NOT fn.placement_may_join(wanted, host) THEN
      RETURN 'apart|' || machine;
    END IF;
    INSERT INTO placement_member (instance_id, group_id) VALUES (machine, _group_id)
    ON CONFLICT (instance_id) DO UPDATE SET group_id = excluded.group_id;
  END LOOP;
  RETURN NULL;
END $$;
