-- Lives in each template database of the tests; run as superuser.
CREATE SCHEMA IF NOT EXISTS test_seed;
CREATE TABLE IF NOT EXISTS test_seed.known (
    relname name PRIMARY KEY, columns text, key text, filled boolean, rows bigint NOT NULL DEFAULT 0
);
-- Rows of transactions before ``since``, and of ``by``, which put rows back, are as remembered; all others are new.
CREATE TABLE IF NOT EXISTS test_seed.restored (since bigint NOT NULL, by bigint NOT NULL);

-- The oldest transaction that is under way. Asked for before a table is looked at: what a process that a test has left
-- commits meanwhile is new then, and goes the next time.
CREATE OR REPLACE FUNCTION test_seed.oldest() RETURNS bigint LANGUAGE sql AS $$
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint & 4294967295;
$$;

CREATE OR REPLACE FUNCTION test_seed.note_restored(_since bigint) RETURNS void LANGUAGE sql AS $$
    DELETE FROM test_seed.restored;
    INSERT INTO test_seed.restored (since, by)
    VALUES (_since, pg_current_xact_id()::text::bigint & 4294967295);
$$;

-- Remember every table of the template, and the rows of those that hold some.
CREATE OR REPLACE FUNCTION test_seed.remember() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t record;
    has_rows boolean;
    kept bigint;
    began bigint := test_seed.oldest();
BEGIN
    FOR t IN SELECT relname FROM test_seed.known WHERE filled LOOP
        EXECUTE format('DROP TABLE test_seed.%I', t.relname);
    END LOOP;
    DELETE FROM test_seed.known;
    FOR t IN
        SELECT c.oid, c.relname,
               (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns,
               (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
                  FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
                 WHERE i.indrelid = c.oid AND i.indisprimary) AS key
          FROM pg_class c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', t.relname) INTO has_rows;
        INSERT INTO test_seed.known (relname, columns, key, filled) VALUES (t.relname, t.columns, t.key, has_rows);
        IF has_rows THEN
            EXECUTE format('CREATE TABLE test_seed.%I AS SELECT %s FROM public.%1$I', t.relname, t.columns);
            GET DIAGNOSTICS kept = ROW_COUNT;
            UPDATE test_seed.known k SET rows = kept WHERE k.relname = t.relname;
        END IF;
    END LOOP;
    PERFORM test_seed.note_restored(began);
END $$;

-- Back to what was remembered, but for sequences: processes hold blocks of numbers that must stay
-- theirs. Triggers and foreign keys are off meanwhile: the state as a whole is
-- a valid one, and rows that may never be deleted in a shop go too. Of tables that held rows only those are
-- written that a transaction since has written: thousands of addresses are not put back for each test.
CREATE OR REPLACE FUNCTION test_seed.restore() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t record;
    has_rows boolean;
    there bigint;
    new bigint;
    is_new text;
    began bigint := test_seed.oldest();
BEGIN
    SET LOCAL session_replication_role = replica;
    SELECT format('(xmin::text::bigint >= %s AND xmin::text::bigint <> %s)', since, by) INTO STRICT is_new
      FROM test_seed.restored;
    FOR t IN
        SELECT c.oid, c.relname, k.relname AS known, k.columns, k.key, k.rows, coalesce(k.filled, false) AS filled
          FROM pg_class c LEFT JOIN test_seed.known k ON k.relname = c.relname
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
           AND c.relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')
           AND (k.relname IS NULL OR k.filled OR pg_relation_size(c.oid) > 0)
    LOOP
        IF t.known IS NULL THEN  -- a partition that the test made
            EXECUTE format('DROP TABLE public.%I', t.relname);
        ELSIF t.filled THEN
            EXECUTE format('SELECT count(*), count(*) FILTER (WHERE %s) FROM public.%I', is_new, t.relname)
               INTO there, new;
            IF new > 0 THEN
                EXECUTE format('DELETE FROM public.%I WHERE %s', t.relname, is_new);
            END IF;
            IF there - new < t.rows THEN
                EXECUTE format('INSERT INTO public.%1$I (%2$s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM test_seed.%1$I'
                               ' WHERE (%3$s) NOT IN (SELECT %3$s FROM public.%1$I)', t.relname, t.columns, t.key);
            END IF;
        ELSE
            EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', t.relname) INTO has_rows;
            IF has_rows THEN
                EXECUTE format('DELETE FROM public.%I', t.relname);
            END IF;
        END IF;
    END LOOP;
    PERFORM test_seed.note_restored(began);
END $$;
