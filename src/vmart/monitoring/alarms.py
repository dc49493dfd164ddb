"""Rules by which a customer is told of his machines: made, changed and deleted by him, evaluated by ``evaluate.py``."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vmart.customers import accounts
from vmart.events import record
from vmart.events.actor import Actor
from vmart.instances.models import Instance, State
from vmart.kernel import clock, db, public_ids
from vmart.kernel.errors import InvalidValue
from vmart.kernel.text import is_one_line
from vmart.monitoring.errors import TooManyAlarms, UnknownAlarm
from vmart.monitoring.metrics import METRICS
from vmart.monitoring.models import Alarm, AlarmNotice, AlarmState

QUOTA = "alarms"
NAME_MAX, MINUTES_MAX, MACHINES_MAX = 60, 60, 100
_THRESHOLD_MAX = 1e12
_KEY_MAX, _VALUE_MAX = 127, 255


@dataclass(frozen=True, slots=True)
class Wanted:
    """A rule. ``threshold`` is in the unit that people say (``Metric.unit``); machines: by ids, by tag, else all."""

    name: str
    metric: str
    comparison: str
    threshold: float
    minutes: int
    instance_ids: tuple[str, ...] = ()
    tag_key: str = ""
    tag_value: str = ""
    language: str = "en"


def create(actor: Actor, wanted: Wanted) -> Alarm:
    """A new rule; its first value decides within two minutes. Raises InvalidValue, TooManyAlarms."""
    check(wanted)
    with db.act():
        accounts.lock(actor.account)
        _refuse_too_many(actor.account)
        _refuse_unknown(actor.account, wanted.instance_ids)
        number = db.rows("SELECT nextval(pg_get_serial_sequence('monitoring_alarm', 'id')) AS n")[0]["n"]
        made = Alarm(
            id=number, public_id=public_ids.of("alarm", number), account_id=actor.account, name=wanted.name,
            language=wanted.language, created_at=clock.now(), **_rule(wanted),
        )  # fmt: skip
        made.save(force_insert=True)
        _told(actor, "CreateAlarm", made)
    return made


def _rule(wanted: Wanted) -> dict[str, Any]:
    """What decides when it alarms, and where."""
    return {
        "metric": wanted.metric, "comparison": wanted.comparison,
        "threshold": METRICS[wanted.metric].kept(wanted.threshold), "minutes": wanted.minutes,
        "instance_ids": list(dict.fromkeys(wanted.instance_ids)), "tag_key": wanted.tag_key,
        "tag_value": wanted.tag_value,
    }  # fmt: skip


def change(actor: Actor, public_id: str, wanted: Wanted) -> None:
    """Another name, language or rule; one of another rule begins anew, and what waits to be told of the old one is not.

    Machines that it names already may be gone. Raises UnknownAlarm, InvalidValue.
    """
    check(wanted)
    with db.act():
        alarm = _locked(actor, public_id)
        _refuse_unknown(actor.account, [one for one in wanted.instance_ids if one not in alarm.instance_ids])
        rule, before = _rule(wanted), {name: getattr(alarm, name) for name in _rule(wanted)}
        named = {"name": wanted.name, "language": wanted.language}
        if rule == before and all(getattr(alarm, name) == value for name, value in named.items()):
            return
        for name, value in (named | rule).items():
            setattr(alarm, name, value)
        alarm.save(update_fields=[*named, *rule])
        if rule != before:
            _begin_anew(alarm)
        _told(actor, "ModifyAlarm", alarm)


def switch(actor: Actor, public_id: str, *, on: bool) -> None:
    """Have it watch, or not: off it knows nothing, and nothing of it is told. Raises UnknownAlarm."""
    with db.act():
        alarm = _locked(actor, public_id)
        if alarm.enabled == on:
            return
        alarm.enabled = on
        alarm.save(update_fields=["enabled"])
        _begin_anew(alarm)
        _told(actor, "EnableAlarm" if on else "DisableAlarm", alarm)


def _begin_anew(alarm: Alarm) -> None:
    """Its mails would speak of what it is now, so those of before that have not left are not sent."""
    AlarmState.objects.filter(alarm=alarm).delete()
    AlarmNotice.objects.filter(alarm=alarm, begun_at=None).delete()


def _locked(actor: Actor, public_id: str) -> Alarm:
    accounts.lock(actor.account)
    found = Alarm.objects.filter(account_id=actor.account, public_id=public_id).first()
    if found is None:
        raise UnknownAlarm("There is no alarm {alarm}.", alarm=public_id[:20])
    return found


def delete(actor: Actor, public_id: str) -> None:
    """The rule is gone with what it knew; an alarm that has begun is not told to have ended. Raises UnknownAlarm."""
    with db.act():
        found = _locked(actor, public_id)
        _told(actor, "DeleteAlarm", found)
        found.delete()


def check(wanted: Wanted) -> None:
    """Raise InvalidValue for what no rule may be."""
    if not 1 <= len(wanted.name) <= NAME_MAX or not is_one_line(wanted.name):
        raise InvalidValue("The name of an alarm has 1 to {most} characters on one line.", field="name", most=NAME_MAX)
    if wanted.metric not in METRICS:
        raise InvalidValue("There is no such metric.", field="metric")
    if wanted.comparison not in Alarm.Comparison.values:
        raise InvalidValue("A value is compared by >, >=, < or <=.", field="comparison")
    if not math.isfinite(wanted.threshold) or not 0 <= wanted.threshold <= _THRESHOLD_MAX:
        raise InvalidValue("A threshold is a number from 0 on.", field="threshold")
    if METRICS[wanted.metric].unit == "%" and wanted.threshold > 100:
        raise InvalidValue("A percentage is 0 to 100.", field="threshold")
    if not 1 <= wanted.minutes <= MINUTES_MAX:
        raise InvalidValue("It is 1 to {most} minutes.", field="minutes", most=MINUTES_MAX)
    _check_machines(wanted)


def _check_machines(wanted: Wanted) -> None:
    if wanted.instance_ids and wanted.tag_key:
        raise InvalidValue("Name machines or a tag, not both.", field="tag")
    if len(wanted.instance_ids) > MACHINES_MAX:
        raise InvalidValue(
            "An alarm names at most {most} machines; use a tag for more.", field="instance_ids", most=MACHINES_MAX
        )
    if bool(wanted.tag_key) != bool(wanted.tag_value):
        raise InvalidValue("Name a tag as key=value.", field="tag")
    if len(wanted.tag_key) > _KEY_MAX or len(wanted.tag_value) > _VALUE_MAX:
        raise InvalidValue("There is no tag so long.", field="tag")
    if not is_one_line(wanted.tag_key + wanted.tag_value):
        raise InvalidValue("A tag is on one line.", field="tag")


def _refuse_too_many(account_id: int) -> None:
    most = db.call("customers_quota", account_id, QUOTA)
    if Alarm.objects.filter(account_id=account_id).count() >= most:
        raise TooManyAlarms("An account has at most {most} alarms; delete one first.", most=most)


def _refuse_unknown(account_id: int, instance_ids: Sequence[str]) -> None:
    asked = [one for one in instance_ids if "\0" not in one]
    own = Instance.objects.filter(account_id=account_id, public_id__in=asked).exclude(state=State.GONE)
    known = set(own.values_list("public_id", flat=True)) if asked else set()
    unknown = [one for one in instance_ids if one not in known]
    if unknown:
        raise InvalidValue("There is no machine {machine}.", field="instance_ids", machine=unknown[0][:40])


def _told(actor: Actor, kind: str, alarm: Alarm) -> None:
    record.write(
        actor.account,
        record.ALARM,
        [alarm.id],
        kind,
        details=[{"id": alarm.public_id, "name": alarm.name}],
        actor=actor,
    )
