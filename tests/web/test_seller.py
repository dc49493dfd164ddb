"""The seller's page: for operators alone; sales, capacity, failures and retries."""

import re

from tests.web.visiting import ZONE, customer, operator, text_of, work
from vmart.engines.simulated import World
from vmart.kernel import clock
from vmart.worker.models import Operation


def test_customers_are_refused_and_operators_begin_here() -> None:
    assert customer().get("/seller/").status_code == 403
    assert customer().post("/seller/operations/1/retry/").status_code == 403
    seller = operator()
    assert seller.get("/")["Location"] == "/seller/"
    assert seller.get("/seller/").status_code == 200
    assert seller.get("/machines/")["Location"] == "/seller/"


def test_sales_and_capacity_of_what_was_sold() -> None:
    buyer = customer()
    buyer.buy("?count=2&type=S5.MEDIUM4")
    work()
    page = text_of(operator().get("/seller/"))
    assert "Revenue today ¥244.00" in page  # 2 × (115 + 7)
    assert "Orders today 1" in page
    assert "Delivered today 2" in page
    assert "4 / 8192" in page
    assert "8 / 2048 GiB" in page
    assert "243 / 245" in page


def test_a_failed_delivery_is_shown_with_its_reason(world: World) -> None:
    buyer = customer()
    buyer.buy()
    world.fail("ensure_present", transient=False, sentence="The host refused.")
    work()
    page = text_of(operator().get("/seller/"))
    assert "Failed today 1" in page
    assert f"{buyer.user.email} {ZONE} The host refused." in page


def test_an_operation_that_needs_attention_is_retried_once() -> None:
    Operation.objects.create(
        kind="release", subject_id=7, lane=ZONE, due_at=clock.now(), attempt=12, attention=True,
        last_error="RuntimeError: <b>stuck</b>", created_at=clock.wall(),
    )  # fmt: skip
    seller = operator()
    page = seller.get("/seller/").content.decode()
    assert "RuntimeError: &lt;b&gt;stuck&lt;/b&gt;" in page
    found = re.search(r'action="(/seller/operations/\d+/retry/)"', page)
    assert found
    assert "The worker tries it again." in text_of(seller.post(found[1], follow=True))
    operation = Operation.objects.get(kind="release")
    assert (operation.attention, operation.attempt) == (False, 0)
    assert "Nothing to retry" in text_of(seller.post(found[1], follow=True))
    assert seller.get(found[1]).status_code == 405
