"""Given systems of customers, when they are imported, then their room is kept and each of their seconds is charged."""

from decimal import Decimal

import pytest

from tests.orders.test_import_image import account, failed, imported, server, shop_now, wanted, work_again
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.file_server import FileServer
from tests.support.shopper import ZONE, open_purse, owe, pay, purses, raise_prices, work
from tests.support.written import refused
from vmart.bills.models import Charge
from vmart.config.reconcile import reconcile
from vmart.engines.simulated.world import World
from vmart.kernel import clock, db
from vmart.kernel.clock import HOUR
from vmart.orders import errors
from vmart.orders.images import charge, chosen, delete, import_image, share
from vmart.placement.models import Allocation, Host
from vmart.pricing import books
from vmart.pricing.book import parse_book
from vmart.pricing.models import Book
from vmart.storage.models import ImageShare, OwnImage
from vmart.subscriptions.models import Item, Subscription

__all__ = ["account", "server"]

pytestmark = pytest.mark.usefixtures("in_business")

LARGEST_GIB, SIZE_GIB = 11, 2  # the policy's 10 and one; what the archive takes
DEAR = "1000"  # times 0.0002: 0.20 an hour and GiB


@pytest.fixture
def dear(in_business: object, test_clock: BusinessClock) -> None:
    """At the demo's price the hold of an hour rounds to nothing."""
    raise_prices(test_clock, DEAR)


def of(public_id: str) -> tuple[OwnImage, Subscription]:
    image = OwnImage.objects.get(public_id=public_id)
    return image, Subscription.objects.get(pk=image.pk)


def room(image: OwnImage) -> list[int]:
    """That is kept for it, in GiB."""
    return list(Allocation.objects.filter(instance_id=image.id).values_list("disk_gib", flat=True))


def priced(image_gib: str | None, test_clock: BusinessClock) -> None:
    """A new price book, in force from now, with another price of imported images."""
    row = Book.objects.latest("effective_at")
    plain = row.document | {"version": row.version + 1, "effective_at": test_clock.at.isoformat()}
    plain.pop("image_gib", None)
    with db.act():
        books.publish(parse_book(plain | ({"image_gib": image_gib} if image_gib else {})), test_clock.at - HOUR)
    books.forget()


@pytest.mark.usefixtures("dear")
def test_the_largest_is_set_aside_and_what_came_is_charged_from_when_it_is_there(
    account: int, server: FileServer, test_clock: BusinessClock
) -> None:
    """2 GiB at 0.20 for 3,598 s: 0.39977778."""
    due = charge.cost(account, ZONE, LARGEST_GIB)
    assert (charge.largest_gib(), due.hourly, due.hold_minor) == (LARGEST_GIB, Decimal("2.2"), 220)
    image, agreed = of(import_image.accept(by(account), wanted(server)))
    assert (image.size_gib, agreed.standing, agreed.kind) == (LARGEST_GIB, "pending", "image")
    assert (room(image), purses(account)["held"]) == ([LARGEST_GIB], 220)
    assert list(reconcile()) == []
    test_clock.advance(seconds=2)
    work()
    image, agreed = of(image.public_id)
    assert (image.state, image.size_gib, agreed.standing, agreed.started_at) == ("NORMAL", 2, "active", clock.now())
    assert (room(image), purses(account)["held"]) == ([SIZE_GIB], 40)
    items = Item.objects.filter(subscription_id=image.id).order_by("from_at")
    assert [(item.quantity, item.to_at is None) for item in items] == [(LARGEST_GIB, False), (SIZE_GIB, True)]
    assert list(reconcile()) == []
    test_clock.set(clock.hour_start(test_clock.at) + HOUR)
    work()
    made = Charge.objects.get(subscription_id=image.id)
    assert (made.component, made.duration_s) == ("image", 3598)
    assert Decimal(made.exact_e8).scaleb(-8) == Decimal("0.39977778")
    assert (purses(account)["cash"], purses(account)["held"]) == (100_000 - 40, 40)
    assert list(reconcile()) == []


@pytest.mark.usefixtures("dear")
def test_charging_ends_when_its_deletion_is_accepted_and_its_room_when_it_is_gone(
    account: int, server: FileServer, test_clock: BusinessClock
) -> None:
    """Half an hour of 2 GiB at 0.20: 0.20."""
    image = imported(account, wanted(server))
    test_clock.advance(minutes=30)
    delete.delete(by(account), [image.public_id])
    image, agreed = of(image.public_id)
    assert (image.state, agreed.standing, agreed.isolated_source) == ("DELETING", "isolated", "MANMADE")
    assert (room(image), purses(account)["held"]) == ([SIZE_GIB], 20)
    test_clock.advance(minutes=10)
    work()
    image, agreed = of(image.public_id)
    assert (image.state, agreed.standing, room(image)) == ("GONE", "ended", [])
    assert list(reconcile()) == []
    test_clock.set(clock.hour_start(test_clock.at) + HOUR)
    work()
    assert Charge.objects.get(subscription_id=image.id).duration_s == 1800
    assert (purses(account)["cash"], purses(account)["held"]) == (100_000 - 20, 0)
    assert list(reconcile()) == []


@pytest.mark.usefixtures("dear")
def test_what_was_never_made_costs_nothing_and_gives_its_room_back(account: int, server: FileServer) -> None:
    failed(account, wanted(server, "/none"))
    image, agreed = of(OwnImage.objects.get().public_id)
    assert (image.state, agreed.standing, room(image), purses(account)["held"]) == ("IMPORTFAILED", "failed", [], 0)
    assert list(reconcile()) == []
    delete.delete(by(account), [image.public_id])
    work()
    image, agreed = of(image.public_id)
    assert (image.state, agreed.standing, purses(account)["cash"]) == ("GONE", "failed", 100_000)
    assert list(reconcile()) == []


@pytest.mark.usefixtures("dear")
def test_one_that_is_deleted_while_it_is_imported_holds_nothing_from_then_on(account: int, server: FileServer) -> None:
    image, _ = of(import_image.accept(by(account), wanted(server)))
    delete.delete(by(account), [image.public_id])
    assert (room(image), purses(account)["held"]) == ([LARGEST_GIB], 0)
    assert list(reconcile()) == []
    work_again()
    image, agreed = of(image.public_id)
    assert (image.state, agreed.standing, room(image)) == ("GONE", "failed", [])
    assert list(reconcile()) == []


def test_where_no_host_has_room_for_the_largest_nothing_is_taken(account: int, server: FileServer) -> None:
    for host in Host.objects.filter(zone_id=ZONE):
        Host.objects.filter(pk=host.pk).update(disk_capacity_gib=host.disk_used_gib + LARGEST_GIB - 1)
    with refused(errors.DiskSoldOut, field="image.zone", code="ResourceInsufficient.CloudDiskSoldOut"):
        import_image.accept(by(account), wanted(server, zone=ZONE))
    assert (OwnImage.objects.count(), Subscription.objects.count(), purses(account)["held"]) == (0, 0, 0)
    first = Host.objects.filter(zone_id=ZONE).order_by("id").last()
    assert first is not None
    Host.objects.filter(pk=first.pk).update(disk_capacity_gib=first.disk_capacity_gib + 1)
    image = imported(account, wanted(server, zone=ZONE))
    assert (image.state, Allocation.objects.get(instance_id=image.id).host_id) == ("NORMAL", first.pk)
    assert list(reconcile()) == []  # its engine has it there


@pytest.mark.usefixtures("dear")
def test_without_an_hours_money_nothing_is_taken(server: FileServer, account: int) -> None:
    poor = open_purse("poor", cash_minor=219)
    with refused(errors.InsufficientBalance, code="InvalidAccount.InsufficientBalance"):
        import_image.accept(by(poor), wanted(server))
    assert (OwnImage.objects.count(), Subscription.objects.count(), Allocation.objects.count()) == (0, 0, 0)


@pytest.mark.usefixtures("dear")
def test_in_arrears_it_is_kept_and_used_for_nothing_and_a_top_up_gives_it_back(
    account: int, server: FileServer, test_clock: BusinessClock
) -> None:
    friend = open_purse("friend", cash_minor=100_000)
    image = imported(account, wanted(server))
    share.share(by(account), image.public_id, [str(friend)])
    owe(account)
    test_clock.advance(hours=2)
    work()
    image, agreed = of(image.public_id)
    assert (image.state, agreed.standing, agreed.isolated_source) == ("NORMAL", "isolated", "ARREAR")
    assert (room(image), purses(account)["held"]) == ([SIZE_GIB], 0)
    for one in (account, friend):
        with refused(errors.ImageNotSold, field="image_id"):
            chosen.choose(shop_now(), one, ZONE, image.public_id)
        assert chosen.own_in(shop_now(), one, ZONE) == []
        with db.act():
            assert not db.call("storage_hold_image", image.public_id, one, ZONE)
    assert list(reconcile()) == []
    pay(account, 1_000)
    image, agreed = of(image.public_id)
    assert (agreed.standing, agreed.isolated_source, purses(account)["held"]) == ("active", "NOTISOLATED", 40)
    assert chosen.choose(shop_now(), friend, ZONE, image.public_id).own_id == image.public_id
    test_clock.advance(days=20)
    work()
    assert of(image.public_id)[0].state == "NORMAL"  # its end was forgotten
    assert list(reconcile()) == []


@pytest.mark.usefixtures("dear")
def test_arrears_that_last_end_it_shared_or_not(
    account: int, server: FileServer, world: World, test_clock: BusinessClock
) -> None:
    friend = open_purse("friend")
    image = imported(account, wanted(server))
    share.share(by(account), image.public_id, [str(friend)])
    owe(account)
    test_clock.advance(hours=2)
    work()
    release_at = of(image.public_id)[1].release_at
    assert release_at is not None and (release_at - clock.now()).days == 15
    test_clock.set(release_at)
    work()
    image, agreed = of(image.public_id)
    assert (image.state, agreed.standing, room(image), world.own_images()) == ("GONE", "ended", [], {})
    assert not ImageShare.objects.exists()
    assert list(reconcile()) == []


@pytest.mark.usefixtures("dear")
def test_one_that_arrears_keep_is_deleted_by_its_owner_at_once(
    account: int, server: FileServer, test_clock: BusinessClock
) -> None:
    image = imported(account, wanted(server))
    owe(account)
    test_clock.advance(hours=2)
    work()
    delete.delete(by(account), [image.public_id])
    work()
    image, agreed = of(image.public_id)
    assert (image.state, agreed.standing, room(image)) == ("GONE", "ended", [])
    assert list(reconcile()) == []


def test_without_a_price_it_costs_nothing_until_the_seller_names_one(
    account: int, server: FileServer, test_clock: BusinessClock
) -> None:
    priced(None, test_clock)
    assert (charge.cost(account, ZONE, 1).hourly, charge.cost(account, ZONE, LARGEST_GIB).hold_minor) == (Decimal(0), 0)
    image = imported(account, wanted(server))
    test_clock.set(clock.hour_start(test_clock.at) + HOUR)
    work()
    assert purses(account)["cash"] == 100_000
    priced("0.3", test_clock)
    assert list(reconcile()) == []
    test_clock.set(test_clock.at + HOUR)
    work()
    charges = Charge.objects.filter(subscription_id=image.id).order_by("hour").values_list("exact_e8", flat=True)
    assert [Decimal(exact).scaleb(-8) for exact in charges] == [Decimal(0), Decimal("0.6")]
    assert purses(account)["cash"] == 100_000 - 60
    assert list(reconcile()) == []
