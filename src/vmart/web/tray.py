"""Configurations that are kept beside the form of the purchase page, to be compared: each is the form's address."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import QueryDict

from vmart.catalog.shop import Shop
from vmart.kernel.errors import Refused
from vmart.listings.prices import Market
from vmart.orders import offered
from vmart.orders.images.chosen import Chosen
from vmart.pages import wording
from vmart.pricing.book import PriceBook
from vmart.pricing.quote import Quote
from vmart.web.choice import BESIDE_MAX, Choice, Typed, read


@dataclass(frozen=True, slots=True)
class Kept:
    """One of them. ``chosen`` and ``without`` are queries of the page: with it in the form, and without it."""

    number: int
    choice: Choice
    quoted: Quote
    chosen: str
    without: str

    @property
    def disks(self) -> str:
        """Their sizes and types, the system's first."""
        every = (self.quoted.configuration.system_disk, *self.quoted.configuration.data_disks)
        return " + ".join(f"{disk.size_gib} GiB {wording.disk_type(disk.disk_type)}" for disk in every)


def keep(choice: Choice) -> str:
    """The page's query when what is chosen is kept too; the oldest gives way."""
    others = [kept for kept in choice.beside if kept != choice.alone]
    return _query(choice.alone, [*others, choice.alone][-BESIDE_MAX:])


def of(
    choice: Choice, here: Shop, book: PriceBook, *, market: Market, own: Sequence[Chosen], account_id: int | None
) -> list[Kept]:
    """Those that have a price yet, at what the account pays."""
    rows = []
    for number, kept in enumerate(choice.beside, 1):
        its_choice = read(Typed.of(QueryDict(kept)), here, book, market, own)
        others = [other for other in choice.beside if other != kept]
        try:
            quoted = None if its_choice.errors else offered.price(its_choice.configuration, here, account_id)
        except Refused:
            quoted = None
        if quoted is not None:
            chosen, without = _query(its_choice.alone, choice.beside), _query(choice.alone, others)
            rows.append(Kept(number, its_choice, quoted, chosen, without))
    return rows


def _query(alone: str, beside: Sequence[str]) -> str:
    return "&".join([alone, *(urlencode({"beside": kept}) for kept in beside)])
