"""Given systems of customers, when they are imported, then machines are made of them, and nothing else comes in."""

import datetime as dt
import errno
import gzip
import hashlib
import ipaddress
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from tests.orders.test_images import buy_running, latest
from tests.policy.dating import date_policy
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.file_server import FileServer, redirect, serving
from tests.support.quotas import one as quota
from tests.support.shopper import ZONE, open_purse, owe, purses, work
from tests.support.systems import GIB, archive, disk, entry
from tests.support.written import refused
from tests.tags import tagging
from vmart.catalog.models import Zone
from vmart.config.reconcile import reconcile
from vmart.engines.foreign import rootfs
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.kernel import clock
from vmart.kernel.clock import HOUR
from vmart.kernel.errors import InvalidValue, Refused
from vmart.orders import errors
from vmart.orders.images import chosen, delete, import_image, share
from vmart.orders.images.import_image import NewImport
from vmart.orders.images.source import parse
from vmart.orders.unpaid import InArrears
from vmart.provisioning import zones
from vmart.storage.models import Disk, OwnImage
from vmart.tags.things import IMAGE, Thing
from vmart.tags.wanted import Tag
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

UBUNTU = "img-ub24n5t8"  # which the shop itself does not sell
PACKED = gzip.compress(archive())
SHA256 = hashlib.sha256(PACKED).hexdigest()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FileServer]:
    """One that the seller lets be reached, with a system."""
    monkeypatch.setattr(settings, "IMPORT_NETWORKS", [ipaddress.ip_network("127.0.0.1/32")])
    monkeypatch.setattr(settings, "IMPORT_PLAIN", True)
    (folder := tmp_path / "imports").mkdir()
    monkeypatch.setattr(settings, "IMPORT_DIR", str(folder))
    monkeypatch.setattr(import_image, "_LOOK_S", 0.0)
    with serving() as there:
        there.files["/web.tar.gz"] = PACKED
        yield there
    assert list(folder.iterdir()) == []


@pytest.fixture
def account() -> int:
    zones.check(ZONE)
    return open_purse(cash_minor=100_000)


def wanted(server: FileServer, path: str = "/web.tar.gz", **more: Any) -> NewImport:
    return NewImport(**({"name": "web", "url": server.url(path), "base": UBUNTU, "region": "ap-guangzhou"} | more))


def imported(account: int, asked: NewImport) -> OwnImage:
    """When its import has ended."""
    public_id = import_image.accept(by(account), asked)
    work()
    return OwnImage.objects.get(public_id=public_id)


def test_what_was_brought_is_on_machines_of_its_image(account: int, server: FileServer, world: World) -> None:
    before = purses(account)
    asked = wanted(server, description="of mine", tags=(Tag("team", "a"),), sha256=SHA256.upper())
    public_id = import_image.accept(by(account), asked)
    image = OwnImage.objects.get(public_id=public_id)
    assert latest(image) == ("IMPORTING", "ImportImage", "OPERATING")
    assert (image.name, image.description, image.zone_id, image.base_id) == ("web", "of mine", ZONE, UBUNTU)
    assert (image.import_url, image.import_sha256, image.snapshot_id) == (server.url("/web.tar.gz"), SHA256, None)
    with refused(errors.ImageNotSold, field="image_id"):
        chosen.choose(shop_now(), account, ZONE, public_id)
    assert list(reconcile()) == []
    work()
    image.refresh_from_db()
    assert latest(image) == ("NORMAL", "ImportImage", "SUCCESS")
    assert (image.size_gib, image.import_url, image.import_sha256, image.percent) == (2, "", SHA256, 100)
    held = world.own_images()[public_id]
    assert held.startswith("rootfs ") and held != f"rootfs {SHA256}"  # written anew
    machine = buy_running(account, image_id=public_id)
    disk_id = Disk.objects.get(instance_id=machine.id, usage=Disk.Usage.SYSTEM).public_id
    assert (machine.own_image, machine.image_id, machine.login_user) == (public_id, UBUNTU, "ubuntu")
    assert (world.read(disk_id), tagging.now(account, Thing(IMAGE, public_id))) == (held, {"team": "a"})
    assert purses(account)["cash"] == before["cash"]
    assert [event.kind for event in Event.objects.filter(subject_kind="own_image").order_by("id")] == [
        "ImportImage", "image_imported",
    ]  # fmt: skip
    assert list(reconcile()) == []


def shop_now() -> Any:
    from vmart.catalog import shop

    return shop.snapshot()


def test_one_is_shared_and_deleted_as_any_other(account: int, server: FileServer, world: World) -> None:
    friend = open_purse("friend", cash_minor=100_000)
    image = imported(account, wanted(server))
    share.share(by(account), image.public_id, [str(friend)])
    assert buy_running(friend, image_id=image.public_id).own_image == image.public_id
    share.unshare(by(account), image.public_id, [str(friend)])
    delete.delete(by(account), [image.public_id], with_snapshots=True)
    work()
    assert (latest(image), world.own_images()) == (("GONE", "DeleteImages", "SUCCESS"), {})
    assert list(reconcile()) == []


def test_a_disk_is_as_large_as_it_says(account: int, server: FileServer, world: World) -> None:
    server.files["/d"] = disk(size=7 * GIB).ljust(1024, b"\0")
    image = imported(account, wanted(server, "/d"))
    assert (image.state, image.size_gib, world.own_images()[image.public_id].split()[0]) == ("NORMAL", 7, "qcow2")


def work_again() -> None:
    """What is put off for a moment is due now."""
    Operation.objects.filter(subject_kind="own_image").update(
        due_at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC), not_before=None
    )
    work()


def failed(account: int, asked: NewImport) -> list[str]:
    """What its owner is told of one that could not be imported, of which nothing is left."""
    image = imported(account, asked)
    assert (image.state, image.latest_operation_state, image.import_url) == ("IMPORTFAILED", "FAILED", "")
    assert not Operation.objects.filter(subject_kind="own_image").exists()
    lines = image.latest_operation_error.split("\n")
    assert lines[0] == "The image was not imported."
    return lines[1:]


def test_what_is_no_system_is_said_and_its_name_is_free_again(account: int, server: FileServer, world: World) -> None:
    outside = entry("../etc/cron.d/x")
    server.files |= {
        "/page": b"<html>" * 200,
        "/out": archive((outside, b"")),
        "/strange": archive(*[(entry("a\udcff"), b"")] * 2),
        "/backed": disk(backing=400).ljust(1024, b"\0"),
        "/inside": redirect("http://127.0.0.2:8080/secret"),
        "/none": redirect("/nothing"),
    }
    for path, sentence in {
        "/page": "The file is neither a qcow2 disk nor an archive of a system.",
        "/out": "A path in the archive leads out of the system.",
        "/strange": "The archive has a path twice.",
        "/backed": "The qcow2 disk needs another file beside it.",
        "/inside": "The host of the address is not on the public internet.",
        "/none": "The host of the address does not give the file.",
    }.items():
        assert failed(account, wanted(server, path))[0] == sentence
    assert failed(account, wanted(server, sha256="0" * 64))[0] == "The file has another SHA-256 than was said."
    assert world.own_images() == {}
    assert imported(account, wanted(server)).state == "NORMAL"
    assert list(reconcile()) == []


def test_a_host_that_is_away_for_a_moment_is_asked_again(account: int, server: FileServer) -> None:
    answers = iter([503, 503])

    def away(asked: Any) -> None:
        status = next(answers, 200)
        asked.send_response(status)
        asked.send_header("Content-Length", str(len(PACKED) if status == 200 else 0))
        asked.end_headers()
        asked.wfile.write(PACKED if status == 200 else b"")

    server.files["/away"] = away
    image = imported(account, wanted(server, "/away"))
    while image.state == "IMPORTING":
        work_again()
        image.refresh_from_db()
    assert (image.state, server.asked) == ("NORMAL", ["/away"] * 3)


def test_larger_than_the_policy_is_refused_packed_or_not(
    account: int, server: FileServer, test_clock: BusinessClock
) -> None:
    date_policy(test_clock.at + HOUR, image_import_gib=1)
    test_clock.advance(HOUR)
    zeros = entry("srv/zeros", content=b"")
    zeros.size = GIB
    with_header = archive()[: -(len(archive()) % 10240) or None]
    server.files["/bomb"] = gzip.compress(archive()[:3072] + zeros.tobuf() + bytes(1024))
    assert with_header and failed(account, wanted(server, "/bomb"))[0] == (
        "The system in the archive is larger than the shop allows."
    )


def test_an_engine_that_fails_or_loses_its_answer_makes_one_image(
    account: int, server: FileServer, world: World
) -> None:
    world.lose_answer("ensure_image_imported")
    image = imported(account, wanted(server))
    work_again()
    image.refresh_from_db()
    assert (image.state, image.size_gib, server.asked) == ("NORMAL", 2, ["/web.tar.gz"])  # not fetched again
    assert (world.own_images().keys(), world.armed_count()) == ({image.public_id}, 0)
    world.fail("ensure_image_imported", transient=False, sentence="The engine is full.", times=2)
    assert failed(account, wanted(server, name="other"))[0] == "The engine is full."
    assert world.own_images().keys() == {image.public_id}
    assert list(reconcile()) == []


NO_ROOM = "The shop has no room for the file just now."


def test_it_waits_for_room(account: int, server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice what is allowed and one GiB, before it is fetched; a wait costs no attempt, and has an end."""
    free = [21 * GIB - 1]
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=free[0], f_frsize=1))
    image = imported(account, wanted(server))
    for _ in range(8):
        work_again()
    waiting = Operation.objects.get(subject_kind="own_image")
    assert (waiting.attempt, waiting.last_error) == (0, f"{NO_ROOM} (21503 MiB are free)")
    assert (image.state, server.asked) == ("IMPORTING", [])
    free[0] += 1
    work_again()
    image.refresh_from_db()
    assert (image.state, server.asked) == ("NORMAL", ["/web.tar.gz"])
    free[0] = 0
    other = imported(account, wanted(server, name="other"))
    long_ago = clock.wall() - dt.timedelta(minutes=120)
    Operation.objects.filter(subject_kind="own_image").update(created_at=long_ago)
    work_again()
    other.refresh_from_db()
    assert (other.state, other.latest_operation_error.split("\n")[1]) == ("IMPORTFAILED", NO_ROOM)


def test_a_folder_that_gets_full_is_waited_for(
    account: int, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = rootfs.clean

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(rootfs, "clean", full)
    image = imported(account, wanted(server))
    waiting = Operation.objects.get(subject_kind="own_image")
    assert waiting.last_error == f"{NO_ROOM} ([Errno 28] No space left on device)"
    monkeypatch.setattr(rootfs, "clean", real)
    work_again()
    image.refresh_from_db()
    assert image.state == "NORMAL"


def test_one_that_is_deleted_meanwhile_is_fetched_no_further(account: int, server: FileServer, world: World) -> None:
    ids: list[str] = []

    def slow(asked: Any) -> None:
        delete.delete(by(account), ids)
        connection.close()  # this thread's
        asked.send_response(200)
        asked.send_header("Content-Length", str(len(PACKED)))
        asked.end_headers()
        asked.wfile.write(PACKED)

    server.files["/slow"] = slow
    ids.append(import_image.accept(by(account), wanted(server, "/slow")))
    world.count_calls()
    work()
    work_again()
    image = OwnImage.objects.get()
    assert latest(image) == ("GONE", "DeleteImages", "SUCCESS")
    assert "ensure_image_imported" not in world.calls()
    assert (world.own_images(), list(reconcile())) == ({}, [])


def test_one_that_is_deleted_while_it_is_read_is_read_no_further(
    account: int, server: FileServer, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, ids, looks = rootfs.clean, list[str](), list[int]()

    def read(source: Any, form: str, target: Any, most_bytes: int, look: Any) -> int:
        delete.delete(by(account), ids)

        def counted() -> None:
            looks.append(source.tell())
            look()

        return real(source, form, target, most_bytes, counted)

    monkeypatch.setattr(rootfs, "clean", read)
    ids.append(import_image.accept(by(account), wanted(server)))
    world.count_calls()
    work()
    work_again()
    assert (latest(OwnImage.objects.get()), looks) == (("GONE", "DeleteImages", "SUCCESS"), [0])
    assert "ensure_image_imported" not in world.calls()


LATE = "The import takes longer than the shop allows."


def test_all_attempts_together_have_one_end(account: int, server: FileServer) -> None:
    ago = iter([119, 120])

    def away(asked: Any) -> None:
        begun = clock.wall() - dt.timedelta(minutes=next(ago))
        Operation.objects.filter(subject_kind="own_image").update(created_at=begun)
        connection.close()  # this thread's
        asked.send_error(503)

    server.files["/away"] = away
    image = imported(account, wanted(server, "/away"))
    while image.state == "IMPORTING":
        work_again()
        image.refresh_from_db()
    assert (image.state, image.latest_operation_error.split("\n")[1]) == ("IMPORTFAILED", LATE)
    assert server.asked == ["/away"] * 2


def test_reading_ends_with_the_time_of_the_whole(
    account: int, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = rootfs.clean

    def read(*given: Any) -> int:
        wall = clock.wall() + dt.timedelta(minutes=120)
        monkeypatch.setattr(clock, "wall", lambda: wall)
        return real(*given)

    monkeypatch.setattr(rootfs, "clean", read)
    assert failed(account, wanted(server))[0] == LATE


def test_what_waited_for_its_turn_has_its_whole_time(account: int, server: FileServer) -> None:
    public_id = import_image.accept(by(account), wanted(server))
    Operation.objects.filter(subject_kind="own_image").update(created_at=clock.wall() - dt.timedelta(days=1))
    work()
    assert OwnImage.objects.get(public_id=public_id).state == "NORMAL"


def test_one_that_waits_is_deleted_before_it_is_fetched(account: int, server: FileServer) -> None:
    public_id = import_image.accept(by(account), wanted(server))
    delete.delete(by(account), [public_id])
    assert OwnImage.objects.get().import_url == ""
    work()
    work_again()
    assert (latest(OwnImage.objects.get()), server.asked) == (("GONE", "DeleteImages", "SUCCESS"), [])


URL = "https://files.example.com/web.tar.gz"
BAD: list[tuple[dict[str, Any], type[Refused], str, str]] = [
    ({"name": ""}, InvalidValue, "image.name", "The name of an image has 1 to 60 characters on one line."),
    ({"name": "a\nb"}, InvalidValue, "image.name", "The name of an image has 1 to 60 characters on one line."),
    ({"description": "x" * 257}, InvalidValue, "image.description",
     "The description of an image has at most 256 characters on one line."),
    ({"url": "ftp://files.example.com/a"}, errors.BadImportUrl, "image.url",
     "The address begins with http:// or https://."),
    ({"url": ""}, errors.BadImportUrl, "image.url", "The address begins with http:// or https://."),
    ({"url": "http://127.0.0.2/a"}, errors.BadImportUrl, "image.url",
     "The host of the address is not on the public internet."),
    ({"url": URL + "#sha=1"}, errors.BadImportUrl, "image.url",
     "Behind # the address may say sha256=… and zone=…, joined by &, and nothing else."),
    ({"url": URL + "#here"}, errors.BadImportUrl, "image.url",
     "Behind # the address may say sha256=… and zone=…, joined by &, and nothing else."),
    ({"url": "https://files.example.com/web.vmdk"}, errors.BadImportUrl, "image.url",
     "Of disks only qcow2 is imported: convert it with `qemu-img convert -O qcow2`."),
    ({"sha256": "abc"}, InvalidValue, "image.sha256", "The SHA-256 of the file has 64 digits of 0-9 and a-f."),
    ({"url": URL + "#sha256=abc"}, InvalidValue, "image.sha256",
     "The SHA-256 of the file has 64 digits of 0-9 and a-f."),
    ({"url": URL + "#sha256=" + "0" * 64, "sha256": "1" * 64}, InvalidValue, "image.sha256",
     "The address says another SHA-256 behind its #."),
    ({"base": "img-neverwas"}, errors.UnknownImage, "image.base", "The image img-neverwas does not exist."),
    ({"zone": "ap-nowhere-1"}, errors.UnknownZone, "image.zone",
     "The zone ap-nowhere-1 does not exist, or is in another region."),
    ({"url": URL + "#zone=ap-shanghai-2"}, errors.UnknownZone, "image.zone",
     "The zone ap-shanghai-2 does not exist, or is in another region."),
    ({"zone": "ap-guangzhou-3"}, errors.NoImports, "image.zone", "No images are imported in ap-guangzhou-3."),
    ({"region": "ap-shanghai"}, errors.NoImports, "image.zone", "No images are imported in ap-shanghai."),
]  # fmt: skip


@pytest.mark.parametrize(("said", "why"), [(said, tuple(why)) for said, *why in BAD])
def test_what_is_wrong_is_named_and_nothing_is_written(
    account: int, server: FileServer, said: dict[str, Any], why: tuple[type[Refused], str, str]
) -> None:
    kind, field, sentence = why
    with refused(kind, field=field, match=f"^{re.escape(sentence)}$"):
        import_image.accept(by(account), wanted(server, **said))
    assert server.asked == []


def test_a_kind_that_the_zone_does_not_take_is_refused_before_it_is_fetched(account: int, server: FileServer) -> None:
    seen = Zone.objects.get(code=ZONE).capabilities
    for kinds, path in ((["rootfs"], "/d.qcow2"), (["qcow2"], "/web.tar.gz")):
        Zone.objects.filter(code=ZONE).update(capabilities=seen | {"imports": kinds})
        with refused(errors.NoImports, field="image.url"):
            import_image.accept(by(account), wanted(server, path))
    assert server.asked == []
    server.files["/nothing-said"] = disk() + bytes(10_000_000)
    Zone.objects.filter(code=ZONE).update(capabilities=seen | {"imports": ["rootfs"]})
    assert failed(account, wanted(server, "/nothing-said"))[0] == (
        "The file is a disk, and machines in the zone are containers."
    )


def test_a_seller_may_take_none(account: int, server: FileServer, test_clock: BusinessClock) -> None:
    date_policy(test_clock.at + HOUR, image_import_gib=0)
    test_clock.advance(HOUR)
    with refused(errors.NoImports, field="image.zone"):
        import_image.accept(by(account), wanted(server))


def test_so_many_at_once_and_so_many_in_all(account: int, server: FileServer) -> None:
    for number in range(2):
        import_image.accept(by(account), wanted(server, name=f"web {number}"))
    with refused(errors.TooManyImports):
        import_image.accept(by(account), wanted(server, name="web 2"))
    with refused(errors.ImageNameTaken, field="image.name"):
        import_image.accept(by(account), wanted(server, name="web 1"))
    work()
    quota(account, images_per_region=2)
    with refused(errors.TooManyImages):
        import_image.accept(by(account), wanted(server, name="web 2"))


def test_in_arrears_nothing_is_imported(account: int, server: FileServer) -> None:
    owe(account)
    with refused(InArrears):
        import_image.accept(by(account), wanted(server))


def test_a_dry_run_writes_and_fetches_nothing(account: int, server: FileServer) -> None:
    import_image.accept(by(account), wanted(server), dry_run=True)
    work()
    assert (OwnImage.objects.count(), Operation.objects.filter(subject_kind="own_image").count()) == (0, 0)
    assert server.asked == []


def test_what_is_behind_the_hash_is_not_sent(account: int, server: FileServer) -> None:
    image = imported(account, wanted(server, f"/web.tar.gz#zone={ZONE}&sha256={SHA256}"))
    assert (image.state, image.import_sha256, server.asked) == ("NORMAL", SHA256, ["/web.tar.gz"])
    assert parse(f"{URL}?a=b#sha256={SHA256.upper()}").sha256 == SHA256
