"""The list of alarms, and what is shown of values: charts, figures of each, and the values themselves."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from vmart.listings.alarms import AlarmView
from vmart.monitoring import mails
from vmart.monitoring.metrics import FIVE_S, HOUR_S, METRICS, MINUTE_S
from vmart.monitoring.series import Summary, summary
from vmart.monitoring.words import metric_title
from vmart.pages import cells, printed
from vmart.pages.cells import link, soft, together
from vmart.pages.table import MONO, Column, RowAct, Table


@dataclass(frozen=True, slots=True)
class Span:
    """How far back a page looks, and of how many seconds each of its values is. ``first``: when the first one comes."""

    key: str
    title: Any
    seconds: int
    period: int
    first: Any


_HOUR, _DAY = 3600, 86_400
_SOON = _("The first value is there two minutes after its start.")
_IN_MINUTES = _("The first value is there ten minutes after its start; a shorter time shows it sooner.")
_IN_HOURS = _("The first value is there after its first whole hour; a shorter time shows it sooner.")
SPANS = (
    Span("1h", _("1 hour"), _HOUR, MINUTE_S, _SOON),
    Span("6h", _("6 hours"), 6 * _HOUR, MINUTE_S, _SOON),
    Span("24h", _("24 hours"), _DAY, FIVE_S, _IN_MINUTES),
    Span("7d", _("7 days"), 7 * _DAY, HOUR_S, _IN_HOURS),
    Span("30d", _("30 days"), 30 * _DAY, HOUR_S, _IN_HOURS),
)
EACH = {MINUTE_S: _("Each value is the mean of one minute."), FIVE_S: _("Each value is the mean of five minutes."),
        HOUR_S: _("Each value is the mean of one hour.")}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chart:
    """Columns of one unit in one picture."""

    key: str
    title: Any
    columns: tuple[str, ...]

    @property
    def unit(self) -> str:
        return METRICS[self.columns[0]].unit


CHARTS = (
    Chart("cpu", _("CPU"), ("cpu_percent",)),
    Chart("memory", _("Memory"), ("memory_percent",)),
    Chart("network", _("Network"), ("received_bytes", "sent_bytes", "public_sent_bytes")),
    Chart("packets", _("Packets"), ("received_packets", "sent_packets")),
    Chart("throughput", _("Disks"), ("disk_read_bytes", "disk_written_bytes")),
    Chart("operations", _("Disk operations"), ("disk_reads", "disk_writes")),
    Chart("filled", _("System disk"), ("disk_percent",)),
)
SHOWN = tuple(column for chart in CHARTS for column in chart.columns)


@dataclass(frozen=True, slots=True)
class Figures:
    """What is said of a metric over the time; None where nothing is known of it."""

    title: str
    unit: str
    latest: str
    told: Summary | None

    @property
    def numbers(self) -> list[str]:
        """Least, mean, most and 95th percentile."""
        told = self.told
        return [figure(one) for one in (told.least, told.mean, told.most, told.p95)] if told else ["—"] * 4


def start_of(end: dt.datetime, span: Span) -> dt.datetime:
    """Where the first period begins that a page shows."""
    whole = int(end.timestamp()) // span.period * span.period
    return dt.datetime.fromtimestamp(whole - span.seconds + span.period, dt.UTC)


def figures_of(rows: Sequence[dict[str, Any]]) -> list[Figures]:
    """Of each metric that a page shows."""
    return [_figures(column, [row[column] for row in rows]) for column in SHOWN]


def _figures(column: str, values: Sequence[float | None]) -> Figures:
    metric = METRICS[column]
    shown = [metric.shown(value) for value in values if value is not None]
    latest = values[-1] if values else None
    return Figures(
        metric_title(column), metric.unit, "—" if latest is None else figure(metric.shown(latest)), summary(shown)
    )


def charts_of(figures: Sequence[Figures]) -> list[tuple[Chart, list[Figures], bool]]:
    """(chart, its lines, whether anything is known of one) of the figures of all that is shown."""
    left = iter(figures)
    charts = [(chart, [next(left) for _column in chart.columns]) for chart in CHARTS]
    return [(chart, lines, any(line.told for line in lines)) for chart, lines in charts]


def lines_of(rows: Sequence[dict[str, Any]]) -> list[tuple[dt.datetime, list[tuple[str, str]]]]:
    """(when, (for the charts, for people) of each metric) of every row, newest first."""
    return [(row["at"], [_cell(column, row[column]) for column in SHOWN]) for row in reversed(rows)]


def _cell(column: str, value: float | None) -> tuple[str, str]:
    if value is None:
        return "", "—"
    shown = METRICS[column].shown(value)
    return f"{shown:.6g}", figure(shown)


def figure(value: float) -> str:
    """Three digits that matter, of large numbers all before the point."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def columns() -> list[dict[str, str]]:
    """What the charts are made of, by column."""
    return [
        {"chart": chart.key, "title": metric_title(column), "unit": METRICS[column].unit}
        for chart in CHARTS
        for column in chart.columns
    ]


# -- alarms ---------------------------------------------------------------------------------------


def _name(row: AlarmView) -> SafeString:
    return together(row.alarm.name, soft(row.public_id, MONO))


def _machines(row: AlarmView) -> SafeString | str:
    alarm = row.alarm
    if alarm.instance_ids:
        shown = [link(_monitoring(one), one, MONO) for one in alarm.instance_ids[:3]]
        more = len(alarm.instance_ids) - len(shown)
        rest = [ngettext("and {more} more", "and {more} more", more).format(more=more)] if more else []
        return together(*(part for one in [*shown, *rest] for part in (one, " ")))
    if alarm.tag_key:
        return f"{alarm.tag_key}={alarm.tag_value}"
    return gettext("All machines")


def _monitoring(public_id: str) -> str:
    return reverse("machine_monitoring", args=[public_id])


def _stands(row: AlarmView) -> SafeString:
    if not row.alarm.enabled:
        return cells.badge(_("Off"), "idle")
    if row.alarming:
        text = ngettext("Alarm at {count} machine", "Alarm at {count} machines", row.alarming)
        shown = [link(_monitoring(one), one, MONO) for one in row.machines]
        since = together(gettext("since"), " ", printed.instant(row.alarming_since))
        return together(
            cells.badge(text.format(count=row.alarming), "bad"), soft(since),
            *(part for one in shown for part in (one, " ")),
        )  # fmt: skip
    if row.well:
        return cells.badge(_("All is well"), "good")
    return cells.badge(_("No data"), "idle")


def _watched(row: AlarmView) -> str:
    """In a file: ids, a tag, or nothing for all."""
    alarm = row.alarm
    return " ".join(alarm.instance_ids) or (f"{alarm.tag_key}={alarm.tag_value}" if alarm.tag_key else "")


def _state(row: AlarmView) -> str:
    if not row.alarm.enabled:
        return "OFF"
    return "ALARM" if row.alarming else "OK" if row.well else "NO_DATA"


def _acts(row: AlarmView) -> list[RowAct]:
    def to(view: str, title: Any, **how: bool) -> RowAct:
        return RowAct(view, reverse(view, args=[row.public_id]), title, **how)

    title, on = (_("Switch off"), 0) if row.alarm.enabled else (_("Switch on"), 1)
    switch = RowAct("alarm_switch", f"{reverse('alarm_switch', args=[row.public_id])}?on={on}", title, sent=True)
    return [
        to("alarm", _("Change")), switch,
        to("alarm_delete", _("Delete"), sent=True, danger=True),
    ]  # fmt: skip


ALARMS: Table[AlarmView] = Table(
    (
        Column("id", "", None, lambda row: row.public_id),
        Column("name", _("Alarm"), _name, lambda row: row.alarm.name),
        Column("rule", _("Rule"), lambda row: mails.rule(row.alarm), lambda row: mails.rule(row.alarm)),
        Column("machines", _("Machines"), _machines, _watched),
        Column("state", _("State"), _stands, _state),
        Column("alarming_at", "", None, lambda row: row.alarming),
        Column("since", "", None, lambda row: row.alarming_since),
    ),
    acts=_acts,
    empty=_("You have no alarm yet. One tells you by mail when a machine is busy, full or silent."),
)
