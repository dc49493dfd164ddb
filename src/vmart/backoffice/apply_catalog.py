"""Make what is on sale be what a catalog file says: shows the difference first, idempotent.

What the file no longer names is taken off sale; what machines and bills refer to is not deleted. One commit;
the deployment's generation grows, so every process reads the catalog anew.
"""

import datetime as dt
import ipaddress
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.db import IntegrityError, models, transaction
from django.db.models import F

from vmart import engines
from vmart.backoffice import change_engine, opening
from vmart.catalog import document as doc
from vmart.catalog.brand import Brand as BrandDocument
from vmart.catalog.models import Applied, Brand, DiskType, Image, InstanceType, Offer, Region, Zone, ZoneImage
from vmart.customers.models import QuotaDefault
from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import clock, db
from vmart.kernel.documents import DocumentError
from vmart.kernel.errors import NotFound, Refused
from vmart.kernel.models import Deployment
from vmart.network.models import PublicAddress
from vmart.placement.models import Host
from vmart.policy import document as policy_document
from vmart.policy import policy
from vmart.pricing import books
from vmart.pricing.book import PriceBook, check_complete, parse_book
from vmart.pricing.models import Book

_GONE_EN, _GONE_ZH = "No longer on sale.", "已停售。"
ZONE_VARIABLE = "VMART_BILLING_ZONE"
COMPUTE_VARIABLE = "VMART_COMPUTE"  # what ``vmart up`` found for zones of kind auto


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the difference: what, its key, and the fields that change (none: it comes, or is taken off sale)."""

    what: str
    key: str
    fields: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    gone: bool = False

    def __str__(self) -> str:
        if not self.fields:
            return f"{'-' if self.gone else '+'} {self.what} {self.key}"
        listed = ", ".join(f"{name}: {old!r} -> {new!r}" for name, (old, new) in self.fields.items())
        return f"~ {self.what} {self.key}: {listed}"


def apply_file(
    path: Path, confirm: Callable[[list[Change]], bool] | None = None, *, by: Actor | None = None
) -> list[Change]:
    """Apply the catalog file, as ``apply_text`` does its text."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError([f"document: is not UTF-8 text ({error.reason} at byte {error.start})"]) from error
    return apply_text(text, confirm, by=by)


def apply_text(
    text: str,
    confirm: Callable[[list[Change]], bool] | None = None,
    *,
    by: Actor | None = None,
    based_on: int | None = None,
) -> list[Change]:
    """Apply the text of a catalog file. Returns the difference that it made.

    ``by`` is who applies it, who must still be allowed to when it is done. ``based_on`` is the number of the applied
    file that the text was made of (0: there was none); ChangedMeanwhile where another was applied since.

    ``confirm`` is shown the difference and may refuse it (Declined). It is asked while nothing is locked: where the
    shop has changed meanwhile, it is shown what the file would change now and asked again.

    Raises kernel.documents.DocumentError (with a sentence for each problem) and pricing refusals.
    """
    catalog, book = read(text)
    agreed: list[Change] | None = None
    while True:
        with db.act():
            try:
                changes = _make_so(catalog, book, based_on)
                _keep(text, by)
            except IntegrityError as error:
                raise _taken(error) from error
            done = not changes or confirm is None or changes == agreed
            if not done:
                transaction.set_rollback(True)
        if done:
            return changes
        assert confirm is not None
        if not confirm(changes):
            raise Declined
        agreed = changes


def apply_in_act(text: str, by: Actor) -> list[Change]:
    """``apply_text`` within an act that does more. Belongs into one that holds what ``lock`` takes."""
    db.require_transaction()
    catalog, book = read(text)
    changes = _make_so(catalog, book, None)
    _keep(text, by)
    return changes


def lock() -> None:
    """One who changes the catalog at a time. Belongs into the act."""
    db.call("network_lock_prefixes")
    Deployment.objects.select_for_update().first()  # of two who apply at once, the second sees what the first did


def read(text: str) -> tuple[doc.CatalogDocument, PriceBook]:
    """What the text of a catalog file says, and its price book, complete. Raises DocumentError and pricing refusals."""
    catalog = doc.read_catalog(text)
    book = parse_book(catalog.price_book)
    check_complete(
        book,
        regions=[region.code for region in catalog.regions],
        instance_types=[item.code for item in catalog.instance_types],
        disk_types=[item.code for item in catalog.disk_types],
    )
    return catalog, book


def _keep(text: str, by: Actor | None) -> None:
    """The file as it is, for ``vmart catalog export``; the same one twice is kept once."""
    if by:
        record.ask(by)
    last = Applied.objects.order_by("-id").first()
    if last is None or last.text != text:
        Applied.objects.create(at=clock.now(), by=by.name if by else "", text=text)


def applied() -> str:
    """The text of the file that was applied last. Raises NotFound where none was."""
    return last_applied().text


def last_applied() -> Applied:
    """The file that was applied last, with its number, for ``based_on``. Raises NotFound where none was."""
    last = Applied.objects.order_by("-id").first()
    if last is None:
        raise NotFound("No catalog has been applied yet: vmart catalog apply FILE does it.")
    return last


class ChangedMeanwhile(Refused):
    """Somebody else has applied a catalog since what is to be applied was made of the one before."""

    code = "UnsupportedOperation"


def _refuse_changed(based_on: int | None) -> None:
    last = Applied.objects.order_by("-id").values_list("id", flat=True).first() or 0
    if based_on is not None and based_on != last:
        raise changed_meanwhile()


def changed_meanwhile() -> ChangedMeanwhile:
    return ChangedMeanwhile("The catalog was changed meanwhile: look at it once more. Nothing was written.")


def _taken(error: IntegrityError) -> Exception:
    """What to say where a number or name that only one may have is another's; the error itself for any other."""
    diagnosis = getattr(error.__cause__, "diag", None)
    if diagnosis is None or diagnosis.sqlstate != "23505":
        return error
    what = str(diagnosis.table_name).removeprefix("catalog_").replace("_", " ")
    return DocumentError([
        f"{what}: {diagnosis.message_detail} Another of this shop has it, perhaps one that is off sale; for two to"
        " swap, give one of them a third first"
    ])  # fmt: skip


class Declined(Exception):
    """The difference was shown and not wanted: nothing was written."""


def _make_so(catalog: doc.CatalogDocument, book: PriceBook, based_on: int | None) -> list[Change]:
    lock()
    _refuse_changed(based_on)
    zone = _deployment(book.currency, catalog.shop.billing_zone if catalog.shop else None)
    now = clock.now()  # after the deployment's row is locked: a test clock may have moved on while it was waited for
    changes = [change for part in _parts(catalog) for change in part]
    changes += _policy(catalog.policy, zone, now)
    if books.publish(book, now):
        changes.append(Change("price book", f"version {book.version} from {book.effective_at:%Y-%m-%d %H:%M}Z"))
    _refuse_unpriced(catalog, book, books.book_in_force(now))
    if changes:
        Deployment.objects.update(generation=F("generation") + 1)
        opening.open_when_ready()
    return changes


def _refuse_unpriced(catalog: doc.CatalogDocument, book: PriceBook, in_force: PriceBook) -> None:
    """What the file sells is on sale at once, so it needs its price now, not when the file's own book begins."""
    sold = (
        ("regions", [region.code for region in catalog.regions]),
        ("instance_types", sorted({item.code for _zone, item, _sold_out in catalog.offers()})),
        ("disks", [disk.code for disk in catalog.disk_types]),
    )
    unpriced = [
        f"price_book.{kind}.{name}: holds from {book.effective_at:%Y-%m-%d %H:%M}Z on, and the file sells it at once:"
        " leave it off sale until then (zones: [])"
        for kind, names in sold
        for name in names
        if name not in getattr(in_force.document, kind)
    ]
    if unpriced:
        raise DocumentError(unpriced)


def _policy(section: Sequence[Mapping[str, Any]], zone: ZoneInfo, now: dt.datetime) -> list[Change]:
    """The file's versions are the shop's: those that have begun as they were, later ones as they are written now."""
    wanted = policy_document.read(section, zone)
    made = policy.publish(wanted, now, anything_goes=not Book.objects.exists())
    return [Change("policy", f"from {one.begins_at:%Y-%m-%d %H:%M:%S}Z", one.numbers, one.gone) for one in made]


def _deployment(currency: str, billing_zone: str | None) -> ZoneInfo:
    """What the file's currency and billing zone fit; the billing zone. Both are free until there is a price book."""
    from django.conf import settings

    found, made = Deployment.objects.select_for_update().get_or_create(
        only=True,
        defaults={"currency": currency, "billing_zone": settings.TIME_ZONE, "created_at": clock.now()},
    )
    if not made and found.currency != currency and not Book.objects.exists():
        Deployment.objects.update(currency=currency)
    elif not made and found.currency != currency:
        raise DocumentError([f"price_book.currency: is {currency}; this shop's is {found.currency} for good"])
    if billing_zone not in (None, found.billing_zone):
        told = os.environ.get(ZONE_VARIABLE)
        if Book.objects.exists() or told not in (None, billing_zone):
            why = "for good" if Book.objects.exists() else f"since {ZONE_VARIABLE} says so"
            raise DocumentError([f"shop.billing_zone: is {billing_zone}; this shop's is {found.billing_zone} {why}"])
        Deployment.objects.update(billing_zone=billing_zone)
        found.billing_zone = str(billing_zone)
    return ZoneInfo(found.billing_zone)


def _brand(said: BrandDocument | None) -> list[Change]:
    """Whose shop it is; without the section the shop is called vmart again."""
    row = Brand.objects.first()
    if said is None:
        Brand.objects.all().delete()
        return [Change("shop", row.name_en, gone=True)] if row else []
    wanted = said.row()
    if row is None:
        Brand.objects.create(**wanted, **said.pictures())
        return [Change("shop", said.name.en)]
    changed = {name: (getattr(row, name), value) for name, value in wanted.items() if getattr(row, name) != value}
    if not changed:
        return []
    Brand.objects.update(**wanted, **(said.pictures() if "logo_sha256" in changed else {}))
    shown = {name: (_short(old), _short(new)) for name, (old, new) in changed.items()}
    return [Change("shop", said.name.en, shown)]


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def _parts(catalog: doc.CatalogDocument) -> Iterable[list[Change]]:
    yield _brand(catalog.shop)
    yield [
        change
        for position, region in enumerate(catalog.regions)
        for change in _put(
            Region, "region", {"code": region.code},
            legacy_code=region.legacy_code, name_en=region.name.en, name_zh=region.name.zh,
            country=region.country or "", position=position,
        )
    ]  # fmt: skip
    yield _zones(catalog)
    yield _addresses(catalog)
    families = {family.code: family for family in catalog.families}
    yield [
        change
        for position, item in enumerate(catalog.instance_types)
        for change in _put(
            InstanceType, "instance type", {"code": item.code}, family=item.family,
            family_name_en=families[item.family].name.en, family_name_zh=families[item.family].name.zh,
            cpu_model=families[item.family].cpu_model, vcpu=item.vcpu, memory_mib=item.memory_mib, position=position,
        )
    ]  # fmt: skip
    yield _disk_types(catalog)
    yield _images(catalog)
    yield _offers(catalog)
    yield [
        change
        for set_name in ("default", "demo")
        for name, value in getattr(catalog.quotas, set_name).by_name.items()
        for change in _put(QuotaDefault, "quota", {"set_name": set_name, "name": name}, value=value)
    ]  # fmt: skip


def _put(model: type[models.Model], what: str, key: dict[str, Any], **fields: Any) -> list[Change]:
    """Make one row be so; the change, if it was not."""
    objects: Any = model._default_manager
    row = objects.filter(**key).first()
    name = " ".join(map(str, key.values()))
    if row is None:
        objects.create(**key, **fields)
        return [Change(what, name)]
    changed = {field: (getattr(row, field), value) for field, value in fields.items() if getattr(row, field) != value}
    if not changed:
        return []
    objects.filter(pk=row.pk).update(**{field: value for field, (_, value) in changed.items()})
    return [Change(what, name, changed)]


def _zones(catalog: doc.CatalogDocument) -> list[Change]:
    changes = []
    position = 0
    for region in catalog.regions:
        for zone in region.zones:
            settings = _engine_settings(zone)
            compute, kind = _engine(zone, settings)
            note = next((pool.note for pool in zone.address_pools if pool.note), None)
            changes += _put(
                Zone, "zone", {"code": zone.code}, region_id=region.code, legacy_id=zone.legacy_id,
                name_en=zone.name.en, name_zh=zone.name.zh, position=position, engine_kind=kind,
                engine_settings=settings, auto_compute=compute, on_sale=zone.on_sale,
                address_note_en=note.en if note else "", address_note_zh=note.zh if note else "",
                ipv6_prefix=zone.ipv6_prefix or "", vcpu_overcommit=zone.vcpu_overcommit,
            )  # fmt: skip
            position += 1
            changes += _hosts(zone.code, kind)
    codes = {zone.code for zone in catalog.zones}
    for row in Zone.objects.filter(on_sale=True).exclude(code__in=codes):
        changes += _put(Zone, "zone", {"code": row.code}, on_sale=False)
    change_engine.refuse_shared_engines()
    return changes


def _engine(zone: doc.Zone, settings: Mapping[str, Any]) -> tuple[str, str]:
    """What a zone of kind auto takes here ("" for another one), and the kind of engine that is."""
    there = Zone.objects.filter(code=zone.code).first()
    if zone.engine.kind == doc.AUTO:
        compute = os.environ.get(COMPUTE_VARIABLE) or (there.auto_compute if there else "") or engines.FALLBACK.kind
        kind = engines.driver_found(compute).kind
    else:
        compute, kind = "", zone.engine.kind
    if there is not None:
        try:
            change_engine.move(there, kind, settings)
        except change_engine.MachinesLiveThere as error:
            what = "kind" if there.engine_kind != kind else "settings"
            raise DocumentError([f"regions.zones.{zone.code}.engine.{what}: {error}"]) from error
    return compute, kind


def _engine_settings(zone: doc.Zone) -> dict[str, Any]:
    settings = dict(zone.engine.settings)
    if zone.engine.members:
        settings["members"] = {
            member.name: {"vcpu": member.vcpu, "memory_mib": member.memory_gib * 1024, "disk_gib": member.disk_gib}
            for member in zone.engine.members
        }
    return settings


def _hosts(zone: str, kind: str) -> list[Change]:
    """Inventories of a zone whose members the catalog lists; others are found by provisioning."""
    if engines.driver(kind).finds_members:
        return []
    return [
        change
        for name, capacity in change_engine.listed_hosts(Zone.objects.get(code=zone))
        for change in _put(Host, "host", {"zone_id": zone, "name": name}, **capacity)
    ]


def _addresses(catalog: doc.CatalogDocument) -> list[Change]:
    """Each zone's pool: what left it goes first, so that an address may move to another zone."""
    _refuse_held_ipv6(catalog)
    pools = {zone.code: _named_addresses(zone) for zone in catalog.zones}
    return [change for take in (_withdraw, _offer) for zone, ips in pools.items() for change in take(zone, ips)]


_HELD_ELSEWHERE = """
SELECT host(ip) AS ip, zone_id FROM network_ipv6_address WHERE zone_id <> %s AND ip << %s::inet ORDER BY ip LIMIT 1
"""


def _refuse_held_ipv6(catalog: doc.CatalogDocument) -> None:
    """No prefix has an address that a machine of another zone has: a host would be sent what is another's."""
    problems = [
        f"regions.zones.{zone.code}.ipv6_prefix: {held['ip']} is in use in {held['zone_id']} until its machine ends"
        for zone in catalog.zones
        if zone.ipv6_prefix
        for held in db.rows(_HELD_ELSEWHERE, zone.code, zone.ipv6_prefix)
    ]
    if problems:
        raise DocumentError(problems)


def _named_addresses(zone: doc.Zone) -> set[str]:
    return {
        str(ipaddress.ip_address(number))
        for pool in zone.address_pools
        for number in range(int(ipaddress.ip_address(pool.first)), int(ipaddress.ip_address(pool.last)) + 1)
    }


def _withdraw(zone: str, wanted: set[str]) -> list[Change]:
    """Free ones are given out no more; one in use stays with its machine and goes when it is given back."""
    there = PublicAddress.objects.filter(zone_id=zone, withdrawn=False).values_list("ip", flat=True)
    left = set(there) - wanted
    if not left:
        return []
    PublicAddress.objects.filter(ip__in=left).update(withdrawn=True)
    gone, _ = PublicAddress.objects.filter(zone_id=zone, withdrawn=True, instance_id=None).delete()
    in_use = f", {len(left) - gone} of them when their machines end" if gone < len(left) else ""
    return [Change("addresses", f"{zone}: {len(left)}{in_use}", gone=True)]


def _offer(zone: str, wanted: set[str]) -> list[Change]:
    there = dict(PublicAddress.objects.filter(zone_id=zone).values_list("ip", "withdrawn"))
    elsewhere = dict(PublicAddress.objects.exclude(zone_id=zone).values_list("ip", "zone_id"))
    if held := sorted(wanted & elsewhere.keys()):
        raise DocumentError(
            [
                f"regions.zones.{zone}.address_pools: {ip} is in use in {elsewhere[ip]} until its machine ends"
                for ip in held
            ]
        )
    back = [ip for ip, withdrawn in there.items() if withdrawn and ip in wanted]
    missing = sorted(wanted - there.keys(), key=ipaddress.ip_address)
    if not back and not missing:
        return []
    PublicAddress.objects.filter(ip__in=back).update(withdrawn=False)
    free_since = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)  # never used: before any that was
    PublicAddress.objects.bulk_create(
        (PublicAddress(zone_id=zone, ip=ip, free_since=free_since) for ip in missing), batch_size=5000
    )
    return [Change("addresses", f"{zone}: {len(missing) + len(back)}")]


def _disk_types(catalog: doc.CatalogDocument) -> list[Change]:
    changes = [
        change
        for position, disk in enumerate(catalog.disk_types)
        for change in _put(
            DiskType, "disk type", {"code": disk.code}, name_en=disk.name.en, name_zh=disk.name.zh,
            description_en=disk.description.en, description_zh=disk.description.zh, position=position,
        )
    ]  # fmt: skip
    gone = DiskType.objects.exclude(code__in=[disk.code for disk in catalog.disk_types])
    changes += [Change("disk type", code, gone=True) for code in gone.values_list("code", flat=True)]
    gone.delete()  # disks know their type by its name, and its price stays in the book
    return changes


def _images(catalog: doc.CatalogDocument) -> list[Change]:
    changes = []
    made = {(image.public_id, image.version): image.created_at for image in Image.objects.all()}
    now = clock.now()
    for position, image in enumerate(catalog.images):
        changes += _put(
            Image, "image", {"public_id": image.public_id}, recipe=image.recipe, version=image.version,
            os_name=image.os_name, platform=image.platform, architecture=image.architecture,
            size_gib=image.size_gib, login_user=image.login_user, position=position,
            unavailable_en=image.unavailable.en if image.unavailable else "",
            unavailable_zh=image.unavailable.zh if image.unavailable else "",
            created_at=made.get((image.public_id, image.version), now),  # another version is another image
        )  # fmt: skip
        if not image.unavailable:
            for zone in catalog.zones:
                ZoneImage.objects.get_or_create(zone_id=zone.code, image_id=image.public_id)
    named = [image.public_id for image in catalog.images]
    for row in Image.objects.filter(unavailable_en="").exclude(public_id__in=named):
        changes += _put(Image, "image", {"public_id": row.public_id}, unavailable_en=_GONE_EN, unavailable_zh=_GONE_ZH)
    return changes


def _offers(catalog: doc.CatalogDocument) -> list[Change]:
    changes = []
    named = set()
    for zone, item, sold_out in catalog.offers():
        named.add((zone.code, item.code))
        changes += _put(Offer, "offer", {"zone_id": zone.code, "instance_type_id": item.code}, sold_out=sold_out)
    for offer in Offer.objects.filter(sold_out=False):
        if (offer.zone_id, offer.instance_type_id) not in named:
            key = {"zone_id": offer.zone_id, "instance_type_id": offer.instance_type_id}
            changes += _put(Offer, "offer", key, sold_out=True)
    return changes
