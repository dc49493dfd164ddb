"""Given a catalog's file with a policy, when it is applied, then its versions hold by their dates, for good."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.policy.dating import date_policy
from tests.support.business_clock import BusinessClock
from tests.support.database import DEMO_CATALOG, Databases
from tests.support.written import nothing_written
from vmart.backoffice.apply_catalog import Change, applied, apply_file
from vmart.catalog import shop as catalog
from vmart.kernel import clock, db
from vmart.kernel.documents import DocumentError
from vmart.listings.on_sale import on_sale
from vmart.policy import policy
from vmart.policy.models import Version
from vmart.policy.numbers import DEFAULT

Written = Callable[..., Path]
DAY = dt.timedelta(days=1)
APRIL = "{from: 2026-04-01, unpaid_orders: 3}"
MAY = "{from: 2026-05-01, unpaid_orders: 4, remind_days: [9]}"


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """``written(APRIL, MAY)``: the demo catalog's file with these versions; without one, it has no section."""

    def write(*versions: str) -> Path:
        file = tmp_path / "catalog.yaml"
        section = "\npolicy:\n" + "".join(f"  - {version}\n" for version in versions) if versions else ""
        file.write_text(DEMO_CATALOG.read_text() + section)
        return file

    return write


def _instant(day: str) -> dt.datetime:
    return dt.datetime.fromisoformat(day).replace(tzinfo=catalog.snapshot().billing_zone)


def _refused(file: Path, *problems: str) -> None:
    with nothing_written(), pytest.raises(DocumentError) as caught:
        apply_file(file)
    assert caught.value.problems == list(problems)


@pytest.mark.usefixtures("shop")
def test_a_version_holds_from_its_day_on(written: Written, test_clock: BusinessClock) -> None:
    apply_file(written(APRIL, MAY))
    catalog.current()
    found = [policy.at(_instant("2026-04-01") + moved).unpaid_orders for moved in (-dt.timedelta(seconds=1), 0 * DAY)]
    assert found == [20, 3]
    assert policy.at(clock.now()) == DEFAULT
    test_clock.set(_instant("2026-05-01"))
    assert (policy.at(clock.now()).unpaid_orders, policy.at(clock.now()).remind_days) == (4, (9,))
    before = policy.at(test_clock.at - DAY)
    assert (before.unpaid_orders, before.remind_days) == (3, (7, 5, 3, 1))


@pytest.mark.usefixtures("shop")
def test_what_it_changes_is_shown_and_made_so_once(written: Written) -> None:
    generation = catalog.current().generation
    changes = apply_file(written(APRIL, MAY))
    assert list(map(str, changes)) == [
        "~ policy from 2026-03-31 16:00:00Z: unpaid_orders: 20 -> 3",
        "~ policy from 2026-04-30 16:00:00Z: unpaid_orders: 3 -> 4, remind_days: [7, 5, 3, 1] -> [9]",
    ]
    assert catalog.current().generation == generation + 1
    with nothing_written():
        assert apply_file(written(APRIL, MAY)) == []


@pytest.mark.usefixtures("shop")
def test_what_has_not_begun_can_be_changed_and_taken_back(written: Written) -> None:
    apply_file(written(APRIL, MAY))
    later = MAY.replace("remind_days: [9]", "bin_prepaid_days: 2")
    assert list(map(str, apply_file(written(APRIL, later)))) == [
        "~ policy from 2026-04-30 16:00:00Z: remind_days: [9] -> [7, 5, 3, 1], bin_prepaid_days: 7 -> 2"
    ]
    assert list(map(str, apply_file(written(later)))) == ["- policy from 2026-03-31 16:00:00Z"]
    assert [row.numbers for row in Version.objects.all()] == [{"unpaid_orders": 4, "bin_prepaid_days": 2}]
    assert list(map(str, apply_file(written()))) == ["- policy from 2026-04-30 16:00:00Z"]
    assert not Version.objects.exists()


@pytest.mark.usefixtures("shop")
def test_what_has_begun_stays_as_it_was(written: Written, test_clock: BusinessClock) -> None:
    apply_file(written(APRIL, MAY))
    test_clock.set(_instant("2026-04-01"))
    now = "2026-03-31T16:00:00+00:00"
    _refused(
        written(APRIL.replace("3}", "5}"), MAY),
        f"policy.0: began at {now} and cannot be changed any more: write it as it was, unpaid_orders: 3, and what is"
        " to change in a version that begins after now",
    )
    _refused(
        written(MAY),
        f"policy: the version that began at {now} is missing and cannot be taken back: write it as it was,"
        " unpaid_orders: 3",
    )
    _refused(
        written(),
        f"policy: the version that began at {now} is missing and cannot be taken back: write it as it was,"
        " unpaid_orders: 3",
    )
    _refused(
        written("{from: 2026-03-31, unpaid_orders: 9}", APRIL, MAY),
        f"policy.0.from: 2026-03-30T16:00:00+00:00 has passed, and what was agreed then stays so: a version begins"
        f" after now, {now}",
    )
    assert list(map(str, apply_file(written(APRIL)))) == ["- policy from 2026-04-30 16:00:00Z"]
    further = "{from: 2026-04-02, unpaid_orders: 5}"
    assert list(map(str, apply_file(written(APRIL, further)))) == [
        "~ policy from 2026-04-01 16:00:00Z: unpaid_orders: 3 -> 5"
    ]


@pytest.mark.usefixtures("shop")
def test_a_version_from_this_very_second_is_too_late(written: Written, test_clock: BusinessClock) -> None:
    at = test_clock.at.isoformat()
    _refused(
        written(f"{{from: '{at}', unpaid_orders: 3}}"),
        f"policy.0.from: {at} has passed, and what was agreed then stays so: a version begins after now, {at}",
    )
    apply_file(written(f"{{from: '{(test_clock.at + dt.timedelta(seconds=1)).isoformat()}', unpaid_orders: 3}}"))
    assert Version.objects.get().numbers == {"unpaid_orders": 3}


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("section", ["", " 3", " {unpaid_orders: 3}", " [3]"])
def test_a_section_that_is_no_list_of_versions_is_refused(section: str, written: Written) -> None:
    file = written()
    file.write_text(f"{file.read_text()}\npolicy:{section}\n")
    with nothing_written(), pytest.raises(DocumentError) as caught:
        apply_file(file)
    (problem,) = caught.value.problems
    assert problem.startswith("policy: a list of versions is expected, each with the date or instant it holds from")


@pytest.mark.usefixtures("shop")
def test_a_wrong_number_changes_nothing_else_of_the_file(written: Written) -> None:
    file = written("{from: 2026-04-01, unpaid_orders: 0}")
    file.write_text(file.read_text().replace("East China (Shanghai)", "The East"))
    _refused(file, "policy.0.unpaid_orders: Input should be greater than or equal to 1, not 0")


@pytest.mark.usefixtures("shop")
def test_what_is_exported_is_applied_without_a_change(
    written: Written, test_clock: BusinessClock, tmp_path: Path
) -> None:
    apply_file(written(APRIL, MAY))
    test_clock.set(_instant("2026-04-02"))
    exported = tmp_path / "exported.yaml"
    exported.write_text(applied())
    with nothing_written():
        assert apply_file(exported) == []


def test_a_new_shop_takes_what_has_begun_elsewhere(db: Databases, written: Written, test_clock: BusinessClock) -> None:
    """Given a file of a shop that has sold for long, when an empty shop takes it over, then with all its versions."""
    test_clock.set(dt.datetime(2026, 6, 1, tzinfo=dt.UTC))
    apply_file(written(APRIL, MAY))
    catalog.forget()
    assert policy.at(test_clock.at).unpaid_orders == 4
    assert policy.at(dt.datetime(2026, 4, 20, tzinfo=dt.UTC)).unpaid_orders == 3


@pytest.mark.usefixtures("shop")
def test_the_catalog_shows_what_holds_and_what_comes(test_clock: BusinessClock) -> None:
    begun, comes = test_clock.at + dt.timedelta(hours=1), test_clock.at + 2 * DAY
    date_policy(begun, unpaid_orders=3, remind_days=[4, 2], top_up_min={"CNY": 5})
    date_policy(comes, unpaid_orders=6)
    test_clock.set(begun)
    shown = {row["number"]: row for row in on_sale(catalog.current())["policy"]}
    assert list(shown) == list(type(DEFAULT).model_fields)
    assert shown["unpaid_orders"] == {
        "number": "unpaid_orders", "value": 3, "since": begun, "later": 6, "later_from": comes,
    }  # fmt: skip
    assert shown["quote_minutes"] == {
        "number": "quote_minutes", "value": 15, "since": None, "later": None, "later_from": None,
    }  # fmt: skip
    assert (shown["remind_days"]["value"], shown["top_up_min"]["value"]) == ("4 2", "CNY 5")


@pytest.mark.usefixtures("shop")
def test_reading_it_asks_the_database_once_for_each_catalog(test_clock: BusinessClock) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    date_policy(test_clock.at + DAY, unpaid_orders=3)
    policy.at(clock.now())
    with CaptureQueriesContext(connection) as queries:
        for hour in range(50):
            policy.at(clock.now() + dt.timedelta(hours=hour))
    assert len(queries) == 0


@pytest.mark.usefixtures("shop")
def test_a_name_that_only_a_newer_vmart_knows_is_passed_over(test_clock: BusinessClock) -> None:
    """Given the version of before still running beside the one that was just installed, then it works on."""
    numbers = {"unpaid_orders": 3, "of_the_next": 1}
    Version.objects.create(begins_at=test_clock.at, numbers=numbers, applied_at=test_clock.at)
    catalog.refresh()
    assert policy.at(test_clock.at) == DEFAULT.model_copy(update={"unpaid_orders": 3})


@pytest.mark.usefixtures("shop")
def test_the_past_is_cut_into_the_periods_of_its_policy(test_clock: BusinessClock) -> None:
    first, second = test_clock.at + DAY, test_clock.at + 2 * DAY
    date_policy(first, unpaid_orders=3)
    date_policy(second, unpaid_orders=4)
    beginning = dt.datetime.min.replace(tzinfo=dt.UTC)
    found = [(begin, end, rules.unpaid_orders) for begin, end, rules in policy.periods(second)]
    assert found == [(beginning, first, 20), (first, second, 3)]
    assert [rules.unpaid_orders for *_, rules in policy.periods(second + DAY)] == [20, 3, 4]
    assert db.rows("SELECT count(*) AS n FROM policy_version") == [{"n": 2}]


def test_a_change_of_a_new_version_without_a_difference_is_told_too() -> None:
    assert str(Change("policy", "from 2026-04-01 00:00:00Z", {})) == "+ policy from 2026-04-01 00:00:00Z"
