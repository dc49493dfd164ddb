"""Images that an account may have machines made of: public ones, its own, and those shared with it."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vmart.catalog import shop
from vmart.listings.paging import PAGE, Matching, Page, by_offset, cut, number
from vmart.storage.images import ImageShare
from vmart.tags import reads
from vmart.tags.things import IMAGE
from vmart.tags.wanted import Tag

PUBLIC, PRIVATE, SHARED = "PUBLIC_IMAGE", "PRIVATE_IMAGE", "SHARED_IMAGE"
_ABOVE_ALL = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ImageView:
    """An image of a customer, or a public one. ``kind``: ImageType of the API; ``owner``: its account, 0 of a public.

    ``zone``: where it lies, "" everywhere. ``size_gib``: 0 of one whose size nobody knows, as it was not imported yet.
    ``shares``: with how many accounts it is shared.
    """

    id: int
    public_id: str
    kind: str
    name: str
    description: str
    state: str
    zone: str
    base: str  # public id of the public image from which it descends, or its own
    size_gib: int
    owner: int
    snapshot: str  # of which it was made; "" of one that was imported, and to others
    shares: int
    error: str
    created_at: dt.datetime
    imported: bool = False
    percent: int = 0  # of one that is being imported
    sha256: str = ""  # of the file that was imported, for its owner
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedImages:
    """Which: those that meet every condition given (None: not given); a sequence means any of it."""

    public_ids: Sequence[str] | None = None
    region: str | None = None
    kinds: Sequence[str] | None = None
    words: Sequence[str] | None = None  # parts of the name
    systems: Sequence[str] | None = None  # parts of the platform
    tags: str | None = None  # of ``tags.reads.asked``


_KIND = f"CASE WHEN o.account_id = %(account)s THEN '{PRIVATE}' ELSE '{SHARED}' END"
_PARTS = "EXISTS (SELECT FROM unnest(%({wanted})s::text[]) AS part WHERE position(lower(part) IN lower({column})) > 0)"
_CONDITIONS = {
    "public_ids": "o.public_id = ANY (%(public_ids)s)",
    "region": "o.zone_id IN (SELECT code FROM catalog_zone WHERE region_id = %(region)s)",
    "kinds": f"{_KIND} = ANY (%(kinds)s)",
    "words": _PARTS.format(wanted="words", column="o.name"),
    "systems": _PARTS.format(wanted="systems", column="m.platform"),
    "tags": reads.meeting(IMAGE, "o.public_id"),
}
_FROM = """FROM storage_image o JOIN catalog_image m ON m.public_id = o.base_id
LEFT JOIN storage_snapshot n ON n.id = o.snapshot_id
WHERE ((o.account_id = %(account)s AND o.state NOT IN ('DELETING', 'GONE'))
       OR (o.state = 'NORMAL' AND o.id IN (SELECT image_id FROM storage_image_share WHERE account_id = %(account)s)))"""
_VIEW = """
SELECT o.id, o.public_id, {kind} AS kind, o.name, o.description, o.state, o.zone_id AS zone, o.base_id AS base,
  CASE WHEN o.state IN ('IMPORTING', 'IMPORTFAILED') THEN 0 ELSE o.size_gib END AS size_gib,
  o.account_id AS owner, o.created_at,
  CASE WHEN o.account_id = %(account)s THEN coalesce(n.public_id, '') ELSE '' END AS snapshot,
  o.snapshot_id IS NULL AS imported, o.percent,
  CASE WHEN o.account_id = %(account)s AND o.state = 'NORMAL' THEN o.import_sha256 ELSE '' END AS sha256,
  CASE WHEN o.account_id = %(account)s
  THEN (SELECT count(*)::int FROM storage_image_share s WHERE s.image_id = o.id) ELSE 0 END AS shares,
  CASE WHEN o.state IN ('CREATEFAILED', 'IMPORTFAILED') THEN o.latest_operation_error ELSE '' END AS error,
  CASE WHEN o.account_id = %(account)s THEN {tags} END AS tags
{matching}""".replace("{kind}", _KIND).replace("{tags}", reads.held(IMAGE, "o.public_id"))


def page(account_id: int, wanted: WantedImages, *, offset: int = 0, limit: int = 20) -> tuple[int, list[ImageView]]:
    """How many images are wanted, and a page of them: public ones in the catalog's order, then the others by age."""
    public = [view for view in _public() if _is_wanted(view, wanted)]
    first = public[offset : offset + limit]
    if wanted.kinds is not None and not {PRIVATE, SHARED} & set(wanted.kinds):
        return len(public), first
    query = f"{_VIEW} ORDER BY o.id DESC OFFSET %(offset)s LIMIT %(limit)s"
    rest, left = max(0, offset - len(public)), limit - len(first)
    total, rows = by_offset(query, _FROM, _CONDITIONS, wanted, account_id=account_id, offset=rest, limit=max(1, left))
    return len(public) + total, first + [_listed(row) for row in rows][:left]


def _listed(row: dict[str, Any]) -> ImageView:
    return ImageView(tags=reads.of(row.pop("tags")), **row)


def _public() -> list[ImageView]:
    """Those on sale."""
    return [
        ImageView(
            0, image.public_id, PUBLIC, image.os_name, image.os_name, "NORMAL", "", image.public_id, image.size_gib, 0,
            "", 0, "", image.created_at,
        )
        for image in shop.snapshot().images.values() if not image.unavailable_en
    ]  # fmt: skip


def _is_wanted(view: ImageView, wanted: WantedImages) -> bool:
    platform = shop.snapshot().images[view.base].platform.lower()
    return (
        (wanted.public_ids is None or view.public_id in wanted.public_ids)
        and (wanted.kinds is None or PUBLIC in wanted.kinds)
        and (wanted.words is None or any(part.lower() in view.name.lower() for part in wanted.words))
        and (wanted.systems is None or any(part.lower() in platform for part in wanted.systems))
        and wanted.tags is None
    )


def by_key(account_id: int, *, before: str = "") -> Page[ImageView]:
    """A page of the account's own and those shared with it, for people, newest first. ``before`` is a page's key."""
    key = number(before)
    matching = Matching.of(account_id, _FROM + " AND o.id < %(last_id)s", _CONDITIONS, WantedImages())
    rows = matching.rows(f"{_VIEW} ORDER BY o.id DESC LIMIT %(limit)s", last_id=key or _ABOVE_ALL, limit=PAGE + 1)
    return cut([_listed(row) for row in rows], lambda view: view.id, first=key is None)


def one(account_id: int, public_id: str) -> ImageView | None:
    """An image of the account's, or shared with it; None for any other."""
    _total, found = page(account_id, WantedImages(public_ids=[public_id], kinds=[PRIVATE, SHARED]))
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class ShareView:
    """An account with which an image is shared, and since when."""

    account: int
    created_at: dt.datetime


def shares(account_id: int, public_id: str) -> list[ShareView] | None:
    """With whom the account's own image is shared; None for any other image."""
    view = one(account_id, public_id)
    if view is None or view.kind != PRIVATE:
        return None
    found = ImageShare.objects.filter(image_id=view.id).order_by("created_at", "account_id")
    return [ShareView(*row) for row in found.values_list("account_id", "created_at")]
