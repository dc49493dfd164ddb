"""The types of the purchase page: by family, no smaller than asked for, in the order asked for."""

import re
from collections.abc import Sequence

import pytest

from tests.web.visiting import Visitor, customer, order_id_of, text_of
from vmart.instances.models import Instance

S5 = ["S5.SMALL1", "S5.SMALL2", "S5.MEDIUM4", "S5.LARGE8", "S5.2XLARGE16"]
M5 = ["M5.SMALL8", "M5.MEDIUM16"]


def _page(query: str) -> str:
    return Visitor().get(f"/buy/?{query}", follow=True).content.decode()


def _rows(page: str) -> list[str]:
    return re.findall(r'<input [^>]*name="type" id="type-([^"]+)"', page)


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("", S5),  # the family of what is preselected
        ("type=M5.SMALL8", M5),
        ("family=M5", M5),
        ("family=S5&type=M5.SMALL8", S5),
        ("family=none", S5),
        ("vcpu=4", S5[3:]),
        ("memory=4&vcpu=2", S5[2:]),
        ("vcpu=3&memory=x", S5),  # what is not offered narrows nothing
        ("order=price", S5),
        ("family=all&vcpu=8", ["S5.2XLARGE16", "C3.2XLARGE16"]),
        ("family=all&memory=8&order=price", [
            "M5.SMALL8", "SA2.LARGE8", "S5.LARGE8", "M5.MEDIUM16", "C3.LARGE8", "S5.2XLARGE16", "C3.2XLARGE16",
        ]),
        ("family=all&memory=8&order=memory", [
            "M5.SMALL8", "S5.LARGE8", "SA2.LARGE8", "C3.LARGE8", "M5.MEDIUM16", "S5.2XLARGE16", "C3.2XLARGE16",
        ]),
        ("family=all&memory=8&order=vcpu", [
            "M5.SMALL8", "M5.MEDIUM16", "S5.LARGE8", "SA2.LARGE8", "C3.LARGE8", "S5.2XLARGE16", "C3.2XLARGE16",
        ]),
        ("family=M5&vcpu=8", []),
    ],
)  # fmt: skip
def test_what_is_asked_for_is_listed(query: str, rows: Sequence[str]) -> None:
    assert _rows(_page(query)) == rows


def test_nothing_as_large_is_said() -> None:
    assert "No type here is as large as that." in _page("family=M5&vcpu=8")


def test_the_chosen_type_is_bought_though_the_list_shows_another_family() -> None:
    """Given a chosen type and the tab of another family, when the form is sent, then it buys what was chosen."""
    visitor = customer()
    page = visitor.get("/buy/?type=S5.SMALL1&family=M5", follow=True)
    assert "Chosen: S5.SMALL1, which is not in this list." in text_of(page)
    order_id_of(visitor.buy("?type=S5.SMALL1&family=M5"))
    assert Instance.objects.get().instance_type_id == "S5.SMALL1"


def test_an_hour_and_a_month_are_shown_in_each_mode() -> None:
    costs = {}
    for mode in ("prepaid&months=12", "postpaid", "spot"):
        page = _page(f"charge={mode}&type=S5.SMALL1")
        row = page[page.index('id="type-S5.SMALL1"') :]
        costs[mode] = re.findall(r'class="right cost (\w+)( counts)?"><span class="num">([^<]*?) ?<', row)[:2]
    assert costs == {
        "prepaid&months=12": [("hour", "", "¥0.14"), ("month", " counts", "¥31.05")],
        "postpaid": [("hour", " counts", "¥0.14"), ("month", "", "¥39.15")],
        "spot": [("hour", " counts", "¥0.028"), ("month", "", "—")],
    }


def test_what_is_preselected_is_recommended() -> None:
    page = _page("family=all&type=S5.LARGE8")
    assert re.findall(r"<span>([A-Z0-9.]+)</span> <span class=\"pill good\">Recommended", page) == ["S5.SMALL2"]


def test_the_tabs_name_the_families_and_mark_the_one_that_is_shown() -> None:
    page = _page("type=C3.LARGE8")
    assert re.findall(r'name="family" id="family-\w+" value="(\w+)"', page) == ["S1", "S5", "SA2", "M5", "C3", "all"]
    assert re.findall(r'name="family" id="family-(\w+)"[^>]* checked', page) == ["C3"]
    assert "Intel Xeon Skylake 6146" in page
