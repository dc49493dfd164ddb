-- What a counter has grown by each second since an earlier reading. NULL where nothing is known: no reading before, one
-- too long ago, or a counter that went back within one epoch. A new epoch counts from 0 again.
CREATE FUNCTION fn.monitoring_rate(_now bigint, _before bigint, _anew boolean, _seconds float8) RETURNS real
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN _anew THEN (_now / _seconds)::real
              WHEN _now >= _before THEN ((_now - _before) / _seconds)::real END
$$;

-- Take in what an engine said at the minute _at of machines of its zone, the arrays in one order; how many values came
-- of it. Readings further apart than _gap_s give no rates: what happened between them is not known by the minute.
CREATE FUNCTION fn.monitoring_sample(
  _zone text, _at timestamptz, _gap_s int, _names text[], _epochs text[], _read_at timestamptz[], _cpu_ns bigint[],
  _memory bigint[], _memory_total bigint[], _disk bigint[], _disk_total bigint[], _disk_read bigint[],
  _disk_written bigint[], _disk_reads bigint[], _disk_writes bigint[], _received bigint[], _sent bigint[],
  _received_packets bigint[], _sent_packets bigint[], _public_sent bigint[]
) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE made int;
BEGIN
  WITH told AS MATERIALIZED (
    SELECT i.id, i.vcpu, line.*, r.cpu_ns AS cpu_before, r.disk_read_bytes, r.disk_written_bytes,
           r.disk_reads AS reads_before, r.disk_writes AS writes_before, r.received_bytes, r.sent_bytes,
           r.received_packets AS in_packets_before, r.sent_packets AS out_packets_before, r.public_sent_bytes,
           r.epoch <> line.epoch AS anew,
           CASE WHEN line.read_at > r.read_at AND line.read_at <= r.read_at + make_interval(secs => _gap_s)
                THEN extract(epoch FROM line.read_at - r.read_at)::float8 END AS seconds
    FROM unnest(_names, _epochs, _read_at, _cpu_ns, _memory, _memory_total, _disk, _disk_total, _disk_read,
                _disk_written, _disk_reads, _disk_writes, _received, _sent, _received_packets, _sent_packets,
                _public_sent)
      AS line (name, epoch, read_at, cpu_ns, memory, memory_total, disk, disk_total, disk_read, disk_written, reads,
               writes, received, sent, in_packets, out_packets, public_sent)
    JOIN fn.instances_there() AS i ON i.public_id = line.name AND i.zone_id = _zone
    LEFT JOIN monitoring_reading r ON r.instance_id = i.id
  ), used AS (
    SELECT told.*, fn.monitoring_rate(cpu_ns, cpu_before, anew, seconds) / (vcpu * 1e7) AS cpu_percent FROM told
  ), kept AS (
    INSERT INTO monitoring_reading AS r (
      instance_id, read_at, epoch, cpu_ns, disk_read_bytes, disk_written_bytes, disk_reads, disk_writes, received_bytes,
      sent_bytes, received_packets, sent_packets, public_sent_bytes)
    SELECT id, read_at, epoch, cpu_ns, disk_read, disk_written, reads, writes, received, sent, in_packets, out_packets,
           public_sent FROM told ORDER BY id
    ON CONFLICT (instance_id) DO UPDATE SET
      read_at = excluded.read_at, epoch = excluded.epoch, cpu_ns = excluded.cpu_ns,
      disk_read_bytes = excluded.disk_read_bytes, disk_written_bytes = excluded.disk_written_bytes,
      disk_reads = excluded.disk_reads, disk_writes = excluded.disk_writes, received_bytes = excluded.received_bytes,
      sent_bytes = excluded.sent_bytes, received_packets = excluded.received_packets,
      sent_packets = excluded.sent_packets, public_sent_bytes = excluded.public_sent_bytes
  )
  INSERT INTO monitoring_minute (
    instance_id, at, cpu_percent, memory_percent, memory_mib, disk_percent, disk_mib, disk_read_bytes,
    disk_written_bytes, disk_reads, disk_writes, received_bytes, sent_bytes, received_packets, sent_packets,
    public_sent_bytes)
  SELECT id, _at,
    -- A reading takes a moment, so a machine may seem to have had more than all of its time.
    (CASE WHEN cpu_percent > 100 THEN 100 ELSE cpu_percent END)::real,
    (100.0 * memory / nullif(memory_total, 0))::real, (memory / 1048576.0)::real,
    (100.0 * disk / nullif(disk_total, 0))::real, (disk / 1048576.0)::real,
    fn.monitoring_rate(disk_read, disk_read_bytes, anew, seconds),
    fn.monitoring_rate(disk_written, disk_written_bytes, anew, seconds),
    fn.monitoring_rate(reads, reads_before, anew, seconds), fn.monitoring_rate(writes, writes_before, anew, seconds),
    fn.monitoring_rate(received, received_bytes, anew, seconds), fn.monitoring_rate(sent, sent_bytes, anew, seconds),
    fn.monitoring_rate(in_packets, in_packets_before, anew, seconds),
    fn.monitoring_rate(out_packets, out_packets_before, anew, seconds),
    -- Counted by the host, not in the machine: a boot does not begin it anew.
    fn.monitoring_rate(public_sent, public_sent_bytes, false, seconds)
  FROM used ORDER BY id
  ON CONFLICT (instance_id, at) DO NOTHING;
  GET DIAGNOSTICS made = ROW_COUNT;
  RETURN made;
END $$;

-- Means of the minutes of [_from, _to) over each _step of them.
CREATE FUNCTION fn.monitoring_means(_from timestamptz, _to timestamptz, _step interval) RETURNS TABLE (
  instance_id bigint, at timestamptz, cpu_percent real, memory_percent real, memory_mib real, disk_percent real,
  disk_mib real, disk_read_bytes real, disk_written_bytes real, disk_reads real, disk_writes real, received_bytes real,
  sent_bytes real, received_packets real, sent_packets real, public_sent_bytes real)
LANGUAGE sql STABLE AS $$
  SELECT m.instance_id, date_bin(_step, m.at, 'epoch'), avg(cpu_percent)::real, avg(memory_percent)::real,
         avg(memory_mib)::real, avg(disk_percent)::real, avg(disk_mib)::real, avg(disk_read_bytes)::real,
         avg(disk_written_bytes)::real, avg(disk_reads)::real, avg(disk_writes)::real, avg(received_bytes)::real,
         avg(sent_bytes)::real, avg(received_packets)::real, avg(sent_packets)::real, avg(public_sent_bytes)::real
  FROM monitoring_minute m WHERE m.at >= _from AND m.at < _to GROUP BY 1, 2
$$;

-- From when on a period's means are not rolled up yet: not before minutes of a day ago, which are all there.
CREATE FUNCTION fn.monitoring_rolled_until(_seconds int, _until timestamptz) RETURNS timestamptz
LANGUAGE sql AS $$
  SELECT coalesce((SELECT until FROM monitoring_rolled WHERE seconds = _seconds), _until - interval '1 day')
$$;

-- Roll up what is complete at _until: five minutes, hours. How many rows came of it; once for each, in one commit.
CREATE FUNCTION fn.monitoring_roll(_until timestamptz) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
  five timestamptz := date_bin('5 minutes', _until, 'epoch');
  hour timestamptz := date_trunc('hour', _until, 'UTC');
  made int := 0; more int;
  since timestamptz;
BEGIN
  since := fn.monitoring_rolled_until(300, five);
  IF since < five THEN
    INSERT INTO monitoring_five (
      instance_id, at, cpu_percent, memory_percent, memory_mib, disk_percent, disk_mib, disk_read_bytes,
      disk_written_bytes, disk_reads, disk_writes, received_bytes, sent_bytes, received_packets, sent_packets,
      public_sent_bytes)
    SELECT m.instance_id, m.at, m.cpu_percent, m.memory_percent, m.memory_mib, m.disk_percent, m.disk_mib,
           m.disk_read_bytes, m.disk_written_bytes, m.disk_reads, m.disk_writes, m.received_bytes, m.sent_bytes,
           m.received_packets, m.sent_packets, m.public_sent_bytes
    FROM fn.monitoring_means(since, five, '5 minutes') AS m ON CONFLICT (instance_id, at) DO NOTHING;
    GET DIAGNOSTICS made = ROW_COUNT;
    INSERT INTO monitoring_rolled (seconds, until) VALUES (300, five)
    ON CONFLICT (seconds) DO UPDATE SET until = excluded.until;
  END IF;
  since := fn.monitoring_rolled_until(3600, hour);
  IF since < hour THEN
    INSERT INTO monitoring_hour (
      instance_id, at, cpu_percent, memory_percent, memory_mib, disk_percent, disk_mib, disk_read_bytes,
      disk_written_bytes, disk_reads, disk_writes, received_bytes, sent_bytes, received_packets, sent_packets,
      public_sent_bytes)
    SELECT m.instance_id, m.at, m.cpu_percent, m.memory_percent, m.memory_mib, m.disk_percent, m.disk_mib,
           m.disk_read_bytes, m.disk_written_bytes, m.disk_reads, m.disk_writes, m.received_bytes, m.sent_bytes,
           m.received_packets, m.sent_packets, m.public_sent_bytes
    FROM fn.monitoring_means(since, hour, '1 hour') AS m ON CONFLICT (instance_id, at) DO NOTHING;
    GET DIAGNOSTICS more = ROW_COUNT;
    made := made + more;
    INSERT INTO monitoring_rolled (seconds, until) VALUES (3600, hour)
    ON CONFLICT (seconds) DO UPDATE SET until = excluded.until;
    DELETE FROM monitoring_reading r WHERE NOT EXISTS (
      SELECT FROM fn.instances_there() AS i WHERE i.id = r.instance_id);
  END IF;
  RETURN made;
END $$;

-- The value of a metric, by the name of its column.
CREATE FUNCTION fn.monitoring_value(_row monitoring_minute, _metric text) RETURNS real
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE _metric
    WHEN 'cpu_percent' THEN _row.cpu_percent WHEN 'memory_percent' THEN _row.memory_percent
    WHEN 'memory_mib' THEN _row.memory_mib WHEN 'disk_percent' THEN _row.disk_percent
    WHEN 'disk_mib' THEN _row.disk_mib WHEN 'disk_read_bytes' THEN _row.disk_read_bytes
    WHEN 'disk_written_bytes' THEN _row.disk_written_bytes WHEN 'disk_reads' THEN _row.disk_reads
    WHEN 'disk_writes' THEN _row.disk_writes WHEN 'received_bytes' THEN _row.received_bytes
    WHEN 'sent_bytes' THEN _row.sent_bytes WHEN 'received_packets' THEN _row.received_packets
    WHEN 'sent_packets' THEN _row.sent_packets WHEN 'public_sent_bytes' THEN _row.public_sent_bytes END
$$;

-- Whether a value meets a rule.
CREATE FUNCTION fn.monitoring_meets(_value real, _comparison text, _threshold float8) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE _comparison WHEN '>' THEN _value > _threshold WHEN '>=' THEN _value >= _threshold
                          WHEN '<' THEN _value < _threshold WHEN '<=' THEN _value <= _threshold END
$$;

-- How a rule stands after a minute: of the last _minutes there are _known values, of which _meeting meet it; _recent
-- values at all in the last three minutes or more. One gap neither begins an alarm nor ends it.
CREATE FUNCTION fn.monitoring_next(_before text, _minutes int, _known bigint, _meeting bigint, _recent bigint)
RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN _meeting >= _minutes THEN 'ALARM' WHEN _known > _meeting THEN 'OK' WHEN _recent = 0 THEN 'NO_DATA'
              WHEN _before = 'NO_DATA' AND _known > 0 THEN 'OK' ELSE _before END
$$;

-- How every rule stands at every machine of its own by the values up to _at; how many alarms began or ended. What stands
-- so already is not written. A machine that a rule is not for any more is forgotten, and its alarm is not told to end;
-- so are all of a rule that is off.
CREATE FUNCTION fn.monitoring_evaluate(_at timestamptz) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE told int;
BEGIN
  WITH target AS MATERIALIZED (
    SELECT a.id AS alarm, i.id AS machine, a.metric, a.comparison, a.threshold, a.minutes
    FROM monitoring_alarm a JOIN fn.instances_there() AS i ON i.account_id = a.account_id
    WHERE a.enabled AND CASE WHEN jsonb_array_length(a.instance_ids) > 0 THEN a.instance_ids @> to_jsonb(i.public_id)
               WHEN a.tag_key <> '' THEN EXISTS (
                 SELECT FROM fn.tags_had('instance') AS t
                 WHERE t.resource_id = i.public_id AND t.key = a.tag_key AND t.value = a.tag_value)
               ELSE true END
  ), stands AS MATERIALIZED (
    SELECT t.alarm, t.machine, coalesce(s.state, 'NO_DATA') AS before, seen.latest,
           fn.monitoring_next(coalesce(s.state, 'NO_DATA'), t.minutes, seen.known, seen.meeting, seen.recent) AS state
    FROM target t LEFT JOIN monitoring_alarm_state s ON s.alarm_id = t.alarm AND s.instance_id = t.machine
    CROSS JOIN LATERAL (
      SELECT count(value) FILTER (WHERE inside) AS known, count(value) AS recent,
             count(*) FILTER (WHERE inside AND fn.monitoring_meets(value, t.comparison, t.threshold)) AS meeting,
             (array_agg(value ORDER BY at DESC) FILTER (WHERE value IS NOT NULL))[1] AS latest
      FROM (SELECT m.at, m.at > _at - make_interval(mins => t.minutes) AS inside, fn.monitoring_value(m, t.metric) AS value
            FROM monitoring_minute m WHERE m.instance_id = t.machine AND m.at <= _at
              AND m.at > _at - make_interval(mins => greatest(t.minutes, 3))) AS one) AS seen
  ), kept AS (
    INSERT INTO monitoring_alarm_state AS s (alarm_id, instance_id, state, since)
    SELECT alarm, machine, state, _at FROM stands WHERE state <> before ORDER BY alarm, machine
    ON CONFLICT (alarm_id, instance_id) DO UPDATE SET state = excluded.state, since = excluded.since
  ), forgotten AS (
    DELETE FROM monitoring_alarm_state s WHERE NOT EXISTS (
      SELECT FROM target t WHERE t.alarm = s.alarm_id AND t.machine = s.instance_id)
  )
  INSERT INTO monitoring_alarm_notice (alarm_id, instance_id, state, at, value)
  SELECT alarm, machine, state, _at, latest FROM stands WHERE (before = 'ALARM') <> (state = 'ALARM')
  ORDER BY alarm, machine
  ON CONFLICT (alarm_id, instance_id, at) DO NOTHING;
  GET DIAGNOSTICS told = ROW_COUNT;
  RETURN told;
END $$;
