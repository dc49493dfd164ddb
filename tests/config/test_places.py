"""Paths, the facts of a first start, and what the command line takes."""

import datetime as dt
import os
import stat
import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.support.running_shop import VMART
from vmart.config import os_users
from vmart.config.cli import main
from vmart.config.commands.clock import parse_duration
from vmart.config.places import Deployment, Misused, Places, read_json, whole_second_utc, write_private
from vmart.config.postgres import DatabaseTrouble, Embedded
from vmart.config.supervisor import (
    AlreadyRunning,
    claim_port,
    data_directory_lock,
    lock_holder,
    parse_listen,
    show_address,
)


def test_data_directory_comes_from_the_option_then_the_environment_then_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VMART_DATA_DIR", str(tmp_path / "by-environment"))
    assert Places.of(tmp_path / "by-option").data_dir == tmp_path / "by-option"
    assert Places.of(None).data_dir == tmp_path / "by-environment"
    monkeypatch.delenv("VMART_DATA_DIR")
    monkeypatch.chdir(tmp_path)
    assert Places.of(None).data_dir == (Path("/var/lib/vmart") if os_users.is_root() else tmp_path / "var")


def test_sockets_fit_however_deep_the_data_directory_lies(tmp_path: Path) -> None:
    places = Places.of(tmp_path / ("deep" * 20) / ("deeper" * 20))
    assert len(str(places.database_socket_dir / ".s.PGSQL.5432")) <= 107


def test_a_socket_folder_that_is_too_deep_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(DatabaseTrouble, match="longer than 107"):
        Embedded(tmp_path / "pg", tmp_path / ("deep" * 30))
    assert list(tmp_path.iterdir()) == []


def test_a_private_file_is_the_owners_alone_and_whole(tmp_path: Path) -> None:
    write_private(tmp_path / "ready.json", {"url": "http://127.0.0.1:8000"})
    assert stat.S_IMODE((tmp_path / "ready.json").stat().st_mode) == 0o600
    assert read_json(tmp_path / "ready.json") == {"url": "http://127.0.0.1:8000"}
    assert [file.name for file in tmp_path.iterdir()] == ["ready.json"]
    assert read_json(tmp_path / "nothing.json") is None


def test_the_clock_is_fixed_by_the_first_start(tmp_path: Path) -> None:
    standing, running = Places(tmp_path / "standing"), Places(tmp_path / "running")
    for places in (standing, running):
        places.data_dir.mkdir()
    first = Deployment.found(standing, "2026-03-01T08:00:00+08:00")
    assert first.test_clock == "2026-03-01T00:00:00+00:00"
    assert Deployment.found(standing, None) == first
    assert Deployment.found(standing, "2026-03-01T00:00:00Z") == first  # the same instant
    with pytest.raises(Misused, match="test clock here began at 2026-03-01T00:00:00"):
        Deployment.found(standing, "2026-04-01T00:00:00Z")
    assert Deployment.read(standing) == first

    on_the_wall = Deployment.found(running, None)
    with pytest.raises(Misused, match="wall clock since its first start"):
        Deployment.found(running, "2026-03-01T08:00:00+08:00")
    assert Deployment.read(running) == on_the_wall
    assert on_the_wall.id != first.id


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-03-01T08:00:00+08:00", "2026-03-01T00:00:00+00:00"),
        ("2026-03-01", "2026-03-01T00:00:00+00:00"),
        ("2026-03-01T00:00:00.9Z", "2026-03-01T00:00:00+00:00"),
    ],
)
def test_a_test_clock_is_kept_in_whole_seconds_of_utc(text: str, utc: str) -> None:
    assert whole_second_utc(text) == utc


@pytest.mark.parametrize("text", ["next tuesday", "0001-01-01T00:00:00+23:59"])
def test_a_test_clock_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Misused, match="no ISO 8601 time"):
        whole_second_utc(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("48h", 172800), ("7d", 604800), ("1d12h", 129600), ("2w", 1209600)],
)
def test_lengths_of_time(text: str, seconds: int) -> None:
    assert parse_duration(text) == dt.timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "48", "-1h", "1y", "1.5h", "h"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        parse_duration(text)


def test_addresses_to_listen_on() -> None:
    assert parse_listen("127.0.0.1:8000") == ("127.0.0.1", 8000)
    assert parse_listen("[::1]:0") == ("::1", 0)
    assert show_address(("::1", 8000)) == "[::1]:8000"
    assert show_address(("0.0.0.0", 8000)) == "127.0.0.1:8000"
    for wrong in ("8000", ":8000", "localhost", "localhost:http", "localhost:70000"):
        with pytest.raises(Misused, match="HOST:PORT"):
            parse_listen(wrong)


def test_port_0_becomes_a_real_one() -> None:
    host, port = claim_port(("127.0.0.1", 0), "--listen")
    assert (host, port > 1024) == ("127.0.0.1", True)


def test_one_at_a_time_holds_the_data_directory(tmp_path: Path) -> None:
    places = Places(tmp_path)
    assert lock_holder(places) is None
    with data_directory_lock(places):
        assert lock_holder(places) == os.getpid()
        with pytest.raises(AlreadyRunning, match=str(os.getpid())), data_directory_lock(places):
            raise AssertionError("two hold it")
    assert lock_holder(places) is None


@pytest.mark.skipif(not os_users.is_root(), reason="not root: there is only one user")
def test_a_folder_that_the_database_user_may_not_enter_is_named(tmp_path: Path) -> None:
    os_users.ensure_users()
    (tmp_path / "private").mkdir(mode=0o700)
    (tmp_path / "private" / "data").mkdir()
    with pytest.raises(os_users.UsersMissing, match=r"the user vmart-db may not enter"):
        os_users.require_reach(os_users.DB, tmp_path / "private" / "data", "the data directory")


def test_a_data_directory_that_cannot_be_made_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misused, match=r"file/data cannot be made \(Not a directory\): choose another place"):
        Places.of(tmp_path / "file" / "data").make()


def test_a_folder_that_cannot_hold_all_is_left_as_it_was(tmp_path: Path) -> None:
    """Given one of the folders cannot be made, then those made before it are gone again, and no other."""
    there = tmp_path / "there"
    there.mkdir()
    (there / "tls").write_text("a file of somebody's")
    with pytest.raises(Misused, match=r"there/tls cannot be made \(File exists\): choose another place"):
        Places.of(there).make()
    assert sorted(place.name for place in there.iterdir()) == ["tls"]
    assert not Places.of(there).run_dir.exists()


@pytest.mark.parametrize("words", [["up", "--listen", "127.0.0.1:0"], ["status"], ["down"]])
def test_a_lock_that_may_not_be_opened_is_said_in_a_sentence(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "lock")  # ELOOP, also for root
    done = CliRunner().invoke(main, ["--data-dir", str(tmp_path), *words])
    assert (done.exit_code, done.output.count("\n")) == (3, 1)
    assert done.output.startswith(f"vmart: {tmp_path}/lock cannot be used (Too many levels of symbolic links)")
    assert [place.name for place in tmp_path.iterdir()] == ["lock"]


def test_a_file_in_the_place_of_the_folder_holds_no_shop(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for words, code in ((["status"], 1), (["down"], 3)):
        done = CliRunner().invoke(main, ["--data-dir", str(tmp_path / "file"), *words])
        assert (done.exit_code, done.output.count("\n")) == (code, 1)
        assert f"nothing runs on {tmp_path}/file" in done.output


@pytest.mark.parametrize("content", ["", "{", "[]", '{"id": "a"}'])
def test_damaged_facts_of_the_first_start_are_said_in_a_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "deployment.json").write_text(content)
    with pytest.raises(Misused, match=r"deployment\.json is damaged: put it back from a backup"):
        Deployment.found(Places(tmp_path), None)
    assert (tmp_path / "deployment.json").read_text() == content


@pytest.mark.skipif(not os_users.is_root(), reason="not root: there is only one user")
@pytest.mark.parametrize("deep", ["", "not/yet/there/"])
def test_up_on_a_folder_that_the_shops_users_may_not_enter_makes_nothing(tmp_path: Path, deep: str) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    tmp_path.chmod(0o755)
    words = [VMART, "--data-dir", f"{private}/{deep}data", "up", "--listen", "127.0.0.1:0", "--compute", "simulated"]
    environment = {name: text for name, text in os.environ.items() if name != "VMART_DATABASE_URL"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert done.stderr.startswith("vmart: the data directory lies under ")
    assert "may not enter: use a folder that every user can reach" in done.stderr
    assert list(private.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--test-clock", "yesterday"], "is no ISO 8601 time"), (["--listen", "nonsense"], "is not HOST:PORT"),
     (["--listen-tls", "127.0.0.1:https"], "is not HOST:PORT")],
)  # fmt: skip
def test_a_wrong_option_is_wrong_use_and_makes_nothing(tmp_path: Path, words: list[str], said: str) -> None:
    done = CliRunner().invoke(main, ["up", "--data-dir", str(tmp_path / "data"), *words])
    assert done.exit_code == 2
    assert said in done.output
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_backup_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a backup\n" * 1000)
    done = CliRunner().invoke(main, ["restore", str(file), "--data-dir", str(tmp_path / "data")])
    assert done.exit_code == 3
    assert done.output == f"vmart: {file} is no backup of vmart: file could not be opened successfully\n"
    assert list(tmp_path.iterdir()) == [file]
