"""Fixtures for every test: ``db``, ``shop``, ``test_clock``, ``databases``.

A test that asks for none of them reaches neither the database nor the internet.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ["DJANGO_SETTINGS_MODULE"] = "vmart.config.settings"
os.environ["VMART_MASTER_KEY"] = "07" * 32  # tests are the same each time
os.environ["VMART_DATA_DIR"] = tempfile.gettempdir() + "/vmart-tests-no-data-dir"
if "PYTEST_XDIST_WORKER" not in os.environ:  # simulated engines of another version of the tests
    shutil.rmtree(os.environ["VMART_DATA_DIR"], ignore_errors=True)
os.environ["VMART_DATABASE_URL"] = "host=/nonexistent"
os.environ["VMART_STATIC_AS_IS"] = "1"
for _of_a_shop in ("VMART_TEST_CLOCK", "VMART_SIMULATED_SETTINGS"):
    os.environ.pop(_of_a_shop, None)
# Playwright's loop stays in the main thread after a browser test; Django takes that for an async caller.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
os.environ["VMART_CONSOLE_PORT"] = "8001"  # as of a shop that has a gateway for consoles; nobody listens there
_ROOT = Path(__file__).resolve().parent.parent
os.environ["PYTHONPATH"] = f"{_ROOT / 'src'}:{_ROOT}"  # for the processes that tests start

import django
import hypothesis
import pytest
from _pytest.nodeid import coerce_node_id
from django.conf import settings

from tests.support.business_clock import BusinessClock
from tests.support.running_shop import RunningShop, open_shop
from tests.support.sockets import refuse_internet
from vmart.kernel import clock

django.setup()

from tests.support.database import Databases, guard, run_folder

hypothesis.settings.register_profile("vmart", deadline=None, print_blob=True)
hypothesis.settings.load_profile("vmart")

# One group a shared thing: the tests of a group run in one process, one after the other. What is marked ``lab``
# uses the real engine of this machine.
_GROUPS = {"browser": "running_shop", "clients": "running_shop", "journeys": "running_shop"}

# Where VMART_TEST_MONEY_POSTGRES names programs of an older PostgreSQL, these rooms are tested on it.
_MONEY = {"ledger", "orders", "payments", "settlement"}

_databases = Databases(os.environ.get("PYTEST_XDIST_WORKER", "w"))
_of_money = _databases
if older := os.environ.get("VMART_TEST_MONEY_POSTGRES"):
    _of_money = Databases(_databases.worker, older, "money")


def pytest_configure(config: pytest.Config) -> None:
    run_folder()  # also tells the worker processes, started later, which run they belong to
    refuse_internet()
    guard(_databases, _of_money)


def pytest_unconfigure(config: pytest.Config) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        folder = run_folder()
        if not (folder / "serving").exists():  # otherwise the server removes it when this run has ended
            shutil.rmtree(folder, ignore_errors=True)


def _room(path: Path) -> str:
    here = Path(__file__).parent
    return path.relative_to(here).parts[0] if here in path.parents else ""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        room = _room(item.path)
        shared = "lab" if item.get_closest_marker("lab") else _GROUPS.get(room)
        if shared:
            item.add_marker(pytest.mark.xdist_group(shared))
        group = item.get_closest_marker("xdist_group")
        if group and getattr(item.config.option, "loadgroup", False) and "@" not in item.nodeid:
            # pytest 9.2 keeps the id elsewhere than pytest-xdist 3.8 writes the group to: without this no
            # group holds together. To be dropped with the first pytest-xdist that knows pytest 9.2.
            item._id = coerce_node_id(f"{item.nodeid}@{group.args[0]}")


@pytest.fixture(autouse=True)
def _clock_as_found() -> Iterator[None]:
    yield
    clock.install(None)


@pytest.fixture
def test_clock() -> BusinessClock:
    """Business time stands at 2026-03-10 02:00 UTC; ``test_clock.advance(hours=2)`` moves it."""
    fixed = BusinessClock()
    fixed.install()
    return fixed


def _lend(kind: str, request: pytest.FixtureRequest) -> Iterator[Databases]:
    lent, other = (_of_money, _databases) if _room(request.path) in _MONEY else (_databases, _of_money)
    if other is not lent:
        other.leave()
    lent.use(kind)
    lent.allowed = True
    try:
        yield lent
    finally:
        lent.restore()
        lent.allowed = False


@pytest.fixture
def _engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated engines of the test's own, one a zone: what another test has delivered is unknown to its database."""
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)


@pytest.fixture
def db(request: pytest.FixtureRequest, _engines: None) -> Iterator[Databases]:
    """The migrated, empty database; commits are real, and undone after the test."""
    yield from _lend("plain", request)


@pytest.fixture
def shop(test_clock: BusinessClock, request: pytest.FixtureRequest, _engines: None) -> Iterator[Databases]:
    """The database with the demo catalog applied, on a standing clock; undone after the test."""
    yield from _lend("shop", request)


@pytest.fixture(scope="session")
def running_shop() -> Iterator[RunningShop]:
    """One whole shop a test process: ``vmart up --compute simulated --demo`` on a free port, also over TLS.

    Its rows stay from test to test: let each test make its own account or machine.
    """
    shop = open_shop("--listen-tls", "127.0.0.1:0")
    yield shop
    shop.remove()


@pytest.fixture
def start_shop() -> Iterator[Callable[..., RunningShop]]:
    """``start_shop("--test-clock", …)``: a shop of the test's own, removed after it."""
    opened: list[RunningShop] = []

    def start(*options: str, environment: dict[str, str] | None = None, demo: bool = True) -> RunningShop:
        opened.append(open_shop(*options, environment=environment, demo=demo))
        return opened[-1]

    yield start
    for shop in opened:
        shop.remove()
