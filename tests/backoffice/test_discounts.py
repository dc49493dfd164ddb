"""Discounts of customers: what the seller sets, withdraws and reads, and what the customer is told of it."""

import contextlib
import datetime as dt
import re
import threading
from decimal import Decimal

import pytest
from click.testing import CliRunner, Result

from tests.support.actors import SELLER
from tests.support.at_once import at_once
from tests.support.business_clock import START, BusinessClock
from tests.support.shopper import HOURLY, buy_running, open_purse
from tests.support.written import nothing_written, refused
from tests.web.visiting import Visitor, customer, open_business, operator, text_of, work
from vmart.config import business_time
from vmart.config.cli import main
from vmart.customers import discounts
from vmart.customers.models import Discount
from vmart.events.models import Event
from vmart.kernel import db
from vmart.kernel.errors import InvalidValue, NotFound
from vmart.listings import discounts as listed
from vmart.listings.paging import PAGE
from vmart.orders import discount
from vmart.orders.discount import factor_of, percent_off, set_factor, withdraw

pytestmark = pytest.mark.usefixtures("shop")
HOUR = dt.timedelta(hours=1)


def _rows(account: int) -> list[tuple[dt.datetime, Decimal, str, str]]:
    return [(row.from_at, row.factor, row.reason, row.by) for row in discounts.of(account)]


def _told(account: int) -> list[tuple[str, dict[str, object]]]:
    own = Event.objects.filter(account_id=account, kind__startswith="discount").order_by("id")
    return [(row.kind, row.detail) for row in own]


# -- what the seller says ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "factor", "again"),
    [
        ("12.5", "0.875", "12.5"), ("0", "1", "0"), ("100", "0", "100"), ("0.01", "0.9999", "0.01"),
        (" 7 ", "0.93", "7"), ("99.99", "0.0001", "99.99"), ("010", "0.9", "10"), ("100.00", "0", "100"),
    ],
)  # fmt: skip
def test_percent_off_is_exact_decimal_text(text: str, factor: str, again: str) -> None:
    assert factor_of(text) == Decimal(factor)
    assert percent_off(factor_of(text)) == again


@pytest.mark.parametrize(
    "text",
    ["", " ", "-1", "+1", "100.01", "101", "999", "1000", "1.005", "12,5", "12.", ".5", "NaN", "sNaN", "Infinity",
     "1e1", "١٢", "12.5%", "9" * 5000, "1\0"],
)  # fmt: skip
def test_what_is_no_percentage_is_refused(text: str) -> None:
    with refused(InvalidValue, field="factor", match="a number of percent from 0 to 100, with at most 2 decimals"):
        factor_of(text)


# -- the act -------------------------------------------------------------------------------------------


def test_a_discount_holds_from_the_next_full_hour_on(test_clock: BusinessClock) -> None:
    account = open_purse()
    test_clock.advance(minutes=17)
    assert set_factor(account, Decimal("0.875"), " buys much ", SELLER)
    assert _rows(account) == [(START + HOUR, Decimal("0.8750"), "buys much", "command line (me)")]
    assert listed.held(account).factor == 1
    test_clock.set(START + HOUR)
    held = listed.held(account)
    assert (held.factor, held.percent_off, held.coming, held.last) == (Decimal("0.875"), "12.5", [], None)
    assert _told(account) == [
        ("discount", {"before": {"percent_off": "0"}, "after": {"percent_off": "12.5",
                      "from_at": "2026-03-10T03:00:00+00:00"}, "why": "buys much"}),
    ]  # fmt: skip


def test_what_begins_next_is_replaced_and_what_has_begun_stays(test_clock: BusinessClock) -> None:
    account = open_purse()
    set_factor(account, Decimal("0.9"), "first", SELLER)
    test_clock.advance(hours=1)
    set_factor(account, Decimal("0.8"), "second", SELLER)
    assert set_factor(account, Decimal("0.7"), "third", SELLER)
    assert [(at, factor) for at, factor, _, _ in _rows(account)] == [
        (START + 2 * HOUR, Decimal("0.7")), (START + HOUR, Decimal("0.9")),
    ]  # fmt: skip
    assert [(kind, told["before"], told["after"]["percent_off"]) for kind, told in _told(account)] == [  # type: ignore[index]
        ("discount", {"percent_off": "0"}, "10"), ("discount", {"percent_off": "10"}, "20"),
        ("discount", {"percent_off": "20"}, "30"),
    ]  # fmt: skip


@pytest.mark.parametrize("begun", [False, True])
def test_the_same_again_changes_nothing(test_clock: BusinessClock, begun: bool) -> None:
    account = open_purse()
    set_factor(account, Decimal("0.9"), "buys much", SELLER)
    if begun:
        test_clock.advance(hours=1)
    with nothing_written():
        assert not set_factor(account, Decimal("0.9000"), "buys much", SELLER)
    other = open_purse("other")
    with nothing_written():
        assert not set_factor(other, Decimal(1), "as ever", SELLER)


def test_another_reason_alone_changes_nothing() -> None:
    account = open_purse()
    set_factor(account, Decimal("0.9"), "buys much", SELLER)
    with nothing_written():
        assert not set_factor(account, Decimal("0.9"), "by contract 7", SELLER)


def test_what_has_not_begun_is_withdrawn_and_what_holds_goes_on(test_clock: BusinessClock) -> None:
    account = open_purse()
    set_factor(account, Decimal("0.9"), "first", SELLER)
    test_clock.advance(hours=1)
    with nothing_written():
        assert not withdraw(account, SELLER)
    set_factor(account, Decimal("0.5"), "a mistake", SELLER)
    assert withdraw(account, SELLER)
    assert [factor for _, factor, _, _ in _rows(account)] == [Decimal("0.9")]
    withdrawn = {"before": {"percent_off": "50"}, "after": {"percent_off": "10"}}
    assert _told(account)[-1] == ("discount_withdrawn", withdrawn)
    set_factor(account, Decimal("0.5"), "a mistake", SELLER)
    assert set_factor(account, Decimal("0.9"), "as it was", SELLER)  # what holds: the same as to withdraw
    assert _told(account)[-1] == ("discount_withdrawn", withdrawn | {"why": "as it was"})
    assert [factor for _, factor, _, _ in _rows(account)] == [Decimal("0.9")]


def test_nothing_off_ends_a_discount(test_clock: BusinessClock) -> None:
    account = open_purse()
    set_factor(account, Decimal("0.9"), "buys much", SELLER)
    test_clock.advance(hours=1)
    assert set_factor(account, factor_of("0"), "buys no more", SELLER)
    assert listed.held(account).factor == Decimal("0.9")
    test_clock.advance(hours=1)
    assert (listed.held(account).is_any, len(_rows(account))) == (False, 2)


def test_what_begins_within_a_minute_is_not_touched_any_more(test_clock: BusinessClock) -> None:
    account = open_purse()
    test_clock.set(START + dt.timedelta(minutes=58, seconds=59))
    set_factor(account, Decimal("0.9"), "in time", SELLER)
    assert [at for at, _, _, _ in _rows(account)] == [START + HOUR]
    assert listed.held(account).can_be_withdrawn
    test_clock.set(START + HOUR - dt.timedelta(seconds=1))
    assert not listed.held(account).can_be_withdrawn
    with nothing_written():
        assert not withdraw(account, SELLER)
        assert not set_factor(account, Decimal("0.9"), "again", SELLER)
    set_factor(account, Decimal("0.8"), "late", SELLER)
    assert [at for at, _, _, _ in _rows(account)] == [START + 2 * HOUR, START + HOUR]
    held = listed.held(account)
    assert (held.factor, [row.reason for row in held.coming]) == (1, ["in time", "late"])
    assert held.can_be_withdrawn
    assert _told(account)[-1][1]["before"] == {"percent_off": "10"}
    assert withdraw(account, SELLER)
    assert _told(account)[-1] == (
        "discount_withdrawn", {"before": {"percent_off": "20"}, "after": {"percent_off": "10"}},
    )  # fmt: skip
    test_clock.advance(seconds=1)
    assert [at for at, _, _, _ in _rows(account)] == [START + HOUR]
    assert listed.held(account).factor == Decimal("0.9")


@pytest.mark.parametrize(("minute", "second", "hours"), [(0, 0, 1), (58, 59, 1), (59, 0, 2), (59, 59, 2)])
def test_the_hour_with_which_it_begins(test_clock: BusinessClock, minute: int, second: int, hours: int) -> None:
    test_clock.set(START + dt.timedelta(minutes=minute, seconds=second))
    account = open_purse()
    set_factor(account, Decimal("0.9"), "buys much", SELLER)
    assert [at for at, _, _, _ in _rows(account)] == [START + hours * HOUR]
    assert listed.begins() == START + hours * HOUR


@pytest.mark.parametrize(
    "factor", ["-0.0001", "1.0001", "0.12345", "NaN", "sNaN", "Infinity", "-Infinity", "1E-30", "2", "0.9" + "9" * 50]
)
def test_what_is_no_part_of_list_prices_is_refused(factor: str) -> None:
    account = open_purse()
    set_factor(account, Decimal("0.9"), "buys much", SELLER)
    with refused(InvalidValue, field="factor"):
        set_factor(account, Decimal(factor), "why", SELLER)


@pytest.mark.parametrize("reason", ["", " ", "x" * 201, "two\nlines", "a\0b"])
def test_a_discount_without_a_reason_is_refused(reason: str) -> None:
    account = open_purse()
    with refused(InvalidValue, field="reason"):
        set_factor(account, Decimal("0.9"), reason, SELLER)


def test_nobody_is_no_customer() -> None:
    with refused(NotFound, field="account_id"):
        set_factor(10**6, Decimal("0.9"), "why", SELLER)
    with refused(NotFound, field="account_id"):
        withdraw(10**6, SELLER)


def test_of_two_at_once_the_last_one_holds_and_both_are_told() -> None:
    """The lock lets one in after the other: whoever comes second has seen what the first has set."""
    account = open_purse()
    outcomes = at_once(
        *[lambda part=part: set_factor(account, Decimal(part), f"by {part}", SELLER) for part in ("0.9", "0.8")]
    )
    assert outcomes == [True, True]
    first, second = (told for _, told in _told(account))
    assert first["before"] == {"percent_off": "0"}
    assert second["before"] == {"percent_off": first["after"]["percent_off"]}  # type: ignore[index]
    ((_, factor, reason, _),) = _rows(account)
    assert (percent_off(factor), reason) == (second["after"]["percent_off"], second["why"])  # type: ignore[index]


def test_without_the_lock_two_at_once_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the one before: both delete nothing, and the second row of the hour is refused by the table."""
    account, met = open_purse(), threading.Barrier(2)
    keep = discounts.keep

    def meeting(*said: object) -> bool:
        met.wait(10)
        return keep(*said)  # type: ignore[arg-type]

    @contextlib.contextmanager
    def unlocked(_account: int):  # type: ignore[no-untyped-def]
        with db.act():
            yield

    monkeypatch.setattr(discount, "locked", unlocked)
    monkeypatch.setattr(discounts, "keep", meeting)
    outcomes = at_once(
        *[lambda part=part: set_factor(account, Decimal(part), f"by {part}", SELLER) for part in ("0.9", "0.8")]
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["IntegrityError", "bool"]


def test_what_an_hour_costs_by_each_is_exact() -> None:
    account = open_purse(cash_minor=10_000)
    assert listed.hour(account, Decimal(1), Decimal("0.875")) == listed.Hour(Decimal(0), Decimal(0))
    buy_running(account, HOURLY)
    hour = listed.hour(account, Decimal(1), Decimal("0.875"))
    assert hour is not None
    assert (hour.now > 0, hour.then) == (True, hour.now * 7 / 8)


def test_many_are_listed_a_page_at_a_time() -> None:
    account = open_purse()
    Discount.objects.bulk_create(
        Discount(account_id=account, from_at=START - n * HOUR, factor=Decimal("0.5"), reason=f"r{n}", by="me",
                 created_at=START)
        for n in range(PAGE + 2, 0, -1)
    )  # fmt: skip
    first = listed.of_account(account)
    assert [row.reason for row in first.rows] == [f"r{n}" for n in range(1, PAGE + 1)]
    assert [row.reason for row in listed.of_account(account, first.older).rows] == [f"r{PAGE + 1}", f"r{PAGE + 2}"]


# -- the pages -----------------------------------------------------------------------------------------


def _address(buyer: Visitor, act: str = "") -> str:
    return f"/seller/customers/{buyer.account_id}/" + act


SET = {"act": "set", "percent": "12.5", "reason": "buys much"}


@pytest.mark.parametrize("role", ["finance", "admin"])
def test_it_is_set_and_withdrawn_on_the_page(role: str) -> None:
    buyer, seller = customer(), operator(role)
    page = text_of(seller.get(_address(buyer)))
    assert "This customer pays list prices." in page and "This customer has always paid list prices." in page
    done = text_of(seller.post(_address(buyer, "discount/"), SET, follow=True))
    assert "The discount is set." in done
    assert "This customer pays list prices. From 2026-03-10 11:00:00 on, 87.5 % of them." in done
    row = f"2026-03-10 11:00:00 to come 12.5 % buys much 2026-03-10 10:00:00 {seller.user.email}"
    assert row in done
    assert "It is so already." in text_of(seller.post(_address(buyer, "discount/"), SET, follow=True))
    again = text_of(seller.post(_address(buyer, "discount/"), {"act": "withdraw"}, follow=True))
    assert "What had not begun is withdrawn." in again and "Withdraw what has not begun" not in again
    nothing = text_of(seller.post(_address(buyer, "discount/"), {"act": "withdraw"}, follow=True))
    assert "Nothing is set that could be withdrawn." in nothing


def test_what_holds_is_said_with_its_history(test_clock: BusinessClock) -> None:
    buyer, seller = customer(), operator()
    set_factor(buyer.account_id, Decimal("0.9"), "<b>first</b>", SELLER)
    test_clock.advance(hours=1)
    set_factor(buyer.account_id, Decimal(0), "a friend", SELLER)
    answer = seller.get(_address(buyer))
    page = text_of(answer)
    assert "This customer pays 90 % of list prices. From 2026-03-10 12:00:00 on, 0 % of them." in page
    assert "&lt;b&gt;first&lt;/b&gt;" in answer.content.decode() and "<b>first" not in answer.content.decode()


def test_the_preview_says_what_an_hour_costs_and_writes_nothing() -> None:
    buyer, seller = customer(gift_minor=10_000), operator()
    open_business()
    buyer.buy("?charge=postpaid&count=2")
    work()
    hour = listed.hour(buyer.account_id, Decimal(1), Decimal("0.875"))
    assert hour is not None and hour.now
    with nothing_written():
        answer = seller.post(_address(buyer, "discount/"), {"act": "preview", "percent": "12.5", "reason": ""})
    page = text_of(answer)
    assert answer.status_code == 200
    found = re.search(
        r"An hour of what this customer uses costs ¥([0-9.]+) now\. From 2026-03-10 11:00:00 on, at 87.5 % of"
        r" list prices, it costs ¥([0-9.]+)\.",
        page,
    )
    assert found and (Decimal(found[1]), Decimal(found[2])) == (hour.now, hour.then)
    assert 'value="12.5"' in answer.content.decode()
    assert f"An hour of what this customer uses costs ¥{found[1]}." in text_of(seller.get(_address(buyer)))


@pytest.mark.parametrize("act", ["set", "preview"])
@pytest.mark.parametrize("percent", ["", "-1", "100.01", "1.005", "NaN", "9" * 400, "<b>"])
def test_a_wrong_percentage_is_refused_at_its_field(act: str, percent: str) -> None:
    buyer, seller = customer(), operator()
    with nothing_written():
        answer = seller.post(_address(buyer, "discount/"), {"act": act, "percent": percent, "reason": "why"})
    page = answer.content.decode()
    said = '<div id="discount-percent_error"><p class="field-error" role="alert">The discount is '
    assert (answer.status_code, said in page, "<b>" in page.split('id="discount"')[1][:3000]) == (422, True, False)
    assert '<input type="text" name="reason" value="why"' in page


def test_a_missing_reason_is_refused_at_its_field() -> None:
    buyer, seller = customer(), operator()
    for typed in (SET | {"reason": " "}, SET | {"reason": "a\0b"}, {"act": "set", "percent": "5"}):
        with nothing_written():
            answer = seller.post(_address(buyer, "discount/"), typed)
        assert (answer.status_code, 'id="discount-reason_error"' in answer.content.decode()) == (422, True)


@pytest.mark.parametrize("role", ["support", "operations", ""])
def test_who_may_move_no_money_sets_none(role: str) -> None:
    buyer, seller = customer(), operator(role)
    with nothing_written():
        for act in ("set", "withdraw", "preview"):
            assert seller.post(_address(buyer, "discount/"), SET | {"act": act}).status_code == 403
            assert buyer.post(_address(buyer, "discount/"), SET | {"act": act}).status_code == 403
    if role == "support":
        page = seller.get(_address(buyer)).content.decode()
        assert 'id="discount"' in page and _address(buyer, "discount/") not in page


@pytest.mark.parametrize("number", [0, 10**9, 2**63, 10**30])
def test_an_unknown_customer_is_not_found(number: int) -> None:
    seller = operator()
    for act in ("set", "withdraw", "preview"):
        with nothing_written():
            assert seller.post(f"/seller/customers/{number}/discount/", SET | {"act": act}).status_code == 404


def test_the_customer_reads_what_is_paid_and_who_set_it_only_as_the_seller(test_clock: BusinessClock) -> None:
    buyer, seller = customer(), operator("finance")
    buyer.buy("?charge=postpaid&count=1")  # who has nothing has another first page
    assert "of list prices" not in text_of(buyer.get("/overview/"))
    seller.post(_address(buyer, "discount/"), SET)
    part = "87.5 % of list prices."
    assert f"From 2026-03-10 11:00:00 on you pay {part}" in text_of(buyer.get("/overview/"))
    test_clock.advance(hours=1)
    assert f"You pay {part}" in text_of(buyer.get("/overview/"))
    log = text_of(buyer.get("/activity/"))
    assert (
        "Discount set buys much from: 2026-03-10 11:00:00 percent off list prices: 12.5 the seller" in log
        and seller.user.email not in log
    )
    whole = text_of(seller.get(_address(buyer)))
    assert f"from: 2026-03-10 11:00:00 percent off list prices: 12.5 {seller.user.email}" in whole


def test_the_list_of_customers_says_who_pays_less_now(test_clock: BusinessClock) -> None:
    seller, account = operator(), open_purse("ada")
    open_purse("bob")
    set_factor(account, factor_of("12.5"), "buys much", SELLER)
    assert "−12.5 %" not in text_of(seller.get("/seller/customers/"))
    test_clock.advance(hours=1)
    set_factor(account, Decimal(0), "a friend", SELLER)
    assert text_of(seller.get("/seller/customers/")).count("May buy −12.5 %") == 1
    lines = b"".join(seller.get("/seller/customers/?as=csv")).decode("utf-8-sig").splitlines()  # type: ignore[arg-type]
    assert [(line.split(",")[1], line.split(",")[-1]) for line in lines[1:]] == [
        ("bob@example.com", "0"), ("ada@example.com", "12.5"),
    ]  # fmt: skip


# -- the commands --------------------------------------------------------------------------------------


@pytest.fixture
def vmart(monkeypatch: pytest.MonkeyPatch) -> object:
    """``vmart(…)``: the command, on this test's clock."""
    monkeypatch.setattr(business_time, "install", lambda: None)

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, ["customer", *words])

    return run


def test_the_commands_set_withdraw_and_say_that_nothing_changes(vmart) -> None:  # type: ignore[no-untyped-def]
    account = open_purse("ada")
    words = ["discount", "ada@example.com", "12.5", "--reason", "buys much"]
    assert vmart(*words).stdout.splitlines()[:2] == ["done              set", "percent off now   0"]
    with nothing_written():
        assert vmart(*words).stdout.splitlines()[0] == "done              it is so already"
    assert discounts.to_come(account).factor == Decimal("0.875")  # type: ignore[union-attr]
    assert vmart("withdraw-discount", str(account)).stdout.splitlines()[0] == "done              withdrawn"
    with nothing_written():
        assert vmart("withdraw-discount", str(account)).stdout.splitlines()[0] == "done              it is so already"
    assert vmart("discounts", str(account)).stdout == "nothing\n"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["discount", "ada@example.com", "101", "--reason", "x"], 3, "vmart: The discount is 101; it must be a number"),
        (["discount", "ada@example.com", "1.005", "--reason", "x"], 3, "with at most 2 decimals."),
        (["discount", "ada@example.com", "NaN", "--reason", "x"], 3, "vmart: The discount is NaN;"),
        (["discount", "ada@example.com", "5", "--reason", " "], 3, "vmart: A reason is one line of 1 to 200"),
        (["discount", "ada@example.com", "5"], 2, "Missing option '--reason'"),
        (["discount", "ada@example.com", "--reason", "x", "--", "-1"], 3, "vmart: The discount is -1;"),
        (["discount", "nobody@example.com", "5", "--reason", "x"], 3, "vmart: there is no customer nobody@example.com"),
        (["withdraw-discount", "999999"], 3, "vmart: there is no customer 999999"),
        (["discounts", "\0"], 3, "vmart: there is no customer"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_in_a_sentence(vmart, words: list[str], code: int, says: str) -> None:  # type: ignore[no-untyped-def]
    open_purse("ada")
    with nothing_written():
        done = vmart(*words)
    assert (done.exit_code, says in done.stderr) == (code, True), done.stderr
