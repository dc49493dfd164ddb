"""Once a minute: what every machine of a zone uses, asked of its engine in one call and kept in one statement.

Bytes that are charged are counted by ``orders/sample.py``: its reading is taken under accounts' locks and once more
when charging ends, and nothing that is only shown may hold it up. Both run in the zone's own thread, that one first.
"""

import datetime as dt
from collections.abc import Sequence
from operator import attrgetter

from vmart.engines.contract import Usage
from vmart.engines.optional import Metrics
from vmart.kernel import clock, db
from vmart.provisioning.zone_engines import engine_of

MINUTE_S = 60
_GAP_S = 150  # two minutes and the time that a slow answer takes: of a longer time no rate is said
_COLUMNS = (
    "name", "epoch", "read_at", "cpu_ns", "memory_bytes", "memory_total_bytes", "disk_used_bytes", "disk_total_bytes",
    "disk_read_bytes", "disk_written_bytes", "disk_reads", "disk_writes", "received_bytes", "sent_bytes",
    "received_packets", "sent_packets", "public_sent_bytes",
)  # fmt: skip


def minute_of(instant: dt.datetime) -> dt.datetime:
    """The minute that holds it."""
    return instant.replace(second=0, microsecond=0)


def zone(code: str) -> int:
    """Ask the zone's engine and keep what it says for this minute; how many machines that is.

    0 where the engine tells nothing. Raises EngineError.
    """
    engine = engine_of(code)
    if not isinstance(engine, Metrics):
        return 0
    at = minute_of(clock.now())
    return keep(code, at, engine.usage())


def keep(code: str, at: dt.datetime, told: Sequence[Usage]) -> int:
    """What was told of machines of the zone at the minute; a minute that is kept already stays as it is."""
    if not told:
        return 0
    arrays = [list(map(attrgetter(column), told)) for column in _COLUMNS]
    places = ", ".join(["%s", "%s", "%s", "%s::text[]", "%s::text[]", "%s::timestamptz[]", *["%s::bigint[]"] * 14])
    found = db.prepared(f"SELECT fn.monitoring_sample({places}) AS made", code, at, _GAP_S, *arrays)
    return int(found[0]["made"])
