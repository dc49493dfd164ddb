"""A customer buys a spot machine on the page, is told what it means, and sees when it is taken back."""

from decimal import Decimal

from django.urls import reverse

from tests.support.written import nothing_written
from tests.web.visiting import customer, order_id_of, text_of, work
from vmart.instances.models import Instance
from vmart.launch_templates.models import Template, Version
from vmart.orders import reclaim
from vmart.web import from_template

SPOT = "?charge=spot&type=S5.SMALL1"


def test_it_is_offered_with_what_it_means() -> None:
    visitor = customer()
    assert 'id="charge-spot"' in visitor.get("/buy/?type=S5.SMALL1", follow=True).content.decode()
    assert 'id="charge-spot"' not in visitor.get("/buy/?type=S5.MEDIUM4", follow=True).content.decode()
    page = visitor.get(f"/buy/{SPOT}", follow=True)
    assert "it is taken back: you see it 2 minutes before" in text_of(page)
    assert 'name="max_price" value=""' in page.content.decode()
    assert 'name="ends_at"' not in page.content.decode()
    other = text_of(visitor.get("/buy/?charge=spot&type=S5.MEDIUM4", follow=True))
    assert "The instance type S5.MEDIUM4 is not sold as a spot machine here." in other


def test_one_is_bought_with_a_bid_and_its_end_is_announced() -> None:
    visitor = customer()
    visitor.buy(f"{SPOT}&max_price=0.05")
    work()
    machine = Instance.objects.get()
    assert (machine.charge_type, machine.max_price) == ("SPOTPAID", Decimal("0.05"))
    page = reverse("machine", args=[machine.public_id])
    shown = visitor.get(page)
    assert "Spot, by the second" in text_of(shown)
    for act in ("machine_type", "machine_prepay", "machine_planned_end"):
        assert reverse(act, args=[machine.public_id]) not in shown.content.decode()
    stop_page = visitor.get(reverse("machine_stop", args=[machine.public_id]))
    assert "A spot machine that is off is billed on at" in text_of(stop_page)
    assert 'value="without"' not in stop_page.content.decode()
    assert "A spot machine has no recycle bin" in text_of(visitor.get(reverse("machine_end", args=[machine.public_id])))
    assert "It is taken back at" not in text_of(shown)
    reclaim.announce([machine.id], reclaim.FOR_ROOM)
    told = text_of(visitor.get(page))
    assert "It is taken back at" in told and "Its room is needed for another machine." in told
    form = visitor.buy_form(SPOT)
    with nothing_written():
        refused = visitor.post("/buy/", form | {"act": "buy"})
    assert "spot machines are being taken back" in text_of(refused)


def test_a_bid_that_is_none_or_too_low_is_said_beside_its_field() -> None:
    visitor = customer()
    wrong_ones = (("a", 409, "Enter an amount, with at most 8 decimals."), ("0.02", 409, "costs 0.028 now"))
    for typed, status, said in wrong_ones:
        form = visitor.buy_form(SPOT)
        with nothing_written():
            wrong = visitor.post("/buy/", form | {"max_price": typed, "act": "buy"})
        assert (wrong.status_code, said in text_of(wrong)) == (status, True)
        assert f'name="max_price" value="{typed}"' in wrong.content.decode()


def test_a_template_keeps_the_bid_and_is_bought_from() -> None:
    visitor = customer()
    form = visitor.buy_form(f"{SPOT}&max_price=0.05")
    visitor.post("/buy/", form | {"act": "save_template", "template_name": "cheap"})
    kept = Version.objects.get().contents
    assert (kept["charge_type"], kept["attributes.max_price"]) == ("SPOTPAID", "0.05")
    page = visitor.get(reverse("template", args=[Template.objects.get().public_id]))
    assert "Spot, by the second ≤ 0.05" in text_of(page)
    query = from_template.address_of(Template.objects.get().public_id, 1, kept)
    order_id_of(visitor.buy(f"?{query}"))
    work()
    machine = Instance.objects.get()
    assert (machine.charge_type, machine.max_price) == ("SPOTPAID", Decimal("0.05"))


def test_a_bid_below_the_price_is_refused_on_the_page_and_the_price_stays() -> None:
    visitor = customer()
    page = visitor.get(f"/buy/{SPOT}&max_price=0.001", follow=True).content.decode()
    assert "MaxPrice is 0.001 an hour, and an hour of S5.SMALL1 costs 0.028 now." in page
    assert 'aria-invalid="true"' in page[page.index('id="max_price"') :][:400]
    told = text_of(visitor.get(f"/buy/price/{SPOT}&max_price=0.028", follow=True))
    assert "MaxPrice" not in told
