"""Given web's processes are killed (kill -9) within a purchase, when the client asks again with its token, then it has
bought once."""

import os
import random
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
import pytest
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from tests.clients.conftest import Access, wait_for
from tests.clients.test_sdk_python import POSTPAID, Cvm
from tests.support.running_shop import RunningShop

pytestmark = pytest.mark.crash
ROUNDS = 5
LIMIT_S = 30.0
PURCHASE = "query LIKE '%orders_purchase%'"
WAITS, WORKS = "wait_event_type = 'Lock'", "state <> 'idle'"

Database: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"


def _workers(shop: RunningShop) -> list[int]:
    """The processes that answer requests; ``vmart web`` above them starts a new one for each that ends."""
    tasks = Path(f"/proc/{shop.child_pid('web')}/task").iterdir()
    children = [child for task in tasks for child in (task / "children").read_text().split()]
    workers = [int(pid) for pid in children if b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert workers
    return workers


def _signal(shop: RunningShop, number: signal.Signals) -> None:
    for worker in _workers(shop):
        os.kill(worker, number)


def _statements(database: Database, condition: str) -> int:
    """How many sessions other than the asking one have a purchase as their statement, under ``condition``."""
    asked = f"SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND {PURCHASE} AND {condition}"
    (found,) = database.execute(asked).fetchone() or (0,)
    return int(found)


def _serves(access: Access) -> bool:
    try:
        return bool(Cvm(access).DescribeZones())
    except TencentCloudSDKException:
        return False


class Buyer:
    """A client that sends one purchase, and sends it again as it is until it is answered."""

    def __init__(self, access: Access, *, with_token: bool = True) -> None:
        self._access = access
        self.name = f"killed-{uuid.uuid4().hex[:12]}"
        self.asked = {**POSTPAID, "InstanceName": self.name} | ({"ClientToken": self.name} if with_token else {})
        self.lost: list[str] = []
        self.bought: list[str] = []
        self._thread = threading.Thread(target=self._buy)

    def begin(self) -> None:
        self._thread.start()

    def _buy(self) -> None:
        deadline = time.monotonic() + LIMIT_S
        while not self.bought and time.monotonic() < deadline:
            try:
                self.bought = Cvm(self._access).RunInstances(self.asked)["InstanceIdSet"]
            except TencentCloudSDKException as error:
                self.lost.append(error.get_code())
                time.sleep(0.05)

    def end(self) -> list[str]:
        self._thread.join(LIMIT_S + 10)
        return self.bought

    def has(self) -> list[str]:
        """All that this customer has of this purchase, at the end of it all."""
        asked: dict[str, Any] = {"Filters": [{"Name": "instance-name", "Values": [self.name]}]}
        return [machine["InstanceId"] for machine in Cvm(self._access).DescribeInstances(asked)["InstanceSet"]]


def _end_all(access: Access, shop: RunningShop, buyers: list[Buyer]) -> None:
    """The machines run, are released, and everything agrees."""
    cvm = Cvm(access)
    public_ids = [public_id for buyer in buyers for public_id in buyer.has()]
    wait_for(lambda: cvm.states(public_ids), {"RUNNING"})
    cvm.end(public_ids)
    assert shop.vmart("reconcile").stdout == "everything agrees\n"


@contextmanager
def _waiting(shop: RunningShop, buyer: Buyer) -> Iterator[tuple[Database, Database]]:
    """Inside, the buyer's statement waits for its account: (the session that holds it, one to look with)."""
    with (
        psycopg.connect(shop.database_url) as holder,
        psycopg.connect(shop.database_url, autocommit=True) as looking,
    ):
        holder.execute("SELECT FROM ledger_purses FOR UPDATE")
        buyer.begin()
        wait_for(lambda: _statements(looking, WAITS), 1)
        yield holder, looking


def _after_its_answer_was_lost(access: Access, buyer: Buyer) -> None:
    """The buyer has asked again and was answered; the shop serves."""
    assert len(buyer.end()) == 1
    assert buyer.lost[0] == "ClientNetworkError"
    assert set(buyer.lost) == {"ClientNetworkError"}
    wait_for(lambda: _serves(access), True)


@pytest.mark.parametrize("with_token", [True, False], ids=["with a token", "without one"])
def test_while_its_statement_waits(access: Access, running_shop: RunningShop, with_token: bool) -> None:
    """The database goes on alone, and nobody hears that it has bought. The control asks again without a token."""
    buyer = Buyer(access, with_token=with_token)
    with _waiting(running_shop, buyer):
        _signal(running_shop, signal.SIGKILL)
    _after_its_answer_was_lost(access, buyer)
    assert len(buyer.has()) == (1 if with_token else 2)
    assert set(buyer.bought) <= set(buyer.has())
    _end_all(access, running_shop, [buyer])


def test_before_its_statement_commits(access: Access, running_shop: RunningShop) -> None:
    """The process and its session with the database end together: nothing was bought until the client asks again."""
    buyer = Buyer(access)
    with _waiting(running_shop, buyer) as (_, looking):
        _signal(running_shop, signal.SIGSTOP)  # nobody asks again before the session has ended
        looking.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {WAITS} AND {PURCHASE}")
        wait_for(lambda: _statements(looking, WORKS), 0)  # others may have bought before, and be idle
        _signal(running_shop, signal.SIGKILL)
    _after_its_answer_was_lost(access, buyer)
    assert buyer.has() == buyer.bought
    _end_all(access, running_shop, [buyer])


@pytest.mark.parametrize("with_token", [True, False], ids=["with a token", "without one"])
def test_after_its_commit_and_before_its_answer(access: Access, running_shop: RunningShop, with_token: bool) -> None:
    """The process stands still while the database commits, and is killed then. The control has no token."""
    buyer = Buyer(access, with_token=with_token)
    with _waiting(running_shop, buyer) as (holder, looking):
        _signal(running_shop, signal.SIGSTOP)
        holder.rollback()
        wait_for(lambda: _statements(looking, WORKS), 0)
        _signal(running_shop, signal.SIGKILL)
    _after_its_answer_was_lost(access, buyer)
    assert len(buyer.has()) == (1 if with_token else 2)
    assert set(buyer.bought) <= set(buyer.has())
    _end_all(access, running_shop, [buyer])


def test_at_any_moment(access: Access, running_shop: RunningShop) -> None:
    """Killed a few milliseconds after the request was sent, wherever that is; the tests above are its controls."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    buyers = [Buyer(access) for _ in range(ROUNDS)]
    for buyer in buyers:
        wait_for(lambda: _serves(access), True)
        buyer.begin()
        time.sleep(moments.uniform(0.0, 0.06))
        _signal(running_shop, signal.SIGKILL)
        assert len(buyer.end()) == 1
    wait_for(lambda: _serves(access), True)
    assert [buyer.has() for buyer in buyers] == [buyer.bought for buyer in buyers]
    assert {code for buyer in buyers for code in buyer.lost} <= {"ClientNetworkError"}
    _end_all(access, running_shop, buyers)


def test_the_shops_database_writes_to_the_disk_before_it_answers(running_shop: RunningShop) -> None:
    """What a killed machine would have to have; the servers that these tests kill are without it, for speed."""
    with psycopg.connect(running_shop.database_url) as connection:
        settings = [connection.execute(f"SHOW {name}").fetchone() for name in ("fsync", "synchronous_commit")]
    assert settings == [("on",), ("on",)]
