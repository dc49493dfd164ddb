"""The security group of an account: one, which nothing enforces; programs ask which there are."""

from vmart.kernel import db, public_ids
from vmart.listings.views import SecurityGroupView
from vmart.tags import reads
from vmart.tags.things import SECURITY_GROUP

_GROUP = f"""
SELECT created_at, {reads.held(SECURITY_GROUP, "%(group)s")} AS tags,
  %(tags)s::jsonb IS NULL OR {reads.meeting(SECURITY_GROUP, "%(group)s")} AS is_wanted
FROM customers_account WHERE id = %(account)s
"""  # noqa: S608  our own words


def of_account(account_id: int, tags: str | None = None) -> tuple[SecurityGroupView, bool]:
    """The account's default group, and whether it has these ``tags`` (``tags.reads.asked``).

    Its id is a function of the account's number, so it is kept nowhere.
    """
    group = public_ids.of("sg", account_id)
    (row,) = db.rows(_GROUP, account=account_id, group=group, tags=tags)
    return SecurityGroupView(group, row["created_at"], reads.of(row["tags"])), row["is_wanted"]
