"""Given web's processes are killed (kill -9) within a purchase, when the client asks again with its token, then it has
bought once."""

import os
import random
import signal
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from tests.clients.conftest import Access, wait_for
from tests.clients.test_sdk_python import POSTPAID, Cvm
from tests.support.running_shop import RunningShop

pytestmark = pytest.mark.crash
ROUNDS = 5
LIMIT_S = 30.0
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%orders_purchase%'"


def _kill_workers(shop: RunningShop) -> None:
    """kill -9 of each process that answers requests; ``vmart web`` above them lives and starts new ones."""
    tasks = Path(f"/proc/{shop.child_pid('web')}/task").iterdir()
    children = [child for task in tasks for child in (task / "children").read_text().split()]
    workers = [int(pid) for pid in children if b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert workers
    for worker in workers:
        os.kill(worker, signal.SIGKILL)


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


@pytest.mark.parametrize("with_token", [True, False], ids=["with a token", "without one"])
def test_while_its_statement_waits(access: Access, running_shop: RunningShop, with_token: bool) -> None:
    """The database goes on alone, and nobody hears that it has bought. The control asks again without a token."""
    buyer = Buyer(access, with_token=with_token)
    with psycopg.connect(running_shop.database_url) as holder:
        holder.execute("SELECT FROM ledger_purses FOR UPDATE")
        buyer.begin()
        with psycopg.connect(running_shop.database_url, autocommit=True) as looking:
            wait_for(lambda: looking.execute(WAITING).fetchone(), (1,))
        _kill_workers(running_shop)
    assert len(buyer.end()) == 1
    assert buyer.lost[0] == "ClientNetworkError"
    wait_for(lambda: _serves(access), True)
    assert len(buyer.has()) == (1 if with_token else 2)
    assert set(buyer.bought) <= set(buyer.has())
    _end_all(access, running_shop, [buyer])


def test_at_any_moment(access: Access, running_shop: RunningShop) -> None:
    """Killed a few milliseconds after the request was sent, earlier and later, before and after the commit."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    buyers = [Buyer(access) for _ in range(ROUNDS)]
    for buyer in buyers:
        wait_for(lambda: _serves(access), True)
        buyer.begin()
        time.sleep(moments.uniform(0.0, 0.06))
        _kill_workers(running_shop)
        assert len(buyer.end()) == 1
    wait_for(lambda: _serves(access), True)
    assert [buyer.has() for buyer in buyers] == [buyer.bought for buyer in buyers]
    lost = [code for buyer in buyers for code in buyer.lost]
    assert set(lost) == {"ClientNetworkError"}
    _end_all(access, running_shop, buyers)


def test_the_shops_database_writes_to_the_disk_before_it_answers(running_shop: RunningShop) -> None:
    """What a killed machine would have to have; the servers that these tests kill are without it, for speed."""
    with psycopg.connect(running_shop.database_url) as connection:
        settings = [connection.execute(f"SHOW {name}").fetchone() for name in ("fsync", "synchronous_commit")]
    assert settings == [("on",), ("on",)]
