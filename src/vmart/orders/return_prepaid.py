"""Return of a prepaid machine: the refund is quoted first, then posted; the machine goes to the bin.

Refund = paid − used value, cash and gift in the proportion in which they were paid; once per account,
within 5 × 24 h of delivery, everything (billing-rules, section 3; Tencent 213/9711).
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from vmart.catalog import shop
from vmart.customers.models import Account
from vmart.instances.models import Instance, State
from vmart.kernel import clock, db, ids
from vmart.kernel.errors import LimitExceeded
from vmart.kernel.money import exponent
from vmart.orders import machines as m
from vmart.orders.credit import credit
from vmart.orders.errors import WrongMode
from vmart.orders.models import Line
from vmart.pricing import books
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
    """What returns would give back; writes nothing. Raises UnknownInstance, WrongMode, refusals of the state."""
    with db.act():
        found = m.lock(account_id, public_ids)
        return [_refund(machine) for machine in found if _returnable(machine)]


def _returnable(machine: Instance) -> bool:
    if machine.charge_type != "PREPAID":
        raise WrongMode("{id} is postpaid: nothing was paid ahead.", field="InstanceIds", id=machine.public_id)
    m.refuse_state(machine, [State.RUNNING, State.STOPPED], "UnsupportedOperation.InstanceStateShutdown")
    return True


def _refund(machine: Instance) -> RefundQuote:
    line = Line.objects.select_related("order").get(instance_id=machine.id)
    account = Account.objects.get(id=machine.account_id)
    assert machine.started_at is not None and line.delivered_at is not None
    now, zone = clock.now(), shop.snapshot().billing_zone
    quoted = Quote.of(line.order.quote)
    months, rest_s = whole_months(machine.started_at, max(now, machine.started_at), zone)
    used = used_value(returnables(books.book_by_version(quoted.book_version), quoted.configuration), months, rest_s)
    first_free = may_return_free(line.delivered_at, now, used_before=account.free_return_used_at is not None)
    refund = return_refund(
        used, line.paid_cash_minor, line.paid_gift_minor, first_free=first_free, places=exponent(quoted.currency)
    )
    return RefundQuote(
        machine.public_id, line.paid_cash_minor + line.paid_gift_minor, refund.refund_minor, refund.cash_minor,
        refund.gift_minor, first_free,
    )  # fmt: skip


def return_one(machine: Instance, request_id: str) -> RefundQuote:
    """Return a locked prepaid machine: refund, bin and timer inside the act's transaction."""
    db.require_transaction()
    _returnable(machine)
    _refuse_over_quota(machine)
    refund = _refund(machine)
    now = db.call("metering_instant", clock.now())
    Line.objects.filter(instance_id=machine.id).update(state=Line.State.RETURNED, refund_minor=refund.refund_minor)
    if refund.first_free:
        Account.objects.filter(id=machine.account_id).update(free_return_used_at=now)
    db.call("metering_end", machine.id, "", now)
    m.begin(
        machine, "TerminateInstances", request_id, state=State.SHUTDOWN, isolated_source="MANMADE", isolated_at=now,
        expires_at=now, release_at=m.bin_until(now), arrears_since=None,
    )  # fmt: skip
    if refund.refund_minor:  # may end the account's arrears: the machine is in the bin by then and stays off
        credit(
            ids.transfer_id("return", machine.id, machine.started_at), "refund", machine.account_id, "revenue",
            cash_minor=refund.cash_minor, gift_minor=refund.gift_minor, subject_id=machine.id,
        )  # fmt: skip
    db.rows("DELETE FROM worker_operation WHERE kind = 'expire' AND subject_id = %s RETURNING id", machine.id)
    m.event(machine, "returned", refund_minor=refund.refund_minor)
    m.send(machine, "isolate")
    m.send(machine, "release", due_at=m.bin_until(now))
    return refund


def _refuse_over_quota(machine: Instance) -> None:
    zone = shop.snapshot().billing_zone
    year = clock.now().astimezone(zone).year
    begin = dt.datetime(year, 1, 1, tzinfo=zone)
    quota = Account.objects.values_list("quota_returns_per_year", flat=True).get(id=machine.account_id)
    returned = Line.objects.filter(account_id=machine.account_id, state=Line.State.RETURNED).filter(
        instance_id__in=Instance.objects.filter(
            account_id=machine.account_id, isolated_source="MANMADE", isolated_at__gte=begin
        ).values("id")
    )
    if returned.count() >= quota:
        raise LimitExceeded(
            "At most {quota} machines can be returned a year.", field="InstanceIds",
            code="LimitExceeded.UserReturnQuota", quota=quota,
        )  # fmt: skip
