"""Amounts: int minor units in the ledger, Decimal everywhere a rate is involved.

Half-up means away from zero (billing-rules, section 1). "0.01" in the rules reads "one minor unit".
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

EXACT_PLACES = 8
EXACT_QUANTUM = Decimal(1).scaleb(-EXACT_PLACES)

# ISO 4217 exponents that differ from 2; one currency a deployment.
_EXPONENTS = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "ISK": 0, "BHD": 3, "KWD": 3, "TND": 3, "JOD": 3, "OMR": 3}
_SYMBOLS = {"CNY": "¥", "JPY": "¥", "USD": "$", "EUR": "€", "GBP": "£", "HKD": "HK$", "KRW": "₩"}

# 40 digits: int8 money times seconds times 8-decimal rates never rounds on the way.
CONTEXT = Context(prec=40, rounding=ROUND_HALF_UP)


def exponent(currency: str) -> int:
    """Number of decimals of the currency's minor unit, by its ISO 4217 code."""
    return _EXPONENTS.get(currency.upper(), 2)


def symbol(currency: str) -> str:
    """Sign to print before an amount; the code and a space where there is no usual sign."""
    return _SYMBOLS.get(currency.upper(), currency.upper() + " ")


def half_up(amount: Decimal, places: int = 2) -> Decimal:
    """Round ``amount`` (currency units) to ``places`` decimals, half away from zero."""
    with localcontext(CONTEXT):
        return amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def exact(amount: Decimal) -> Decimal:
    """Round to the 8 decimals in which a charge is kept, half away from zero."""
    with localcontext(CONTEXT):
        return amount.quantize(EXACT_QUANTUM, rounding=ROUND_HALF_UP)


def to_minor(amount: Decimal, places: int = 2) -> int:
    """Currency units to whole minor units, half away from zero: Decimal("0.105") is 11."""
    with localcontext(CONTEXT):
        return int(amount.scaleb(places).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def from_minor(amount_minor: int, places: int = 2) -> Decimal:
    """Minor units to currency units with all decimals shown: 1050 is Decimal("10.50")."""
    return Decimal(amount_minor).scaleb(-places)


def allot(total_minor: int, weights: Sequence[int]) -> list[int]:
    """Split ``total_minor`` in proportion to ``weights``, to the unit, by largest remainder.

    Ties go in order of position. The parts always add up to the total. All-zero weights get all
    of it on the first part (or raise ValueError when there is none and the total is not 0).
    """
    if not weights:
        if total_minor:
            raise ValueError("nothing to allot to")
        return []
    if any(weight < 0 for weight in weights):
        raise ValueError("weights are not negative")
    whole = sum(weights)
    if whole == 0:
        return [total_minor] + [0] * (len(weights) - 1)
    sign = -1 if total_minor < 0 else 1
    magnitude = abs(total_minor)
    parts = [magnitude * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(magnitude * weights[i] % whole), i))
    for i in by_remainder[: magnitude - sum(parts)]:
        parts[i] += 1
    return [sign * part for part in parts]
