"""User data of a purchase: the customer's own bytes for the first boot."""

import base64

from vmart.orders.errors import UserDataTooLarge

MAX_BYTES = 16 * 1024


def decode(text: str) -> bytes:
    """UserData of a request: base64, also with line breaks as ``base64`` writes them. Raises InvalidUserDataFormat."""
    try:
        return base64.b64decode(text.replace("\r\n", "").replace("\n", ""), validate=True)
    except ValueError:
        raise UserDataTooLarge(
            "UserData is not base64.", field="user_data", code="InvalidParameterValue.InvalidUserDataFormat"
        ) from None


def check(user_data: bytes) -> None:
    """Raise UserDataTooLarge for more than 16 KiB (API 3.0, RunInstances)."""
    if len(user_data) > MAX_BYTES:
        raise UserDataTooLarge("User data has at most {most} bytes.", field="user_data", most=MAX_BYTES)
