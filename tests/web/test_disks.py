"""Given a customer, then pages buy disks with a life of their own, tell of them, and do with them what the API does."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import HOURLY, owe, purses, wanted
from tests.support.written import nothing_written
from tests.web.visiting import ZONE, Form, Visitor, customer, text_of, work
from vmart.catalog.models import Zone
from vmart.instances.models import Instance
from vmart.orders.disks import attach as attaching
from vmart.orders.disks import attributes, may
from vmart.orders.purchase import purchase
from vmart.pricing.configuration import DiskChoice
from vmart.storage.models import Disk
from vmart.subscriptions.models import Source, Subscription

NEW = f"zone={ZONE}&type=CLOUD_SSD&size=100&count=1&name=data"


KEPT = DiskChoice("CLOUD_SSD", 20, delete_with_instance=False, name="kept")


@pytest.fixture
def visitor() -> Visitor:
    return customer()


def _new(visitor: Visitor, asked: str = NEW) -> Disk:
    """Bought on the page, and made."""
    page = visitor.get(f"/disks/new/?{asked}")
    answer = visitor.post("/disks/new/", Form(page.content.decode(), "/disks/new/").data)
    disk = Disk.objects.exclude(state="").latest("id")
    assert answer["Location"] == f"/disks/{disk.public_id}/", text_of(answer)
    work()
    return Disk.objects.get(pk=disk.pk)


def _machine(visitor: Visitor) -> Instance:
    visitor.buy("?charge=postpaid&name=web")
    work()
    return Instance.objects.latest("id")


def _attached(visitor: Visitor) -> tuple[Disk, Instance]:
    machine, disk = _machine(visitor), _new(visitor)
    answer = visitor.post(f"/disks/{disk.public_id}/attach/", {"machine": machine.public_id})
    assert answer["Location"] == f"/disks/{disk.public_id}/"
    work()
    return Disk.objects.get(pk=disk.pk), machine


def test_one_is_bought_at_the_price_that_is_shown(visitor: Visitor) -> None:
    assert "You have no disk of its own yet." in text_of(visitor.get("/disks/"))
    page = text_of(visitor.get("/disks/new/"))
    assert ("Show what it costs" in page, "Set aside" in page) == (True, False)
    page = text_of(visitor.get(f"/disks/new/?{NEW}".replace("count=1", "count=3")))
    assert "An hour ¥0.42 Set aside ¥0.42" in page
    disk = _new(visitor)
    assert (disk.name, disk.size_gib, disk.state, purses(visitor.account_id)["held"]) == ("data", 100, "UNATTACHED", 14)
    page = text_of(visitor.get(f"/disks/{disk.public_id}/"))
    assert all(
        words in page
        for words in ("State At no machine", "Size 100 GiB", "by the second, ¥0.14 an hour", "Charged for usage so far")
    )
    row = text_of(visitor.get("/disks/"))
    assert all(words in row for words in (disk.public_id, "At no machine", "¥0.14"))


def test_one_form_buys_once_and_another_price_is_shown_first(visitor: Visitor) -> None:
    page = visitor.get(f"/disks/new/?{NEW}")
    form = Form(page.content.decode(), "/disks/new/").data
    for _ in range(2):
        assert visitor.post("/disks/new/", form).status_code == 302
    assert Disk.objects.exclude(state="").count() == 1
    with nothing_written():
        answer = visitor.post("/disks/new/", form | {"hourly": "0.13"})
        assert "here is the one of now. " in text_of(answer)
        assert "here is the one of now. " in text_of(visitor.post("/disks/new/", form | {"form": ""}))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("size=105", "20 to 32000 GiB in steps of 10"),
        ("size=", "This field is required."),
        ("size=much", "Enter a whole number."),
        ("count=51", "1 to 50 disks at once are possible."),
        ("type=CLOUD_TAPE", "CLOUD_TAPE"),
        ("zone=ap-nowhere-1", "The zone ap-nowhere-1 does not exist."),
        ("name=" + "x" * 129, "one line of at most 128 characters"),
        ("size=32000&count=50", "There is room for"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(visitor: Visitor, typed: str, said: str) -> None:
    asked = dict(pair.split("=") for pair in f"{NEW}&{typed}".split("&"))
    shown = visitor.get("/disks/new/", asked)
    with nothing_written():
        form = Form(shown.content.decode(), "/disks/new/").data if shown.status_code == 200 else asked
        answer = visitor.post("/disks/new/", form)
    assert (answer.status_code, said in text_of(answer)) == (422, True), text_of(answer)
    assert "Set aside" not in text_of(answer)


def test_where_no_zone_sells_them_it_says_so(visitor: Visitor) -> None:
    for zone in Zone.objects.all():
        Zone.objects.filter(pk=zone.pk).update(capabilities=zone.capabilities | {"disks": False})
    page = text_of(visitor.get("/disks/new/"))
    assert ("No zone sells disks by themselves at present." in page, "Show what it costs" in page) == (True, False)


def test_a_disk_goes_to_a_machine_and_away_again(visitor: Visitor) -> None:
    disk, machine = _attached(visitor)
    page = text_of(visitor.get(f"/disks/{disk.public_id}/"))
    assert (f"Machine web {machine.public_id}" in page, "Attach…" in page, "Detach…" in page) == (True, False, True)
    machines_page = visitor.get(f"/machines/{machine.public_id}/")
    assert f'<a href="/disks/{disk.public_id}/">data</a>' in machines_page.content.decode()
    assert f"Disk of its own data , SSD Cloud Disk, 100 GiB {disk.public_id}" in text_of(machines_page)
    assert f"web {machine.public_id}" in text_of(visitor.get("/disks/"))
    page = text_of(visitor.get(f"/disks/{disk.public_id}/detach/"))
    assert "It is charged on, ¥0.14 an hour, until it is ended." in page
    answer = visitor.post(f"/disks/{disk.public_id}/detach/", {"machine": machine.public_id})
    assert "100 GiB Being detached" in text_of(visitor.get(f"/machines/{machine.public_id}/"))
    page = visitor.get(answer["Location"])
    assert "State Being detached" in text_of(page)
    assert 'hx-trigger="every 1s"' in page.content.decode()
    work()
    assert "At no machine" in text_of(visitor.get(f"/disks/{disk.public_id}/"))


def test_machines_of_the_zone_are_offered_and_others_refused(visitor: Visitor) -> None:
    disk = _new(visitor)
    address = f"/disks/{disk.public_id}/attach/"
    assert "You have no machine in" in text_of(visitor.get(address))
    machine = _machine(visitor)
    page = text_of(visitor.get(address))
    assert (f"web · {machine.public_id}" in page, "It costs nothing more" in page) == (True, True)
    with nothing_written():
        answer = visitor.post(address, {"machine": "ins-unknown0"})
    assert (answer.status_code, "The instance ins-unknown0 does not exist." in text_of(answer)) == (422, True)
    attaching.attach(by(visitor.account_id), machine.public_id, [disk.public_id])
    with nothing_written():
        answer = visitor.post(address, {"machine": machine.public_id})
    assert (answer.status_code, "is busy with AttachDisks" in text_of(answer)) == (422, True)


def test_it_is_renamed_and_may_end_with_its_machine(visitor: Visitor) -> None:
    disk = _new(visitor)
    address = f"/disks/{disk.public_id}/"
    answer = visitor.post(address, {"name": "logs", "ends": "on"})
    page = visitor.get(answer["Location"])
    assert "data → logs" in text_of(page)
    assert list(Disk.objects.filter(pk=disk.pk).values_list("name", "delete_with_instance")) == [("logs", True)]
    visitor.post(address, {"initial-name": "logs", "name": "logs", "initial-ends": "True"})
    assert not Disk.objects.get(pk=disk.pk).delete_with_instance
    with nothing_written():
        answer = visitor.post(address, {"name": "x" * 129})
    assert (answer.status_code, "at most 128 characters" in text_of(answer)) == (422, True)


def test_a_stale_page_changes_only_what_was_changed_on_it(visitor: Visitor) -> None:
    """It said that the disk stays, and somebody had it end since."""
    disk = _new(visitor)
    address = f"/disks/{disk.public_id}/"
    shown = visitor.get(address).content.decode()
    assert ("initial-name" in shown, "initial-ends" in shown) == (True, True)
    attributes.modify(by(visitor.account_id), [disk.public_id], name="kept", ends_with_machine=True)
    stale = {"initial-name": "data", "initial-ends": "False"}
    for typed, left in (
        ({**stale, "name": "logs"}, ("logs", True)),
        ({**stale, "name": "data"}, ("logs", True)),
        ({"initial-name": "logs", "name": "logs", "initial-ends": "True"}, ("logs", False)),
    ):
        assert visitor.post(address, typed)["Location"] == address
        assert list(Disk.objects.filter(pk=disk.pk).values_list("name", "delete_with_instance")) == [left]


def test_a_larger_one_is_told_in_money_first(visitor: Visitor) -> None:
    disk, _ = _attached(visitor)
    address = f"/disks/{disk.public_id}/size/"
    assert "Now it has 100 GiB." in text_of(visitor.get(address))
    page = visitor.get(f"{address}?size=250")
    assert "Size now 100 GiB Size then 250 GiB An hour now ¥0.14 An hour then ¥0.35 Set aside then ¥0.35" in text_of(
        page
    )
    assert "The machine runs on." in text_of(page)
    answer = visitor.post(address, Form(page.content.decode(), address).data)
    assert "State Being made larger" in text_of(visitor.get(answer["Location"]))
    work()
    page = text_of(visitor.get(f"/disks/{disk.public_id}/"))
    assert ("Size 250 GiB" in page, "100 → 250 GiB" in page, "¥0.35 an hour" in page) == (True, True, True)
    for size, said in (("250", "has 250 GiB, and a disk only grows."), ("", "This field is required.")):
        for answer in (visitor.get(f"{address}?size={size}"), visitor.post(address, {"size": size})):
            assert (answer.status_code, said in text_of(answer)) == (422, True)


def test_it_is_ended_once_and_then_erased(visitor: Visitor, test_clock: BusinessClock) -> None:
    disk = _new(visitor)
    address = f"/disks/{disk.public_id}/end/"
    page = visitor.get(address)
    assert "Charging ends this second. It rests in the recycle bin for 2 hours" in text_of(page)
    form = Form(page.content.decode(), "").data
    assert visitor.post(address, form)["Location"] == f"/disks/{disk.public_id}/"
    work()
    assert visitor.post(address, form)["Location"] == f"/disks/{disk.public_id}/"
    assert Disk.objects.get(pk=disk.pk).state == "TORECYCLE"
    page = text_of(visitor.get(f"/disks/{disk.public_id}/"))
    assert ("Its data is erased at" in page, "Erase now…" in page, "Attach…" in page) == (True, True, False)
    assert "erased" in text_of(visitor.get("/disks/?state=TORECYCLE"))
    page = visitor.get(address)
    assert "cannot be brought back" in text_of(page)
    assert visitor.post(address, Form(page.content.decode(), "").data)["Location"] == "/disks/"
    work()
    assert Disk.objects.get(pk=disk.pk).state == "GONE"
    assert visitor.get(f"/disks/{disk.public_id}/").status_code == 404


def test_in_arrears_it_says_how_it_comes_back(visitor: Visitor) -> None:
    disk = _new(visitor)
    owe(visitor.account_id)
    work()
    page = text_of(visitor.get(f"/disks/{disk.public_id}/"))
    assert "Top up to zero or more, and you have it again." in page


def test_the_list_is_narrowed_and_had_as_a_file(visitor: Visitor) -> None:
    data, logs = _new(visitor), _new(visitor, NEW.replace("data", "logs"))
    for query, there in (
        ("q=dat", [data]), (f"q={logs.public_id}", [logs]), ("state=ATTACHED", []), (f"zone={ZONE}", [logs, data]),
        ("tag=team", []), ("state=x", [logs, data]),
    ):  # fmt: skip
        page = visitor.get(f"/disks/?{query}").content.decode()
        assert [disk.public_id for disk in (logs, data) if f"/disks/{disk.public_id}/" in page] == [
            disk.public_id for disk in there
        ], query
    lines = b"".join(visitor.get("/disks/?as=csv")).decode("utf-8-sig").splitlines()  # type: ignore[call-overload]
    assert lines[0] == "id,name,state,machine,zone,type,size_gib,hourly,created"
    assert [line.split(",")[:3] for line in lines[1:]] == [
        [logs.public_id, "logs", "UNATTACHED"], [data.public_id, "data", "UNATTACHED"],
    ]  # fmt: skip


def test_another_customers_disk_is_not_there(visitor: Visitor) -> None:
    disk, other = _new(visitor), customer()
    for page in ("", "attach/", "detach/", "size/", "end/"):
        assert other.get(f"/disks/{disk.public_id}/{page}").status_code == 404
    assert disk.public_id not in text_of(other.get("/disks/"))


def test_one_that_could_not_be_made_says_why(visitor: Visitor, world: Any) -> None:
    world.fail("ensure_volume", times=6, sentence="The host does not answer.")
    disk = _new(visitor)
    page = text_of(visitor.get(f"/disks/{disk.public_id}/"))
    assert "The disk could not be made; nothing is charged. The host does not answer." in page
    assert ("Could not be made" in page, may.possible(disk, None)) == (True, set())
    assert disk.public_id not in text_of(visitor.get("/disks/"))


def test_the_page_that_ends_a_machine_says_which_disks_stay(visitor: Visitor) -> None:
    disk, machine = _attached(visitor)
    address = f"/machines/{machine.public_id}/end/"
    said = "These disks stay, attached to no machine, and are charged until you end them: data, 100 GiB."
    assert said in text_of(visitor.get(address))
    visitor.post(f"/disks/{disk.public_id}/", {"name": "data", "ends": "on"})
    assert "These disks stay" not in text_of(visitor.get(address))
    purchase(wanted(visitor.account_id, replace(HOURLY, zone=ZONE, data_disks=(KEPT,))))
    work()
    other = Instance.objects.latest("id")
    assert "Stays when the machine ends" in text_of(visitor.get(f"/machines/{other.public_id}/"))
    assert "until you end them: kept, 20 GiB." in text_of(visitor.get(f"/machines/{other.public_id}/end/"))


def test_no_page_says_that_a_disk_stays_where_arrears_take_it(visitor: Visitor) -> None:
    purchase(wanted(visitor.account_id, replace(HOURLY, zone=ZONE, data_disks=(KEPT,))))
    work()
    machine = Instance.objects.latest("id")
    Subscription.objects.filter(pk=machine.id).update(isolated_source=Source.ARREAR)
    assert "Stays when the machine ends" not in text_of(visitor.get(f"/machines/{machine.public_id}/"))
    assert "These disks stay" not in text_of(visitor.get(f"/machines/{machine.public_id}/end/"))
