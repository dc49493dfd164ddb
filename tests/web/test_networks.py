"""Given a customer, when it makes networks on the page, then they are listed, bought into, renamed and deleted."""

import pytest

from tests.support.written import nothing_written
from tests.web.visiting import ZONE, Visitor, customer, text_of
from vmart.instances.models import Instance
from vmart.network.models import Subnet, Vpc

pytestmark = pytest.mark.usefixtures("shop")
A_VPC = {"act": "create_vpc", "name": "net", "region": "ap-guangzhou", "cidr": "10.0.0.0/16"}
BUY = f"?charge=postpaid&zone={ZONE}"


@pytest.fixture
def visitor() -> Visitor:
    """A customer with a VPC and a subnet of its own."""
    visitor = customer()
    assert visitor.post("/networks/", A_VPC).status_code == 302
    assert visitor.post("/networks/", _a_subnet("10.0.1.0/24")).status_code == 302
    return visitor


def _a_subnet(cidr: str) -> dict[str, str]:
    vpc = Vpc.objects.exclude(owner_id=None).latest("id").public_id
    return {"act": "create_subnet", "name": "part", "vpc": vpc, "zone": ZONE, "cidr": cidr}


def test_what_is_made_is_listed_with_what_is_used_and_free(visitor: Visitor) -> None:
    subnet = Subnet.objects.get()
    form = visitor.buy_form(BUY) | {"act": "buy", "subnet": subnet.public_id, "private_ip": "10.0.1.9"}
    assert visitor.post("/buy/", form).status_code == 303
    machine = Instance.objects.get()
    assert (machine.subnet_id, machine.private_ip) == (subnet.id, "10.0.1.9")
    page = text_of(visitor.get("/networks/"))
    assert f"net {Vpc.objects.get().public_id}" in page
    assert f"part {subnet.public_id} net" in page
    assert "10.0.1.0/24 1 252" in page


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"private_ip": "10.0.1.1"}, "A machine of the subnet cannot have 10.0.1.1; it can have 10.0.1.2 to"),
        ({"private_ip": "10.0.1.7 10.0.1.8"}, "2 private addresses are chosen for 1 machines"),
        ({"private_ip": "x"}, "x is no IPv4 address"),
        ({"private_ip": "10.0.1.7", "subnet": ""}, "Private addresses can be chosen in a subnet that is named"),
    ],
)
def test_an_address_that_cannot_be_is_said_beside_its_field(
    visitor: Visitor, changed: dict[str, str], said: str
) -> None:
    form = visitor.buy_form(BUY) | {"act": "buy", "subnet": Subnet.objects.get().public_id}
    with nothing_written():
        answer = visitor.post("/buy/", form | changed)
    assert (answer.status_code, said in text_of(answer)) == (422, True)


def test_a_subnet_of_another_zone_or_customer_gives_way_to_the_default_one(visitor: Visitor) -> None:
    public_id = Subnet.objects.get().public_id
    said = f"The subnet {public_id} is not in this zone; the default one is chosen."
    other_zone = visitor.get(f"/buy/?zone=ap-guangzhou-4&subnet={public_id}", follow=True)
    stranger = customer().get(f"/buy/{BUY}&subnet={public_id}", follow=True)
    assert [said in text_of(page) for page in (other_zone, stranger)] == [True, True]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"name": ""}, "A network needs a name."),
        ({"cidr": "10.0.0.0"}, "10.0.0.0 is no range in CIDR form"),
        ({"cidr": "8.8.8.0/24"}, "The range 8.8.8.0/24 is not possible for a VPC"),
        ({"region": "nowhere"}, "The region nowhere does not exist; there are ap-"),
        ({"region": "\0"}, "Null characters are not allowed."),
    ],
)
def test_a_vpc_that_cannot_be(visitor: Visitor, form: dict[str, str], said: str) -> None:
    with nothing_written():
        answer = visitor.post("/networks/", A_VPC | form)
    assert (answer.status_code, said in text_of(answer)) == (422, True)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"cidr": "10.0.1.128/25"}, "overlaps with 10.0.1.0/24 of the same VPC; free is 10.0.0.0/25."),
        ({"cidr": "10.1.0.0/24"}, "does not lie in that of the VPC, 10.0.0.0/16."),
        ({"zone": "ap-shanghai-2"}, "The zone ap-shanghai-2 is not in the region of the VPC"),
        ({"vpc": "vpc-unknown0"}, "The VPC vpc-unknown0 does not exist."),
    ],
)
def test_a_subnet_that_cannot_be(visitor: Visitor, form: dict[str, str], said: str) -> None:
    with nothing_written():
        answer = visitor.post("/networks/", _a_subnet("10.0.2.0/24") | form)
    assert (answer.status_code, said in text_of(answer)) == (422, True)


def test_renamed_and_deleted_in_their_rows(visitor: Visitor) -> None:
    vpc, subnet = Vpc.objects.get(), Subnet.objects.get()
    for act, thing in (("rename_vpc", vpc), ("rename_subnet", subnet)):
        answer = visitor.post("/networks/", {"act": act, "id": thing.public_id, "name": "other"}, follow=True)
        assert f"{thing.public_id} is called other now." in text_of(answer)
    with nothing_written():
        refused = visitor.post("/networks/", {"act": "delete_vpc", "id": vpc.public_id})
    assert (refused.status_code, f"is in use by the subnet {subnet.public_id}" in text_of(refused)) == (422, True)
    for act, thing in (("delete_subnet", subnet), ("delete_vpc", vpc)):
        answer = visitor.post("/networks/", {"act": act, "id": thing.public_id}, follow=True)
        assert f"{thing.public_id} was deleted." in text_of(answer)
    assert "You have no network yet." in text_of(visitor.get("/networks/"))


def test_a_default_network_is_renamed_and_never_deleted() -> None:
    visitor = customer()
    visitor.buy(BUY)
    default = Subnet.objects.get()
    page = visitor.get("/networks/").content.decode()
    assert ('value="rename_subnet"' in page, 'value="delete_subnet"' in page) == (True, False)
    with nothing_written():
        refused = visitor.post("/networks/", {"act": "delete_subnet", "id": default.public_id})
    assert (refused.status_code, "is the default one of its zone and stays." in text_of(refused)) == (422, True)
    form = visitor.buy_form(BUY) | {"act": "buy", "subnet": default.public_id, "private_ip": "10.64.15.254"}
    assert visitor.post("/buy/", form).status_code == 303
    assert Instance.objects.latest("id").private_ip == "10.64.15.254"
