"""Key pairs, API keys, balance, charges and cards on their pages."""

import csv
import datetime as dt
import io
import re
from decimal import Decimal
from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.support import quotas
from tests.support.business_clock import BusinessClock
from tests.support.shopper import owe, pay
from tests.web.visiting import Visitor, customer, open_business, order_id_of, text_of, work
from vmart.catalog import shop as catalog
from vmart.customers import api_keys
from vmart.customers.models import Account, ApiKey
from vmart.instances.models import Instance, KeyPair
from vmart.kernel.models import Deployment
from vmart.listings import overview
from vmart.metering.models import Horizon
from vmart.orders.models import Order
from vmart.payments.models import Payment
from vmart.payments.providers import sandbox
from vmart.settlement import close
from vmart.worker.models import Operation

PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEFTtH6UNQO8ZDkCVu8mY8cGgkrNHFJ1m9hCC7fvW3kS me@laptop"


def test_a_created_key_pair_shows_its_private_key_once() -> None:
    visitor = customer()
    made = visitor.post("/keys/", {"act": "create", "name": "laptop"})
    found = re.search(r"<textarea[^>]*>(-----BEGIN[^<]+)</textarea>", made.content.decode())
    assert found
    load_pem_private_key(found[1].encode(), None)
    saved = re.search(r'download="laptop.pem" href="data:application/x-pem-file,([^"]+)"', made.content.decode())
    assert saved
    assert unquote(saved[1]) == found[1]
    assert made["Cache-Control"].startswith("max-age=0")
    assert "BEGIN" not in visitor.get("/keys/").content.decode()
    assert "BEGIN" not in str(KeyPair.objects.values().get())


def test_a_key_is_imported_or_refused_beside_its_field_with_what_was_typed() -> None:
    visitor = customer()
    wrong = visitor.post("/keys/", {"act": "import", "name": "laptop", "public_key": "<script>nonsense"})
    assert wrong.status_code == 422
    html = wrong.content.decode()
    assert 'id="import-public_key_error"' in html
    assert "&lt;script&gt;nonsense" in html
    assert 'value="laptop"' in html
    assert not KeyPair.objects.exists()
    assert visitor.post("/keys/", {"act": "import", "name": "laptop", "public_key": PUBLIC}).status_code == 302
    again = visitor.post("/keys/", {"act": "create", "name": "laptop"})
    assert again.status_code == 422
    assert "There is a key pair called laptop already." in text_of(again)


def test_another_customers_key_pair_is_not_deleted() -> None:
    owner, other = customer(), customer()
    owner.post("/keys/", {"act": "import", "name": "laptop", "public_key": PUBLIC})
    pair = KeyPair.objects.get()
    answer = other.post("/keys/", {"act": "delete", "id": pair.public_id})
    assert f"The key pair {pair.public_id} does not exist." in text_of(answer)
    assert KeyPair.objects.exists()
    owner.post("/keys/", {"act": "delete", "id": pair.public_id})
    assert not KeyPair.objects.exists()


def test_an_api_key_shows_its_secret_once_and_works() -> None:
    visitor = customer()
    made = visitor.post("/api-keys/", {"act": "create"}).content.decode()
    found = re.search(r'<code id="secret-key"[^>]*>([^<]+)<', made)
    assert found
    key = ApiKey.objects.get()
    held = api_keys.find(key.secret_id)
    assert held is not None
    assert held.secret == found[1]
    assert found[1] not in visitor.get("/api-keys/").content.decode()
    visitor.post("/api-keys/", {"act": "disable", "secret_id": key.secret_id})
    assert not ApiKey.objects.get().enabled


def test_another_customers_api_key_is_not_touched() -> None:
    owner, other = customer(), customer()
    owner.post("/api-keys/", {"act": "create"})
    key = ApiKey.objects.get()
    for act in ("disable", "delete"):
        answer = other.post("/api-keys/", {"act": act, "secret_id": key.secret_id}, follow=True)
        assert "This API key does not exist." in text_of(answer)
    assert ApiKey.objects.get().enabled


def test_usage_is_on_the_charges_page_and_in_the_file_to_the_last_digit(test_clock: BusinessClock) -> None:
    visitor = customer()
    order_id_of(visitor.buy("?charge=postpaid", name="=cmd|x"))
    work()
    test_clock.advance(hours=2)
    work()
    machine = Instance.objects.get()
    page = text_of(visitor.get("/charges/"))
    assert "2026-03: ¥0.38" in page  # 2 × (0.18 + 0.01), a line for each hour
    assert page.count("CPU and memory") == 2
    rows = _csv(visitor, "2026-03")
    assert rows[0] == [
        "hour_utc", "instance_id", "resource_id", "name", "component", "seconds", "out_bytes", "exact", "currency",
        "revision", "statement_month", "tags",
    ]  # fmt: skip
    cpu = [row for row in rows if row[4] == "cpu"]
    assert cpu == [
        [
            f"2026-03-10T0{hour}:00:00Z",
            machine.public_id,
            machine.public_id,
            "'=cmd|x",
            "cpu",
            "3600",
            "0",
            "0.18000000",
            "CNY",
            "0",
            "2026-03",
            "",
        ]
        for hour in (3, 2)
    ]
    assert "Usage of an hour" in text_of(visitor.get("/balance/"))
    assert "Charged for usage so far ¥0.38" in text_of(visitor.get(f"/machines/{machine.public_id}/"))
    other = customer()
    assert machine.public_id not in other.get("/charges/").content.decode()
    assert len(list(other.get("/charges.csv"))) == 1


def _csv(visitor: Visitor, month: str) -> list[list[str]]:
    content = b"".join(visitor.get(f"/charges.csv?month={month}"))  # type: ignore[arg-type]
    assert content.startswith(b"\xef\xbb\xbfhour_utc,")  # the mark by which Excel knows UTF-8
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "＝", "＋", "－", "＠"])
def test_a_name_is_no_formula_in_a_spreadsheet(test_clock: BusinessClock, sign: str) -> None:
    visitor = customer()
    visitor.buy("?charge=postpaid", name=f"{sign}1机器")
    work()
    test_clock.advance(hours=1)
    work()
    assert {row[3] for row in _csv(visitor, "2026-03")[1:]} == {f"'{sign}1机器"}


def test_an_hour_that_the_clocks_show_twice_says_which_it_is(test_clock: BusinessClock) -> None:
    """Given London's last Sunday of October, then 01:00 of summer and 01:00 of winter are told apart, and no other."""
    Deployment.objects.update(billing_zone="Europe/London")
    catalog.forget()
    test_clock.set(dt.datetime(2026, 10, 24, 23, tzinfo=dt.UTC))
    Horizon.objects.update(closed_until=test_clock.at)
    Operation.objects.filter(kind=close.KIND).delete()
    open_business()
    visitor = customer()
    visitor.buy("?charge=postpaid", name="once")
    work()
    test_clock.advance(hours=4)
    work()
    page = visitor.get("/charges/?day=2026-10-25").content.decode()
    shown = re.findall(r'<th scope="rowgroup"[^>]*><time datetime="([^"]+)">([^<]+)</time>', page)
    assert list(dict.fromkeys(shown)) == [
        ("2026-10-25T02:00:00+00:00", "2026-10-25 02:00:00"),
        ("2026-10-25T01:00:00+00:00", "2026-10-25 01:00:00 UTC+00:00"),
        ("2026-10-25T00:00:00+00:00", "2026-10-25 01:00:00 UTC+01:00"),
        ("2026-10-24T23:00:00+00:00", "2026-10-25 00:00:00"),
    ]


def _statement(html: str) -> list[tuple[str, Decimal, Decimal]]:
    """Purse, amount and purse after it, as the page's rows have them."""
    body = re.search(r"<tbody>(.*?)</tbody>", html, re.DOTALL)
    assert body
    found = []
    for row in re.findall(r"<tr>(.*?)</tr>", body[1], re.DOTALL):
        cells = [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)]
        amount, after = (Decimal(cell.replace("−", "-").replace("¥", "").replace(",", "")) for cell in cells[3:5])
        found.append((cells[2], amount, after))
    return found


def test_the_statement_reads_from_line_to_line_also_within_a_second() -> None:
    """Given 28 purchases and returns in one second, then each purse's line follows from the one below, on all pages."""
    visitor = customer(gift_minor=6700)
    quotas.everyone(returns_per_year=100)
    for _ in range(28):
        visitor.buy()
        work()
        visitor.post(f"/machines/{Instance.objects.get(state='RUNNING').public_id}/end/")
        work()
    pay(visitor.account_id, 50)
    page = visitor.get("/balance/").content.decode()
    older = re.search(r'href="\?before=(\d+)"', page)
    assert older
    lines = _statement(page) + _statement(visitor.get(f"/balance/?before={older[1]}").content.decode())
    assert len(lines) == 1 + 2 * 28 + 1
    purses = {"Gift": Decimal(0), "Cash": Decimal(0)}
    for purse, amount, after in reversed(lines):
        purses[purse] += amount
        assert purses[purse] == after
    assert purses["Cash"] == Decimal("0.50")


@pytest.mark.parametrize(
    "query", ["day=2026-02-31", "day=0001-01-01", "month=9999-12", "month=x&day=<b>", "day=2026-03-01&before=x~y~z~w"]
)
def test_made_up_days_give_a_page(query: str) -> None:
    visitor = customer()
    assert visitor.get(f"/charges/?{query}").status_code == 200
    assert visitor.get(f"/charges.csv?{query}").status_code == 200


@pytest.fixture
def _test_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMART_SANDBOX_CARDS", "1")


def _top_up(visitor: Visitor, **form: str) -> object:
    return visitor.post("/balance/top-up/", {"provider": "sandbox", "card": sandbox.PAYS, "amount": "99.50"} | form)


@pytest.mark.usefixtures("_test_cards")
def test_a_top_up_is_cash_once_however_often_the_form_is_sent() -> None:
    visitor = customer(gift_minor=0)
    page = visitor.get("/balance/top-up/").content.decode()
    token = re.search(r'name="token" value="([^"]+)"', page)
    assert token
    first, again = (_top_up(visitor, token=token[1]) for _ in range(2))
    assert first["Location"] == again["Location"]  # type: ignore[index]
    assert overview.balance(visitor.account_id) == overview.Balance(9_950, 0, 0, 0)
    assert "The money is in your balance." in text_of(visitor.get(first["Location"]))  # type: ignore[index]
    assert customer().get(first["Location"]).status_code == 404  # type: ignore[index]


@pytest.mark.usefixtures("_test_cards")
@pytest.mark.parametrize(
    "amount", ["", "x", "0", "-5", "1e9", "0.001", "NaN", "Infinity", "100001", "1 000", "9" * 400]
)
def test_amounts_that_are_none_are_named_and_kept(amount: str) -> None:
    visitor = customer(gift_minor=0)
    answer = _top_up(visitor, amount=amount)
    assert answer.status_code == 422  # type: ignore[attr-defined]
    html = answer.content.decode()  # type: ignore[attr-defined]
    assert 'id="error-amount"' in html
    assert f'value="{amount}"' in html
    assert not Payment.objects.exists()


@pytest.mark.usefixtures("_test_cards")
def test_a_declined_card_says_so_and_gives_nothing() -> None:
    visitor = customer(gift_minor=0)
    answer = _top_up(visitor, card=sandbox.DECLINED)
    assert "The card was declined." in text_of(visitor.get(answer["Location"]))  # type: ignore[index]
    assert overview.balance(visitor.account_id) == overview.Balance(0, 0, 0, 0)


def test_cards_are_not_offered_where_there_are_none() -> None:
    visitor = customer()
    assert "This shop takes no cards yet." in text_of(visitor.get("/balance/top-up/"))
    assert "Pay by card" not in text_of(visitor.get("/buy/"))
    assert _top_up(visitor).status_code == 422  # type: ignore[attr-defined]


@pytest.mark.usefixtures("_test_cards")
def test_an_order_is_placed_and_paid_by_card() -> None:
    visitor = customer(gift_minor=1_700)
    placed = visitor.buy(act="card")
    order_id = order_id_of(placed)
    page = text_of(visitor.get(placed["Location"]))
    assert "Pay ¥50.00 by card" in page  # 67.00 less what is available
    assert "Password, shown here" not in page  # of a machine that there is not
    assert not Instance.objects.exists()
    paid = visitor.post(
        f"/orders/{order_id}/pay/", {"by": "card", "provider": "sandbox", "card": sandbox.PAYS, "token": "t" * 43}
    )
    assert visitor.get(paid["Location"])["Location"] == f"/orders/{order_id}/"
    work()
    assert Order.objects.get().status == 4
    assert overview.balance(visitor.account_id) == overview.Balance(0, 0, 0, 0)


@pytest.mark.usefixtures("_test_cards")
def test_a_placed_order_is_paid_from_the_balance() -> None:
    visitor = customer()
    order_id = order_id_of(visitor.buy(act="card"))
    assert "Pay from the balance" in text_of(visitor.get(f"/orders/{order_id}/"))
    visitor.post(f"/orders/{order_id}/pay/")
    work()
    assert Order.objects.get().status == 4
    assert overview.balance(visitor.account_id).gift_minor == 93_300


@pytest.mark.usefixtures("_test_cards")
@pytest.mark.parametrize(
    ("gift_minor", "asked", "note"),
    [(100_000, "67.00", ""), (5_000, "17.00", "¥50.00 comes from your balance, the card pays the rest."),
     (6_650, "1.00", "¥66.50 comes from your balance"), (0, "67.00", "")],
)  # fmt: skip
def test_a_card_is_asked_for_what_the_balance_lacks_or_for_the_whole_price(
    gift_minor: int, asked: str, note: str
) -> None:
    """Given who pays by card although the balance would do, then the card pays the price and not the least there is."""
    visitor = customer(gift_minor=gift_minor)
    order_id = order_id_of(visitor.buy(act="card"))
    page = visitor.get(f"/orders/{order_id}/")
    assert f"Pay ¥{asked} by card" in text_of(page)
    assert note in text_of(page)
    assert ("comes from your balance" in text_of(page)) == bool(note)
    assert ("Pay from the balance" in text_of(page)) == (gift_minor >= 6_700)
    token = re.search(r'name="token" value="([^"]+)"', page.content.decode())
    assert token
    form = {"by": "card", "provider": "sandbox", "card": sandbox.PAYS, "token": token[1]}
    assert visitor.post(f"/orders/{order_id}/pay/", form).status_code == 302
    assert Payment.objects.get().amount_minor == int(Decimal(asked) * 100)
    work()
    assert Order.objects.get().status == 4
    held = overview.balance(visitor.account_id)
    assert held.balance_minor == gift_minor + int(Decimal(asked) * 100) - 6_700


def test_stripes_exception_to_the_policy_is_on_its_page_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMART_SANDBOX_CARDS", "1")
    visitor = customer()
    there = _top_up(visitor)["Location"]  # type: ignore[index]
    assert "stripe" not in visitor.get(there)["Content-Security-Policy"]
    monkeypatch.setenv("VMART_STRIPE_SECRET_KEY", "sk_test_x")
    assert "https://js.stripe.com" in visitor.get(there)["Content-Security-Policy"]
    assert "stripe" not in visitor.get("/buy/")["Content-Security-Policy"]
    assert "unsafe" not in visitor.get(there)["Content-Security-Policy"]


def test_a_balance_below_zero_says_when_machines_stop_and_that_they_have(test_clock: BusinessClock) -> None:
    """Given a due time that was set two hours ahead, then the page names it, whatever the policy says meanwhile."""
    visitor = customer()
    owe(visitor.account_id, 300)
    due_at = test_clock.at + dt.timedelta(minutes=20)
    Operation.objects.filter(kind="arrears").update(due_at=due_at)
    page = text_of(visitor.get("/balance/"))
    assert "Your account is in arrears: at 2026-03-10 10:20:00 postpaid machines stop." in page
    Operation.objects.filter(kind="arrears").delete()  # done
    assert "Your account is in arrears: postpaid machines are stopped." in text_of(visitor.get("/balance/"))
    Account.objects.filter(id=visitor.account_id).update(credit_limit_minor=300)
    page = text_of(visitor.get("/balance/"))
    assert "Your balance is below zero, within your credit of ¥3.00." in page
    assert "arrears" not in page
