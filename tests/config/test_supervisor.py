"""``vmart up`` as its operator meets it: opens, says where, survives its children's deaths, ends, opens again."""

import contextlib
import fcntl
import json
import os
import pty
import re
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from tests.clients.conftest import Access
from tests.clients.test_sdk_python import POSTPAID, Cvm
from tests.support.database import DEMO_CATALOG
from tests.support.running_shop import ROOT, VMART, RunningShop, new_data_dir
from vmart.config import os_users, supervisor
from vmart.config.cli import main
from vmart.config.places import Places
from vmart.config.supervisor import data_directory_lock, lock_holder
from vmart.engines.simulated.world import World
from vmart.kernel.functions import resolve

pytestmark = pytest.mark.xdist_group("running_shop")


def health(url: str, ca_file: str | None = None) -> dict[str, Any]:
    context = ssl.create_default_context(cafile=ca_file) if ca_file else None
    with urllib.request.urlopen(f"{url}/healthz", timeout=10, context=context) as answer:
        value: dict[str, Any] = json.load(answer)
        return value


def until(condition: Callable[[], bool], limit_s: float, what: str) -> None:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, urllib.error.URLError):
            if condition():
                return
        time.sleep(0.05)
    raise AssertionError(f"not within {limit_s} s: {what}")


def test_ready_file_says_where_and_who_and_only_the_owner_reads_it(running_shop: RunningShop) -> None:
    ready = running_shop.ready
    assert set(ready) == {
        "url", "api_endpoint", "tls_endpoint", "ca_file", "console", "engine", "instance_kind", "operator", "customer",
    }  # fmt: skip
    assert ready["url"] == f"http://{ready['api_endpoint']}"
    assert (ready["engine"], ready["instance_kind"]) == ("simulated", "simulated")
    assert set(ready["operator"]) == {"email", "password"}
    assert set(ready["customer"]) == {"email", "password", "secret_id", "secret_key"}
    assert stat.S_IMODE((running_shop.data_dir / "ready.json").stat().st_mode) == 0o600
    assert running_shop.log.count("\nready ") + running_shop.log.startswith("ready ") == 1


def test_a_shop_without_demo_has_no_logins(start_shop: Callable[..., RunningShop]) -> None:
    shop = start_shop(demo=False)
    assert set(shop.ready) == {"url", "api_endpoint", "tls_endpoint", "ca_file", "console", "engine", "instance_kind"}
    assert stat.S_IMODE((shop.data_dir / "ready.json").stat().st_mode) == 0o600
    assert "password" not in shop.log and "demo" not in shop.log
    assert not (Places.of(shop.data_dir).secrets_dir / "demo.json").exists()
    assert shop.control()["environment"]["VMART_SANDBOX_CARDS"] == ""
    assert re.search(rf"first operator {shop.url}/seller/first/\S+/ \(once, within 24 hours\)\n", shop.log)
    assert "catalog        none yet: `vmart catalog apply FILE`\n" in shop.log
    shop.vmart("operator", "add", "me@example.org")
    with pytest.raises(urllib.error.HTTPError, match="503"):
        urllib.request.urlopen(f"{shop.url}/buy/", timeout=20)
    shop.vmart("catalog", "apply", str(ROOT / "catalog" / "starter.yaml"), "--yes")
    assert urllib.request.urlopen(f"{shop.url}/accounts/signup/", timeout=20).status == 200


def test_it_answers_on_both_addresses_and_the_deployments_ca_vouches_for_the_tls_one(running_shop: RunningShop) -> None:
    assert health(running_shop.url) == {"web": True, "database": True}
    assert health(f"https://{running_shop.ready['tls_endpoint']}", running_shop.ready["ca_file"])["web"]
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        health(f"https://{running_shop.ready['tls_endpoint']}")


def test_a_second_start_on_the_same_data_directory_is_refused(running_shop: RunningShop) -> None:
    second = running_shop.vmart("up", "--listen", "127.0.0.1:0", "--demo", check=False)
    assert second.returncode == 3
    assert f"already runs on {running_shop.data_dir}" in second.stderr
    assert health(running_shop.url)["web"]
    assert (running_shop.data_dir / "ready.json").exists()


def test_a_taken_port_is_named_and_nothing_stays_behind(running_shop: RunningShop, tmp_path: Path) -> None:
    taken = running_shop.ready["api_endpoint"]
    refused = running_shop.vmart("--data-dir", str(tmp_path / "other"), "up", "--listen", taken, check=False)
    assert refused.returncode == 3
    assert f"cannot listen on {taken}" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_demo_logins_stay_on_this_machine(running_shop: RunningShop, tmp_path: Path) -> None:
    refused = running_shop.vmart("--data-dir", str(tmp_path), "up", "--demo", "--listen", "0.0.0.0:0", check=False)
    assert refused.returncode == 2
    assert "only on 127.0.0.1" in refused.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not os_users.is_root(), reason="not root: everything runs as the caller")
def test_as_root_database_web_and_worker_run_as_users_of_their_own(running_shop: RunningShop) -> None:
    owners = {
        name: Path(f"/proc/{running_shop.child_pid(name)}").stat().st_uid
        for name in ("postgres", "web", "web-tls", "worker")
    }
    assert owners == {
        "postgres": os_users.uid_gid(os_users.DB)[0],
        "web": os_users.uid_gid(os_users.WEB)[0],
        "web-tls": os_users.uid_gid(os_users.WEB)[0],
        "worker": os_users.uid_gid(os_users.WORKER)[0],
    }
    capabilities = {
        name: int(_status(running_shop.child_pid(name))["CapEff"], 16) for name in ("postgres", "web", "worker")
    }
    assert capabilities == {"postgres": 0, "web": 0, "worker": 1 << 12}  # CAP_NET_ADMIN


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}


@pytest.mark.skipif(not os_users.is_root(), reason="not root: everything runs as the caller")
def test_secrets_and_database_are_closed_to_others(running_shop: RunningShop) -> None:
    places = Places.of(running_shop.data_dir)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (places.secrets_dir, places.pgdata)}
    assert modes == {"secrets": 0o700, "postgres": 0o700}
    assert stat.S_IMODE((places.secrets_dir / "master.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((places.tls_dir / "ca.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(places.database_socket_dir.stat().st_mode) == 0o750


@pytest.mark.crash
@pytest.mark.parametrize("name", ["web", "worker", "postgres"])
def test_a_killed_child_is_back_and_runs_on(running_shop: RunningShop, name: str) -> None:
    before = running_shop.child_pid(name)
    running_shop.kill(name)
    until(lambda: running_shop.child_pid(name) != before, 60, f"{name} started again")
    until(lambda: health(running_shop.url) == {"web": True, "database": True}, 60, "the shop answers again")
    after = running_shop.child_pid(name)
    time.sleep(3)  # a second start would come within this; none coming is what is asked
    assert running_shop.child_pid(name) == after, "it runs on"


@pytest.mark.crash
def test_after_sigterm_nothing_runs_and_the_next_start_has_the_same_logins(
    start_shop: Callable[..., RunningShop],
) -> None:
    shop = start_shop()
    first = shop.ready
    children = [shop.child_pid(name) for name in ("postgres", "web", "worker")]

    assert shop.end() == 0

    assert not (shop.data_dir / "ready.json").exists()
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []
    shop.start_again()  # how long it takes, bin/bench startup measures
    assert shop.ready["customer"] == first["customer"]
    assert shop.ready["operator"] == first["operator"]
    said = [shop.log.count(first[who]["password"]) for who in ("customer", "operator")]
    assert (said, shop.log.count(f"{shop.data_dir}/ready.json has them")) == ([1, 1], 1)


def _state(shop: RunningShop, machine: str) -> str:
    with psycopg.connect(shop.database_url) as connection:
        (row,) = connection.execute("SELECT state FROM instances_instance WHERE public_id = %s", [machine]).fetchall()
        return str(row[0])


@pytest.mark.crash
def test_down_ends_the_shop_and_leaves_its_machines_running(start_shop: Callable[..., RunningShop]) -> None:
    """Given a shop with a machine, when ``vmart down`` is said without --machines, then all but the machine is gone."""
    shop = start_shop()
    owner, endpoint = shop.ready["customer"], shop.ready["api_endpoint"]
    (name,) = Cvm(Access(endpoint, "", "", owner["secret_id"], owner["secret_key"])).RunInstances(POSTPAID)[
        "InstanceIdSet"
    ]
    until(lambda: _state(shop, name) == "RUNNING", 60, "the machine runs")
    children = [shop.child_pid(child) for child in ("postgres", "web", "worker")]

    ended = shop.vmart("down")

    assert ended.stdout == "the shop has ended\n"
    assert shop.process.wait(10) == 0
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []
    assert not (shop.data_dir / "ready.json").exists()
    engine = Places.of(shop.data_dir).engine_dir / f"{POSTPAID['Placement']['Zone']}.sqlite"
    assert World(engine).count_machines() == 1
    again = shop.vmart("down", check=False)
    assert (again.returncode, again.stderr) == (3, f"vmart: nothing runs on {shop.data_dir}\n")
    shop.start_again()
    assert _state(shop, name) == "RUNNING"
    assert shop.vmart("reconcile").stdout == "everything agrees\n"


@pytest.mark.crash
def test_a_killed_supervisor_takes_its_children_along_and_leaves_a_startable_directory(
    start_shop: Callable[..., RunningShop],
) -> None:
    shop = start_shop()
    children = [shop.child_pid(name) for name in ("postgres", "web", "worker")]

    shop.process.kill()
    shop.process.wait()

    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), 20, "the children are gone")
    (shop.data_dir / "ready.json").unlink()  # nobody was left to remove it
    left = {"state": "ready", "why": "", "instance_kind": "container"}  # as of an engine of that run
    Places.of(shop.data_dir).engine_state_file.write_text(json.dumps(left))
    shop.start_again()
    assert health(shop.url)["database"]
    assert json.loads(shop.vmart("status", "--json").stdout)["engine_state"] is None
    assert not Places.of(shop.data_dir).engine_state_file.exists()  # there is nothing of that run left to look at
    assert json.loads((shop.data_dir / "ready.json").read_text())["instance_kind"] == "simulated"


def test_status_counts_processes_and_says_when_nothing_runs(running_shop: RunningShop, tmp_path: Path) -> None:
    value = json.loads(running_shop.vmart("status", "--json").stdout)
    assert value["running"]
    assert value["url"] == running_shop.url
    assert set(value["processes"]) == {"supervisor", "postgres", "web", "web-tls", "worker"}
    assert value["processes"]["supervisor"]["memory_mib"] < 30
    assert set(value["attention"]) == {"number", "more", "worst"}
    nothing = running_shop.vmart("--data-dir", str(tmp_path / "empty"), "status", check=False)
    assert (nothing.returncode, "nothing runs" in nothing.stdout) == (1, True)


def test_reconcile_of_an_untouched_shop_finds_everything_agreeing(running_shop: RunningShop) -> None:
    assert running_shop.vmart("reconcile").stdout == "everything agrees\n"


def test_the_demo_catalog_applied_again_changes_nothing(running_shop: RunningShop) -> None:
    again = running_shop.vmart("catalog", "apply", str(DEMO_CATALOG))
    assert again.stdout == "the shop sells exactly that already\n"


def test_a_price_book_that_would_rewrite_the_past_is_refused_with_a_sentence(
    running_shop: RunningShop, tmp_path: Path
) -> None:
    file = tmp_path / "catalog.yaml"
    file.write_text(DEMO_CATALOG.read_text().replace("\n  version: 1\n", "\n  version: 2\n"))
    answer = running_shop.vmart("catalog", "apply", "--yes", str(file), check=False)
    assert (answer.returncode, answer.stdout) == (3, "")
    assert answer.stderr.startswith("vmart: price_book.effective_at is 2009-12-31T16:00:00+00:00; it must be after ")


def test_doctor_finds_a_running_shop_well(running_shop: RunningShop) -> None:
    found = running_shop.vmart("doctor", check=False).stdout
    wrong = [line for line in found.splitlines() if line.startswith("WRONG") and "static files" not in line]
    assert wrong == []
    assert "well  database: PostgreSQL 18" in found


def test_backup_of_a_running_shop_restores_into_an_empty_directory(
    running_shop: RunningShop, tmp_path_factory: pytest.TempPathFactory, start_shop: Callable[..., RunningShop]
) -> None:
    file = tmp_path_factory.mktemp("backup") / "shop.tar"
    with psycopg.connect(running_shop.database_url) as connection:
        connection.execute("SELECT nextval('subscriptions_block')")
    given_out = _blocks_given_out(running_shop)
    running_shop.vmart("backup", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    copy = start_shop()  # a data directory where the database's user may go
    copy.end()
    target = copy.data_dir / "restored"
    refused = copy.vmart("restore", str(file), check=False)
    assert refused.returncode == 3 and "already holds a database" in refused.stderr
    copy.vmart("--data-dir", str(target), "restore", str(file))

    assert json.loads((target / "secrets/demo.json").read_text())["customer"] == running_shop.ready["customer"]
    again = RunningShop(target, copy.process)
    again.start_again("--listen", "127.0.0.1:0", "--compute", "simulated", "--demo")
    try:
        assert again.ready["customer"] == running_shop.ready["customer"]
        # What was sold after the backup keeps its number: nobody is given another's machine.
        assert given_out.keys() >= {"subscriptions_block", "network_block", "orders_block"}
        assert _blocks_given_out(again) == {name: number + 65_536 for name, number in given_out.items()}
    finally:
        again.end()


def _blocks_given_out(shop: RunningShop) -> dict[str, int]:
    with psycopg.connect(shop.database_url) as connection:
        return dict(
            connection.execute(
                "SELECT sequencename, coalesce(last_value, 0) FROM pg_sequences WHERE sequencename LIKE '%\\_block'"
            ).fetchall()
        )


def test_the_test_clock_stands_until_told_and_is_fixed_at_first_start(start_shop: Callable[..., RunningShop]) -> None:
    shop = start_shop("--test-clock", "2026-03-01T08:00:00+08:00")
    assert shop.vmart("clock", "show").stdout == "2026-03-01T00:00:00+00:00 (test clock)\n"
    assert shop.vmart("clock", "advance", "1d12h").stdout == "2026-03-02T12:00:00+00:00 (test clock)\n"
    assert shop.vmart("clock", "show").stdout == "2026-03-02T12:00:00+00:00 (test clock)\n"
    near, far = pty.openpty()  # on a terminal it also shows how far it is
    words = [VMART, "clock", "advance", "3h"]
    moved = subprocess.run(words, env=shop.environment(), stdout=subprocess.PIPE, stderr=far, timeout=120, check=True)
    os.close(far)
    assert moved.stdout == b"2026-03-02T15:00:00+00:00 (test clock)\n"
    assert os.read(near, 4096) == b"2026-03-02 15:00\r"  # hours with nothing else to do are closed at once
    os.close(near)


def test_a_wall_clock_shop_never_becomes_a_test_clock_one(running_shop: RunningShop) -> None:
    assert "(wall clock)" in running_shop.vmart("clock", "show").stdout
    refused = running_shop.vmart("clock", "advance", "48h", check=False)
    assert refused.returncode == 3
    assert "runs on the wall clock" in refused.stderr


def _environment(pid: int) -> dict[str, str]:
    entries = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return {name: text for name, _, text in (entry.partition("=") for entry in entries if entry)}


@pytest.mark.skipif(not os_users.is_root(), reason="not root: everything runs as the caller")
def test_what_the_caller_has_in_its_environment_reaches_no_other_user(running_shop: RunningShop) -> None:
    """Given a caller with more there than the shop's own settings, then web and worker do not get it."""
    caller = _environment(running_shop.process.pid)
    foreign = {name for name in caller if name.startswith(("PYTEST_", "DJANGO_"))}
    assert foreign
    for name in ("web", "web-tls", "worker"):
        given = _environment(running_shop.child_pid(name))
        assert foreign & given.keys() == set()
        assert given["VMART_DATABASE_URL"] == running_shop.database_url


def test_the_note_to_other_commands_is_the_callers_and_holds_no_key(running_shop: RunningShop) -> None:
    places = Places.of(running_shop.data_dir)
    status = places.control_file.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o600, os.getuid())
    assert "VMART_MASTER_KEY" not in running_shop.control()["environment"]
    key = (places.secrets_dir / "master.key").read_text().strip()
    assert key not in places.control_file.read_text()


@pytest.mark.crash
def test_a_closed_terminal_ends_the_shop_in_order() -> None:
    data_dir = new_data_dir()
    near, far = pty.openpty()
    environment = {name: text for name, text in os.environ.items() if not name.startswith("VMART_")}
    supervisor = subprocess.Popen(
        ["setsid", "--ctty", VMART, "--data-dir", str(data_dir), "up", "--listen", "127.0.0.1:0",
         "--compute", "simulated"],
        env=environment | {"VMART_ENV": sys.prefix}, stdin=far, stdout=far, stderr=far,
    )  # fmt: skip
    os.close(far)
    shop = RunningShop(data_dir, supervisor)
    try:
        until((data_dir / "ready.json").exists, 60, "it is open")
        children = [shop.child_pid(name) for name in ("postgres", "web", "worker")]
        os.close(near)
        assert supervisor.wait(60) == 0
        assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []
        assert not Places.of(data_dir).run_dir.exists()
        assert (data_dir / "log" / "web.log").exists()
    finally:
        shop.remove()


def test_who_looks_whether_a_shop_runs_does_not_keep_one_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given ``vmart status`` at the very moment of a start, then the start waits for it, and finds nobody there."""
    monkeypatch.setattr(supervisor, "_LOOKED_AT_S", 20.0)
    places = Places.of(tmp_path)
    places.lock_file.write_text(f"{os.getpid()}\n")  # of a supervisor that was killed
    with places.lock_file.open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert lock_holder(places) is None
        threading.Timer(0.2, lambda: fcntl.flock(looking, fcntl.LOCK_UN)).start()
        with data_directory_lock(places):
            assert lock_holder(places) == os.getpid()
    assert lock_holder(places) is None


@pytest.mark.parametrize("length", ["999999999d", "9" * 30 + "w"])
def test_a_length_of_time_beyond_all_bounds_is_wrong_use(length: str) -> None:
    refused = CliRunner().invoke(main, ["clock", "advance", length])
    assert refused.exit_code == 2
    assert "is longer than 36500 days" in refused.output


def test_a_backup_that_cannot_be_written_says_where(running_shop: RunningShop, tmp_path: Path) -> None:
    for file in (tmp_path / "missing", tmp_path):
        target = file / "shop.tar" if file != tmp_path else file
        refused = running_shop.vmart("backup", str(target), check=False)
        assert (refused.returncode, refused.stderr.count("\n")) == (3, 1), refused.stderr
        assert refused.stderr.startswith("vmart: ") and str(file) in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_a_failed_statement_was_about_is_in_no_log(running_shop: RunningShop) -> None:
    """Given a statement with a password's hash in its text, when it fails, then the database's log has not got it."""
    about_a_person = ("SELECT 'not a number'::int, %s", ["scrypt$hash-of-a-password"])
    with psycopg.connect(running_shop.database_url) as connection, psycopg.ClientCursor(connection) as cursor:
        for statement, words in (about_a_person, ("SELECT 'the last word'::int", [])):
            with pytest.raises(psycopg.errors.InvalidTextRepresentation):
                cursor.execute(statement, words)
            connection.rollback()
    until(lambda: "the last word" in running_shop.log, 60, "both errors are logged, and all about the first")
    assert "scrypt$hash" not in running_shop.log


def test_an_ordinary_refusal_is_no_error_in_the_databases_log(running_shop: RunningShop) -> None:
    """Given a refusal of our SQL, when it is answered, then the log has not got it; the next fault is there."""
    with psycopg.connect(running_shop.database_url, autocommit=True) as connection:
        with pytest.raises(psycopg.Error) as refused:
            connection.execute(resolve("SELECT fn.kernel_refuse('quota_of_a_test', 'how much of it')"))
        assert (refused.value.sqlstate, refused.value.diag.message_detail) == ("VM001", "how much of it")
        with pytest.raises(psycopg.errors.RaiseException):
            connection.execute("DO $$ BEGIN RAISE EXCEPTION 'a fault, said after it'; END $$")
    until(lambda: "a fault, said after it" in running_shop.log, 60, "the fault is logged")
    assert "quota_of_a_test" not in running_shop.log


def test_what_is_no_address_of_a_database_is_refused_without_its_password() -> None:
    environment = os.environ | {"VMART_DATABASE_URL": "postgresql://shop:s3cret@host/name?colour=blue"}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        words = [VMART, "--data-dir", f"{folder}/data", "up", "--listen", "127.0.0.1:0", "--compute", "simulated"]
        refused = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert refused.returncode == 3
    assert "--database (VMART_DATABASE_URL) is not the address of a PostgreSQL database" in refused.stderr
    assert "Traceback" not in refused.stderr and "s3cret" not in refused.stderr


@pytest.mark.skipif(not os_users.is_root(), reason="not root: there is no other user to be")
def test_what_another_user_started_is_not_ours_to_command(running_shop: RunningShop) -> None:
    """Given a shop that root started, when somebody else asks, then a sentence says whose it is."""
    source = _environment(running_shop.child_pid("web"))["PYTHONPATH"]  # where every user can read it
    program = [sys.executable, "-m", "vmart.config.cli"]
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *program]
    for words in (["reconcile"], ["backup", "/nonexistent/x"], ["down"]):
        refused = subprocess.run(
            [*nobody, "--data-dir", str(running_shop.data_dir), *words],
            env=running_shop.environment() | {"PYTHONPATH": source}, capture_output=True, text=True, cwd="/",
            check=False, timeout=60,
        )  # fmt: skip
        assert (refused.returncode, "another user's" in refused.stderr) == (3, True), refused.stderr
    assert health(running_shop.url)["web"]
