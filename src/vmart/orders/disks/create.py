"""Disks with a life of their own are bought: room and money set aside now, charged, or paid, when they are there.

By the hour: an hour of them is held. Paid ahead: their term's price is set aside by an order, which each disk pays for
when it is there; its term begins then.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import QuerySet

from vmart.catalog import shop
from vmart.catalog.models import Zone
from vmart.events.actor import Actor
from vmart.kernel import clock, db, public_ids
from vmart.kernel.errors import InvalidParameter, MissingParameter
from vmart.kernel.money import exponent
from vmart.orders import errors, holds, naming, numbers, offered, paid, term, things, tokens, unpaid
from vmart.orders.convert import term_from_now
from vmart.orders.disks import of_snapshot, own, release
from vmart.orders.renew_flag import MANUAL, check_flag
from vmart.pricing import books, renewal
from vmart.pricing.book import DISK
from vmart.pricing.configuration import OTHER_CHARGE_TYPES, POSTPAID_BY_HOUR, PREPAID, SPOTPAID, DiskChoice
from vmart.pricing.errors import ChargeTypeNotSold, UnknownChargeType
from vmart.pricing.hour import price_version, rate_per_hour
from vmart.pricing.parts import check_disk
from vmart.pricing.priced import OWN_DISK_PURCHASE, Priced, PricedLine, Term
from vmart.pricing.rules import hold_minor
from vmart.storage.models import Disk, Snapshot, State
from vmart.subscriptions.models import DISK as KIND_OF_SUBSCRIPTION
from vmart.subscriptions.models import Item, Source, Standing, Subscription
from vmart.tags import new
from vmart.tags.things import VOLUME
from vmart.tags.wanted import Tag
from vmart.worker.queue import Claimed

KIND, ACT = "create_disk", "CreateDisks"
COUNT_MAX = 50
_FAILED = "The disk could not be made; nothing is charged."


@dataclass(frozen=True, slots=True)
class NewDisks:
    """``count`` disks alike in a zone. ``snapshot_id``: they hold what that holds. Refusals name ``disk.size_gib`` and
    the like.
    """

    region: str
    zone: str
    charge_type: str
    disk: DiskChoice
    count: int = 1
    tags: tuple[Tag, ...] = ()
    months: int = 0  # of the first term, where it is paid ahead
    renew_flag: str = MANUAL


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one disk, by what it is charged, and what is set aside of it in minor units: an hour, or the term's price.

    ``hourly``: an hour, exact; None where it is paid ahead. ``listed_minor``: the same before discounts.
    """

    hourly: Decimal | None
    hold_minor: int
    listed_minor: int
    price_key: str
    book_version: int
    factor: Decimal  # what part of the book's list prices it is

    @property
    def shown(self) -> str:
        """The price as a page shows it and gets it back."""
        return str(self.hold_minor if self.hourly is None else self.hourly)


def price(account_id: int, asked: NewDisks) -> Cost:
    """What one of them costs the account by the catalog of now. Raises what ``create`` raises of the offer alone."""
    here = shop.snapshot()
    offered.check_zone(here, asked.region, asked.zone)
    return cost(account_id, here, asked)


def cost(account_id: int, here: shop.Shop, asked: NewDisks) -> Cost:
    """The same in a region, wherever in it."""
    _check(here, asked)
    book = books.own_book(account_id, here.generation)
    check_disk(book, asked.disk, "disk.", is_system=False)
    key = book.regions[asked.region].disk[asked.disk.disk_type].price_key
    if asked.charge_type == PREPAID:
        listed, due = renewal.price_minor(book, [_term(asked, key)], term_from_now(asked.months))
        return Cost(None, due, listed, key, book.version, book.factor)
    hourly = rate_per_hour(price_version(book).rates[key], asked.disk.size_gib)
    held = hold_minor([hourly], exponent(here.currency))
    return Cost(hourly, held, held, key, book.version, book.factor)


def _term(asked: NewDisks, price_key: str) -> Term:
    """What a term of one of them pays for."""
    return DISK, price_key, asked.disk.size_gib


def create(actor: Actor, asked: NewDisks, *, client_token: str = "") -> tuple[str, ...]:
    """Buy them, all or none; their public ids. A repeated token gets the first answer.

    Raises the refusals of ``price``, AccountFrozen, InArrears, QuotaReached, DiskSoldOut, InsufficientBalance,
    NoOwnDisks, TokenReused, BadTag, TooManyTags; of a snapshot UnknownSnapshot, SnapshotBusy, SnapshotWrongState,
    NotOfDataDisk, OtherZone, OutOfRange.
    """
    new.check(asked.tags)
    fingerprint = tokens.fingerprint(ACT, asked)
    with db.act():
        db.call("ledger_lock", actor.account)
        known = tokens.first_answer(actor.account, client_token, fingerprint)
        if known is not None:
            return tuple(known["disk_ids"])
        due = price(actor.account, asked)
        _refuse(actor.account, asked)
        snapshot = of_snapshot.wanted(actor.account, asked.disk.snapshot_id, asked.zone, asked.disk.size_gib)
        disks = _write(actor, asked, due, snapshot)
        names = [disk.public_id for disk in disks]
        order_id = _order(actor.account, asked, due, disks) if asked.charge_type == PREPAID else 0
        new.give(actor.account, VOLUME, names, asked.tags)
        tokens.keep(actor.account, client_token, fingerprint, {"disk_ids": names})
        things.events(disks, ACT, actor=actor)
        things.send_all(disks, KIND, order_id=order_id)
        return tuple(names)


def _check(here: shop.Shop, asked: NewDisks) -> None:
    if asked.charge_type in OTHER_CHARGE_TYPES | {SPOTPAID}:
        raise ChargeTypeNotSold(
            "{mode} is not sold here.", field="charge_type", code="UnsupportedOperation", mode=asked.charge_type
        )
    if asked.charge_type not in (POSTPAID_BY_HOUR, PREPAID):
        raise UnknownChargeType(
            "DiskChargeType {mode} does not exist.",
            field="charge_type",
            code="InvalidParameterValue",
            mode=asked.charge_type,
        )
    _check_term(asked)
    if not 1 <= asked.count <= COUNT_MAX:
        raise InvalidParameter(
            "1 to {most} disks at once are possible.",
            field="count",
            code="InvalidParameterValue.LimitExceeded",
            most=COUNT_MAX,
        )
    naming.check_disk_name(asked.disk.name)
    offered.check_disk_type(here, asked.disk.disk_type, "disk.disk_type")


def _check_term(asked: NewDisks) -> None:
    check_flag(asked.renew_flag)
    if asked.charge_type == PREPAID and not asked.months:
        raise MissingParameter("A prepaid disk needs a term, in months.", field="months")
    if asked.charge_type == POSTPAID_BY_HOUR and asked.months:
        raise InvalidParameter("A disk that is charged by the hour has no term.", field="months")


def counting(account_id: int) -> QuerySet[Disk]:
    """The account's disks of their own that count against the quota, in every zone; by their own index."""
    own_ones = Disk.objects.filter(account_id=account_id).exclude(state__in=[State.WITH_MACHINE, State.GONE])
    return own_ones.exclude(state=State.FAILED)


def _refuse(account_id: int, asked: NewDisks) -> None:
    unpaid.refuse_buyer(account_id)
    zone = Zone.objects.get(code=asked.zone)
    if not zone.capabilities.get("disks"):
        raise errors.NoOwnDisks(
            "In {zone} a disk is bought with its machine: the zone keeps none by themselves.",
            field="zone", zone=asked.zone,
        )  # fmt: skip
    held = counting(account_id).filter(own_zone_id=asked.zone).count()
    most = db.call("customers_quota", account_id, "disks_per_zone")
    if held + asked.count > most:
        raise errors.QuotaReached(
            "At most {most} disks of their own are possible in a zone, and there are {held}.",
            field="count", code="ResourceInsufficient.OverQuota", most=most, held=held,
        )  # fmt: skip


def _write(actor: Actor, asked: NewDisks, due: Cost, snapshot: Snapshot | None) -> list[Disk]:
    """Agreements, terms, holds, room and disks."""
    now, own_numbers = clock.now(), numbers.subscriptions(asked.count)
    agreed = [_agreement(actor.account, asked, number, now) for number in own_numbers]
    Subscription.objects.bulk_create(agreed)
    Item.objects.bulk_create(_item(one, asked, due, now) for one in agreed)
    claimed = db.call("placement_claim_disks", asked.zone, actor.account, own_numbers, asked.disk.size_gib)
    if claimed < asked.count:
        raise errors.DiskSoldOut(
            "There is room for {room} disks of {size} GiB in {zone} now.",
            field="disk.size_gib", code="ResourceInsufficient", room=claimed, size=asked.disk.size_gib, zone=asked.zone,
        )  # fmt: skip
    if asked.charge_type == POSTPAID_BY_HOUR:
        _hold_an_hour(agreed, due)
    return Disk.objects.bulk_create(_disk(one, asked, actor.request_id, snapshot) for one in agreed)


def _hold_an_hour(agreed: Sequence[Subscription], due: Cost) -> None:
    with holds.or_refuse(lambda available, needed: errors.InsufficientBalance(
        "One hour of the disks is set aside: {needed} are needed and {available} are available.",
        needed=needed, available=available,
    )):  # fmt: skip
        holds.take(agreed, [due.hold_minor] * len(agreed))


def _order(account_id: int, asked: NewDisks, due: Cost, disks: Sequence[Disk]) -> int:
    """The order of their first terms, set aside until each of them is there; its number."""
    first = term_from_now(asked.months)  # dated anew at the delivery
    lines = tuple(
        PricedLine(
            disk.public_id, due.listed_minor, due.hold_minor, 0, 0, asked.months, 0, first.anchor_at, first.anchor_at,
            first.period_to, (_term(asked, due.price_key),),
        )
        for disk in disks
    )  # fmt: skip
    priced = Priced(OWN_DISK_PURCHASE, due.book_version, shop.snapshot().currency, lines, due.factor)
    order = paid.order_of(numbers.order(), account_id, priced, {})
    paid.take_later(priced, {disk.public_id: disk.subscription for disk in disks}, order)
    return order.id


def _agreement(account_id: int, asked: NewDisks, number: int, now: dt.datetime) -> Subscription:
    return Subscription(
        id=number, account_id=account_id, zone_id=asked.zone, kind=KIND_OF_SUBSCRIPTION,
        public_id=public_ids.of("disk", number), bundle_id=number, created_at=now, charge_type=asked.charge_type,
        standing=Standing.PENDING, renew_flag=asked.renew_flag, isolated_source=Source.NOT_ISOLATED,
    )  # fmt: skip


def _item(agreed: Subscription, asked: NewDisks, due: Cost, now: dt.datetime) -> Item:
    mode = Item.Mode.MONTH if asked.charge_type == PREPAID else Item.Mode.HOUR
    component, key, quantity = _term(asked, due.price_key)
    return Item(
        subscription=agreed, component=component, mode=mode, price_key=key, quantity=quantity,
        book_version=due.book_version, pausable=False, from_at=now,
    )  # fmt: skip


def _disk(agreed: Subscription, asked: NewDisks, request_id: str, snapshot: Snapshot | None) -> Disk:
    choice = asked.disk
    return Disk(
        id=agreed.id, subscription=agreed, public_id=agreed.public_id, account_id=agreed.account_id,
        own_zone_id=agreed.zone_id, own_created_at=agreed.created_at,
        usage=Disk.Usage.DATA, disk_type=choice.disk_type, size_gib=choice.size_gib, name=choice.name,
        delete_with_instance=False, state=State.CREATING, latest_operation=ACT,
        latest_operation_state="OPERATING", latest_operation_request_id=request_id, **of_snapshot.columns(snapshot),
    )  # fmt: skip


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``create_disk``: the engine first, then it is charged or paid, in one commit."""
    for operation in batch:
        disk = own.read(operation.subject_id)
        if disk.state == State.CREATING:
            _make(disk, operation.lane)
        with own.outcome(operation, owner, disk, State.CREATING) as made:
            if made:
                _there(made, int(operation.payload["order_id"]))


def _make(disk: Disk, zone: str) -> None:
    if disk.snapshot_id:
        of_snapshot.make(disk, zone)
    else:
        own.engine(zone).ensure_volume(disk.public_id, disk.size_gib, own.member(disk))


def _there(disk: Disk, order_id: int) -> None:
    if order_id:
        _begin_term(disk, order_id)
    else:
        started = db.call("metering_instant", clock.now())
        own.agree(disk, standing=Standing.ACTIVE, started_at=started)
        db.call("metering_start", [disk.id], [], started)
    own.succeed(disk, State.UNATTACHED)
    things.event(disk, "disk_made")


def _begin_term(disk: Disk, order_id: int) -> None:
    """Paid, from this second on for as long as it was bought."""
    begun, agreed = clock.now(), disk.subscription
    months = paid.months_of(order_id, disk.id)
    agreed.standing, agreed.started_at, agreed.anchor_at = Standing.ACTIVE, begun, begun
    agreed.expires_at = clock.add_months(begun, months, shop.snapshot().billing_zone)
    agreed.save()
    paid.deliver(order_id, disk.id, (begun, agreed.expires_at))
    term.follow([disk])


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """It was not made: what was held is free, and its room once nothing is left on the engine."""
    for operation in batch:
        with own.outcome(operation, owner, own.read(operation.subject_id), State.CREATING) as failed:
            if failed:
                if failed.subscription.hold_id:
                    db.call("ledger_void", failed.subscription.hold_id, clock.now())
                paid.give_up_for(operation, _FAILED)
                db.call("subscriptions_failed", failed.id)
                things.fail(failed, _FAILED, error, state=State.FAILED)
                things.send(failed, release.KIND)
