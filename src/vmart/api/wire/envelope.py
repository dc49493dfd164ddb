"""Answers as clients read them: API 3.0 and the legacy one. Always HTTP 200 and exactly ``application/json``."""

import json
from collections.abc import Mapping
from typing import Any

from vmart.api.legacy.words import legacy_code
from vmart.api.words import said_of
from vmart.kernel.errors import Refused

STATUS = "200 OK"
CONTENT_TYPE = "application/json"  # exactly: with a charset the Python SDK takes an error for success (trap 1)


def sentence(refusal: Refused, language: str) -> str:
    """The refusal's sentence in ``language``, with the member at fault where it does not name it itself."""
    return said_of(refusal, refusal.field, language)


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
            "message": sentence(refusal, language),
            "codeDesc": refusal.code,
            "requestId": request_id,
        }
    )


def _encode(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
