"""Customers' money: purses, holds, transfers and their entries. Double entry, int8 minor units.

Tables: purses, hold, transfer, entry, by_hand. Verbs (SQL, the only writers): ``fn.ledger_lock`` is the account lock
that every act begins with; ``ledger_credit`` pays in, ``ledger_hold`` sets aside, ``ledger_post`` and ``ledger_void``
end a hold, ``ledger_deduct`` takes what usage cost, ``ledger_by_hand`` is the seller's own credit or debit.
``queries`` reads balances and statements.
"""
