"""An image deleted while a machine is bought of it: the row's lock lets one go first; without it, the race happens."""

from dataclasses import replace
from typing import Any

import pytest

from tests.crash.gate import GATE, Edit, at_the_gate, of
from tests.support.actors import by
from tests.support.database import Databases
from tests.support.shopper import HOURLY, LOGIN, ZONE, buy_running, open_purse, wanted, work
from vmart.instances.models import Instance
from vmart.orders.errors import ImageBusy, UnknownImage
from vmart.orders.images import create, delete, share
from vmart.orders.images.create import NewImage
from vmart.orders.purchase import purchase
from vmart.orders.wanted import Bought, Machine
from vmart.provisioning import zones
from vmart.storage.models import ImageShare, OwnImage

pytestmark = [pytest.mark.usefixtures("open_shop"), pytest.mark.crash]
_HELD = "IF NOT FOUND THEN RETURN false; END IF; " + GATE


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that waits for its snapshot is asked again at once."""
    monkeypatch.setattr(create, "_WAIT_S", 0.0)


def _bought_and_deleted(shop: Databases, edit: Edit) -> tuple[list[str], list[Any]]:
    """A friend's purchase stands at the gate with the image's row in hand; then its owner deletes the image."""
    zones.check(ZONE)
    owner, friend = open_purse(cash_minor=100_000), open_purse("friend", cash_minor=100_000)
    source, _networked = buy_running(owner), buy_running(friend)  # a first purchase in a zone is asked twice
    image = create.of_machine(by(owner), source.public_id, NewImage("web"))
    work()
    share.share(by(owner), image, [str(friend)])
    asked = wanted(friend, replace(HOURLY), machine=Machine(image, LOGIN))
    edit("storage_hold_image", ("  RETURN FOUND;", f"  {_HELD}\n  RETURN true;"))

    def end() -> None:
        ImageShare.objects.all().delete()
        delete.delete(by(owner), [image])

    return at_the_gate(shop.url(), lambda: purchase(asked), end)


def test_what_is_being_bought_of_it_keeps_it(open_shop: Databases, edit: Edit) -> None:
    waited, results = _bought_and_deleted(open_shop, edit)
    assert waited == ["advisory", "transactionid"]
    assert (of(Bought, results), of(ImageBusy, results)) == (1, 1)
    work()
    assert Instance.objects.exclude(own_image="").get().state == "RUNNING"
    assert OwnImage.objects.get().state == "NORMAL"


def test_without_the_lock_a_machine_is_bought_of_what_is_gone(open_shop: Databases, edit: Edit) -> None:
    edit("storage_hold_image", ("  FOR SHARE OF m;", "  ;"))
    waited, results = _bought_and_deleted(open_shop, edit)
    assert waited == ["advisory"]
    assert (of(Bought, results), of(UnknownImage, results), of(ImageBusy, results)) == (1, 0, 0)
    work()
    assert (Instance.objects.exclude(own_image="").get().state, OwnImage.objects.get().state) == (
        "LAUNCH_FAILED",
        "GONE",
    )
