"""The form of an alarm, a new one or one that is changed."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from vmart.kernel.errors import InvalidValue
from vmart.monitoring import alarms
from vmart.monitoring.alarms import Wanted
from vmart.monitoring.metrics import METRICS
from vmart.monitoring.models import Alarm
from vmart.monitoring.words import metric_title
from vmart.pages.forms import ActForm, text
from vmart.tags import reads
from vmart.web.forms import one_of

_WORDS = {">": _("above"), ">=": _("at least"), "<": _("below"), "<=": _("at most")}


class AlarmForm(ActForm):
    """Texts as they were typed; the act says what is wrong."""

    paths = {
        "name": "name", "metric": "metric", "comparison": "comparison", "threshold": "threshold", "minutes": "minutes",
        "instance_ids": "machines", "tag": "tag",
    }  # fmt: skip

    name = text(_("Name"), maxlength=alarms.NAME_MAX)
    metric = one_of(_("What"))
    comparison = one_of(_("Is"))
    threshold = text(_("This much"), inputmode="decimal", hint=_("In the unit that stands beside the metric."))
    minutes = text(_("For how many minutes on end"), inputmode="numeric")
    machines = text(
        _("Machines"), required=False, hint=_("Ids, separated by spaces. Empty: all, or those with the tag.")
    )
    tag = text(_("Tag"), required=False, hint=_("key=value: machines that get it later are watched too."))

    def __init__(self, typed: Mapping[str, Any] | None = None, machine: str = "", alarm: Alarm | None = None) -> None:
        now = {"metric": "cpu_percent", "comparison": ">", "threshold": "80", "minutes": "5", "machines": machine}
        super().__init__(typed, initial=now if alarm is None else _as_typed(alarm))
        self.fields["metric"].widget.choices = [
            (column, f"{metric_title(column)} ({metric.unit})") for column, metric in METRICS.items()
        ]
        self.fields["comparison"].widget.choices = list(_WORDS.items())

    def wanted(self) -> Wanted:
        """The rule as it was typed. Raises InvalidValue for what is no number."""
        typed = self.cleaned_data
        key, value = reads.said(typed["tag"].strip()) if typed["tag"].strip() else ("", "")
        return Wanted(
            name=typed["name"].strip(), metric=typed["metric"], comparison=typed["comparison"],
            threshold=_number(typed["threshold"]), minutes=_whole(typed["minutes"]),
            instance_ids=tuple(typed["machines"].replace(",", " ").split()), tag_key=key, tag_value=value or "",
            language=get_language() or "en",
        )  # fmt: skip


def _as_typed(alarm: Alarm) -> dict[str, str]:
    return {
        "name": alarm.name, "metric": alarm.metric, "comparison": alarm.comparison,
        "threshold": f"{METRICS[alarm.metric].shown(alarm.threshold):.15g}", "minutes": str(alarm.minutes),
        "machines": " ".join(alarm.instance_ids), "tag": f"{alarm.tag_key}={alarm.tag_value}" if alarm.tag_key else "",
    }  # fmt: skip


def _number(typed: str) -> float:
    try:
        return float(typed.strip())
    except ValueError:
        raise InvalidValue("A threshold is a number from 0 on.", field="threshold") from None


def _whole(typed: str) -> int:
    digits = typed.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 6):
        raise InvalidValue("It is 1 to {most} minutes.", field="minutes", most=alarms.MINUTES_MAX)
    return int(digits)
