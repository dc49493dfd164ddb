"""Less bandwidth that a paid renewal brings to machines when it begins: what other acts ask of it.

Agreed and put in force it is in ``orders/lower_bandwidth.py``.
"""

import datetime as dt
from collections.abc import Iterable, Sequence

from django.db.models import OuterRef, Subquery

from vmart.instances.models import Instance
from vmart.orders import agreed
from vmart.orders import machines as m
from vmart.orders.errors import WrongState
from vmart.orders.models import LowerBandwidth
from vmart.pricing.book import BANDWIDTH
from vmart.pricing.priced import Term
from vmart.subscriptions.models import Item

KIND = "lower_bandwidth"  # of the timer, due when the renewal begins
_WAITING = LowerBandwidth.State.WAITING


def of(instance_id: int) -> LowerBandwidth | None:
    """What waits for a machine's renewal to begin."""
    return LowerBandwidth.objects.filter(subscription_id=instance_id, state=_WAITING).first()


def paid_ahead(bundles: Sequence[int], mbps: int = 0) -> dict[int, list[Term]]:
    """Of each bundle, what a term after those that are paid is of: ``mbps``, or (0) what it has by then.

    A bandwidth that is lower than now stands first, as in any order that changes it.
    """
    waiting = LowerBandwidth.objects.filter(subscription_id=OuterRef("subscription_id"), state=_WAITING)
    items = agreed.open_items(bundles, Item.Mode.MONTH).annotate(lower=Subquery(waiting.values("mbps")))
    terms: dict[int, list[Term]] = {bundle: [] for bundle in bundles}
    for item in items:
        of_bundle, lower = terms[item.subscription.bundle_id], mbps or item.lower
        if item.component == BANDWIDTH and lower:
            of_bundle.insert(0, (item.component, item.price_key, lower))
        else:
            of_bundle.append((item.component, item.price_key, item.quantity))
    return terms


def mbps_of(terms: Iterable[Term]) -> int:
    """The bandwidth that is paid for by the month; 0 for none."""
    return next((quantity for component, _, quantity in terms if component == BANDWIDTH), 0)


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
    waiting = LowerBandwidth.objects.filter(subscription_id__in=[machine.id for machine in machines], state=_WAITING)
    if waiting.update(state=LowerBandwidth.State.WITHDRAWN):
        m.forget_work(KIND, machines)
