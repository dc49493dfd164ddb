"""Key pairs of an account with the machines that have them: one query, a second where the total needs it."""

from collections.abc import Sequence

from vmart.kernel import db
from vmart.listings.views import KeyPairView
from vmart.tags import reads
from vmart.tags.things import KEY_PAIR

_WANTED = f"""
FROM instances_key_pair
WHERE account_id = %(account)s AND (%(ids)s::text[] IS NULL OR public_id = ANY (%(ids)s))
  AND (%(names)s::text[] IS NULL OR name = ANY (%(names)s))
  AND (%(tags)s::jsonb IS NULL OR {reads.meeting(KEY_PAIR, "public_id")})
"""
# One pass over the account's machines for the whole page.
_PAGE = f"""
WITH page AS (
  SELECT id, public_id, name, public_key, created_at {_WANTED}
  ORDER BY id DESC OFFSET %(offset)s LIMIT %(limit)s
), held AS (
  SELECT key_id, array_agg(i.public_id::text ORDER BY i.id) AS instance_ids
  FROM instances_instance i, jsonb_array_elements_text(i.key_ids) AS key_id
  WHERE i.account_id = %(account)s AND i.state NOT IN ('GONE', 'LAUNCH_FAILED')
    AND key_id IN (SELECT public_id FROM page)
  GROUP BY key_id
)
SELECT page.public_id, page.name, page.public_key, page.created_at, coalesce(held.instance_ids, '{{}}') AS instance_ids,
  {reads.held(KEY_PAIR, "page.public_id")} AS tags
FROM page LEFT JOIN held ON held.key_id = page.public_id
ORDER BY page.id DESC
"""  # noqa: S608  our own words


def page(
    account_id: int,
    *,
    public_ids: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    tags: str | None = None,
    offset: int = 0,
    limit: int = 20,
) -> tuple[int, list[KeyPairView]]:
    """How many of the account's pairs have one of the ids and names (None: any), and a page of them, newest first.

    ``tags``: of ``tags.reads.asked``.
    """
    wanted = {
        "account": account_id, "ids": None if public_ids is None else list(public_ids),
        "names": None if names is None else list(names), "tags": tags,
    }  # fmt: skip
    rows = db.rows(_PAGE, **wanted, offset=offset, limit=limit)
    views = [
        KeyPairView(**{**row, "instance_ids": tuple(row["instance_ids"]), "tags": reads.of(row["tags"])})
        for row in rows
    ]
    if 0 < len(views) < limit or (not views and offset == 0):
        return offset + len(views), views
    (counted,) = db.rows(f"SELECT count(*) AS total {_WANTED}", **wanted)
    return counted["total"], views
