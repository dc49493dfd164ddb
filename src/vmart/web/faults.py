"""What is wrong with a purchase form, in the order of the page: what it is called and where it is mended."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from vmart.web.choice import Choice

# Names of the form's fields in the page's order, and what the page calls them.
_TITLES = {
    "charge": _("Billing"),
    "max_price": _("Highest price an hour"),
    "region": _("Region"),
    "zone": _("Zone"),
    "type": _("Machine type"),
    "image": _("Image"),
    "disk": _("System disk"),
    "disk_gib": _("System disk"),
    "data_disks": _("Data disks"),
    "data_gib": _("Data disk"),
    "data_snapshot": _("Snapshot of data disk"),
    "address": _("Network"),
    "internet": _("Network"),
    "mbps": _("Outbound speed"),
    "subnet": _("Subnet"),
    "private_ip": _("Private address"),
    "security_group": _("Security groups"),
    "login": _("Login"),
    "key_name": _("Name of the new key pair"),
    "public_key": _("Public key"),
    "password": _("Password"),
    "name": _("Name"),
    "count": _("Number"),
    "months": _("Months"),
    "group": _("Placement group"),
    "ends_at": _("Ended by itself"),
    "tags": _("Tags"),
    "user_data": _("User data"),
    "template_name": _("Name of the template"),
    "template_description": _("Description"),
}
_ORDER = list(_TITLES)


@dataclass(frozen=True, slots=True)
class Fault:
    """A message about a field; ``anchor`` is the id of the element that mends it."""

    field: str
    anchor: str
    title: Any
    text: str


def faults(choice: Choice) -> list[Fault]:
    """The form's errors from top to bottom."""
    found = sorted(choice.errors.items(), key=lambda error: _place(error[0]))
    return [Fault(name, _anchor(name, choice), _title(name), text) for name, text in found]


def _place(name: str) -> tuple[int, int]:
    kind, _dash, number = name.partition("-")
    return _ORDER.index(kind), int(number or 0)


def _title(name: str) -> Any:
    kind, _dash, number = name.partition("-")
    return f"{_TITLES[kind]} {number}" if number else _TITLES[kind]


def _anchor(name: str, choice: Choice) -> str:
    """Of a group of choices its chosen one; of a number that is not shown the choice that shows it."""
    chosen: Mapping[str, str] = choice.values
    address = "address-yes" if chosen["address"] == "1" else "address-no"
    if name == "data_disks":
        return "data_disk-1" if choice.data_disks else "add-disk"
    if name == "address" or (name == "mbps" and address == "address-no"):
        return address
    groups = ("charge", "region", "zone", "type", "image", "disk", "internet", "login")
    return f"{name}-{chosen[name]}" if name in groups else name
