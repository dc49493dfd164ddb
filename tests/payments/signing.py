"""Messages as Stripe signs them."""

import hashlib
import hmac
import json
from typing import Any

from tests.payments.conftest import WEBHOOK_SECRET
from vmart.kernel import clock


def event(kind: str, intent: dict[str, Any]) -> dict[str, Any]:
    """``payment_intent.<kind>`` about ``intent``."""
    return {"id": "evt_1", "object": "event", "type": f"payment_intent.{kind}", "data": {"object": dict(intent)}}


def refund_event(kind: str, refund: dict[str, Any]) -> dict[str, Any]:
    """``kind`` (``refund.failed``) about ``refund``."""
    return {"id": "evt_2", "object": "event", "type": kind, "data": {"object": dict(refund)}}


def signed(
    message: dict[str, Any] | bytes, *, secret: str = WEBHOOK_SECRET, age_s: int = 0
) -> tuple[dict[str, str], bytes]:
    """Headers and body of the message, signed ``age_s`` seconds ago."""
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    at = int(clock.wall().timestamp()) - age_s
    code = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={at},v1={code}"}, body
