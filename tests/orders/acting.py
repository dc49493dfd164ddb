"""What tests of acts on a running machine begin with, and look at afterwards."""

from collections.abc import Callable
from dataclasses import replace

from tests.orders.ending import now
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import HOURLY, buy_running, parts, work
from vmart.config.reconcile import reconcile
from vmart.instances.models import Instance
from vmart.metering.models import Segment
from vmart.orders import stop
from vmart.orders.models import Line
from vmart.pricing.configuration import Configuration
from vmart.worker.models import Operation

ONLINE = replace(HOURLY, internet_charge_type="BANDWIDTH_POSTPAID_BY_HOUR", bandwidth_mbps=6, public_ip=True)
ONLINE_HOLD_MINOR = 94
TRY_AGAIN = "Try again in a few minutes; if it fails again, ask the seller."
STOPPED_HOLD_MINOR = 59  # 0.025 disk + 0.565 bandwidth


def latest(machine: Instance) -> tuple[str, str, str]:
    """Its state, and how its latest operation stands."""
    found = now(machine)
    return found.state, found.latest_operation, found.latest_operation_state


def line_of(number: int) -> tuple[int, str, int, int]:
    """State of the order; of its line the state, the price and what was paid."""
    line = Line.objects.select_related("order").get(order_id=number)
    return line.order.status, line.state, line.amount_minor, line.paid_cash_minor + line.paid_gift_minor


def open_components(machine: Instance) -> set[str]:
    """Components of the machine and its disks that are being charged."""
    open_now = Segment.objects.filter(subscription_id__in=parts(machine), ended_at=None)
    return set(open_now.values_list("component", flat=True))


def agree() -> None:
    """Everything agrees, and no work on a machine is left."""
    assert list(reconcile()) == []
    assert not Operation.objects.filter(kind__in=["stop", "start", "reboot", "isolate"]).exists()


def stopped_without_charge(account: int, test_clock: BusinessClock) -> Instance:
    """A machine that is off without charge after ten minutes of use."""
    machine = buy_running(account, ONLINE)
    test_clock.advance(minutes=10)
    stop.stop(by(account), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    work()
    return now(machine)


Given = Callable[[int], list[str]]


def one(configuration: Configuration, **columns: object) -> Given:
    """Of an account, buys a machine and puts these columns into its row; its name."""

    def given(account: int) -> list[str]:
        machine = buy_running(account, configuration)
        Instance.objects.filter(pk=machine.pk).update(**columns)
        return [machine.public_id]

    return given
