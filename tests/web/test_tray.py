"""Configurations kept beside the purchase form: compared by price, chosen, forgotten, three at most."""

import re
from urllib.parse import parse_qs, urlencode

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext

from tests.web.visiting import Visitor, customer, text_of
from vmart.orders.models import Order

HOURLY = "charge=postpaid&zone=ap-guangzhou-4&type=S5.MEDIUM4&disk=CLOUD_PREMIUM&disk_gib=50&internet=traffic&mbps=5"
YEARLY = "charge=prepaid&zone=ap-guangzhou-3&type=S5.SMALL2&disk=CLOUD_PREMIUM&disk_gib=20&address=0&months=12&count=2"


def _beside(*kept: str) -> str:
    return "?" + urlencode([("beside", one) for one in kept])


def _links(page: HttpResponse, title: str) -> list[dict[str, list[str]]]:
    """The queries to which the tray's links of a title lead."""
    html = page.content.decode()
    tray = html[html.index('id="tray"') : html.index('id="place"')]
    found = re.findall(r'<a href="/buy/\?([^"]*)"[^>]*>([^<]*)</a>', tray)
    return [parse_qs(query.replace("&amp;", "&")) for query, words in found if words == title]


def _keep(visitor: Visitor, query: str) -> HttpResponse:
    return visitor.post("/buy/", visitor.buy_form(query) | {"act": "keep"}, follow=True)


def test_what_is_kept_is_shown_with_its_price() -> None:
    page = customer().get("/buy/" + _beside(HOURLY, YEARLY), follow=True)
    words = text_of(page)
    assert (
        "S5.MEDIUM4 2 vCPU · 4 GiB Guangzhou Zone 4 50 GiB Premium Cloud Disk By traffic, 5 Mbps ¥0.375 an hour"
        in words
    )
    assert "2 × S5.SMALL2 1 vCPU · 2 GiB Guangzhou Zone 3 20 GiB Premium Cloud Disk Private network only" in words
    assert "¥1,363.20 for 12 months" in words  # (60 × 12 × 0.83 + 7 × 12) × 2


def test_a_kept_one_is_chosen_again_and_forgotten() -> None:
    page = customer().get("/buy/" + _beside(HOURLY, YEARLY), follow=True)
    first, second = _links(page, "Choose")
    assert (first["type"], second["type"], second["count"]) == (["S5.MEDIUM4"], ["S5.SMALL2"], ["2"])
    assert first["beside"] == second["beside"] == [HOURLY, YEARLY]
    assert [link["beside"] for link in _links(page, "Forget")] == [[YEARLY], [HOURLY]]


def test_the_button_keeps_what_is_chosen_once_and_three_at_most() -> None:
    visitor = customer()
    query = "?type=S5.SMALL1"
    for kind in ("S5.SMALL1", "S5.SMALL2", "S5.SMALL2", "S5.MEDIUM4", "S5.LARGE8"):
        page = _keep(visitor, re.sub("type=[^&]*", f"type={kind}", query))
        query = "?" + page.redirect_chain[-1][0].partition("?")[2].partition("#")[0]
    assert [link["type"] for link in _links(page, "Choose")] == [["S5.SMALL2"], ["S5.MEDIUM4"], ["S5.LARGE8"]]
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    "forged", ["%00", "type=x&mbps=y&data_gib=-1", "beside=beside", "a" * 2001, "\0", "quick=1&count=0"]
)
def test_what_is_no_configuration_is_not_shown_and_no_fault(forged: str) -> None:
    page = customer().get("/buy/" + _beside(forged, HOURLY), follow=True)
    assert page.status_code == 200
    assert "S5.MEDIUM4" in [link["type"][0] for link in _links(page, "Choose")]


def test_a_kept_one_costs_no_statement() -> None:
    visitor, counts = customer(), []
    for query in ("", _beside(HOURLY), _beside(HOURLY, YEARLY)):
        with CaptureQueriesContext(connection) as asked:
            visitor.get("/buy/" + query, follow=True)
        counts.append(len(asked))
    assert counts[1] == counts[2] <= counts[0]


def test_it_is_bought_as_if_nothing_lay_beside() -> None:
    visitor = customer()
    form = visitor.buy_form("?charge=postpaid&type=S5.SMALL1&beside=" + HOURLY.replace("&", "%26").replace("=", "%3D"))
    assert visitor.post("/buy/", form | {"act": "buy"}).status_code == 303
    assert Order.objects.get().quote["configuration"]["instance_type"] == "S5.SMALL1"
