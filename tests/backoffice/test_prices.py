"""Prices and stock changed by page: previewed, dated, never behind a buyer's back."""

import datetime as dt
from decimal import Decimal

import pytest
from django.http import HttpResponse
from hypothesis import given
from hypothesis import strategies as st

from tests.backoffice.test_own_shop import comments_of
from tests.support.actors import SELLER
from tests.support.at_once import at_once
from tests.support.business_clock import BusinessClock
from tests.support.database import DEMO_CATALOG
from tests.support.shopper import HOURLY, MONTHLY, MONTHLY_MINOR, buy_running, open_purse, wanted
from tests.support.written import nothing_written
from tests.web.visiting import Form, Visitor, customer, operator, text_of
from vmart.backoffice import apply_catalog, prices
from vmart.backoffice.apply_catalog import ChangedMeanwhile
from vmart.catalog.models import Applied, Offer
from vmart.kernel import clock
from vmart.kernel.documents import read_yaml
from vmart.listings import effect
from vmart.orders.models import Order
from vmart.orders.purchase import purchase
from vmart.pricing import books
from vmart.pricing.book import RateRow
from vmart.pricing.models import Book
from vmart.pricing.rules import Step, progressive

HERE = "/seller/catalog/"
PRICES = f"{HERE}prices/"
M4 = "instance_types.S5.MEDIUM4"
RATES = st.lists(st.tuples(st.integers(1, 50), st.decimals("0", "9", places=4)), min_size=1, max_size=4)


@given(steps=RATES, quantity=st.integers(0, 300))
def test_an_hour_is_what_the_rules_say(steps: list[tuple[int, Decimal]], quantity: int) -> None:
    """Given any steps, then the preview's hour is that of pricing.rules."""
    rows, ladder, below = [], [], Decimal(0)
    for number, (width, price) in enumerate(steps):
        up_to = None if number == len(steps) - 1 else below + width
        rows.append(RateRow("k", below, up_to, 0, None, price))
        ladder.append(Step(up_to, price))
        below += width
    assert effect.an_hour(rows, quantity, 0) == progressive(quantity, ladder)


def sent(seller: Visitor, act: str, **said: str) -> HttpResponse:
    """The form of prices with these said otherwise, and what the last answer showed."""
    return seller.post(PRICES, Form(seller.get(PRICES).content.decode(), "").data | {"act": act} | said)


def publish(seller: Visitor, **said: str) -> HttpResponse:
    """Previewed, then confirmed as shown."""
    shown = sent(seller, "preview", **said)
    assert shown.status_code == 200, text_of(shown)
    return seller.post(PRICES, Form(shown.content.decode(), "").data | {"act": "publish"})


@pytest.mark.usefixtures("shop")
class TestPrices:
    def test_the_preview_counts_what_runs_and_the_publication_is_what_was_shown(
        self, test_clock: BusinessClock
    ) -> None:
        account = open_purse(cash_minor=100_000)
        for configuration in (HOURLY, HOURLY, MONTHLY):
            buy_running(account, configuration)
        seller = operator()
        shown = sent(seller, "preview", **{f"{M4}.hour": "0.50", "begins": "2026-03-11T00:00"})
        page = text_of(shown)
        assert "Running by the hour, with another price 2" in page
        assert "All of them an hour, now ¥0.75" in page  # 2 × (0.35 + 50 × 0.0005)
        assert "All of them an hour, then ¥1.05" in page
        assert "Paid ahead: as before until renewal 1" in page
        assert "instance_types.S5.MEDIUM4.hour ¥0.35 ¥0.50" in page
        with nothing_written():
            seller.get(HERE)
        assert publish(seller, **{f"{M4}.hour": "0.50", "begins": "2026-03-11T00:00"})["Location"] == HERE
        last = Book.objects.latest("version")
        assert (last.version, last.effective_at) == (
            2,
            dt.datetime(2026, 3, 10, 16, tzinfo=dt.UTC),
        )  # 00:00 in Shanghai
        assert str(read_yaml(apply_catalog.applied())["price_book"]["instance_types"]["S5.MEDIUM4"]["hour"]) == "0.50"
        assert comments_of(DEMO_CATALOG.read_text()) == comments_of(apply_catalog.applied())
        assert books.book_in_force(clock.now()).version == 1
        test_clock.advance(hours=14)
        assert books.book_in_force(clock.now()).version == 2
        page = text_of(seller.get(HERE))
        assert "2 2026-03-11 00:00:00 In force" in page
        assert seller.user.email in page
        old = seller.get(f"{HERE}file/{Applied.objects.earliest('id').id}/")
        assert (old.content.decode(), old["Content-Type"]) == (
            DEMO_CATALOG.read_text(),
            "application/yaml; charset=utf-8",
        )

    @pytest.mark.parametrize(
        ("said", "says"),
        [
            ({}, "No price is another than it was."),
            ({f"{M4}.hour": "-1"}, "-1 is not right"),
            ({f"{M4}.hour": "<script>alert(1)</script>"}, "is not right: a number with at most 8 decimals"),
            ({f"{M4}.hour": "0.123456789"}, "with at most 8 decimals"),
            ({f"{M4}.hour": "0.5", "begins": "2026-03-10T10:00"}, "Prices begin at an instant to come"),
            (
                {f"{M4}.hour": "0.5", "begins": "2126-03-11T00:00"},
                "“In force from” is at most a year ahead: until 2027-03-11 10:00.",
            ),
            ({f"{M4}.hour": "0.5", "begins": "2027-03-11T10:01"}, "is at most a year ahead"),
            ({f"{M4}.hour": "0.5", "begins": "tomorrow"}, "tomorrow is no day and time."),
            ({f"{M4}.hour": "0.5", "begins": "2026-02-30T00:00"}, "2026-02-30T00:00 is no day and time."),
            ({f"{M4}.hour": "0.5", "begins": "0001-01-01T00:00"}, "is no day and time."),
            ({f"{M4}.hour": "0.5", "based_on": "1" * 30}, "The catalog was changed meanwhile"),
        ],
    )
    def test_what_is_wrong_is_refused(self, said: dict[str, str], says: str) -> None:
        seller = operator()
        before = (Book.objects.count(), Applied.objects.count())
        answer = sent(seller, "publish", **said)
        assert (answer.status_code, says in text_of(answer)) == (422, True)
        assert "<script>alert" not in answer.content.decode()
        assert (Book.objects.count(), Applied.objects.count()) == before

    def test_what_is_confirmed_is_what_was_shown(self) -> None:
        seller = operator()
        shown = sent(seller, "preview", **{f"{M4}.hour": "0.50"})
        form = Form(shown.content.decode(), "").data
        forged = seller.post(PRICES, form | {"act": "publish", f"{M4}.hour": "0.01"})
        assert (forged.status_code, "not what was shown" in text_of(forged)) == (422, True)
        assert sent(seller, "publish", **{f"{M4}.hour": "0.50", "shown": ""}).status_code == 422
        assert Book.objects.count() == 1
        operator().post(f"{HERE}sold-out/", {"zone": "ap-guangzhou-4", "type": "S5.MEDIUM4", "act": "stop"})
        late = seller.post(PRICES, form | {"act": "publish"})
        assert (late.status_code, "changed meanwhile" in text_of(late)) == (422, True)
        assert Book.objects.count() == 1

    def test_the_price_shown_to_a_buyer_is_charged_or_he_is_shown_the_new_one(self, test_clock: BusinessClock) -> None:
        """Given pages that show a price, when another comes into force before the button is pressed, then the shown one
        is charged as long as the shop keeps it, and afterwards nothing is bought; the control is bought before."""
        buyer = customer()
        control, soon, late = (buyer.buy_form("?type=S5.MEDIUM4&zone=ap-guangzhou-4&internet=none") for _ in range(3))
        assert buyer.post("/buy/", control | {"act": "buy"}).status_code == 303
        publish(operator(), **{f"{M4}.month": "500", "begins": "2026-03-10T10:05"})
        test_clock.advance(minutes=10)
        assert buyer.post("/buy/", soon | {"act": "buy"}).status_code == 303
        test_clock.advance(minutes=10)
        answer = buyer.post("/buy/", late | {"act": "buy"})
        assert (answer.status_code, "500" in text_of(answer)) == (409, True)
        first, second = Order.objects.order_by("id")
        assert first.total_minor == second.total_minor < 50_000

    def test_editing_and_buying_at_once_charges_one_of_the_two_prices(self) -> None:
        """Given an edit that comes into force later, when it races purchases, then each pays what holds now."""
        accounts = [open_purse(f"b{number}", cash_minor=2 * MONTHLY_MINOR) for number in range(4)]
        last = apply_catalog.last_applied()
        found = prices.preview({f"{M4}.month": "500"}, "2026-03-11T00:00", last.id)

        def edit() -> None:
            prices.publish(found, based_on=last.id, by=SELLER)

        at_once(edit, *[lambda account=account: purchase(wanted(account, MONTHLY)) for account in accounts])  # type: ignore[misc]
        assert [order.total_minor for order in Order.objects.all()] == [MONTHLY_MINOR] * 4
        with pytest.raises(ChangedMeanwhile):
            prices.publish(found, based_on=last.id, by=SELLER)

    def test_the_switch_stops_sales_in_one_zone_and_stands_in_the_file(self) -> None:
        seller, buyer = operator(), customer()
        form = buyer.buy_form("?type=S5.MEDIUM4&zone=ap-guangzhou-4&internet=none")
        stop = {"zone": "ap-guangzhou-4", "type": "S5.MEDIUM4", "act": "stop"}
        assert seller.post(f"{HERE}sold-out/", stop)["Location"] == HERE
        assert Offer.objects.get(zone_id="ap-guangzhou-4", instance_type_id="S5.MEDIUM4").sold_out
        assert buyer.post("/buy/", form | {"act": "buy"}).status_code == 409
        assert Order.objects.count() == 0
        item = next(one for one in read_yaml(apply_catalog.applied())["instance_types"] if one["code"] == "S5.MEDIUM4")
        assert item["sold_out"] == ["ap-guangzhou-4"]
        assert "It is so already." in text_of(seller.post(f"{HERE}sold-out/", stop, follow=True))
        seller.post(f"{HERE}sold-out/", stop | {"act": "sell"})
        assert "sold_out" not in next(
            one for one in read_yaml(apply_catalog.applied())["instance_types"] if one["code"] == "S5.MEDIUM4"
        )
        assert buyer.post("/buy/", form | {"act": "buy"}).status_code == 303

    @pytest.mark.parametrize(
        ("zone", "kind"), [("ap-shanghai-5", "S1.SMALL1"), ("x", "y"), ("", "\0"), ("<b>", "S5.SMALL1")]
    )
    def test_a_switch_of_what_is_not_sold_says_so(self, zone: str, kind: str) -> None:
        seller = operator()
        before = Applied.objects.count()
        answer = seller.post(f"{HERE}sold-out/", {"zone": zone, "type": kind, "act": "stop"}, follow=True)
        assert " is not sold in " in text_of(answer)
        assert "<b>" not in answer.content.decode().replace("<b></b>", "")
        assert Applied.objects.count() == before

    @pytest.mark.parametrize("act", ["stop", "sell"])
    def test_a_switch_in_a_file_that_cannot_be_applied_is_refused(self, act: str) -> None:
        """Given a file that an earlier release took and this one does not, then the switch says what is wrong."""
        seller = operator()
        text = apply_catalog.applied() + "old_section: 1\n"
        Applied.objects.create(at=clock.now(), text=text)
        before = Applied.objects.count()
        says = "The catalog file cannot be changed here. old_section: is not known here"
        said = {"zone": "ap-shanghai-5", "type": "M5.MEDIUM16", "act": act}
        answer = seller.post(f"{HERE}sold-out/", said, follow=True)
        assert (answer.status_code, says in text_of(answer)) == (200, True)
        assert Applied.objects.count() == before

    def test_only_the_seller_by_forms_of_his_own(self) -> None:
        before = Applied.objects.count()
        for page in (HERE, PRICES, f"{HERE}file/", f"{HERE}file/1/"):
            assert customer().get(page).status_code == 403
            assert Visitor().get(page)["Location"].startswith("/accounts/login/")
        forged = operator()
        forged.handler.enforce_csrf_checks = True
        for page, said in ((PRICES, {f"{M4}.hour": "1"}), (f"{HERE}sold-out/", {"zone": "a", "type": "b"})):
            assert customer().post(page, said).status_code == 403
            assert forged.post(page, said).status_code == 403
        assert operator().get(f"{HERE}file/999999/").status_code == 404
        assert Applied.objects.count() == before
