"""Refusals of consoles."""

from vmart.kernel.errors import LimitExceeded, Refused, Unsupported


class NoConsole(Unsupported):
    """The zone's engine shows none, or the shop runs no gateway."""


class BadTicket(Refused):
    """Not known, used, too late, or of another page: whoever shows one is not told which."""

    code = "UnauthorizedOperation"


class TooManyConsoles(LimitExceeded):
    """As many are open as the account may have, or were asked for in a minute."""


class Shut(Refused):
    """The account is frozen, or the machine went off meanwhile."""

    code = "UnsupportedOperation"
