"""Given the shop of a release, when this version takes it over, then everything agrees and the business goes on.

The dumps of released versions lie beside this file, one each; the one of the code itself is made in the run.
"""

import datetime as dt
import json
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.database import ROOT, Databases
from tests.support.shopper import HOURLY, MONTHLY, buy_running, go_to, work
from vmart import __version__
from vmart.config import backup, bring_up
from vmart.config.places import Places
from vmart.config.reconcile import reconcile
from vmart.customers.models import Account
from vmart.instances.models import Instance
from vmart.kernel.functions import OURS
from vmart.kernel.models import Deployment, FunctionSet
from vmart.orders import actions, start
from vmart.orders.models import Order, Status
from vmart.pricing import books
from vmart.pricing.book import hourly_rates
from vmart.pricing.models import Book, Rate
from vmart.settlement.models import Hour

HERE = Path(__file__).parent
RELEASED = sorted(file.stem for file in HERE.glob("*.tar"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The dump of the code as it is, made as a release's is; the states of its machines."""
    folder = tmp_path_factory.mktemp("made")
    done = _make_dump(folder)
    assert done.returncode == 0, done.stderr
    return folder / f"{__version__}.tar", json.loads(done.stdout)


def _make_dump(folder: Path) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, "-m", "tests.upgrades.make_dump", str(folder)]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)


@contextmanager
def _taken_over(
    databases: Databases, file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[BusinessClock]:
    """As after ``vmart restore`` and ``vmart migrate``, the engines with the machines that they had."""
    places = Places(folder / "shop")
    monkeypatch.setattr(settings, "DATA_DIR", places.data_dir)
    monkeypatch.delenv("VMART_SIMULATED_SETTINGS", raising=False)
    with databases.elsewhere("restored") as url:
        backup.restore(places, file, url)
        shutil.rmtree(places.run_dir, ignore_errors=True)
        _put_back_engines(file, places.engine_dir)
        bring_up.bring_up_to_date()
        at = Deployment.objects.get().test_clock_at
        assert at is not None
        standing = BusinessClock(at)
        standing.install()
        bring_up.start_business()
        yield standing


def _put_back_engines(file: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with tarfile.open(file) as tar:
        for member in tar.getmembers():
            content = tar.extractfile(member)
            if content is not None and member.name.startswith("engine/"):
                (folder / Path(member.name).name).write_bytes(content.read())


def test_every_release_has_its_dump() -> None:
    """A heading of the changelog that has a date is a release."""
    releases = re.findall(r"^## (\d+\.\d+\.\d+), \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert sorted(releases) == RELEASED


def test_the_dump_holds_a_little_of_everything(made: tuple[Path, dict[str, str]]) -> None:
    file, held = made
    again = _make_dump(file.parent)
    assert (again.returncode, again.stderr) == (1, f"{file} is there: the dump of a release is made once\n")
    assert held == {
        "by_traffic": "RUNNING", "by_bandwidth": "RUNNING", "monthly": "RUNNING", "returned": "SHUTDOWN",
        "paused": "STOPPED", "binned": "SHUTDOWN", "in_arrears": "SHUTDOWN", "pending": "PENDING",
    }  # fmt: skip


@pytest.mark.parametrize("release", [*RELEASED, "this code"])
def test_a_shop_of_a_release_is_taken_over_and_goes_on(
    release: str, made: tuple[Path, dict[str, str]], db: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = made[0] if release == "this code" else HERE / f"{release}.tar"
    with _taken_over(db, file, tmp_path, monkeypatch) as test_clock:
        assert Hour.objects.filter(closed_at__isnull=False).count() > 24
        assert bring_up.pending_migrations() == []
        assert FunctionSet.objects.order_by("-id")[0].schema == OURS.schema
        for book in Book.objects.all():  # what is priced now has a rate also in books of before
            kept = Rate.objects.filter(book=book).values_list("price_key", "rate")
            assert sorted(kept) == sorted((rate.price_key, rate.rate) for rate in hourly_rates(books.book_of(book)))
        assert list(reconcile()) == []
        _goes_on_selling()
        _settles_and_ends(test_clock)
        assert list(reconcile()) == []


def _goes_on_selling() -> None:
    buyer = Account.objects.get(name="buyer").id
    work()
    assert not Instance.objects.filter(state="PENDING").exists()
    buy_running(buyer, replace(HOURLY, bandwidth_mbps=5, public_ip=True))
    buy_running(buyer, MONTHLY)
    unpaid = Order.objects.get(account_id=buyer, status=Status.UNPAID)
    actions.pay(by(buyer), unpaid.id)
    work()
    assert Order.objects.get(pk=unpaid.pk).status == Status.DELIVERED
    assert list(reconcile()) == []


def _settles_and_ends(test_clock: BusinessClock) -> None:
    """The machine that was paused starts; what lay in the bin is gone after its time, and the hours are closed."""
    buyer = Account.objects.get(name="buyer").id
    paused = Instance.objects.get(account_id=buyer, state="STOPPED")
    start.start(by(buyer), [paused.public_id])
    work()
    assert Instance.objects.get(pk=paused.pk).state == "RUNNING"
    binned = set(
        Instance.objects.filter(account_id=buyer, state="SHUTDOWN", subscription__charge_type="POSTPAID_BY_HOUR")
    )
    assert len(binned) == 1
    closed = Hour.objects.filter(closed_at__isnull=False).count()
    go_to(test_clock, test_clock.at + dt.timedelta(hours=3))
    assert {Instance.objects.get(pk=machine.pk).state for machine in binned} == {"GONE"}
    assert Hour.objects.filter(closed_at__isnull=False).count() == closed + 3
