"""Given things with tags, when they end, then their tags end with them, and are known of before."""

import pytest

from tests.support.actors import by
from tests.support.business_clock import START, BusinessClock
from tests.support.shopper import open_purse
from tests.tags.tagging import rows, tags
from vmart.instances import key_pairs
from vmart.orders import placement_groups
from vmart.orders.forget_keys import forget
from vmart.orders.placement_groups import Wanted
from vmart.tags import modify
from vmart.tags.things import KEY_PAIR, PLACEMENT_GROUP, Thing

pytestmark = pytest.mark.usefixtures("shop")


def test_a_key_pair_that_is_deleted(test_clock: BusinessClock) -> None:
    account = open_purse()
    pair, _pem = key_pairs.create(by(account), "work")
    thing = Thing(KEY_PAIR, pair.public_id)
    modify.modify(by(account), [thing], tags(team="a"))
    deleted = test_clock.advance(hours=1)
    forget(by(account), [pair.public_id])
    assert rows(thing) == [("team", "a", START, deleted)]


def test_a_placement_group_that_is_deleted(test_clock: BusinessClock) -> None:
    account = open_purse()
    thing = Thing(PLACEMENT_GROUP, placement_groups.create(by(account), Wanted("apart")).public_id)
    modify.modify(by(account), [thing], tags(team="a"))
    deleted = test_clock.advance(hours=1)
    placement_groups.delete(by(account), [thing.public_id])
    assert rows(thing) == [("team", "a", START, deleted)]
