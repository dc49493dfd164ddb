-- Lives in each template database of the tests; run as superuser.
CREATE SCHEMA IF NOT EXISTS test_seed;
CREATE TABLE IF NOT EXISTS test_seed.known (relname name PRIMARY KEY, columns text, filled boolean);

-- Remember every table of the template, and the rows of those that hold some.
CREATE OR REPLACE FUNCTION test_seed.remember() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t record;
    has_rows boolean;
BEGIN
    FOR t IN SELECT relname FROM test_seed.known WHERE filled LOOP
        EXECUTE format('DROP TABLE test_seed.%I', t.relname);
    END LOOP;
    DELETE FROM test_seed.known;
    FOR t IN
        SELECT c.oid, c.relname,
               (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns
          FROM pg_class c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', t.relname) INTO has_rows;
        INSERT INTO test_seed.known VALUES (t.relname, t.columns, has_rows);
        IF has_rows THEN
            EXECUTE format('CREATE TABLE test_seed.%I AS SELECT %s FROM public.%1$I', t.relname, t.columns);
        END IF;
    END LOOP;
END $$;

-- Back to what was remembered, but for sequences: processes hold blocks of numbers that must stay
-- theirs. Triggers and foreign keys are off meanwhile: the state as a whole is
-- a valid one, and rows that may never be deleted in a shop go too.
CREATE OR REPLACE FUNCTION test_seed.restore() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t record;
    has_rows boolean;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR t IN
        SELECT c.oid, c.relname, k.relname AS known, k.columns, coalesce(k.filled, false) AS filled
          FROM pg_class c LEFT JOIN test_seed.known k ON k.relname = c.relname
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
           AND c.relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')
           AND (k.relname IS NULL OR k.filled OR pg_relation_size(c.oid) > 0)
    LOOP
        IF t.known IS NULL THEN  -- a partition that the test made
            EXECUTE format('DROP TABLE public.%I', t.relname);
            CONTINUE;
        END IF;
        EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', t.relname) INTO has_rows;
        IF has_rows THEN
            EXECUTE format('DELETE FROM public.%I', t.relname);
        END IF;
        IF t.filled THEN
            EXECUTE format('INSERT INTO public.%I (%s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM test_seed.%1$I',
                           t.relname, t.columns);
        END IF;
    END LOOP;
END $$;
