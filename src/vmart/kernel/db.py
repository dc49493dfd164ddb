"""Access to PostgreSQL beside the ORM: SQL functions of the rooms, transactions, wake-ups.

SQL that goes through here names the rooms' functions as ``fn.<room>_<verb>``: ``functions.py`` says which those are.
"""

import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import psycopg
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.utils import Error as DjangoDatabaseError

from vmart.kernel.functions import resolve

WAKE_CHANNEL = "vmart_work"
_ASK_AGAIN_S = 0.05
_WAKE_PAUSE_S = 0.02  # a burst of purchases is a few notifications, not one each


class TransactionRequired(RuntimeError):
    """A function that writes part of an act was called outside the act's transaction."""


def require_transaction() -> None:
    """Raise TransactionRequired unless the outermost act has opened one (architecture, section 4)."""
    if not connection.in_atomic_block:
        raise TransactionRequired("this belongs into the transaction of an act")


def in_transaction() -> bool:
    """Whether this thread's connection has a transaction open."""
    return bool(connection.in_atomic_block)


def call(function: str, *arguments: object) -> Any:
    """``SELECT fn.<function>(…)``: its single value, as ``prepared`` gets it."""
    places = ", ".join(["%s"] * len(arguments))
    found = prepared(f"SELECT fn.{function}({places}) AS value", *arguments)
    return found[0]["value"] if found else None


def prepared(sql: str, *arguments: object) -> list[dict[str, Any]]:
    """All rows of a query as dicts by column name; places are ``%s``. For hot paths.

    Parameters are bound by the server and the statement is prepared: no password hash in an error log,
    no parsing and planning each time. Errors come as Django's, as from the ORM.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(resolve(sql), arguments, prepare=True)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()] if names else []


def rows(sql: str, *arguments: Any, **named: Any) -> list[dict[str, Any]]:
    """All rows of a query as dicts by column name; places are ``%s`` or ``%(name)s``."""
    with connection.cursor() as cursor:
        cursor.execute(resolve(sql), named or arguments)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def sqlstate(error: BaseException) -> str:
    """SQLSTATE of a database error, Django's or psycopg's; "" when there is none."""
    cause = error.__cause__ if isinstance(error, DjangoDatabaseError) else error
    return cause.sqlstate or "" if isinstance(cause, psycopg.Error) else ""


# Classes and codes of SQLSTATE: connection, rollback by the server (deadlock, serialization), resources, operator
# (statement timeout and restart among them), the server's own system; a lock that somebody held too long.
_PASSING = ("08", "40", "53", "57", "58", "55P03")


def is_passing(error: BaseException) -> bool:
    """Whether it is a fault of the database that is nobody's own: the same again may well succeed."""
    if not isinstance(error, DjangoDatabaseError | psycopg.Error):
        return False
    state = sqlstate(error)
    lost = not state and isinstance(error, OperationalError | InterfaceError | psycopg.OperationalError)
    return lost or state.startswith(_PASSING)


# Sorts more than the least work_mem holds, so it needs a file of its own for a moment, where the database's files lie.
_SPILL = (
    "SELECT count(*) FROM (SELECT repeat(n::text, 50) AS t FROM generate_series(1, 3000) AS n ORDER BY t OFFSET 0) s"
)


def one_line(error: BaseException) -> str:
    """What an error says, its lines joined."""
    return " ".join(str(error).split()) or type(error).__name__


def drop_dead_connection() -> None:
    """Forget a connection that the server has closed meanwhile.

    An idle connection has nothing to read but its end, so one poll tells, where Django's health check would
    cost a statement a request.
    """
    held = connection.connection
    if held is None or connection.in_atomic_block:
        return
    waiting = select.poll()
    if not held.closed:
        waiting.register(held.fileno(), select.POLLIN)
    if held.closed or waiting.poll(0):
        connection.close()


def probe() -> None:
    """Raise the database error of a server that does not answer or has no room left to write."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('work_mem', '64kB', true)")
        cursor.execute(_SPILL)


def refusal(error: BaseException) -> tuple[str, str] | None:
    """(name, detail) of a refusal raised by our SQL: ``RAISE … ERRCODE 'VM001', MESSAGE name``."""
    cause = error.__cause__ if isinstance(error, DjangoDatabaseError) else error
    if isinstance(cause, psycopg.Error) and cause.sqlstate == "VM001":
        return cause.diag.message_primary or "", cause.diag.message_detail or ""
    return None


_IN_AN_ACT: ContextVar[bool] = ContextVar("in an act", default=False)


@contextmanager
def act() -> Iterator[None]:
    """The one transaction of an act: durable, so it cannot sit inside another."""
    with transaction.atomic(durable=True):
        before = _IN_AN_ACT.set(True)
        try:
            yield
        finally:
            _IN_AN_ACT.reset(before)


@contextmanager
def part_of_act() -> Iterator[None]:
    """An act by itself, or a part of the one that is open: what is made may have something made with it."""
    if _IN_AN_ACT.get():
        yield
    else:
        with act():
            yield


@contextmanager
def advisory_lock(name: str) -> Iterator[None]:
    """A session lock that only one process holds; waits for it.

    It asks again and again. Where the holder creates an index CONCURRENTLY, it would wait for a statement that waits
    for the lock, until PostgreSQL ended one of the two.
    """
    with connection.cursor() as cursor:
        while not _try_lock(cursor, name):
            time.sleep(_ASK_AGAIN_S)
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])


@contextmanager
def try_advisory_lock(name: str) -> Iterator[bool]:
    """Whether this process got the session lock; it is given back at the end."""
    with connection.cursor() as cursor:
        ours = _try_lock(cursor, name)
    try:
        yield ours
    finally:
        if ours and connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])


def _try_lock(cursor: Any, name: str) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name])
    return bool(cursor.fetchone()[0])


class _Waker:
    """Sends NOTIFY outside any transaction, at most one in flight a process.

    Inside, NOTIFY takes a global lock at commit and serialises them (seen: 9,900 to 2,700 a second).
    A burst of commits is one notification: who comes while one is being sent waits for the next.
    """

    def __init__(self) -> None:
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def wake(self) -> None:
        self._wanted.set()
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name="vmart-wake", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        own: psycopg.Connection[Any] | None = None
        reached: dict[str, Any] = {}
        while True:
            self._wanted.wait()
            self._wanted.clear()
            try:
                parameters = connection_parameters()
                if own is None or own.closed or parameters != reached:  # another database has other workers
                    if own is not None:
                        own.close()
                    own, reached = psycopg.connect(**parameters, autocommit=True), parameters
                    own.execute("SET synchronous_commit = off")  # nothing to keep: no flush of its own
                own.execute(f"NOTIFY {WAKE_CHANNEL}")
                time.sleep(_WAKE_PAUSE_S)
            except psycopg.Error:
                own = None  # the worker looks every second anyway


def connection_parameters() -> dict[str, Any]:
    """What psycopg needs to connect as Django does, for connections of our own (LISTEN, NOTIFY)."""
    parameters: dict[str, Any] = connection.get_connection_params()
    parameters.pop("cursor_factory", None)
    parameters.pop("context", None)
    return parameters


_waker = _Waker()


def wake_workers() -> None:
    """Tell the workers that there is work; call it after the commit."""
    _waker.wake()


def on_commit_wake() -> None:
    """Wake the workers once the running transaction has committed."""
    transaction.on_commit(_waker.wake)


class IdBlock:
    """Numbers of a sequence taken in blocks, so that ids are known before the purchase's statement.

    The sequence counts blocks: block n holds numbers n·size … n·size + size − 1. Numbers lost with a
    process are never used.
    """

    def __init__(self, sequence: str, size: int = 256) -> None:
        self._sequence = sequence
        self._size = size
        self._lock = threading.Lock()
        self._next = self._end = 0
        self._database = ""

    def take(self, count: int = 1) -> list[int]:
        """``count`` numbers never given out before."""
        taken: list[int] = []
        database = str(connection.settings_dict["NAME"])
        with self._lock:
            if database != self._database:  # numbers of another database's sequence are not ours
                self._next = self._end = 0
                self._database = database
            while len(taken) < count:
                if self._next >= self._end:
                    with connection.cursor() as cursor:
                        cursor.execute("SELECT nextval(%s)", [self._sequence])
                        (block,) = cursor.fetchone()
                    self._next, self._end = block * self._size, (block + 1) * self._size
                room = min(count - len(taken), self._end - self._next)
                taken.extend(range(self._next, self._next + room))
                self._next += room
        return taken
