"""Given a customer's money, then its page reads what is there, newest first, and nobody else's."""

import datetime as dt
import uuid
from collections.abc import Callable

import pytest
from django.db import connection

from tests.support.at_once import at_once
from tests.support.business_clock import START
from vmart.kernel import db
from vmart.ledger.queries import Balance, StatementLine, balance, balances, statement

pytestmark = pytest.mark.usefixtures("db")

MINE, OTHER = 1, 2


def _open(*accounts: int) -> None:
    for account in accounts:
        db.call("ledger_open", account)


def _credit(account: int, cash: int, gift: int = 0, *, hour: int = 0) -> uuid.UUID:
    transfer = uuid.uuid4()
    at = START + dt.timedelta(hours=hour)
    db.call("ledger_credit", transfer, "top_up", account, cash, gift, "card", at, 7)
    return transfer


def _deduct(account: int, amount: int, *, hour: int, period: str = "") -> None:
    period = period or str(hour)
    at = START + dt.timedelta(hours=hour)
    with db.act():
        db.call("ledger_lock_many", [account])
        db.rows("SELECT * FROM fn.ledger_deduct('hour', %s, %s, %s, 'revenue', %s)", period, [account], [amount], at)


def test_the_balance() -> None:
    _open(MINE)
    assert balance(MINE) == Balance(0, 0, 0, 0)
    _credit(MINE, 1000, 50)
    db.call("ledger_hold", MINE, "fixed", [uuid.uuid4()], [200], [1], START)
    db.call("ledger_hold", MINE, "floating", [uuid.uuid4()], [30], [1], START)
    mine = balance(MINE)
    assert mine == Balance(cash_minor=1000, gift_minor=50, owed_minor=0, held_minor=230)
    assert (mine.balance_minor, mine.available_minor) == (1050, 820)


def test_what_is_owed_is_taken_off() -> None:
    _open(MINE)
    _credit(MINE, 100)
    _deduct(MINE, 130, hour=1)
    assert balance(MINE) == Balance(cash_minor=0, gift_minor=0, owed_minor=30, held_minor=0)
    assert balance(MINE).balance_minor == balance(MINE).available_minor == -30


def test_several_at_once_and_one_that_is_not_there() -> None:
    _open(MINE, OTHER)
    _credit(OTHER, 5)
    assert {account: found.cash_minor for account, found in balances([MINE, OTHER]).items()} == {MINE: 0, OTHER: 5}
    assert balances([]) == {}
    with pytest.raises(LookupError, match="99"):
        balance(99)


def test_the_statement_is_newest_first_with_the_balance_after_each() -> None:
    _open(MINE, OTHER)
    first = _credit(MINE, 100, hour=0)
    _credit(OTHER, 999, hour=1)
    _deduct(MINE, 130, hour=2)
    lines = statement(MINE)
    assert [(line.book, line.kind, line.amount_minor, line.balance_after_minor) for line in lines[:2]] == [
        ("owed", "hour", -30, -30), ("cash", "hour", -100, 0),
    ]  # fmt: skip
    assert [
        (line.transfer_id, line.book, line.kind, line.subject_id, line.balance_after_minor) for line in lines[2:]
    ] == [(first, "cash", "top_up", 7, 100)]
    assert lines[0].at == START + dt.timedelta(hours=2)


def test_its_pages_hold_every_line_once() -> None:
    """Also where many stand in one second."""
    _open(MINE)
    for number in range(7):
        _credit(MINE, 10, 5, hour=number // 3)
    whole = statement(MINE)
    assert len(whole) == 14
    assert _pages(3) == whole
    assert [line.at for line in whole] == sorted((line.at for line in whole), reverse=True)
    assert len(statement(MINE, limit=10**6)) == 14
    assert len(statement(MINE, limit=0)) == 1


def _pages(size: int) -> list[StatementLine]:
    paged: list[StatementLine] = []
    while page := statement(MINE, before=paged[-1].number if paged else None, limit=size):
        assert len(page) <= size
        paged += page
    return paged


def _reads_consistently(lines: list[StatementLine]) -> None:
    """From the bottom up, each purse after a line is the purse before it and the line's amount."""
    purses = {"cash": 0, "gift": 0, "owed": 0}
    for line in reversed(lines):
        purses[line.book] += line.amount_minor
        assert line.balance_after_minor == purses[line.book], line
    held = balance(MINE)
    assert purses == {"cash": held.cash_minor, "gift": held.gift_minor, "owed": -held.owed_minor}


def test_many_movements_of_one_second_stand_in_their_order() -> None:
    """Also over a month's edge, and where a later one carries an earlier time: it waited for the account."""
    _open(MINE)
    for number in range(20):
        _credit(MINE, 30, 7)
        _deduct(MINE, 50 + number, hour=number % 2, period=str(number))
        hold = uuid.uuid4()
        if balance(MINE).available_minor >= 5:
            db.call("ledger_hold", MINE, "fixed", [hold], [5], [1], START)
            db.call("ledger_post", hold, "prepaid", "revenue", START - dt.timedelta(days=20))
    lines = statement(MINE, limit=200)
    assert len(lines) > 80
    _reads_consistently(lines)
    assert _pages(7) == lines


def test_movements_from_many_connections_at_once_stand_in_their_order() -> None:
    _open(MINE)

    def move() -> None:
        for _ in range(10):
            _credit(MINE, 3, 2)
            _deduct(MINE, 4, hour=0, period=str(uuid.uuid4()))

    assert at_once(*[move] * 6) == [None] * 6
    lines = _pages(200)
    assert len(lines) >= 180
    _reads_consistently(lines)


def test_the_statement_is_read_by_its_index() -> None:
    _open(MINE)
    db.rows("SELECT fn.ledger_open(n) FROM generate_series(100, 130) AS n")
    db.rows(
        "SELECT fn.ledger_credit(gen_random_uuid(), 'top_up', 100 + n %% 30, 10, 0, 'card', %s, NULL)"
        " FROM generate_series(1, 3000) AS n",
        START,
    )
    asked: list[tuple[str, dict[str, object]]] = []

    def note(execute: Callable[..., object], sql: str, params: dict[str, object], *rest: object) -> object:
        asked.append((sql, params))
        return execute(sql, params, *rest)

    with connection.execute_wrapper(note):
        statement(101, limit=20)
    ((sql, params),) = asked
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE ledger_entry, ledger_transfer")
        cursor.execute("EXPLAIN " + sql, params)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Seq Scan on ledger_entry" not in plan, plan
    assert "Index" in plan
