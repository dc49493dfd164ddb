"""Card payments of all customers for the seller: a searched list, and one payment whole."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vmart.events import record
from vmart.kernel import db
from vmart.listings import activity, customers
from vmart.listings.activity import Happened
from vmart.listings.customers import Customer
from vmart.listings.paging import PAGE, Page, cut, number
from vmart.payments import refunded
from vmart.payments.models import CardRefund, Payment
from vmart.payments.providers import KNOWN

CUSTOMERS_MAX = 200  # of whom a word's payments are looked for, the latest
_FILE_PAGE = 2000
_NUMBER_MAX = 2**63 - 1
_REFERENCE_MAX = 120


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """A payment in the list; minor units. ``refunded_minor``: what went back to the card, or is on its way."""

    id: int
    account_id: int
    customer: str
    provider: str
    reference: str
    state: str
    amount_minor: int
    refunded_minor: int
    order_id: int | None
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Whole:
    """One payment with everything that the seller asks of it. ``refunds``: latest first."""

    payment: Payment
    customer: Customer
    refunds: Sequence[CardRefund]
    happened: Sequence[Happened]


_FOUND = {
    "all": "SELECT id FROM payments_payment WHERE {wanted} ORDER BY id DESC LIMIT %(limit)s",
    "number": "SELECT id FROM payments_payment WHERE id = %(number)s AND {wanted}",
    "reference": """
      SELECT id FROM payments_payment WHERE provider = ANY (%(providers)s) AND reference = %(reference)s
      AND reference <> '' AND {wanted}""",
    "customers": """
      SELECT found.id FROM unnest(%(accounts)s::bigint[]) AS customer (id) CROSS JOIN LATERAL (
        SELECT p.id FROM payments_payment p WHERE p.account_id = customer.id AND {wanted}
        ORDER BY p.id DESC LIMIT %(limit)s) AS found""",
}
_ROWS = """
SELECT p.id, p.account_id, coalesce(owner.email, a.name) AS customer, p.provider, p.reference, p.state, p.amount_minor,
       p.refunded_minor, p.order_id, p.created_at
FROM (SELECT DISTINCT id FROM ({found}) AS each ORDER BY id DESC LIMIT %(limit)s) AS page
CROSS JOIN LATERAL (  -- one by one by its key, whatever the planner thinks of how many there are
  SELECT id, account_id, provider, reference, state, amount_minor, refunded_minor, order_id, created_at
  FROM payments_payment WHERE id = page.id OFFSET 0) AS p
JOIN customers_account a ON a.id = p.account_id
LEFT JOIN LATERAL (SELECT u.email FROM customers_member m JOIN customers_user u ON u.id = m.user_id
                   WHERE m.account_id = a.id AND m.role = 'owner' ORDER BY m.id LIMIT 1) AS owner ON true
ORDER BY p.id DESC
"""


def page(word: str = "", before: str = "", size: int = PAGE) -> Page[PaymentRow]:
    """Payments, newest first. Each page takes its rows from indexes, however many payments there are.

    ``word``: the number of a payment or a customer, the provider's id of the charge, or what finds customers
    (``customers.page``; of the latest ``CUSTOMERS_MAX`` that it finds).
    """
    word, key = word.replace("\0", "").strip()[:254], number(before)
    meant, values = _meant(word)
    limited = "id < %(before)s" if key is not None else "true"
    found = " UNION ALL ".join(f"({_FOUND[one].replace('{wanted}', limited)})" for one in meant)
    rows = db.rows(_ROWS.replace("{found}", found), before=key, limit=size + 1, **values)
    return cut([PaymentRow(**row) for row in rows], lambda row: row.id, first=key is None, size=size)


def of_file(word: str, before: str) -> Page[PaymentRow]:
    """The same, so many at a time that a file of all of them takes few queries."""
    return page(word, before, _FILE_PAGE)


def _meant(word: str) -> tuple[list[str], dict[str, Any]]:
    """Where the word's payments are looked for, and what is asked there."""
    if not word:
        return ["all"], {}
    if (asked := number(word)) is not None:
        return ["number", "customers"], {"number": asked, "accounts": [asked]}
    buyers = [one.id for one in customers.page(word, size=CUSTOMERS_MAX).rows]
    named = {"providers": list(KNOWN), "reference": word[:_REFERENCE_MAX], "accounts": buyers}
    return ["reference", "customers"], named


def whole(payment_id: int) -> Whole | None:
    """One payment of anybody's; None where there is none."""
    payment = Payment.objects.filter(id=payment_id).first() if payment_id <= _NUMBER_MAX else None
    if payment is None:
        return None
    customer = customers.customer(payment.account_id)
    assert customer is not None
    happened = activity.of_subjects([(record.PAYMENT, payment.id)])
    return Whole(payment, customer, refunded.of_payments([payment.id]), happened)
