"""How long answers to client tokens are kept."""

import datetime as dt

from vmart.kernel import db

KEPT = dt.timedelta(days=30)  # the field promises 24 hours
BATCH = 10_000  # rows a commit: well below a second

_FORGET = """
WITH old AS MATERIALIZED (
  SELECT account_id, token FROM orders_idempotency WHERE created_wall_at < %s LIMIT %s
)
DELETE FROM orders_idempotency t USING old WHERE t.account_id = old.account_id AND t.token = old.token
RETURNING t.account_id
"""


def forget_old(wall: dt.datetime) -> int:
    """Delete answers older than KEPT of wall time, a commit for each batch; their number."""
    forgotten = 0
    while True:
        number = len(db.rows(_FORGET, wall - KEPT, BATCH))
        forgotten += number
        if number < BATCH:
            return forgotten
