"""Given a user who chose a zone, then he reads and types times of it, and days that are charged stay the shop's."""

import datetime as dt

import pytest

from tests.support.written import nothing_written
from tests.web.visiting import Visitor, customer, operator, text_of, work
from vmart.customers.models import User
from vmart.instances.models import Instance
from vmart.pages import local_time, printed

AT = dt.datetime(2026, 3, 10, 2, 43, 51, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def _nobodys() -> None:
    local_time.use("")


def _choose(visitor: Visitor, zone: str, language: str = "en") -> int:
    return visitor.post("/accounts/settings/", {"language": language, "time_zone": zone}).status_code


@pytest.mark.parametrize(
    ("zone", "shown", "typed"),
    [
        ("", "2026-03-10 10:43:51", "2026-03-10T10:43:51"),  # the shop's: Asia/Shanghai
        ("America/New_York", "2026-03-09 22:43:51", "2026-03-09T22:43:51"),
        ("Asia/Kathmandu", "2026-03-10 08:28:51", "2026-03-10T08:28:51"),
        ("No/Where", "2026-03-10 10:43:51", "2026-03-10T10:43:51"),
        ("../../etc/passwd", "2026-03-10 10:43:51", "2026-03-10T10:43:51"),
    ],
)
def test_what_is_shown_is_read_again(zone: str, shown: str, typed: str) -> None:
    local_time.use(zone)
    assert shown in str(printed.instant(AT))
    assert local_time.text(AT) == typed
    assert local_time.read(typed) == AT


def test_the_hour_that_comes_twice_says_which() -> None:
    local_time.use("America/New_York")
    assert "01:30:00 UTC-05:00" in str(printed.instant(dt.datetime(2026, 11, 1, 6, 30, tzinfo=dt.UTC)))


def test_a_user_reads_and_types_times_of_the_zone_that_he_chose() -> None:
    visitor, other = customer(), customer()
    visitor.buy("?charge=postpaid")
    work()
    assert _choose(visitor, "America/New_York") == 302
    page = text_of(visitor.get("/overview/"))
    assert "All times are in America/New_York." in page
    assert "All times are in Asia/Shanghai." in text_of(other.get("/overview/"))  # in the same thread
    machine = Instance.objects.get()
    form = {"act": "plan", "ends_at": "2027-01-01T00:00"}
    visitor.post(f"/machines/{machine.public_id}/planned-end/", form)
    machine.refresh_from_db()
    assert machine.ends_at == dt.datetime(2027, 1, 1, 5, tzinfo=dt.UTC)
    assert "2027-01-01 00:00:00" in text_of(visitor.get(f"/machines/{machine.public_id}/"))


def test_days_that_are_charged_stay_the_shops() -> None:
    local_time.use("Pacific/Kiritimati")
    assert "2026-03-10" in str(printed.day(dt.datetime(2026, 3, 10, 15, 59, tzinfo=dt.UTC)))  # 23:59 in Shanghai


def test_both_are_kept_with_the_user() -> None:
    visitor = customer()
    answer = visitor.post("/accounts/settings/", {"language": "zh-hans", "time_zone": "Europe/Zurich"})
    assert answer.cookies["django_language"].value == "zh-hans"
    user = User.objects.get(pk=visitor.user.pk)
    assert (user.language, user.time_zone) == ("zh-hans", "Europe/Zurich")
    assert 'value="Europe/Zurich" selected' in visitor.get("/accounts/settings/").content.decode()
    assert _choose(visitor, "") == 302
    assert User.objects.get(pk=visitor.user.pk).time_zone == ""


@pytest.mark.parametrize(
    "form",
    [
        {"language": "en", "time_zone": "No/Where"}, {"language": "en", "time_zone": "../etc/passwd"},
        {"language": "xx", "time_zone": ""}, {"time_zone": "Europe/Zurich"}, {},
    ],
)  # fmt: skip
def test_what_is_no_choice_is_refused(form: dict[str, str]) -> None:
    visitor = customer()
    with nothing_written():
        assert visitor.post("/accounts/settings/", form).status_code == 422


def test_operators_choose_too_and_strangers_sign_in() -> None:
    assert _choose(operator(), "Europe/Zurich") == 302
    assert Visitor().get("/accounts/settings/")["Location"].startswith("/accounts/login/")
