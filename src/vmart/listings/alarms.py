"""Alarms of an account, with how they stand at their machines."""

import datetime as dt
from dataclasses import dataclass

from vmart.kernel import db
from vmart.listings.paging import PAGE, Page, cut, number
from vmart.monitoring.models import Alarm

_ABOVE_ALL = 2**63 - 1
_VIEW = """
SELECT a.id, count(s.*) FILTER (WHERE s.state = 'ALARM') AS alarming, count(s.*) FILTER (WHERE s.state = 'OK') AS well,
       count(s.*) AS known, min(s.since) FILTER (WHERE s.state = 'ALARM') AS alarming_since,
       (array_agg(i.public_id ORDER BY s.since, i.id)
          FILTER (WHERE s.state = 'ALARM' AND i.id IS NOT NULL))[1:3] AS machines
FROM (SELECT id FROM monitoring_alarm WHERE account_id = %(account)s AND id < %(last_id)s ORDER BY id DESC
      LIMIT %(limit)s) a
LEFT JOIN monitoring_alarm_state s ON s.alarm_id = a.id LEFT JOIN instances_instance i ON i.id = s.instance_id
GROUP BY a.id ORDER BY a.id DESC
"""


@dataclass(frozen=True, slots=True)
class AlarmView:
    """A rule, at how many machines it alarms and at how many all is well, and the first few where it alarms."""

    alarm: Alarm
    alarming: int
    well: int
    known: int
    alarming_since: dt.datetime | None
    machines: list[str]

    @property
    def public_id(self) -> str:
        return self.alarm.public_id


def by_key(account_id: int, *, before: str = "") -> Page[AlarmView]:
    """A page of them, newest first: two statements, however many machines they are of."""
    key = number(before)
    rows = db.rows(_VIEW, account=account_id, last_id=key or _ABOVE_ALL, limit=PAGE + 1)
    rules = Alarm.objects.in_bulk([row["id"] for row in rows])
    found = [
        AlarmView(
            rules[row["id"]], row["alarming"], row["well"], row["known"], row["alarming_since"], row["machines"] or []
        )
        for row in rows
        if row["id"] in rules
    ]
    return cut(found, lambda view: view.alarm.id, first=key is None)


def one(account_id: int, public_id: str) -> Alarm | None:
    """The account's alarm; None for another's."""
    return Alarm.objects.filter(account_id=account_id, public_id=public_id).first()
