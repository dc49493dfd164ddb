"""Given the pages of images, then one is made of a machine at a price, shared, bought from and deleted."""

import re

import pytest
from django.test import Client

from tests.orders.test_import_image import SHA256, server
from tests.support.file_server import FileServer
from tests.web.visiting import ZONE, Form, Visitor, customer, order_id_of, work
from vmart.catalog.models import Zone
from vmart.instances.models import Instance
from vmart.provisioning import zones
from vmart.storage.models import ImageShare, OwnImage, Snapshot

__all__ = ["server"]


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


def import_page(visitor: Visitor) -> dict[str, str]:
    """What is typed on it."""
    zones.check(ZONE)
    page = visitor.get("/images/import/").content.decode()
    return Form(page, "/images/import/").data | {"name": "web", "base": "img-ub24n5t8", "zone": ZONE}


def test_one_is_imported_and_tells_its_digest(visitor: Visitor, server: FileServer) -> None:
    typed = import_page(visitor) | {"url": server.url("/web.tar.gz"), "sha256": SHA256}
    visitor.post("/images/import/", typed)
    image = OwnImage.objects.get()
    address = f"/images/{image.public_id}/"
    shown = visitor.get(address).content.decode()
    assert "Being imported" in shown and "0 %" in shown and f"{address}delete/" in shown
    work()
    shown = visitor.get(address).content.decode()
    assert "Ready" in shown and SHA256 in shown and "/snapshots/snap-" not in shown
    assert "Imported, ready for machines" in shown
    bought = machine(visitor, f"&image={image.public_id}")
    assert (bought.own_image, bought.login_user) == (image.public_id, "ubuntu")
    assert "Delete its snapshot" not in visitor.get(f"{address}delete/").content.decode()
    visitor.post(f"{address}delete/", {})
    work()
    assert OwnImage.objects.get().state == "GONE"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"url": "https://10.0.0.1/a"}, "The host of the address is not on the public internet."),
        ({"sha256": "abc"}, "The SHA-256 of the file has 64 digits of 0-9 and a-f."),
        ({"name": ""}, "The name of an image has 1 to 60 characters on one line."),
        ({"zone": "ap-nowhere"}, "The zone ap-nowhere does not exist, or is in another region."),
        ({"base": "img-other"}, "The image img-other does not exist."),
    ],
)
def test_what_is_wrong_with_an_import_is_said_beside_its_field(
    visitor: Visitor, server: FileServer, said: dict[str, str], sentence: str
) -> None:
    answer = visitor.post("/images/import/", import_page(visitor) | {"url": server.url("/web.tar.gz")} | said)
    assert (answer.status_code, OwnImage.objects.count(), server.asked) == (422, 0, [])
    assert sentence in answer.content.decode()


def test_an_imports_price_is_shown_before_it_and_charged_as_shown(visitor: Visitor, server: FileServer) -> None:
    typed = import_page(visitor) | {"url": server.url("/web.tar.gz")}
    page = visitor.get("/images/import/").content.decode()
    assert "¥0.0002 an hour and GiB; ¥0.00 set aside meanwhile" in page
    answer = visitor.post("/images/import/", typed | {"shown": typed["shown"].replace("0.0002", "0.0001")})
    assert (answer.status_code, OwnImage.objects.count(), server.asked) == (200, 0, [])
    visitor.post("/images/import/", typed)
    work()
    shown = visitor.get(f"/images/{OwnImage.objects.get().public_id}/").content.decode()
    assert "2 GiB" in shown and "¥0.0004" in shown and "Charged for usage so far" in shown
    deletion = visitor.get(f"/images/{OwnImage.objects.get().public_id}/delete/").content.decode()
    assert "Its charging ends this second." in deletion


def test_why_an_import_failed_is_said(visitor: Visitor, server: FileServer) -> None:
    visitor.post("/images/import/", import_page(visitor) | {"url": server.url("/none")})
    work()
    shown = visitor.get(f"/images/{OwnImage.objects.get().public_id}/").content.decode()
    assert all(text in shown for text in ("Not imported", "The host of the address does not give the file."))
    deletion = visitor.get(f"/images/{OwnImage.objects.get().public_id}/delete/").content.decode()
    assert "No machine is made of it any more" in deletion and "Its charging ends" not in deletion  # it never began
    # Room was kept for 11 GiB; how large the system is nobody has seen.
    assert "11 GiB" not in shown + visitor.get("/images/").content.decode()


def test_where_no_zone_takes_any_the_page_says_so(visitor: Visitor) -> None:
    Zone.objects.update(capabilities={})
    assert "No zone takes images of your own at present." in visitor.get("/images/import/").content.decode()


def test_whose_images_are_seen_stands_in_the_address(visitor: Visitor) -> None:
    """Given an own and a shared image: each in its tab; the chosen one's tab is open unless another is looked at."""
    own, friend = made(visitor, machine(visitor)), customer()
    shared = made(friend, machine(friend), name="theirs")
    friend.post(f"/images/{shared.public_id}/share/", {"account": str(visitor.account_id)})

    def seen(by: Visitor, query: str = "") -> tuple[list[str], list[str]]:
        page = by.get(f"/buy/?zone={ZONE}{query}", follow=True).content.decode()
        return re.findall(r'name="images" id="images-(\w+)"', page), re.findall(
            r'id="images-(\w+)" value="\w+" checked', page
        )

    assert seen(visitor) == (["public", "own", "shared"], ["public"])
    assert seen(visitor, "&images=own")[1] == ["own"]
    assert seen(visitor, f"&image={own.public_id}")[1] == ["own"]
    assert seen(visitor, f"&image={shared.public_id}")[1] == ["shared"]
    assert seen(visitor, f"&image={shared.public_id}&images=public")[1] == ["public"]
    assert seen(visitor, "&images=nothing")[1] == ["public"]
    page = visitor.get(f"/buy/?zone={ZONE}&image={shared.public_id}&images=own", follow=True).content.decode()
    assert "Chosen: theirs" in page
    assert "images=own" in page
    assert "images=" not in visitor.get(f"/buy/?zone={ZONE}&images=public", follow=True).content.decode()
    parts = {code: page.split(f'class="images {code}"')[1].split('class="images ')[0] for code in ("own", "shared")}
    assert (own.public_id in parts["own"], shared.public_id in parts["own"]) == (True, False)
    assert (own.public_id in parts["shared"], shared.public_id in parts["shared"]) == (False, True)
    empty = visitor.get("/buy/?zone=ap-guangzhou-6", follow=True).content.decode()
    assert "No image of your own is in this zone." in empty
    assert "Nobody has shared an image with you in this zone." in empty
    assert 'name="images"' not in Client().get("/buy/", follow=True).content.decode()
