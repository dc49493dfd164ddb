"""The seller's test order: a real order of a customer of his own, paid with gift money that the books show as such."""

import secrets
from dataclasses import dataclass, replace

from vmart.catalog import shop
from vmart.customers.accounts import OWN_DOMAIN
from vmart.customers.models import User
from vmart.events import record
from vmart.events.actor import SELLER, Actor
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.kernel.errors import NotFound
from vmart.kernel.models import Deployment
from vmart.listings.sales import ZoneCapacity, zones
from vmart.orders import by_hand, open_account, terminate
from vmart.orders.models import Line, Order
from vmart.orders.purchase import purchase
from vmart.orders.wanted import Bought, Machine, Purchase
from vmart.pricing import books
from vmart.pricing.configuration import POSTPAID_BY_HOUR, Configuration, DiskChoice
from vmart.pricing.quote import quote

NAME = f"test-customer@{OWN_DOMAIN}"
_MBPS = 5


@dataclass(frozen=True, slots=True)
class Trial:
    """How far the latest test order is; ``machine`` is None before anything was bought."""

    order: Order | None
    line: Line | None
    machine: Instance | None
    number: int = 0  # of test orders so far

    @property
    def is_delivered(self) -> bool:
        return bool(self.line and self.line.delivered_at)

    @property
    def has_failed(self) -> bool:
        return bool(self.line and self.line.state == Line.State.FAILED)

    @property
    def is_under_way(self) -> bool:
        return self.order is not None and not self.is_delivered and not self.has_failed


def latest() -> Trial:
    """The latest test order."""
    account_id = _account_id()
    orders = Order.objects.filter(account_id=account_id or 0).order_by("-id")
    order = orders.first()
    line = Line.objects.filter(order_id=order.id).first() if order else None
    machine = Instance.objects.filter(id=line.subscription_id).first() if line else None
    return Trial(order, line, machine, orders.count())


def buy(asker: Actor, number: int) -> Bought | None:
    """Buy the cheapest machine by the hour for the test customer; ``number``: of its orders when it was asked.

    However often the same is asked, one is bought; None where it was bought before.

    Raises what a purchase raises, NotFound where nothing is on sale.
    """
    wanted = _configuration()
    account_id = _account_id() or _open_account(asker)
    if number != Order.objects.filter(account_id=account_id).count():
        return None
    price = quote(books.current_book(shop.current().generation), wanted)
    reason, key, gift_minor = "Test order of the seller", f"test-order-{number}", max(2 * price.hold_minor, 1)
    # A purchase that was refused leaves its gift behind; at another price the next try is another movement.
    by_hand.move(by_hand.Movement(account_id, gift_minor, "gift", reason, asker, f"{key}-{gift_minor}"))
    image = next(image.public_id for image in shop.current().images.values() if not image.unavailable_en)
    actor = replace(asker, account_id=account_id, via=SELLER)
    return purchase(Purchase(actor, wanted, Machine(image, name="test-order"), client_token=key))


def end(asker: Actor) -> None:
    """End the test machine and erase it. Raises what ending a machine raises, NotFound where there is none."""
    machine = latest().machine
    if machine is None:
        raise NotFound("There is no test machine.")
    actor = replace(asker, account_id=machine.account_id, via=SELLER)
    terminate.terminate(actor, [machine.public_id])


def _account_id() -> int | None:
    return Deployment.objects.values_list("test_account_id", flat=True).get()


def _open_account(asker: Actor) -> int:
    """The test customer's account, opened once. Nobody signs in there, so its address is drawn and is nobody's."""
    with db.act():
        here = Deployment.objects.select_for_update().get()
        record.ask(asker)
        if here.test_account_id is None:
            user = User(email=f"test-customer-{secrets.token_hex(8)}@{OWN_DOMAIN}", date_joined=clock.now())
            user.set_unusable_password()
            here.test_account_id = open_account.sign_up_in_act(user, NAME).id
            here.save(update_fields=["test_account_id"])
        return int(here.test_account_id)


def _configuration() -> Configuration:
    """The cheapest hour on sale, where an engine is ready and has most room, with the smallest system disk."""
    here = shop.current()
    book = books.current_book(here.generation)
    for zone in sorted(zones(), key=_room, reverse=True):
        prices = book.regions[here.region_of(zone.code)]
        offered = [code for code, sold_out in here.zones[zone.code].offers.items() if not sold_out]
        if not (zone.on_sale and offered):
            continue
        cheapest = min(offered, key=lambda code: prices.cpu[code].hour[0].price)
        disk = min(here.disk_types, key=lambda code: prices.disk[code].hour[0].price)
        system = DiskChoice(disk, max(book.disk(disk).system_gib.min, _image_gib()))
        public = zone.addresses_free > 0
        return Configuration(
            here.region_of(zone.code), zone.code, cheapest, POSTPAID_BY_HOUR, system,
            public_ip=public, bandwidth_mbps=_MBPS if public else 0,
        )  # fmt: skip
    raise NotFound("Nothing is on sale: every type is sold out, or every zone is off sale.")


def _room(zone: ZoneCapacity) -> tuple[bool, int]:
    return _is_ready(zone), zone.memory_capacity_mib - zone.memory_used_mib


def _is_ready(zone: ZoneCapacity) -> bool:
    return zone.engine_status == "ready" and zone.images_ready > 0


def _image_gib() -> int:
    return next(image.size_gib for image in shop.current().images.values() if not image.unavailable_en)


def is_ready() -> bool:
    """Whether some zone's engine has answered and has an image: before that an order waits."""
    return any(map(_is_ready, zones()))
