"""``vmart backup`` and ``vmart restore``: the database, the secrets that open it, and the deployment's facts."""

import contextlib
import datetime as dt
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from vmart.config import os_users, postgres
from vmart.config.places import Misused, Places
from vmart.config.supervisor import data_directory_lock, lock_holder

_FACTS = ("deployment.json", "secrets/master.key", "secrets/demo.json", "tls/ca.pem", "tls/ca.key")
_DUMP = "database.dump"
_NEWER_SETTING = b"SET transaction_timeout = 0;\n"  # in the script's head, before any row
_AHEAD = 65_536  # blocks: far more than a shop gives out between two backups
_COUNT_ON_AHEAD = r"""
SELECT setval(oid::regclass, coalesce(pg_sequence_last_value(oid), 0) + %s)
FROM pg_class WHERE relkind = 'S' AND relname LIKE '%%\_block'
"""

_DUMPED_IN = dt.timedelta(days=1)  # at most, by far: what the backup knows already is taken once more, to no effect
# Work for ``payments/look_back.py``, which Django would have to be set up for.
_LOOK_BACK = """
SELECT {functions}.worker_enqueue('card_look_back', 'deployment', ARRAY[0]::bigint[], NULL, 'cards', created_at,
                         jsonb_build_object('since', %s::text))
FROM kernel_deployment
"""
_FUNCTIONS = "SELECT schema FROM kernel_function_set ORDER BY id DESC LIMIT 1"  # of the version that made the backup


class BackupFailed(Exception):
    """Nothing was made, or the restore was not completed; the text says why."""


def backup(places: Places, file: Path, database_url: str) -> None:
    """Write ``file`` (mode 0600, a tar): one consistent moment of the database, whoever works meanwhile."""
    try:
        _backup(places, file, database_url)
    except OSError as error:
        raise BackupFailed(f"{error.strerror}: {error.filename2 or error.filename or file}") from error


def _backup(places: Places, file: Path, database_url: str) -> None:
    with tempfile.TemporaryDirectory(prefix="vmart-backup-", dir=file.absolute().parent) as scratch:
        dump = Path(scratch) / _DUMP
        _run(["pg_dump", "--format=custom", "--no-owner", f"--file={dump}"], database_url)
        fresh = Path(scratch) / "backup.tar"
        fresh.touch(mode=0o600)
        with tarfile.open(fresh, "w") as tar:
            tar.add(dump, _DUMP)
            for name in _FACTS:
                if (places.data_dir / name).exists():
                    tar.add(places.data_dir / name, name)
        fresh.replace(file)


def restore(places: Places, file: Path, database_url: str | None) -> None:
    """Fill an empty data directory (and the empty database of ``database_url``, where one is given) from ``file``."""
    if lock_holder(places):
        raise Misused(f"vmart runs on {places.data_dir}: `vmart down` first")
    if database_url is None and places.pgdata.exists():
        raise Misused(f"{places.data_dir} already holds a database: restore into an empty data directory (--data-dir)")
    os_users.ensure_users()
    with tempfile.TemporaryDirectory(prefix="vmart-restore-") as scratch:
        _unpack(file, Path(scratch))
        if database_url is None:
            places.require_reach()
        places.make()
        with data_directory_lock(places):
            _put_back(places, Path(scratch), database_url)


def _put_back(places: Places, unpacked: Path, database_url: str | None) -> None:
    key = places.secrets_dir / "master.key"
    unpacked_key = unpacked / "secrets/master.key"
    if key.exists() and unpacked_key.exists() and key.read_text() != unpacked_key.read_text():
        raise Misused(f"{key} is another deployment's: restore into an empty data directory")
    for name in _FACTS:
        if (unpacked / name).exists():
            shutil.copy(unpacked / name, places.data_dir / name)
    with contextlib.nullcontext(database_url) if database_url else _own_database(places) as url:
        _fill(url, unpacked)
        with psycopg.connect(url) as connection:
            # Numbers given out after the backup name machines, disks and networks that engines may still have.
            connection.execute(_COUNT_ON_AHEAD, [_AHEAD])
            made = dt.datetime.fromtimestamp((unpacked / _DUMP).stat().st_mtime, dt.UTC)
            ((functions,),) = connection.execute(_FUNCTIONS).fetchall()
            connection.execute(_LOOK_BACK.format(functions=functions), [(made - _DUMPED_IN).isoformat()])


def _fill(database_url: str, scratch: Path) -> None:
    """All of the dump or nothing. By a script, because pg_restore itself sets what servers before 17 do not know."""
    script, fit = scratch / "database.sql", scratch / "fit.sql"
    _run(["pg_restore", "--no-owner", f"--file={script}", str(scratch / _DUMP)])
    with script.open("rb") as lines, fit.open("wb") as out:
        for line in lines:
            if line == _NEWER_SETTING:
                break
            out.write(line)
        shutil.copyfileobj(lines, out)
    _run(
        ["psql", "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", f"--file={fit}"],
        database_url,
    )


def _unpack(file: Path, folder: Path) -> None:
    """Only the members that a backup has, each under the name we expect, readable by nobody else."""
    try:
        with tarfile.open(file) as tar:
            for name in (_DUMP, *_FACTS):
                try:
                    content = tar.extractfile(name)
                except KeyError:
                    continue
                if content is not None:
                    target, written_at = folder / name, tar.getmember(name).mtime
                    target.parent.mkdir(exist_ok=True, mode=0o700)
                    target.touch(mode=0o644 if name.endswith(".pem") else 0o600)
                    with target.open("wb") as out:
                        shutil.copyfileobj(content, out)
                    os.utime(target, (written_at, written_at))
    except tarfile.TarError as error:
        why = str(error).splitlines()[0].rstrip(":")  # below it, what each kind of compression says
        raise BackupFailed(f"{file} is no backup of vmart: {why}") from error
    if not (folder / _DUMP).exists():
        raise BackupFailed(f"{file} is no backup of vmart: it holds no {_DUMP}")


@contextlib.contextmanager
def _own_database(places: Places) -> Iterator[str]:
    """The embedded database, started for the length of the restore."""
    cluster = postgres.Embedded(places.pgdata, places.database_socket_dir)
    cluster.prepare()
    server = subprocess.Popen(
        cluster.command(), cwd=cluster.pgdata, env=postgres.environment(), stderr=subprocess.DEVNULL
    )
    try:
        cluster.wait_ready(60, server)
        yield cluster.url()
    finally:
        server.terminate()
        server.wait(60)
        places.forget_this_boot()


def _run(command: list[str], database_url: str | None = None) -> None:
    """Run one of PostgreSQL's programs; everybody may read arguments, so no password is among them."""
    words, environment = [str(postgres.programs() / command[0]), *command[1:]], postgres.environment()
    if database_url is not None:
        where: dict[str, Any] = dict(conninfo_to_dict(database_url))
        if "password" in where:
            environment["PGPASSWORD"] = where.pop("password")
        words.append(f"--dbname={make_conninfo('', **where)}")
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BackupFailed(f"{command[0]} failed: {done.stderr.strip()}")
