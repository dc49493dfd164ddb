"""Windows of higher bandwidth that machines have now or later: what other acts ask of them.

Bought, begun and ended they are in ``orders/bandwidth_window.py``.
"""

from collections.abc import Iterable, Sequence

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
    window = BandwidthWindow.objects.filter(subscription_id__in=numbers, state__in=_OPEN).first()
    if window:
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
