"""Given a database that does not answer or has no room left, then everybody is told so, and it comes back by itself."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from tests.clients.conftest import Access, wait_for
from tests.clients.test_sdk_python import POSTPAID, Cvm
from tests.support.running_shop import RunningShop
from vmart.config import os_users
from vmart.config.health import health

pytestmark = [pytest.mark.crash, pytest.mark.xdist_group("running_shop")]

WELL, NOT_WELL = {"web": True, "database": True}, {"web": True, "database": False}
SAID = "NOT WELL: the database does not answer or has no room left to write"


def _cvm(shop: RunningShop) -> Cvm:
    owner = shop.ready["customer"]
    return Cvm(Access(shop.ready["api_endpoint"], "", "", owner["secret_id"], owner["secret_key"]))


def _buy(cvm: Cvm) -> str:
    """ "" when it has bought, else the code of the refusal."""
    try:
        cvm.RunInstances(POSTPAID)
    except TencentCloudSDKException as refused:
        return str(refused.get_code())
    return ""


@contextlib.contextmanager
def _without_database(shop: RunningShop) -> Iterator[None]:
    """The server is killed, and the supervisor stands still, so that nobody starts it again."""
    shop.process.send_signal(signal.SIGSTOP)
    try:
        shop.kill("postgres")
        wait_for(lambda: health(shop.url), NOT_WELL)
        yield
    finally:
        shop.process.send_signal(signal.SIGCONT)
    wait_for(lambda: health(shop.url), WELL)


def _status(shop: RunningShop) -> tuple[int, bool, bool]:
    """Its exit code, what it says as JSON, and whether it says so to a person."""
    value = shop.vmart("status", "--json", check=False)
    return value.returncode, json.loads(value.stdout)["database"], SAID in shop.vmart("status", check=False).stdout


def test_a_database_that_is_gone_is_told_to_buyers_pages_and_the_seller(running_shop: RunningShop) -> None:
    cvm = _cvm(running_shop)
    assert _status(running_shop) == (0, True, False)
    before = cvm.ids()
    with _without_database(running_shop):
        assert _buy(cvm) == "ResourceUnavailable"
        assert _status(running_shop) == (1, False, True)
        for command in (["reconcile"], ["catalog", "apply", "catalog/demo.yaml"], ["clock", "show"]):
            done = running_shop.vmart(*command, check=False)
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1), done.stderr
            assert done.stderr.startswith("vmart: the database cannot be reached: ")
        page = requests.get(f"{running_shop.url}/balance/", cookies={"sessionid": "of-somebody"}, timeout=30)
        assert (page.status_code, page.headers["Retry-After"]) == (503, "10")
        assert "The shop is out of order for the moment" in page.text
        doctor = running_shop.vmart("doctor", check=False)
        assert (doctor.returncode, "WRONG database: the database is out of order" in doctor.stdout) == (1, True)
    assert cvm.ids() == before
    assert running_shop.vmart("reconcile").stdout == "everything agrees\n"
    assert _status(running_shop) == (0, True, False)


@pytest.fixture
def small_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file system of 512 MiB in which the test's shop has its data directory."""
    with tempfile.TemporaryDirectory(prefix="vmart-small-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=512m,mode=0755", "vmart-test", folder]
        if not os_users.is_root() or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            pytest.skip("no file system of a size of its own can be mounted here")
        try:
            monkeypatch.setattr(tempfile, "tempdir", folder)
            yield Path(folder)
        finally:
            monkeypatch.undo()
            subprocess.run(["umount", folder], check=True)


def _fill(disk: Path) -> Path:
    """A file that takes the last byte."""
    file = disk / "everything"
    with file.open("ab", buffering=0) as full, contextlib.suppress(OSError):
        while full.write(bytes(1 << 20)) > 0:
            pass
    assert os.statvfs(disk).f_bavail == 0
    return file


def test_a_full_disk_is_told_and_once_there_is_room_again_all_goes_on(
    small_disk: Path, start_shop: Callable[..., RunningShop]
) -> None:
    shop = start_shop()
    cvm = _cvm(shop)
    file = _fill(small_disk)
    wait_for(lambda: health(shop.url), NOT_WELL)
    assert _status(shop) == (1, False, True)
    bought, told = 0, ""
    while not told:  # what fits into pages that are there already may still be bought
        _fill(small_disk)
        told = _buy(cvm)
        bought += not told
    assert told == "ResourceUnavailable"
    reconciled = shop.vmart("reconcile", check=False)
    assert (reconciled.returncode, reconciled.stdout, reconciled.stderr.count("\n")) == (3, "", 1), reconciled.stderr
    assert reconciled.stderr.startswith("vmart: the database ")
    file.unlink()
    wait_for(lambda: health(shop.url), WELL)
    before = cvm.ids()
    assert len(before) == bought
    assert _buy(cvm) == ""
    wait_for(lambda: cvm.states(sorted(cvm.ids() - before)), {"RUNNING"})
    assert shop.vmart("reconcile").stdout == "everything agrees\n"
    shop.remove()
