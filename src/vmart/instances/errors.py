"""Refusals about key pairs: codes of the Tencent Cloud API 3.0, fields by what the acts take."""

from vmart.kernel.errors import InvalidValue, LimitExceeded, NotFound


class UnknownKeyPair(NotFound):
    code = "InvalidKeyPairId.NotFound"


class BadKeyName(InvalidValue):
    code = "InvalidKeyPairNameIncludeIllegalChar"


class BadPublicKey(InvalidValue):
    code = "InvalidPublicKey.Malformed"


class KeyPairInUse(InvalidValue):
    code = "InvalidParameterValue.KeyPairNotSupported"


class TooManyKeyPairs(LimitExceeded):
    code = "InvalidKeyPair.LimitExceeded"
