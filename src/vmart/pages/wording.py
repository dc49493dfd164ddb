"""The words that people read for what the database calls by codes, and refusals in their language."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import get_language, gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from vmart import engines
from vmart.catalog import shop
from vmart.kernel.errors import WHY, Refused
from vmart.security.ssh import Reach
from vmart.tags.wanted import Tag

STATES = {
    "PENDING": _("Being delivered"),
    "LAUNCH_FAILED": _("Delivery failed"),
    "RUNNING": _("Running"),
    "STOPPED": _("Stopped"),
    "STARTING": _("Starting"),
    "STOPPING": _("Stopping"),
    "REBOOTING": _("Rebooting"),
    "ENTER_RESCUE_MODE": _("Going into rescue mode"),
    "RESCUE_MODE": _("Rescue mode"),
    "EXIT_RESCUE_MODE": _("Leaving rescue mode"),
    "SHUTDOWN": _("Recycle bin"),
    "TERMINATING": _("Being erased"),
    "GONE": _("Erased"),
}
STATE_TONES = {
    "RUNNING": "good",
    "LAUNCH_FAILED": "bad",
    "SHUTDOWN": "warn",
    "RESCUE_MODE": "warn",
    "STOPPED": "idle",
    "GONE": "idle",
}
IN_BETWEEN = (
    "PENDING", "STARTING", "STOPPING", "REBOOTING", "ENTER_RESCUE_MODE", "EXIT_RESCUE_MODE", "TERMINATING",
)  # fmt: skip

# Of a disk with a life of its own.
DISK_STATES = {
    "CREATING": (_("Being made"), "busy"),
    "FAILED": (_("Could not be made"), "bad"),
    "UNATTACHED": (_("At no machine"), "idle"),
    "ATTACHING": (_("Being attached"), "busy"),
    "ATTACHED": (_("Attached"), "good"),
    "DETACHING": (_("Being detached"), "busy"),
    "EXPANDING": (_("Being made larger"), "busy"),
    "TORECYCLE": (_("Recycle bin"), "warn"),
    "ERASING": (_("Being erased"), "busy"),
}

ORDER_STATUS = {
    1: (_("Unpaid"), "warn"),
    2: (_("Paid"), "busy"),
    3: (_("Delivering"), "busy"),
    4: (_("Delivered"), "good"),
    5: (_("Failed"), "bad"),
    6: (_("Refunded"), "idle"),
    7: (_("Closed"), "idle"),
    8: (_("Expired"), "idle"),
}
LINE_STATES = {
    "delivering": (_("Delivering"), "busy"),
    "delivered": (_("Delivered"), "good"),
    "failed": (_("Failed"), "bad"),
    "returned": (_("Returned"), "idle"),
}
CHARGE_TYPES = {
    "PREPAID": _("Prepaid"), "POSTPAID_BY_HOUR": _("Postpaid by the second"), "SPOTPAID": _("Spot, by the second"),
}  # fmt: skip
INTERNET = {
    "BANDWIDTH_PREPAID": _("By bandwidth, monthly"),
    "BANDWIDTH_PREPAID_BY_MONTH": _("By bandwidth, monthly"),
    "BANDWIDTH_POSTPAID_BY_HOUR": _("By bandwidth, hourly"),
    "TRAFFIC_POSTPAID_BY_HOUR": _("By traffic"),
    "BANDWIDTH_PACKAGE": _("In a bandwidth package"),
}
KINDS = {
    "container": _("System container"),
    "virtual-machine": _("Virtual machine"),
    "simulated": _("Simulated"),
    "": _("Not known yet"),
}
SNAPSHOT_STATES = {
    "CREATING": (_("Being made"), "run"),
    "NORMAL": (_("Ready"), "good"),
    "ROLLBACKING": (_("Being restored"), "run"),
    "TORECYCLE": (_("Kept for arrears"), "warn"),
    "ERASING": (_("Being deleted"), "run"),
    "FAILED": (_("Not made"), "bad"),
}
EIP_STATES = {
    "UNBIND": _("Idle"),
    "BINDING": _("Being bound"),
    "BIND": _("Bound"),
    "UNBINDING": _("Being unbound"),
    "OFFLINING": _("Being given back"),
}
IMAGE_STATES = {
    "CREATING": (_("Being made"), "busy"),
    "CREATEFAILED": (_("Not made"), "bad"),
    "IMPORTING": (_("Being imported"), "busy"),
    "IMPORTFAILED": (_("Not imported"), "bad"),
    "NORMAL": (_("Ready"), "good"),
}
COMPONENTS = {
    "cpu": _("CPU and memory"),
    "system_disk": _("System disk"),
    "data_disk": _("Data disk"),
    "disk": _("Disk"),
    "address": _("Public address"),
    "snapshot": _("Snapshot"),
    "image": _("Imported image"),
    "bandwidth": _("Bandwidth"),
    "traffic": _("Traffic"),
    "idle": _("Idle public address"),
    "package": _("Bandwidth package"),
}
ACTIONS = {"purchase": _("Purchase"), "renew": _("Renewal"), "bandwidth": _("Bandwidth"),
           "type": _("Instance type"), "disk": _("Larger disk"),
           "downgrade": _("Less until its expiry"), "convert": _("Paid ahead from now on"),
           "window": _("Bandwidth for some days"), "buy_disk": _("Disk, paid ahead"),
           "renew_disk": _("Renewal of a disk"), "grow_own_disk": _("Larger disk"),
           "convert_disk": _("Disk paid ahead from now on"),
           "buy_address": _("Public address by the month"),
           "renew_address": _("Renewal of a public address"),
           "faster_address": _("Faster public address"),
           "convert_address": _("Public address by the month from now on")}  # fmt: skip
RENEW_FLAGS = {
    "NOTIFY_AND_AUTO_RENEW": _("Renew by itself, month by month"),
    "NOTIFY_AND_MANUAL_RENEW": _("Remind me; I renew by hand"),
    "DISABLE_NOTIFY_AND_MANUAL_RENEW": _("Let it end, without reminders"),
}
# What is said of a machine while an act that leaves its state as it is is under way.
UNDER_WAY = {
    "ResetInstance": _("Its system is being installed anew."),
    "ResetInstancesPassword": _("Its password is being reset."),
    "AssociateInstancesKeyPairs": _("Its key pairs are being changed."),
    "ModifyInstancesAttribute": _("Its host name is being changed."),
    "DisassociateInstancesKeyPairs": _("Its key pairs are being changed."),
    "ResetInstancesInternetMaxBandwidth": _("Its bandwidth is being changed."),
    "ResetInstancesType": _("Its instance type is being changed."),
    "ModifyInstancesVpcAttribute": _("It is being moved to another network."),
    "ResizeInstanceDisks": _("Its disk is being made larger."),
    "AttachDisks": _("A disk is being attached to it."),
    "DetachDisks": _("A disk is being detached from it."),
    "ResizeDisk": _("A disk of it is being made larger."),
    "AssociateAddress": _("A public address is being bound to it."),
    "CreateSnapshot": _("A snapshot of its disk is being made."),
    "ApplySnapshot": _("Its disk is being restored from a snapshot."),
    "DisassociateAddress": _("Its public address is being unbound."),
    "ModifyAddressesBandwidth": _("The bandwidth of its public address is being changed."),
    "ModifyAddressInternetChargeType": _("How its public address is charged is being changed."),
    "AddBandwidthPackageResources": _("Its public address comes into a bandwidth package."),
    "RemoveBandwidthPackageResources": _("Its public address leaves a bandwidth package."),
}
PAYMENT_STATES = {
    "created": (_("Begun"), "busy"),
    "pending": (_("Waiting for you"), "warn"),
    "unknown": (_("Waiting for the provider"), "busy"),
    "succeeded": (_("Paid"), "good"),
    "failed": (_("Failed"), "bad"),
}
CARD_REFUND_STATES = {
    "asked": (_("Begun"), "busy"),
    "pending": (_("On its way"), "busy"),
    "unknown": (_("Waiting for the provider"), "busy"),
    "succeeded": (_("Sent to the card"), "good"),
    "failed": (_("Failed"), "bad"),
}
PROVIDERS = {"stripe": _("Card"), "sandbox": _("Test card, no money")}
TRANSFERS = {
    "grant": _("Gift"),
    "top_up": _("Top-up"),
    "prepaid": _("Paid ahead"),
    "refund": _("Given back of what was paid ahead"),
    "hour": _("Usage of an hour"),
    "correction": _("Correction of what was charged"),
    "repay": _("What was owed is paid"),
    "credit": _("Credited by the seller"),
    "debit": _("Debited by the seller"),
    "card_refund": _("Given back to the card"),
    "card_refund_failed": _("Came back from the card"),
}
PURSES = {"cash": pgettext_lazy("purse", "Cash"), "gift": pgettext_lazy("purse", "Gift"), "owed": _("Owed")}
OPERATIONS = {
    "deliver": _("Delivery"),
    "stop": _("Stop"),
    "start": _("Start"),
    "reboot": _("Reboot"),
    "password": _("Password reset"),
    "ssh_keys": _("Change of key pairs"),
    "hostname": _("Change of the host name"),
    "reclaim": _("End of a spot machine"),
    "spot_notice": _("Notice to a spot machine"),
    "reinstall": _("New system"),
    "rescue": _("Way into the rescue mode"),
    "leave_rescue": _("Way out of the rescue mode"),
    "rules": _("Rules of security groups"),
    "bandwidth": _("Change of bandwidth"),
    "to_traffic": _("Change to traffic"),
    "window": _("Bandwidth for some days"),
    "window_speed": _("Change of bandwidth"),
    "lower_bandwidth": _("Less bandwidth of a renewal"),
    "resize": _("Change of instance type"),
    "size": _("Size as it is to be"),
    "move": _("Move to another network"),
    "network": _("Network as it is to be"),
    "grow_disk": _("Larger disk"),
    "resize_disk": _("Larger disk of its own"),
    "create_disk": _("Making of a disk"),
    "attach_disk": _("Attachment of a disk"),
    "detach_disk": _("Detachment of a disk"),
    "isolate_disk": _("Taking off a disk"),
    "release_disk": _("Erasing of a disk"),
    "bind_address": _("Binding of a public address"),
    "unbind_address": _("Unbinding of a public address"),
    "address_bandwidth": _("Bandwidth of a public address"),
    "address_mode": _("Address charged otherwise"),
    "address_package": _("Address of a bandwidth package"),
    "package_bandwidth": _("Speed of a bandwidth package"),
    "release_package": _("End of a bandwidth package"),
    "isolate_address": _("Switching off a public address"),
    "release_address": _("Release of a public address"),
    "create_image": _("Making of an image"),
    "import_image": _("Import of an image"),
    "delete_image": _("Erasing of an image"),
    "create_snapshot": _("Making of a snapshot"),
    "apply_snapshot": _("Restoration of a disk"),
    "release_snapshot": _("Deletion of a snapshot"),
    "snapshot_policy": _("A time of a snapshot policy"),
    "scheduled_snapshot": _("Scheduled snapshot of a disk"),
    "snapshot_retention": _("End of a snapshot at its time"),
    "redeliver": _("Delivery of a lost machine"),
    "isolate": _("Shutdown into the recycle bin"),
    "release": _("Erasure"),
    "term": _("Reminders and renewal of a term"),
    "expire": _("Expiry"),
    "planned_end": _("Planned end"),
    "address": _("Public network"),
    "arrears": _("Arrears"),
    "close_hour": _("Hourly close"),
    "payment_poll": _("Card payment"),
    "card_refund": _("Refund to a card"),
    "card_look_back": _("Card payments since the backup"),
    "expire_order": _("Expiry of an unpaid order"),
}
STEPS = {
    "operator": _("An operator"),
    "catalog": _("A catalog"),
    "engine": _("An engine"),
    "addresses": _("Public addresses"),
    "payment": _("Payment"),
    "test_order": _("A test order"),
}
APART = {"HOST": _("Host"), "RACK": _("Rack")}
DAYS_OF_WEEK = {day: WEEKDAYS_ABBR[(day - 1) % 7] for day in range(7)}  # 0 is Sunday, as published
QUOTAS = {
    "postpaid_per_zone": _("Postpaid machines a zone"),
    "prepaid_per_month": _("Prepaid machines bought a zone and month"),
    "returns_per_year": _("Returned machines a year"),
    "run_per_s": _("API purchases a second"),
    "launch_templates": _("Launch templates"),
    "placement_groups": _("Placement groups"),
    "machines_per_group": _("Machines a placement group"),
    "disks_per_zone": _("Disks of their own a zone"),
    "addresses_per_region": _("Elastic public addresses a region"),
    "packages_per_region": _("Bandwidth packages a region"),
    "alarms": _("Alarms"),
    "images_per_region": _("Images of its own a region"),
    "snapshots_per_region": _("Snapshots a region"),
    "snapshot_policies_per_region": _("Snapshot policies a region"),
    "spot_per_zone": _("Spot machines a zone"),
    "frozen_reason": _("Reason"),
    "percent_off": _("percent off list prices"),
    "from_at": pgettext_lazy("discount", "from"),
}
FILTERS = {
    "hosts": _("All hosts"),
    "online": _("Online"),
    "accepting": _("Taking machines"),
    "memory": _("Memory"),
    "disk": _("Disk"),
}

HOLDS_AGAIN: dict[str, Any] = {  # orders.disks.again.Holds
    "a_new_system": _("A new system; what was on it is lost"),
    "its_snapshot": _("What the snapshot holds that it was bought with"),
    "no_snapshot": _("Nothing: the snapshot that it was bought with is not there any more"),
    "nothing": _("Nothing: it is empty"),
    "what_it_held": _("What it held: it has a life of its own, and is attached again"),
}

# Words that refusals put into their places, so that they are in the catalogue.
_PLACES = (
    _("it was stopped for arrears"),
    _("it has expired"),
    _("its planned end has come"),
    _("it is in the recycle bin"),
    _("hours"),
)


def in_language(thing: Any, member: str) -> str:
    """``in_language(zone, "name")``: its Chinese or English name, as the reader has it."""
    chinese = (get_language() or settings.LANGUAGE_CODE).startswith("zh")
    return str(getattr(thing, f"{member}_zh" if chinese else f"{member}_en"))


def disk_type(code: str) -> str:
    """``CLOUD_SSD`` as the catalog calls it; the code of one that is not in the catalog any more."""
    found = shop.snapshot().disk_types.get(code)
    return in_language(found, "name") if found else code


def component(name: str) -> Any:
    """``data_disk:2`` as "Data disk 2"."""
    kind, _colon, number = name.partition(":")
    title = COMPONENTS.get(kind, name)
    return f"{title} {number}" if number else title


def tags(held: Sequence[Tag]) -> str:
    """One line, as in a file; keys and values have no semicolon."""
    return "; ".join(f"{tag.key}={tag.value}" for tag in held)


SHOWN_TOO_LONG_AGO = _("The price was shown too long ago to hold; here is the one of now.")
SSH_REACH: dict[str, Any] = {  # from everywhere there is nothing to say
    Reach.NOWHERE: _("SSH is closed: the rules let nobody in by TCP port 22, so nobody can log in over the network."),
    Reach.SOMEWHERE: _("SSH is let in only from the networks and groups that the rules name."),
}
WAYS = {"ingress": _("In: to the machines"), "egress": _("Out: from the machines")}
RULE_ACTIONS = {"ACCEPT": _("Accept"), "DROP": _("Drop")}
GROUPS_BEGIN = {
    "web": _("SSH, web (80, 443) and ping in; all out"),
    "open": _("All in, all out"),
    "empty": _("No rule: nothing in, nothing out"),
}


def sentence(refused: Refused) -> str:
    """A refusal in the reader's language; one whose sentence has no translation in English."""
    return _filled(refused.template, refused.params)


def _filled(template: str, params: Mapping[str, object]) -> str:
    if isinstance(why := params.get(WHY), str) and why:
        params = {**params, WHY: gettext(why)}
    return gettext(template).format(**params) if params else gettext(template)


def reason(kept: Mapping[str, Any], *, seller: bool = False) -> str:
    """Why, as an event keeps it (``events.record.reason``, or a stored sentence), in the reader's language; "" of
    none. ``seller``: with what only the seller can mend.
    """
    if "template" in kept:
        return _filled(kept["template"], kept["places"])
    text = str(kept.get("why") or "")
    return said(text) if seller else said_to_buyer(text)


# What of a stored sentence shows that it is for the seller, who alone can do something about it.
_SELLERS_OWN = re.compile(r"\b(doctor|bin/run|daemon|socket|certificate|alias|settings?|storage pool|engine)\b")


def said_to_buyer(text: str) -> str:
    """The same for a buyer, who reads nothing of what stands behind the shop; the other lines are his to know."""
    return " ".join(_line_said_to_buyer(line) for line in text.splitlines())


def _line_said_to_buyer(line: str) -> str:
    if _SELLERS_OWN.search(line) or _names_an_engine(line):
        return gettext("This is for the seller to mend, who can see what it is.")
    return gettext(line)


def _names_an_engine(text: str) -> bool:
    return any(driver.is_real and re.search(rf"\b{re.escape(driver.title)}\b", text) for driver in engines.DRIVERS)


def said(text: str) -> str:
    """Sentences that were stored in English, a line each (why an act failed), in the reader's language where known."""
    return " ".join(gettext(line) for line in text.splitlines())


_PLACE_WORDS = {"operation": OPERATIONS, "provider": PROVIDERS}


def says(template: str, places: Mapping[str, Any]) -> str:
    """A sentence of the seller's attention list with its places filled, both in the reader's language."""
    spoken = {name: _PLACE_WORDS[name].get(value, value) if name in _PLACE_WORDS else value
              for name, value in places.items()}  # fmt: skip
    if "why" in spoken:
        spoken["why"] = said(spoken["why"])
    return gettext(template).format(**spoken)
