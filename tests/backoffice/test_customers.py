"""The seller's pages of customers, and what is done there: money by hand, freezing, quotas."""

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse

from tests.support.actors import SELLER
from tests.support.at_once import at_once
from tests.support.plans import MANY, read_whole
from tests.support.shopper import HOURLY, MONTHLY_MINOR, open_purse, owe, pay, purses, wanted
from tests.support.statements import statements
from tests.support.written import nothing_written, refused
from tests.web.visiting import Form, Visitor, customer, operator, text_of
from vmart.config.reconcile import reconcile
from vmart.customers import quotas
from vmart.customers.models import Account, Member, User
from vmart.customers.quotas import own as own_quotas
from vmart.events import actor
from vmart.events.models import Event
from vmart.kernel import clock, functions
from vmart.kernel.errors import InvalidValue, NotFound
from vmart.ledger.models import ByHand, Transfer
from vmart.ledger.queries import balance
from vmart.listings import activity, customers
from vmart.listings.paging import PAGE
from vmart.network.models import Ipv6Address, PublicAddress
from vmart.orders import errors, standing
from vmart.orders.by_hand import Movement, amount_of, move
from vmart.orders.purchase import purchase

pytestmark = pytest.mark.usefixtures("shop")


def _movement(account: int, minor: int, **changed: Any) -> Movement:
    return Movement(**{
        "account_id": account, "amount_minor": minor, "purse": "cash", "reason": "bank transfer 7", "actor": SELLER,
        "key": "k1",
    } | changed)  # fmt: skip


# -- money by hand: the act --------------------------------------------------------------------------


def test_a_credit_is_a_transfer_with_reason_and_actor() -> None:
    account = open_purse()
    assert move(_movement(account, 1250))
    assert balance(account).cash_minor == 1250
    made = ByHand.objects.get()
    transfer = Transfer.objects.get(id=made.transfer_id)
    assert (transfer.kind, transfer.amount_minor) == ("credit", 1250)
    assert (made.amount_minor, made.purse, made.reason, made.actor) == (
        1250,
        "cash",
        "bank transfer 7",
        "command line (me)",
    )
    assert list(reconcile()) == []


def test_a_debit_takes_from_its_purse_alone() -> None:
    account = open_purse(cash_minor=1000)
    move(_movement(account, 500, purse="gift"))
    move(_movement(account, -300, key="k2"))
    move(_movement(account, -500, purse="gift", key="k3"))
    there = balance(account)
    assert (there.cash_minor, there.gift_minor) == (700, 0)
    assert list(reconcile()) == []


def test_the_same_key_moves_money_once_and_another_movement_under_it_is_refused() -> None:
    account = open_purse()
    assert move(_movement(account, 100))
    with nothing_written():
        assert not move(_movement(account, 100))
    for other in ({"amount_minor": 101}, {"reason": "another"}, {"purse": "gift"}):
        with refused(errors.TokenReused, field="key"):
            move(_movement(account, other.pop("amount_minor", 100), **other))  # type: ignore[call-overload]
    assert move(_movement(open_purse("other"), 100))  # a key is a customer's own


def test_a_debit_never_brings_a_purse_or_the_balance_below_zero() -> None:
    account = open_purse(cash_minor=1000)
    move(_movement(account, 500, purse="gift"))
    with refused(errors.InsufficientBalance, field="amount_minor", match=r"¥10.01 cannot be taken: ¥10.00 lie free"):
        move(_movement(account, -1001, key="k2"))
    with refused(errors.InsufficientBalance, match=r"¥5.00 lie free"):
        move(_movement(account, -501, purse="gift", key="k2"))
    assert move(_movement(account, -1000, key="k2"))  # the refused one has not used the key up


def test_what_is_set_aside_is_not_taken() -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR + 10)
    purchase(wanted(account))  # prepaid: a fixed hold
    with refused(errors.InsufficientBalance, match=r"¥0.10 lie free"):
        move(_movement(account, -11))
    other = open_purse("hourly", cash_minor=40)
    purchase(wanted(other, HOURLY))  # postpaid: a floating one of 38
    with refused(errors.InsufficientBalance, match=r"¥0.02 lie free"):
        move(_movement(other, -3))


def test_a_credit_pays_what_is_owed_first_and_a_debtor_has_nothing_to_take() -> None:
    account = open_purse()
    owe(account, 300)
    with refused(errors.InsufficientBalance, match=r"¥0.00 lie free"):
        move(_movement(account, -1))
    move(_movement(account, 500))
    assert purses(account) == {"cash": 200, "gift": 0, "owed": 0, "held": 0, "available": 200}
    assert list(reconcile()) == []


def test_of_two_debits_at_once_only_what_is_there_is_taken() -> None:
    account = open_purse(cash_minor=100)
    deeds = [lambda key=key: move(_movement(account, -80, key=key)) for key in ("a", "b")]
    outcomes = at_once(*deeds)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["InsufficientBalance", "bool"]
    assert balance(account).cash_minor == 20


def test_of_the_same_credit_twice_at_once_one_is_made() -> None:
    account = open_purse()
    outcomes = at_once(*[lambda: move(_movement(account, 80))] * 2)
    assert sorted(outcomes, key=str) == [False, True]  # type: ignore[arg-type]
    assert balance(account).cash_minor == 80


@pytest.mark.parametrize(
    ("text", "minor"), [("12.50", 1250), ("0.01", 1), ("7", 700), (" 3.5 ", 350), ("10000000000", 10**12)]
)
def test_an_amount_is_exact_decimal_text(text: str, minor: int) -> None:
    assert amount_of(text) == minor


@pytest.mark.parametrize(
    "text", ["", "0", "0.00", "-1", "1.005", "1e3", "1,000", "¥1", "١", "NaN", "10000000000.01", "9" * 40, ".5", "1."]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with refused(InvalidValue, field="amount_minor"):
        amount_of(text)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"reason": " "}, "reason"), ({"reason": "x" * 201}, "reason"), ({"reason": "two\nlines"}, "reason"),
        ({"reason": "a\0b"}, "reason"), ({"purse": "owed"}, "purse"), ({"key": ""}, "key"), ({"key": "k" * 65}, "key"),
    ],
)  # fmt: skip
def test_a_movement_without_reason_purse_or_key_is_refused(changed: dict[str, str], field: str) -> None:
    account = open_purse()
    with refused(InvalidValue, field=field):
        move(_movement(account, 100, **changed))


def test_nobody_is_no_customer() -> None:
    with refused(NotFound, field="account_id"):
        move(_movement(10**6, 100))
    with refused(NotFound, field="account_id"):
        standing.freeze(10**6, "why", SELLER)


# -- freezing and quotas -----------------------------------------------------------------------------


def test_a_frozen_customer_buys_nothing_and_reads_why_until_it_may_again() -> None:
    account = open_purse(cash_minor=2 * MONTHLY_MINOR)
    assert standing.freeze(account, "Stolen card.", SELLER)
    with nothing_written():
        assert not standing.freeze(account, "Stolen card.", SELLER)
    with refused(errors.AccountFrozen, match="Stolen card."):
        purchase(wanted(account))
    assert standing.unfreeze(account, actor.Actor(None, actor.SELLER, "you@example.com"))
    purchase(wanted(account))
    changes = [(row.kind, row.who) for row in activity.of_account(account).rows if row.subject_kind == "account"]
    assert changes == [("unfrozen", "you@example.com"), ("frozen", "command line (me)")]


def test_quotas_are_set_by_name_and_hold_at_once() -> None:
    account = open_purse(cash_minor=2 * MONTHLY_MINOR)
    assert standing.set_quotas(account, {"prepaid_per_month": 1, "run_per_s": 3}, SELLER)
    purchase(wanted(account))
    with refused(errors.QuotaReached, match="is 1; 1 were bought"):
        purchase(wanted(account))
    assert quotas.of(account) == {
        "postpaid_per_zone": 30, "prepaid_per_month": 1, "returns_per_year": 199, "run_per_s": 3,
        "launch_templates": 200, "placement_groups": 10, "machines_per_group": 50, "disks_per_zone": 200,
        "addresses_per_region": 20, "images_per_region": 10, "snapshots_per_region": 200, "spot_per_zone": 100,
        "snapshot_policies_per_region": 30, "packages_per_region": 20, "alarms": 20,
    }  # fmt: skip
    assert Event.objects.get(subject_kind="account").detail == {
        "before": {"prepaid_per_month": 150, "run_per_s": 10},
        "after": {"prepaid_per_month": 1, "run_per_s": 3},
    }
    with nothing_written():
        assert not standing.set_quotas(account, {"run_per_s": 3}, SELLER)


def test_a_quota_of_ones_own_is_given_back_to_the_catalog() -> None:
    account = open_purse()
    assert standing.set_quotas(account, {"prepaid_per_month": 1, "run_per_s": 3}, SELLER)
    assert quotas.own(account) == {"prepaid_per_month": 1, "run_per_s": 3}
    assert standing.set_quotas(account, {"run_per_s": None, "returns_per_year": None}, SELLER)
    assert quotas.own(account) == {"prepaid_per_month": 1}
    assert quotas.of(account)["run_per_s"] == 10
    assert Event.objects.filter(subject_kind="account").latest("id").detail == {
        "before": {"run_per_s": 3}, "after": {"run_per_s": 10},
    }  # fmt: skip
    with nothing_written():
        assert not standing.set_quotas(account, {"run_per_s": None}, SELLER)


@pytest.mark.parametrize("quotas", [{"run_per_s": 0}, {"returns_per_year": -1}, {"postpaid_per_zone": 2**31}, {"x": 1}])
def test_a_quota_that_cannot_be_is_refused(quotas: dict[str, int]) -> None:
    account = open_purse()
    with refused(InvalidValue, field=next(iter(quotas))):
        standing.set_quotas(account, quotas, SELLER)


# -- the pages ---------------------------------------------------------------------------------------


def _address(buyer: Visitor, act: str = "") -> str:
    return f"/seller/customers/{buyer.account_id}/" + (f"{act}/" if act else "")


def _form(page: HttpResponse) -> dict[str, str]:
    found = re.search(r'name="key" value="([0-9a-f]{32})"', page.content.decode())
    assert found
    return {"key": found[1], "amount": "12.50", "purse": "cash", "reason": "bank transfer 7"}


def test_customers_see_none_of_it() -> None:
    buyer = customer()
    assert buyer.get("/seller/customers/").status_code == 403
    assert buyer.get(_address(buyer)).status_code == 403
    with nothing_written():
        assert buyer.post(_address(buyer, "money"), {"act": "credit", "amount": "1"}).status_code == 403
        assert buyer.post(_address(buyer, "freeze"), {"act": "unfreeze"}).status_code == 403
        assert buyer.post(_address(buyer, "quotas"), {}).status_code == 403


def test_customers_are_found_by_address_number_and_machine() -> None:
    buyer, other, seller = customer(), customer(), operator()
    (machine,) = purchase(wanted(open_purse("zoe", cash_minor=MONTHLY_MINOR))).instance_ids
    whole = text_of(seller.get("/seller/customers/"))
    assert buyer.user.email in whole and other.user.email in whole and "¥1,000.00" in whole
    assert [row.email for row in customers.page(machine).rows] == ["zoe@example.com"]
    assert [row.machines for row in customers.page("ZOE@").rows] == [1]
    assert [row.id for row in customers.page(str(buyer.account_id)).rows] == [buyer.account_id]
    assert "No customer is called so." in text_of(seller.get("/seller/customers/?q=%00nobody%25"))


def test_customers_are_found_by_the_beginnings_of_words_of_addresses_and_names() -> None:
    """Of any member, not of the owner alone; the parts of an address are words."""
    ada, zoe = open_purse("ada"), open_purse("zoe")
    Account.objects.filter(pk=zoe).update(name="Northwind Trading, 北风贸易")
    member = User.objects.create_user("Anna.Lee-Smith@mail.example.net", date_joined=clock.now())
    Member.objects.create(account_id=zoe, user=member, role="viewer", joined_at=clock.now())
    for word, found in {
        "ada": [ada], "ADA@example.com": [ada], "ad": [ada], "example": [zoe, ada], "com exam": [zoe, ada],
        "north": [zoe], "wind": [], "Trading north": [zoe], "北风": [zoe], "lee": [zoe], "anna.lee": [zoe],
        "smith@mail": [zoe], "example.net": [zoe], "ada zoe": [], "%": [], "'": [], "a' | 'z": [], "&|!()": [],
        "\\": [], "ada\0": [ada], f" {ada} ": [ada], "9" * 30: [], "-1": [], "0": [], "x" * 5000: [],
    }.items():  # fmt: skip
        assert [row.id for row in customers.page(word).rows] == found, word


def test_customers_are_found_by_their_public_addresses() -> None:
    account = open_purse("zoe", cash_minor=MONTHLY_MINOR)
    held, free = PublicAddress.objects.filter(account_id=None).order_by("ip")[:2]
    PublicAddress.objects.filter(pk=held.pk).update(account_id=account, instance_id=1, free_since=None)
    Ipv6Address.objects.create(ip="2001:db8::7", instance_id=1, account_id=account, zone_id=held.zone_id)
    assert [row.id for row in customers.page(held.ip).rows] == [account]
    assert [row.id for row in customers.page("2001:DB8:0::7").rows] == [account]
    for word in (free.ip, "203.0.113.256", "203.0.113", "::", "2001:db8::8", "1" * 46):
        assert customers.page(word).rows == [], word


def test_a_search_reads_no_table_of_many_customers_whole() -> None:
    """Given thousands of customers, then what finds few of them, or none, passes over few rows."""
    values = "'c' || n || '@many.example', '', false, '', true, '', '', now(), false"
    rows = f"SELECT {values} FROM generate_series(1, {4 * MANY}) n"
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO customers_user (email, password, is_staff, staff_role, is_active, language, time_zone,"
            f" date_joined, is_superuser) {rows}"
        )
        cursor.execute(
            "INSERT INTO customers_account (name, created_at, credit_limit_minor, quota_set, frozen_reason)"
            " SELECT email, now(), 0, 'default', '' FROM customers_user"
        )
        cursor.execute(
            "INSERT INTO customers_member (account_id, user_id, role, joined_at) SELECT a.id, u.id, 'owner', now()"
            " FROM customers_user u JOIN customers_account a ON a.name = u.email"
        )
        cursor.execute(functions.resolve("SELECT fn.ledger_open(id) FROM customers_account"))
        cursor.execute("ANALYZE customers_user, customers_account, customers_member, ledger_purses")
    for word in ("c77", "c77@many.example", "nobody", "203.0.113.9", "77", "ins-00000000"):
        found: list[int] = []
        assert read_whole(lambda word=word, found=found: found.append(len(customers.page(word).rows))) == [], word
    assert [row.email for row in customers.page("c7777").rows] == ["c7777@many.example"]
    whole = customers.page("many", size=2 * customers.FOUND_MAX)
    assert len(whole.rows) == customers.FOUND_MAX  # the newest thousand by address are those by name
    assert whole.rows[0].email == f"c{4 * MANY}@many.example"


def test_a_list_of_many_goes_a_page_at_a_time() -> None:
    for number in range(PAGE + 1):
        open_purse(f"many{number}")
    seller = operator()
    first = seller.get("/seller/customers/?q=many").content.decode()
    assert first.count("many") > PAGE and "many0@example.com" not in first
    found = re.search(r'href="\?([^"]*before=\d+)"', first)
    assert found
    assert "many0@example.com" in seller.get("/seller/customers/?" + found[1].replace("&amp;", "&")).content.decode()


# Balance, address (of one without, the name) -> in the order of their making.
FOUND = ((500, "b"), (-200, "D"), (500, "a"), (0, "c"), (500, "e"), (-200, "f"), (700, ""))


@pytest.fixture
def few_a_page(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Seven customers, two a page; the last has nobody who signs in and is called "Z". Their names, oldest first."""
    for minor, name in FOUND:
        account = open_purse(name or "gone", cash_minor=max(minor, 0))
        if minor < 0:
            owe(account, -minor)
        Account.objects.filter(id=account).update(name=name or "Z")
        if not name:
            Member.objects.filter(account_id=account).delete()
    return [name or "z" for _minor, name in FOUND]


def _called(row: customers.CustomerRow) -> str:
    return row.email.removesuffix("@example.com") or row.name.lower()


def _walk(order: str, between: Callable[[int], object] = lambda _page: None) -> list[str]:
    """All customers, two a page; ``between`` is done after each page."""
    found, before = [], ""
    for number in range(10):
        page = customers.page("", before, order, size=2)
        assert page.first == (number == 0)
        found += [_called(row) for row in page.rows]
        between(number)
        before = page.older
        if not before:
            return found
    raise AssertionError("the list has no end")


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("", "z f e c a D b"),
        ("address", "a b c D e f z"),
        ("-address", "z f e D c b a"),
        ("balance_minor", "D f c b a e z"),  # those alike by number
        ("-balance_minor", "z e a b c f D"),
        ("frozen_reason", "z f e c a D b"),  # no order: newest first
    ],
)
def test_each_customer_is_there_once_in_any_order(few_a_page: list[str], order: str, names: str) -> None:
    assert _walk(order) == names.split()
    assert customers.page("", "", order).older == ""


def test_whoever_changes_place_between_two_pages_moves_nobody_else(few_a_page: list[str]) -> None:
    """Given a page that ends with D and f, when both become the richest, then the rest follow all the same."""
    poorest = [row.id for row in customers.page("", "", "balance_minor", size=2).rows]

    def enrich(number: int) -> None:
        for account in poorest if number == 0 else ():
            pay(account, 5000)

    assert _walk("balance_minor", enrich) == ["D", "f", "c", "b", "a", "e", "z", "D", "f"]


@pytest.mark.parametrize("order", ["", "address", "-balance_minor"])
@pytest.mark.parametrize(
    "before", ["x", "~", "~5", "1~", "1~x", "x~1", "1~-", "1~--1", "9" * 40, "9~" + "9" * 40, "1~a\0b", "1~٣", "1"]
)
def test_a_key_that_is_none_means_the_first_page_or_an_empty_place(
    few_a_page: list[str], order: str, before: str
) -> None:
    seller = operator()
    assert seller.get("/seller/customers/", {"order": order, "before": before}).status_code == 200
    if before in ("x", "~5", "x~1"):
        assert len(customers.page("", before, order).rows) == len(FOUND)


def test_a_page_in_any_order_takes_one_statement(few_a_page: list[str]) -> None:
    for order in ("", "address", "-balance_minor"):
        with statements() as made:
            customers.page("", "", order)
        assert len(made) == 1


def test_the_page_of_customers_is_ordered_by_its_heads_and_a_file(few_a_page: list[str]) -> None:
    seller = operator()
    page = seller.get("/seller/customers/?order=balance_minor&q=example").content.decode()
    emails = re.findall(r">(\w+)@example\.com</a>", page)
    assert emails == ["D", "f", "c", "b", "a", "e"]
    assert 'aria-sort="ascending"><a href="?order=-balance_minor&amp;q=example">Balance</a>' in page
    assert 'href="?order=balance_minor&amp;q=example&amp;as=csv">As CSV</a>' in page
    rich = Account.objects.get(name="Z")
    standing.freeze(rich.id, "=cmd", SELLER)
    answer = seller.get("/seller/customers/?order=-balance_minor&as=csv")
    assert answer["Content-Disposition"] == 'attachment; filename="customers.csv"'
    lines = b"".join(answer).decode("utf-8-sig").splitlines()  # type: ignore[arg-type]
    assert lines[0] == "number,address,name,since,machines,balance_minor,frozen_reason,percent_off"
    since = f"{rich.created_at:%Y-%m-%dT%H:%M:%SZ}"
    assert lines[1] == f"{rich.id},,Z,{since},0,700,'=cmd,0"
    assert [line.split(",")[5] for line in lines[2:]] == ["500", "500", "500", "0", "-200", "-200"]
    narrowed = b"".join(seller.get("/seller/customers/?as=csv&q=D%40")).decode("utf-8-sig")  # type: ignore[arg-type]
    owing = Account.objects.get(name="D")
    since = f"{owing.created_at:%Y-%m-%dT%H:%M:%SZ}"
    assert narrowed.splitlines()[1:] == [f"{owing.id},D@example.com,D,{since},0,-200,,0"]
    assert customer().get("/seller/customers/?as=csv").status_code == 403


def test_what_no_text_of_the_database_is_is_refused_at_its_field() -> None:
    buyer, seller = customer(), operator()
    form = _form(seller.get(_address(buyer))) | {"act": "credit"}
    sent = (
        ("money", form | {"reason": "a\0b"}, "reason"),
        ("money", form | {"amount": "\0001"}, "amount"),
        ("freeze", {"act": "freeze", "why": "\0"}, "why"),
        ("quotas", {"run_per_s": "7\0"}, "quota-run_per_s"),
    )
    for act, typed, at_fault in sent:
        with nothing_written():
            page = seller.post(_address(buyer, act), typed)
        said = f'<div id="{at_fault}_error"><p class="field-error" role="alert">Null characters are not allowed.</p>'
        assert (page.status_code, said in page.content.decode()) == (422, True)


def test_a_refused_form_can_be_sent_again() -> None:
    """Given a form whose key another movement has used, then its page says so and has a key of its own."""
    buyer, seller = customer(gift_minor=0), operator()
    form = _form(seller.get(_address(buyer))) | {"act": "credit"}
    seller.post(_address(buyer, "money"), form)
    with nothing_written():
        page = seller.post(_address(buyer, "money"), form | {"amount": "99"})
    assert page.status_code == 422
    assert '<div class="notice error" role="alert"><p>' in page.content.decode()
    again = form | {"key": _form(page)["key"], "amount": "99"}
    assert "The balance has changed." in text_of(seller.post(_address(buyer, "money"), again, follow=True))
    assert balance(buyer.account_id).cash_minor == 11150


def test_fields_help_as_they_say() -> None:
    buyer, seller = customer(), operator()
    shown = seller.get(_address(buyer)).content.decode()
    for field in (
        r'<label for="amount">Amount</label>\s*<input type="text" name="amount" required inputmode="decimal"'
        r' maxlength="20" class="form-control" id="amount">',
        r'<option value="cash">Cash</option>\s*<option value="gift">Gift</option>',
        r'<input type="text" name="reason" required maxlength="200" class="form-control"'
        r' aria-describedby="reason_helptext" id="reason">\s*<p class="hint" id="reason_helptext">The customer',
        r'<input type="number" name="run_per_s" value="10" min="1" max="2147483647" class="form-control"'
        r' id="quota-run_per_s">',
        r'<input type="hidden" name="shown_run_per_s" value="10"',
    ):
        assert re.search(field, shown), field


def test_credit_and_debit_on_the_page_say_who_it_was_and_a_form_counts_once() -> None:
    buyer, seller = customer(gift_minor=0), operator()
    form = _form(seller.get(_address(buyer))) | {"act": "credit"}
    assert "The balance has changed." in text_of(seller.post(_address(buyer, "money"), form, follow=True))
    again = text_of(seller.post(_address(buyer, "money"), form, follow=True))
    assert "This form had been sent before; nothing has changed." in again
    assert balance(buyer.account_id).cash_minor == 1250
    assert f"Credited by the seller bank transfer 7 · {seller.user.email}" in again
    told = text_of(buyer.get("/balance/"))
    assert "Credited by the seller bank transfer 7" in told and seller.user.email not in told
    with nothing_written():
        page = seller.post(
            _address(buyer, "money"), _form(seller.get(_address(buyer))) | {"act": "debit", "amount": "13"}
        )
    assert page.status_code == 422
    assert "¥13.00 cannot be taken: ¥12.50 lie free in this purse." in text_of(page)
    assert 'value="bank transfer 7"' in page.content.decode()


def test_freezing_and_quotas_on_the_page() -> None:
    buyer, seller = customer(), operator()
    assert seller.post(_address(buyer, "freeze"), {"act": "freeze", "why": ""}).status_code == 422
    page = text_of(seller.post(_address(buyer, "freeze"), {"act": "freeze", "why": "Stolen card."}, follow=True))
    assert "Frozen: buys nothing. Stolen card." in page
    assert "Let buy again" in page
    seller.post(_address(buyer, "freeze"), {"act": "unfreeze"})
    assert Account.objects.get(id=buyer.account_id).frozen_reason == ""
    quotas = {"postpaid_per_zone": "5", "prepaid_per_month": "6", "returns_per_year": "7", "run_per_s": "8"}
    assert "The quotas are as shown." in text_of(seller.post(_address(buyer, "quotas"), quotas, follow=True))
    for wrong in ("many", "1.5", "-1", "٣"):
        with nothing_written():
            page = seller.post(_address(buyer, "quotas"), quotas | {"run_per_s": wrong})
        assert page.status_code == 422
        sent_back = page.content.decode()
        assert 'aria-invalid="true" aria-describedby="quota-run_per_s_helptext quota-run_per_s_error"' in sent_back
        assert f'name="run_per_s" value="{wrong}"' in sent_back
        assert '<div id="quota-run_per_s_error"><p class="field-error" role="alert">The quota run_per_s is' in sent_back
    with nothing_written():
        assert seller.post(_address(buyer, "quotas"), quotas | {"run_per_s": "0"}).status_code == 422
        seller.post(_address(buyer, "quotas"), {})
    page = text_of(seller.post(_address(buyer, "quotas"), quotas | {"run_per_s": ""}, follow=True))
    assert html.unescape(page).count("This customer's own.") == 3
    assert own_quotas(buyer.account_id) == {
        "postpaid_per_zone": 5, "prepaid_per_month": 6, "returns_per_year": 7,
    }  # fmt: skip


def test_two_operators_who_set_quotas_at_once_keep_what_the_other_set() -> None:
    """Given two who see the same page, when each changes another quota, then both changes hold."""
    buyer, one, other = customer(), operator(), operator()
    address = _address(buyer, "quotas")
    seen = [Form(seller.get(_address(buyer)).content.decode(), address).data for seller in (one, other)]
    assert seen[0]["run_per_s"] == seen[0]["shown_run_per_s"] == "10"
    one.post(address, seen[0] | {"run_per_s": "8"})
    refused_page = other.post(address, seen[1] | {"returns_per_year": "many"})
    assert refused_page.status_code == 422
    other.post(address, Form(refused_page.content.decode(), address).data | {"returns_per_year": "7"})
    held = quotas.of(buyer.account_id)
    assert (held["run_per_s"], held["returns_per_year"]) == (8, 7)
    changes = [row.detail["after"] for row in activity.of_account(buyer.account_id).rows if row.kind == "quotas"]
    assert changes == [{"returns_per_year": 7}, {"run_per_s": 8}]


@pytest.mark.parametrize("number", [0, 10**9, 2**63, 10**30])
def test_an_unknown_customer_is_not_found(number: int) -> None:
    seller = operator()
    with nothing_written():
        assert seller.get(f"/seller/customers/{number}/").status_code == 404
        for act in ("money", "freeze", "quotas"):
            assert seller.post(f"/seller/customers/{number}/{act}/", {}).status_code == 404


def test_one_customers_page_takes_as_few_statements_with_many_things() -> None:
    buyer, seller = customer(gift_minor=10_000_000), operator()
    seller.get(_address(buyer))
    with statements() as few:
        seller.get(_address(buyer))
    buyer.buy("?charge=postpaid&count=10")
    for number in range(5):
        move(_movement(buyer.account_id, 100, key=f"k{number}"))
    with statements() as many:
        assert text_of(seller.get(_address(buyer))).count("ins-") == 10
    assert len(many) <= len(few) + 2 <= 16  # one for the machines found, one for the reasons of what was moved by hand
