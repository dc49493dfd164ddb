"""The seller's lists, each column declared once; those of zones are in ``zone_tables``."""

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from vmart.customers.models import Discount, Note, StaffChange, User
from vmart.instances.models import Instance
from vmart.kernel import clock
from vmart.listings.attention import Need
from vmart.listings.checklist import Step
from vmart.listings.customers import CustomerRow
from vmart.listings.sales import FailedDelivery
from vmart.orders.discount import percent_off
from vmart.orders.disks.again import Foretold, Holds
from vmart.orders.models import Order
from vmart.pages import cells, lists, printed, role_words, wording
from vmart.pages.cells import badge, link, soft, together
from vmart.pages.table import FIGURE, FREE, MONO, NUM, RIGHT, Column, Filter, Table


def _what_helps(need: Need) -> SafeString:
    return together(wording.says(need.cause.says, need.places), soft(wording.said(need.cause.helps)))


def _title(need: Need) -> SafeString:
    return badge(wording.said(need.cause.title), "bad" if need.severity == "error" else "warn")


ATTENTION: Table[Need] = Table(
    (
        Column("what", _("What"), _title),
        Column("subject", _("Of what"), "backoffice/parts/attention_subject.html"),
        Column("number", _("Number"), lambda row: row.number, css=FIGURE),
        Column("says", _("What it is, and what helps"), _what_helps),
        Column("since", _("Since"), lambda row: printed.instant(row.since), css=NUM),
        Column("acts", "", "backoffice/parts/attention_acts.html", css=RIGHT),
    ),
    empty=_("Nothing waits for you."),
    dense=True,
)

FAILED_DELIVERIES: Table[FailedDelivery] = Table(
    (
        Column("machine", _("Machine"), lambda row: row.public_id, lambda row: row.public_id, css=MONO),
        Column("order", _("Order"), lambda row: link(reverse("seller_order", args=[row.order_id]), row.order_id),
               lambda row: row.order_id),
        Column("customer_number", "", None, lambda row: row.account_id),
        Column("customer", _("Customer"), lambda row: row.account_name, lambda row: row.account_name),
        Column("zone", _("Zone"), lambda row: row.zone, lambda row: row.zone, css=MONO),
        Column("why", _("Why"), lambda row: wording.said(row.reason), lambda row: row.reason),
        Column("ordered", _("Ordered"), lambda row: printed.instant(row.at), lambda row: row.at, css=NUM),
    ),
    empty=_("Every delivery has succeeded."),
)  # fmt: skip


def _holds_again(row: Foretold) -> SafeString:
    says = wording.HOLDS_AGAIN[row.holds]
    is_of_snapshot = row.holds in (Holds.ITS_SNAPSHOT, Holds.NO_SNAPSHOT)
    return together(says, " ", soft(row.disk.snapshot_id, MONO)) if is_of_snapshot else together(says)


DISKS_AGAIN: Table[Foretold] = Table(
    (
        Column("disk", _("Disk"), lambda row: together(row.disk.public_id, soft(row.disk.name)), css=MONO),
        Column("size", _("Size"), lambda row: f"{row.disk.size_gib} GiB", css=FIGURE),
        Column("holds", _("What it holds then"), _holds_again),
    ),
    empty="",
)


def _step_state(step: Step) -> SafeString:
    return badge(_("Done"), "good") if step.done else badge(_("To do"), "warn")


CHECKLIST: Table[Step] = Table(
    (
        Column("step", _("Step"), lambda row: wording.STEPS.get(row.name, row.name)),
        Column("state", _("State"), _step_state),
        Column("there", _("What there is"), lambda row: gettext(row.sentence).format(**row.params)),
    ),
    empty="",
)


def _customer(row: CustomerRow) -> SafeString:
    name = link(reverse("seller_customer", args=[row.id]), row.email or row.name)
    return together(name, soft(f"{row.id} · {row.name}" if row.name != row.email else row.id))


def _standing(row: CustomerRow) -> SafeString:
    state = badge(_("Frozen"), "bad") if row.frozen_reason else badge(_("May buy"), "good")
    return state if row.factor == 1 else together(state, " ", soft(f"\N{MINUS SIGN}{printed.percent(1 - row.factor)}"))


CUSTOMERS: Table[CustomerRow] = Table(
    (
        Column("number", "", None, lambda row: row.id),
        Column("address", _("Customer"), _customer, lambda row: row.email, ordered=True),
        Column("name", "", None, lambda row: row.name),
        Column("since", _("Since"), lambda row: printed.instant(row.created_at), lambda row: row.created_at, css=NUM),
        Column("machines", _("Machines"), lambda row: row.machines, lambda row: row.machines, css=FIGURE),
        Column("balance_minor", _("Balance"), lambda row: printed.money(row.balance_minor),
               lambda row: row.balance_minor, css=FIGURE, ordered=True),
        Column("frozen_reason", _("State"), _standing, lambda row: row.frozen_reason),
        Column("percent_off", "", None, lambda row: percent_off(row.factor)),
    ),
    empty=_("Nobody has signed up yet."),
    none_such=_("No customer is called so. Whole words find one, or their beginnings."),
    filters=(Filter("q", _("Address, name, number, machine or IP")),),
)  # fmt: skip


def _begins(row: Discount) -> SafeString:
    is_coming = row.from_at > clock.now()
    return together(printed.instant(row.from_at), " ", badge(_("to come"), "warn") if is_coming else "")


DISCOUNTS: Table[Discount] = Table(
    (
        Column("from", _("From"), _begins, css=NUM),
        Column("off", _("Off list prices"), lambda row: printed.percent(1 - row.factor), css=FIGURE),
        Column("reason", _("Reason"), lambda row: row.reason, css=FREE),
        Column("set", pgettext_lazy("discount", "Set"), lambda row: printed.instant(row.created_at), css=NUM),
        Column("by", _("By whom"), lambda row: row.by, css=FREE),
    ),
    empty=_("This customer has always paid list prices."),
)

MACHINES: Table[Instance] = Table(
    (
        Column("machine", _("Machine"), lambda row: together(row.public_id, soft(row.name)), css=MONO),
        Column("zone", _("Zone"), lambda row: row.zone_id, css=MONO),
        Column("type", _("Machine type"), lambda row: row.instance_type_id),
        Column("state", _("State"), lambda row: cells.state(row.state)),
        Column("ordered", _("Ordered"), lambda row: printed.instant(row.created_at), css=NUM),
    ),
    empty=_("No machine is there."),
)

ORDERS: Table[Order] = Table(
    (
        Column("order", _("Order"), lambda row: link(reverse("seller_order", args=[row.id]), row.id)),
        Column("ordered", _("Ordered"), lambda row: printed.instant(row.created_at), css=NUM),
        Column("machines", _("Machines"), lambda row: row.count, css=FIGURE),
        Column("amount", _("Amount"), lambda row: printed.money(row.total_minor), css=FIGURE),
        Column("state", _("State"), lambda row: cells.order_status(row.status)),
    ),
    empty=_("Nothing has been ordered yet."),
)

STAFF: Table[User] = Table(
    (
        Column("email", _("E-mail address"), lambda row: row.email, css=FREE),
        Column("role", _("Role"), lambda row: role_words.staff_title(row.staff_role)),
        Column("state", _("State"), lambda row: badge(*_signs_in(row))),
        Column("last", _("Signed in last"), lambda row: printed.instant(row.last_login), css=NUM),
        Column("acts", "", "backoffice/parts/staff_acts.html", css=RIGHT),
    ),
    empty="",
)


def _signs_in(row: User) -> tuple[object, str]:
    if not row.is_active:
        return _("Closed"), "bad"
    return (_("Signs in"), "good") if row.has_usable_password() else (_("Invited"), "warn")


def _became(row: StaffChange) -> SafeString:
    now = role_words.staff_title(row.role) or _("sells here no more")
    return together(role_words.staff_title(row.before), " → ", now) if row.before else together(now)


STAFF_CHANGES: Table[StaffChange] = Table(
    (
        Column("at", _("When"), lambda row: printed.instant(row.at), css=NUM),
        Column("email", _("Who"), lambda row: row.user.email, css=FREE),
        Column("role", _("Role"), _became),
        Column("by", _("By whom"), lambda row: row.by, css=FREE),
    ),
    empty=_("Nothing has changed yet."),
)


def _note(row: Note) -> SafeString:
    """As it was typed, in its lines."""
    if row.struck_at is None:
        return format_html('<span class="as-typed">{}</span>', row.text)
    said = gettext("Struck out by {who}").format(who=row.struck_by)
    when = printed.instant(row.struck_at)
    return together(format_html('<s class="soft as-typed">{}</s>', row.text), soft(together(said, " · ", when)))


NOTES: Table[Note] = Table(
    (
        Column("at", _("When"), lambda row: printed.instant(row.at), css=NUM),
        Column("note", _("Note"), _note, css=FREE),
        Column("by", _("By whom"), lambda row: row.by, css=FREE),
        Column("acts", "", "backoffice/parts/note_acts.html", css=RIGHT),
    ),
    empty=_("Nobody has written anything yet."),
)

STATEMENT = lists.statement(seller=True)
EVENTS = lists.activity(seller=True)
