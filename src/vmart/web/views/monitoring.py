"""What a machine uses, as charts and as figures; and the alarms of an account."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from vmart.instances.models import ON
from vmart.kernel import clock
from vmart.listings import alarms as listed
from vmart.listings import overview
from vmart.monitoring import alarms, series
from vmart.pages.table import Shown
from vmart.web import monitoring_tables
from vmart.web.acting import as_file, done, found, machine_of
from vmart.web.alarm_forms import AlarmForm
from vmart.web.monitoring_tables import ALARMS, EACH, SPANS
from vmart.web.visitor import actor, customer, field


@never_cache
@require_safe
@customer
def machine(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """Charts are made of the table of values, which the page has without scripts too; their boxes are there before."""
    shown = machine_of(account_id, public_id)
    span = {one.key: one for one in SPANS}.get(request.GET.get("span", ""), SPANS[0])
    end = clock.now()
    start = monitoring_tables.start_of(end, span)
    rows = series.of_machine(shown.id, span.period, start, end)
    tells = bool(overview.capabilities(shown.zone_id).get("metrics"))
    figures = monitoring_tables.figures_of(rows)
    here = {
        "machine": shown, "spans": SPANS, "span": span, "each": EACH[span.period],
        "start": int(start.timestamp()), "end": int(end.timestamp()), "rows": rows, "is_on": shown.state in ON,
        "tells": tells, "figures": figures, "lines": monitoring_tables.lines_of(rows),
        "charts": monitoring_tables.charts_of(figures), "columns": monitoring_tables.columns(),
    }  # fmt: skip
    return render(request, "web/machines/monitoring.html", here)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def listing(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    """The alarms; below them the form of a new one, of the machine that the address names."""
    form = AlarmForm(request.POST if request.method == "POST" else None, machine=field(request.GET, "machine"))
    made = form.made(lambda: alarms.create(actor(request, account_id), form.wanted()))
    if made:
        messages.success(request, _("{name} watches from now on.").format(name=made.name))
        return redirect("alarms")
    if as_file(request):
        return ALARMS.file("alarms.csv", lambda key: listed.by_key(account_id, before=key))
    page = listed.by_key(account_id, before=request.GET.get("before", ""))
    here = {"alarms": Shown(ALARMS, page, request), "form": form}
    return render(request, "web/alarms.html", here, status=422 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def alarm(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """One alarm, to be changed."""
    shown = found(listed.one(account_id, public_id))
    form = AlarmForm(request.POST if request.method == "POST" else None, alarm=shown)
    if form.takes(lambda: alarms.change(actor(request, account_id), public_id, form.wanted())):
        messages.success(request, _("The alarm was changed."))
        return redirect("alarms")
    return render(request, "web/alarm.html", {"alarm": shown, "form": form}, status=422 if form.errors else 200)


@require_POST
@customer
def switch(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """On where it is said, else off: sent twice it stays so."""
    found(listed.one(account_id, public_id))
    on = (request.POST.get("on") or request.GET.get("on")) == "1"
    said = _("The alarm watches again.") if on else _("The alarm is off: nothing of it is told.")
    return done(request, lambda: alarms.switch(actor(request, account_id), public_id, on=on), said, "alarms")


@require_POST
@customer
def delete(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """Nothing is told any more."""
    found(listed.one(account_id, public_id))
    said = _("The alarm was deleted.")
    return done(request, lambda: alarms.delete(actor(request, account_id), public_id), said, "alarms")
