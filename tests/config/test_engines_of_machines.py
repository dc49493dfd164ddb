"""The shop opens whatever the machine can have of an engine: without root, and where installing fails."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support import claims
from tests.support.running_shop import ROOT, RunningShop, new_data_dir
from vmart.config import os_users
from vmart.config.places import read_json

pytestmark = [
    pytest.mark.xdist_group("running_shop"),
    pytest.mark.skipif(not os_users.is_root(), reason="only root can play another user, or hide programs"),
]
AUTO = "ap-guangzhou-3"


def _environment() -> dict[str, str]:
    environment = {name: text for name, text in os.environ.items() if not name.startswith("VMART_")}
    return environment | {"VMART_ENV": sys.prefix, "PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def folder() -> Iterator[Path]:
    path = new_data_dir()
    path.chmod(0o755)
    yield path
    claims.give_back(path)


def _until(look: Callable[[], Any], expected: Any, shop: RunningShop, limit_s: float = 90) -> None:
    deadline = time.monotonic() + limit_s
    while (seen := look()) != expected:
        assert shop.process.poll() is None and time.monotonic() < deadline, f"{seen!r}: {shop.log}"
        time.sleep(0.1)


def _ready(shop: RunningShop) -> dict[str, Any]:
    return read_json(shop.data_dir / "ready.json") or {}


def test_bin_run_of_an_unprivileged_user_opens_a_simulated_shop_as_that_user(
    folder: Path, running_shop: RunningShop
) -> None:
    """Given a user without root in a set-up clone, then bin/run opens the shop and says why it is simulated."""
    uid, gid = os_users.uid_gid(os_users.WEB)
    data_dir = folder / "var"
    data_dir.mkdir()
    os.chown(data_dir, uid, gid)
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(
            ["setpriv", "--reuid", str(uid), "--regid", str(gid), "--clear-groups", "--inh-caps=-all",
             "--bounding-set=-all", str(ROOT / "bin/run"), "--data-dir", str(data_dir), "--listen", "127.0.0.1:0"],
            env=_environment() | {"HOME": str(data_dir)}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    (data_dir / "up.log").symlink_to(folder / "up.log")
    shop = RunningShop(data_dir, process)
    try:
        shop.wait_ready()
        assert (shop.ready["engine"], shop.ready["instance_kind"]) == ("simulated", "simulated")
        assert "simulated: A private Incus daemon needs root. For real machines see docs/operate/engine.md." in shop.log
        owners = {path.stat().st_uid for path in data_dir.iterdir() if not path.is_symlink()}
        assert owners == {uid}
        control = next(data_dir.rglob("control.json"))
        children = (read_json(control) or {})["children"]
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in children.values()} == {uid}
    finally:
        process.terminate()
        assert process.wait(60) == 0


def test_where_incus_cannot_be_installed_its_zone_is_simulated_and_ready_says_why(folder: Path) -> None:
    """Given a machine without Incus whose apt-get fails, then the shop sells on, and says what it is and why."""
    hide = "mount -t tmpfs none /usr/libexec/incus; mount --bind /bin/false /usr/bin/apt-get"
    up = ["-m", "vmart.config.cli", "--data-dir", str(folder), "up", "--listen", "127.0.0.1:0", "--demo"]
    if not Path("/usr/libexec/incus/incusd").exists():
        pytest.skip("Incus does not lie where it could be hidden here")
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-ec", f'{hide}; exec "$@"', "sh", sys.executable, *up],
            env=_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    shop = RunningShop(folder, process)
    try:
        shop.wait_ready()
        _until(lambda: _ready(shop).get("engine"), "simulated", shop)
        assert _ready(shop)["instance_kind"] == "simulated"
        assert _ready(shop)["customer"] == shop.ready["customer"]
        assert "engine         simulated: Incus could not be installed, the next start tries again." in shop.log
        assert "apt-get update failed" in shop.log
        with psycopg.connect(shop.database_url) as connection:
            query = "SELECT engine_kind, auto_compute FROM catalog_zone WHERE code = %s"
            assert connection.execute(query, [AUTO]).fetchone() == ("simulated", "simulated")
            hosts = connection.execute("SELECT count(*) FROM placement_host WHERE zone_id = %s AND online", [AUTO])
            assert hosts.fetchone() == (2,)
        _until(lambda: "engine" in shop.control()["children"], False, shop)
        assert shop.vmart("status").stdout.count("engine: simulated") == 1
    finally:
        shop.end_whole()
