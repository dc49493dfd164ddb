"""Amounts: int minor units in the ledger, Decimal everywhere a rate is involved.

Half-up means away from zero (billing-rules, section 1). "0.01" in the rules reads "one minor unit".
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

EXACT_PLACES = 8
EXACT_QUANTUM = Decimal(1).scaleb(-EXACT_PLACES)

# ISO 4217, list one of 2026-01-01, by number of decimals: all in which people pay, so without funds, metals and tests.
_BY_EXPONENT = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    2: """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP
    CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES
    KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK
    NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB
    TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
}
CURRENCIES = {code: places for places, codes in _BY_EXPONENT.items() for code in codes.split()}
_SYMBOLS = {"CNY": "¥", "JPY": "¥", "USD": "$", "EUR": "€", "GBP": "£", "HKD": "HK$", "KRW": "₩"}

# 40 digits: int8 money times seconds times 8-decimal rates never rounds on the way.
CONTEXT = Context(prec=40, rounding=ROUND_HALF_UP)


class UnknownCurrency(ValueError):
    """Not the code of a currency in which people pay."""

    def __init__(self, currency: str) -> None:
        super().__init__(f"{currency} is no currency of ISO 4217")


def exponent(currency: str) -> int:
    """Number of decimals of the currency's minor unit, by its ISO 4217 code. Raises UnknownCurrency."""
    try:
        return CURRENCIES[currency]
    except KeyError:
        raise UnknownCurrency(currency) from None


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


def shown(amount: Decimal, currency: str) -> str:
    """An amount of currency units as people read it, with the decimals it has: "¥1,234.50", "−¥0.505"."""
    sign = "−" if amount < 0 else ""
    return f"{sign}{symbol(currency)}{abs(amount):,f}"


def shown_minor(amount_minor: int, currency: str) -> str:
    """Minor units as people read them."""
    return shown(from_minor(amount_minor, exponent(currency)), currency)


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
