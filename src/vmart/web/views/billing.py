"""Balance with its statement, and what was charged by usage."""

import datetime as dt
import itertools
from collections.abc import Sequence
from decimal import Decimal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from vmart.catalog import shop
from vmart.kernel import clock
from vmart.listings import charges, overview
from vmart.listings.charges import ChargeRow
from vmart.pages import csv_file, lists, wording
from vmart.pages.table import Shown
from vmart.payments import queries
from vmart.tags.wanted import KEY_MAX, VALUE_MAX
from vmart.web.visitor import customer

_STATEMENT = lists.statement(seller=False)
_CSV_HEAD = ("hour_utc", "instance_id", "resource_id", "name", "component", "seconds", "out_bytes", "exact", "currency",
             "revision", "statement_month", "tags")  # fmt: skip

_VALUES_SHOWN = 200  # of a tag on its page, the largest; the file has all
_BY_TAG_HEAD = ("key", "value", "charges", "exact", "currency")
_TAG_MAX = KEY_MAX + 1 + VALUE_MAX


@require_safe
@customer
def balance(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    if request.GET.get("as") == "csv":
        return _STATEMENT.file("statement.csv", lambda key: overview.statement(account_id, key))
    page = overview.statement(account_id, request.GET.get("before", ""))
    held = overview.balance(account_id)
    below_zero = overview.below_zero(account_id, held.balance_minor)
    here = {
        "money_held": held, "below_zero": below_zero, "statement": Shown(_STATEMENT, page, request),
        "to_card_minor": queries.on_its_way_minor(account_id),
    }  # fmt: skip
    return render(request, "web/billing/balance.html", here)


@require_safe
@customer
def charge_list(request: HttpRequest, account_id: int) -> HttpResponse:
    """A month by days, and the hours of one day."""
    zone = shop.snapshot().billing_zone
    today = clock.now().astimezone(zone).date()
    day = _date(request.GET.get("day", ""))
    month = _date(request.GET.get("month", "") + "-01") or day or today
    month = month.replace(day=1)
    days = charges.days_of_month(account_id, month, zone)
    if day is None or (day.year, day.month) != (month.year, month.month):
        day = days[0].day if days else (today if (today.year, today.month) == (month.year, month.month) else month)
    tag = _tag(request)
    page = charges.of_day(account_id, day, zone, request.GET.get("before", ""), tag)
    here = {
        "month": month,
        "earlier": (month - dt.timedelta(days=1)).replace(day=1) if month.year > 2000 else None,
        "later": _month_after(month) if _month_after(month) <= today else None,
        "day": day,
        "tag": tag,
        "kept": urlencode({"day": day.isoformat(), **({"tag": tag} if tag else {})}),
        "days": days,
        "total_minor": sum(row.deducted_minor for row in days),
        "page": page,
        "hours": _by_hour(account_id, page.rows, zone),
    }
    return render(request, "web/billing/charges.html", here)


def _by_hour(
    account_id: int, rows: Sequence[ChargeRow], zone: ZoneInfo
) -> list[tuple[dt.datetime, int, list[ChargeRow]]]:
    """(clock hour, what its close deducted of the account, charges), in the rows' order."""
    groups = [(hour, list(group)) for hour, group in itertools.groupby(rows, lambda row: row.hour)]
    deducted = charges.deducted(account_id, [hour for hour, _ in groups], zone)
    return [(hour, deducted.get(hour, 0), group) for hour, group in groups]


@require_safe
@customer
def charge_csv(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    """All charges of a billing month as a file, streamed."""
    here = shop.snapshot()
    month = _month(request, here.billing_zone)
    rows = charges.of_month(account_id, month, here.billing_zone, _tag(request))
    return csv_file.response(f"charges-{month:%Y-%m}.csv", _CSV_HEAD, (_line(row, here.currency) for row in rows))


@require_safe
@customer
def charges_by_tag(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    """What a month comes to by the values of a tag's key, on the page or as a file."""
    here = shop.snapshot()
    month = _month(request, here.billing_zone)
    key = request.GET.get("key", "").strip()[:KEY_MAX]
    rows = charges.by_tag(account_id, month, here.billing_zone, key) if key else []
    if key and request.GET.get("as") == "csv":
        lines = ((key, row.value, row.charges, row.exact, here.currency) for row in rows)
        return csv_file.response(f"charges-by-tag-{month:%Y-%m}.csv", _BY_TAG_HEAD, lines)
    told = {
        "month": month, "key": key, "rows": rows[:_VALUES_SHOWN], "more": max(0, len(rows) - _VALUES_SHOWN),
        "total": sum((row.exact for row in rows), Decimal(0)),
        "file": urlencode({"month": f"{month:%Y-%m}", "key": key, "as": "csv"}),
    }  # fmt: skip
    return render(request, "web/billing/by_tag.html", told)


def _month(request: HttpRequest, zone: ZoneInfo) -> dt.date:
    """The first day of the month that the address names, else of this one."""
    named = _date(request.GET.get("month", "") + "-01")
    return (named or clock.now().astimezone(zone).date()).replace(day=1)


def _line(row: ChargeRow, currency: str) -> tuple[object, ...]:
    return (
        row.hour, row.public_id, row.resource_id, row.name, row.component, row.duration_s, row.out_bytes, row.exact,
        currency, row.revision, f"{row.statement_month:%Y-%m}", wording.tags(row.tags),
    )  # fmt: skip


def _tag(request: HttpRequest) -> str:
    """``key`` or ``key=value``, of whose charges alone the address asks; "" for all."""
    return request.GET.get("tag", "").strip()[:_TAG_MAX]


def _date(text: str) -> dt.date | None:
    try:
        found = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return found if 1990 <= found.year <= 2200 else None


def _month_after(month: dt.date) -> dt.date:
    return (month.replace(day=28) + dt.timedelta(days=4)).replace(day=1)
