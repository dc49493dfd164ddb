"""The menu of every page: where it leads, and which entry is the page's own."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from vmart.pages import permitted


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. It is the page's own where a word of ``views`` stands in the name of the view, and none of ``but``."""

    view: str
    title: Any
    icon: str
    views: tuple[str, ...] = ()
    but: tuple[str, ...] = ()

    def is_of(self, view: str) -> bool:
        if self.view == view:
            return True
        return any(word in view for word in self.views) and not any(word in view for word in self.but)


@dataclass(frozen=True, slots=True)
class Group:
    """Entries below a title; ``of_staff`` are the seller's, the others an account's."""

    title: Any
    entries: tuple[Entry, ...]
    of_staff: bool = False

    def marked(self, view: str, user: Any) -> list[tuple[Entry, bool]]:
        """Each entry that the user may open, and whether it is the page's own."""
        return [(entry, entry.is_of(view)) for entry in self.entries if permitted.may(user, entry.view)]


BUY = Entry("buy", _("Buy a machine"), "plus", ("buy_code",))
SECURITY = Entry("security", _("Sign-in and security"), "lock", ("sessions", "account_", "mfa_"))
SETTINGS = Entry("settings", _("Settings"), "map-pin")
GROUPS = (
    Group(
        _("Compute"),
        (
            Entry("overview", _("Overview"), "layout-dashboard"),
            Entry("machines", _("Machines"), "server-2", ("machine",)),
            Entry("images", _("Images"), "disc", ("image",)),
            Entry("templates", _("Launch templates"), "template", ("template",)),
            Entry("placement_groups", _("Placement groups"), "stack-2", ("placement_group",)),
            Entry("keys", _("SSH key pairs"), "key"),
            Entry("alarms", _("Alarms"), "bell", ("alarm",)),
        ),
    ),
    Group(
        _("Storage"),
        (
            Entry("disks", _("Disks"), "database", ("disk",), but=("machine",)),
            Entry("snapshots", _("Snapshots"), "camera", ("snapshot",)),
        ),
    ),
    Group(
        _("Network"),
        (
            Entry("networks", _("Networks"), "network"),
            Entry("security_groups", _("Security groups"), "shield-lock", ("security_group",), but=("machine",)),
            Entry("addresses", _("Public addresses"), "world", ("address",)),
            Entry("packages", _("Bandwidth packages"), "gauge", ("package",)),
        ),
    ),
    Group(
        _("Billing"),
        (
            Entry("balance", _("Balance"), "wallet", ("top_up",)),
            Entry("orders", _("Orders"), "receipt", ("order",), but=("seller",)),
            Entry("charges", _("Charges"), "chart-bar", ("charges",)),
            Entry("tags", _("Tags"), "tag"),
        ),
    ),
    Group(
        _("Account"),
        (
            Entry("members", _("Members"), "users", ("member", "invitation")),
            Entry("activity", _("Audit log"), "history"),
            Entry("quotas", _("Quotas"), "adjustments-horizontal"),
            Entry("api_keys", _("API keys"), "code", ("api_key",)),
            SECURITY,
            SETTINGS,
        ),
    ),
    Group(
        _("Seller"),
        (
            Entry("seller", _("Today"), "calendar-event"),
            Entry("seller_customers", _("Customers"), "users", ("seller_customer",)),
            Entry("seller_orders", _("Orders"), "receipt", ("seller_order",)),
            Entry("seller_payments", _("Card payments"), "wallet", ("seller_payment",)),
            Entry("seller_catalog", _("Catalog"), "list-details", ("seller_prices",)),
            Entry("seller_shop", _("Your shop"), "building-store"),
            Entry("seller_staff", _("Staff"), "users", ("seller_staff",)),
            Entry("seller_checklist", _("Checklist"), "list-check", ("seller_first_run", "seller_trial")),
        ),
        of_staff=True,
    ),
)


def groups_for(user: Any) -> Iterator[Group]:
    """What a visitor may open: an account's pages, the seller's, both or none."""
    account_id = getattr(user, "account_id", None)
    yield from (group for group in GROUPS if (user.is_staff if group.of_staff else account_id))
    if user.is_staff and not account_id:
        yield Group(_("Account"), (SECURITY, SETTINGS))
