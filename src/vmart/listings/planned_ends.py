"""Planned ends of an account's machines, as they come up: those to come, and those of machines in the recycle bin."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from vmart.kernel import clock
from vmart.listings.paging import Matching
from vmart.orders import planned_end
from vmart.subscriptions.models import Source

UNDO, DOING, DONE = "UNDO", "DOING", "DONE"


@dataclass(frozen=True, slots=True)
class PlannedEnd:
    """``status``: to come, being waited with since an operation is under way, or come."""

    public_id: str
    ends_at: dt.datetime
    status: str

    @property
    def timer_id(self) -> str:
        return planned_end.id_of(self.public_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which: those that meet every condition given (None: not given). Both instants are inclusive."""

    public_ids: Sequence[str] | None = None
    ends_from: dt.datetime | None = None
    ends_to: dt.datetime | None = None


_CONDITIONS = {
    "public_ids": "i.public_id = ANY (%(public_ids)s)",
    "ends_from": "i.ends_at >= %(ends_from)s",
    "ends_to": "i.ends_at <= %(ends_to)s",
}
_FROM = (
    "FROM instances_instance i JOIN subscriptions_subscription b ON b.id = i.id"
    " WHERE i.account_id = %(account)s AND i.state <> 'GONE' AND i.ends_at IS NOT NULL"
)
_VIEW = "SELECT i.public_id, i.ends_at, b.isolated_source {matching} {page} {order}"


def some(account_id: int, wanted: Wanted) -> list[PlannedEnd]:
    """The soonest first. An account has no more of them than machines that are charged by the hour, by its quota."""
    matching = Matching.of(account_id, _FROM, _CONDITIONS, wanted)
    rows = matching.rows(_VIEW, page="", order="ORDER BY i.ends_at, i.id")
    return [PlannedEnd(row["public_id"], row["ends_at"], _status(**row)) for row in rows]


def _status(*, isolated_source: str, ends_at: dt.datetime, **_: object) -> str:
    if isolated_source == Source.MANMADE:
        return DONE
    return DOING if ends_at <= clock.now() else UNDO
