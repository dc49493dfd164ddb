"""Alarms that began or ended, told by mail to the owners of their account: once each, never twice.

That it is about to leave is written down before, so what a killed worker had in hand is not sent again: the page of
alarms has it in any case. A server that takes no mail is asked again for an hour; a mail that it refuses or may have
taken is not.
"""

import contextlib
import datetime as dt
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import F
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

_AT_ONCE = 20  # a look: then whose turn it is is asked anew
_OLD = dt.timedelta(hours=1)  # what is older is told by the page alone
_KEPT = dt.timedelta(days=7)  # told or not, for a seller who looks why no mail came; no page reads them
_ATTEMPTS = 5  # at receivers of whom a server says "later": with the waits below 0, 3, 12, 27 and 48 minutes on
# Of each account the first of the hour before the second of any: what was begun counts for its account.
_NEXT = """
SELECT id FROM (
  SELECT n.id, n.at, n.begun_at, n.attempts,
         row_number() OVER (PARTITION BY a.account_id ORDER BY n.begun_at IS NULL, n.attempts, n.id) AS turn
  FROM monitoring_alarm_notice n JOIN monitoring_alarm a ON a.id = n.alarm_id AND a.enabled WHERE n.at >= %s
) AS hour
WHERE begun_at IS NULL AND attempts < %s AND at + attempts * attempts * interval '3 minutes' <= %s
ORDER BY turn, attempts, id LIMIT %s
"""
_CLAIM = """
UPDATE monitoring_alarm_notice SET begun_at = %s, attempts = attempts + 1 WHERE id = %s AND begun_at IS NULL
RETURNING id
"""


class _Later(Exception):
    """A server said before it had the mail that it does not take it now."""


class _NoServer(_Later):
    """Nor would it take any other: no connection, no login, or not from us."""


def send() -> int:
    """Tell what is to be told; how many mails left. Outside a transaction."""
    if not settings.SENDS_MAIL:
        return 0
    now, left = clock.now(), 0
    for one in db.rows(_NEXT, now - _OLD, _ATTEMPTS, now, _AT_ONCE):
        try:
            left += _send_one(one["id"])
        except _NoServer:
            break
    return left


def _send_one(number: int) -> bool:
    """Whether its mail left. Raises _NoServer, and the notice is as before.

    Where an error leaves open what the server did with a mail, or the server refused it for good, the notice stays as
    begun: no second mail of it leaves, and those of others are not held up.
    """
    if not db.rows(_CLAIM, clock.now(), number):
        return False
    this = AlarmNotice.objects.filter(pk=number)
    notice = this.select_related("alarm").get()
    owners = _owners(notice.alarm)
    try:
        if owners:
            _hand_over(_mail(notice, owners))
    except _NoServer as error:
        log.warning("no mail of alarms can leave: %s", error)
        this.update(begun_at=None, attempts=F("attempts") - 1)
        raise
    except _Later as error:
        log.warning("the mail of alarm notice %s is for later: %s", number, error)
        this.update(begun_at=None)
        return False
    except (OSError, ValueError) as error:  # SMTP's own among the first; an address that is none
        log.warning("the mail of alarm notice %s is given up: %s", number, error)
        return False
    this.update(told_at=clock.now())
    return bool(owners)


def _hand_over(mail: "EmailMessage") -> None:
    """Raises _NoServer and _Later where the server has not got the mail for sure, else OSError or ValueError."""
    from smtplib import SMTPRecipientsRefused, SMTPSenderRefused  # only who sends one loads it

    from django.core.mail import get_connection

    server = mail.connection = get_connection()
    try:
        server.open()
    except OSError as error:
        raise _NoServer(str(error)) from error
    try:
        mail.send()
    except SMTPSenderRefused as error:
        raise _NoServer(str(error)) from error
    except SMTPRecipientsRefused as error:
        if any(code < 500 for code, _said in error.recipients.values()):
            raise _Later(str(error)) from error
        raise
    finally:
        with contextlib.suppress(OSError):  # the mail has left, or has not, whatever it says to our leave
            server.close()


def forget_old(now: dt.datetime) -> int:
    """Delete notices that nobody asks after any more; their number."""
    return AlarmNotice.objects.filter(at__lt=now - _KEPT).delete()[0]


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
