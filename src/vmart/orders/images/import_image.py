"""A customer's own system becomes an image: fetched from where he says, looked at, then brought to the zone's engine.

It is charged by its GiB from when it is there (ADR 0063). What is fetched lies in files without a name, which end
with this process however it ends; a worker that was killed leaves nothing, and the next begins anew.
"""

import datetime as dt
import errno
import hashlib
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from django.conf import settings
from django.db import transaction

from vmart.catalog import shop
from vmart.catalog.models import Image, Zone
from vmart.engines.contract import EngineError, Foreign
from vmart.engines.contract import OwnImage as Made
from vmart.engines.foreign import kinds
from vmart.engines.foreign.kinds import QCOW2, ROOTFS, Unfit
from vmart.engines.optional import Images
from vmart.events.actor import Actor
from vmart.kernel import clock, db, outward
from vmart.kernel.outward import FetchError
from vmart.orders import by_the_gib, errors, things
from vmart.orders.images import charge, create, leave, own
from vmart.orders.images.source import Source, parse, reach
from vmart.placement.models import Allocation
from vmart.policy import policy
from vmart.storage.images import ImageState, OwnImage
from vmart.tags import new
from vmart.tags.things import IMAGE
from vmart.tags.wanted import Tag
from vmart.worker import queue
from vmart.worker.queue import Claimed

KIND = own.IMPORT_KIND
LANE = "imports"  # of the worker: who sends slowly delays no zone
_FAILED = "The image was not imported."
_GIB = 1 << 30
_LOOK_S = 2.0  # how often it is looked whether anybody still wants it
_ROOM_S = 60.0  # how often it is looked whether there is room
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FETCHED, _READ = 80, 90  # percent of the way


class _Unwanted(Exception):
    """It was deleted meanwhile."""


class _NoRoom(EngineError):
    """The folder of imports is full."""

    def __init__(self, *, detail: str) -> None:
        super().__init__("The shop has no room for the file just now.", transient=True, detail=detail)


@dataclass(frozen=True, slots=True)
class NewImport:
    """``base``: the public image whose system it is. ``zone`` "": where the address says, else in the first of the
    ``region`` ("" of any) that takes it."""

    name: str
    url: str
    base: str
    region: str = ""
    zone: str = ""
    sha256: str = ""
    description: str = ""
    tags: tuple[Tag, ...] = ()


def accept(actor: Actor, asked: NewImport, *, dry_run: bool = False) -> str:
    """Accept an import; the image's public id. With ``dry_run`` nothing is written, and nothing is fetched.

    Raises InvalidValue, BadImportUrl, UnknownImage, UnknownZone, NoImports, TooManyImports, ImageNameTaken,
    TooManyImages, AccountFrozen, InArrears, BadTag, TooManyTags, DiskSoldOut, InsufficientBalance.
    """
    own.check_name(asked.name)
    own.check_description(asked.description)
    new.check(asked.tags)
    source = parse(asked.url, asked.sha256)
    if asked.base not in shop.snapshot().images:
        raise errors.UnknownImage("The image {id} does not exist.", field="image.base", id=asked.base)
    zone = _zone(asked, source)
    with db.act():
        db.call("ledger_lock", actor.account)
        create.refuse_new(actor.account, zone, asked.name)
        _refuse_at_once(actor.account)
        made = _write(actor, asked, source, zone)
        transaction.set_rollback(dry_run)
        return made


def takes(region: str = "") -> dict[str, list[str]]:
    """By zone on sale in the region ("" in any), in the shop's order: kinds of systems that are imported there now."""
    if not policy.at(clock.now()).image_import_gib:
        return {}
    here = shop.snapshot()
    codes = [zone.code for zone in here.zones.values() if zone.on_sale and region in ("", zone.region)]
    found = dict(Zone.objects.filter(code__in=codes).values_list("code", "capabilities"))
    return {code: found[code].get("imports", []) for code in codes if found[code].get("imports")}


def _zone(asked: NewImport, source: Source) -> str:
    there, named = takes(asked.region), asked.zone or source.zone
    if named:
        _check_zone(asked.region, named)
    for zone in [named] if named else there:
        if zone in there and (not source.kind or source.kind in there[zone]):
            return zone
    where = named or asked.region
    if named not in there and (named or not there):
        raise errors.NoImports("No images are imported in {where}.", field="image.zone", where=where)
    if source.kind == QCOW2:
        raise errors.NoImports(
            "Machines in {where} are containers: an archive of a system is imported there, no disk.",
            field="image.url", where=where,
        )  # fmt: skip
    raise errors.NoImports(
        "Machines in {where} are virtual machines: a qcow2 disk is imported there, no archive.",
        field="image.url", where=where,
    )  # fmt: skip


def _check_zone(region: str, code: str) -> None:
    zone = shop.snapshot().zones.get(code)
    if zone is None or not zone.on_sale or region not in ("", zone.region):
        raise errors.UnknownZone(
            "The zone {zone} does not exist, or is in another region.", field="image.zone", zone=code[:40]
        )


def _refuse_at_once(account_id: int) -> None:
    most = policy.at(clock.now()).image_imports
    if OwnImage.objects.filter(account_id=account_id, state=ImageState.IMPORTING).count() >= most:
        raise errors.TooManyImports("At most {most} images are imported at once; wait for one to end.", most=most)


def _write(actor: Actor, asked: NewImport, source: Source, zone: str) -> str:
    number, public_id = create.new_number()
    size_gib = charge.largest_gib()
    charge.agree(actor.account, zone, number, public_id, size_gib)
    image = OwnImage.objects.create(
        id=number, public_id=public_id, account_id=actor.account, zone_id=zone, base_id=asked.base, name=asked.name,
        description=asked.description, size_gib=size_gib, created_at=clock.now(),
        import_url=source.url, import_sha256=source.sha256, state=ImageState.IMPORTING, latest_operation=own.IMPORT,
        latest_operation_state="OPERATING", latest_operation_request_id=actor.request_id,
    )  # fmt: skip
    new.give(actor.account, IMAGE, [public_id], asked.tags)
    things.events([image], own.IMPORT, [{"host": source.host, "zone": zone}], actor)
    queue.enqueue(KIND, image.KIND, image.id, account_id=actor.account, lane=LANE, due_at=clock.now())
    return public_id


# -- the work --------------------------------------------------------------------------------------


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``import_image``: what is not there is fetched and brought, then the outcome."""
    for operation in batch:
        image = OwnImage.objects.get(id=operation.subject_id)
        try:
            made = _brought(image, _ends(operation))
        except _NoRoom as error:
            _wait_for_room(operation, owner, error)
            continue
        except EngineError as error:
            if error.transient:
                raise
            exhausted([operation], owner, error)
            continue
        with own.outcome(operation, owner, ImageState.IMPORTING) as there:
            if there and made:
                charge.begin(there, made.size_gib)
                columns = {"state": ImageState.NORMAL, "latest_operation_state": "SUCCESS", "import_url": ""}
                OwnImage.objects.filter(pk=there.pk).update(size_gib=made.size_gib, percent=100, **columns)
                things.event(there, "image_imported", name=there.name)


def _wait_for_room(operation: Claimed, owner: uuid.UUID, error: _NoRoom) -> None:
    """It costs no attempt, and ends when the import does."""
    if clock.wall() < operation.created_at + _whole():
        queue.put_off(owner, [operation], _ROOM_S, str(error), waiting=True)
    else:
        exhausted([operation], owner, error)


def _ends(operation: Claimed) -> dt.datetime:
    """What waited for its turn has its whole time at its first attempt."""
    return (operation.created_at if operation.attempt > 1 else clock.wall()) + _whole()


def _whole() -> dt.timedelta:
    """How long an import may take with all its attempts, reading and checking too."""
    return 2 * dt.timedelta(minutes=policy.at(clock.now()).image_import_minutes)


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """There is no image, and nothing of it stays on the engine."""
    for operation in batch:
        with own.outcome(operation, owner, ImageState.IMPORTING) as failed:
            if failed:
                by_the_gib.never_there(failed)
                things.fail(failed, _FAILED, error, state=ImageState.IMPORTFAILED, import_url="")
                things.send(failed, leave.KIND)


def _brought(image: OwnImage, ends: dt.datetime) -> Made | None:
    """The image on its engine; None where nobody wants it any more. Raises EngineError."""
    if image.state != ImageState.IMPORTING:
        return None
    engine = own.engine(image.zone_id)
    there = next((one for one in engine.list_images() if one.name == image.public_id and one.whole), None)
    if there is not None:
        return there  # made, and its answer was lost
    try:
        _refuse_no_room(image)
        return _bring(image, engine, ends)
    except _Unwanted:
        return None
    except OSError as error:
        if error.errno in _FULL:
            raise _NoRoom(detail=str(error)) from error
        raise


def _refuse_no_room(image: OwnImage) -> None:
    """Before it is fetched: other things of this host lie there too, perhaps."""
    there = os.statvfs(settings.IMPORT_DIR)
    free = there.f_bavail * there.f_frsize
    if free < 2 * _most_bytes(image) + _GIB:
        raise _NoRoom(detail=f"{free >> 20} MiB are free")


def _bring(image: OwnImage, engine: Images, ends: dt.datetime) -> Made:
    user = Image.objects.values_list("login_user", flat=True).get(public_id=image.base_id)
    with _file() as packed:
        form = _fetch(image, packed, ends)
        look = _every(_LOOK_S, lambda: _tell(image, _FETCHED, ends))
        with _system(packed, form, _most_bytes(image), look) as system:
            _tell(image, _READ, ends)
            return _made(engine, image, system, user)


def _made(engine: Images, image: OwnImage, system: Foreign, user: str) -> Made:
    """A refusal is asked about once more while the file is here: to fetch it again costs more."""
    host = Allocation.objects.values_list("host__name", flat=True).get(instance_id=image.id)
    try:
        return engine.ensure_image_imported(image.public_id, system, user, host)
    except EngineError as error:
        if error.transient:
            raise
        return engine.ensure_image_imported(image.public_id, system, user, host)


def _file() -> BinaryIO:
    return tempfile.TemporaryFile(dir=settings.IMPORT_DIR)


def _most_bytes(image: OwnImage) -> int:
    """Of the file, and of the system in it: for so much there is room."""
    return (image.size_gib - 1) * _GIB


def _fetch(image: OwnImage, packed: BinaryIO, ends: dt.datetime) -> str:
    """Put what the address gives into the file, and say what form it has. Raises EngineError."""
    imports = Zone.objects.values_list("capabilities", flat=True).get(code=image.zone_id).get("imports", [])
    limit_s, most_bytes = min(_whole() / 2, _left(ends)).total_seconds(), _most_bytes(image)
    digest, form = hashlib.sha256(), ""
    try:
        with outward.fetch(image.import_url, reach(), most_bytes=most_bytes, limit_s=limit_s) as (said, pieces):
            tell = _every(_LOOK_S, lambda: _tell(image, packed.tell() * _FETCHED // (said or most_bytes), ends))
            for piece in pieces:
                packed.write(piece)
                digest.update(piece)
                tell()
                if not form and packed.tell() >= kinds.HEAD_BYTES:
                    form = _form(packed, imports)
    except FetchError as error:
        raise EngineError(error.sentence, transient=error.transient, detail=error.detail, helps=_HELPS) from error
    _refuse_other(image, digest.hexdigest())
    OwnImage.objects.filter(pk=image.pk).update(import_sha256=digest.hexdigest())
    return form or _form(packed, imports)


_SMALLER = "Import a smaller system, or from a host that sends faster."
_HELPS = "See that the address gives the file to everybody, then import it again."


def _form(packed: BinaryIO, imports: Sequence[str]) -> str:
    """What its first bytes say, before the rest is waited for."""
    at = packed.tell()
    packed.seek(0)
    form = kinds.form_of(packed.read(kinds.HEAD_BYTES))
    packed.seek(at)
    kind = kinds.kind_of(form)
    if kind == QCOW2 and kind not in imports:
        raise Unfit("The file is a disk, and machines in the zone are containers.", helps="Import an archive of it.")
    if kind == ROOTFS and kind not in imports:
        raise Unfit("The file is an archive, and machines in the zone are virtual ones.", helps="Import a qcow2 disk.")
    return form


def _refuse_other(image: OwnImage, found: str) -> None:
    if image.import_sha256 not in ("", found):
        raise Unfit(
            "The file has another SHA-256 than was said.", detail=found,
            helps="See whether the file came whole to its host, and which SHA-256 it has.",
        )  # fmt: skip


@contextmanager
def _system(packed: BinaryIO, form: str, most_bytes: int, look: Callable[[], None]) -> Iterator[Foreign]:
    """What an engine may be given of it. Raises Unfit."""
    from vmart.engines.foreign import qcow2, rootfs  # what reads files is the worker's alone

    packed.seek(0)
    if form == QCOW2:
        yield Foreign(QCOW2, packed, qcow2.size_gib(packed, most_bytes // _GIB))
        return
    with _file() as clean:
        taken = rootfs.clean(packed, form, clean, most_bytes, look)
        packed.truncate(0)  # what is not needed any more gives its room back
        clean.flush()
        yield Foreign(ROOTFS, clean, -(-taken // _GIB) + 1)


def _every(seconds: float, act: Callable[[], None]) -> Callable[[], None]:
    """The act, at most so often."""
    last = clock.monotonic()

    def maybe() -> None:
        nonlocal last
        if clock.monotonic() - last >= seconds:
            last = clock.monotonic()
            act()

    return maybe


def _left(ends: dt.datetime) -> dt.timedelta:
    """Of the import's time. Raises EngineError where none is."""
    left = ends - clock.wall()
    if left <= dt.timedelta(0):
        raise EngineError("The import takes longer than the shop allows.", transient=False, helps=_SMALLER)
    return left


def _tell(image: OwnImage, percent: int, ends: dt.datetime) -> None:
    """How far it is, for its owner. Raises _Unwanted where it was deleted meanwhile, EngineError after its end."""
    _left(ends)
    if not OwnImage.objects.filter(pk=image.pk, state=ImageState.IMPORTING).update(percent=min(percent, 99)):
        raise _Unwanted
