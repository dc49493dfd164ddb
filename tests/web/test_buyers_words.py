"""Buyers read nothing of what stands behind the shop; the seller reads what it is. Amounts look the same everywhere."""

import re
from decimal import Decimal

import pytest
from django.utils import translation

from tests.web.test_orders_and_machines import running
from tests.web.visiting import ZONE, customer, operator, text_of, work
from vmart.catalog.models import ZoneImage
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.kernel import money
from vmart.pages import messages, wording

TOLD = "This is for the seller to mend, who can see what it is."
INSIDE = "The engine is too old: Incus 6.0 or newer is needed."
_WORDS = re.compile(r"incus|doctor|bin/run|daemon|socket|\bengine\b", re.IGNORECASE)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_no_sentence_that_is_stored_tells_a_buyer_of_the_sellers_tools(language: str) -> None:
    """Every sentence of the catalogue, as it would be shown to a buyer had it been stored as a reason."""
    with translation.override(language):
        shown = {message.msgid: wording.said_to_buyer(message.msgid) for message in messages.find()}
    reasons = {text for text in shown if text.endswith(".")}
    assert INSIDE in reasons
    assert [text for text in reasons if _WORDS.search(shown[text])] == []
    with translation.override("en"):
        assert wording.said_to_buyer("The machine could not be stopped.") == "The machine could not be stopped."
        assert wording.said_to_buyer("") == ""
        known = "It is not known which keys hold; bind or take away keys again."
        assert wording.said_to_buyer(f"{known}\nThe compute engine does not answer.") == f"{known} {TOLD}"


def test_why_an_image_failed_is_for_the_seller() -> None:
    ZoneImage.objects.filter(zone_id=ZONE).update(status="failed", why=INSIDE)
    page = text_of(customer().get("/buy/", follow=True))
    assert f"Could not be prepared {TOLD}" in page
    assert _WORDS.search(page.replace("Engine", "")) is None
    assert INSIDE in text_of(operator().get("/seller/"))


def test_why_a_delivery_failed_is_for_the_seller(world: World) -> None:
    visitor = customer()
    answer = visitor.buy()
    world.fail("ensure_present", transient=False, sentence=INSIDE)
    work()
    for address in (answer["Location"], f"/machines/{Instance.objects.get().public_id}/"):
        page = text_of(visitor.get(address))
        assert TOLD in page
        assert "Incus" not in page
    assert INSIDE in text_of(operator().get("/seller/"))


def test_what_ends_or_deletes_looks_like_danger() -> None:
    visitor = customer()
    machine = running(visitor)
    visitor.post("/keys/", {"act": "create", "name": "laptop"})
    for address, button in [
        (f"/machines/{machine.public_id}/", r'<a class="btn btn-sm danger" href="[^"]*/end/">Return…'),
        (f"/machines/{machine.public_id}/end/", r'<button class="btn btn-danger">Return<'),
        ("/keys/", r'<button class="btn btn-sm danger" name="act" value="delete"'),
    ]:
        assert re.search(button, visitor.get(address).content.decode()), address


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("1234567.5", "CNY", "¥1,234,567.5"), ("0.00", "CNY", "¥0.00"), ("-0.505", "EUR", "−€0.505"),
        ("100", "JPY", "¥100"), ("1000.094", "KWD", "KWD 1,000.094"), ("1E+3", "JPY", "¥1,000"),
    ],
)  # fmt: skip
def test_amounts_are_shown_in_one_form(amount: str, currency: str, shown: str) -> None:
    assert money.shown(Decimal(amount), currency) == shown


def test_amounts_in_refusals_have_the_form_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMART_SANDBOX_CARDS", "1")
    visitor = customer(gift_minor=0)
    refused = text_of(visitor.buy("?months=12&count=30"))
    assert "The balance is not enough: ¥20,448.00 are needed and ¥0.00 are available." in refused
    card = {"provider": "sandbox", "card": "4242424242424242", "token": "t" * 43}
    refused = text_of(visitor.post("/balance/top-up/", card | {"amount": "0.99"}))
    assert "One payment may be ¥1.00 to ¥100,000.00." in refused
    taken = visitor.post("/balance/top-up/", card | {"amount": "¥1,250.50"})
    assert "¥1,250.50" in text_of(visitor.get(taken["Location"]))
