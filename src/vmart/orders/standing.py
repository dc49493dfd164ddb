"""What an account may do, as the seller changes it: frozen or not, and its quotas. Each change says who made it."""

from collections.abc import Mapping

from vmart.customers.models import Account
from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import db
from vmart.kernel.errors import InvalidValue, NotFound
from vmart.orders.by_hand import check_reason

QUOTAS = {  # name -> (column, least)
    "postpaid_per_zone": ("quota_postpaid_per_zone", 0),
    "prepaid_per_month": ("quota_prepaid_per_month", 0),
    "returns_per_year": ("quota_returns_per_year", 0),
    "run_per_s": ("rate_run_per_s", 1),
}
_MOST = 2**31 - 1


def freeze(account_id: int, reason: str, actor: Actor) -> bool:
    """Let the account buy nothing; what runs goes on. False when it is so for this reason already.

    The reason is shown to the customer. Raises InvalidValue, NotFound.
    """
    check_reason(reason)
    return _change(account_id, "frozen", {"frozen_reason": reason.strip()}, actor)


def unfreeze(account_id: int, actor: Actor) -> bool:
    """Let it buy again; False when it may already. Raises NotFound."""
    return _change(account_id, "unfrozen", {"frozen_reason": ""}, actor)


def set_quotas(account_id: int, quotas: Mapping[str, int], actor: Actor) -> bool:
    """Quotas by their names in QUOTAS, others stay; False when nothing changes. Raises InvalidValue, NotFound."""
    for name, value in quotas.items():
        if name not in QUOTAS:
            raise InvalidValue(
                "There is no quota {name}; there are {names}.", field=name, name=name, names=", ".join(QUOTAS)
            )
        least = QUOTAS[name][1]
        if not least <= value <= _MOST:
            raise InvalidValue(
                "The quota {name} is {value}; it must be a whole number from {least} to {most}.",
                field=name, name=name, value=value, least=least, most=_MOST,
            )  # fmt: skip
    return _change(account_id, "quotas", {QUOTAS[name][0]: value for name, value in quotas.items()}, actor)


def _change(account_id: int, kind: str, columns: Mapping[str, object], actor: Actor) -> bool:
    with db.act():
        if not Account.objects.filter(pk=account_id).exists():
            raise NotFound("There is no customer {id}.", field="customer", id=account_id)
        db.call("ledger_lock", account_id)  # a purchase under way ends before it, or sees it
        account = Account.objects.get(pk=account_id)
        changed = {name: value for name, value in columns.items() if getattr(account, name) != value}
        if not changed:
            return False
        before = {name: getattr(account, name) for name in changed}
        Account.objects.filter(pk=account_id).update(**changed)
        told = {"before": before, "after": changed}
        record.write(account_id, record.ACCOUNT, [account_id], kind, details=[told], actor=actor)
    return True
