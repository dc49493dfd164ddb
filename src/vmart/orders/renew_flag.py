"""Whether a prepaid machine renews itself, and whether its owner is reminded."""

from collections.abc import Sequence

from vmart.events.actor import Actor
from vmart.kernel.errors import InvalidValue
from vmart.orders import machines as m
from vmart.orders.acts import accepting
from vmart.orders.errors import WrongMode
from vmart.pricing.configuration import PREPAID

AUTO = "NOTIFY_AND_AUTO_RENEW"
MANUAL = "NOTIFY_AND_MANUAL_RENEW"
SILENT = "DISABLE_NOTIFY_AND_MANUAL_RENEW"
FLAGS = (AUTO, MANUAL, SILENT)


def check_flag(flag: str) -> None:
    """Raise InvalidValue for a flag that does not exist."""
    if flag not in FLAGS:
        raise InvalidValue("RenewFlag is one of {flags}.", field="renew_flag", flags=", ".join(FLAGS))


def set_flag(actor: Actor, public_ids: Sequence[str], flag: str) -> None:
    """Set it, all or none. Raises InvalidValue, WrongMode, UnknownInstance."""
    check_flag(flag)
    with accepting(actor, "", public_ids) as found:
        for machine in found:
            if machine.subscription.charge_type != PREPAID:
                raise WrongMode("{id} is postpaid: it has no term to renew.", field="machines", id=machine.public_id)
        changed = [machine for machine in found if machine.subscription.renew_flag != flag]
        m.agree(changed, renew_flag=flag)
        m.events(changed, "renew_flag", [{"flag": flag} for _ in changed], actor)
