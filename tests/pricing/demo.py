"""The demo shop's price book and a machine to put together, for the tests of this room."""

import functools
from pathlib import Path
from typing import Any

from vmart.catalog.document import CatalogDocument, read_catalog
from vmart.pricing.book import PriceBook, parse_book
from vmart.pricing.quote import Configuration, DiskChoice

DEMO_FILE = Path(__file__).parents[2] / "catalog/demo.yaml"


@functools.cache
def demo_catalog() -> CatalogDocument:
    return read_catalog(DEMO_FILE.read_text(encoding="utf-8"))


@functools.cache
def demo_book() -> PriceBook:
    return parse_book(demo_catalog().price_book)


def machine(**changes: Any) -> Configuration:
    """One postpaid S5.SMALL1 in Guangzhou with a 50 GiB disk and no public address, but for ``changes``."""
    given: dict[str, Any] = {
        "region": "ap-guangzhou",
        "zone": "ap-guangzhou-3",
        "instance_type": "S5.SMALL1",
        "charge_type": "POSTPAID_BY_HOUR",
        "system_disk": DiskChoice("CLOUD_PREMIUM", 50),
    }
    return Configuration(**(given | changes))


def prepaid(months: int = 1, **changes: Any) -> Configuration:
    return machine(charge_type="PREPAID", period_months=months, **changes)
