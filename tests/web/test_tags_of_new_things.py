"""Given a page on which something is made, when tags are typed there, then the new thing has them, or none is made."""

from collections.abc import Callable

import pytest
from django.http import HttpResponse

from tests.support.written import nothing_written
from tests.web.test_disks import _machine, _new
from tests.web.test_keys_and_money import PUBLIC
from tests.web.visiting import ZONE, Form, Visitor, customer, text_of
from vmart.network.models import Vpc
from vmart.provisioning import zones
from vmart.storage.models import Disk
from vmart.tags.models import Tag as Row

TYPED = " team = web , cost=a=1,"
PAIRS = {("team", "web"), ("cost", "a=1")}
RANGE = {"region": "ap-guangzhou", "zone": ZONE, "name": "n"}
Make = Callable[[str], HttpResponse]


def _shown(visitor: Visitor, address: str, tags: str, **typed: str) -> HttpResponse:
    """The form of a page that first tells a price, sent as a browser would."""
    path = address.partition("?")[0]
    page = visitor.get(address).content.decode()
    return visitor.post(path, Form(page, path).data | {"tags": tags} | typed)


def _disk(visitor: Visitor) -> Make:
    asked = f"/disks/new/?zone={ZONE}&type=CLOUD_SSD&size=20&count=1&name=&months=0"
    return lambda tags: _shown(visitor, asked, tags)


def _address(visitor: Visitor) -> Make:
    asked = f"/addresses/buy/?zone={ZONE}&mode=TRAFFIC_POSTPAID_BY_HOUR&bandwidth=5&count=1&name="
    return lambda tags: _shown(visitor, asked, tags)


def _package(visitor: Visitor) -> Make:
    zones.check(ZONE)
    return lambda tags: _shown(visitor, f"/packages/buy/?zone={ZONE}&bandwidth=10&name=", tags)


def _snapshot(visitor: Visitor) -> Make:
    disk = _new(visitor)
    return lambda tags: _shown(visitor, f"/snapshots/new/?disk={disk.public_id}", tags)


def _image(visitor: Visitor) -> Make:
    machine = _machine(visitor)
    return lambda tags: _shown(visitor, f"/images/new/?machine={machine.public_id}", tags, name="web")


def _vpc(visitor: Visitor) -> Make:
    return lambda tags: visitor.post("/networks/", RANGE | {"act": "create_vpc", "cidr": "10.0.0.0/16", "tags": tags})


def _subnet(visitor: Visitor) -> Make:
    _vpc(visitor)("")
    form = RANGE | {"act": "create_subnet", "vpc": Vpc.objects.get().public_id, "cidr": "10.0.1.0/24"}
    return lambda tags: visitor.post("/networks/", form | {"tags": tags})


def _key(visitor: Visitor) -> Make:
    return lambda tags: visitor.post("/keys/", {"act": "create", "name": "laptop", "tags": tags})


def _imported(visitor: Visitor) -> Make:
    return lambda tags: visitor.post("/keys/", {"act": "import", "name": "old", "public_key": PUBLIC, "tags": tags})


def _security_group(visitor: Visitor) -> Make:
    return lambda tags: visitor.post("/security-groups/", RANGE | {"starting": "web", "tags": tags})


def _group(visitor: Visitor) -> Make:
    return lambda tags: visitor.post(
        "/placement-groups/", {"name": "apart", "apart": "HOST", "affinity": "1", "tags": tags}
    )


PAGES: dict[str, Callable[[Visitor], Make]] = {
    "volume": _disk, "eip": _address, "bwp": _package, "snapshot": _snapshot, "image": _image, "vpc": _vpc,
    "subnet": _subnet,
    "keypair": _key, "keypair imported": _imported, "sg": _security_group, "ps": _group,
}  # fmt: skip


@pytest.mark.parametrize("kind", PAGES)
def test_what_is_made_has_the_tags_that_were_typed(kind: str) -> None:
    make = PAGES[kind](customer())
    for wrong, why in (("team", "A tag needs a value."), ("a=b,a=c", "The tag key a is named twice.")):
        with nothing_written():
            refused = make(wrong)
        assert (refused.status_code, why in text_of(refused)) == (422, True)
        assert f'value="{wrong}"' in refused.content.decode()
    disks = Disk.objects.count()
    assert make(TYPED).status_code in (200, 302)
    found = set(Row.objects.filter(to_at=None).values_list("kind", "key", "value"))
    assert found == {(kind.partition(" ")[0], *pair) for pair in PAIRS}
    assert Disk.objects.count() == disks + (kind == "volume")


@pytest.mark.parametrize("kind", PAGES)
def test_nothing_typed_is_no_tag(kind: str) -> None:
    assert PAGES[kind](customer())("").status_code in (200, 302)
    assert Row.objects.count() == 0
