"""The account's groups: found, locked, and the default one, which has no row before its first change."""

import datetime as dt
import re
from typing import Any

from django.utils.translation import gettext_noop

from vmart.kernel import public_ids
from vmart.security import policies
from vmart.security.errors import UnknownGroup
from vmart.security.models import SecurityGroup

DEFAULT_NAME = "default"
DEFAULT_DESCRIPTION = gettext_noop("All traffic is let in and out.")
_ID = re.compile(r"sg-[0-9a-z]{8}")
# Numbers of default groups are their accounts', so the others' begin far behind them.
_OTHERS_FROM = 36**8 // 2


def default_id(account_id: int) -> str:
    """The public id of the account's default group."""
    return public_ids.of("sg", account_id)


def other_id(number: int) -> str:
    """The public id of any other group."""
    return public_ids.of("sg", _OTHERS_FROM + number)


def default(account_id: int, created_at: dt.datetime) -> SecurityGroup:
    """The default group as it is until it is changed: open both ways. Not saved. ``created_at``: the account's."""
    return SecurityGroup(
        public_id=default_id(account_id), account_id=account_id, name=DEFAULT_NAME, description=DEFAULT_DESCRIPTION,
        is_default=True, ingress=policies.stored(policies.OPEN), egress=policies.stored(policies.OPEN),
        created_at=created_at, updated_at=created_at,
    )  # fmt: skip


# One row without a group for an account that has none. Every price of the purchase page asks this.
_OF_ACCOUNT = """
SELECT g.*, a.created_at AS account_created_at
FROM customers_account a LEFT JOIN security_group g ON g.account_id = a.id
WHERE a.id = %s ORDER BY g.is_default DESC NULLS LAST, g.id DESC
"""


def groups(account_id: int, region: str = "") -> list[SecurityGroup]:
    """All the account has, in a region where one is named: the default one first, then the newest."""
    found: list[Any] = list(SecurityGroup.objects.raw(_OF_ACCOUNT, [account_id]))
    rows = [row for row in found if row.pk is not None]
    if not found[0].is_default:
        rows.insert(0, default(account_id, found[0].account_created_at))
    return [row for row in rows if not region or row.region in ("", region)]


def group(account_id: int, public_id: str, field: str = "group") -> SecurityGroup:
    """One of them. Raises UnknownGroup."""
    found = {row.public_id: row for row in groups(account_id)} if _ID.fullmatch(public_id) else {}
    if public_id not in found:
        raise unknown(public_id, field)
    return found[public_id]


def unknown(public_id: str, field: str) -> UnknownGroup:
    """Of an act that names a group which is not the account's, not of the region, or not any more."""
    return UnknownGroup("The security group {id} does not exist here.", field=field, id=public_id[:60])
