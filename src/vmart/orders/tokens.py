"""Client tokens: the same request sent again gets the first answer (decision 7)."""

from typing import Any

from vmart.kernel import clock, db
from vmart.kernel.errors import Refused
from vmart.orders.errors import TokenReused
from vmart.orders.models import Idempotency


def first_answer(account_id: int, token: str, fingerprint: bytes) -> dict[str, Any] | None:
    """What this token was answered before; None for a new token or none.

    Raises TokenReused where it came with other parameters.
    """
    if not token:
        return None
    known = Idempotency.objects.filter(account_id=account_id, token=token).first()
    if known is None:
        return None
    if bytes(known.fingerprint) != fingerprint:
        raise reused()
    answer: dict[str, Any] = known.answer
    return answer


def keep(account_id: int, token: str, fingerprint: bytes, answer: dict[str, Any]) -> dict[str, Any] | None:
    """Note what this token is answered, or what it was answered before. Belongs under the account lock."""
    db.require_transaction()
    if not token:
        return None
    known, fresh = Idempotency.objects.get_or_create(
        account_id=account_id, token=token,
        defaults={"fingerprint": fingerprint, "answer": answer, "created_wall_at": clock.wall()},
    )  # fmt: skip
    if fresh:
        return None
    if bytes(known.fingerprint) != fingerprint:
        raise reused()
    before: dict[str, Any] = known.answer
    return before


def reused() -> Refused:
    """The refusal of a token that came with other parameters."""
    return TokenReused("ClientToken was used before for a request with other parameters.", field="client_token")
