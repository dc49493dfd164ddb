"""What was bought: its order, its machine, and what its owner does to it."""

import re

import pytest

from tests.support.business_clock import BusinessClock
from tests.support.shopper import owe, purses
from tests.web.visiting import Visitor, customer, order_id_of, text_of, work
from vmart.catalog import shop
from vmart.catalog.models import Zone
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance, State
from vmart.kernel import clock, db
from vmart.listings import overview
from vmart.orders import open_account
from vmart.orders.models import Line, Order
from vmart.worker import queue


def running(visitor: Visitor, query: str = "") -> Instance:
    """A machine bought on the page and delivered."""
    order_id = order_id_of(visitor.buy(query))
    work()
    machine = Instance.objects.get(id__in=Line.objects.filter(order_id=order_id).values("subscription_id"))
    assert machine.state == State.RUNNING
    return machine


def test_the_order_page_follows_the_order_to_the_ssh_line() -> None:
    visitor = customer()
    answer = visitor.buy()
    before = visitor.get(answer["Location"]).content.decode()
    assert 'hx-trigger="every 1s"' in before
    assert '<noscript><meta http-equiv="refresh"' in before
    assert "ssh root@" not in before
    work()
    after = visitor.get(answer["Location"] + "progress/").content.decode()
    machine = Instance.objects.get()
    assert f"ssh root@{machine.public_ip}" in after
    assert "hx-trigger" not in after  # nothing will change by itself


def test_of_a_machine_with_user_data_it_is_said_that_the_document_wins() -> None:
    visitor = customer()
    machine = running(visitor)
    page, said = f"/machines/{machine.public_id}/", "What it says of users, passwords, SSH or the host name holds"
    assert said not in text_of(visitor.get(page))
    Instance.objects.update(user_data=b"#!/bin/sh")
    assert said in text_of(visitor.get(page))


def test_no_more_is_promised_than_is_true() -> None:
    """Running is not yet answering, a simulated machine never answers, and one that has ended is not entered."""
    visitor = customer()
    answer = visitor.buy()
    first_boot, nobody = "It answers some seconds later", "This zone is simulated: nobody answers"
    before = text_of(visitor.get(answer["Location"]))
    assert first_boot not in before and nobody not in before
    work()
    machine = Instance.objects.get()
    assert nobody in text_of(visitor.get(answer["Location"]))
    assert nobody in text_of(visitor.get(f"/machines/{machine.public_id}/"))
    Zone.objects.update(engine_kind="incus")
    shop.refresh()
    real = text_of(visitor.get(answer["Location"]))
    assert first_boot in real and nobody not in real
    assert nobody not in text_of(visitor.get(f"/machines/{machine.public_id}/"))
    assert f"ssh root@{machine.public_ip}" in real
    visitor.post(f"/machines/{machine.public_id}/end/")
    ended = text_of(visitor.get(answer["Location"]))
    assert "Returned" in ended
    assert not [text for text in ("ssh root@", "Once it is delivered", first_boot) if text in ended]


def test_a_failed_delivery_says_why_and_gives_the_money_back(world: World) -> None:
    visitor = customer()
    answer = visitor.buy("?count=2")
    world.fail("ensure_present", times=2, transient=False, sentence="The host refused.")
    work()
    page = text_of(visitor.get(answer["Location"]))
    assert "Delivered means" not in page and "simulated: nobody" not in page
    assert "2 machines could not be delivered. ¥134.00 came back to your balance by itself." in page
    assert "The host refused." in page
    assert overview.balance(visitor.account_id) == overview.Balance(0, 100_000, 0, 0)
    machine = Instance.objects.first()
    assert machine is not None
    page_of_machine = text_of(visitor.get(f"/machines/{machine.public_id}/"))
    assert "Paid for the term" not in page_of_machine  # it came back
    assert "Charged for usage so far" not in page_of_machine
    assert "shown here for one hour" not in page  # nothing to log in to
    assert "Remove" in text_of(visitor.get(f"/machines/{machine.public_id}/"))
    visitor.post(f"/machines/{machine.public_id}/end/", {"erase": "1"})
    work()
    assert visitor.get(f"/machines/{machine.public_id}/").status_code == 404


@pytest.mark.parametrize(
    "address", ["/orders/", "/machines/", "/machines/ins-00000000/", "/keys/", "/api-keys/", "/balance/", "/charges/",
                "/charges.csv", "/orders/1/", "/balance/top-up/", "/payments/1/", "/seller/",
                "/templates/", "/templates/lt-00000000/"]
)  # fmt: skip
def test_strangers_are_sent_to_sign_in(address: str) -> None:
    answer = Visitor().get(address)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/?next=/")


@pytest.mark.parametrize(
    "address", ["/orders/99999999999999999999999/", "/orders/0/", "/machines/ins-zzzzzzzz/", "/machines/ins-ZZ/",
                "/machines/..%2f/", "/payments/99999999999999999999999/", "/payments/0/",
                "/templates/lt-zzzzzzzz/", "/templates/lt-ZZ/", "/templates/ins-00000000/"]
)  # fmt: skip
def test_made_up_addresses_are_not_there(address: str) -> None:
    assert customer().get(address).status_code == 404


@pytest.mark.parametrize("address", ["/orders/", "/machines/", "/keys/", "/balance/", "/charges/"])
@pytest.mark.parametrize(
    "before", ["", "x", "-1", "9" * 40, "2026~x~y", "a~b~c~d", "2026-01-01T00:00:00~x~cash", "\x00"]
)
def test_made_up_page_keys_give_the_first_page(address: str, before: str) -> None:
    assert customer().get(address, {"before": before, "day": before, "month": before}).status_code == 200


def test_a_page_key_that_is_no_machine_of_ones_own_gives_the_first_page() -> None:
    visitor, other = customer(), customer()
    visitor.buy()
    other.buy()
    theirs = Instance.objects.get(account_id=other.account_id)
    for before in ("1", str(theirs.id), str(2**62)):
        assert text_of(visitor.get("/machines/", {"before": before})).count("ins-") == 1


def test_acts_need_the_csrf_token() -> None:
    visitor = customer(enforce_csrf_checks=True)
    for address in (
        "/machines/ins-00000000/end/",
        "/keys/",
        "/api-keys/",
        "/balance/top-up/",
        "/orders/1/pay/",
        "/templates/lt-00000000/delete/",
    ):
        assert visitor.post(address, {"act": "create"}).status_code == 403


def test_stop_tells_whether_off_is_billed_before_and_after() -> None:
    visitor = customer()
    machine = running(visitor, "?charge=postpaid&internet=bandwidth&mbps=1")
    asked = text_of(visitor.get(f"/machines/{machine.public_id}/stop/"))
    assert "Billed on at ¥0.253 an hour." in asked  # 0.18 + 0.01 + 0.063
    assert "disks and by-bandwidth network are: ¥0.073 an hour" in asked
    visitor.post(f"/machines/{machine.public_id}/stop/", {"charge": "without"})
    work()
    page = visitor.get(f"/machines/{machine.public_id}/")
    assert "It is off without charge: only its disks and by-bandwidth network are billed." in text_of(page)
    machine.refresh_from_db()
    assert (machine.state, machine.stop_charging_mode, machine.public_ip) == ("STOPPED", "STOP_CHARGING", None)
    assert visitor.post(f"/machines/{machine.public_id}/start/").status_code == 302
    work()
    machine.refresh_from_db()
    assert machine.state == "RUNNING"


def test_a_plain_stop_goes_on_being_billed_and_says_so() -> None:
    visitor = customer()
    machine = running(visitor, "?charge=postpaid")
    visitor.post(f"/machines/{machine.public_id}/stop/", {"charge": "keep"})
    work()
    address = f"/machines/{machine.public_id}/"
    assert "It is off and billed as if it were running." in text_of(visitor.get(address))
    assert f'href="{address}stop/">Off without charge…' in visitor.get(address).content.decode()
    asked = visitor.get(f"{address}stop/")
    assert "billed at ¥0.19 an hour" in text_of(asked)
    assert "are billed: ¥0.01 an hour" in text_of(asked)
    assert '<input type="hidden" name="charge" value="without">' in asked.content.decode()
    visitor.post(f"{address}stop/", {"charge": "without"})
    work()
    machine.refresh_from_db()
    assert (machine.state, machine.stop_charging_mode) == ("STOPPED", "STOP_CHARGING")
    page = visitor.get(address)
    assert "It is off without charge" in text_of(page)
    assert "Off without charge…" not in page.content.decode()


@pytest.mark.parametrize(("status", "says"), [(1, "Waits for your payment"), (7, "Not paid"), (8, "Not paid")])
@pytest.mark.parametrize("query", ["", "?charge=postpaid"])
def test_an_order_that_was_not_paid_shows_no_password_and_is_nowhere_called_paid(
    query: str, status: int, says: str
) -> None:
    visitor = customer()
    answer = visitor.post("/buy/", visitor.buy_form(query) | {"act": "card"})
    Order.objects.update(status=status)
    page = visitor.get(answer["Location"]).content.decode()
    assert "The shop made a password." not in page
    assert not re.findall(r"<b>(?:Paid|Money set aside)</b>", page)
    timeline = re.search(r'<ol class="timeline">.*?</ol>', page, re.DOTALL)
    assert timeline
    assert says in timeline[0]


def test_once_it_is_paid_the_order_has_its_password() -> None:
    visitor = customer()
    answer = visitor.post("/buy/", visitor.buy_form() | {"act": "card"})
    visitor.post(f"{answer['Location']}pay/")
    page = visitor.get(answer["Location"]).content.decode()
    assert "The shop made a password." in page
    assert "<b>Paid</b>" in page


def test_reboot_and_a_refused_act_say_so() -> None:
    visitor = customer()
    machine = running(visitor)
    answer = visitor.post(f"/machines/{machine.public_id}/start/", follow=True)
    assert f"The instance {machine.public_id} is RUNNING; it must be STOPPED." in text_of(answer)
    visitor.post(f"/machines/{machine.public_id}/reboot/")
    work()
    assert "Rebooted" in text_of(visitor.get(f"/machines/{machine.public_id}/live/"))


def test_a_machine_whose_network_arrears_keep_off_says_so_and_how_it_comes_back() -> None:
    visitor = customer()
    machine = running(visitor)
    address = f"/machines/{machine.public_id}/"
    assert f"ssh root@{machine.public_ip}" in text_of(visitor.get(address))
    with db.act():
        db.call("ledger_lock", visitor.account_id)
        db.rows(
            "SELECT * FROM fn.ledger_deduct('test', '', ARRAY[%s]::bigint[], ARRAY[100000], 'revenue', %s)",
            visitor.account_id, clock.now(),
        )  # fmt: skip
        queue.enqueue("arrears", "account", visitor.account_id, due_at=clock.now())
    work()
    page = text_of(visitor.get(address))
    assert "Its public network is off since 2026-03-10 10:00:00 , because the account is in arrears." in page
    assert "The machine runs on and keeps its address" in page
    assert f"{machine.public_ip} Network off" in page
    assert "ssh root@" not in page
    assert "Public network off: the account is in arrears" in page
    assert 'href="/balance/top-up/' in visitor.get(address).content.decode()
    assert f"{machine.public_ip} Network off" in text_of(visitor.get("/machines/"))
    told = "Prepaid machines have lost a public network that is charged by traffic."
    assert told in text_of(visitor.get("/balance/"))
    open_account.grant(visitor.account_id, 10_000, "second")
    work()
    page = text_of(visitor.get(address))
    assert "Public network on again" in page
    assert f"ssh root@{machine.public_ip}" in page
    assert "Network off" not in text_of(visitor.get("/machines/"))


def test_a_machine_stopped_for_arrears_says_what_brings_it_back_and_what_is_billed_then() -> None:
    visitor = customer()
    machine = running(visitor, "?charge=postpaid")
    owe(visitor.account_id)
    work()
    address = f"/machines/{machine.public_id}/"
    page = text_of(visitor.get(address))
    assert "Its data is erased at 2026-03-25 10:00:00 . Until then nothing of it is billed." in page
    assert "top up to zero or more: from then on its disks and by-bandwidth network are billed again" in page
    open_account.grant(visitor.account_id, 99, "a cent less than it owes")
    assert "Until then nothing of it is billed." in text_of(visitor.get(address))
    open_account.grant(visitor.account_id, 1, "the cent")
    page = text_of(visitor.get(address))
    assert "It is off without charge: only its disks and by-bandwidth network are billed." in page
    assert "erased" not in page
    assert purses(visitor.account_id) == {"cash": 0, "gift": 0, "owed": 0, "held": 0, "available": 0}


def test_terminate_asks_first_ends_the_charge_and_then_erases(test_clock: BusinessClock) -> None:
    visitor = customer()
    machine = running(visitor, "?charge=postpaid")
    asking = text_of(visitor.get(f"/machines/{machine.public_id}/end/"))
    assert "Charging ends this second." in asking
    assert machine.public_id in asking  # several machines may be called Unnamed
    machine.refresh_from_db()
    assert machine.state == "RUNNING"  # asking does nothing
    test_clock.advance(minutes=15)
    visitor.post(f"/machines/{machine.public_id}/end/")
    machine.refresh_from_db()
    assert machine.state == "SHUTDOWN"
    page = text_of(visitor.get(f"/machines/{machine.public_id}/"))
    assert "¥0.05 (¥0.0475)" in page  # 900 s of 0.19 an hour, not settled
    work()
    visitor.post(f"/machines/{machine.public_id}/end/")  # the same form once more
    machine.refresh_from_db()
    assert machine.state == "SHUTDOWN"
    asked = visitor.get(f"/machines/{machine.public_id}/end/").content.decode()
    assert "erased at once" in asked
    assert '<input type="hidden" name="erase" value="1">' in asked
    visitor.post(f"/machines/{machine.public_id}/end/", {"erase": "1"})
    work()
    assert visitor.get(f"/machines/{machine.public_id}/").status_code == 404


def test_a_return_is_quoted_first_and_pays_what_it_quoted(test_clock: BusinessClock) -> None:
    visitor = customer()
    first, second = running(visitor), running(visitor)
    quoted = visitor.get(f"/machines/{first.public_id}/end/").content.decode()
    assert re.search(r'<dd id="refund">¥67\.00</dd>', quoted)
    visitor.post(f"/machines/{first.public_id}/end/")
    assert overview.balance(visitor.account_id).gift_minor == 93_300
    test_clock.advance(hours=10)
    again = visitor.get(f"/machines/{second.public_id}/end/").content.decode()
    assert re.search(r'<dd id="refund">¥65\.10</dd>', again)  # 67.00 − 10 × (0.18 + 0.01)
    visitor.post(f"/machines/{second.public_id}/end/")
    assert overview.balance(visitor.account_id).gift_minor == 99_810
    assert "Returned, moved to the recycle bin" in text_of(visitor.get(f"/machines/{second.public_id}/"))
    second.refresh_from_db()
    assert second.subscription.release_at is not None
    listed = text_of(visitor.get("/machines/"))
    day = second.subscription.release_at.astimezone(shop.snapshot().billing_zone)
    assert f"erased {day:%Y-%m-%d %H:%M:%S}" in listed
    assert "until" not in listed  # both have ended


def test_lists_show_a_page_at_a_time() -> None:
    visitor = customer(gift_minor=10_000_000)
    visitor.buy("?count=60")
    work()
    page = visitor.get("/machines/")
    assert page.content.decode().count('class="soft mono">ins-') == 50
    older = re.search(r'href="\?before=(\d+)"', page.content.decode())
    assert older
    rest = visitor.get(f"/machines/?before={older[1]}").content.decode()
    assert rest.count('class="soft mono">ins-') == 10
    statement = visitor.get("/balance/").content.decode()
    older = re.search(r'href="\?before=([^"]+)"', statement)
    assert older
    rest = visitor.get(f"/balance/?before={older[1]}").content.decode()
    assert statement.count("−¥67.00") + rest.count("−¥67.00") == 60
