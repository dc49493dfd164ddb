"""Given the pages of images, then one is made of a machine at a price, shared, bought from and deleted."""

import pytest

from tests.web.visiting import ZONE, Form, Visitor, customer, order_id_of, work
from vmart.instances.models import Instance
from vmart.provisioning import zones
from vmart.storage.models import ImageShare, OwnImage, Snapshot


@pytest.fixture
def visitor() -> Visitor:
    return customer()


def machine(visitor: Visitor, query: str = "") -> Instance:
    """Bought on the page, and running."""
    zones.check(ZONE)
    zones.prepare_images(ZONE)
    order_id_of(visitor.buy(f"?zone={ZONE}&charge=postpaid{query}"))
    work()
    return Instance.objects.latest("id")


def made(visitor: Visitor, source: Instance, **typed: str) -> OwnImage:
    """On the page."""
    page = visitor.get(f"/images/new/?machine={source.public_id}").content.decode()
    visitor.post("/images/new/", Form(page, "/images/new/").data | {"name": "web", **typed})
    work()
    return OwnImage.objects.latest("id")


def test_one_is_made_told_first_what_it_costs_and_bought_from(visitor: Visitor) -> None:
    source = machine(visitor)
    page = visitor.get(f"/images/new/?machine={source.public_id}").content.decode()
    assert 'id="hourly">¥0.004<' in page  # of 20 GiB
    image = made(visitor, source, description="with nginx")
    assert (image.state, image.description, Snapshot.objects.get().state) == ("NORMAL", "with nginx", "NORMAL")
    shown = visitor.get(f"/images/{image.public_id}/").content.decode()
    assert all(text in shown for text in ("Ready", "with nginx", image.snapshot.public_id, "With nobody."))
    assert image.public_id in visitor.get("/images/").content.decode()
    assert (
        f'value="{image.public_id}" checked'
        in visitor.get(f"/buy/?zone={ZONE}&image={image.public_id}", follow=True).content.decode()
    )
    bought = machine(visitor, f"&image={image.public_id}")
    assert bought.own_image == image.public_id
    assert image.public_id in visitor.get(f"/machines/{bought.public_id}/").content.decode()
    assert (
        f'<option value="{image.public_id}" selected>web ({image.public_id})</option>'
        in visitor.get(f"/machines/{bought.public_id}/reinstall/").content.decode()
    )


def test_one_that_lies_elsewhere_gives_way_with_a_notice(visitor: Visitor) -> None:
    image = made(visitor, machine(visitor))
    page = visitor.get(f"/buy/?zone=ap-guangzhou-6&image={image.public_id}", follow=True).content.decode()
    assert f"The image {image.public_id} cannot be had in this zone; Debian 12 64-bit is chosen." in page
    assert f'value="{image.public_id}"' not in page


def test_what_is_wrong_is_said_beside_its_field(visitor: Visitor) -> None:
    source = machine(visitor)
    page = visitor.get(f"/images/new/?machine={source.public_id}").content.decode()
    typed = Form(page, "/images/new/").data
    answer = visitor.post("/images/new/", typed | {"name": ""})
    assert (answer.status_code, OwnImage.objects.count()) == (422, 0)
    visitor.post("/images/new/", typed | {"name": "web", "hourly": "0.02"})  # not what was shown
    assert OwnImage.objects.count() == 0
    image = made(visitor, source)
    made(visitor, source, name="other")
    answer = visitor.post(f"/images/{image.public_id}/", {"name": "other", "description": ""})
    assert answer.status_code == 422
    assert "There is an image of the name other already." in answer.content.decode()


def test_it_is_renamed_shared_and_deleted_with_its_snapshot(visitor: Visitor) -> None:
    image, friend = made(visitor, machine(visitor)), customer()
    address = f"/images/{image.public_id}/"
    visitor.post(address, {"name": "shop", "description": "d"})
    assert OwnImage.objects.get().name == "shop"
    assert friend.get(address).status_code == 404
    visitor.post(f"{address}share/", {"account": str(friend.account_id)})
    assert ImageShare.objects.get().account_id == friend.account_id
    shown = friend.get(address).content.decode()
    assert "Shared by" in shown and "Share no more" not in shown and image.snapshot.public_id not in shown
    assert machine(friend, f"&image={image.public_id}").own_image == image.public_id
    visitor.post(f"{address}delete/", {"snapshot": "delete"})
    assert OwnImage.objects.get().state == "NORMAL"  # it is shared
    visitor.post(f"{address}unshare/", {"account": str(friend.account_id)})
    visitor.post(f"{address}delete/", {"snapshot": "delete"})
    work()
    assert (OwnImage.objects.get().state, Snapshot.objects.get().state) == ("GONE", "GONE")
    assert visitor.get(address).status_code == 404
