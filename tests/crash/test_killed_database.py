"""Given the whole database server is killed (kill -9) in the middle of an act, when it is back, then so is the act."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection, connections

from tests.crash.conftest import Nursery
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.database import DEMO_CATALOG, Databases, run_folder
from tests.support.outcome import outcome
from tests.support.shopper import HOURLY, MONTHLY, ZONE, buy_running, open_purse, wanted, work
from vmart.backoffice.apply_catalog import apply_file
from vmart.catalog import shop as catalog
from vmart.config import bring_up, os_users, postgres
from vmart.config.database import parse_database_url
from vmart.config.reconcile import reconcile
from vmart.customers.models import Account
from vmart.engines.simulated.engine import SimulatedEngine
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.kernel.clock import HOUR
from vmart.kernel.functions import resolve
from vmart.orders import terminate
from vmart.orders.models import Idempotency, Order
from vmart.orders.purchase import purchase
from vmart.pricing import books
from vmart.provisioning import zones
from vmart.settlement import close

pytestmark = [pytest.mark.crash, pytest.mark.xdist_group("killed_database")]  # one server of its own


class Server:
    """A PostgreSQL of the test's own that can be killed and started again.

    Without fsync: killed processes leave what they wrote with the kernel, and the start after it is quick.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster = postgres.Embedded(folder / "pg", folder / "socket", durable=False)
        self._log = (folder / "log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.cluster.prepare()
        self._process = subprocess.Popen(
            self.cluster.command(), cwd=self.cluster.pgdata, env=postgres.environment(),
            stdout=self._log, stderr=self._log,
        )  # fmt: skip
        self.cluster.wait_ready(30, self._process)

    def kill(self) -> None:
        """SIGKILL to the server and every process of it; returns when all are gone."""
        assert self._process is not None
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):  # it went with the one before
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        deadline = time.monotonic() + 10
        while self._pids():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def _pids(self) -> list[int]:
        return self.cluster._processes_inside()

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
        self._log.close()


@pytest.fixture(scope="module")
def made_server() -> Iterator[Server]:
    os_users.ensure_users()
    folder = run_folder() / f"killed-{os.environ.get('PYTEST_XDIST_WORKER', 'w')}"  # each process its own
    folder.mkdir(mode=0o755)
    server = Server(folder)
    server.start()
    yield server
    server.end()


@pytest.fixture
def server(
    made_server: Server, shop: Databases, test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """The killed server's shop instead of the test's usual one. Its rows and machines stay from test to test."""
    monkeypatch.setattr(settings, "DATA_DIR", made_server.folder)
    usual = f"vmart_{shop.worker}_{shop.current}"
    _point_at(made_server.cluster.url())
    _forget()
    bring_up.bring_up_to_date()
    if not Account.objects.exists():
        apply_file(DEMO_CATALOG)
    _forget()
    close.begin(test_clock.at)
    zones.prepare_images(ZONE)
    yield made_server
    connection.close()
    _forget()
    shop._point_at(usual)


def _point_at(url: str) -> None:
    os.environ["VMART_DATABASE_URL"] = url
    connection.close()
    connections["default"].settings_dict.update(parse_database_url(url))
    connections.databases["default"].update(parse_database_url(url))


def _forget() -> None:
    catalog.forget()
    books.forget()


def _in_thread(act: Callable[[], Any]) -> "tuple[threading.Thread, list[Any]]":
    """Do the act beside the test; what it returns or raises is in the list."""
    came: list[Any] = []

    def run() -> None:
        try:
            came.append(act())
        except Exception as error:  # noqa: BLE001  the test looks at it
            came.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, came


def _wait_until_locked(server: Server) -> None:
    deadline = time.monotonic() + 20
    with psycopg.connect(server.cluster.url(), autocommit=True) as own:
        while own.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def _kill_while_waiting(server: Server, account: int, act: Callable[[], Any]) -> Any:
    """Kill the server while the act waits for the account; start it again. What the act's caller saw."""
    holder = psycopg.connect(server.cluster.url())
    holder.execute(resolve("SELECT fn.ledger_lock(%s)"), [account])
    thread, came = _in_thread(act)
    _wait_until_locked(server)
    server.kill()
    holder.close()
    thread.join(30)
    server.start()
    connection.close()
    return came[0]


def test_during_a_purchase(server: Server) -> None:
    """The buyer sees a failure and nothing was bought; it asks again with its token and has bought once."""
    undisturbed, killed = (open_purse(name, cash_minor=20000) for name in ("undisturbed-p", "killed-p"))
    purchase(wanted(undisturbed, MONTHLY, client_token="t"))
    saw = _kill_while_waiting(server, killed, lambda: purchase(wanted(killed, MONTHLY, client_token="t")))
    assert isinstance(saw, Exception)
    assert not Order.objects.filter(account_id=killed).exists()
    assert not Idempotency.objects.filter(account_id=killed).exists()
    assert not purchase(wanted(killed, MONTHLY, client_token="t")).repeated
    work()
    assert outcome(killed) == outcome(undisturbed)
    assert list(reconcile()) == []


def test_after_a_purchase_was_answered_it_is_there(server: Server) -> None:
    """What was answered survives the server's processes; the machine's own end it survives by fsync, off here."""
    account = open_purse("answered", cash_minor=1000)
    bought = purchase(wanted(account, HOURLY, client_token="t"))
    server.kill()
    server.start()
    connection.close()
    assert purchase(wanted(account, HOURLY, client_token="t")).instance_ids == bought.instance_ids
    work()
    assert Instance.objects.get(public_id=bought.instance_ids[0]).state == "RUNNING"
    assert list(reconcile()) == []


def test_between_the_engine_and_the_outcome_of_a_delivery(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed, killed = (open_purse(name, cash_minor=1000) for name in ("undisturbed-d", "killed-d"))
    purchase(wanted(undisturbed, HOURLY))
    work()
    number = purchase(wanted(killed, HOURLY)).instance_ids[0]
    real = SimulatedEngine.ensure_present_many

    def made_and_killed(engine: SimulatedEngine, specs: Any) -> Any:
        made = real(engine, specs)
        server.kill()
        return made

    with monkeypatch.context() as patch:
        patch.setattr(SimulatedEngine, "ensure_present_many", made_and_killed)
        thread, came = _in_thread(work)
        thread.join(30)
    assert isinstance(came[0], Exception)
    server.start()
    connection.close()
    assert Instance.objects.get(public_id=number).state == "PENDING"
    db.rows(
        "UPDATE worker_operation SET lease_until = now() - interval '1 s' WHERE lease_until IS NOT NULL RETURNING id"
    )
    work()
    assert outcome(killed) == outcome(undisturbed)
    assert list(reconcile()) == []


def test_during_a_terminate(server: Server) -> None:
    undisturbed, killed = (open_purse(name, cash_minor=1000) for name in ("undisturbed-t", "killed-t"))
    first, second = buy_running(undisturbed, HOURLY), buy_running(killed, HOURLY)
    terminate.terminate(by(undisturbed), [first.public_id])
    saw = _kill_while_waiting(server, killed, lambda: terminate.terminate(by(killed), [second.public_id]))
    assert isinstance(saw, Exception)
    assert Instance.objects.get(pk=second.pk).state == "RUNNING"
    terminate.terminate(by(killed), [second.public_id])
    work()
    assert outcome(killed) == outcome(undisturbed)
    assert list(reconcile()) == []


def test_during_the_close_of_an_hour(
    server: Server, test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given some accounts of the hour are closed and some are not, then each is closed once."""
    accounts = [open_purse(f"closed-{n}", cash_minor=1000) for n in range(4)]
    for account in accounts:
        buy_running(account, HOURLY)
    monkeypatch.setattr(close, "BATCH_ACCOUNTS", 1)
    monkeypatch.setattr(close, "CONNECTIONS", 1)
    hour = test_clock.at
    test_clock.advance(hours=1)
    _kill_while_waiting(server, accounts[-1], lambda: close.close(hour))
    charged = db.rows("SELECT DISTINCT account_id FROM bills_charge WHERE hour = %s AND account_id = ANY (%s)",
                      hour, accounts)  # fmt: skip
    assert len(charged) == 3
    db.rows(
        "UPDATE worker_operation SET lease_until = now() - interval '1 s' WHERE lease_until IS NOT NULL RETURNING id"
    )
    work()
    found = [outcome(account) for account in accounts]
    assert [charge[3] for charge in found[0]["charges"]] == [3600, 3600]
    assert all(one == found[0] for one in found)
    assert close.close(hour) == (0, 0)
    assert db.rows("SELECT due_at FROM worker_operation WHERE kind = 'close_hour'")[0]["due_at"] == test_clock.at + HOUR
    assert list(reconcile()) == []
    test_clock.advance(hours=-1)


def test_a_worker_lives_through_it(server: Server, nursery: Nursery) -> None:
    """Given a worker whose database went away and came back, then it goes on by itself."""
    account = open_purse("served", cash_minor=1000)
    worker = nursery.begin("serve", lease_s=1.0)
    numbers = []
    for round_ in range(2):
        numbers.append(purchase(wanted(account, HOURLY)).instance_ids[0])
        deadline = time.monotonic() + 30
        while Instance.objects.filter(public_id__in=numbers, state="RUNNING").count() < len(numbers):
            assert time.monotonic() < deadline, f"round {round_}"
            time.sleep(0.05)
        server.kill()
        server.start()
        connection.close()
    os.kill(worker.pid, signal.SIGKILL)
    assert worker.answer() is None
    assert list(reconcile()) == []
