-- What an account may have, and why it may not buy, as it is now: read after the account lock.
CREATE FUNCTION fn.customers_limits(_account bigint) RETURNS customers_account
LANGUAGE plpgsql AS $$
DECLARE account customers_account;
BEGIN
  SELECT * INTO account FROM customers_account WHERE id = _account;
  RETURN account;
END $$;
