"""Values of machines over a time, and what is said of them together. Reads only."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vmart.kernel import db
from vmart.monitoring.metrics import COLUMNS, METRICS, TABLES


@dataclass(frozen=True, slots=True)
class Summary:
    """Of the values that there are, each of which is a mean of its period; ``p95``: nearest rank."""

    least: float
    mean: float
    most: float
    p95: float


def of_machine(instance_id: int, seconds: int, start: dt.datetime, end: dt.datetime) -> list[dict[str, Any]]:
    """Rows with ``at`` and all columns, in [start, end), in order; a period without a value has no row."""
    columns = ", ".join(COLUMNS)
    return db.rows(
        f"SELECT at, {columns} FROM {TABLES[seconds]}"  # noqa: S608  names of our own
        " WHERE instance_id = %s AND at >= %s AND at < %s ORDER BY at",
        instance_id, start, end,
    )  # fmt: skip


def of_metric(
    column: str, instance_ids: Sequence[int], seconds: int, start: dt.datetime, end: dt.datetime
) -> dict[int, list[tuple[dt.datetime, float]]]:
    """{machine: (at, value) in order} of one metric in [start, end], as kept; machines without a value are left out."""
    name = METRICS[column].column
    rows = db.rows(
        f"SELECT instance_id, at, {name} AS value FROM {TABLES[seconds]}"  # noqa: S608  names of our own
        f" WHERE instance_id = ANY (%s) AND at >= %s AND at <= %s AND {name} IS NOT NULL ORDER BY instance_id, at",
        list(instance_ids), start, end,
    )  # fmt: skip
    found: dict[int, list[tuple[dt.datetime, float]]] = {}
    for row in rows:
        found.setdefault(row["instance_id"], []).append((row["at"], row["value"]))
    return found


def summary(values: Sequence[float]) -> Summary | None:
    """None of no values."""
    if not values:
        return None
    ordered = sorted(values)
    rank = -(-95 * len(ordered) // 100)  # rounded up
    return Summary(ordered[0], sum(ordered) / len(ordered), ordered[-1], ordered[rank - 1])
