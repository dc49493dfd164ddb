"""Customers for the seller: a searched list, and one customer."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from vmart.customers import quotas, words
from vmart.kernel import clock, db
from vmart.kernel.text import ip_of
from vmart.listings.paging import PAGE, Page, Placing, cut, key_of, key_read, number

_FILE_PAGE = 2000


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """A customer in a list; minor units. ``email`` is the owner's, of several the first's.

    ``factor``: the part of list prices that is paid now.
    """

    id: int
    email: str
    name: str
    created_at: dt.datetime
    balance_minor: int
    machines: int
    frozen_reason: str
    factor: Decimal


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
                   WHERE m.account_id = a.id AND m.role = 'owner' ORDER BY m.id LIMIT 1) AS owner ON true
"""

FOUND_MAX = 1000  # accounts that a word of addresses, or one of names, finds: the newest of them

# Whose it is: by number, machine, public address, by members' e-mail addresses and by its name. Each by an index.
_FOUND = f"""
SELECT id FROM customers_account WHERE id = %(number)s
UNION SELECT account_id FROM instances_instance WHERE public_id = %(word)s
UNION SELECT account_id FROM network_public_address WHERE ip = %(ip)s::inet
UNION SELECT account_id FROM network_ipv6_address WHERE ip = %(ip)s::inet
UNION (SELECT m.account_id FROM customers_user u JOIN customers_member m ON m.user_id = u.id
       WHERE {words.of("u.email")} @@ to_tsquery('simple', %(words)s) ORDER BY u.id DESC LIMIT {FOUND_MAX})
UNION (SELECT id FROM customers_account
       WHERE {words.of("name")} @@ to_tsquery('simple', %(words)s) ORDER BY id DESC LIMIT {FOUND_MAX})
"""  # noqa: S608

# From the few that were found to their rows, one by one: an index each, however many customers there are.
_OF_FOUND = f"""
({_FOUND}) AS found
CROSS JOIN LATERAL (SELECT id, name, created_at, frozen_reason FROM customers_account
                    WHERE id = found.id LIMIT 1) AS a
CROSS JOIN LATERAL (SELECT one FROM ledger_purses one WHERE one.account_id = a.id LIMIT 1) AS purses (p)
"""  # noqa: S608
_OF_ALL = "customers_account a JOIN ledger_purses p ON p.account_id = a.id"

_LIST = """
SELECT a.id, coalesce(owner.email, '') AS email, a.name, a.created_at, a.frozen_reason,
       fn.ledger_balance(p) AS balance_minor,
       (SELECT count(*) FROM instances_instance i WHERE i.account_id = a.id AND i.state <> 'GONE') AS machines,
       coalesce((SELECT d.factor FROM customers_discount d WHERE d.account_id = a.id AND d.from_at <= %(now)s
                 ORDER BY d.from_at DESC LIMIT 1), 1) AS factor,
       {place} AS place
FROM {accounts} {owner}
WHERE (%(last_id)s::bigint IS NULL OR {after})
ORDER BY {order} LIMIT %(limit)s
"""

_ONE = f"""
SELECT a.id, coalesce(owner.email, '') AS email, a.name, a.created_at, a.frozen_reason
FROM customers_account a {_OWNER} WHERE a.id = %s
"""  # noqa: S608


def _amount(text: str) -> int | None:
    size = number(text.removeprefix("-"))
    return size if size is None or not text.startswith("-") else -size


_PLACE_MAX = 600  # the longest address or name, in small letters
_ORDERS = {
    "address": Placing(
        "lower(coalesce(owner.email, a.name))", "text", lambda text: text.replace("\0", "")[:_PLACE_MAX]
    ),
    "balance_minor": Placing("fn.ledger_balance(p)", "bigint", _amount),
}


def page(word: str = "", before: str = "", order: str = "", size: int = PAGE) -> Page[CustomerRow]:
    """Customers, newest first. One query.

    ``word``: beginnings of words of a member's address or of the name (``ada example``), the customer's number, a
    machine's id, or a public address; it finds ``FOUND_MAX`` by address and as many by name at most.

    ``order``: ``address`` (the name of who has none) or ``balance_minor``, with a minus sign from the last to the
    first. ``before`` is a page's key in the same order.
    """
    word = word.replace("\0", "").strip()[:254]
    by = _ORDERS.get(order.removeprefix("-"))
    direction, comes_after = (" DESC", "<") if by is None or order.startswith("-") else ("", ">")
    last_id, place = key_read(before, by)
    columns = [by.place, "a.id"] if by else ["a.id"]
    bounds = [f"%(place)s::{by.kind}", "%(last_id)s"] if by else ["%(last_id)s"]
    query = _LIST.format(
        owner=_OWNER, accounts=_OF_FOUND if word else _OF_ALL, place=by.place if by else "NULL",
        after=f"({', '.join(columns)}) {comes_after} ({', '.join(bounds)})",
        order=", ".join(f"{column}{direction}" for column in columns),
    )  # fmt: skip
    asked = (
        {"word": word, "number": number(word), "ip": ip_of(word) or None, "words": words.asked(word)} if word else {}
    )
    rows = db.rows(query, now=clock.now(), last_id=last_id, place=place, limit=size + 1, **asked)
    found = cut(rows, lambda row: key_of(row, by), first=last_id is None, size=size)
    return Page([_customer_row(row) for row in found.rows], found.older, found.first)


def _customer_row(row: Mapping[str, Any]) -> CustomerRow:
    return CustomerRow(**{name: value for name, value in row.items() if name != "place"})


def of_file(word: str, before: str, order: str) -> Page[CustomerRow]:
    """The same, so many at a time that a file of all of them takes few queries."""
    return page(word, before, order, size=_FILE_PAGE)


def customer(account_id: int) -> Customer | None:
    """The customer, if there is one."""
    rows = db.rows(_ONE, account_id)
    return Customer(**rows[0], quotas=quotas.of(account_id), own_quotas=quotas.own(account_id)) if rows else None


def named(who: str) -> list[int]:
    """Numbers of the customers whose owner has this address (any letter case), or the one with this number.

    A member with another role is not the customer: what is meant for him is none of that account.
    """
    if (asked := number(who)) is not None:
        return [asked] if customer(asked) else []
    rows = db.rows(
        "SELECT m.account_id FROM customers_member m JOIN customers_user u ON u.id = m.user_id"
        " WHERE lower(u.email) = lower(%s) AND m.role = 'owner' ORDER BY m.account_id",
        who,
    )
    return [int(row["account_id"]) for row in rows]
