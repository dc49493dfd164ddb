"""Orders of an account, and one order with its machines, its disks, or its public addresses."""

from collections.abc import Sequence
from dataclasses import dataclass

from vmart.instances.models import Instance, State
from vmart.listings.paging import PAGE, Page, cut, number
from vmart.network.models import Eip
from vmart.orders.models import Line, Order, Status
from vmart.pricing.configuration import PREPAID
from vmart.pricing.priced import Priced
from vmart.pricing.quote import Quote
from vmart.storage.models import Disk

MACHINES_SHOWN = 100  # a purchase has no more


@dataclass(frozen=True, slots=True)
class OrderLine:
    """A line with its machine; ``machine`` stays readable after it is erased."""

    line: Line
    machine: Instance

    @property
    def has_console(self) -> bool:
        """Whether there is a machine to log in to."""
        ended = self.machine.state in (State.SHUTDOWN, State.TERMINATING, State.GONE)
        return self.line.state == Line.State.DELIVERED and not ended


@dataclass(frozen=True, slots=True)
class OrderedDisk:
    """A line of a disk with a life of its own; ``disk`` stays readable after it is erased."""

    line: Line
    disk: Disk


@dataclass(frozen=True, slots=True)
class OrderedEip:
    """A line of a public address with a life of its own; ``eip`` stays readable after it is given back."""

    line: Line
    eip: Eip


@dataclass(frozen=True, slots=True)
class OrderView:
    """One order as its page shows it."""

    order: Order
    quoted: Quote | None  # of a purchase
    priced: Priced | None  # of any other action
    lines: Sequence[OrderLine]  # of machines
    disks: Sequence[OrderedDisk]
    addresses: Sequence[OrderedEip]

    @property
    def all_lines(self) -> Sequence[Line]:
        return [entry.line for entries in (self.lines, self.disks, self.addresses) for entry in entries]

    @property
    def final(self) -> bool:
        """Nothing will change by itself any more."""
        return self.order.status not in (Status.PAID, Status.DELIVERING)

    @property
    def delivered(self) -> int:
        return sum(line.state in (Line.State.DELIVERED, Line.State.RETURNED) for line in self.all_lines)

    @property
    def failed(self) -> Sequence[Line]:
        return [line for line in self.all_lines if line.state == Line.State.FAILED]

    @property
    def returned_minor(self) -> int:
        """What came back by itself for what was not delivered."""
        return sum(line.amount_minor for line in self.failed)


def page(account_id: int, before: str = "") -> Page[Order]:
    """Orders, newest first."""
    key = number(before)
    rows = Order.objects.filter(account_id=account_id).order_by("-id")
    if key is not None:
        rows = rows.filter(id__lt=key)
    return cut(list(rows.defer("request")[: PAGE + 1]), lambda row: row.id, first=key is None)


def view(account_id: int, order_id: int) -> OrderView | None:
    """The account's order with its lines, and what they are of; None for another's."""
    order = Order.objects.filter(account_id=account_id, id=order_id).first()
    if order is None:
        return None
    lines = list(Line.objects.filter(order_id=order.id).order_by("number")[:MACHINES_SHOWN])
    numbers = [line.subscription_id for line in lines]
    machines = Instance.objects.select_related("image", "subscription").in_bulk(numbers)
    rest = [number for number in numbers if number not in machines]
    disks = Disk.objects.select_related("subscription").in_bulk(rest) if rest else {}
    rest = [number for number in rest if number not in disks]
    addresses = Eip.objects.select_related("subscription").in_bulk(rest) if rest else {}
    quoted = Quote.of(order.quote) if order.action == "purchase" else None
    priced = None if quoted else Priced.of(order.quote)
    return OrderView(
        order, quoted, priced,
        [OrderLine(line, machines[line.subscription_id]) for line in lines if line.subscription_id in machines],
        [OrderedDisk(line, disks[line.subscription_id]) for line in lines if line.subscription_id in disks],
        [OrderedEip(line, addresses[line.subscription_id]) for line in lines if line.subscription_id in addresses],
    )  # fmt: skip


def terms(subscription_id: int) -> Sequence[Line]:
    """What was paid for a bundle, term by term: those that are over, running, ahead or given back."""
    lines = Line.objects.select_related("order").filter(subscription_id=subscription_id)
    lines = lines.filter(order__charge_type=PREPAID).exclude(state=Line.State.FAILED)
    return list(lines.order_by("-id")[:PAGE])[::-1]


def of_machine(instance_id: int) -> Line | None:
    """The line that bought a machine, with its order."""
    return Line.objects.select_related("order").filter(subscription_id=instance_id).order_by("id").first()
