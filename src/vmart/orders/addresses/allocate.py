"""Public addresses are bought by themselves: out of a zone's pool, bound to no machine yet.

By the hour or by traffic: an hour of each is held, idle. By the month: the bandwidth of a term is paid at once.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.kernel import clock, db, public_ids
from vmart.kernel.errors import InvalidParameter, MissingParameter
from vmart.kernel.money import exponent
from vmart.network.models import Eip, EipState, Package
from vmart.network.numbers import task as task_number
from vmart.orders import errors, holds, hourly, numbers, offered, paid, refusals, term, things, tokens, unpaid
from vmart.orders.addresses import own, rename
from vmart.orders.convert import term_from_now
from vmart.orders.packages import own as own_package
from vmart.orders.renew_flag import MANUAL, check_flag
from vmart.pricing import books, renewal
from vmart.pricing.address import AddressPart
from vmart.pricing.book import RegionPrices
from vmart.pricing.configuration import (
    BANDWIDTH_PACKAGE,
    POSTPAID_BY_HOUR,
    PREPAID,
    TRAFFIC_POSTPAID_BY_HOUR,
)
from vmart.pricing.priced import ADDRESS_PURCHASE, Priced, PricedLine
from vmart.pricing.renewal import Term
from vmart.pricing.rules import hold_minor
from vmart.subscriptions.models import ADDRESS, Item, Source, Standing, Subscription
from vmart.tags import new
from vmart.tags.things import EIP
from vmart.tags.wanted import Tag

ACT = "AllocateAddresses"
COUNT_MAX = 100


@dataclass(frozen=True, slots=True)
class NewAddresses:
    """``count`` addresses alike in a region; ``zone`` "": the shop chooses where (``_zone``).

    ``months``: the first term, and ``renew_flag`` what happens at its end, where the bandwidth is paid by the
    month. ``package``: the bandwidth package that they are in, whose zone is theirs.
    """

    region: str
    part: AddressPart
    zone: str = ""
    count: int = 1
    name: str = ""
    tags: tuple[Tag, ...] = ()
    months: int = 0
    renew_flag: str = MANUAL
    package: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one address, exact: an hour idle and bound (0 by traffic), 2^30 bytes by traffic; the hour that is held.

    By the month all these are 0 or None, and ``term_minor`` is what a term costs; ``listed_minor`` before discounts.
    """

    idle_hourly: Decimal
    bound_hourly: Decimal
    traffic_per_gib: Decimal | None
    hold_minor: int
    months: int = 0
    term_minor: int | None = None
    listed_minor: int = 0
    factor: Decimal = Decimal(1)  # what part of list prices it is


@dataclass(frozen=True, slots=True)
class Allocated:
    """Public ids, and the number of the task."""

    public_ids: tuple[str, ...]
    task: int


def price(account_id: int, region: str, part: AddressPart, months: int = 0) -> Cost:
    """What one costs the account by the catalog of now; ``months``: its first term, where it has one.

    Raises UnknownRegion, what ``AddressPart.check`` raises, MissingParameter, InvalidParameter, PeriodNotSold.
    """
    book, prices = own.prices_of(region)
    part.check(book, prices)
    _check_term(part, months)
    return cost(account_id, prices, part, months)


def _check_term(part: AddressPart, months: int) -> None:
    if part.paid_ahead and not months:
        raise MissingParameter("Bandwidth by the month needs a term, in months.", field="months")
    if months and not part.paid_ahead:
        raise InvalidParameter("Only bandwidth by the month has a term.", field="months")


def cost(account_id: int, prices: RegionPrices, part: AddressPart, months: int = 1) -> Cost:
    """What one costs that was bought before, too, whatever may be bought now. Raises PeriodNotSold.

    ``prices`` are list prices of its region.
    """
    book = books.own_book(account_id, shop.snapshot().generation)
    if part.paid_ahead:
        listed, due = renewal.price_minor(book, [part.term(prices, bound=True)], term_from_now(months))
        return Cost(Decimal(0), Decimal(0), None, 0, months, due, listed, factor=book.factor)
    idle = hourly.hour_of(account_id, part.term(prices, bound=False))
    return Cost(
        idle, own.bound_hourly(account_id, part, prices),
        prices.traffic_gib * book.factor if part.by_traffic else None,
        hold_minor([idle], exponent(shop.snapshot().currency)),
    )  # fmt: skip


def allocate(actor: Actor, asked: NewAddresses, *, client_token: str = "") -> Allocated:
    """Buy them, all or none; those by the month are paid from the balance. A repeated token gets the first answer.

    Raises the refusals of ``price``, UnknownZone, BadAddressName, BadTag, TooManyTags, AccountFrozen, InArrears,
    QuotaReached, NoAddress, InsufficientBalance, TokenReused, UnknownPackage, PackageBusy, PackageInArrears,
    PackageFull, PackageElsewhere, NoPackages.
    """
    fingerprint = tokens.fingerprint(ACT, asked)
    with db.act():
        db.call("ledger_lock", actor.account)
        known = tokens.first_answer(actor.account, client_token, fingerprint)
        if known is not None:
            return Allocated(tuple(known["address_ids"]), known["task"])
        due = price(actor.account, asked.region, asked.part, asked.months)
        _check(asked)
        _refuse(actor.account, asked)
        eips = _write(actor, asked, due, _package(actor.account, asked))
        done = Allocated(tuple(eip.public_id for eip in eips), eips[0].task)
        tokens.keep(actor.account, client_token, fingerprint, {"address_ids": done.public_ids, "task": done.task})
        things.events(eips, ACT, actor=actor)
        new.give(actor.account, EIP, done.public_ids, asked.tags)
        return done


def _check(asked: NewAddresses) -> None:
    if not 1 <= asked.count <= COUNT_MAX:
        raise InvalidParameter(
            "1 to {most} addresses at once are possible.",
            field="count", code="InvalidParameterValue.LimitExceeded", most=COUNT_MAX,
        )  # fmt: skip
    check_flag(asked.renew_flag)
    if asked.name:
        rename.check_name(asked.name)
    new.check(asked.tags)
    if asked.zone:
        offered.check_zone(shop.snapshot(), asked.region, asked.zone)
    _check_package(asked)


def _check_package(asked: NewAddresses) -> None:
    if asked.part.in_package and not asked.package:
        raise MissingParameter("{mode} needs a bandwidth package.", field="packages", mode=BANDWIDTH_PACKAGE)
    if asked.package and not asked.part.in_package:
        raise InvalidParameter(
            "Only what is charged by {mode} is in a bandwidth package.", field="packages", mode=BANDWIDTH_PACKAGE
        )


def counting(account_id: int) -> QuerySet[Eip]:
    """The account's addresses that count against the quota, in every region; by their own index."""
    return Eip.objects.filter(account_id=account_id).exclude(state=EipState.GONE)


def _refuse(account_id: int, asked: NewAddresses) -> None:
    unpaid.refuse_buyer(account_id)
    held = counting(account_id).filter(zone__region_id=asked.region).count()
    most = db.call("customers_quota", account_id, "addresses_per_region")
    if held + asked.count > most:
        raise errors.QuotaReached(
            "At most {most} elastic public addresses are possible in a region, and there are {held}.",
            field="count", code="AddressQuotaLimitExceeded", most=most, held=held,
        )  # fmt: skip


_ZONE = """
SELECT z.code FROM catalog_zone z
CROSS JOIN LATERAL (SELECT count(*) AS n FROM (
  SELECT FROM network_public_address WHERE zone_id = z.code AND instance_id IS NULL LIMIT %(enough)s) AS spare) AS free
CROSS JOIN LATERAL (SELECT count(*) AS n FROM subscriptions_subscription s
  WHERE s.account_id = %(account)s AND s.zone_id = z.code AND s.kind = 'machine'
    AND s.standing NOT IN ('ended', 'failed')) AS machine
WHERE z.region_id = %(region)s AND z.on_sale
ORDER BY free.n >= %(count)s DESC, machine.n DESC, free.n DESC, z.position LIMIT 1
"""


def _zone(account_id: int, asked: NewAddresses) -> str:
    """Where nobody says it: where addresses are free, the account has most machines, and most addresses are free."""
    if asked.zone:
        return asked.zone
    found = db.rows(_ZONE, account=account_id, region=asked.region, count=asked.count, enough=COUNT_MAX)
    if not found:
        raise errors.UnknownZone("Nothing is sold in the region {region}.", field="region", region=asked.region)
    return str(found[0]["code"])


def _package(account_id: int, asked: NewAddresses) -> Package | None:
    """The one that they are in, locked."""
    if not asked.package:
        return None
    package = own_package.lock(account_id, asked.package)
    own_package.refuse_use(package, asked.count)
    own_package.refuse_place(package, asked.region, asked.zone)
    offered.check_zone(shop.snapshot(), asked.region, package.zone_id)
    return package


def _write(actor: Actor, asked: NewAddresses, due: Cost, package: Package | None) -> list[Eip]:
    """Agreements, terms, addresses; charged as idle from now on, or paid."""
    zone = package.zone_id if package else _zone(actor.account, asked)
    now, ids = clock.now(), numbers.subscriptions(asked.count)
    claimed = db.call("network_claim_public", zone, actor.account, ids)
    if len(claimed) < asked.count:
        binned, until = db.call("instances_addresses_in_bin", actor.account, zone).split("|")
        raise refusals.no_address(zone, binned, until, field="count")
    started = db.call("metering_instant", now)
    first = term_from_now(asked.months) if asked.part.paid_ahead else None
    agreed = [_agreement(actor.account, zone, number, asked, (now, started, first)) for number in ids]
    Subscription.objects.bulk_create(agreed)
    here = own.prices(zone)
    Item.objects.bulk_create(_terms(one, asked.part, here, now) for one in agreed)
    task = task_number()
    within = {"package": package, "charged_outside": TRAFFIC_POSTPAID_BY_HOUR} if package else {}
    made = [
        _eip(one, str(ip), asked, actor.request_id, task=task, **within)
        for one, ip in zip(agreed, claimed, strict=True)
    ]
    Eip.objects.bulk_create(made)
    if first:
        _pay(actor.account, made, due, first, asked.part.term(here, bound=True))
    else:
        _hold_an_hour(agreed, due)
        db.call("metering_start", ids, [], started)
    return made


def _hold_an_hour(agreed: Sequence[Subscription], due: Cost) -> None:
    with holds.or_refuse(lambda available, needed: errors.InsufficientBalance(
        "One hour of the addresses is set aside: {needed} are needed and {available} are available.",
        code="FailedOperation.BalanceInsufficient", needed=needed, available=available,
    )):  # fmt: skip
        holds.take(agreed, [due.hold_minor] * len(agreed))


def _pay(account_id: int, eips: Sequence[Eip], due: Cost, first: Term, pays_for: tuple[str, str, int]) -> None:
    """The order of their first terms, a line an address; they are there, and so it is paid at once."""
    here = shop.snapshot()
    listed, amount = due.listed_minor, due.term_minor or 0
    lines = tuple(
        PricedLine(
            eip.public_id, listed, amount, listed, amount, first.months, 0, first.anchor_at, first.anchor_at,
            first.period_to, (pays_for,),
        )
        for eip in eips
    )  # fmt: skip
    version = books.current_book(here.generation).version
    priced = Priced(ADDRESS_PURCHASE, version, here.currency, lines, due.factor)
    with own.paying():
        paid.take(
            priced, {eip.public_id: eip.subscription for eip in eips},
            paid.order_of(numbers.order(), account_id, priced, {}),
        )  # fmt: skip
    term.follow(eips)


def _agreement(
    account_id: int, zone: str, number: int, asked: NewAddresses, begun: tuple[dt.datetime, dt.datetime, Term | None]
) -> Subscription:
    """``begun``: now, from when it is charged, and the term that is paid ahead."""
    now, started, first = begun
    return Subscription(
        id=number, account_id=account_id, zone_id=zone, kind=ADDRESS, public_id=public_ids.of("eip", number),
        bundle_id=number, created_at=now, charge_type=PREPAID if first else POSTPAID_BY_HOUR,
        standing=Standing.ACTIVE, started_at=started, renew_flag=asked.renew_flag if first else MANUAL,
        isolated_source=Source.NOT_ISOLATED, anchor_at=first.anchor_at if first else None,
        expires_at=first.period_to if first else None,
    )  # fmt: skip


def _terms(agreed: Subscription, part: AddressPart, here: RegionPrices, now: dt.datetime) -> Item:
    component, key, quantity = part.term(here, bound=False)
    return Item(
        subscription=agreed, component=component, mode=own.mode_of(part, component), price_key=key, quantity=quantity,
        book_version=books.current_book(shop.snapshot().generation).version, pausable=False, from_at=now,
    )  # fmt: skip


def _eip(agreed: Subscription, ip: str, asked: NewAddresses, request_id: str, **columns: Any) -> Eip:
    return Eip(
        id=agreed.id, subscription=agreed, public_id=agreed.public_id, account_id=agreed.account_id, ip=ip,
        zone_id=agreed.zone_id, created_at=agreed.created_at, name=asked.name,
        internet_charge_type=asked.part.internet_charge_type, bandwidth_mbps=asked.part.bandwidth_mbps,
        state=EipState.UNBIND, latest_operation=ACT, latest_operation_state="SUCCESS",
        latest_operation_request_id=request_id, **columns,
    )  # fmt: skip


def task(account_id: int, number: int) -> str:
    """RUNNING, SUCCESS or FAILED: what has become of an act on addresses. Raises UnknownTask.

    Known is the latest act on each; no other begins before it has ended.
    """
    sayable = number if 0 <= number < 2**63 else -1
    states: Sequence[str] = list(
        Eip.objects.filter(account_id=account_id, task=sayable).values_list("latest_operation_state", flat=True)
    )
    if not states:
        raise errors.UnknownTask(
            "There is no task {number}, or its addresses have had another since.", field="task", number=number
        )
    if "OPERATING" in states:
        return "RUNNING"
    return "FAILED" if "FAILED" in states else "SUCCESS"
