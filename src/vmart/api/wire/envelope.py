"""Answers as clients read them: API 3.0 and the legacy one. Always HTTP 200 and exactly ``application/json``."""

import json
from collections.abc import Mapping
from typing import Any

from vmart.api.errors import Replayed
from vmart.api.words import localized
from vmart.kernel.errors import Refused

STATUS = "200 OK"
CONTENT_TYPE = "application/json"  # exactly: with a charset the Python SDK takes an error for success (trap 1)

# Legacy number of an API 3.0 code: the longest prefix counts (reference, "Legacy v2").
_LEGACY_CODES = {
    "AuthFailure": 4100,
    "AuthFailure.SecretIdNotFound": 4104,
    "AuthFailure.SignatureExpire": 4200,
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
# Members that the rooms name as API 3.0 does -> what the legacy API asks for them by.
_LEGACY_FIELDS = {
    "Placement.Zone": "zoneId",
    "InstanceType": "instanceType",
    "ImageId": "imageId",
    "InstanceChargePrepaid.Period": "period",
    "SystemDisk.DiskType": "storageType",
    "SystemDisk.DiskSize": "rootSize",
    "DataDisks.0.DiskType": "storageType",
    "DataDisks.0.DiskSize": "storageSize",
    "InternetAccessible.InternetChargeType": "bandwidthType",
    "InternetAccessible.InternetMaxBandwidthOut": "bandwidth",
    "InternetAccessible.PublicIpAssigned": "wanIp",
    "InstanceCount": "goodsNum",
    "InstanceName": "instanceName",
    "LoginSettings": "password",
    "Password": "password",
    "LoginSettings.Password": "password",
    "LoginSettings.KeyIds": "keyId",
    "ClientToken": "clientToken",
    "InstanceIds": "instanceIds",
}
_LEGACY_PARAMETER = 4000
_LEGACY_REPLAY = 4500


def sentence(refusal: Refused, language: str) -> str:
    """The refusal's sentence in ``language``, with the member at fault where it does not name it itself."""
    return _with_field(refusal, refusal.field, language)


def legacy_sentence(refusal: Refused, language: str) -> str:
    """The same with the member as the legacy API calls it."""
    return _with_field(refusal, _LEGACY_FIELDS.get(refusal.field or "", refusal.field), language)


def _with_field(refusal: Refused, field: str | None, language: str) -> str:
    text = localized(refusal.template, language, refusal.params)
    return f"{field}: {text}" if field and field not in text else text


def answer(members: Mapping[str, object], request_id: str) -> bytes:
    """A successful answer of API 3.0."""
    return _encode({"Response": {**members, "RequestId": request_id}})


def error(refusal: Refused, request_id: str, language: str) -> bytes:
    """An error of API 3.0; never without RequestId (trap 2)."""
    told = {"Code": refusal.code, "Message": sentence(refusal, language)}
    return _encode({"Response": {"Error": told, "RequestId": request_id}})


def legacy_answer(members: Mapping[str, object], request_id: str) -> bytes:
    """A successful answer of the legacy API."""
    return _encode({"code": 0, "message": "", "codeDesc": "Success", "requestId": request_id, **members})


def legacy_error(refusal: Refused, request_id: str, language: str) -> bytes:
    """An error of the legacy API: its number, the sentence, and the API 3.0 code as ``codeDesc``."""
    return _encode(
        {
            "code": legacy_code(refusal),
            "message": legacy_sentence(refusal, language),
            "codeDesc": refusal.code,
            "requestId": request_id,
        }
    )


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


def _encode(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
