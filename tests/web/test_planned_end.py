"""Pages on which a machine's end is planned: at its purchase, and later."""

import datetime as dt

import pytest

from tests.support.shopper import work
from tests.web.visiting import Visitor, customer, text_of
from vmart.instances.models import Instance
from vmart.launch_templates.models import Version

LOCAL = "2026-03-11T18:30"  # of Shanghai
ENDS = dt.datetime(2026, 3, 11, 10, 30, tzinfo=dt.UTC)


@pytest.fixture
def visitor() -> Visitor:
    return customer()


def _machine() -> Instance:
    return Instance.objects.latest("id")


def _bought(visitor: Visitor, query: str = "?charge=postpaid") -> str:
    visitor.buy(query)
    work()
    return f"/machines/{_machine().public_id}/"


def test_it_is_bought_with_its_end(visitor: Visitor) -> None:
    assert visitor.buy_form(f"?charge=postpaid&ends_at={LOCAL}")["ends_at"] == LOCAL
    shown = text_of(visitor.get(_bought(visitor, f"?charge=postpaid&ends_at={LOCAL}")))
    assert (_machine().ends_at, "Ended by itself 2026-03-11 18:30:00" in shown) == (ENDS, True)
    assert "Pay ahead" not in shown


def test_a_prepaid_purchase_has_no_such_field(visitor: Visitor) -> None:
    assert "ends_at" not in visitor.buy_form("?charge=prepaid")
    _bought(visitor, f"?charge=prepaid&ends_at={LOCAL}")
    assert (_machine().charge_type, _machine().ends_at) == ("PREPAID", None)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("soon", "Enter a date and a time"),
        ("2026-03-01T00:00", "The end must be more than 5 minutes from now."),
        ("9999-12-31T23:59", "The end may be at most 5 years from now."),
        ("0001-01-01T00:00", "Enter a date and a time"),
    ],
)
def test_what_is_wrong_is_said_at_the_field_and_buys_nothing(visitor: Visitor, typed: str, said: str) -> None:
    answer = visitor.buy(f"?charge=postpaid&ends_at={typed}")
    assert (answer.status_code in (409, 422), said in text_of(answer)) == (True, True)
    assert not Instance.objects.exists()
    address = f"{_bought(visitor)}planned-end/"
    answer = visitor.post(address, {"act": "plan", "ends_at": typed})
    assert (answer.status_code, said in text_of(answer), _machine().ends_at) == (422, True, None)


def test_it_is_planned_changed_and_given_up(visitor: Visitor) -> None:
    page = _bought(visitor)
    assert "It runs until you end it." in text_of(visitor.get(f"{page}planned-end/"))
    visitor.post(f"{page}planned-end/", {"act": "plan", "ends_at": "2026-03-20T00:00:30"})
    assert 'value="2026-03-20T00:00:30"' in visitor.get(f"{page}planned-end/").content.decode()
    visitor.post(f"{page}planned-end/", {"act": "plan", "ends_at": LOCAL})
    shown = text_of(visitor.get(page))
    for said in ("Ended by itself", "To be ended at a time"):
        assert f"{said} 2026-03-11 18:30:00" in shown
    answer = visitor.post(f"{page}planned-end/", {"act": "give_up"})
    assert (answer["Location"], _machine().ends_at) == (page, None)
    shown = text_of(visitor.get(page))
    assert ("Its planned end was given up" in shown, "Ended by itself" in shown) == (True, False)
    answer = visitor.post(f"{page}planned-end/", {"act": "give_up"})
    assert (answer.status_code, "is planned." in text_of(answer)) == (422, True)


def test_a_prepaid_machine_is_refused(visitor: Visitor) -> None:
    page = _bought(visitor, "?charge=prepaid")
    assert "Planned end" not in text_of(visitor.get(page))
    answer = visitor.post(f"{page}planned-end/", {"act": "plan", "ends_at": LOCAL})
    assert (answer.status_code, "its end is that of its term" in text_of(answer)) == (422, True)


def test_a_template_that_the_page_saves_has_it(visitor: Visitor) -> None:
    visitor.buy(f"?charge=postpaid&ends_at={LOCAL}", act="save_template", template_name="nightly")
    (version,) = Version.objects.all()
    assert version.contents["ends_at"] == "2026-03-11T10:30:00Z"
    shown = visitor.get(f"/templates/{version.template.public_id}/")
    assert "Ended by itself 2026-03-11 18:30:00" in text_of(shown)
    assert "ends_at=2026-03-11T18%3A30" in shown.content.decode()
    again = visitor.buy_form(
        f"?template={version.template.public_id}&template_version=1&ends_at={LOCAL}&charge=postpaid"
    )
    visitor.post("/buy/", again | {"act": "save_version"})
    assert [one.contents["ends_at"] for one in Version.objects.all()] == [version.contents["ends_at"]] * 2
