"""Alarms that began or ended, told by mail to the owners of their account: once each, never twice.

That it is about to leave is written down before, so what a killed worker had in hand is not sent again: the page of
alarms has it in any case. A server that takes no mail is asked again for an hour.
"""

import datetime as dt
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from vmart.customers.models import Member
from vmart.customers.roles import Role
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.monitoring.metrics import METRICS
from vmart.monitoring.models import Alarm, AlarmNotice, State
from vmart.monitoring.words import metric_title

if TYPE_CHECKING:
    from django.core.mail import EmailMessage

log = logging.getLogger(__name__)

_AT_ONCE = 20  # at a server that is slow the chores of the house wait for it
_OLD = dt.timedelta(hours=1)  # what is older is told by the page alone
_CLAIM = """
UPDATE monitoring_alarm_notice n SET begun_at = %s, attempts = attempts + 1 WHERE n.id = (
  SELECT id FROM monitoring_alarm_notice WHERE begun_at IS NULL AND at >= %s ORDER BY id LIMIT 1
  FOR UPDATE SKIP LOCKED) RETURNING n.id
"""


def send() -> int:
    """Tell what is to be told; how many mails left. Outside a transaction."""
    if not settings.SENDS_MAIL:
        return 0
    for done in range(_AT_ONCE):
        if not _send_next():
            return done
    return _AT_ONCE


def _send_next() -> bool:
    """False where nothing is left, or the server takes none now."""
    now = clock.now()
    claimed = db.rows(_CLAIM, now, now - _OLD)
    if not claimed:
        return False
    notice = AlarmNotice.objects.select_related("alarm").get(pk=claimed[0]["id"])
    owners = _owners(notice.alarm)
    try:
        if owners:
            _mail(notice, owners).send()
    except OSError as error:  # SMTP's own among them
        log.warning("the mail of an alarm did not leave: %s", error)
        AlarmNotice.objects.filter(pk=notice.pk).update(begun_at=None)
        return False
    AlarmNotice.objects.filter(pk=notice.pk).update(told_at=clock.now())
    return True


def _owners(alarm: Alarm) -> list[str]:
    owners = Member.objects.filter(account_id=alarm.account_id, role=Role.OWNER, user__is_active=True)
    return list(owners.order_by("id").values_list("user__email", flat=True))


def _mail(notice: AlarmNotice, owners: Sequence[str]) -> "EmailMessage":
    from django.core.mail import EmailMessage  # only who sends one loads it

    alarm, machine = notice.alarm, Instance.objects.get(pk=notice.instance_id)
    with translation.override(alarm.language):
        said = {
            "alarm": alarm.name, "machine": machine.name, "id": machine.public_id, "rule": rule(alarm),
            "at": f"{notice.at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC",
        }  # fmt: skip
        subject = _("Alarm {alarm}: {machine}") if notice.state == State.ALARM else _("Alarm {alarm} ended: {machine}")
        first = {
            State.ALARM: _("{machine} ({id}) meets the rule of your alarm since {at}:"),
            State.OK: _("{machine} ({id}) does not meet the rule of your alarm any more since {at}:"),
            State.NO_DATA: _("Of {machine} ({id}) there are no values any more since {at}, so this alarm has ended:"),
        }[State(notice.state)]
        address = f"{settings.PUBLIC_URL}/machines/{machine.public_id}/monitoring/"
        body = "\n\n".join([first.format(**said), said["rule"], address])
        return EmailMessage(" ".join(subject.format(**said).split()), body, to=list(owners))


def rule(alarm: Alarm) -> str:
    """The rule in words, in the language that is set."""
    metric = METRICS[alarm.metric]
    shown = f"{metric.shown(alarm.threshold):g} {metric.unit}"
    return _("{metric} {comparison} {threshold} for {minutes} min").format(
        metric=metric_title(alarm.metric), comparison=alarm.comparison, threshold=shown, minutes=alarm.minutes
    )
