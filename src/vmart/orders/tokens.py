"""Client tokens: the same request sent again gets the first answer (decision 7)."""

from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from django.conf import settings

from vmart.kernel import clock, db
from vmart.kernel.errors import Refused
from vmart.orders.errors import TokenReused
from vmart.orders.models import Idempotency

# Of fields that 0.1.0 told also where they were left as they are: its tokens are known for some days after an upgrade.
TOLD = {"told": True}


def fingerprint(what: str, asked: Any) -> bytes:
    """What makes two requests for an act the same: a frozen dataclass, without what is left as it is by default.

    So a field that a later version adds makes no other request of one that does not name it.
    """
    return settings.SECRETS.fingerprint(f"{what}|{_told(asked)}".encode())


def _told(value: Any) -> Any:
    if is_dataclass(value):
        held = ((one, getattr(value, one.name)) for one in fields(value))
        return {one.name: _told(inner) for one, inner in held if one.metadata.get("told") or inner != _default(one)}
    if isinstance(value, list | tuple):
        return type(value)(_told(inner) for inner in value)
    return value


def _default(one: Field[Any]) -> Any:
    return one.default if one.default_factory is MISSING else one.default_factory()


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
