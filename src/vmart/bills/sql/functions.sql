-- Charges lie by hour first (ADR 0016), so the last one is found by going back hour by hour from where it is
-- expected: the end of use. That is one look, unless the close of those hours is still to come.

-- The month's exact total, in 10^-8, with a component's last charge of the hours that begin in [_since, _upto);
-- NULL without one.
CREATE FUNCTION fn.bills_month_exact_e8(
  _account bigint, _instance bigint, _component text, _since timestamptz, _upto timestamptz
) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
  _hour timestamptz := date_trunc('hour', _upto - interval '1 microsecond');
  _total bigint;
BEGIN
  WHILE _total IS NULL AND _hour >= _since LOOP
    SELECT month_exact_e8 INTO _total FROM bills_charge
    WHERE hour = _hour AND account_id = _account AND instance_id = _instance AND component = _component
    ORDER BY revision DESC LIMIT 1;
    _hour := _hour - interval '1 hour';
  END LOOP;
  RETURN _total;
END $$;

-- The end of the last hour that begins in [_since, _upto) in which an account was charged; NULL without one.
CREATE FUNCTION fn.bills_charged_until(_account bigint, _since timestamptz, _upto timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE AS $$
DECLARE _hour timestamptz := date_trunc('hour', _upto - interval '1 microsecond');
BEGIN
  WHILE _hour >= _since LOOP
    IF EXISTS (SELECT FROM bills_charge WHERE hour = _hour AND account_id = _account) THEN
      RETURN _hour + interval '1 hour';
    END IF;
    _hour := _hour - interval '1 hour';
  END LOOP;
  RETURN NULL;
END $$;
