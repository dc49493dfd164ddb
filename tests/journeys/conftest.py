"""A shop that sells real machines, on a clock that can be told to go on, and the internet around it."""

from collections.abc import Callable, Iterator

import pytest

from tests.lab.conftest import Internet, can_run_lab, open_internet
from tests.support.plain_browser import PlainBrowser
from tests.support.running_shop import RunningShop
from vmart.config.places import Places
from vmart.engines.incus.build import DEFAULT_CACHE

__all__ = ["can_run_lab"]


@pytest.fixture
def real_shop(can_run_lab: None, start_shop: Callable[..., RunningShop]) -> RunningShop:
    """Business time stands at 02:10 UTC; ``shop.vmart("clock", "advance", …)`` works through what falls due."""
    assert Places.of(None).image_dir == DEFAULT_CACHE  # where the lab has built it: an image is made once a machine
    return start_shop("--compute", "incus", "--test-clock", "2026-03-05T02:10:00Z")


@pytest.fixture
def internet(real_shop: RunningShop) -> Iterator[Internet]:
    with open_internet() as internet:
        yield internet


@pytest.fixture
def browser(real_shop: RunningShop) -> Iterator[PlainBrowser]:
    browser = PlainBrowser(real_shop.url)
    yield browser
    browser.close()
