"""One of the seller's staff begins and ends to act for a customer: what the customer's audit log says of it.

Each act between is an event of its own, whose actor says that it was on behalf.
"""

from vmart.customers import accounts
from vmart.customers.models import Account
from vmart.customers.roles import NotPermitted
from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import db
from vmart.kernel.errors import NotFound
from vmart.orders.by_hand import check_reason
from vmart.orders.login import LoginWanted
from vmart.orders.wanted import Machine


def refuse_way_in(machine: Machine) -> None:
    """Raise NotPermitted where whoever buys for a customer would choose how one gets into the machine."""
    if isinstance(machine.login, LoginWanted) and machine.login.password:
        raise NotPermitted(
            "On behalf of a customer no password is chosen: the shop makes one for the customer.",
            field="login.password",
        )
    if machine.user_data:
        raise NotPermitted("On behalf of a customer nothing is run at the first boot.", field="user_data")


def begin(account_id: int, reason: str, actor: Actor) -> None:
    """Note it with its reason, which the customer reads. Raises InvalidValue, NotFound; NotPermitted."""
    check_reason(reason)
    _tell(account_id, "behalf_begun", {"why": reason.strip()}, actor)


def end(account_id: int, actor: Actor) -> None:
    """Note that it is over. Raises NotFound; NotPermitted."""
    _tell(account_id, "behalf_ended", {}, actor)


def _tell(account_id: int, kind: str, detail: dict[str, object], actor: Actor) -> None:
    with db.act():
        if not Account.objects.filter(pk=account_id).exists():
            raise NotFound("There is no customer {id}.", field="account_id", id=account_id)
        accounts.lock(account_id)
        record.write(account_id, record.ACCOUNT, [account_id], kind, details=[detail], actor=actor)
