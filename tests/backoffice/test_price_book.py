"""Steps, terms, tiers of age and regions changed by page: previewed, dated, in the file as they were typed."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.http import HttpResponse
from hypothesis import given
from hypothesis import strategies as st

from tests.backoffice.test_own_shop import comments_of
from tests.backoffice.test_prices import HERE, PRICES
from tests.support.actors import SELLER
from tests.support.at_once import at_once
from tests.support.business_clock import BusinessClock
from tests.support.database import DEMO_CATALOG
from tests.support.shopper import HOURLY, MONTHLY, MONTHLY_MINOR, buy_running, go_to, open_purse, wanted
from tests.support.written import nothing_written
from tests.web.visiting import Form, Visitor, customer, operator, text_of
from vmart.backoffice import apply_catalog, book_edit, book_names, book_texts, catalog_text, prices, withdraw_book
from vmart.backoffice.apply_catalog import ChangedMeanwhile
from vmart.catalog.models import Applied
from vmart.kernel import clock
from vmart.kernel.documents import read_yaml
from vmart.kernel.errors import InvalidValue
from vmart.orders.models import Order
from vmart.orders.purchase import purchase
from vmart.pricing import books
from vmart.pricing.book import PriceBook
from vmart.pricing.configuration import BANDWIDTH_POSTPAID_BY_HOUR, BANDWIDTH_PREPAID, DiskChoice
from vmart.pricing.models import Book
from vmart.pricing.quote import quote, returnables
from vmart.pricing.rules import postpaid_price

BEGINS = "2026-04-01T00:00"
THEN = dt.datetime(2026, 3, 31, 16, tzinfo=dt.UTC)  # 00:00 in Shanghai
DEFAULT, S5, MONTH, HOUR, S1 = (
    "term_discounts.tables.default", "term_discounts.tables.S5", "bandwidth.month", "bandwidth.hour", "age_tiers.S1",
)  # fmt: skip
SHANGHAI = "regions.ap-shanghai"


class Editor:
    """The page of prices as a browser without JavaScript has it: what is typed stays from button to button."""

    def __init__(self) -> None:
        self.seller = operator()
        self._keep(self.seller.get(PRICES))

    def _keep(self, answer: HttpResponse) -> HttpResponse:
        self.page = text_of(answer)
        self.html = answer.content.decode()
        self.fields = Form(self.html, "").data
        return answer

    def press(self, act: str, status: int = 200, **typed: str) -> "Editor":
        answer = self.seller.post(PRICES, self.fields | {"act": act} | typed)
        assert answer.status_code == status, text_of(answer)
        self._keep(answer)
        return self

    def say(self, typed: dict[str, str]) -> "Editor":
        self.fields |= typed
        return self

    def without(self, *names: str) -> "Editor":
        """Boxes that are not ticked any more."""
        for name in names:
            del self.fields[name]
        return self

    def publish(self) -> PriceBook:
        """Previewed, confirmed as shown; the book."""
        self.say({"begins": BEGINS}).press("preview")
        assert self.seller.post(PRICES, self.fields | {"act": "publish"})["Location"] == HERE
        return books.newest()


def rows(name: str, *texts: str) -> dict[str, str]:
    """Fields of a table's rows: ``0 2 20``; ``-`` is empty."""
    columns = book_names.columns(name, ["ap-shanghai"])
    return {
        f"{name}.{number}.{column}": "" if cell == "-" else cell
        for number, text in enumerate(texts)
        for column, cell in zip(columns, text.split(), strict=True)
    }


def without_token(editor: Editor) -> dict[str, str]:
    """What is typed; a ticked box has any value."""
    ticked = {"term_discounts.covers.cpu": "on"} if "term_discounts.covers.cpu" in editor.fields else {}
    return {name: value for name, value in editor.fields.items() if not name.startswith("csrf")} | ticked


def written() -> dict[str, Any]:
    section: dict[str, Any] = read_yaml(apply_catalog.applied())["price_book"]
    return section


# -- values and names, without a shop ------------------------------------------------------------------


def section_of(name: str) -> Any:
    return read_yaml((DEMO_CATALOG.parent / name).read_text())["price_book"]


@pytest.mark.parametrize("name", ["demo.yaml", "starter.yaml"])
def test_a_book_goes_into_names_fields_and_texts_and_comes_back(name: str) -> None:
    section = section_of(name)
    named = book_names.named(section)
    assert book_names.with_named(section, named) == section
    assert book_edit.typed(section, book_edit.flat(named)) == named
    said = [f"{one}={book_texts.shown(value)}" for one, value in named.items()]
    assert book_texts.changed(section, said, []) == named
    assert list(catalog_text.differences(section, book_names.with_named(section, named), ())) == []


TABLE = st.dictionaries(st.integers(1, 60), st.decimals("0.01", "1", places=2), min_size=1, max_size=9)


@given(before=TABLE, after=TABLE)
def test_a_table_of_any_rows_becomes_any_other_in_its_file(
    before: dict[int, Decimal], after: dict[int, Decimal]
) -> None:
    """Given a table and steps with a comment beside them, when both change, then the file reads as wanted, rows in
    order, and the comment stays."""
    document = {"t": before, "l": [{"above": one} for one in before]}
    text = catalog_text.new(document).replace("t:\n", "t: # of terms\n")
    wanted_ = {"t": after, "l": [{"above": one} for one in after]}
    changed = catalog_text.changed(text, dict(catalog_text.differences(read_yaml(text), wanted_, ())))
    assert read_yaml(changed) == wanted_
    assert "t: # of terms\n" in changed
    kept_or_sorted = list(read_yaml(changed)["t"])
    assert [one for one in kept_or_sorted if one not in before] == sorted(set(after) - set(before))


def test_what_stands_on_one_line_stays_on_one() -> None:
    text = "l:\n  - {a: 1, b: 2}\nm: [{a: 1, b: 2}]\nn: 5\n"
    values: dict[catalog_text.Path, Any] = {
        ("l", 1): {"a": 2, "b": 3},
        ("m", 1): {"a": Decimal(2)},
        ("n",): Decimal(500),
    }
    values[("m", 1)]["b"] = Decimal("2.5")
    assert catalog_text.changed(text, values) == (
        "l:\n  - {a: 1, b: 2}\n  - {a: 2, b: 3}\nm: [{a: 1, b: 2}, {a: 2, b: 2.5}]\nn: 500\n"
    )


# -- from page to cent ---------------------------------------------------------------------------------


def amount(book: PriceBook, **other: Any) -> Decimal:
    """What one machine is quoted at, its term paid at once."""
    return Decimal(quote(book, replace(MONTHLY, **other)).machine_minor) / 100


@pytest.mark.usefixtures("shop")
class TestEditing:
    def test_terms_are_typed_added_and_taken_away_and_the_quote_follows(self, test_clock: BusinessClock) -> None:
        """A month is 115 + 50 × 0.35 = 132.50 in list prices; then disks are discounted too."""
        old = books.newest()
        assert [amount(old, period_months=months) for months in (11, 12, 24)] == [
            Decimal("1305.70"), Decimal("1355.40"), Decimal("2352.00"),
        ]  # 11 × (115 × 0.88 + 17.5), 12 × (115 × 0.83 + 17.5), 24 × (115 × 0.70 + 17.5)  # fmt: skip
        editor = Editor().press(f"take:{DEFAULT}.3").press(f"add:{DEFAULT}")
        assert f'name="{DEFAULT}.3.months"' in editor.html
        editor.say(rows(DEFAULT, "6 0.90", "11 0.8125", "24 0.65", "2 0.99")).say({"term_discounts.covers.disk": "on"})
        book = editor.publish()
        assert "term_discounts.covers cpu cpu, disk" in editor.page
        assert f"{DEFAULT} 6: 0.88 12: 0.83 24: 0.70 36: 0.50 2: 0.99 6: 0.90 11: 0.8125 24: 0.65" in editor.page
        assert "Items in their term keep their price; the renewal after it pays the new one." in editor.page
        assert list(written()["term_discounts"]["tables"]["default"].items()) == [
            (2, Decimal("0.99")), (6, Decimal("0.90")), (11, Decimal("0.8125")), (24, Decimal("0.65")),
        ]  # fmt: skip
        assert comments_of(apply_catalog.applied()) == comments_of(DEMO_CATALOG.read_text())
        assert [amount(book, period_months=months) for months in (1, 10, 11, 12, 24)] == [
            Decimal("132.50"), Decimal("1192.50"), Decimal("1184.22"), Decimal("1291.88"), Decimal("2067.00"),
        ]  # 132.5 × months × 1, 0.90, 0.8125 (1184.21875), 0.8125 (1291.875), 0.65  # fmt: skip
        assert books.book_in_force(clock.now()).version == 1
        test_clock.set(THEN)
        assert books.book_in_force(clock.now()).version == book.version == 2

    def test_a_table_of_its_own_is_made_given_to_a_type_and_taken_away(self) -> None:
        editor = Editor().press("new:terms", new_terms="long")
        assert editor.fields["term_discounts.tables.long.0.months"] == "12"
        book = editor.say(rows("term_discounts.tables.long", "12 0.5")).say({"instance_types.S5.MEDIUM4.terms": "long"})
        found = book.publish()
        assert amount(found, period_months=12) == 12 * (Decimal(115) / 2 + Decimal("17.5"))
        assert amount(found, period_months=12, instance_type="S5.LARGE8") == 12 * (
            230 * Decimal("0.83") + Decimal("17.5")
        )
        assert written()["instance_types"]["S5.MEDIUM4"]["terms"] == "long"
        again = Editor().press("drop:term_discounts.tables.long").say({"begins": "2026-04-02T00:00"}).press("preview")
        assert "instance_types.S5.MEDIUM4.terms long —" in again.page
        assert again.seller.post(PRICES, again.fields | {"act": "publish"})["Location"] == HERE
        assert "terms" not in written()["instance_types"]["S5.MEDIUM4"]
        assert "long" not in written()["term_discounts"]["tables"]

    def test_steps_are_typed_and_the_quote_pays_each_mbps_its_own(self) -> None:
        editor = Editor().press(f"add:{MONTH}").press(f"add:{HOUR}")
        editor.say(rows(MONTH, "0 5 21", "5 6 26.5", "6 100 80", "100 - 75.25"))
        book = editor.say(rows(HOUR, "0 5 0.07", "5 6 0.2", "6 - 0.31")).publish()
        disk_and_type = Decimal("132.50")

        def mbps(number: int) -> Decimal:
            of_net = {"internet_charge_type": BANDWIDTH_PREPAID, "bandwidth_mbps": number, "public_ip": True}
            return amount(book, **of_net) - disk_and_type

        assert [mbps(number) for number in (5, 6, 200)] == [
            Decimal(105), Decimal("131.50"), Decimal("15176.50"),
        ]  # 5 × 21; + 26.5; + 94 × 80 + 100 × 75.25  # fmt: skip
        by_hour = replace(HOURLY, internet_charge_type=BANDWIDTH_POSTPAID_BY_HOUR, public_ip=True)
        hours = [quote(book, replace(by_hour, bandwidth_mbps=number)).hourly for number in (5, 6, 100)]
        assert hours == [Decimal("0.375") + net for net in (Decimal("0.35"), Decimal("0.55"), Decimal("29.69"))]
        assert written()["bandwidth"]["month"][3] == {"above": 100, "price": Decimal("75.25")}
        line = "    month: [{above: 0, up_to: 5, price: 21}, {above: 5, up_to: 6, price: 26.5}, "
        assert line in apply_catalog.applied()

    def test_an_hour_in_the_second_tier_costs_what_was_typed(self, test_clock: BusinessClock) -> None:
        """Given a machine that has run for 100 hours, then the preview counts it in its tier, now and then."""
        account = open_purse(cash_minor=1_000_000)
        small = replace(HOURLY, instance_type="S1.SMALL1")
        buy_running(account, small)
        go_to(test_clock, test_clock.at + dt.timedelta(hours=100))
        editor = Editor().press(f"take:{S1}.1").say(rows(S1, "0 48 1", "48 - 0.375")).say({"begins": BEGINS})
        editor.press("preview")
        assert "All of them an hour, now ¥0.235" in editor.page  # 0.42 × 0.50 + 50 × 0.0005
        assert "All of them an hour, then ¥0.1825" in editor.page  # 0.42 × 0.375 + 0.025
        assert f"{S1} 0–96: 1 96–360: 0.50 360–: 0.34 0–48: 1 48–: 0.375" in editor.page
        assert editor.seller.post(PRICES, editor.fields | {"act": "publish"})["Location"] == HERE
        (cpu, *_rest) = returnables(books.newest(), small)
        assert postpaid_price(cpu.hourly, 3600, cpu.tiers, 50 * 3600) == Decimal("0.1575")
        assert postpaid_price(cpu.hourly, 3600, cpu.tiers, 47 * 3600 + 1800) == Decimal("0.28875")  # half of each

    def test_tiers_are_made_and_given_to_a_type(self) -> None:
        editor = Editor().press("new:tiers", new_tiers="S5").press("add:age_tiers.S5")
        editor.say(rows("age_tiers.S5", "0 24 1", "24 - 0.8")).say({"instance_types.S5.MEDIUM4.tiers": "S5"})
        (cpu, *_rest) = returnables(editor.publish(), HOURLY)
        assert [postpaid_price(cpu.hourly, 3600, cpu.tiers, age * 3600) for age in (23, 24)] == [
            Decimal("0.35"), Decimal("0.28"),
        ]  # fmt: skip

    def test_without_its_last_table_every_type_is_without_tiers(self) -> None:
        editor = Editor().press(f"drop:{S1}")
        assert "instance_types.S1.SMALL1.tiers" not in editor.fields
        (cpu, *_rest) = returnables(editor.publish(), replace(HOURLY, instance_type="S1.SMALL1"))
        assert postpaid_price(cpu.hourly, 3600, cpu.tiers, 100 * 3600) == Decimal("0.42")
        assert "age_tiers" not in written()
        assert "tiers" not in written()["instance_types"]["S1.SMALL1"]

    def test_a_seller_reads_in_chinese_what_is_wrong(self) -> None:
        editor = Editor().say({"begins": BEGINS})
        said = editor.fields | rows(MONTH, "0 2 20", "3 5 25") | {"act": "preview"}
        answer = editor.seller.post(PRICES, said, headers={"accept-language": "zh-CN"})
        assert (answer.status_code, "有缺口：2 与 3 Mbps之间没有任何区间" in text_of(answer)) == (422, True)

    def test_the_second_region_has_another_factor_and_prices_of_its_own(self) -> None:
        there = {"region": "ap-shanghai", "zone": "ap-shanghai-2"}
        old = books.newest()
        assert amount(old, **there) == Decimal("145.75")  # 132.50 × 1.10
        editor = Editor().say({f"{SHANGHAI}.factor": "1.2"})
        for thing in ("instance_types.S5.SMALL1", "disks.CLOUD_SSD", "bandwidth", "traffic_gib"):
            editor.press("own:ap-shanghai", **{"own.ap-shanghai": thing})
        assert editor.fields[f"{SHANGHAI}.instance_types.S5.SMALL1.month"] == "54"  # 45 × 1.2
        assert editor.fields[f"{SHANGHAI}.instance_types.S5.SMALL1.terms"] == "S5"
        assert editor.fields[f"{SHANGHAI}.bandwidth.hour.1.price"] == "0.3"
        editor.say({f"{SHANGHAI}.instance_types.S5.SMALL1.month": "50", f"{SHANGHAI}.traffic_gib": "0.91"})
        book = editor.say({f"{SHANGHAI}.disks.CLOUD_SSD.month": "1.05"}).publish()
        assert amount(book, **there) == Decimal("159.00")  # 132.50 × 1.2
        assert amount(book) == Decimal("132.50")
        own = {"instance_type": "S5.SMALL1", "system_disk": DiskChoice("CLOUD_SSD", 20), **there}
        assert amount(book, **own) == Decimal("64.50")  # 50 × 0.87 + 20 × 1.05
        assert amount(book, **own, period_months=12) == Decimal("666.00")  # 12 × (50 × 0.69 + 21)
        assert (book.regions["ap-shanghai"].traffic_gib, book.regions["ap-guangzhou"].traffic_gib) == (
            Decimal("0.91"), Decimal("0.80"),
        )  # fmt: skip
        again = Editor()
        for thing in ("instance_types.S5.SMALL1", "disks.CLOUD_SSD", "bandwidth", "traffic_gib"):
            again.press(f"drop:{SHANGHAI}.{thing}")
        again.say({f"{SHANGHAI}.factor": "1.10", "begins": "2026-04-02T00:00"}).press("preview")
        assert again.seller.post(PRICES, again.fields | {"act": "publish"})["Location"] == HERE
        assert written()["regions"] == section_of("demo.yaml")["regions"]

    @pytest.mark.parametrize(
        ("typed", "field", "says"),
        [
            (rows(MONTH, "0 2 20", "3 5 25"), f"{MONTH}.1.above", "gap: nothing holds between 2 and 3 Mbps"),
            (rows(MONTH, "0 2 20", "1 5 25"), f"{MONTH}.1.above", "overlap: two ranges hold between 1 and 2 Mbps"),
            (rows(MONTH, "1 2 20"), f"{MONTH}.0.above", "gap: nothing holds between 0 and 1 Mbps"),
            (rows(MONTH, "0 - 20"), f"{MONTH}.1.above", "overlap: a range begins at 2 Mbps after one without end"),
            ({f"{MONTH}.2.up_to": "9"}, f"{MONTH}.2.up_to", "gap: nothing holds from 9 Mbps on"),
            ({f"{MONTH}.1.up_to": "1"}, f"{MONTH}.1.up_to", "a range ends at 1 Mbps, not after its begin 2"),
            ({f"{HOUR}.0.price": "-1"}, f"{HOUR}.0.price", "-1 is not right: a number with at most 8 decimals"),
            ({f"{HOUR}.0.price": ""}, f"{HOUR}.0.price", "(empty) is not right"),
            ({f"{S1}.1.from_h": "95"}, f"{S1}.1.from_h", "overlap: two ranges hold between 95 and 96 hours"),
            ({f"{S1}.1.to_h": "1.5"}, f"{S1}.1.to_h", "1.5 is not right: a whole number from 0 to 999999999"),
            ({f"{S1}.1.factor": "0"}, f"{S1}.1.factor", "Input should be greater than 0, not 0"),
            ({f"{DEFAULT}.1.factor": "1.01"}, f"{DEFAULT}.1.factor", "be less than or equal to 1, not 1.01"),
            ({f"{DEFAULT}.1.factor": "0.12345"}, f"{DEFAULT}.1.factor", "no more than 4 decimal places"),
            ({f"{DEFAULT}.3.months": "61"}, f"{DEFAULT}.3.months", "Input should be less than or equal to 60, not 61"),
            ({f"{DEFAULT}.3.months": "6"}, f"{DEFAULT}.3.months", "6 months stand here twice."),
            ({f"{SHANGHAI}.factor": "0"}, f"{SHANGHAI}.factor", "Input should be greater than 0, not 0"),
            ({f"{SHANGHAI}.factor": "1.00001"}, f"{SHANGHAI}.factor", "no more than 4 decimal places"),
            ({"traffic_gib": "0.12345678", f"{SHANGHAI}.factor": "1.01"}, f"{SHANGHAI}.factor",
             "0.12345678 × 1.01 has more than 8 decimals; name the price of this region itself"),
            ({"instance_types.S5.MEDIUM4.terms": "S9"}, "instance_types.S5.MEDIUM4.terms",
             "S9 is not known to term_discounts.tables"),
            ({"instance_types.S5.MEDIUM4.tiers": "<zz>"}, "instance_types.S5.MEDIUM4.tiers",
             "is not known to age_tiers"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_said_at_the_rows_field(self, typed: dict[str, str], field: str, says: str) -> None:
        editor = Editor().say({"begins": BEGINS})
        with nothing_written():
            editor.press("publish", status=422, **typed)
        assert says in editor.page
        assert "<zz>" not in editor.html
        place = editor.html.index(f'id="{field}_error"')
        assert says.split(" × ", maxsplit=1)[0] in editor.html[place : place + 400]

    def test_a_table_without_rows_is_said_above_it(self) -> None:
        editor = Editor().press(f"take:{HOUR}.1").press(f"take:{HOUR}.0").say({"begins": BEGINS})
        editor.press("preview", status=422)
        assert "gap: nothing holds from 0 Mbps on" in editor.page
        editor.press(f"add:{HOUR}").say(rows(HOUR, "0 - 0.063"))
        assert editor.publish().document.bandwidth.hour[0].up_to is None

    @pytest.mark.parametrize("name", ["", "S5", "no", "12", "a b", "<i>", "x" * 41, "a\0", "默认", "-a", "null"])
    def test_a_table_has_a_name_that_a_file_can_have(self, name: str) -> None:
        editor = Editor()
        with nothing_written():
            editor.press("new:terms", status=422, new_terms=name)
        assert ("There is a table S5 already." if name == "S5" else "is no name for a table") in editor.page

    @pytest.mark.parametrize(
        "act",
        ["add:nothing", "add:", "take:bandwidth.month.99", "take:bandwidth.month.-1", "take:bandwidth.month.²", "take:",
         "drop:term_discounts.tables.default", "drop:bandwidth", "drop:regions.ap-shanghai.factor", "drop:", "own:moon",
         "drop:regions.ap-shanghai.", "own:ap-shanghai", "new:", "new:prices", "add:\0", "::", "add:traffic_gib"],
    )  # fmt: skip
    def test_a_button_that_is_none_changes_nothing(self, act: str) -> None:
        editor = Editor()
        before = without_token(editor)
        with nothing_written():
            editor.press(act, **{"own.ap-shanghai": "nothing"})
        assert without_token(editor) == before

    def test_what_is_sent_by_no_page_is_refused(self) -> None:
        """Given tables of names that no page lets one make, or fields left away, then nothing of it is written."""
        editor = Editor().say({"begins": BEGINS})
        at = "term_discounts.tables"
        with nothing_written():
            for name in ("no", "<<", "a\nb", "\0", "&a", "*a", "12"):
                forged = {f"here:{at}.{name}": "yes", f"{at}.{name}.0.months": "6", f"{at}.{name}.0.factor": "0.5"}
                answer = editor.seller.post(PRICES, editor.fields | forged | {"act": "publish"})
                assert answer.status_code == 422, name
            few = editor.seller.post(
                PRICES, {"act": "publish", "based_on": editor.fields["based_on"], "begins": BEGINS}
            )
            assert few.status_code == 422

    def test_another_edit_in_between_is_refused_and_a_purchase_pays_what_holds(self) -> None:
        editor = Editor().say(rows(DEFAULT, "6 0.99")).say({"begins": BEGINS}).press("preview")
        prices.sold_out("ap-guangzhou-4", "S5.LARGE8", out=True, by=SELLER)
        before = Applied.objects.count()
        late = editor.seller.post(PRICES, editor.fields | {"act": "publish"})
        assert (late.status_code, "changed meanwhile" in text_of(late)) == (422, True)
        assert (Book.objects.count(), Applied.objects.count()) == (1, before)
        accounts = [open_purse(f"b{number}", cash_minor=2 * MONTHLY_MINOR) for number in range(3)]
        last = apply_catalog.last_applied()
        held = book_names.named(prices.section())
        found = prices.preview_whole(held | {f"{SHANGHAI}.factor": "3", "traffic_gib": "9"}, BEGINS, last.id)

        def edit() -> None:
            prices.publish(found, based_on=last.id, by=SELLER)

        buys: list[Callable[[], object]] = [lambda account=account: purchase(wanted(account)) for account in accounts]  # type: ignore[misc]
        at_once(edit, *buys)
        assert [order.total_minor for order in Order.objects.all()] == [MONTHLY_MINOR] * 3
        assert Book.objects.count() == 2
        with pytest.raises(ChangedMeanwhile):
            prices.publish(found, based_on=last.id, by=SELLER)

    def test_of_two_edits_at_once_one_is_published(self) -> None:
        last = apply_catalog.last_applied()
        held = book_names.named(prices.section())
        found = [
            prices.preview_whole(held | {f"{SHANGHAI}.factor": factor}, BEGINS, last.id) for factor in ("1.2", "1.3")
        ]
        done = at_once(*[lambda one=one: prices.publish(one, based_on=last.id, by=SELLER) for one in found])  # type: ignore[misc]
        assert sorted(type(one).__name__ for one in done) == ["ChangedMeanwhile", "NoneType"]
        assert (Book.objects.count(), Applied.objects.count()) == (2, 2)

    def test_withdrawn_the_file_says_its_tables_again(self) -> None:
        Editor().press(f"add:{DEFAULT}").say(rows(DEFAULT, "6 0.9", "12 0.8", "24 0.7", "36 0.6", "60 0.4")).publish()
        withdraw_book.withdraw(2, by=SELLER)
        assert written() == section_of("demo.yaml")
        assert comments_of(apply_catalog.applied()) == comments_of(DEMO_CATALOG.read_text())

    def test_only_who_may_edit_the_catalog_presses_its_buttons(self) -> None:
        before = Applied.objects.count()
        for visitor in (customer(), operator("support"), operator("finance")):
            assert visitor.post(PRICES, {"act": f"add:{MONTH}"}).status_code == 403
        assert Visitor().post(PRICES, {"act": "add:bandwidth.month"})["Location"].startswith("/accounts/login/")
        assert Applied.objects.count() == before


def test_a_command_names_a_price_for_a_region_and_the_others_of_it_come_along() -> None:
    section = section_of("demo.yaml")
    name = f"{SHANGHAI}.instance_types.S5.SMALL1"
    named = book_texts.changed(section, [f"{name}.month=40"], [])
    assert {one: value for one, value in named.items() if one.startswith(name)} == {
        f"{name}.month": "40", f"{name}.hour": "0.154", f"{name}.spot": "0.0308", f"{name}.terms": "S5",
    }  # fmt: skip
    new = book_names.with_named(section, named)
    back = book_texts.changed(new, [], [name])
    assert book_names.with_named(new, back) == section
    with pytest.raises(InvalidValue, match="is no name in the price book"):
        book_texts.changed(section, [], [name])
