"""How long answers to client tokens are kept."""

import datetime as dt

from vmart.kernel import db

KEPT = dt.timedelta(hours=48)  # the field promises 24
BATCH = 10_000  # rows a commit: well below a second

_FORGET = """
WITH batch AS MATERIALIZED (
  SELECT id, created_wall_at < %s AS old FROM orders_idempotency WHERE id > %s ORDER BY id LIMIT %s
), gone AS (
  DELETE FROM orders_idempotency t USING batch WHERE t.id = batch.id AND batch.old
)
SELECT max(id) AS last, count(*) FILTER (WHERE old) AS number FROM batch
"""


def forget_old(wall: dt.datetime) -> int:
    """Delete answers older than KEPT of wall time; their number.

    From the oldest on, a commit for each batch, until one holds no old answer: numbers follow the clock.
    """
    forgotten = last = 0
    while True:
        (batch,) = db.rows(_FORGET, wall - KEPT, last, BATCH)
        if not batch["number"]:
            return forgotten
        forgotten += batch["number"]
        last = batch["last"]
