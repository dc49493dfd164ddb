"""Given a shop that sells, when a changed catalog file is applied, then the difference is shown, asked for, made so."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from django.db import connection

from tests.support.database import DEMO_CATALOG, Databases
from tests.support.written import nothing_written
from vmart.backoffice.apply_catalog import Change, Declined, apply_file
from vmart.catalog import shop as catalog
from vmart.catalog.models import InstanceType, Region
from vmart.config.cli import main
from vmart.customers.models import QuotaSet
from vmart.kernel.models import Deployment
from vmart.pricing.models import Book

pytestmark = pytest.mark.usefixtures("shop")
Edited = Callable[..., Path]


@pytest.fixture
def edited(tmp_path: Path) -> Edited:
    """``edited(("old", "new"), …)``: the demo catalog's file with these texts replaced, each there exactly once."""

    def edit(*replaced: tuple[str, str]) -> Path:
        text = DEMO_CATALOG.read_text()
        for old, new in replaced:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        file = tmp_path / "catalog.yaml"
        file.write_text(text)
        return file

    return edit


RENAMED = ("East China (Shanghai)", "The East")
MORE_QUOTA = ("postpaid_per_zone: 30,", "postpaid_per_zone: 40,")


def test_the_difference_is_shown_line_by_line_and_made_so(edited: Edited) -> None:
    shown: list[str] = []

    def agree(changes: list[Change]) -> bool:
        shown.extend(map(str, changes))
        return True

    generation = Deployment.objects.get().generation
    file = edited(RENAMED, MORE_QUOTA)
    apply_file(file, agree)
    assert shown == [
        "~ region ap-shanghai: name_en: 'East China (Shanghai)' -> 'The East'",
        "~ quotas default: quota_postpaid_per_zone: 30 -> 40",
    ]
    assert Region.objects.get(code="ap-shanghai").name_en == "The East"
    assert QuotaSet.objects.get(name="default").quota_postpaid_per_zone == 40
    assert catalog.current().generation == generation + 1
    with nothing_written():
        assert apply_file(file, lambda _changes: pytest.fail("there is nothing to ask")) == []


def test_what_is_declined_is_not_written(edited: Edited) -> None:
    with nothing_written(), pytest.raises(Declined):
        apply_file(edited(RENAMED, MORE_QUOTA), lambda _changes: False)


def test_nothing_is_locked_while_the_seller_reads(shop: Databases, edited: Edited) -> None:
    """However long the answer takes, the shop sells on."""

    def think(_changes: list[Change]) -> bool:
        assert not connection.in_atomic_block
        with psycopg.connect(shop.url()) as other:
            other.execute("SELECT FROM kernel_deployment FOR UPDATE NOWAIT")
            other.execute("SELECT FROM catalog_region FOR UPDATE NOWAIT")
        return True

    assert len(apply_file(edited(RENAMED), think)) == 1


def test_what_changed_while_the_seller_read_is_shown_before_it_is_written(edited: Edited) -> None:
    """Given another change before the answer, then it is asked again, with what differs then."""
    asked: list[list[str]] = []

    def answer(changes: list[Change]) -> bool:
        asked.append([str(change) for change in changes])
        if len(asked) == 1:
            Region.objects.filter(code="ap-shanghai").update(name_en="The Orient")
        return True

    apply_file(edited(RENAMED), answer)
    assert asked == [
        ["~ region ap-shanghai: name_en: 'East China (Shanghai)' -> 'The East'"],
        ["~ region ap-shanghai: name_en: 'The Orient' -> 'The East'"],
    ]
    assert Region.objects.get(code="ap-shanghai").name_en == "The East"


# -- as a command ----------------------------------------------------------------------------------


def _command(file: Path, *options: str, answers: str = "") -> Result:
    return CliRunner().invoke(main, ["catalog", "apply", str(file), *options], input=answers)


def test_the_command_shows_asks_and_takes_no_for_an_answer(edited: Edited) -> None:
    with nothing_written():
        declined = _command(edited(RENAMED), answers="n\n")
    assert declined.exit_code == 1
    assert declined.output == (
        "~ region ap-shanghai: name_en: 'East China (Shanghai)' -> 'The East'\n"
        "apply this? [y/N]: n\n"
        "nothing was changed\n"
    )


def test_the_command_applies_what_was_agreed_to_and_says_when_there_is_nothing(edited: Edited) -> None:
    file = edited(RENAMED)
    agreed = _command(file, answers="y\n")
    assert (agreed.exit_code, agreed.output.splitlines()[-1]) == (0, "1 changes are on sale")
    again = _command(file)
    assert (again.exit_code, again.output) == (0, "the shop sells exactly that already\n")
    back = _command(DEMO_CATALOG, "--yes")
    assert back.output == (
        "~ region ap-shanghai: name_en: 'The East' -> 'East China (Shanghai)'\n1 changes are on sale\n"
    )


@pytest.mark.parametrize(
    ("replaced", "says"),
    [
        (("hour: 0.14, terms", "hour: 0.15, terms"), "price_book.effective_at is 2009-12-31T16:00"),
        (("vcpu: 1, memory_gib: 2}", "vcpu: none, memory_gib: 2}"), "instance_types.2.vcpu"),
        (("currency: CNY", "currency: USD"), "this shop's is CNY for good"),
    ],
    ids=["a price changed in a published book", "a bad value", "another currency"],
)
def test_a_file_that_cannot_be_applied_is_refused_in_a_sentence(
    edited: Edited, replaced: tuple[str, str], says: str
) -> None:
    with nothing_written():
        refused = _command(edited(replaced, RENAMED), "--yes")
    assert refused.exit_code == 3
    assert refused.output.startswith("vmart: ") and says in refused.output, refused.output
    assert Book.objects.count() == 1 and InstanceType.objects.count() == 12
