"""Customers for the seller: a searched list, and one customer."""

import datetime as dt
from dataclasses import dataclass

from vmart.customers import quotas
from vmart.kernel import db
from vmart.listings.paging import PAGE, Page, cut, number


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """A customer in a list; minor units. ``email`` is the owner's."""

    id: int
    email: str
    name: str
    created_at: dt.datetime
    balance_minor: int
    machines: int
    frozen_reason: str


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer: who it is, and what it may have."""

    id: int
    email: str
    name: str
    created_at: dt.datetime
    frozen_reason: str
    quotas: dict[str, int]
    own_quotas: dict[str, int]  # those of them that are not the catalog's


_OWNER = """
LEFT JOIN LATERAL (SELECT u.email FROM customers_member m JOIN customers_user u ON u.id = m.user_id
                   WHERE m.account_id = a.id ORDER BY m.id LIMIT 1) AS owner ON true
"""

_LIST = f"""
SELECT a.id, coalesce(owner.email, '') AS email, a.name, a.created_at, a.frozen_reason,
       fn.ledger_balance(p) AS balance_minor,
       (SELECT count(*) FROM instances_instance i WHERE i.account_id = a.id AND i.state <> 'GONE') AS machines
FROM customers_account a JOIN ledger_purses p ON p.account_id = a.id {_OWNER}
WHERE (%(before)s::bigint IS NULL OR a.id < %(before)s)
  AND (%(word)s = '' OR position(lower(%(word)s) IN lower(owner.email)) > 0
       OR position(lower(%(word)s) IN lower(a.name)) > 0 OR a.id::text = %(word)s
       OR a.id = (SELECT account_id FROM instances_instance WHERE public_id = %(word)s))
ORDER BY a.id DESC LIMIT %(limit)s
"""  # noqa: S608  nothing in it comes from outside

_ONE = f"""
SELECT a.id, coalesce(owner.email, '') AS email, a.name, a.created_at, a.frozen_reason
FROM customers_account a {_OWNER} WHERE a.id = %s
"""  # noqa: S608


def page(word: str = "", before: str = "") -> Page[CustomerRow]:
    """Customers, newest first; ``word`` is a part of address or name, a number, or a machine's id. One query."""
    key = number(before)
    rows = db.rows(_LIST, word=word.replace("\0", "").strip()[:254], before=key, limit=PAGE + 1)
    return cut([CustomerRow(**row) for row in rows], lambda row: row.id, first=key is None)


def customer(account_id: int) -> Customer | None:
    """The customer, if there is one."""
    rows = db.rows(_ONE, account_id)
    return Customer(**rows[0], quotas=quotas.of(account_id), own_quotas=quotas.own(account_id)) if rows else None


def find(who: str) -> int | None:
    """Number of the customer with this address (any letter case) or this number."""
    if (asked := number(who)) is not None:
        return asked if customer(asked) else None
    rows = db.rows(
        "SELECT m.account_id FROM customers_member m JOIN customers_user u ON u.id = m.user_id"
        " WHERE lower(u.email) = lower(%s) ORDER BY m.id LIMIT 1",
        who,
    )
    return int(rows[0]["account_id"]) if rows else None
