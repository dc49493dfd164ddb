-- The account, with why it may not buy, as it is now: read after the account lock.
CREATE FUNCTION fn.customers_limits(_account bigint) RETURNS customers_account
LANGUAGE plpgsql AS $$
DECLARE account customers_account;
BEGIN
  SELECT * INTO account FROM customers_account WHERE id = _account;
  RETURN account;
END $$;

-- What the account may have of this at most: its own value, else its set's, else that of everybody. A quota without a
-- value is a fault of ours and no leave to have any number.
CREATE FUNCTION fn.customers_quota(_account bigint, _name text) RETURNS int
LANGUAGE plpgsql STABLE AS $$
DECLARE _most int;
BEGIN
  SELECT coalesce(
    (SELECT value FROM customers_quota WHERE account_id = _account AND name = _name),
    (SELECT d.value FROM customers_account a JOIN customers_quota_default d ON d.set_name = a.quota_set
     WHERE a.id = _account AND d.name = _name),
    (SELECT value FROM customers_quota_default WHERE set_name = 'default' AND name = _name)) INTO _most;
  IF _most IS NULL THEN
    RAISE EXCEPTION 'there is no quota %', _name;
  END IF;
  RETURN _most;
END $$;

-- Whether who asks may still: one of the seller's staff (_staff, else 0) or a member of the account (_member), whose role
-- is among these as it is now. Members are asked under the account's lock, which whoever changes roles takes too. Staff
-- acts for all accounts and takes no lock of its own, so its row is held until the act is over.
CREATE FUNCTION fn.customers_permits(_account bigint, _member bigint, _staff bigint, _roles text[]) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  IF _staff <> 0 THEN
    PERFORM FROM customers_user
    WHERE id = _staff AND is_staff AND is_active AND staff_role = ANY (_roles) FOR SHARE;
    RETURN FOUND;
  END IF;
  RETURN EXISTS (SELECT FROM customers_member
                 WHERE account_id = _account AND user_id = _member AND role = ANY (_roles));
END $$;
