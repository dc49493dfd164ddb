"""The ledger's rules as plain Python, to be compared with what the database holds; and what always holds there."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from vmart.kernel import db


@dataclass
class HoldModel:
    account: int
    kind: str
    cash: int = 0
    gift: int = 0
    floating: int = 0
    state: str = "pending"

    @property
    def amount(self) -> int:
        return self.cash + self.gift + self.floating


@dataclass
class AccountModel:
    cash: int = 0
    gift: int = 0
    owed: int = 0
    holds: dict[uuid.UUID, HoldModel] = field(default_factory=dict)

    def pending(self, part: str) -> int:
        return sum(getattr(hold, part) for hold in self.holds.values() if hold.state == "pending")

    @property
    def available(self) -> int:
        return self.cash + self.gift - self.owed - sum(self.pending(part) for part in ("cash", "gift", "floating"))

    def credit(self, cash: int, gift: int) -> None:
        repaid = min(self.owed, cash + gift)
        from_gift = min(repaid, gift)
        self.gift += gift - from_gift
        self.cash += cash - (repaid - from_gift)
        self.owed -= repaid

    def hold(self, account: int, kind: str, ids: list[uuid.UUID], amounts: list[int]) -> bool:
        """Whether it is granted; gift before cash, in the order given."""
        if sum(amounts) > 0 and self.available < sum(amounts):
            return False
        free_gift = self.gift - self.pending("gift")
        for number, amount in zip(ids, amounts, strict=True):
            gift = min(amount, free_gift) if kind == "fixed" else 0
            free_gift -= gift
            cash = amount - gift if kind == "fixed" else 0
            floating = amount if kind == "floating" else 0
            self.holds[number] = HoldModel(account, kind, cash, gift, floating)
        return True

    @property
    def free_cash(self) -> int:
        """What may leave: no gift, nothing under a hold."""
        return max(0, min(self.available, self.cash - self.pending("cash")))

    def hold_cash(self, account: int, number: uuid.UUID, amount: int) -> bool:
        """Whether it is granted."""
        if self.free_cash < amount:
            return False
        self.holds[number] = HoldModel(account, "fixed", cash=amount)
        return True

    def post(self, number: uuid.UUID) -> None:
        hold = self.holds[number]
        hold.state = "posted"
        self.cash -= hold.cash
        self.gift -= hold.gift

    def deduct(self, amount: int) -> tuple[int, int, int]:
        """What gift, cash and owed carry of it; floating holds give way, fixed ones do not."""
        gift = min(amount, self.gift - self.pending("gift"))
        cash = min(amount - gift, self.cash - self.pending("cash"))
        owed = amount - gift - cash
        self.gift -= gift
        self.cash -= cash
        self.owed += owed
        return gift, cash, owed


def purses_row(account: int) -> dict[str, Any]:
    return db.rows(
        "SELECT p.*, fn.ledger_available(p) AS available, fn.ledger_balance(p) AS balance"
        " FROM ledger_purses p WHERE account_id = %s",
        account,
    )[0]


def check_always(accounts: list[int]) -> None:
    """What holds in the database after every act, whatever the model says. AssertionError where it does not."""
    assert not db.rows("SELECT transfer_id FROM ledger_entry GROUP BY 1 HAVING sum(amount_minor) <> 0")
    assert not db.rows(
        "SELECT t.id FROM ledger_transfer t LEFT JOIN (SELECT transfer_id, sum(amount_minor) AS total FROM ledger_entry"
        " WHERE amount_minor > 0 GROUP BY 1) AS e ON e.transfer_id = t.id WHERE t.amount_minor IS DISTINCT FROM e.total"
    )
    for account in accounts:
        row = purses_row(account)
        posted = {
            entry["book"]: entry["total"]
            for entry in db.rows(
                "SELECT book, sum(amount_minor)::bigint AS total FROM ledger_entry"
                " WHERE account_id = %s AND balance_after IS NOT NULL GROUP BY book",
                account,
            )
        }
        for book in ("cash", "gift", "owed"):
            assert row[f"{book}_credits_posted"] - row[f"{book}_debits_posted"] == posted.get(book, 0), book
        _check_chain(account)
        _check_holds(account, row)


def _check_chain(account: int) -> None:
    """Each purse's entries carry the running sum, in the order of their numbers."""
    running = {"cash": 0, "gift": 0, "owed": 0}
    for entry in db.rows(
        "SELECT book, amount_minor, balance_after FROM ledger_entry"
        " WHERE account_id = %s AND balance_after IS NOT NULL ORDER BY number",
        account,
    ):
        running[entry["book"]] += entry["amount_minor"]
        assert entry["balance_after"] == running[entry["book"]]
        assert (running[entry["book"]] >= 0) == (entry["book"] != "owed") or running[entry["book"]] == 0


def _check_holds(account: int, row: dict[str, Any]) -> None:
    (pending,) = db.rows(
        "SELECT coalesce(sum(cash_minor), 0)::bigint AS cash, coalesce(sum(gift_minor), 0)::bigint AS gift,"
        " coalesce(sum(floating_minor), 0)::bigint AS floating FROM ledger_hold"
        " WHERE account_id = %s AND state = 'pending'",
        account,
    )
    assert pending == {
        "cash": row["cash_debits_pending"], "gift": row["gift_debits_pending"], "floating": row["floating_pending"],
    }  # fmt: skip
    cash, gift = (row[f"{book}_credits_posted"] - row[f"{book}_debits_posted"] for book in ("cash", "gift"))
    owed = row["owed_debits_posted"] - row["owed_credits_posted"]
    assert min(cash - pending["cash"], gift - pending["gift"], owed) >= 0
    assert row["balance"] == cash + gift - owed
    assert row["available"] == cash + gift - owed - sum(pending.values())
    # A hold is posted by the one transfer that has its id, and a voided one by none.
    assert not db.rows(
        "SELECT h.id FROM ledger_hold h LEFT JOIN ledger_transfer t ON t.id = h.id WHERE h.account_id = %s"
        " AND coalesce(t.amount_minor, 0) <>"
        "     CASE WHEN h.state = 'posted' THEN h.cash_minor + h.gift_minor ELSE 0 END",
        account,
    )
