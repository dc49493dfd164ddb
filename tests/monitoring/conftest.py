"""A simulated zone of the test's own, and one running machine that uses what it is told."""

import pytest

from tests.orders.conftest import engine, in_business, world  # noqa: F401  the same fixtures
from tests.support.business_clock import BusinessClock
from tests.support.shopper import HOURLY, buy_running, open_purse
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.kernel.partitions import ensure_partitions


@pytest.fixture
def account(in_business: None, test_clock: BusinessClock) -> int:  # noqa: F811
    ensure_partitions(test_clock.at)
    return open_purse(cash_minor=100_000)


@pytest.fixture
def machine(account: int, world: World) -> Instance:  # noqa: F811
    """2 vCPU, 4 GiB."""
    made = buy_running(account, HOURLY)
    world.use(made.public_id, cpu_percent=0)
    return made
