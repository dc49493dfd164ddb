"""Less bandwidth that a paid renewal brings to machines when it begins: what other acts ask of it.

Agreed and put in force it is in ``orders/lower_bandwidth.py``.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence

from vmart.instances.models import Instance
from vmart.orders import agreed
from vmart.orders import machines as m
from vmart.orders.errors import WrongState
from vmart.orders.models import LowerBandwidth
from vmart.pricing.book import BANDWIDTH
from vmart.pricing.priced import Term

KIND = "lower_bandwidth"  # of the timer, due when the renewal begins
_WAITING = LowerBandwidth.State.WAITING


def of(instance_id: int) -> LowerBandwidth | None:
    """What waits for a machine's renewal to begin."""
    return LowerBandwidth.objects.filter(subscription_id=instance_id, state=_WAITING).first()


def paid_ahead(bundles: Collection[int], mbps: int = 0) -> dict[int, list[Term]]:
    """Of each bundle, what a term after those that are paid is of: ``mbps``, or (0) what it has by then."""
    agreed_now = agreed.paid_ahead(list(bundles))
    waiting = _waiting([bundle for bundle, terms in agreed_now.items() if any(_is_bandwidth(one) for one in terms)])
    return {bundle: _lowered(terms, mbps or waiting.get(bundle, 0)) for bundle, terms in agreed_now.items()}


def _waiting(bundles: Collection[int]) -> dict[int, int]:
    if not bundles:
        return {}
    found = LowerBandwidth.objects.filter(subscription_id__in=bundles, state=_WAITING)
    return dict(found.values_list("subscription_id", "mbps"))


def _lowered(terms: list[Term], mbps: int) -> list[Term]:
    """The bandwidth first, as in any order that changes it."""
    if not mbps:
        return terms
    lower = [(component, key, mbps) for component, key, _ in filter(_is_bandwidth, terms)]
    return [*lower, *(one for one in terms if not _is_bandwidth(one))]


def _is_bandwidth(term: Term) -> bool:
    return term[0] == BANDWIDTH


def mbps_of(terms: Iterable[Term]) -> int:
    """The bandwidth that is paid for by the month; 0 for none."""
    return next((quantity for _, _, quantity in filter(_is_bandwidth, terms)), 0)


def refuse_waiting(machines: Sequence[Instance], until: dt.datetime | None = None) -> None:
    """Raise WrongState for one whose bandwidth goes down later, or (``until``) before then."""
    numbers = {machine.id: machine for machine in machines}
    found = LowerBandwidth.objects.filter(subscription_id__in=numbers, state=_WAITING)
    if until is not None:
        found = found.filter(from_at__lt=until)
    if one := found.first():
        raise WrongState(
            "The bandwidth of {id} goes down to {mbps} Mbps at {at:%Y-%m-%d %H:%M} UTC, by a renewal that is paid;"
            " it can be changed after that.",
            field="machines", code="UnsupportedOperation", id=numbers[one.subscription_id].public_id, mbps=one.mbps,
            at=one.from_at,
        )  # fmt: skip


def withdraw(machines: Sequence[Instance]) -> None:
    """The renewal that would have brought it comes back, or its bandwidth does. Belongs into the act."""
    LowerBandwidth.objects.filter(subscription_id__in=[machine.id for machine in machines], state=_WAITING).update(
        state=LowerBandwidth.State.WITHDRAWN
    )
    m.forget_work(KIND, machines)
