"""The published examples of upgrades, downgrades, renewals and returns, sold and paid for to the cent.

Bought at the example's prices, used on the clock, asked for, done, and compared with the ledger. No vouchers are sold:
where an example was paid with one of 100.00, that was paid in money here, and so much more comes back.
"""

import datetime as dt
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.orders.addressing import by_month, new_address
from tests.orders.ending import no_closes, now
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import MONTHLY, buy_running, go_to, new_prices, open_purse, purses, work
from vmart.config.reconcile import reconcile
from vmart.customers.models import Account
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.kernel.money import to_minor
from vmart.ledger.models import Entry, Transfer
from vmart.orders import credit, renew, resize, return_prepaid, terminate
from vmart.orders.addresses.bandwidth import change, reckon
from vmart.orders.downgrade import Downgrade
from vmart.orders.models import Line
from vmart.orders.renew import Renewal
from vmart.orders.resize import Resize
from vmart.pricing.configuration import Configuration, DiskChoice
from vmart.pricing.models import Book
from vmart.pricing.priced import Priced

pytestmark = pytest.mark.usefixtures("in_business")

FILE = Path(__file__).parents[1] / "money/vectors/worked-examples.json"
EXAMPLES = {example["id"]: example for example in json.loads(FILE.read_text())}
SMALL, LARGE = "S5.SMALL2", "S5.MEDIUM4"
DAY = dt.timedelta(days=1)
VOUCHER_MINOR = 10_000
PLENTY_MINOR = 1_000_000


def _given(name: str) -> Any:
    return EXAMPLES[name]["given"]


def _expected_minor(name: str, key: str = "refund") -> int:
    return to_minor(Decimal(EXAMPLES[name]["expect"][key]))


def _shanghai(year: int, month: int, day: int) -> dt.datetime:
    return dt.datetime(year, month, day, 10, tzinfo=dt.timezone(dt.timedelta(hours=8)))


def _sell(test_clock: BusinessClock, prices: dict[str, tuple[object, object]], **parts: Any) -> None:
    """These types at these prices a month and an hour, with disks that cost nothing."""
    there = Book.objects.latest("effective_at").document
    types = {
        name: there["instance_types"][name] | {"month": str(month), "hour": str(hour)}
        for name, (month, hour) in prices.items()
    }
    free = {name: disk | {"month": "0", "hour": "0"} for name, disk in there["disks"].items()}
    new_prices(test_clock, instance_types=there["instance_types"] | types, disks=free, **parts)
    no_closes()


def _machine(instance_type: str, months: int) -> Configuration:
    disk = DiskChoice("CLOUD_PREMIUM", 50)
    return replace(MONTHLY, instance_type=instance_type, period_months=months, system_disk=disk)


def _spent_minor(account: int) -> int:
    """What is gone from the purses since they were filled; nothing is held or owed."""
    now_there = purses(account)
    assert (now_there["held"], now_there["owed"], list(reconcile())) == (0, 0, [])
    return PLENTY_MINOR - now_there["cash"] - now_there["gift"]


# -- upgrades ------------------------------------------------------------------------------------------


def test_an_upgrade_of_a_machine_with_months_that_are_not_rounded(test_clock: BusinessClock) -> None:
    """upgrade-8: 65 to 218 a month, 244 days at 0.88."""
    given = _given("upgrade-8")
    _sell(test_clock, {SMALL: (given["old_monthly"], 1), LARGE: (given["new_monthly"], 2)})
    test_clock.set(_shanghai(2026, 5, 1))
    account = open_purse(cash_minor=PLENTY_MINOR)
    machine = buy_running(account, _machine(SMALL, 8))
    go_to(test_clock, _shanghai(2027, 1, 1) - given["days"] * DAY)
    before, fee = _spent_minor(account), _expected_minor("upgrade-8", "fee")
    asked = resize.reckon(account, Resize([machine.public_id], LARGE))
    assert isinstance(asked, Priced) and asked.due_minor == fee
    resize.change(by(account), [machine.public_id], LARGE)
    work()
    assert (now(machine).instance_type_id, _spent_minor(account) - before) == (LARGE, fee)
    assert now(machine).subscription.expires_at == _shanghai(2027, 1, 1)


_OLD_AND_MORE = [{"above": "0", "up_to": "1", "price": "65"}, {"above": "1", "price": "153"}]  # 65, and 218 for two
_EIPS = {
    # name of the example: (Mbps before, Mbps after, parts of the price book)
    "upgrade-11": (1, 2, _OLD_AND_MORE, {"3": "0.8"}),
    "eip-24": (2, 5, None, None),
}


@pytest.mark.parametrize("name", _EIPS)
def test_more_bandwidth_of_an_address_with_rounded_months(test_clock: BusinessClock, name: str) -> None:
    before_mbps, after_mbps, steps, terms = _EIPS[name]
    book = Book.objects.latest("effective_at").document
    parts: dict[str, Any] = {"bandwidth": book["bandwidth"] | {"month": steps}} if steps else {}
    if terms:
        parts["term_discounts"] = {
            "covers": ["cpu", "bandwidth"], "tables": book["term_discounts"]["tables"] | {"default": terms},
        }  # fmt: skip
    new_prices(test_clock, **parts)
    no_closes()
    account = open_purse(cash_minor=PLENTY_MINOR)
    eip = new_address(account, by_month(before_mbps, months=6))
    go_to(test_clock, _shanghai(2026, 9, 10) - _given(name)["days"] * DAY)
    before, fee = _spent_minor(account), _expected_minor(name, "fee")
    (asked,) = reckon(account, [eip.public_id], after_mbps)
    assert isinstance(asked, Priced) and asked.due_minor == fee
    change(by(account), [eip.public_id], after_mbps)
    work()
    assert _spent_minor(account) - before == fee


# -- downgrades ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "at", "key"),
    [
        ("downgrade-13", _shanghai(2026, 5, 10), "refund"),
        ("downgrade-14", _shanghai(2026, 11, 10), "raw"),  # with the voucher's 100.00 more than nothing is left
        ("downgrade-15", _shanghai(2026, 6, 13), "refund"),
    ],
)
def test_a_downgrade(test_clock: BusinessClock, name: str, at: dt.datetime, key: str) -> None:
    """Bought on 10 March 2026 for a year."""
    given, back = _given(name), _expected_minor(name, key) + VOUCHER_MINOR
    _sell(test_clock, {LARGE: (given["old_monthly"], given.get("old_hourly", 1)), SMALL: (given["new_monthly"], 1)})
    account = open_purse(cash_minor=PLENTY_MINOR)
    machine = buy_running(account, _machine(LARGE, given["bought_months"]))
    go_to(test_clock, at)
    before = _spent_minor(account)
    assert before == to_minor(Decimal(given["paid"])) + VOUCHER_MINOR
    asked = resize.reckon(account, Resize([machine.public_id], SMALL))
    assert isinstance(asked, Downgrade) and asked.back_minor == back
    resize.change(by(account), [machine.public_id], SMALL)
    work()
    assert (now(machine).instance_type_id, before - _spent_minor(account)) == (SMALL, back)


# -- purchase and renewal ------------------------------------------------------------------------------


def test_a_year_bought_and_renewed(test_clock: BusinessClock) -> None:
    """price-12: 102 a month, a year at 0.83."""
    given, price = _given("price-12"), _expected_minor("price-12", "list_discounted")
    _sell(test_clock, {LARGE: (given["monthly"], 1)})
    account = open_purse(cash_minor=PLENTY_MINOR)
    machine = buy_running(account, _machine(LARGE, given["months"]))
    assert _spent_minor(account) == price
    asked = Renewal([machine.public_id], given["months"])
    assert renew.price(account, asked).due_minor == price
    renew.renew(by(account), asked)
    assert _spent_minor(account) == 2 * price
    assert now(machine).subscription.expires_at == _shanghai(2028, 3, 10)


@pytest.mark.parametrize("name", ["unified-30", "unified-31"])
def test_a_renewal_to_a_unified_day(test_clock: BusinessClock, name: str) -> None:
    """unified-31 is of a purchase, which has no unified day: a renewal from its day on costs the same."""
    given, price = _given(name), _expected_minor(name, "price")
    days = given.get("expires", given.get("bought")), given["to"]
    from_, to = (dt.date.fromisoformat(f"2027-{day}") for day in days)
    _sell(test_clock, {LARGE: (given["monthly"], 1)})
    test_clock.set(_shanghai(2027, from_.month - 1, from_.day))
    account = open_purse(cash_minor=PLENTY_MINOR)
    machine = buy_running(account, _machine(LARGE, 1))
    before, asked = _spent_minor(account), Renewal([machine.public_id], 0, to.day)
    assert renew.price(account, asked).due_minor == price
    renew.renew(by(account), asked)
    assert _spent_minor(account) - before == price
    assert now(machine).subscription.expires_at == _shanghai(to.year, to.month, to.day)


# -- returns -------------------------------------------------------------------------------------------


def _give(account: int, gift_minor: int) -> None:
    with db.act():
        credit.credit("00000000-0000-8000-8000-0000000000aa", "grant", account, "gifts", gift_minor=gift_minor)  # type: ignore[arg-type]


def _returned(account: int, machine: Instance) -> tuple[int, int]:
    """Cash and gift that come back, as they were asked for before."""
    (quoted,) = return_prepaid.quote_refund(account, [machine.public_id])
    before = purses(account)
    terminate.terminate(by(account), [machine.public_id])
    work()
    cash, gift = (purses(account)[purse] - before[purse] for purse in ("cash", "gift"))
    assert quoted.refund_minor == cash + gift
    assert sum(Line.objects.values_list("refund_minor", flat=True)) == cash + gift
    refunds = Transfer.objects.filter(kind="refund").values("id")
    booked = Entry.objects.filter(transfer_id__in=refunds, book__in=["cash", "gift"])
    assert sum(booked.values_list("amount_minor", flat=True)) == cash + gift
    assert list(reconcile()) == []
    return cash, gift


def test_a_return_with_a_renewal_that_has_not_begun(test_clock: BusinessClock) -> None:
    """refund-3."""
    _sell(test_clock, {"S1.SMALL1": (51, "0.42")})
    account = open_purse(cash_minor=PLENTY_MINOR)
    Account.objects.update(free_return_used_at=test_clock.at)
    machine = buy_running(account, _machine("S1.SMALL1", 12))
    renew.renew(by(account), Renewal([machine.public_id], 12))
    go_to(test_clock, test_clock.at + dt.timedelta(hours=_given("refund-3")["used_hours"]))
    assert _returned(account, machine) == (_expected_minor("refund-3") + VOUCHER_MINOR, 0)


def _shared(name: str, cash: int, paid: int) -> tuple[int, int]:
    """Of what comes back, cash as its share in what was paid, half-up, and gift money the rest."""
    back = _expected_minor(name) + VOUCHER_MINOR
    of_cash = (2 * back * cash + paid) // (2 * paid)
    return of_cash, back - of_cash


def test_a_return_of_what_cash_and_gift_money_paid(test_clock: BusinessClock) -> None:
    """refund-5: 45.36 used in five days; 200.00 of 507.96 were cash."""
    _sell(test_clock, {"S1.SMALL1": (51, "0.42")})
    cash, paid = 20_000, 50_796
    account = open_purse(cash_minor=cash)
    _give(account, paid - cash)
    Account.objects.update(free_return_used_at=test_clock.at)
    machine = buy_running(account, _machine("S1.SMALL1", 12))
    go_to(test_clock, test_clock.at + dt.timedelta(hours=120))
    assert _returned(account, machine) == _shared("refund-5", cash, paid) == (18_214, 28_046)


def test_a_return_after_months_of_a_machine_with_bandwidth_that_the_discount_covers(test_clock: BusinessClock) -> None:
    """refund-7: 490.28 used of 707.16 in seven months and five days; 300.00 were cash."""
    tables = Book.objects.latest("effective_at").document["term_discounts"]["tables"]
    _sell(
        test_clock, {"S1.SMALL1": (51, "0.42")}, term_discounts={"covers": ["cpu", "bandwidth"], "tables": tables}
    )  # fmt: skip
    cash, paid = 30_000, 70_716
    account = open_purse(cash_minor=cash)
    _give(account, paid - cash)
    Account.objects.update(free_return_used_at=test_clock.at)
    by_bandwidth = replace(
        _machine("S1.SMALL1", 12), internet_charge_type="BANDWIDTH_PREPAID", bandwidth_mbps=1, public_ip=True
    )
    machine = buy_running(account, by_bandwidth)
    assert purses(account)["available"] == 0
    go_to(test_clock, _shanghai(2026, 10, 15))
    assert _returned(account, machine) == _shared("refund-7", cash, paid) == (9_201, 12_487)
