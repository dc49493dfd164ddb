"""What an account may do, as the seller changes it: frozen or not, and its quotas. Each change says who made it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from vmart.customers import quotas
from vmart.customers.models import Account
from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import db
from vmart.kernel.errors import InvalidValue, NotFound
from vmart.orders.by_hand import check_reason


def freeze(account_id: int, reason: str, actor: Actor) -> bool:
    """Let the account buy nothing; what runs goes on. False when it is so for this reason already.

    The reason is shown to the customer. Raises InvalidValue, NotFound.
    """
    check_reason(reason)
    return _freeze(account_id, "frozen", reason.strip(), actor)


def unfreeze(account_id: int, actor: Actor) -> bool:
    """Let it buy again; False when it may already. Raises NotFound."""
    return _freeze(account_id, "unfrozen", "", actor)


def set_quotas(account_id: int, wanted: Mapping[str, int | None], actor: Actor) -> bool:
    """Quotas by their names in ``quotas.LEAST``, others stay; None: the catalog's again. False when nothing changes.

    Raises InvalidValue, NotFound.
    """
    for name, value in wanted.items():
        _check_quota(name, value)
    with locked(account_id):
        held, own = quotas.of(account_id), quotas.own(account_id)
        changed = {
            name: value for name, value in wanted.items() if (name in own if value is None else held[name] != value)
        }
        quotas.keep(account_id, changed)
        holds = quotas.of(account_id)
        return told(
            account_id, "quotas", {name: held[name] for name in changed}, {name: holds[name] for name in changed}, actor
        )


def _check_quota(name: str, value: int | None) -> None:
    if name not in quotas.LEAST:
        raise InvalidValue(
            "There is no quota {name}; there are {names}.", field=name, name=name, names=", ".join(quotas.LEAST)
        )
    least = quotas.LEAST[name]
    if value is not None and not least <= value <= quotas.MOST:
        raise InvalidValue(
            "The quota {name} is {value}; it must be a whole number from {least} to {most}.",
            field=name, name=name, value=value, least=least, most=quotas.MOST,
        )  # fmt: skip


def _freeze(account_id: int, kind: str, reason: str, actor: Actor) -> bool:
    with locked(account_id):
        before = Account.objects.get(pk=account_id).frozen_reason
        changed = {"frozen_reason": reason} if before != reason else {}
        Account.objects.filter(pk=account_id).update(frozen_reason=reason)
        return told(account_id, kind, {"frozen_reason": before}, changed, actor)


@contextmanager
def locked(account_id: int) -> Iterator[None]:
    """An act under the account's lock: a purchase under way ends before it, or sees it."""
    with db.act():
        if not Account.objects.filter(pk=account_id).exists():
            raise NotFound("There is no customer {id}.", field="account_id", id=account_id)
        db.call("ledger_lock", account_id)
        yield


def told(
    account_id: int,
    kind: str,
    before: Mapping[str, object],
    after: Mapping[str, object],
    actor: Actor,
    **more: object,
) -> bool:
    """Write what changed, if something did; whether it did. ``more`` stands beside it in the event."""
    if after:
        changed = {"before": dict(before), "after": dict(after), **more}
        record.write(account_id, record.ACCOUNT, [account_id], kind, details=[changed], actor=actor)
    return bool(after)
