"""Given a shop that sells, when a changed catalog file is applied, then the difference is shown, asked for, made so."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from django.db import connection

from tests.support.database import DEMO_CATALOG, Databases
from tests.support.shopper import HOURLY, LOGIN, MONTHLY, MONTHLY_MINOR, ZONE, open_purse, wanted
from tests.support.written import nothing_written, refused
from vmart.backoffice.apply_catalog import Change, Declined, apply_file
from vmart.catalog import shop as catalog
from vmart.catalog.models import InstanceType, Region
from vmart.config.cli import main
from vmart.customers.models import QuotaSet
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.kernel.documents import DocumentError
from vmart.kernel.models import Deployment
from vmart.network.models import PublicAddress
from vmart.orders import errors
from vmart.orders.purchase import Machine, purchase
from vmart.pricing.configuration import DiskChoice
from vmart.pricing.errors import UnknownDiskType
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


# -- what the file no longer names -----------------------------------------------------------------

DEBIAN_13 = DEMO_CATALOG.read_text().partition("  - public_id: img-db13q2m9\n")[2].partition("  - public_id:")[0]
BALANCED = DEMO_CATALOG.read_text().partition("  - code: CLOUD_BSSD\n")[2].partition("  - code:")[0]
SHORTER_POOL = ("last: 198.18.15.254", "last: 198.18.0.20")  # of ap-guangzhou-4


def _told(changes: list[Change]) -> list[str]:
    return [str(change) for change in changes]


def test_an_image_that_is_no_longer_named_is_no_longer_sold(edited: Edited) -> None:
    without = edited(("  - public_id: img-db13q2m9\n" + DEBIAN_13, ""))
    (change, *positions) = apply_file(without)[::-1]
    assert str(change) == (
        "~ image img-db13q2m9: unavailable_en: '' -> 'No longer on sale.', unavailable_zh: '' -> '已停售。'"
    )
    assert all(set(other.fields) == {"position"} for other in positions)
    account = open_purse(cash_minor=2 * MONTHLY_MINOR)
    with refused(errors.ImageNotSold, field="ImageId", match="No longer on sale."):
        purchase(wanted(account, machine=Machine("img-db13q2m9", LOGIN)))
    purchase(wanted(account))
    assert apply_file(without) == []
    apply_file(DEMO_CATALOG)
    catalog.current()
    purchase(wanted(account, machine=Machine("img-db13q2m9", LOGIN)))


def test_a_disk_type_that_is_no_longer_named_is_no_longer_sold(edited: Edited) -> None:
    """Its price stays in the book: machines that have it go on being charged."""
    without = edited(("  - code: CLOUD_BSSD\n" + BALANCED, ""))
    assert _told(apply_file(without))[-1] == "- disk type CLOUD_BSSD"
    account = open_purse(cash_minor=10 * MONTHLY_MINOR)
    balanced = replace(MONTHLY, system_disk=DiskChoice("CLOUD_BSSD", 50))
    with refused(UnknownDiskType, field="SystemDisk.DiskType", match="possible are CLOUD_PREMIUM, CLOUD_SSD"):
        purchase(wanted(account, balanced))
    with refused(UnknownDiskType, field="DataDisks.1.DiskType"):
        disks = (DiskChoice("CLOUD_SSD", 50), DiskChoice("CLOUD_BSSD", 50))
        purchase(wanted(account, replace(MONTHLY, data_disks=disks)))
    assert apply_file(without) == []
    apply_file(DEMO_CATALOG)
    catalog.current()
    purchase(wanted(account, balanced))


def _pool() -> list[str]:
    """The addresses that machines in the zone of these tests can get."""
    free = PublicAddress.objects.filter(zone_id=ZONE, instance_id=None)
    return sorted(free.values_list("ip", flat=True), key=ip_address)


def test_addresses_that_are_no_longer_named_go_at_once_or_with_their_machine(edited: Edited) -> None:
    account = open_purse(cash_minor=1000)
    online = replace(HOURLY, bandwidth_mbps=1, public_ip=True)
    kept, held = (Instance.objects.get(public_id=purchase(wanted(account, online)).instance_ids[0]) for _ in range(2))
    with db.act():  # as if many machines had come between the two
        db.call("network_free_public", [held.id], clock.now())
        PublicAddress.objects.filter(ip="198.18.1.1").update(instance_id=held.id, account_id=account, free_since=None)
    whole = len(_pool())
    assert kept.public_ip == "198.18.0.10"
    shorter = edited(SHORTER_POOL)
    assert _told(apply_file(shorter)) == ["- addresses ap-guangzhou-4: 4074, 1 of them when their machines end"]
    assert _pool() == [f"198.18.0.{n}" for n in range(11, 21)]
    assert PublicAddress.objects.get(instance_id=held.id).ip == "198.18.1.1"
    assert apply_file(shorter) == []
    with db.act():
        db.call("network_free_public", [kept.id, held.id], clock.now())
    assert _pool() == [f"198.18.0.{n}" for n in range(10, 21)]
    assert _told(apply_file(DEMO_CATALOG)) == ["+ addresses ap-guangzhou-4: 4074"]
    assert len(_pool()) == whole + 2


def test_an_address_that_is_named_again_while_in_use_stays(edited: Edited) -> None:
    account = open_purse(cash_minor=1000)
    purchase(wanted(account, replace(HOURLY, bandwidth_mbps=1, public_ip=True)))
    apply_file(edited(("first: 198.18.0.10", "first: 198.18.0.11")))
    assert PublicAddress.objects.get(ip="198.18.0.10").withdrawn
    assert _told(apply_file(DEMO_CATALOG)) == ["+ addresses ap-guangzhou-4: 1"]
    with db.act():
        db.call("network_free_public", list(Instance.objects.values_list("id", flat=True)), clock.now())
    assert "198.18.0.10" in _pool()


def test_a_free_address_may_move_to_another_zone_and_one_in_use_may_not(edited: Edited) -> None:
    moved = [("last: 198.18.15.254", "last: 198.18.15.200"), ("first: 198.18.16.10", "first: 198.18.15.250")]
    cidr = ("cidr: 198.18.16.0/20", "cidr: 198.18.0.0/19")
    account = open_purse(cash_minor=1000)
    purchase(wanted(account, replace(HOURLY, bandwidth_mbps=1, public_ip=True)))
    PublicAddress.objects.filter(ip="198.18.0.10").delete()
    PublicAddress.objects.filter(ip="198.18.15.252").update(
        instance_id=Instance.objects.get().id, account_id=account, free_since=None
    )
    says = "ap-guangzhou-6.address_pools: 198.18.15.252 is in use in ap-guangzhou-4 until its machine ends"
    with refused(DocumentError, match=says):
        apply_file(edited(*moved, cidr))
    with db.act():
        db.call("network_free_public", [Instance.objects.get().id], clock.now())
    apply_file(edited(*moved, cidr))
    assert PublicAddress.objects.get(ip="198.18.15.252").zone_id == "ap-guangzhou-6"


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
        answer = _command(edited(replaced, RENAMED), "--yes")
    assert answer.exit_code == 3
    assert answer.output.startswith("vmart: ") and says in answer.output, answer.output
    assert Book.objects.count() == 1 and InstanceType.objects.count() == 12
