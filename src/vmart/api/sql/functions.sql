-- Nonces and call rates of the API; each is one statement in autocommit, before any act begins.

-- Whether the nonce is new for this key, and from now on it is not. Clears a few expired ones on the way.
CREATE FUNCTION fn.api_remember_nonce(p_secret_id text, p_nonce bigint, p_expires_at timestamptz, p_wall timestamptz)
RETURNS boolean LANGUAGE sql AS $$
    WITH expired AS (
        SELECT n.nonce FROM api_nonce n
         WHERE n.secret_id = p_secret_id AND n.expires_at < p_wall AND n.nonce <> p_nonce
         ORDER BY n.expires_at LIMIT 20 FOR UPDATE SKIP LOCKED
    ), cleared AS (
        DELETE FROM api_nonce n USING expired e WHERE n.secret_id = p_secret_id AND n.nonce = e.nonce
    ), remembered AS (
        INSERT INTO api_nonce AS seen (secret_id, nonce, expires_at)
        VALUES (p_secret_id, p_nonce, p_expires_at)
        ON CONFLICT (secret_id, nonce) DO UPDATE SET expires_at = EXCLUDED.expires_at
         WHERE seen.expires_at < p_wall
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM remembered)
$$;

-- How many of p_wanted calls the account may make in p_second, 0 where p_limit are made. A second that lies
-- a little behind counts as the running one (clocks of several machines), one far behind begins anew.
CREATE FUNCTION fn.api_take_calls(p_account_id bigint, p_action text, p_second bigint, p_wanted int, p_limit int)
RETURNS int LANGUAGE sql AS $$
    WITH taken AS (
        INSERT INTO api_rate AS r (account_id, action, second, used, granted)
        VALUES (p_account_id, p_action, p_second, least(p_wanted, p_limit), least(p_wanted, p_limit))
        ON CONFLICT (account_id, action) DO UPDATE SET
            second = CASE WHEN EXCLUDED.second > r.second OR r.second > EXCLUDED.second + 5
                          THEN EXCLUDED.second ELSE r.second END,
            granted = CASE WHEN EXCLUDED.second > r.second OR r.second > EXCLUDED.second + 5
                           THEN EXCLUDED.granted ELSE least(p_wanted, p_limit - r.used) END,
            used = CASE WHEN EXCLUDED.second > r.second OR r.second > EXCLUDED.second + 5
                        THEN EXCLUDED.used ELSE least(r.used + p_wanted, p_limit) END
         WHERE EXCLUDED.second > r.second OR r.second > EXCLUDED.second + 5 OR r.used < p_limit
        RETURNING granted
    )
    SELECT coalesce((SELECT granted FROM taken), 0)
$$;
