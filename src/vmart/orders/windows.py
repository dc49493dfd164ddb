"""Windows of higher bandwidth that machines have now or later: what other acts ask of them.

Bought, begun and ended they are in ``orders/bandwidth_window.py``.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

from vmart.instances.models import Instance
from vmart.orders import agreed
from vmart.orders import machines as m
from vmart.orders.errors import WrongState
from vmart.orders.models import BandwidthWindow
from vmart.pricing.book import BANDWIDTH

KIND = "window"  # of the timer: at its start, then at its end
_OPEN = (BandwidthWindow.State.WAITING, BandwidthWindow.State.IN_FORCE)


def of(instance_id: int) -> BandwidthWindow | None:
    """The window that a machine has now or later."""
    return BandwidthWindow.objects.filter(subscription_id=instance_id, state__in=_OPEN).first()


def refuse_open(machines: Iterable[Instance]) -> None:
    """Raise WrongState for a machine that has a window now or later: what it pays for would be two things at once."""
    numbers = {machine.id: machine for machine in machines}
    _refuse(numbers, BandwidthWindow.objects.filter(subscription_id__in=numbers, state__in=_OPEN))


def refuse_open_at(machines: Iterable[Instance], instants: Mapping[int, dt.datetime]) -> None:
    """Raise WrongState for one whose window would still be open at the instant of the machine."""
    numbers = {machine.id: machine for machine in machines}
    found = BandwidthWindow.objects.filter(subscription_id__in=numbers, state__in=_OPEN)
    _refuse(numbers, [window for window in found if window.ends_at > instants[window.subscription_id]])


def _refuse(numbers: Mapping[int, Instance], found: Iterable[BandwidthWindow]) -> None:
    for window in found:
        raise WrongState(
            "{id} has {mbps} Mbps until {until:%Y-%m-%d %H:%M} UTC; it can be changed when that is over.",
            field="machines", code="UnsupportedOperation", id=numbers[window.subscription_id].public_id,
            mbps=window.mbps, until=window.ends_at,
        )  # fmt: skip


def close(machines: Sequence[Instance]) -> None:
    """They are returned, and what is left of their windows comes back with that. Belongs into the act."""
    found = BandwidthWindow.objects.filter(subscription_id__in=[machine.id for machine in machines], state__in=_OPEN)
    for window in found:
        end(window)
    m.forget_work(KIND, machines)


def end(window: BandwidthWindow) -> None:
    """It is over: the machine has the speed again that it is paid for. Belongs into the act."""
    if window.state == BandwidthWindow.State.IN_FORCE:
        base = agreed.item(window.subscription_id, BANDWIDTH).quantity
        Instance.objects.filter(pk=window.subscription_id).update(bandwidth_mbps=base)
    window.state = BandwidthWindow.State.ENDED
    window.save()
