"""Lists of an account's orders, and of what an order brought."""

from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from vmart.instances.models import Instance, State
from vmart.listings.orders import OrderedDisk, OrderedEip, OrderLine
from vmart.orders.models import Line, Order
from vmart.pages import cells, printed, wording
from vmart.pages.cells import NOTHING, link, soft, together
from vmart.pages.table import FIGURE, MONO, NUM, ON_SCREEN, Column, Table
from vmart.storage.models import State as DiskState
from vmart.web.tables import BUY, ENDED, machine_link, machine_name


def _what(order: Order) -> str:
    """What an order is of, in a few words."""
    if order.action == "purchase":
        return f"{order.count} × {order.quote['configuration']['instance_type']}"
    more = f" +{order.count - 1}" if order.count > 1 else ""
    title = wording.ACTIONS.get(order.action, order.action)
    return f"{title} · {order.quote['lines'][0]['public_id']}{more}"


def _order_price(order: Order) -> Any:
    return printed.money(order.total_minor) if order.charge_type == "PREPAID" else _("by usage")


ORDERS: Table[Order] = Table(
    (
        Column("order", _("Order"), lambda row: link(reverse("order", args=[row.id]), row.id), lambda row: row.id),
        Column("placed", _("Placed"), lambda row: printed.instant(row.created_at), lambda row: row.created_at, css=NUM),
        Column("charge_type", _("Billing"), lambda row: wording.CHARGE_TYPES.get(row.charge_type, row.charge_type),
               lambda row: row.charge_type),
        Column("action", _("What"), _what, lambda row: row.action),
        Column("count", "", None, lambda row: row.count),
        Column("total_minor", _("Price"), _order_price,
               lambda row: row.total_minor if row.charge_type == "PREPAID" else None, css=FIGURE),
        Column("status", _("State"), lambda row: cells.order_status(row.status), lambda row: row.status),
    ),
    empty=_("Nothing has been ordered yet."),
    onward=BUY,
)  # fmt: skip


def _public_address(entry: OrderLine) -> str:
    return entry.machine.public_ip or NOTHING


def _ordered_machine(entry: OrderLine) -> SafeString:
    gone = entry.machine.state == State.GONE
    name = entry.machine.name if gone else machine_link(entry.machine)
    return together(name, soft(entry.machine.public_id, MONO))


def _log_in(entry: OrderLine) -> Any:
    """How its buyer logs in to a machine of an order."""
    line, machine = entry.line, entry.machine
    if line.state == Line.State.FAILED:
        return wording.said_to_buyer(line.reason)
    if machine.state in ENDED:
        return NOTHING
    if line.state != Line.State.DELIVERED:
        return _("Once it is delivered.")
    if not machine.public_ip:
        return _("From another of your machines in this zone.")
    command = f"ssh {machine.login_user}@{machine.public_ip}"
    return format_html('<code class="mono" data-copy="{}">{}</code>', _("Copy"), command)


def _ordered_state(entry: OrderLine) -> SafeString:
    delivered = entry.line.state == Line.State.DELIVERED
    return cells.state(entry.machine.state) if delivered else cells.line_state(entry.line.state)


ORDERED: Table[OrderLine] = Table(
    (
        Column("machine", _("Machine"), _ordered_machine),
        Column("public_ip", _("Public address"), _public_address, css=MONO),
        Column("private_ip", _("Private address"), lambda row: row.machine.private_ip, css=MONO),
        Column("login", _("How to log in"), _log_in),
        Column("console", _("Console"), "web/parts/order_console.html", css=ON_SCREEN),
        Column("state", _("State"), _ordered_state),
    ),
    empty="",
)


def _ordered_disk(entry: OrderedDisk) -> SafeString:
    disk, name = entry.disk, entry.disk.name or entry.disk.public_id
    shown = name if disk.state == DiskState.GONE else link(reverse("disk", args=[disk.public_id]), name)
    return together(shown, soft(disk.public_id, MONO))


def _ordered_disk_state(entry: OrderedDisk) -> SafeString:
    delivered = entry.line.state in (Line.State.DELIVERED, Line.State.RETURNED)
    return cells.disk_state(entry.disk) if delivered else cells.line_state(entry.line.state)


ORDERED_DISKS: Table[OrderedDisk] = Table(
    (
        Column("disk", _("Disk"), _ordered_disk),
        Column("type", _("Disk type"), lambda row: wording.disk_type(row.disk.disk_type)),
        Column("size", _("Size"), lambda row: f"{row.disk.size_gib} GiB", css=NUM),
        Column("state", _("State"), _ordered_disk_state),
    ),
    empty="",
)


def _ordered_eip(entry: OrderedEip) -> SafeString:
    eip = entry.eip
    shown = eip.public_id if eip.ip is None else link(reverse("address", args=[eip.public_id]), eip.ip)
    return together(shown, soft(eip.public_id, MONO))


ORDERED_EIPS: Table[OrderedEip] = Table(
    (
        Column("address", _("Address"), _ordered_eip),
        Column("network", _("Network"), lambda row: f"{row.eip.bandwidth_mbps} Mbps", css=NUM),
        Column("state", _("State"), lambda row: cells.line_state(row.line.state)),
    ),
    empty="",
)


PASSWORDS: Table[tuple[Instance, str]] = Table(
    (
        Column("machine", _("Machine"), lambda row: machine_name(row[0])),
        Column("user", _("User"), lambda row: row[0].login_user, css=MONO),
        Column("password", _("Password"), lambda row: _password(row[1])),
    ),
    empty="",
)


def _password(text: str) -> SafeString:
    return format_html('<code class="mono password" data-copy="{}">{}</code>', _("Copy"), text)
