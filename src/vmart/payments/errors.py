"""Refusals of payments; fields by what the acts take."""

from vmart.kernel.errors import InvalidParameter, InvalidValue, LimitExceeded, NotFound, Unsupported


class AmountOutOfRange(InvalidValue):
    code = "InvalidParameterValue.Range"


class UnknownProvider(InvalidValue):
    """Not a provider of this shop, or not set up here."""


class UnknownCard(InvalidValue):
    """The provider does not take this way of paying."""


class BadToken(InvalidParameter):
    """A payment's token is 1 to 64 printable ASCII characters."""


class TokenReused(InvalidValue):
    """The token began another payment."""


class TooManyOpen(LimitExceeded):
    """Payments that wait for the customer; a stolen list of cards is not tried out here."""


class UnknownPayment(NotFound):
    pass


class NotPaid(Unsupported):
    """No card has paid it, so nothing can go back to one."""


class NothingLeft(Unsupported):
    """All that the card paid has gone back to it, or is on its way."""
