"""Given any sequence of credits, holds, postings, voids, shrinks and deductions, then the books are right after each.

On real PostgreSQL, each call its own commit, beside a model in plain Python (issue: "Stateful property
test of the ledger on real PostgreSQL").
"""

import datetime as dt
import itertools
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import Error, IntegrityError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.ledger.model import AccountModel, HoldModel, check_always, purses_row
from tests.support.database import Databases
from vmart.kernel import db
from vmart.kernel.ids import transfer_id

_accounts = itertools.count(1_000)
_START = dt.datetime(2026, 3, 10, tzinfo=dt.UTC)

amounts = st.integers(0, 120) | st.integers(0, 10**12)
two = st.integers(0, 1)


class Ledger(RuleBasedStateMachine):
    """Two accounts; ``calls`` are those that took effect, each to be repeated later without effect."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts = [next(_accounts), next(_accounts)]
        self.models = {account: AccountModel() for account in self.accounts}
        self.calls: list[Callable[[], None]] = []
        self.periods = itertools.count(1)
        self.clock = 0
        for account in self.accounts:
            db.call("ledger_open", account)

    @property
    def now(self) -> dt.datetime:
        """A second of its own for each call, so that entries have an order."""
        self.clock += 1
        return _START + dt.timedelta(seconds=self.clock)

    def holds(self, *, pending: bool = True) -> list[tuple[uuid.UUID, HoldModel]]:
        return [
            (number, hold)
            for model in self.models.values()
            for number, hold in model.holds.items()
            if not pending or hold.state == "pending"
        ]

    # -- what may happen -----------------------------------------------------------------------

    @rule(which=two, cash=amounts, gift=amounts)
    def credit(self, which: int, cash: int, gift: int) -> None:
        account, number = self.accounts[which], uuid.uuid4()

        def call() -> bool:
            return bool(db.call("ledger_credit", number, "top_up", account, cash, gift, "card", self.now, None))

        if cash + gift == 0:
            with pytest.raises(Error, match="a credit is positive"):
                call()
            return
        assert call() is True
        self.models[account].credit(cash, gift)

        def again() -> None:
            assert call() is False

        self.calls.append(again)

    @rule(which=two, kind=st.sampled_from(["fixed", "floating"]), parts=st.lists(amounts, min_size=1, max_size=4))
    def hold(self, which: int, kind: str, parts: list[int]) -> None:
        account, numbers = self.accounts[which], [uuid.uuid4() for _ in parts]
        subjects = list(range(len(parts)))

        def call() -> None:
            db.call("ledger_hold", account, kind, numbers, parts, subjects, self.now)

        available = self.models[account].available
        if self.models[account].hold(account, kind, numbers, parts):
            call()

            def again() -> None:
                with pytest.raises((IntegrityError, Error)):  # its ids are taken, or the money is
                    call()

            self.calls.append(again)
            return
        with pytest.raises(Error) as error:
            call()
        assert db.refusal(error.value) == ("insufficient_balance", f"{available}|{sum(parts)}")

    @rule(which=two, kind=st.sampled_from(["fixed", "floating"]), more=st.integers(0, 1), count=st.integers(1, 3))
    def hold_all_there_is(self, which: int, kind: str, more: int, count: int) -> None:
        """The last cent is to be had, one more is not."""
        available = self.models[self.accounts[which]].available
        if available + more > 0:
            parts = [(available + more) // count] * count
            parts[0] += (available + more) % count
            self.hold(which, kind, parts)

    @rule(which=two, amount=amounts, everything=st.booleans())
    def hold_cash(self, which: int, amount: int, everything: bool) -> None:
        """Cash alone; the last of it is to be had, more is not."""
        account, number = self.accounts[which], uuid.uuid4()
        free = self.models[account].free_cash
        amount = free if everything else amount

        def call() -> None:
            db.call("ledger_hold_cash", number, account, amount, 7, self.now)

        if amount == 0:
            with pytest.raises(Error, match="a hold of cash is positive"):
                call()
        elif self.models[account].hold_cash(account, number, amount):
            call()
        else:
            with pytest.raises(Error) as error:
                call()
            assert db.refusal(error.value) == ("insufficient_balance", f"{free}|{amount}")

    @precondition(lambda self: self.holds())
    @rule(data=st.data())
    def void(self, data: st.DataObject) -> None:
        number, hold = data.draw(st.sampled_from(self.holds()))
        assert db.call("ledger_void", number, self.now) is True
        hold.state = "voided"

    @precondition(lambda self: any(hold.kind == "fixed" for _, hold in self.holds()))
    @rule(data=st.data())
    def post(self, data: st.DataObject) -> None:
        number, hold = data.draw(st.sampled_from([pair for pair in self.holds() if pair[1].kind == "fixed"]))
        posted = self.posted(number)
        assert (posted["cash_minor"], posted["gift_minor"], posted["state"]) == (hold.cash, hold.gift, "posted")
        self.models[hold.account].post(number)

    @precondition(lambda self: any(hold.kind == "floating" for _, hold in self.holds()))
    @rule(data=st.data(), amount=amounts)
    def shrink(self, data: st.DataObject, amount: int) -> None:
        number, hold = data.draw(st.sampled_from([pair for pair in self.holds() if pair[1].kind == "floating"]))
        new = uuid.uuid4()
        if amount > hold.floating:
            with pytest.raises(Error, match="cannot shrink"):
                db.call("ledger_shrink", number, new, amount, self.now)
            amount = hold.floating // 2
        assert db.call("ledger_shrink", number, new, amount, self.now) is True
        hold.state = "voided"
        self.models[hold.account].holds[new] = HoldModel(hold.account, "floating", floating=amount)

    @rule(first=amounts, second=amounts)
    def deduct(self, first: int, second: int) -> None:
        period, wanted = str(next(self.periods)), [first, second]

        def call() -> list[dict[str, Any]]:
            with db.act():
                db.call("ledger_lock_many", self.accounts)
                return db.rows(
                    "SELECT * FROM fn.ledger_deduct('hour', %s, %s, %s, 'revenue', %s) ORDER BY account_id",
                    period, self.accounts, wanted, self.now,
                )  # fmt: skip

        expected = []
        for account, amount in zip(self.accounts, wanted, strict=True):
            if amount:
                gift, cash, owed = self.models[account].deduct(amount)
                model = self.models[account]
                expected.append({
                    "account_id": account, "transfer_id": transfer_id("hour", account, period), "gift_minor": gift,
                    "cash_minor": cash, "owed_minor": owed, "balance_minor": model.cash + model.gift - model.owed,
                })  # fmt: skip
        assert call() == expected

        def again() -> None:
            assert call() == []

        self.calls.append(again)

    # -- what may happen again -----------------------------------------------------------------

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        before = [purses_row(account) for account in self.accounts]
        data.draw(st.sampled_from(self.calls))()
        assert [purses_row(account) for account in self.accounts] == before

    def posted(self, number: uuid.UUID) -> dict[str, Any]:
        return db.rows("SELECT * FROM fn.ledger_post(%s, 'prepaid', 'revenue', %s)", number, self.now)[0]

    @precondition(lambda self: any(hold.state != "pending" for _, hold in self.holds(pending=False)))
    @rule(data=st.data())
    def resolve_again(self, data: st.DataObject) -> None:
        """Posted or voided once: neither again, nor the other."""
        resolved = [pair for pair in self.holds(pending=False) if pair[1].state != "pending"]
        number, hold = data.draw(st.sampled_from(resolved))
        assert db.call("ledger_void", number, self.now) is False
        assert db.call("ledger_shrink", number, uuid.uuid4(), 0, self.now) is False
        if hold.kind == "fixed":
            assert self.posted(number)["id"] is None
        else:
            with pytest.raises(Error, match="no fixed hold"):
                self.posted(number)

    # -- what always holds ---------------------------------------------------------------------

    @invariant()
    def books_are_right(self) -> None:
        check_always(self.accounts)

    @invariant()
    def purses_are_the_models(self) -> None:
        for account, model in self.models.items():
            row = purses_row(account)
            assert (
                row["cash_credits_posted"] - row["cash_debits_posted"],
                row["gift_credits_posted"] - row["gift_debits_posted"],
                row["owed_debits_posted"] - row["owed_credits_posted"],
                row["cash_debits_pending"], row["gift_debits_pending"], row["floating_pending"], row["available"],
            ) == (
                model.cash, model.gift, model.owed,
                model.pending("cash"), model.pending("gift"), model.pending("floating"), model.available,
            )  # fmt: skip


def test_any_sequence_of_acts(db: Databases) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Ledger,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
