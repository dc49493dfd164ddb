"""Given a shop that sells, when a changed catalog file is applied, then the difference is shown, asked for, made so."""

import datetime as dt
import threading
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from django.db import connection
from django.http import QueryDict

from tests.support.at_once import at_once, wait_until_blocked
from tests.support.business_clock import BusinessClock
from tests.support.database import DEMO_CATALOG, Databases
from tests.support.shopper import HOURLY, LOGIN, MONTHLY, MONTHLY_MINOR, ZONE, open_purse, wanted
from tests.support.written import nothing_written, refused
from vmart.backoffice.apply_catalog import Change, Declined, applied, apply_file, apply_text
from vmart.catalog import shop as catalog
from vmart.catalog.models import Image, InstanceType, Region, Zone, ZoneImage
from vmart.config.cli import main
from vmart.customers.models import QuotaDefault
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.kernel.documents import DocumentError
from vmart.kernel.models import Deployment
from vmart.network.models import Ipv6Address, PublicAddress
from vmart.orders import errors
from vmart.orders.own_network import NetworkWanted
from vmart.orders.purchase import purchase
from vmart.orders.wanted import Machine
from vmart.pricing.configuration import DiskChoice
from vmart.pricing.errors import UnknownDiskType
from vmart.pricing.models import Book
from vmart.web import offer
from vmart.web.choice import Typed

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
NEXT_DEBIAN = (
    '    recipe: debian-12\n    version: "1"\n', '    recipe: debian-12\n    version: "2"\n'
)  # fmt: skip
MORE_QUOTA = ("postpaid_per_zone: 30,", "postpaid_per_zone: 40,")


def test_an_image_is_as_old_as_its_version(edited: Edited, test_clock: BusinessClock) -> None:
    """Given the same file a day later, then it is what it was; another version of it is a new image, of that day."""

    def made() -> list[dt.datetime]:
        return list(Image.objects.filter(recipe__in=["debian-12", "debian-13"]).values_list("created_at", flat=True))

    first = made()
    test_clock.advance(days=1)
    apply_file(edited(RENAMED))
    assert made() == first
    apply_file(edited(RENAMED, NEXT_DEBIAN))
    assert sorted(made()) == [first[1], test_clock.at]


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
        "~ quota default postpaid_per_zone: value: 30 -> 40",
    ]
    assert Region.objects.get(code="ap-shanghai").name_en == "The East"
    assert QuotaDefault.objects.get(set_name="default", name="postpaid_per_zone").value == 40
    assert catalog.current().generation == generation + 1
    with nothing_written():
        assert apply_file(file, lambda _changes: pytest.fail("there is nothing to ask")) == []


IN_SHANGHAI = "    name: {en: East China (Shanghai), zh: 华东地区(上海)}\n    country: CN\n"


def test_a_region_gets_another_country_and_loses_it(edited: Edited) -> None:
    elsewhere = IN_SHANGHAI.replace("CN", '"NO"')
    for said, country in ((elsewhere, "NO"), (IN_SHANGHAI.replace("    country: CN\n", ""), "")):
        before = Region.objects.get(code="ap-shanghai").country
        changes = apply_file(edited((IN_SHANGHAI, said)))
        assert _told(changes) == [f"~ region ap-shanghai: country: {before!r} -> {country!r}"]
        assert {region.code: region.country for region in catalog.current().regions.values()} == {
            "ap-guangzhou": "CN", "ap-shanghai": country,
        }  # fmt: skip
        assert apply_text(applied()) == []  # what is exported changes nothing


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
    with refused(errors.ImageNotSold, field="image_id", match="No longer on sale."):
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
    with refused(UnknownDiskType, field="system_disk.disk_type", match="possible are CLOUD_PREMIUM, CLOUD_SSD"):
        purchase(wanted(account, balanced))
    with refused(UnknownDiskType, field="data_disks.1.disk_type"):
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


def test_a_prefix_changes_for_new_machines_and_takes_no_address_of_another_zones(edited: Edited) -> None:
    account, prefix = open_purse(cash_minor=1000), "        ipv6_prefix: 2001:db8:4::/64\n"
    machine = Machine("img-db12k7x4", LOGIN, network=NetworkWanted(ipv6_addresses=1))
    purchase(wanted(account, replace(HOURLY, bandwidth_mbps=1, public_ip=True), machine=machine))
    mine = Ipv6Address.objects.get().ip
    apply_file(edited(("2001:db8:4::/64", "2001:db8:5::/64")))
    assert (Zone.objects.get(code=ZONE).ipv6_prefix, Ipv6Address.objects.get().ip) == ("2001:db8:5::/64", mine)
    sixth = "            first: 198.18.16.10\n            last: 198.18.31.254\n            note: *simulated\n"
    says = f"ap-guangzhou-6.ipv6_prefix: {mine} is in use in {ZONE} until its machine ends"
    with refused(DocumentError, match=says):
        apply_file(edited((prefix, ""), (sixth, sixth + prefix)))
    apply_file(edited((prefix, "")))
    assert Zone.objects.get(code=ZONE).ipv6_prefix == ""


def test_a_catalog_waits_for_a_purchase_that_claims_an_address(edited: Edited) -> None:
    """Given a purchase that is not committed, then its address is not overlooked where its prefix moves elsewhere."""
    account, prefix = open_purse(cash_minor=1000), "        ipv6_prefix: 2001:db8:4::/64\n"
    machine = Machine("img-db12k7x4", LOGIN, network=NetworkWanted(ipv6_addresses=1))
    sixth = "            first: 198.18.16.10\n            last: 198.18.31.254\n            note: *simulated\n"
    moved = edited((prefix, ""), (sixth, sixth + prefix))
    waiting: list[object] = []
    thread = threading.Thread(target=lambda: waiting.extend(at_once(lambda: apply_file(moved))))
    with db.act():
        purchase(wanted(account, replace(HOURLY, bandwidth_mbps=1, public_ip=True), machine=machine))
        thread.start()
        wait_until_blocked()
    thread.join(30)
    mine = Ipv6Address.objects.get().ip
    (refusal,) = waiting
    assert isinstance(refusal, DocumentError)
    assert refusal.problems == [
        f"regions.zones.ap-guangzhou-6.ipv6_prefix: {mine} is in use in {ZONE} until its machine ends"
    ]
    assert Zone.objects.get(code="ap-guangzhou-6").ipv6_prefix == ""


# -- what has no price yet --------------------------------------------------------------------------

NEXT_BOOK = ("  version: 1\n  effective_at: 2010-01-01", "  version: 2\n  effective_at: 2026-03-11")
NEW_PRICE = ("    S5.SMALL1: {month: 45,", "    S9.SMALL1: {month: 9, hour: 0.09}\n    S5.SMALL1: {month: 45,")
OLD_TYPE = "  - {code: S5.SMALL1, family: S5, vcpu: 1, memory_gib: 1}"


def _new_type(sold: str) -> tuple[str, str]:
    return OLD_TYPE, f"{OLD_TYPE}\n  - {{code: S9.SMALL1, family: S5, vcpu: 1, memory_gib: 1{sold}}}"


def test_what_has_its_price_from_tomorrow_on_is_not_sold_today(edited: Edited, test_clock: BusinessClock) -> None:
    """Given a new type in a book of tomorrow, then pages and lists of today would find no price for it."""
    with nothing_written(), pytest.raises(DocumentError) as refusal:
        apply_file(edited(NEXT_BOOK, NEW_PRICE, _new_type("")))
    assert refusal.value.problems == [
        "price_book.instance_types.S9.SMALL1: holds from 2026-03-10 16:00Z on, and the file sells it at once: leave it"
        " off sale until then (zones: [])"
    ]
    apply_file(edited(NEXT_BOOK, NEW_PRICE, _new_type(", zones: []")))
    assert offer.make(Typed.of(QueryDict()), None).quoted is not None
    test_clock.advance(days=1)
    apply_file(edited(NEXT_BOOK, NEW_PRICE, _new_type("")))
    catalog.current()
    shown = offer.make(Typed.of(QueryDict("type=S9.SMALL1&charge=postpaid")), None)
    assert shown.quoted is not None and shown.quoted.configuration.instance_type == "S9.SMALL1"
    assert {option.kind.code for option in shown.types.rows} >= {"S9.SMALL1", "S5.SMALL1"}


# -- what the database holds of it -----------------------------------------------------------------

LONG = "n" * 80


def test_the_largest_that_a_file_may_say_fits(edited: Edited) -> None:
    file = edited(
        ("legacy_id: 100006", "legacy_id: 2147483647"),
        ("{en: Guangzhou Zone 4, zh: 广州四区}", f"{{en: {LONG}, zh: {'区' * 80}}}"),
        ("{name: gz4-a, vcpu: 256, memory_gib: 1024, disk_gib: 40960}",
         "{name: gz4-a, vcpu: 100000, memory_gib: 1000000, disk_gib: 100000000}"),
        ("{en: Balanced SSD, zh: 通用型SSD云硬盘}", f"{{en: {LONG}, zh: {LONG}}}"),
        ("code: C3.LARGE8, family: C3, vcpu: 4, memory_gib: 8}",
         "code: C3.LARGE8, family: C3, vcpu: 1024, memory_gib: 65536}"),
        ("{code: C3, name: {en: Compute Optimized C3, zh: 计算型C3}", f"{{code: C3, name: {{en: {LONG}, zh: {LONG}}}"),
        MORE_QUOTA, ("run_instances_per_s: 100, launch_templates: 200}",
                     "run_instances_per_s: 2147483647, launch_templates: 2147483647}"),
    )  # fmt: skip
    assert len(apply_file(file)) >= 7
    assert apply_file(file) == []


@pytest.mark.parametrize(
    ("replaced", "says"),
    [
        (("legacy_id: 100006", "legacy_id: 2147483648"),
         "regions.0.zones.2.legacy_id: Input should be less than or equal to 2147483647, not 2147483648"),
        (("{en: Guangzhou Zone 4,", f"{{en: {LONG}n,"),
         f"regions.0.zones.1.name.en: String should have at most 80 characters, not {LONG}n"),
        (("  - code: CLOUD_BSSD", "  - code: CLOUD_" + "B" * 15),
         f"disk_types.1.code: String should have at most 20 characters, not CLOUD_{'B' * 15}"),
        (("vcpu: 4, memory_gib: 8}\n  - {code: C3.2X", "vcpu: 4, memory_gib: 65537}\n  - {code: C3.2X"),
         "instance_types.10.memory_gib: Input should be less than or equal to 65536, not 65537"),
        (("  version: 1\n  effective_at", "  version: 2147483648\n  effective_at"),
         "price_book.version: Input should be less than or equal to 2147483647, not 2147483648"),
        (("effective_at: 2010-01-01", "effective_at: 0001-01-01"), "price_book.effective_at: no such instant in UTC"),
        (("zh: 广州六区", 'zh: "\\0"'), "regions.0.zones.2.name.zh: holds characters that are not text"),
    ],
)  # fmt: skip
def test_what_would_not_fit_is_refused_with_its_place(edited: Edited, replaced: tuple[str, str], says: str) -> None:
    with nothing_written(), pytest.raises(DocumentError) as refusal:
        apply_file(edited(replaced))
    assert refusal.value.problems == [says]


def test_a_number_that_is_anothers_is_refused_in_a_sentence(edited: Edited) -> None:
    """Given a zone that takes the number of one that comes after it in the file (and it a new one)."""
    with nothing_written(), pytest.raises(DocumentError) as refusal:
        apply_file(edited(("legacy_id: 100004", "legacy_id: 100009"), ("legacy_id: 100003", "legacy_id: 100004")))
    assert refusal.value.problems == [
        "zone: Key (legacy_id)=(100004) already exists. Another of this shop has it, perhaps one that is off sale; for"
        " two to swap, give one of them a third first"
    ]


def test_a_file_that_is_no_utf8_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "catalog.yaml"
    file.write_bytes(DEMO_CATALOG.read_text().encode("gb18030"))
    with nothing_written(), pytest.raises(DocumentError, match="document: is not UTF-8 text"):
        apply_file(file)


# -- another engine --------------------------------------------------------------------------------

ENGINE = "kind: simulated\n          members:\n            - {name: gz4-a,"


def _with(settings: str) -> tuple[str, str]:
    return ENGINE, ENGINE.replace("members:", f"settings: {settings}\n          members:")


def test_settings_with_a_decimal_are_kept_as_written_and_are_no_difference_the_next_time(edited: Edited) -> None:
    file = edited(_with("{latency_s: {ensure_present: 0.125}, failure_rate: 1.0e-3, images: [debian-12], seed: 7}"))
    assert [change.key for change in apply_file(file)] == [ZONE]
    kept = Zone.objects.get(code=ZONE).engine_settings
    assert {name: kept[name] for name in kept if name != "members"} == {
        "latency_s": {"ensure_present": 0.125}, "failure_rate": 0.001, "images": ["debian-12"], "seed": 7,
    }  # fmt: skip
    with nothing_written():
        assert apply_file(file) == []


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("{since: 2026-01-01}", "since: 2026-01-01 is neither text, nor a number, true, false, a list or a mapping"),
        ("{members_of: [a, {b: 2026-01-01}]}",
         "members_of.1.b: 2026-01-01 is neither text, nor a number, true, false, a list or a mapping"),
        ("{latency_s: 1.0e+999}",
         "latency_s: 1.0E+999 is neither text, nor a number, true, false, a list or a mapping"),
        ("{ports: {22: 2}}", "ports: the key 22 is no text; write it in quotation marks"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_kept_are_refused_with_their_path(edited: Edited, settings: str, problem: str) -> None:
    with nothing_written(), pytest.raises(DocumentError) as refused_with:
        apply_file(edited(_with(settings)))
    (told,) = refused_with.value.problems
    assert told.startswith("regions.0.zones.") and told.endswith(f".engine.settings: {problem}")


def test_settings_that_lead_to_other_machines_are_refused_while_machines_live(edited: Edited, tmp_path: Path) -> None:
    purchase(wanted(open_purse(cash_minor=1000), HOURLY))
    says = f"regions.zones.{ZONE}.engine.settings: zone {ZONE} has 1 machine on its simulated engine: end them first"
    with refused(DocumentError, match=says):
        apply_file(edited(_with(f"{{file: {tmp_path}/other.sqlite}}")))
    assert len(apply_file(edited(_with("{latency_s: 1}")))) == 1


def test_an_incus_that_is_reached_by_another_address_keeps_its_machines_and_shows_its_images_again(
    edited: Edited,
) -> None:
    remote = "kind: incus\n          settings: {{url: 'https://{}:8443', deployment: a}}\n"
    text = DEMO_CATALOG.read_text()
    members = text.partition(ENGINE)[2].partition("        address_pools")[0]
    whole = ENGINE + members
    apply_file(edited((whole, remote.format("192.0.2.7"))))
    ZoneImage.objects.filter(zone_id=ZONE).update(status="ready", version="1")
    moved = edited((whole, remote.format("192.0.2.8")))
    assert [change.what for change in apply_file(moved)] == ["zone"]
    assert set(ZoneImage.objects.filter(zone_id=ZONE).values_list("status", flat=True)) == {"missing"}


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
