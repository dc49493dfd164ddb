-- What happened to subjects of one kind, and who had it done ({}: nobody asked); the arrays in one order.
CREATE FUNCTION fn.events_write(
  _accounts bigint[], _subject_kind text, _subjects bigint[], _kind text, _at timestamptz, _details jsonb[],
  _actor jsonb
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO events_event (at, account_id, subject_kind, subject_id, kind, detail, actor)
  SELECT _at, account, _subject_kind, subject, _kind, detail, _actor
  FROM unnest(_accounts, _subjects, _details) AS line (account, subject, detail);
END $$;
