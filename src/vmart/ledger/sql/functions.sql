-- The only writers of purses, holds, transfers and entries. Amounts are int8 minor units.
-- Each locks the customer's purses row first: that row is the account lock (architecture, section 4). Only
-- fn.ledger_deduct leaves that to its caller, who has locked all its accounts, sorted, before deciding what is due.

-- Take the account lock. Every act whose instant or decision depends on the account begins with it.
CREATE FUNCTION fn.ledger_lock(_account bigint) RETURNS ledger_purses
LANGUAGE plpgsql AS $$
DECLARE purses ledger_purses;
BEGIN
  SELECT * INTO purses FROM ledger_purses WHERE account_id = _account FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'account % has no purses', _account;
  END IF;
  RETURN purses;
END $$;

-- Lock several accounts, sorted, so that two such acts cannot wait for each other.
CREATE FUNCTION fn.ledger_lock_many(_accounts bigint[]) RETURNS void
LANGUAGE sql AS $$
  SELECT account_id FROM ledger_purses WHERE account_id = ANY (_accounts) ORDER BY account_id FOR NO KEY UPDATE
$$;

-- Lock all accounts, also those that would be opened meanwhile: each act on an account waits until the caller ends.
CREATE FUNCTION fn.ledger_lock_all() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  LOCK TABLE ledger_purses IN EXCLUSIVE MODE;
END $$;

CREATE FUNCTION fn.ledger_open(_account bigint) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO ledger_purses (account_id, cash_credits_posted, cash_debits_posted, cash_debits_pending,
                             gift_credits_posted, gift_debits_posted, gift_debits_pending, owed_debits_posted,
                             owed_credits_posted, floating_pending)
  VALUES (_account, 0, 0, 0, 0, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING
$$;

-- What is free to be set aside: cash + gift - owed - holds. Negative when a settlement outran the purses.
CREATE FUNCTION fn.ledger_available(purses ledger_purses) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
  SELECT purses.cash_credits_posted - purses.cash_debits_posted - purses.cash_debits_pending
       + purses.gift_credits_posted - purses.gift_debits_posted - purses.gift_debits_pending
       - (purses.owed_debits_posted - purses.owed_credits_posted) - purses.floating_pending
$$;

-- cash + gift - owed, holds not taken off: what arrears are judged by.
CREATE FUNCTION fn.ledger_balance(purses ledger_purses) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
  SELECT purses.cash_credits_posted - purses.cash_debits_posted
       + purses.gift_credits_posted - purses.gift_debits_posted
       - (purses.owed_debits_posted - purses.owed_credits_posted)
$$;

-- Who pays first, written here alone: what comes in pays what is owed, what goes out is paid by gift, then cash.
-- What of an amount that goes out the gift purse pays, of which _free may be taken; the rest is cash's.
CREATE FUNCTION fn.ledger_gift_pays(_amount bigint, _free bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$ SELECT greatest(0, least(_amount, _free)) $$;

-- What of an amount that comes in pays what is owed.
CREATE FUNCTION fn.ledger_repays(_amount bigint, purses ledger_purses) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$ SELECT least(_amount, purses.owed_debits_posted - purses.owed_credits_posted) $$;

-- Credit cash and gift (a top-up, a refund, a grant) against a platform book; pays what is owed first.
-- False when this transfer was already made: then nothing changes.
CREATE FUNCTION fn.ledger_credit(
  _id uuid, _kind text, _account bigint, _cash bigint, _gift bigint, _book text, _at timestamptz, _subject bigint
) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE purses ledger_purses; repaid bigint; from_gift bigint; from_cash bigint; repay uuid;
BEGIN
  IF _cash < 0 OR _gift < 0 OR _cash + _gift = 0 THEN
    RAISE EXCEPTION 'a credit is positive: % cash, % gift', _cash, _gift;
  END IF;
  PERFORM fn.ledger_lock(_account);
  INSERT INTO ledger_transfer (id, account_id, kind, amount_minor, at, subject_id)
  VALUES (_id, _account, _kind, _cash + _gift, _at, _subject) ON CONFLICT (id) DO NOTHING;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  UPDATE ledger_purses SET cash_credits_posted = cash_credits_posted + _cash,
                           gift_credits_posted = gift_credits_posted + _gift
  WHERE account_id = _account RETURNING * INTO purses;
  INSERT INTO ledger_entry (transfer_id, at, book, account_id, amount_minor, balance_after)
  SELECT _id, _at, book, _account, amount, after FROM (VALUES
    ('cash', _cash, purses.cash_credits_posted - purses.cash_debits_posted),
    ('gift', _gift, purses.gift_credits_posted - purses.gift_debits_posted),
    (_book, -(_cash + _gift), NULL)) AS side (book, amount, after) WHERE amount <> 0;

  repaid := fn.ledger_repays(_cash + _gift, purses);
  IF repaid > 0 THEN
    from_gift := fn.ledger_gift_pays(repaid, _gift);
    from_cash := repaid - from_gift;
    repay := fn.kernel_transfer_id('repay', _id::text, '');
    INSERT INTO ledger_transfer (id, account_id, kind, amount_minor, at, subject_id)
    VALUES (repay, _account, 'repay', repaid, _at, _subject);
    UPDATE ledger_purses SET cash_debits_posted = cash_debits_posted + from_cash,
                             gift_debits_posted = gift_debits_posted + from_gift,
                             owed_credits_posted = owed_credits_posted + repaid
    WHERE account_id = _account RETURNING * INTO purses;
    INSERT INTO ledger_entry (transfer_id, at, book, account_id, amount_minor, balance_after)
    SELECT repay, _at, book, _account, amount, after FROM (VALUES
      ('cash', -from_cash, purses.cash_credits_posted - purses.cash_debits_posted),
      ('gift', -from_gift, purses.gift_credits_posted - purses.gift_debits_posted),
      ('owed', repaid, purses.owed_credits_posted - purses.owed_debits_posted)) AS side (book, amount, after)
    WHERE amount <> 0;
  END IF;
  RETURN true;
END $$;

-- Give back what was taken too much: it pays what is owed first, the rest goes to gift and cash in the proportion in
-- which _all, of it _gift, had been paid (cash: half-up). False when this transfer was already made.
CREATE FUNCTION fn.ledger_give_back(
  _id uuid, _kind text, _account bigint, _amount bigint, _gift bigint, _all bigint, _book text, _at timestamptz
) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE purses ledger_purses := fn.ledger_lock(_account); owed bigint; cash bigint; gift bigint;
BEGIN
  INSERT INTO ledger_transfer (id, account_id, kind, amount_minor, at)
  VALUES (_id, _account, _kind, _amount, _at) ON CONFLICT (id) DO NOTHING;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  owed := fn.ledger_repays(_amount, purses);
  cash := CASE WHEN _all > 0 THEN round((_amount - owed)::numeric * (_all - _gift) / _all) ELSE _amount - owed END;
  gift := _amount - owed - cash;
  UPDATE ledger_purses SET owed_credits_posted = owed_credits_posted + owed,
                           cash_credits_posted = cash_credits_posted + cash,
                           gift_credits_posted = gift_credits_posted + gift
  WHERE account_id = _account RETURNING * INTO purses;
  INSERT INTO ledger_entry (transfer_id, at, book, account_id, amount_minor, balance_after)
  SELECT _id, _at, book, _account, amount, after FROM (VALUES
    ('owed', owed, purses.owed_credits_posted - purses.owed_debits_posted),
    ('cash', cash, purses.cash_credits_posted - purses.cash_debits_posted),
    ('gift', gift, purses.gift_credits_posted - purses.gift_debits_posted),
    (_book, -_amount, NULL)) AS side (book, amount, after) WHERE amount <> 0;
  RETURN true;
END $$;

-- Set money aside for several machines at once, gift before cash, in the order given.
-- Fixed holds lie on purses, floating ones on their sum. Refuses when less is available.
CREATE FUNCTION fn.ledger_hold(
  _account bigint, _kind text, _ids uuid[], _amounts bigint[], _subjects bigint[], _at timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE purses ledger_purses; total bigint; gift_total bigint;
BEGIN
  SELECT coalesce(sum(amount), 0) INTO total FROM unnest(_amounts) AS amount;
  purses := fn.ledger_lock(_account);
  IF total > 0 AND fn.ledger_available(purses) < total THEN
    PERFORM fn.kernel_refuse('insufficient_balance', fn.ledger_available(purses) || '|' || total);
  END IF;
  IF _kind = 'floating' THEN
    UPDATE ledger_purses SET floating_pending = floating_pending + total WHERE account_id = _account;
    INSERT INTO ledger_hold (id, account_id, kind, state, cash_minor, gift_minor, floating_minor, subject_id, at)
    SELECT id, _account, 'floating', 'pending', 0, 0, amount, subject, _at
    FROM unnest(_ids, _amounts, _subjects) AS line (id, amount, subject);
    RETURN;
  END IF;
  -- Floating holds leave the purses free: enough is available in all, so a fixed one always finds its place.
  gift_total := fn.ledger_gift_pays(
    total, purses.gift_credits_posted - purses.gift_debits_posted - purses.gift_debits_pending);
  UPDATE ledger_purses SET gift_debits_pending = gift_debits_pending + gift_total,
                           cash_debits_pending = cash_debits_pending + total - gift_total
  WHERE account_id = _account;
  INSERT INTO ledger_hold (id, account_id, kind, state, cash_minor, gift_minor, floating_minor, subject_id, at)
  SELECT id, _account, 'fixed', 'pending', amount - gift, gift, 0, subject, _at
  FROM (SELECT id, amount, subject, fn.ledger_gift_pays(amount, gift_total - before::bigint) AS gift
        FROM (SELECT id, amount, subject, n, sum(amount) OVER (ORDER BY n) - amount AS before
              FROM unnest(_ids, _amounts, _subjects) WITH ORDINALITY AS line (id, amount, subject, n)) AS running
       ) AS split;
END $$;

-- What of a purse lies free and is available: what may leave it.
CREATE FUNCTION fn.ledger_free(purses ledger_purses, _purse text) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
  SELECT greatest(0, least(fn.ledger_available(purses), CASE _purse
    WHEN 'cash' THEN purses.cash_credits_posted - purses.cash_debits_posted - purses.cash_debits_pending
    ELSE purses.gift_credits_posted - purses.gift_debits_posted - purses.gift_debits_pending END))
$$;

-- Set cash aside, and no gift: what is to leave the shop. Refuses when less lies free.
CREATE FUNCTION fn.ledger_hold_cash(_hold uuid, _account bigint, _amount bigint, _subject bigint, _at timestamptz)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE free bigint := fn.ledger_free(fn.ledger_lock(_account), 'cash');
BEGIN
  IF _amount <= 0 THEN
    RAISE EXCEPTION 'a hold of cash is positive: %', _amount;
  END IF;
  IF free < _amount THEN
    PERFORM fn.kernel_refuse('insufficient_balance', free || '|' || _amount);
  END IF;
  UPDATE ledger_purses SET cash_debits_pending = cash_debits_pending + _amount WHERE account_id = _account;
  INSERT INTO ledger_hold (id, account_id, kind, state, cash_minor, gift_minor, floating_minor, subject_id, at)
  VALUES (_hold, _account, 'fixed', 'pending', _amount, 0, 0, _subject, _at);
END $$;

-- Give a hold back. False when it was already posted or voided.
CREATE FUNCTION fn.ledger_void(_hold uuid, _at timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE hold ledger_hold;
BEGIN
  SELECT * INTO hold FROM ledger_hold WHERE id = _hold;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no hold %', _hold;
  END IF;
  PERFORM fn.ledger_lock(hold.account_id);
  UPDATE ledger_hold SET state = 'voided', resolved_at = _at WHERE id = _hold AND state = 'pending'
  RETURNING * INTO hold;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  UPDATE ledger_purses SET cash_debits_pending = cash_debits_pending - hold.cash_minor,
                           gift_debits_pending = gift_debits_pending - hold.gift_minor,
                           floating_pending = floating_pending - hold.floating_minor
  WHERE account_id = hold.account_id;
  RETURN true;
END $$;

-- Put a smaller floating hold in the place of one; never refused, because it sets nothing more aside.
-- False when the old one was already posted or voided.
CREATE FUNCTION fn.ledger_shrink(_hold uuid, _new uuid, _amount bigint, _at timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE hold ledger_hold;
BEGIN
  IF NOT fn.ledger_void(_hold, _at) THEN
    RETURN false;
  END IF;
  SELECT * INTO hold FROM ledger_hold WHERE id = _hold;
  IF hold.kind <> 'floating' OR _amount > hold.floating_minor THEN
    RAISE EXCEPTION 'hold % of % cannot shrink to %', _hold, hold.floating_minor, _amount;
  END IF;
  UPDATE ledger_purses SET floating_pending = floating_pending + _amount WHERE account_id = hold.account_id;
  INSERT INTO ledger_hold (id, account_id, kind, state, cash_minor, gift_minor, floating_minor, subject_id, at)
  VALUES (_new, hold.account_id, 'floating', 'pending', 0, 0, _amount, hold.subject_id, _at);
  RETURN true;
END $$;

-- Turn a fixed hold into a posted transfer under the hold's own id, so that it can be posted once only.
-- The hold with what it took, or NULL when it was already posted or voided.
CREATE FUNCTION fn.ledger_post(_hold uuid, _kind text, _book text, _at timestamptz) RETURNS ledger_hold
LANGUAGE plpgsql AS $$
DECLARE hold ledger_hold; purses ledger_purses;
BEGIN
  SELECT * INTO hold FROM ledger_hold WHERE id = _hold;
  IF NOT FOUND OR hold.kind <> 'fixed' THEN
    RAISE EXCEPTION 'no fixed hold %', _hold;
  END IF;
  PERFORM fn.ledger_lock(hold.account_id);
  UPDATE ledger_hold SET state = 'posted', resolved_at = _at WHERE id = _hold AND state = 'pending'
  RETURNING * INTO hold;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  IF hold.cash_minor + hold.gift_minor = 0 THEN
    RETURN hold;
  END IF;
  INSERT INTO ledger_transfer (id, account_id, kind, amount_minor, at, subject_id)
  VALUES (_hold, hold.account_id, _kind, hold.cash_minor + hold.gift_minor, _at, hold.subject_id);
  UPDATE ledger_purses SET cash_debits_pending = cash_debits_pending - hold.cash_minor,
                           gift_debits_pending = gift_debits_pending - hold.gift_minor,
                           cash_debits_posted = cash_debits_posted + hold.cash_minor,
                           gift_debits_posted = gift_debits_posted + hold.gift_minor
  WHERE account_id = hold.account_id RETURNING * INTO purses;
  INSERT INTO ledger_entry (transfer_id, at, book, account_id, amount_minor, balance_after)
  SELECT _hold, _at, book, hold.account_id, amount, after FROM (VALUES
    ('cash', -hold.cash_minor, purses.cash_credits_posted - purses.cash_debits_posted),
    ('gift', -hold.gift_minor, purses.gift_credits_posted - purses.gift_debits_posted),
    (_book, hold.cash_minor + hold.gift_minor, NULL)) AS side (book, amount, after) WHERE amount <> 0;
  RETURN hold;
END $$;

-- Deduct what was used from gift, then cash, and book what they cannot cover to owed, of many accounts
-- at once. Money under fixed holds is untouchable; floating holds give way. One transfer an account;
-- accounts whose transfer exists already are left alone and not returned.
-- Returns what each paid and its balance after it.
CREATE FUNCTION fn.ledger_deduct(
  _kind text, _period text, _accounts bigint[], _amounts bigint[], _book text, _at timestamptz
) RETURNS TABLE (account_id bigint, transfer_id uuid, gift_minor bigint, cash_minor bigint, owed_minor bigint,
                 balance_minor bigint)
LANGUAGE sql AS $$
  WITH due AS MATERIALIZED (
    SELECT account, amount, fn.kernel_transfer_id(_kind, account::text, _period) AS id
    FROM unnest(_accounts, _amounts) AS line (account, amount) WHERE amount > 0
  ), transfer AS (
    INSERT INTO ledger_transfer (id, account_id, kind, amount_minor, at)
    SELECT id, account, _kind, amount, _at FROM due  -- nobody else makes them under the account locks
    WHERE NOT EXISTS (SELECT FROM ledger_transfer made WHERE made.id = due.id)
    RETURNING id, ledger_transfer.account_id AS account, amount_minor AS amount
  ), gift_part AS (
    SELECT t.*, fn.ledger_gift_pays(
             t.amount, p.gift_credits_posted - p.gift_debits_posted - p.gift_debits_pending) AS gift,
           p.cash_credits_posted - p.cash_debits_posted - p.cash_debits_pending AS cash_free
    FROM transfer t JOIN ledger_purses p ON p.account_id = t.account
  ), parts AS (
    SELECT id, account, amount, gift, least(amount - gift, cash_free) AS cash FROM gift_part
  ), purses AS (
    UPDATE ledger_purses p SET
      gift_debits_posted = p.gift_debits_posted + parts.gift,
      cash_debits_posted = p.cash_debits_posted + parts.cash,
      owed_debits_posted = p.owed_debits_posted + parts.amount - parts.gift - parts.cash
    FROM parts WHERE p.account_id = parts.account
    RETURNING parts.*, p.gift_credits_posted - p.gift_debits_posted AS gift_after,
      p.cash_credits_posted - p.cash_debits_posted AS cash_after,
      p.owed_credits_posted - p.owed_debits_posted AS owed_after
  ), entry AS (
    INSERT INTO ledger_entry (transfer_id, at, book, account_id, amount_minor, balance_after)
    SELECT id, _at, 'gift', account, -gift, gift_after FROM purses WHERE gift <> 0
    UNION ALL SELECT id, _at, 'cash', account, -cash, cash_after FROM purses WHERE cash <> 0
    UNION ALL
    SELECT id, _at, 'owed', account, -(amount - gift - cash), owed_after FROM purses WHERE gift + cash <> amount
    UNION ALL SELECT id, _at, _book, account, amount, NULL FROM purses
  )
  SELECT account, id, gift, cash, amount - gift - cash, gift_after + cash_after + owed_after FROM purses
$$;

-- What the seller credits (_amount > 0) or debits by hand, with why and by whom. A debit takes from its purse only what
-- lies there free: neither purse nor balance gets below zero. False when this transfer was already made.
CREATE FUNCTION fn.ledger_by_hand(
  _id uuid, _account bigint, _purse text, _amount bigint, _reason text, _actor text, _at timestamptz
) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM fn.ledger_lock(_account);
  IF EXISTS (SELECT FROM ledger_transfer WHERE id = _id) THEN
    RETURN false;
  END IF;
  IF _amount > 0 THEN
    PERFORM fn.ledger_credit(_id, 'credit', _account, CASE _purse WHEN 'cash' THEN _amount ELSE 0 END,
                             CASE _purse WHEN 'gift' THEN _amount ELSE 0 END, 'by_hand', _at, NULL);
  ELSE
    PERFORM fn.ledger_debit(_id, _account, _purse, -_amount, _at);
  END IF;
  INSERT INTO ledger_by_hand (transfer_id, account_id, purse, amount_minor, reason, actor, at)
  VALUES (_id, _account, _purse, _amount, _reason, _actor, _at);
  RETURN true;
END $$;

-- The debit's transfer, purse and entries. Refuses where the purse, or all that is available, is less.
CREATE FUNCTION fn.ledger_debit(_id uuid, _account bigint, _purse text, _amount bigint, _at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE purses ledger_purses := fn.ledger_lock(_account); free bigint := fn.ledger_free(purses, _purse); cash bigint;
        gift bigint;
BEGIN
  IF free < _amount THEN
    PERFORM fn.kernel_refuse('insufficient_balance', free || '|' || _amount);
  END IF;
  cash := CASE _purse WHEN 'cash' THEN _amount ELSE 0 END;
  gift := _amount - cash;
  INSERT INTO ledger_transfer (id, account_id, kind, amount_minor, at) VALUES (_id, _account, 'debit', _amount, _at);
  UPDATE ledger_purses SET cash_debits_posted = cash_debits_posted + cash, gift_debits_posted = gift_debits_posted + gift
  WHERE account_id = _account RETURNING * INTO purses;
  INSERT INTO ledger_entry (transfer_id, at, book, account_id, amount_minor, balance_after)
  SELECT _id, _at, book, _account, amount, after FROM (VALUES
    ('cash', -cash, purses.cash_credits_posted - purses.cash_debits_posted),
    ('gift', -gift, purses.gift_credits_posted - purses.gift_debits_posted),
    ('by_hand', _amount, NULL)) AS side (book, amount, after) WHERE amount <> 0;
END $$;
