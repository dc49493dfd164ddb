"""Disks with a life of their own are bought: room and an hour's hold now, charged from when they are there."""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal

from django.conf import settings
from django.db.models import QuerySet

from vmart.catalog import shop
from vmart.catalog.models import Zone
from vmart.events.actor import Actor
from vmart.kernel import clock, db, public_ids
from vmart.kernel.errors import InvalidParameter
from vmart.kernel.money import exponent
from vmart.orders import errors, holds, naming, numbers, offered, things, tokens, unpaid
from vmart.orders.disks import own, release
from vmart.pricing import books
from vmart.pricing.book import DISK
from vmart.pricing.configuration import OTHER_CHARGE_TYPES, POSTPAID_BY_HOUR, PREPAID, SPOTPAID, DiskChoice
from vmart.pricing.errors import ChargeTypeNotSold, UnknownChargeType
from vmart.pricing.hour import price_version, rate_per_hour
from vmart.pricing.parts import check_disk
from vmart.pricing.rules import hold_minor
from vmart.storage.models import Disk, State
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
    """``count`` disks alike in a zone. Refusals name ``disk.size_gib`` and the like."""

    region: str
    zone: str
    charge_type: str
    disk: DiskChoice
    count: int = 1
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one disk: an hour, exact; the hour that is held, in minor units; and by what it is charged."""

    hourly: Decimal
    hold_minor: int
    price_key: str
    book_version: int


def price(asked: NewDisks) -> Cost:
    """What one of them costs by the catalog of now. Raises what ``create`` raises of the offer alone."""
    here = shop.snapshot()
    offered.check_zone(here, asked.region, asked.zone)
    return cost(here, asked)


def cost(here: shop.Shop, asked: NewDisks) -> Cost:
    """The same in a region, wherever in it."""
    _check(here, asked)
    book = books.current_book(here.generation)
    check_disk(book, asked.disk, "disk.", is_system=False)
    key = book.regions[asked.region].disk[asked.disk.disk_type].price_key
    hourly = rate_per_hour(price_version(book).rates[key], asked.disk.size_gib)
    return Cost(hourly, hold_minor([hourly], exponent(here.currency)), key, book.version)


def create(actor: Actor, asked: NewDisks, *, client_token: str = "") -> tuple[str, ...]:
    """Buy them, all or none; their public ids. A repeated token gets the first answer.

    Raises the refusals of ``price``, AccountFrozen, InArrears, QuotaReached, DiskSoldOut, InsufficientBalance,
    NoOwnDisks, TokenReused, BadTag, TooManyTags.
    """
    new.check(asked.tags)
    fingerprint = settings.SECRETS.fingerprint(f"{ACT}|{asdict(asked)}".encode())
    with db.act():
        db.call("ledger_lock", actor.account)
        known = tokens.first_answer(actor.account, client_token, fingerprint)
        if known is not None:
            return tuple(known["disk_ids"])
        due = price(asked)
        _refuse(actor.account, asked)
        disks = _write(actor, asked, due)
        names = [disk.public_id for disk in disks]
        new.give(actor.account, VOLUME, names, asked.tags)
        tokens.keep(actor.account, client_token, fingerprint, {"disk_ids": names})
        things.events(disks, ACT, actor=actor)
        things.send_all(disks, KIND)
        return tuple(names)


def _check(here: shop.Shop, asked: NewDisks) -> None:
    if asked.charge_type in OTHER_CHARGE_TYPES | {PREPAID, SPOTPAID}:
        raise ChargeTypeNotSold(
            "{mode} is not sold here.", field="charge_type", code="UnsupportedOperation", mode=asked.charge_type
        )
    if asked.charge_type != POSTPAID_BY_HOUR:
        raise UnknownChargeType(
            "DiskChargeType {mode} does not exist.",
            field="charge_type",
            code="InvalidParameterValue",
            mode=asked.charge_type,
        )
    if not 1 <= asked.count <= COUNT_MAX:
        raise InvalidParameter(
            "1 to {most} disks at once are possible.",
            field="count",
            code="InvalidParameterValue.LimitExceeded",
            most=COUNT_MAX,
        )
    naming.check_disk_name(asked.disk.name)
    offered.check_disk_type(here, asked.disk.disk_type, "disk.disk_type")


def counting(account_id: int) -> QuerySet[Disk]:
    """The account's disks of their own that count against the quota, in every zone; by their own index."""
    own_ones = Disk.objects.filter(account_id=account_id).exclude(state__in=[State.WITH_MACHINE, State.GONE])
    return own_ones.exclude(state=State.FAILED)


def _refuse(account_id: int, asked: NewDisks) -> None:
    unpaid.refuse_frozen(account_id)
    (row,) = db.rows("SELECT fn.ledger_balance(p) AS balance FROM ledger_purses p WHERE account_id = %s", account_id)
    if row["balance"] < 0:
        raise errors.InArrears("The account is in arrears; top up before buying.")
    zone = Zone.objects.get(code=asked.zone)
    if not zone.capabilities.get("disks"):
        raise errors.NoOwnDisks(
            "In {zone} a disk is bought with its machine: the zone keeps none by themselves.",
            field="zone", zone=asked.zone,
        )  # fmt: skip
    held = counting(account_id).filter(subscription__zone_id=asked.zone).count()
    most = db.call("customers_quota", account_id, "disks_per_zone")
    if held + asked.count > most:
        raise errors.QuotaReached(
            "At most {most} disks of their own are possible in a zone, and there are {held}.",
            field="count", code="ResourceInsufficient.OverQuota", most=most, held=held,
        )  # fmt: skip


def _write(actor: Actor, asked: NewDisks, due: Cost) -> list[Disk]:
    """Agreements, terms, holds, room and disks."""
    now, own_numbers = clock.now(), numbers.subscriptions(asked.count)
    agreed = [_agreement(actor.account, asked.zone, number, now) for number in own_numbers]
    Subscription.objects.bulk_create(agreed)
    Item.objects.bulk_create(_terms(one, asked, due, now) for one in agreed)
    claimed = db.call("placement_claim_disks", asked.zone, actor.account, own_numbers, asked.disk.size_gib)
    if claimed < asked.count:
        raise errors.DiskSoldOut(
            "There is room for {room} disks of {size} GiB in {zone} now.",
            field="disk.size_gib", code="ResourceInsufficient", room=claimed, size=asked.disk.size_gib, zone=asked.zone,
        )  # fmt: skip
    with holds.or_refuse(lambda available, needed: errors.InsufficientBalance(
        "One hour of the disks is set aside: {needed} are needed and {available} are available.",
        needed=needed, available=available,
    )):  # fmt: skip
        holds.take(agreed, [due.hold_minor] * asked.count)
    return Disk.objects.bulk_create(_disk(one, asked, actor.request_id) for one in agreed)


def _agreement(account_id: int, zone: str, number: int, now: dt.datetime) -> Subscription:
    return Subscription(
        id=number, account_id=account_id, zone_id=zone, kind=KIND_OF_SUBSCRIPTION,
        public_id=public_ids.of("disk", number), bundle_id=number, created_at=now, charge_type=POSTPAID_BY_HOUR,
        standing=Standing.PENDING, renew_flag="NOTIFY_AND_MANUAL_RENEW", isolated_source=Source.NOT_ISOLATED,
    )  # fmt: skip


def _terms(agreed: Subscription, asked: NewDisks, due: Cost, now: dt.datetime) -> Item:
    return Item(
        subscription=agreed, component=DISK, mode=Item.Mode.HOUR, price_key=due.price_key,
        quantity=asked.disk.size_gib, book_version=due.book_version, pausable=False, from_at=now,
    )  # fmt: skip


def _disk(agreed: Subscription, asked: NewDisks, request_id: str) -> Disk:
    choice = asked.disk
    return Disk(
        id=agreed.id, subscription=agreed, public_id=agreed.public_id, account_id=agreed.account_id,
        usage=Disk.Usage.DATA, disk_type=choice.disk_type, size_gib=choice.size_gib, name=choice.name,
        delete_with_instance=False, state=State.CREATING, latest_operation=ACT,
        latest_operation_state="OPERATING", latest_operation_request_id=request_id,
    )  # fmt: skip


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``create_disk``: the engine first, then it is charged, in one commit."""
    for operation in batch:
        disk = own.read(operation.subject_id)
        if disk.state == State.CREATING:
            own.engine(operation.lane).ensure_volume(disk.public_id, disk.size_gib, own.member(disk))
        with own.outcome(operation, owner, disk, State.CREATING) as made:
            if made:
                _there(made)


def _there(disk: Disk) -> None:
    started = db.call("metering_instant", clock.now())
    own.agree(disk, standing=Standing.ACTIVE, started_at=started)
    db.call("metering_start", [disk.id], [], started)
    own.succeed(disk, State.UNATTACHED)
    things.event(disk, "disk_made")


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """It was not made: what was held is free, and its room once nothing is left on the engine."""
    for operation in batch:
        with own.outcome(operation, owner, own.read(operation.subject_id), State.CREATING) as failed:
            if failed:
                db.call("ledger_void", failed.subscription.hold_id, clock.now())
                db.call("subscriptions_failed", failed.id)
                things.fail(failed, _FAILED, error, state=State.FAILED)
                things.send(failed, release.KIND)
