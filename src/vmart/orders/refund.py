"""The seller gives back what was paid for an order, whole or in part, and says what becomes of what it bought.

At most what was paid and has not come back, to the balance. A return is the customer's, by its own rule
(``return_prepaid``); what is given back here is taken off what a return gives back later (ADR 0072).
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vmart.catalog import shop
from vmart.events import record
from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.kernel import clock, db, ids
from vmart.kernel.errors import InvalidValue, NotFound
from vmart.kernel.money import allot, shown_minor
from vmart.network.models import Eip
from vmart.orders import return_prepaid
from vmart.orders.addresses.give_back import ADDRESSES
from vmart.orders.by_hand import check_key, check_reason
from vmart.orders.credit import Credit, credit_all
from vmart.orders.disks.give_back import DISKS
from vmart.orders.errors import Busy, ChangedMeanwhile, NothingToRefund, TokenReused
from vmart.orders.models import Line, Order, Refund, Status
from vmart.orders.return_prepaid import MACHINES, Kind
from vmart.orders.things import Thing, events
from vmart.pricing.priced import PURCHASES, UPGRADES
from vmart.pricing.rules import split_refund
from vmart.storage.models import Disk
from vmart.subscriptions.models import Standing, Subscription

EVENT = "order_refunded"
_KINDS: Mapping[str, Kind] = {"machine": MACHINES, "disk": DISKS, "address": ADDRESSES}


class After(enum.StrEnum):
    """What becomes of what the order bought: as it is until its term ends, or into the recycle bin now."""

    STAYS = "stays"
    ENDS = "ends"


@dataclass(frozen=True, slots=True)
class Asked:
    """Minor units, None for all that is left; ``line`` is a number within the order, 0 for all of its lines."""

    order_id: int
    amount_minor: int | None
    after: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """Of one line: what it is of, and what comes back of it in minor units."""

    line: Line
    kind: str
    public_id: str
    cash_minor: int
    gift_minor: int

    @property
    def refund_minor(self) -> int:
        return self.cash_minor + self.gift_minor


@dataclass(frozen=True, slots=True)
class Foretold:
    """What a refund does. ``also``: other orders that paid for what ends, with what is left of them in minor units."""

    order: Order
    parts: tuple[Part, ...]
    ends: bool
    also: tuple[tuple[int, int], ...]

    @property
    def cash_minor(self) -> int:
        return sum(part.cash_minor for part in self.parts)

    @property
    def gift_minor(self) -> int:
        return sum(part.gift_minor for part in self.parts)

    @property
    def refund_minor(self) -> int:
        return self.cash_minor + self.gift_minor

    @property
    def shown(self) -> str:
        """What a confirmation repeats: another amount, or a refund meanwhile, has another."""
        told = [f"{part.line.number}:{part.cash_minor}:{part.gift_minor}:{part.line.left_minor}" for part in self.parts]
        return ",".join([str(After.ENDS if self.ends else After.STAYS), *told])


def foretell(asked: Asked) -> Foretold:
    """What ``give`` would do now; writes nothing. Raises what it raises."""
    with db.act():
        return _foretold(*_locked(asked), asked)


def give(asked: Asked, reason: str, actor: Actor, key: str, *, shown: str = "") -> Foretold | None:
    """Do it, in one commit; None where ``key`` has done it before. ``shown``: only what was foretold so.

    Raises InvalidValue, NotFound, NothingToRefund, ChangedMeanwhile, TokenReused, Busy, and where the thing ends what
    a return raises of its state.
    """
    check_reason(reason)
    check_key(key)
    reason = reason.strip()
    with db.act():
        order, lines = _locked(asked)
        if _was_given(asked, reason, key):
            return None
        told = _foretold(order, lines, asked)
        if shown and shown != told.shown:
            raise ChangedMeanwhile("The order has changed since it was shown: look at it once more. Nothing was done.")
        _give(told, reason, actor, key)
        return told


def _locked(asked: Asked) -> tuple[Order, list[Line]]:
    """The order and those of its lines that are meant, under the account's lock."""
    account_id = Order.objects.filter(id=asked.order_id).values_list("account_id", flat=True).first()
    if account_id is None:
        raise NotFound("There is no order {id}.", field="order_id", id=asked.order_id)
    db.call("ledger_lock", account_id)
    order = Order.objects.get(id=asked.order_id)
    lines = list(Line.objects.filter(order=order).order_by("number").select_for_update(of=("self",)))
    meant = [line for line in lines if asked.line in (0, line.number)]
    if not meant:
        raise InvalidValue("The order has no line {number}.", field="line", number=asked.line)
    return order, meant


def _was_given(asked: Asked, reason: str, key: str) -> bool:
    """Whether the key has given this back. Raises TokenReused where it gave back something else."""
    made = list(Refund.objects.filter(order_id=asked.order_id, key=key).select_related("line"))
    if not made:
        return False
    total = sum(one.cash_minor + one.gift_minor for one in made)
    same = (
        asked.amount_minor in (None, total)
        and {reason} == {one.reason for one in made}
        and {asked.after == After.ENDS} == {one.ended for one in made}
        and (asked.line == 0 or {asked.line} == {one.line.number for one in made})
    )
    if not same:
        raise TokenReused("The key {key} has made another refund of this order.", field="key", key=key)
    return True


def _foretold(order: Order, lines: Sequence[Line], asked: Asked) -> Foretold:
    if asked.after not in list(After):
        raise InvalidValue("Say whether what was bought stays or ends.", field="after")
    paying = [line for line in lines if line.left_minor > 0]
    amount_minor = _amount(asked, sum(line.left_minor for line in paying))
    bundles = Subscription.objects.in_bulk([line.subscription_id for line in paying])
    _refuse_busy(bundles)
    shares = allot(amount_minor, [line.left_minor for line in paying])
    left = _left_of(order.account_id, list(bundles))
    parts = tuple(
        Part(line, bundles[line.subscription_id].kind, bundles[line.subscription_id].public_id,
             *_split(order.action, line, share, *left[line.subscription_id]))
        for line, share in zip(paying, shares, strict=True)
        if share
    )  # fmt: skip
    told = Foretold(order, parts, asked.after == After.ENDS, ())
    if not told.ends:
        return told
    _refuse_to_end(order, lines, len(parts))
    for kind, things in _things(told):
        kind.refuse(things)
    return Foretold(order, parts, True, _also(order, [part.line.subscription_id for part in parts]))


def may_end(order: Order) -> bool:
    """Whether it bought its things: what was there before stays, whatever comes back of a change or a renewal."""
    return order.action in PURCHASES


def _refuse_to_end(order: Order, lines: Sequence[Line], gets_a_part: int) -> None:
    """What ends is what the order bought, all that is meant of it."""
    if not may_end(order):
        raise InvalidValue(
            "Order {id} changed or renewed what was there already: that stays. End it on its own page.",
            field="after", id=order.id,
        )  # fmt: skip
    things = [line.subscription_id for line in lines]
    alive = Subscription.objects.filter(id__in=things, standing=Standing.ACTIVE).count()
    if gets_a_part < alive:
        raise InvalidValue(
            "Of {all} things of the order {count} would get a part of the amount, and only those would end: name a"
            " line, or a larger amount.",
            field="line", all=alive, count=gets_a_part,
        )  # fmt: skip


def _amount(asked: Asked, left_minor: int) -> int:
    if not left_minor:
        raise NothingToRefund("Nothing that was paid for this order is left to give back.", field="order_id")
    if asked.amount_minor is None:
        return left_minor
    if not 0 < asked.amount_minor <= left_minor:
        raise InvalidValue(
            "The amount must be above 0 and at most {left}: what was paid and has not come back.",
            field="amount_minor", left=shown_minor(left_minor, shop.snapshot().currency),
        )  # fmt: skip
    return asked.amount_minor


def _split(action: str, line: Line, share: int, cash_left: int, gift_left: int) -> tuple[int, int]:
    """Cash and gift of a line's share, in the proportion in which it was paid (billing-rules, section 3, Return).

    Of a line that a return gave back in part, only its thing's purses are known for certain: never more of either. Of
    more bandwidth that became traffic it is known what was gift.
    """
    paid = (line.paid_cash_minor, line.paid_gift_minor)
    became_traffic = action in UPGRADES and line.bandwidth_ended_minor is not None
    if line.state != Line.State.RETURNED or became_traffic:
        paid = (line.left_minor - line.gift_left_minor, line.gift_left_minor)
    _cash, gift = split_refund(share, *paid)
    gift = min(max(gift, share - cash_left), gift_left)
    return share - gift, gift


_LEFT = """
SELECT l.subscription_id, l.cash - coalesce(back.cash, 0) AS cash, l.gift - coalesce(back.gift, 0) AS gift FROM (
  SELECT subscription_id, sum(paid_cash_minor)::bigint AS cash, sum(paid_gift_minor)::bigint AS gift FROM orders_line
  WHERE subscription_id = ANY (%(things)s) GROUP BY 1) AS l
LEFT JOIN (
  SELECT t.subject_id, sum(e.amount_minor) FILTER (WHERE e.book = 'cash')::bigint AS cash,
         sum(e.amount_minor) FILTER (WHERE e.book = 'gift')::bigint AS gift
  FROM ledger_transfer t
  JOIN ledger_entry e ON e.account_id = t.account_id AND e.at = t.at AND e.transfer_id = t.id
  WHERE t.kind = 'refund' AND t.subject_id = ANY (%(things)s) AND t.account_id = %(account)s GROUP BY 1
) AS back ON back.subject_id = l.subscription_id
"""


def _left_of(account_id: int, things: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Cash and gift that were paid for each thing by all its orders, and have not come back."""
    found = db.rows(_LEFT, account=account_id, things=list(things))
    return {row["subscription_id"]: (row["cash"], row["gift"]) for row in found}


def _refuse_busy(bundles: Mapping[int, Subscription]) -> None:
    """What a change that is under way gives back was reckoned when it was asked for, from what was paid then."""
    for model in (Instance, Disk, Eip):
        busy = model._default_manager.filter(id__in=list(bundles), latest_operation_state="OPERATING").first()
        if busy is not None:
            raise Busy(
                "{id} is busy with {operation}; try again when it has ended.",
                field="order_id", id=bundles[busy.id].public_id, operation=busy.latest_operation,
            )  # fmt: skip


def _things(told: Foretold) -> list[tuple[Kind, Sequence[Thing]]]:
    """What ends, locked, by kind."""
    found = []
    for name in sorted({part.kind for part in told.parts}):
        kind = _KINDS[name]
        found.append(
            (kind, kind.lock(told.order.account_id, [one.public_id for one in told.parts if one.kind == name]))
        )
    return found


def _also(order: Order, things: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Other orders whose terms of these things run on or are to come, and what is left of each."""
    lines = Line.objects.filter(
        subscription_id__in=things, state=Line.State.DELIVERED, period_to__gt=clock.now()
    ).exclude(order=order)
    left: dict[int, int] = {}
    for line in lines.order_by("order_id"):
        left[line.order_id] = left.get(line.order_id, 0) + line.left_minor
    return tuple((number, minor) for number, minor in left.items() if minor)


def _give(told: Foretold, reason: str, actor: Actor, key: str) -> None:
    """Lines, reasons, what ends, money, events. Belongs under the account lock."""
    order, now = told.order, clock.now()
    credits = [_noted(part, key) for part in told.parts]
    Line.objects.bulk_update(
        [part.line for part in told.parts], ["refund_minor", "seller_back_minor", "seller_gift_back_minor"]
    )
    Refund.objects.bulk_create(
        Refund(
            transfer_id=each.transfer, order=order, line=part.line, key=key, cash_minor=part.cash_minor,
            gift_minor=part.gift_minor, ended=told.ends, reason=reason, actor=actor.name[:254], at=now,
        )
        for part, each in zip(told.parts, credits, strict=True)
    )  # fmt: skip
    ended = _things(told) if told.ends else []
    for kind, things in ended:
        return_prepaid.put_into_bin(things, "", kind=kind)
    credit_all("refund", order.account_id, "revenue", credits)  # may end arrears: what ends is in the bin by then
    back = {part.public_id: {"refund_minor": part.refund_minor} for part in told.parts}
    for _kind, things in ended:
        return_prepaid.forget_terms(things)
        events(things, "returned", [back[thing.public_id] for thing in things], actor=actor)
    if not any(line.left_minor for line in Line.objects.filter(order=order)):
        Order.objects.filter(id=order.id, status=Status.DELIVERED).update(status=Status.REFUNDED, closed_at=now)
    detail = {"amount_minor": told.refund_minor, "why": reason, "ends": told.ends}
    record.write(order.account_id, record.ORDER, [order.id], EVENT, details=[detail], actor=actor)


def _noted(part: Part, key: str) -> Credit:
    line = part.line
    line.refund_minor += part.refund_minor
    line.seller_back_minor += part.refund_minor
    line.seller_gift_back_minor += part.gift_minor
    transfer = ids.transfer_id("seller_refund", line.id, key)
    return Credit(transfer, line.subscription_id, part.cash_minor, part.gift_minor)
