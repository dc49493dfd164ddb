"""What the legacy API calls errors, which the rooms name as API 3.0 does."""

from vmart.api.errors import Replayed
from vmart.kernel.errors import Refused

# Legacy number of an API 3.0 code: the longest prefix counts (reference, "Legacy v2").
_LEGACY_CODES = {
    "AuthFailure": 4100,
    "AuthFailure.SecretIdNotFound": 4104,
    "AuthFailure.SignatureExpire": 4200,
    "AuthFailure.UnauthorizedOperation": 4110,
    "UnauthorizedOperation": 4110,
    "OperationDenied": 4300,
    "RequestLimitExceeded": 4400,
    "UnsupportedProtocol": 4600,
    "ResourceNotFound": 5000,
    "InvalidInstanceId.NotFound": 5000,
    "InvalidKeyPairId.NotFound": 5000,
    "InvalidImageId.NotFound": 5000,
    "FailedOperation": 5100,
    "MutexOperation": 5100,
    "UnsupportedOperation": 5100,
    "ResourceInUse": 5100,
    "ResourcesSoldOut": 5200,
    "ResourceInsufficient": 5200,
    "ResourceUnavailable": 5200,
    "LimitExceeded": 5200,
    "InvalidAccount.InsufficientBalance": 5300,
    "InternalError": 6000,
    "ServiceUnavailable": 6000,
    "NoSuchVersion": 6100,
}
_LEGACY_PARAMETER = 4000
_LEGACY_REPLAY = 4500


def legacy_code(refusal: Refused) -> int:
    """The legacy number of a refusal; what is not in the table is a fault of the parameters."""
    if isinstance(refusal, Replayed):
        return _LEGACY_REPLAY
    code = refusal.code
    while code:
        if code in _LEGACY_CODES:
            return _LEGACY_CODES[code]
        code = code.rpartition(".")[0]
    return _LEGACY_PARAMETER
