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


def typed(text: str) -> bytes:
    """The document as it was typed into a page: a line ends with LF, whatever ends it in a browser; blanks are none."""
    return "\n".join(text.replace("\r\n", "\n").split("\r")).encode() if text.strip() else b""


def as_text(document: bytes) -> str | None:
    """The text that a page shows and gets back as just this document; None of one that is no such text (gzip, CRLF)."""
    try:
        text = document.decode()
    except UnicodeDecodeError:
        return None
    return text if "\0" not in text and typed(text) == document else None


def check(user_data: bytes) -> None:
    """Raise UserDataTooLarge for more than 16 KiB (API 3.0, RunInstances)."""
    if len(user_data) > MAX_BYTES:
        raise UserDataTooLarge("User data has at most {most} bytes.", field="user_data", most=MAX_BYTES)
