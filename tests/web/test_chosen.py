"""Given ticked rows, when an act is asked of them all, then each is accepted or refused by itself, in a sentence."""

import re
from collections.abc import Callable

import pytest
from django.http import HttpResponse

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.written import nothing_written
from tests.web.membership import member_of
from tests.web.test_others_things import own_disk, own_snapshot
from tests.web.visiting import ZONE, Visitor, customer, text_of, work
from vmart.instances.models import Instance
from vmart.ledger import queries
from vmart.network.models import Eip
from vmart.orders import return_prepaid
from vmart.orders.addresses.allocate import NewAddresses, allocate
from vmart.pricing.address import AddressPart
from vmart.pricing.configuration import BANDWIDTH_PREPAID_BY_MONTH, TRAFFIC_POSTPAID_BY_HOUR
from vmart.provisioning import zones
from vmart.storage.models import Disk, Snapshot
from vmart.web import chosen


def machines(visitor: Visitor, query: str = "?charge=postpaid&count=3&name=web") -> list[str]:
    """Bought and running; ids in the order of their names."""
    visitor.buy(query)
    work()
    own = Instance.objects.filter(account_id=visitor.account_id).exclude(state="GONE").order_by("name")
    return list(own.values_list("public_id", flat=True))


@pytest.fixture
def visitor() -> Visitor:
    return customer(gift_minor=10_000_000)


def results(answer: HttpResponse) -> list[tuple[str, str]]:
    """(id, what is said of it) of each row."""
    assert answer.status_code == 200
    rows = re.findall(r"<tr>(.*?)</tr>", answer.content.decode().partition('id="results"')[2], re.S)[1:]
    cells = [[re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", cell)).strip() for cell in
              re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)] for row in rows]  # fmt: skip
    return [(name.split()[-1], said) for name, said in cells]


def states() -> dict[str, str]:
    return dict(Instance.objects.values_list("public_id", "state"))


def test_machines_are_stopped_rebooted_and_started_each_by_itself(visitor: Visitor) -> None:
    one, two, three = machines(visitor)
    visitor.post(f"/machines/{two}/stop/", {"hard": "1"})
    work()
    page = visitor.get("/machines/chosen/", {"act": "stop", "id": [one, two, three]})
    shown = text_of(page)
    assert "2 of 3 can; the others are left as they are." in shown
    assert f"No The instance {two} is STOPPED; it must be RUNNING." in shown
    assert re.findall(r'name="id" value="(ins-\w+)"', page.content.decode()) == [one, three]
    assert states() == {one: "RUNNING", two: "STOPPED", three: "RUNNING"}  # nothing is done yet
    answer = visitor.post("/machines/chosen/", {"act": "stop", "id": [one, two, three]})
    assert [name for name, _ in results(answer)] == [one, two, three]
    said = [said for _, said in results(answer)]
    assert (said[0], said[2]) == ("Accepted It is being stopped, and billed on.",) * 2
    assert said[1].startswith(f"Refused The instance {two} ")
    assert "2 accepted, 1 refused." in text_of(answer)
    work()
    assert set(states().values()) == {"STOPPED"}
    assert len(results(visitor.post("/machines/chosen/", {"act": "start", "id": [one, two]}))) == 2
    work()
    assert states() == {one: "RUNNING", two: "RUNNING", three: "STOPPED"}
    assert results(visitor.post("/machines/chosen/", {"act": "reboot", "id": [one]})) == [
        (one, "Accepted It is being rebooted.")
    ]
    work()
    assert states()[one] == "RUNNING"


def test_off_without_charge(visitor: Visitor) -> None:
    one, two, three = machines(visitor)
    visitor.post("/machines/chosen/", {"act": "stop_without_charge", "id": [one, three]})
    work()
    modes = dict(Instance.objects.values_list("public_id", "stop_charging_mode"))
    assert modes == {one: "STOP_CHARGING", two: "NOT_APPLICABLE", three: "STOP_CHARGING"}


def test_an_end_shows_what_comes_back_of_all_together_before_it_is_done(
    visitor: Visitor, test_clock: BusinessClock
) -> None:
    hourly = machines(visitor, "?charge=postpaid&name=hour")
    prepaid = [one for one in machines(visitor, "?count=3&name=month") if one not in hourly]
    test_clock.advance(days=9)
    quotes = return_prepaid.quote_refund(visitor.account_id, prepaid)
    page = visitor.get("/machines/chosen/", {"act": "end", "id": [*hourly, *prepaid]})
    total = sum(quote.refund_minor for quote in quotes)
    assert [quote.first_free for quote in quotes] == [False] * 3
    assert f'id="refund">¥{total / 100:.2f}<' in page.content.decode().replace(",", "")
    before = queries.balance(visitor.account_id).available_minor
    answer = visitor.post("/machines/chosen/", {"act": "end", "id": [*hourly, *prepaid]})
    assert {said for _, said in results(answer)} == {
        "Accepted It has ended and is in the recycle bin, or erased if it has none."
    }
    gained = queries.balance(visitor.account_id).available_minor - before
    assert total <= gained  # and what was set aside for the hour of the postpaid one
    work()
    assert set(states().values()) == {"SHUTDOWN"}
    again = visitor.post("/machines/chosen/", {"act": "end", "id": [*hourly, *prepaid]})  # erases nothing
    assert {said for _, said in results(again)} == {
        "Refused It has ended already; what is left of it is erased on its own page."
    }
    work()
    assert set(states().values()) == {"SHUTDOWN"}


def test_too_many_returns_are_told_before(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    prepaid = machines(visitor, "?count=2&name=month")
    monkeypatch.setattr("vmart.orders.return_prepaid.quotas.of", lambda _: {"returns_per_year": 1})
    page = visitor.get("/machines/chosen/", {"act": "end", "id": prepaid})
    assert text_of(page).count("At most 1 returns a year are possible.") == 1
    assert "1 of 2 can; the others are left as they are." in text_of(page)
    assert re.findall(r'name="id" value="(ins-\w+)"', page.content.decode()) == prepaid[:1]
    answer = visitor.post("/machines/chosen/", {"act": "end", "id": prepaid})  # sent all the same: the rule holds
    assert [said.split()[0] for _, said in results(answer)] == ["Accepted", "Refused"]


def test_disks_snapshots_and_addresses(visitor: Visitor) -> None:
    zones.check(ZONE)
    first, second = own_disk(visitor), own_disk(visitor)
    snapshot = own_snapshot(visitor, first)
    assert results(visitor.post("/snapshots/chosen/", {"act": "delete", "id": [snapshot]})) == [
        (snapshot, "Accepted It is being deleted.")
    ]
    work()
    assert Snapshot.objects.get(public_id=snapshot).state == "GONE"
    assert results(visitor.post("/disks/chosen/", {"act": "end", "id": [first, second]})) == [
        (first, "Accepted It goes into the recycle bin."), (second, "Accepted It goes into the recycle bin."),
    ]  # fmt: skip
    work()
    again = results(visitor.post("/disks/chosen/", {"act": "end", "id": [first]}))
    assert again == [(first, "Refused It is in the recycle bin already; it is erased on its own page.")]
    assert set(Disk.objects.values_list("state", flat=True)) == {"TORECYCLE"}
    asked = NewAddresses("ap-guangzhou", AddressPart(TRAFFIC_POSTPAID_BY_HOUR, 5), ZONE, 2)
    eips = list(allocate(by(visitor.account_id), asked).public_ids)
    page = visitor.get("/addresses/chosen/", {"act": "release", "id": eips})
    assert "Yes, all 2" in text_of(page)
    assert results(visitor.post("/addresses/chosen/", {"act": "release", "id": eips})) == [
        (eip, "Accepted It is given back.") for eip in eips
    ]
    work()
    assert set(Eip.objects.values_list("state", flat=True)) == {"GONE"}


KINDS = {"machines": ("end", "ins-00000000"), "disks": ("end", "disk-00000000"),
         "snapshots": ("delete", "snap-00000000"), "addresses": ("release", "eip-00000000")}  # fmt: skip


def theirs(owner: Visitor) -> dict[str, str]:
    """One of each kind of somebody's."""
    (machine,) = machines(owner, "?charge=postpaid&name=web")
    disk = own_disk(owner)
    asked = NewAddresses("ap-guangzhou", AddressPart(TRAFFIC_POSTPAID_BY_HOUR, 5), ZONE)
    (eip,) = allocate(by(owner.account_id), asked).public_ids
    return {"machines": machine, "disks": disk, "snapshots": own_snapshot(owner, disk), "addresses": eip}


def test_what_is_anothers_is_as_if_it_were_not_there(visitor: Visitor) -> None:
    """Hostile: asked of one's own and another's, the other's is untouched, and told of as what does not exist."""
    own, other = theirs(visitor), customer()
    for listing, (act, unknown) in KINDS.items():
        address = f"/{listing}/chosen/"
        with nothing_written():
            for send in (other.get, other.post):
                told = text_of(send(address, {"act": act, "id": own[listing]}))
                assert told.replace(own[listing], unknown) == text_of(send(address, {"act": act, "id": unknown}))
                assert f"There is no {own[listing]}." in told
            assert Visitor().post(address, {"act": act, "id": own[listing]})["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("role", ["billing", "viewer"])
def test_who_may_not_act_is_neither_offered_it_nor_let_in(visitor: Visitor, role: str) -> None:
    own, member = theirs(visitor), member_of(visitor.account_id, role)
    for listing, (act, _) in KINDS.items():
        page = member.get(f"/{listing}/").content.decode()
        assert "/chosen/" not in page
        assert 'name="id"' not in page
        assert own[listing] in page
        with nothing_written():
            for send in (member.get, member.post):
                assert send(f"/{listing}/chosen/", {"act": act, "id": own[listing]}).status_code == 403


def test_an_operator_acts_but_does_not_spend(visitor: Visitor) -> None:
    (machine,) = machines(visitor, "?name=month")
    member = member_of(visitor.account_id, "operator")
    page = member.get("/machines/").content.decode()
    assert "/machines/chosen/" in page
    assert "/machines/renew/" not in page
    member.post("/machines/chosen/", {"act": "stop", "id": machine})
    work()
    assert states() == {machine: "STOPPED"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"act": "explode", "id": "ins-00000000"}, "Choose what to do."),
        ({"id": "ins-00000000"}, "Choose what to do."),
        ({"act": "end"}, "Tick rows of the list first."),
        ({"act": "end", "id": [f"ins-{number:08}" for number in range(101)]}, "At most 100 at once."),
    ],
)
def test_what_cannot_be_asked(visitor: Visitor, given: dict[str, object], said: str) -> None:
    for send in (visitor.get, visitor.post):
        answer: HttpResponse = send("/machines/chosen/", given)
        assert (answer.status_code, answer["Location"]) == (302, "/machines/")
        assert said in text_of(visitor.get("/machines/"))


@pytest.mark.parametrize("public_id", ["", "\0", "<script>alert(1)</script>", "a" * 9000, "ins-00000000' OR 1=1"])
def test_odd_ids_are_none(visitor: Visitor, public_id: str) -> None:
    for send in (visitor.get, visitor.post):
        answer: HttpResponse = send("/machines/chosen/", {"act": "end", "id": public_id})
        assert answer.status_code == 200
        assert "<script>alert" not in answer.content.decode()


def test_the_same_id_twice_is_one(visitor: Visitor) -> None:
    (machine,) = machines(visitor, "?charge=postpaid&name=web")
    assert len(results(visitor.post("/machines/chosen/", {"act": "stop", "id": [machine, machine]}))) == 1


def rows_of(page: str) -> list[str]:
    """Addresses and buttons that the rows of a list offer."""
    return re.findall(r'class="item[^"]*" (?:form="row-act" formaction|href)="([^"]+)"', page)


def test_rows_offer_what_can_be_asked_of_them(visitor: Visitor) -> None:
    one, two = machines(visitor, "?charge=postpaid&count=2&name=web")
    visitor.post(f"/machines/{two}/stop/", {"hard": "1"})
    work()
    assert rows_of(visitor.get("/machines/?order=name").content.decode()) == [
        f"/machines/{one}/reboot/", f"/machines/{one}/stop/", f"/machines/{one}/end/",
        f"/machines/{two}/start/", f"/machines/{two}/end/",
    ]  # fmt: skip
    answer = visitor.post(f"/machines/{two}/start/", {"next": "/machines/?order=name"})
    assert answer["Location"] == "/machines/?order=name"
    work()
    assert states() == {one: "RUNNING", two: "RUNNING"}
    assert visitor.post(f"/machines/{two}/start/", {"next": "//evil.example/"})["Location"] == f"/machines/{two}/"


def test_rows_of_other_lists(visitor: Visitor) -> None:
    own = theirs(visitor)
    disk, snapshot, eip = own["disks"], own["snapshots"], own["addresses"]
    shown: Callable[[str], list[str]] = lambda name: rows_of(visitor.get(f"/{name}/").content.decode())  # noqa: E731
    assert shown("disks") == [f"/disks/{disk}/{act}/" for act in ("attach", "size", "end")]
    assert shown("snapshots") == [f"/snapshots/{snapshot}/{act}/" for act in ("restore", "delete")]
    assert shown("addresses") == [f"/addresses/{eip}/release/"]


def test_what_is_sent_twice_gives_no_address_up_for_good(visitor: Visitor) -> None:
    """Given two forms that read the address before either was carried out, then the second one changes nothing."""
    asked = NewAddresses("ap-guangzhou", AddressPart(BANDWIDTH_PREPAID_BY_MONTH, 5), ZONE, months=1)
    (eip,) = allocate(by(visitor.account_id), asked).public_ids
    work()
    give_back = chosen.ADDRESSES.acts["release"].do
    give_back(by(visitor.account_id), eip)
    work()
    give_back(by(visitor.account_id), eip)
    work()
    assert results(visitor.post("/addresses/chosen/", {"act": "release", "id": [eip]})) == [
        (eip, "Refused It is in the recycle bin already; it is given up for good on its own page.")
    ]
    assert Eip.objects.get().state == "UNBIND"


def test_the_free_return_is_said(visitor: Visitor) -> None:
    """Given two machines of today, then the account's free return is that of the first, and the page says so."""
    prepaid = machines(visitor, "?count=2&name=month")
    quotes = return_prepaid.quote_refund(visitor.account_id, prepaid)
    assert [quote.first_free for quote in quotes] == [True, False]
    shown = text_of(visitor.get("/machines/chosen/", {"act": "end", "id": prepaid}))
    assert f"{prepaid[0]} is your account's one free return within 5 days: everything comes back." in shown
    assert "Used months are counted at their price by the month" in shown
