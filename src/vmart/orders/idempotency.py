"""How long answers to client tokens are kept."""

import datetime as dt

from vmart.kernel import clock, db
from vmart.policy import policy

BATCH = 10_000  # rows a commit: well below a second

_FORGET = """
WITH old AS MATERIALIZED (
  SELECT account_id, token FROM orders_idempotency WHERE created_wall_at < %s LIMIT %s
)
DELETE FROM orders_idempotency t USING old WHERE t.account_id = old.account_id AND t.token = old.token
RETURNING t.account_id
"""


def forget_old(wall: dt.datetime) -> int:
    """Delete answers that are too old by wall time, a commit for each batch; their number."""
    kept = dt.timedelta(days=policy.at(clock.now()).client_token_days)
    forgotten = 0
    while True:
        number = len(db.rows(_FORGET, wall - kept, BATCH))
        forgotten += number
        if number < BATCH:
            return forgotten
