"""An account at a glance: its machines, its money, its ledger."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vmart.catalog.models import Zone
from vmart.customers.models import Account
from vmart.events import record
from vmart.instances.models import Instance, State
from vmart.ledger import queries
from vmart.ledger.queries import Balance, balance
from vmart.listings.paging import PAGE, Page, cut, number
from vmart.storage.models import Disk
from vmart.subscriptions.models import Item, Subscription
from vmart.worker import queue

__all__ = ["Balance", "Posting", "balance", "capabilities", "df_shows_gib", "disks", "machine", "statement"]

ABOUT_THINGS = ("prepaid", "refund")  # kinds of transfers whose subject is what was sold
BY_HAND = ("credit", "debit")


@dataclass(frozen=True, slots=True)
class Posting:
    """One entry on a customer's purse with what it was for; ``public_id`` is what was sold that it concerns, if any."""

    number: int
    at: dt.datetime
    transfer_id: Any
    purse: str
    kind: str
    amount_minor: int
    balance_after: int
    public_id: str
    reason: str  # of what the seller moved by hand
    actor: str


@dataclass(frozen=True, slots=True)
class BelowZero:
    """What a balance below zero means. ``stops_at``: when what is charged by usage ends, until it has ended."""

    stops_at: dt.datetime | None
    within_credit: bool
    credit_limit_minor: int


def below_zero(account_id: int, balance_minor: int) -> BelowZero | None:
    """None for a balance that is not below zero."""
    if balance_minor >= 0:
        return None
    limit = Account.objects.values_list("credit_limit_minor", flat=True).get(id=account_id)
    stops_at = queue.due_at("arrears", record.ACCOUNT, account_id)
    stopped = Subscription.objects.filter(account_id=account_id, arrears_since__isnull=False).exists()
    return BelowZero(stops_at, not stopped and -balance_minor <= limit, limit)


def statement(account_id: int, before: str = "") -> Page[Posting]:
    """Entries on the account's purses, latest first. ``before`` is a page key; a wrong one means the first page."""
    key = number(before)
    lines = queries.statement(account_id, before=key, limit=PAGE + 1)
    subjects = {line.subject_id for line in lines if line.subject_id and line.kind in ABOUT_THINGS}
    by_hand = queries.by_hand([line.transfer_id for line in lines if line.kind in BY_HAND])
    sold = Subscription.objects.filter(account_id=account_id, id__in=subjects)
    names = dict(sold.values_list("id", "public_id"))
    rows = [
        Posting(
            line.number, line.at, line.transfer_id, line.book, line.kind, line.amount_minor, line.balance_after_minor,
            names.get(line.subject_id or 0, "") if line.kind in ABOUT_THINGS else "",
            *by_hand.get(line.transfer_id, ("", "")),
        )
        for line in lines
    ]  # fmt: skip
    return cut(rows, lambda row: row.number, first=key is None)


def machine(account_id: int, public_id: str) -> Instance | None:
    """The account's machine; None for another's, and for one that is erased."""
    return (
        Instance.objects.select_related("image", "subscription").filter(account_id=account_id, public_id=public_id)
        .exclude(state=State.GONE).first()
    )  # fmt: skip


def disks(instance_id: int) -> Sequence[Disk]:
    """The disks that go with the machine, system disk first."""
    return list(Disk.objects.filter(instance_id=instance_id, state="").order_by("position")[:PAGE])


def parts(bundle_id: int) -> list[int]:
    """Subscriptions of a bundle: the machine's and its disks'."""
    return list(Subscription.objects.filter(bundle_id=bundle_id).values_list("id", flat=True))


def is_charged_by_usage(bundle_id: int) -> bool:
    """Whether something of a bundle is charged by what is used of it."""
    items = Item.objects.filter(subscription__bundle_id=bundle_id, to_at=None)
    return items.exclude(mode=Item.Mode.MONTH).exists()


def df_shows_gib(zone: str) -> int:
    """What `df` shows in the zone's machines for each disk; 0: the disk itself."""
    return int(capabilities(zone).get("df_shows_gib", 0))


def capabilities(zone: str) -> Mapping[str, Any]:
    """What the zone's engine can, as it was last seen: members of ``engines.contract.Capabilities``."""
    return Zone.objects.values_list("capabilities", flat=True).filter(code=zone).first() or {}
