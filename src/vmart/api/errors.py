"""Refusals of the wire itself, before any room is asked; codes of the API 3.0 (product 213/30435)."""

from vmart.kernel.errors import Refused


class AuthenticationFailed(Refused):
    """The request is not proven to be its sender's; ``code`` says which part failed."""

    code = "AuthFailure.SignatureFailure"


class ForeignAddress(AuthenticationFailed):
    """The key may be used from some addresses alone, and this is none of them."""

    code = "AuthFailure.UnauthorizedOperation"


class InvalidAction(Refused):
    code = "InvalidAction"


class ShopClosed(Refused):
    """Nobody buys yet: the seller is still setting the shop up."""

    code = "ResourceUnavailable"


class NoSuchVersion(Refused):
    code = "NoSuchVersion"


class UnknownParameter(Refused):
    code = "UnknownParameter"


class InvalidRequest(Refused):
    """The body cannot be read as what its Content-Type says."""

    code = "InvalidRequest"


class RequestTooLarge(Refused):
    code = "RequestSizeLimitExceeded"


class UnsupportedProtocol(Refused):
    code = "UnsupportedProtocol"


class RequestLimitExceeded(Refused):
    """More calls in this second than the account may make."""

    code = "RequestLimitExceeded"


class Replayed(AuthenticationFailed):
    """The same nonce of the same key within the window (decision 18); 4500 in the legacy API."""

    code = "AuthFailure.InvalidAuthorization"
