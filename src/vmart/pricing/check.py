"""Whether a configuration may be bought by a price book: the same check for page and API."""

from vmart.pricing.book import PriceBook, RegionPrices
from vmart.pricing.configuration import BY_USAGE, OTHER_CHARGE_TYPES, PREPAID, Configuration
from vmart.pricing.errors import (
    ChargeTypeNotSold,
    Contradiction,
    MissingPeriod,
    OutOfRange,
    PeriodNotSold,
    UnknownChargeType,
    UnknownRegion,
)
from vmart.pricing.parts import parts


def check(book: PriceBook, configuration: Configuration) -> RegionPrices:
    """Prices of the configuration's region, if it may be bought by the book; else the refusal that says why.

    Zone, image, stock and quota are the business of other rooms.
    """
    prices = book.regions.get(configuration.region)
    if prices is None:
        raise UnknownRegion("The region {region} does not exist.", field="region", region=configuration.region)
    _check_charge_type(book, configuration.charge_type, configuration.period_months)
    for part in parts(configuration):
        part.check(book, prices)
    most = book.sales.machines_max
    if not 1 <= configuration.count <= most:
        raise OutOfRange(
            "InstanceCount is {count}; 1 to {most} machines can be bought at once.",
            field="count", count=configuration.count, most=most,
        )  # fmt: skip
    return prices


def _check_charge_type(book: PriceBook, charge_type: str, months: int | None) -> None:
    field = "charge_type"
    if charge_type in OTHER_CHARGE_TYPES:
        raise ChargeTypeNotSold(
            "{charge_type} is not sold here; possible are PREPAID, POSTPAID_BY_HOUR and SPOTPAID.",
            field=field, charge_type=charge_type,
        )  # fmt: skip
    if charge_type not in (PREPAID, *BY_USAGE):
        raise UnknownChargeType(
            "InstanceChargeType {charge_type} does not exist; possible are PREPAID, POSTPAID_BY_HOUR and SPOTPAID.",
            field=field, charge_type=charge_type,
        )  # fmt: skip
    if charge_type == PREPAID:
        _check_term(book, months)
    elif months is not None:
        raise Contradiction("A machine that is charged by the hour has no term.", field="term")


def _check_term(book: PriceBook, months: int | None) -> None:
    if months is None:
        raise MissingPeriod(
            "A prepaid machine needs the number of months: InstanceChargePrepaid.Period.",
            field="period_months",
        )
    if months not in book.sales.periods_months:
        raise PeriodNotSold(
            "A term of {months} months is not sold; possible are {periods}.",
            field="period_months",
            months=months, periods=", ".join(map(str, book.sales.periods_months)),
        )  # fmt: skip
