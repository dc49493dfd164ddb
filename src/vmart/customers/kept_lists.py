"""How a user wants lists: filters kept under a name, for each account, and the columns that he chose, for all of them.

They are the user's own and nothing of the account: no event tells of them, and other members do not see them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vmart.customers.models import KeptColumns, KeptFilter, User
from vmart.kernel import clock, db
from vmart.kernel.errors import InvalidValue, LimitExceeded
from vmart.kernel.text import is_one_line

FILTERS_MAX = 20  # of one list, in one account
NAME_MAX = 60
_COLUMNS_MAX = 40


@dataclass(frozen=True, slots=True)
class Filter:
    """``query``: parameter of the list's address -> value."""

    number: int
    name: str
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Kept:
    """``columns``: keys of the chosen ones; None where the list's own are shown."""

    filters: Sequence[Filter] = ()
    columns: Sequence[str] | None = None


_OF = """
SELECT id, name, query::text AS kept FROM customers_kept_filter
WHERE user_id = %(user)s AND account_id = %(account)s AND list_name = %(name)s
UNION ALL SELECT 0, '', columns::text FROM customers_kept_columns WHERE user_id = %(user)s AND list_name = %(name)s
ORDER BY name, id
"""


def of(user_id: int, account_id: int, name: str) -> Kept:
    """What the user keeps of the list of this name: one statement."""
    rows = db.rows(_OF, user=user_id, account=account_id, name=name)
    return Kept(
        [Filter(row["id"], row["name"], json.loads(row["kept"])) for row in rows if row["id"]],
        next((json.loads(row["kept"]) for row in rows if not row["id"]), None),
    )


def keep(user_id: int, account_id: int, list_name: str, name: str, query: Mapping[str, str]) -> None:
    """Keep a filter; one of that name is another from now on. Raises InvalidValue, LimitExceeded."""
    name = name.strip()
    if not 1 <= len(name) <= NAME_MAX or not is_one_line(name):
        raise InvalidValue("The name of a filter has 1 to {most} characters on one line.", field="name", most=NAME_MAX)
    if not query:
        raise InvalidValue("Narrow the list first; then keep how it is narrowed.")
    with db.act():
        User.objects.select_for_update(no_key=True).get(pk=user_id)
        own = KeptFilter.objects.filter(user_id=user_id, account_id=account_id, list_name=list_name)
        if own.exclude(name=name).count() >= FILTERS_MAX:
            raise LimitExceeded(
                "You keep {most} filters of this list already; remove one first.", field="name", most=FILTERS_MAX
            )
        own.update_or_create(
            name=name, user_id=user_id, account_id=account_id, list_name=list_name,
            defaults={"query": dict(query)}, create_defaults={"query": dict(query), "created_at": clock.now()},
        )  # fmt: skip


def one(user_id: int, account_id: int, number: int) -> KeptFilter | None:
    """The user's filter of this account; None for another's."""
    return KeptFilter.objects.filter(user_id=user_id, account_id=account_id, id=number).first()


def choose_columns(user_id: int, list_name: str, columns: Sequence[str] | None) -> None:
    """Show these from now on; None: the list's own."""
    if columns is None:
        KeptColumns.objects.filter(user_id=user_id, list_name=list_name).delete()
        return
    chosen = list(dict.fromkeys(columns))[:_COLUMNS_MAX]
    KeptColumns.objects.update_or_create(user_id=user_id, list_name=list_name, defaults={"columns": chosen})
