"""Refusals of a configuration: codes of the Tencent Cloud API 3.0, fields by its paths."""

from vmart.kernel.errors import InvalidParameter, InvalidValue, MissingParameter, Unsupported


class OutOfRange(InvalidValue):
    """A number outside the range on sale: size, bandwidth, count."""

    code = "InvalidParameterValue.Range"


class TooMany(InvalidValue):
    """A list with more members than allowed."""

    code = "InvalidParameterValue.LimitExceeded"


class UnknownRegion(InvalidValue):
    code = "InvalidParameterValue.InvalidRegion"


class UnknownInstanceType(InvalidValue):
    code = "InvalidParameterValue.InstanceTypeNotFound"


class UnknownDiskType(InvalidValue):
    """Not a disk type of the price book."""


class UnknownChargeType(InvalidValue):
    """Not a charge type that exists."""


class ChargeTypeNotSold(Unsupported):
    """A charge type that exists in the field and is not sold here (CDHPAID, …)."""

    code = "UnsupportedOperation.InstanceChargeType"


class MissingPeriod(MissingParameter):
    """A prepaid configuration without its term."""


class NoPrice(InvalidValue):
    """What was sold once has no price in the book any more."""


class PeriodNotSold(InvalidValue):
    """A term that is not on sale."""

    code = "InvalidPeriod"


class Contradiction(InvalidParameter):
    """Members that exclude each other: monthly bandwidth on a postpaid machine, an address without bandwidth."""

    code = "InvalidParameterCombination"


class ForeignQuote(InvalidParameter):
    """A stored or shown quote that cannot be read."""
