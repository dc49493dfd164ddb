"""Return of a prepaid machine: the refund is quoted first, then posted; the machine goes to the bin.

Refund = paid − used value, cash and gift in the proportion in which they were paid; once per account,
within 5 × 24 h of delivery, everything (billing-rules, section 3; Tencent 213/9711).
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from vmart.catalog import shop
from vmart.customers.models import Account
from vmart.instances.models import Instance, State
from vmart.kernel import clock, db, ids
from vmart.kernel.errors import LimitExceeded
from vmart.kernel.money import exponent
from vmart.orders import machines as m
from vmart.orders.credit import Credit, credit_all
from vmart.orders.errors import WrongMode
from vmart.orders.models import Line
from vmart.pricing import books
from vmart.pricing.book import PriceBook
from vmart.pricing.configuration import PREPAID
from vmart.pricing.quote import Quote, returnables
from vmart.pricing.rules import may_return_free, return_refund, used_value, whole_months


@dataclass(frozen=True, slots=True)
class RefundQuote:
    """What a return of one machine gives back now, in minor units."""

    public_id: str
    paid_minor: int
    refund_minor: int
    cash_minor: int
    gift_minor: int
    first_free: bool


def quote_refund(account_id: int, public_ids: Sequence[str]) -> list[RefundQuote]:
    """What returns would give back; writes nothing. Raises what the return itself would: see ``give_back``."""
    with db.act():
        return _quoted(m.lock(account_id, public_ids), clock.now(), shop.snapshot().billing_zone)


def _quoted(machines: Sequence[Instance], now: dt.datetime, zone: ZoneInfo) -> list[RefundQuote]:
    for machine in machines:
        _refuse_unreturnable(machine)
    account = Account.objects.get(id=machines[0].account_id)
    _refuse_over_quota(account, len(machines), now, zone)
    return _refunds(machines, account, now, zone)


def _refuse_unreturnable(machine: Instance) -> None:
    if machine.charge_type != PREPAID:
        raise WrongMode("{id} is postpaid: nothing was paid ahead.", field="InstanceIds", id=machine.public_id)
    m.refuse_state(machine, [State.RUNNING, State.STOPPED], "UnsupportedOperation.InstanceStateShutdown")
    m.refuse_isolated([machine])  # of a term that is over nothing is left, and a return would move its end


def _refunds(machines: Sequence[Instance], account: Account, now: dt.datetime, zone: ZoneInfo) -> list[RefundQuote]:
    """What each of the account's machines gives back, returned together in this order: one of them is free at most."""
    found = Line.objects.select_related("order").filter(instance_id__in=[machine.id for machine in machines])
    lines = {line.instance_id: line for line in found}
    quotes = {line.order_id: Quote.of(line.order.quote) for line in lines.values()}
    versions = {quoted.book_version for quoted in quotes.values()}
    price_books = {version: books.book_by_version(version) for version in versions}
    free_used = account.free_return_used_at is not None
    refunds = []
    for machine in machines:
        line = lines[machine.id]
        quoted = quotes[line.order_id]
        refund = _refund(machine, line, quoted, price_books[quoted.book_version], now, zone=zone, free_used=free_used)
        free_used = free_used or refund.first_free
        refunds.append(refund)
    return refunds


def _refund(
    machine: Instance,
    line: Line,
    quoted: Quote,
    book: PriceBook,
    now: dt.datetime,
    *,
    zone: ZoneInfo,
    free_used: bool,
) -> RefundQuote:
    assert machine.started_at is not None and line.delivered_at is not None
    months, rest_s = whole_months(machine.started_at, max(now, machine.started_at), zone)
    used = used_value(returnables(book, quoted.configuration), months, rest_s)
    first_free = may_return_free(line.delivered_at, now, used_before=free_used)
    refund = return_refund(
        used, line.paid_cash_minor, line.paid_gift_minor, first_free=first_free, places=exponent(quoted.currency)
    )
    return RefundQuote(
        machine.public_id, line.paid_cash_minor + line.paid_gift_minor, refund.refund_minor, refund.cash_minor,
        refund.gift_minor, first_free,
    )  # fmt: skip


def give_back(machines: Sequence[Instance], request_id: str, *, lost_at: dt.datetime | None = None) -> None:
    """Return an account's locked prepaid machines: refunds, bin and timers inside the act's transaction.

    ``lost_at``: the engine lost them then. Their value was used until then, and no quota of returns holds.

    Raises WrongMode, refusals of the state, LimitExceeded.
    """
    db.require_transaction()
    now = db.call("metering_instant", clock.now())
    zone = shop.snapshot().billing_zone
    account_id = machines[0].account_id
    if lost_at is None:
        refunds = _quoted(machines, now, zone)
    else:
        refunds = _refunds(machines, Account.objects.get(id=account_id), lost_at, zone)
    release_at = m.bin_until(now, zone)
    _note_returned(machines, [refund.refund_minor for refund in refunds])
    if any(refund.first_free for refund in refunds):
        Account.objects.filter(id=account_id).update(free_return_used_at=now)
    m.end_usage(machines, now)
    m.begin_all(
        machines, "TerminateInstances", request_id, state=State.SHUTDOWN, isolated_source="MANMADE", isolated_at=now,
        expires_at=now, release_at=release_at, arrears_since=None,
    )  # fmt: skip
    credits = [
        Credit(
            ids.transfer_id("return", machine.id, machine.started_at), machine.id, refund.cash_minor, refund.gift_minor
        )
        for machine, refund in zip(machines, refunds, strict=True)
        if refund.refund_minor
    ]
    if credits:  # may end the account's arrears: the machines are in the bin by then and stay off
        credit_all("refund", account_id, "revenue", credits)
    m.forget_work("expire", machines)
    m.events(machines, "returned", [{"refund_minor": refund.refund_minor} for refund in refunds])
    m.send_all(machines, "isolate")
    m.send_all(machines, "release", due_at=release_at)


def _note_returned(machines: Sequence[Instance], refunds_minor: Sequence[int]) -> None:
    db.rows(
        "UPDATE orders_line l SET state = %s, refund_minor = given.refund"
        " FROM unnest(%s::bigint[], %s::bigint[]) AS given (instance, refund)"
        " WHERE l.instance_id = given.instance RETURNING l.id",
        Line.State.RETURNED, [machine.id for machine in machines], list(refunds_minor),
    )  # fmt: skip


def _refuse_over_quota(account: Account, count: int, now: dt.datetime, zone: ZoneInfo) -> None:
    begin = dt.datetime(now.astimezone(zone).year, 1, 1, tzinfo=zone)
    returned = Line.objects.filter(account_id=account.id, state=Line.State.RETURNED).filter(
        instance_id__in=Instance.objects.filter(
            account_id=account.id, isolated_source="MANMADE", isolated_at__gte=begin
        ).values("id")
    )
    if returned.count() + count > account.quota_returns_per_year:
        raise LimitExceeded(
            "At most {quota} machines can be returned a year.", field="InstanceIds",
            code="LimitExceeded.UserReturnQuota", quota=account.quota_returns_per_year,
        )  # fmt: skip
