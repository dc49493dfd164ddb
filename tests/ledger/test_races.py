"""Given two acts on one account at the same moment, then the account lock makes them one after the other.

Each has its control: the same deed without the lock, which does go wrong when the two meet.
"""

import itertools
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from tests.ledger.model import check_always, purses_row
from tests.support.at_once import at_once, wait_until_blocked
from tests.support.business_clock import START
from vmart.kernel import db

pytestmark = pytest.mark.usefixtures("db")

_accounts = itertools.count(1)


@pytest.fixture
def account() -> int:
    """An account with 100 in cash."""
    number = next(_accounts)
    db.call("ledger_open", number)
    _credit(number, 100)
    return number


def _credit(account: int, amount: int, transfer: uuid.UUID | None = None) -> bool:
    return bool(db.call("ledger_credit", transfer or uuid.uuid4(), "top_up", account, amount, 0, "card", START, None))


def _hold(account: int, kind: str, amount: int = 100) -> uuid.UUID:
    number = uuid.uuid4()
    db.call("ledger_hold", account, kind, [number], [amount], [1], START)
    return number


def _refused(results: list[object]) -> list[tuple[str, str] | None]:
    return [db.refusal(result) for result in results if isinstance(result, Exception)]


# -- the last cent -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["fixed", "floating"])
@pytest.mark.parametrize("round_number", range(5))
def test_the_last_cent_is_held_once(account: int, kind: str, round_number: int) -> None:
    results = at_once(*[lambda: _hold(account, kind)] * 4)
    assert _refused(results) == [("insufficient_balance", "0|100")] * 3
    row = purses_row(account)
    assert (row["available"], row["cash_debits_pending"] + row["floating_pending"]) == (0, 100)
    check_always([account])


def test_control_without_the_lock_it_is_held_twice(account: int) -> None:
    have_read = threading.Barrier(2)

    def naive() -> None:
        available = purses_row(account)["available"]
        have_read.wait(10)
        if available >= 100:
            db.rows(
                "UPDATE ledger_purses SET floating_pending = floating_pending + 100 WHERE account_id = %s"
                " RETURNING account_id",
                account,
            )

    assert at_once(naive, naive) == [None, None]
    assert purses_row(account)["available"] == -100


# -- one hold, two ends ------------------------------------------------------------------------


def _post(hold: uuid.UUID) -> bool:
    return db.rows("SELECT id FROM fn.ledger_post(%s, 'prepaid', 'revenue', %s)", hold, START)[0]["id"] is not None


def _void(hold: uuid.UUID) -> bool:
    return bool(db.call("ledger_void", hold, START))


@pytest.mark.parametrize("ends", [(_post, _void), (_post, _post), (_void, _void), (_void, _post, _void, _post)])
@pytest.mark.parametrize("round_number", range(4))
def test_a_hold_ends_once(account: int, ends: tuple[Callable[[uuid.UUID], bool], ...], round_number: int) -> None:
    hold = _hold(account, "fixed", 60)
    other = _hold(account, "fixed", 40)
    results = at_once(*[lambda end=end: end(hold) for end in ends])  # type: ignore[misc]
    assert sorted(results, key=str) == [False] * (len(ends) - 1) + [True]
    (state,) = db.rows("SELECT state FROM ledger_hold WHERE id = %s", hold)
    row = purses_row(account)
    assert row["cash_debits_pending"] == 40
    assert row["cash_debits_posted"] == (60 if state["state"] == "posted" else 0)
    assert _void(other)
    check_always([account])


def test_control_without_the_lock_it_ends_twice(account: int) -> None:
    """Both read that it is pending; then both take it off, and the other hold's money is free for a second time."""
    hold = _hold(account, "fixed", 50)
    _hold(account, "fixed", 50)
    have_read = threading.Barrier(2)

    def naive(state: str) -> None:
        (found,) = db.rows("SELECT state, cash_minor FROM ledger_hold WHERE id = %s", hold)
        have_read.wait(10)
        if found["state"] == "pending":
            with db.act():
                db.rows(
                    "UPDATE ledger_hold SET state = %s, resolved_at = %s WHERE id = %s RETURNING id", state, START, hold
                )
                db.rows(
                    "UPDATE ledger_purses SET cash_debits_pending = cash_debits_pending - %s WHERE account_id = %s"
                    " RETURNING account_id",
                    found["cash_minor"], account,
                )  # fmt: skip

    assert at_once(lambda: naive("posted"), lambda: naive("voided")) == [None, None]
    assert purses_row(account)["cash_debits_pending"] == 0
    with pytest.raises(AssertionError):
        check_always([account])


# -- a credit meets a deduction ----------------------------------------------------------------


def _deduct_while_credited(account: int, *, lock: bool) -> dict[str, Any]:
    """Deduct 150 of an account with 100 while a top-up of 50 is about to commit; what was paid of it."""

    def deduct() -> dict[str, Any]:
        with db.act():
            if lock:
                db.call("ledger_lock_many", [account])
            return db.rows(
                "SELECT cash_minor, owed_minor FROM fn.ledger_deduct('hour', 'h', %s, %s, 'revenue', %s)",
                [account], [150], START,
            )[0]  # fmt: skip

    results: list[object] = []
    with transaction.atomic():
        _credit(account, 50)
        other = threading.Thread(target=lambda: results.extend(at_once(deduct)))
        other.start()
        wait_until_blocked()
    other.join(30)
    (paid,) = results
    assert isinstance(paid, dict), paid
    return paid


def test_a_deduction_sees_the_top_up_it_waited_for(account: int) -> None:
    assert _deduct_while_credited(account, lock=True) == {"cash_minor": 150, "owed_minor": 0}
    assert purses_row(account)["balance"] == 0
    check_always([account])


def test_control_without_the_lock_the_customer_owes_what_he_has(account: int) -> None:
    assert _deduct_while_credited(account, lock=False) == {"cash_minor": 100, "owed_minor": 50}
    row = purses_row(account)
    assert (row["cash_credits_posted"] - row["cash_debits_posted"], row["owed_debits_posted"]) == (50, 50)


# -- the same transfer twice at once -----------------------------------------------------------


@pytest.mark.parametrize("round_number", range(5))
def test_the_same_credit_at_once_is_one(account: int, round_number: int) -> None:
    transfer = uuid.uuid4()
    results = at_once(*[lambda: _credit(account, 40, transfer)] * 4)
    assert sorted(results, key=str) == [False, False, False, True]
    assert purses_row(account)["balance"] == 140
    check_always([account])


def test_the_same_deduction_at_once_is_one(account: int) -> None:
    def deduct() -> int:
        with db.act():
            db.call("ledger_lock_many", [account])
            return len(
                db.rows("SELECT * FROM fn.ledger_deduct('hour', 'h', %s, %s, 'revenue', %s)", [account], [70], START)
            )

    assert sorted(at_once(*[deduct] * 3), key=str) == [0, 0, 1]
    assert purses_row(account)["balance"] == 30
    check_always([account])


def test_acts_on_the_same_accounts_in_any_order_do_not_wait_for_each_other_for_ever() -> None:
    accounts = [next(_accounts) for _ in range(6)]
    for number in accounts:
        db.call("ledger_open", number)

    def act(order: list[int]) -> Callable[[], int]:
        def locked() -> int:
            for _ in range(20):
                with db.act():
                    db.call("ledger_lock_many", order)
            return 20

        return locked

    assert at_once(act(accounts), act(accounts[::-1]), act(accounts[3:] + accounts[:3])) == [20, 20, 20]
