"""What the seller's commands print, in each of their three ways, against files that a reader can look at.

``VMART_WRITE_GOLDEN=1`` writes them anew.
"""

import os
import re
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.catalog.test_brand import picture
from tests.support.actors import SELLER, by
from tests.support.business_clock import BusinessClock
from tests.support.database import DEMO_CATALOG
from tests.support.shopper import HOURLY, MONTHLY, buy_running, open_purse
from tests.support.written import nothing_written
from vmart.backoffice import staffing
from vmart.backoffice.apply_catalog import apply_text
from vmart.catalog.models import Applied
from vmart.config import business_time
from vmart.config.cli import main
from vmart.customers import notes
from vmart.kernel import clock
from vmart.orders import discount, refund
from vmart.orders.models import Line
from vmart.payments import to_card, top_up
from vmart.payments.providers.sandbox import PAYS

GOLDEN = Path(__file__).with_name("golden")
HOST = ["--month", "700", "--vcpu", "32", "--memory-gib", "128", "--disk-gib", "2000", "--line-month", "210"]
CHANGE = ["catalog", "price", "change", "--yes"]
COMMANDS = {
    "today": ["today"],
    "shop-show": ["shop", "show"],
    "shop-set": ["shop", "set", "--name-en", "Northwind", "--name-zh", "北风", "--support", "help@northwind.example",
                 "--colour-light", "#0b5cad", "--colour-dark", "#7db8ff", "--logo", "{logo}", "--terms-en", "{terms}"],
    "catalog-history": ["catalog", "history"],
    "catalog-preview": ["catalog", "preview", "{dearer}"],
    "catalog-calculate": ["catalog", "calculate", *HOST, "--line-mbps", "500"],
    "catalog-price-list": ["catalog", "price", "list"],
    "catalog-price-change": ["catalog", "price", "change", "--dry-run", "--from", "2026-04-01T00:00",
                             "instance_types.S5.MEDIUM4.hour=0.50", "instance_types.S5.MEDIUM4.tiers=S1",
                             "term_discounts.tables.default.12=0.80", "term_discounts.covers=cpu, disk",
                             "bandwidth.hour=0-5: 0.063, 5-100: 0.25, 100-: 0.30",
                             "age_tiers.S1=0-96: 1, 96-: 0.50", "regions.ap-shanghai.factor=1.20",
                             "regions.ap-shanghai.traffic_gib=0.90", "regions.ap-shanghai.disks.CLOUD_SSD.month=0.90",
                             "--remove", "term_discounts.tables.S5.60"],
    "catalog-withdraw": ["catalog", "withdraw", "2"],
    "placement-hosts": ["placement", "hosts", "--zone", "ap-guangzhou-4"],
    "order-list": ["order", "list", "--search", "second", "--state", "delivered"],
    "order-show": ["order", "show", "{order}"],
    "payment-list": ["payment", "list", "--search", "second"],
    "payment-show": ["payment", "show", "{payment}"],
    "payment-refund": ["payment", "refund", "{payment}", "7.50", "--reason", "not wanted", "--yes", "--key", "b"],
    "shop-test-order": ["shop", "test-order"],
    "customer-notes": ["customer", "notes", "{customer}"],
    "customer-discount": ["customer", "discount", "{customer}", "20", "--reason", "buys more"],
    "customer-withdraw-discount": ["customer", "withdraw-discount", "{customer}"],
    "customer-discounts": ["customer", "discounts", "{customer}"],
    "operator-list": ["operator", "list"],
    "operator-changes": ["operator", "changes"],
}  # fmt: skip


def _one(found: re.Match[str]) -> str:
    """A 1 in its place; in a table no cell behind it moves."""
    return "1".ljust(len(found[0])) if found[1] else "1"


def _plain(text: str, order: int, payment: int) -> str:
    """Without what is another each time."""
    if payment:
        text = re.sub(r"command line \((?!me\))[^)]*\)", "command line (who types)", text)
        text = re.sub(r"(sandbox_\d+_|vmart-refund-)\d+\S*?(?=[\s\"]|$)", r"\g<1>x", text)
        text = re.sub(r'((?:payment|refund)"?(?::| ) *)\d+', r"\g<1>1", text)
        text = re.sub(r"(?m)^( *)\d+ +(?=2026-)", r"\g<1>1       ", text)
        text = re.sub(r" {2,}", "  ", text) if "  " in text and not text.startswith(("{", "[")) else text
    text = re.sub(rf"\b(?:{order or 'none'}|(?<=waited_ms=)[0-9.]+)\b( *)", _one, text)
    text = re.sub(r"ins-[0-9a-z]{8}", "ins-00000000", text)
    text = re.sub(r'(?m)((?:"order"|order)(?::| ) *)\d+', r"\g<1>1", text)
    if not order:  # of a change or a note
        text = re.sub(r"(?m)^\d+ +(?=2026-)", "1       ", text)
    return re.sub(r'(?m)(number"?(?::| ) *)\d+', r"\g<1>1", text)


def _refunded() -> int:
    """An order that was paid ahead, of which some came back; its number."""
    machine = buy_running(open_purse("second", cash_minor=50_000), MONTHLY)
    order = Line.objects.values_list("order_id", flat=True).get(subscription_id=machine.id)
    refund.give(refund.Asked(order, 3001, "stays"), "slow network", SELLER, "k")
    return order


def _given_back() -> int:
    """A payment by card of which a part went back; its number."""
    paid = top_up.begin(by(open_purse("second")), 5000, "sandbox", "t", method=PAYS)
    to_card.give(to_card.Asked(paid.payment_id, 1234), "half of it", SELLER, "a")
    return paid.payment_id


def _discounted(account: int) -> None:
    """A discount that holds, and another that is to come."""
    business = clock.source()
    assert isinstance(business, BusinessClock)
    discount.set_factor(account, Decimal("0.9"), "buys much", SELLER)
    business.advance(hours=1, minutes=30)
    discount.set_factor(account, Decimal("0.875"), "buys 中文 books", SELLER)


@pytest.mark.parametrize("way", ["table", "json", "yaml"])
@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_printed_is_what_the_golden_file_has(
    shop: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, way: str
) -> None:
    monkeypatch.setattr(business_time, "install", lambda: None)  # the clock of this test stays
    (tmp_path / "logo.png").write_bytes(picture())
    (tmp_path / "terms.txt").write_text("Be kind.")
    dearer = DEMO_CATALOG.read_text().replace(
        "S5.MEDIUM4: {month: 115, hour: 0.35", "S5.MEDIUM4: {month: 115, hour: 0.50"
    )
    assert dearer != DEMO_CATALOG.read_text()
    (tmp_path / "dearer.yaml").write_text(dearer)
    Applied.objects.update(by="seller@example.org")
    staffing.add("boss@example.org", by=SELLER)
    staffing.add("help@example.org", "support", by=SELLER)
    staffing.change("help@example.org", "operations", by=SELLER)
    account = open_purse(cash_minor=10_000)
    buy_running(account, HOURLY)
    struck = notes.add(account, "Pays late.", SELLER)
    notes.strike(account, struck.pk, SELLER)
    notes.add(account, "Calls at noon.\nSpeaks 中文.", SELLER)
    if name == "catalog-withdraw":
        apply_text(re.sub(r"version: 1\n  effective_at: 2010", "version: 2\n  effective_at: 2030", dearer))
    monkeypatch.setenv("VMART_SANDBOX_CARDS", "1")
    if "discount" in name:
        _discounted(account)
    order = _refunded() if name.startswith("order") else 0
    payment = _given_back() if name.startswith("payment") else 0
    places = {
        "order": order,
        "payment": payment,
        "logo": tmp_path / "logo.png",
        "terms": tmp_path / "terms.txt",
        "dearer": tmp_path / "dearer.yaml",
        "customer": account,
    }
    words = [word.format(**places) for word in COMMANDS[name]]
    done = CliRunner().invoke(main, [*words, "-o", way])
    assert done.exit_code == 0, done.output
    file = GOLDEN / f"{name}.{ {'table': 'txt'}.get(way, way) }"
    if os.environ.get("VMART_WRITE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(_plain(done.stdout, order, payment))
    assert _plain(done.stdout, order, payment) == file.read_text()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["shop", "set", "--colour-light", "#ffcc00", "--colour-dark", "#7db8ff"],
            "#ffcc00 has a contrast of 1.34 : 1",
        ),
        (["shop", "set", "--support", "me"], "me is no e-mail address."),
        (["shop", "set", "--logo", __file__], "This is no picture in PNG or WebP."),
        (["catalog", "sold-out", "S9", "ap-guangzhou-3"], "S9 is not sold in ap-guangzhou-3."),
        (["catalog", "preview", __file__], "line 1, column 3: expected"),
        ([*CHANGE, "bandwidth.day=1"], "bandwidth.day is no name in the price book: vmart catalog price list shows"),
        ([*CHANGE, "--remove", "traffic"], "traffic is no name in the price book"),
        ([*CHANGE, "traffic_gib"], "traffic_gib is not right: NAME=VALUE is expected."),
        ([*CHANGE, "traffic_gib=x"], "traffic_gib: x is not right: a number with at most 8 decimals is expected."),
        ([*CHANGE, "--remove", "traffic_gib"], "price_book.traffic_gib: is missing"),
        (
            [*CHANGE, "bandwidth.hour=0-5: 1, 6-: 2"],
            "bandwidth.hour.1.above: gap: nothing holds between 5 and 6",
        ),
        ([*CHANGE, "bandwidth.hour="], "price_book.bandwidth.hour: gap: nothing holds from 0 Mbps on"),
        ([*CHANGE, "bandwidth.hour=5"], "bandwidth.hour.0.price: (empty) is not right"),
        ([*CHANGE, "age_tiers.S1=0-96: 1"], "price_book.age_tiers.S1.0.to_h: gap: nothing holds from 96 hours on"),
        ([*CHANGE, "term_discounts.tables.default.12=1.2"], "less than or equal to 1, not 1.2"),
        ([*CHANGE, "term_discounts.tables.default.61=0.5"], "less than or equal to 60, not 61"),
        ([*CHANGE, "term_discounts.tables.default=6: 0.9, 6: 0.8"], "6 months stand here twice."),
        (
            [*CHANGE, "term_discounts.tables.default=a: 0.9", "term_discounts.tables.default.12=0.8"],
            "term_discounts.tables.default.0.months: a is not right",
        ),
        ([*CHANGE, "--remove", "term_discounts.tables.S5"], "instance_types.S5.SMALL1.terms: S5 is not known to term"),
        ([*CHANGE, "--remove", "regions.ap-shanghai.factor"], "regions.ap-shanghai.factor: (empty) is not right"),
        ([*CHANGE, "regions.ap-shanghai.factor=1.00001"], "no more than 4 decimal places"),
        ([*CHANGE, "traffic_gib=0.90", "--from", "2026-01-01T00:00"], "Prices begin at an instant to come"),
        ([*CHANGE, "traffic_gib=0.80"], "No price is another than it was."),
        (["catalog", "calculate", *HOST, "--margin-percent", "100"], "100 is not right: a whole number from 0 to 95"),
    ],
)
def test_what_is_wrong_is_refused_in_a_sentence(shop: object, words: list[str], says: str) -> None:
    with nothing_written():
        done = CliRunner().invoke(main, words)
    assert (done.exit_code, says in done.stderr) == (3, True), done.stderr


def test_the_switch_is_told(shop: object) -> None:
    for words, said in (
        ([], "sold out from now on\n"), ([], "it is so already\n"), (["--sell"], "sold again\n"),
    ):  # fmt: skip
        done = CliRunner().invoke(main, ["catalog", "sold-out", "S5.MEDIUM4", "ap-guangzhou-4", *words])
        assert (done.exit_code, done.stdout) == (0, said)
