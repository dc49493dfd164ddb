-- What 10^-8 of the currency unit is in its minor units, of which it has _places decimals.
CREATE FUNCTION fn.bills_unit(_places int) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
  SELECT ('1e' || _places - 8)::numeric
$$;

-- Exact money, in 10^-8 of the currency unit, as minor units: half-up on the absolute value, as kernel.money.to_minor.
-- _unit is from fn.bills_unit, made once for many.
CREATE FUNCTION fn.bills_minor(_exact_e8 numeric, _unit numeric) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
  SELECT round(_exact_e8 * _unit)::bigint
$$;

-- The month of the statement that takes in usage of a clock hour, as its first day: the hour's own month in the
-- billing zone, or the oldest one whose statement is open, where that is later.
CREATE FUNCTION fn.bills_statement_month(_hour timestamptz, _zone text, _oldest date) RETURNS date
LANGUAGE sql STABLE AS $$
  SELECT greatest(date_trunc('month', _hour AT TIME ZONE _zone)::date, _oldest)
$$;
