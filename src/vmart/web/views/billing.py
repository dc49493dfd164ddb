"""Balance with its statement, and what was charged by usage."""

import csv
import datetime as dt
import itertools
from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from vmart.catalog import shop
from vmart.kernel import clock
from vmart.listings import charges, overview
from vmart.listings.charges import ChargeRow
from vmart.web.visitor import customer

_CSV_HEAD = ("hour_utc", "instance_id", "resource_id", "name", "component", "seconds", "out_bytes", "exact", "currency",
             "revision", "statement_month")  # fmt: skip
_BYTE_ORDER_MARK = "\ufeff"  # without it Excel reads UTF-8 as the code page of its machine
_FORMULAS = "=+-@＝＋－＠\t\r"  # a spreadsheet takes the full-width signs for the narrow ones


@require_safe
@customer
def balance(request: HttpRequest, account_id: int) -> HttpResponse:
    page = overview.statement(account_id, request.GET.get("before", ""))
    held = overview.balance(account_id)
    below_zero = overview.below_zero(account_id, held.balance_minor)
    return render(request, "web/billing/balance.html", {"money_held": held, "below_zero": below_zero, "page": page})


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
    page = charges.of_day(account_id, day, zone, request.GET.get("before", ""))
    here = {
        "month": month,
        "earlier": (month - dt.timedelta(days=1)).replace(day=1) if month.year > 2000 else None,
        "later": _month_after(month) if _month_after(month) <= today else None,
        "day": day,
        "day_text": day.isoformat(),
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
    month = _date(request.GET.get("month", "") + "-01") or clock.now().astimezone(here.billing_zone).date()
    rows = charges.of_month(account_id, month, here.billing_zone)
    response = StreamingHttpResponse(_csv(rows, here.currency), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="charges-{month:%Y-%m}.csv"'
    return response


def _csv(rows: Iterator[ChargeRow], currency: str) -> Iterator[str]:
    line = csv.writer(_Echo())
    yield _BYTE_ORDER_MARK + line.writerow(_CSV_HEAD)
    for row in rows:
        yield line.writerow(
            (
                row.hour.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), row.public_id, row.resource_id,
                _inert(row.name), row.component, row.duration_s, row.out_bytes, format(row.exact, "f"),
                currency, row.revision, f"{row.statement_month:%Y-%m}",
            )
        )  # fmt: skip


def _inert(name: str) -> str:
    """A name that no spreadsheet takes for a formula."""
    return f"'{name}" if name.startswith(tuple(_FORMULAS)) else name


class _Echo:
    """What csv writes to: gives each line back."""

    def write(self, line: str) -> str:
        return line


def _date(text: str) -> dt.date | None:
    try:
        found = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return found if 1990 <= found.year <= 2200 else None


def _month_after(month: dt.date) -> dt.date:
    return (month.replace(day=28) + dt.timedelta(days=4)).replace(day=1)
