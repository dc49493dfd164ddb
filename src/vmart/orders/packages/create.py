"""Bandwidth packages are bought: there at once, empty, an hour of each set aside, charged by the second."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import QuerySet

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.kernel import clock, db, public_ids
from vmart.kernel.errors import InvalidParameter
from vmart.kernel.money import exponent
from vmart.network.models import Package, PackageState
from vmart.orders import errors, holds, hourly, numbers, offered, things, tokens, unpaid
from vmart.orders.addresses.own import prices_of
from vmart.orders.packages import own, rename
from vmart.orders.renew_flag import MANUAL
from vmart.pricing import books
from vmart.pricing.book import RegionPrices
from vmart.pricing.configuration import POSTPAID_BY_HOUR
from vmart.pricing.package import BY_BANDWIDTH, PackagePart, check_charge_type
from vmart.pricing.rules import hold_minor
from vmart.subscriptions.models import PACKAGE, Item, Source, Standing, Subscription
from vmart.tags import new
from vmart.tags.things import BANDWIDTH_PACKAGE
from vmart.tags.wanted import Tag

ACT = own.CREATE
QUOTA = "packages_per_region"
COUNT_MAX = 20


@dataclass(frozen=True, slots=True)
class NewPackages:
    """``count`` packages alike in a region; ``zone`` "": the shop chooses whose addresses are in them (``_zone``)."""

    region: str
    part: PackagePart
    charge_type: str = BY_BANDWIDTH
    zone: str = ""
    count: int = 1
    name: str = ""
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one package: an hour, exact, and the hour that is held."""

    hourly: Decimal
    hold_minor: int


def price(account_id: int, region: str, part: PackagePart) -> Cost:
    """What one costs the account by the catalog of now. Raises UnknownZone, ChargeTypeNotSold, OutOfRange."""
    book, prices = prices_of(region)
    part.check(book, prices)
    return cost(account_id, prices, part)


def cost(account_id: int, prices: RegionPrices, part: PackagePart) -> Cost:
    """What one costs that was bought before, too, whatever may be bought now."""
    exact = hourly.hour_of(account_id, part.term(prices))
    return Cost(exact, hold_minor([exact], exponent(shop.snapshot().currency)))


def create(actor: Actor, asked: NewPackages, *, client_token: str = "") -> tuple[str, ...]:
    """Buy them, all or none; their public ids. A repeated token gets the first answer.

    Raises the refusals of ``price``, UnknownChargeType, NoPackages, BadPackageName, BadTag, TooManyTags,
    InvalidParameter, AccountFrozen, InArrears, QuotaReached, InsufficientBalance, TokenReused.
    """
    fingerprint = tokens.fingerprint(ACT, asked)
    with db.act():
        db.call("ledger_lock", actor.account)
        known = tokens.first_answer(actor.account, client_token, fingerprint)
        if known is not None:
            return tuple(known["package_ids"])
        check_charge_type(asked.charge_type)
        due = price(actor.account, asked.region, asked.part)
        _check(asked)
        _refuse(actor.account, asked)
        packages = _write(actor, asked, due)
        made = tuple(package.public_id for package in packages)
        tokens.keep(actor.account, client_token, fingerprint, {"package_ids": made})
        things.events(packages, ACT, actor=actor)
        new.give(actor.account, BANDWIDTH_PACKAGE, made, asked.tags)
        return made


def _check(asked: NewPackages) -> None:
    if not 1 <= asked.count <= COUNT_MAX:
        raise InvalidParameter(
            "1 to {most} bandwidth packages at once are possible.",
            field="count", code="InvalidParameterValue.LimitExceeded", most=COUNT_MAX,
        )  # fmt: skip
    if asked.name:
        rename.check_name(asked.name)
    new.check(asked.tags)
    if asked.zone:
        offered.check_zone(shop.snapshot(), asked.region, asked.zone)


def counting(account_id: int) -> QuerySet[Package]:
    """The account's packages that count against the quota, in every region; by their own index."""
    return Package.objects.filter(account_id=account_id).exclude(state=PackageState.GONE)


def _refuse(account_id: int, asked: NewPackages) -> None:
    unpaid.refuse_buyer(account_id)
    held = counting(account_id).filter(zone__region_id=asked.region).count()
    most = db.call("customers_quota", account_id, QUOTA)
    if held + asked.count > most:
        raise errors.QuotaReached(
            "At most {most} bandwidth packages are possible in a region, and there are {held}.",
            field="count", code="LimitExceeded.BandwidthPackageQuota", most=most, held=held,
        )  # fmt: skip


_ZONE = """
SELECT z.code FROM catalog_zone z
CROSS JOIN LATERAL (SELECT count(*) AS n FROM network_eip e
  WHERE e.account_id = %(account)s AND e.zone_id = z.code AND e.state <> 'GONE') AS address
CROSS JOIN LATERAL (SELECT count(*) AS n FROM subscriptions_subscription s
  WHERE s.account_id = %(account)s AND s.zone_id = z.code AND s.kind = 'machine'
    AND s.standing NOT IN ('ended', 'failed')) AS machine
WHERE z.region_id = %(region)s AND z.on_sale AND z.capabilities->>'shared_bandwidth' = 'true'
  AND (%(zone)s = '' OR z.code = %(zone)s)
ORDER BY address.n DESC, machine.n DESC, z.position LIMIT 1
"""


def _zone(account_id: int, asked: NewPackages) -> str:
    """Where nobody says it: of zones that hold a shared speed, where the account has most addresses, most machines."""
    found = db.rows(_ZONE, account=account_id, region=asked.region, zone=asked.zone)
    if not found:
        raise own.not_held(asked.zone or asked.region, "zone")
    return str(found[0]["code"])


def _write(actor: Actor, asked: NewPackages, due: Cost) -> list[Package]:
    """Agreements, terms, holds and packages; charged from now on."""
    zone, now, ids = _zone(actor.account, asked), clock.now(), numbers.subscriptions(asked.count)
    started = db.call("metering_instant", now)
    agreed = [
        Subscription(
            id=number, account_id=actor.account, zone_id=zone, kind=PACKAGE, public_id=public_ids.of("bwp", number),
            bundle_id=number, created_at=now, charge_type=POSTPAID_BY_HOUR, standing=Standing.ACTIVE,
            started_at=started, renew_flag=MANUAL, isolated_source=Source.NOT_ISOLATED,
        )
        for number in ids
    ]  # fmt: skip
    Subscription.objects.bulk_create(agreed)
    Item.objects.bulk_create(_terms(agreed, asked))
    made = [
        Package(
            id=one.id, subscription=one, public_id=one.public_id, account_id=one.account_id, zone_id=zone,
            created_at=now, name=asked.name, bandwidth_mbps=asked.part.bandwidth_mbps, state=PackageState.CREATED,
            latest_operation=ACT, latest_operation_state="SUCCESS", latest_operation_request_id=actor.request_id,
        )
        for one in agreed
    ]  # fmt: skip
    Package.objects.bulk_create(made)
    with holds.or_refuse(lambda available, needed: errors.InsufficientBalance(
        "One hour of the bandwidth packages is set aside: {needed} are needed and {available} are available.",
        code="FailedOperation.BalanceInsufficient", needed=needed, available=available,
    )):  # fmt: skip
        holds.take(agreed, [due.hold_minor] * len(agreed))
    db.call("metering_start", ids, [], started)
    return made


def _terms(agreed: Sequence[Subscription], asked: NewPackages) -> list[Item]:
    book = books.current_book(shop.snapshot().generation)
    component, key, quantity = asked.part.term(book.regions[asked.region])
    return [
        Item(
            subscription=one, component=component, mode=Item.Mode.HOUR, price_key=key, quantity=quantity,
            book_version=book.version, pausable=False, from_at=one.created_at,
        )
        for one in agreed
    ]  # fmt: skip
