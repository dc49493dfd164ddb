"""Whether what is paid ahead renews itself, and whether its owner is reminded."""

from collections.abc import Callable, Sequence

from vmart.events.actor import Actor
from vmart.kernel import db
from vmart.kernel.errors import InvalidValue
from vmart.network.models import Eip
from vmart.orders import machines as m
from vmart.orders.errors import WrongMode
from vmart.orders.things import Thing, agree, events, is_prepaid, named_in
from vmart.storage.models import Disk

AUTO = "NOTIFY_AND_AUTO_RENEW"
MANUAL = "NOTIFY_AND_MANUAL_RENEW"
SILENT = "DISABLE_NOTIFY_AND_MANUAL_RENEW"
_CODES = {Disk: "InvalidDisk.NotSupported", Eip: "UnsupportedOperation.InvalidAddressInternetChargeType"}
FLAGS = (AUTO, MANUAL, SILENT)


def check_flag(flag: str) -> None:
    """Raise InvalidValue for a flag that does not exist."""
    if flag not in FLAGS:
        raise InvalidValue("RenewFlag is one of {flags}.", field="renew_flag", flags=", ".join(FLAGS))


def set_flag(
    actor: Actor, public_ids: Sequence[str], flag: str, lock: Callable[[int, Sequence[str]], Sequence[Thing]] = m.lock
) -> None:
    """Set it, all or none. Raises InvalidValue, WrongMode, and what ``lock`` raises for what is unknown."""
    check_flag(flag)
    with db.act():
        found = lock(actor.account, public_ids)
        for thing in found:
            refuse_without_term(thing)
        changed = [thing for thing in found if thing.subscription.renew_flag != flag]
        agree(changed, renew_flag=flag)
        events(changed, "renew_flag", [{"flag": flag} for _ in changed], actor)


def refuse_without_term(thing: Thing) -> None:
    """Raise WrongMode for what is charged by the hour."""
    if not is_prepaid(thing):
        raise WrongMode(
            "{id} is postpaid: it has no term to renew.",
            field=named_in(thing), code=_CODES.get(type(thing)), id=thing.public_id,
        )  # fmt: skip
