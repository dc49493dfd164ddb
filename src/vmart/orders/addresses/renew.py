"""A further term of public addresses whose bandwidth is paid by the month, also out of the recycle bin.

By the rule of any renewal (``renew``).
"""

from collections.abc import Sequence

from vmart.events.actor import Actor
from vmart.kernel.errors import InvalidParameter
from vmart.network.models import Eip, EipState
from vmart.orders import renew as of_any
from vmart.orders import renew_flag, things
from vmart.orders.addresses import isolate, own, release
from vmart.orders.renew import Renewal
from vmart.pricing.priced import ADDRESS_RENEWAL

RENEWABLE = (EipState.UNBIND, EipState.BINDING, EipState.BIND, EipState.UNBINDING)


def refuse(eips: Sequence[Eip]) -> None:
    """Raise WrongMode, EipWrongState or EipBusy for addresses that cannot be renewed now."""
    for eip in eips:
        renew_flag.refuse_without_term(eip)
    own.refuse_given_back(eips)
    own.refuse_busy([eip for eip in eips if waits(eip)])


def waits(eip: Eip) -> bool:
    """Whether what a term costs, or whether it leads somewhere, is not known before what is under way has ended."""
    changes = eip.latest_operation in (own.BANDWIDTH, own.MODE) or things.is_in_bin(eip)
    return changes and eip.latest_operation_state == "OPERATING"


def _check(eips: Sequence[Eip], asked: Renewal) -> None:
    of_any.check_flag_asked(asked)
    of_any.refuse_with_machine(asked)
    refuse(eips)
    if asked.bandwidth_mbps:
        raise InvalidParameter(
            "The bandwidth of a public address goes down at once; no renewal brings less of it.",
            field="bandwidth_mbps",
        )  # fmt: skip


def _bring_back(eips: Sequence[Eip], actor: Actor) -> None:
    """One that a machine has kept leads there again."""
    things.forget_work(release.KIND, eips)
    for eip in eips:
        if eip.state == EipState.BIND:
            isolate.lead_again(eip)


ACT = of_any.act_of(ADDRESS_RENEWAL, own.lock, _check, _bring_back)


def set_flag(actor: Actor, eip_ids: Sequence[str], flag: str) -> None:
    """Whether they renew themselves, and whether their owner is reminded. Raises InvalidValue, WrongMode."""
    renew_flag.set_flag(actor, eip_ids, flag, own.lock)
