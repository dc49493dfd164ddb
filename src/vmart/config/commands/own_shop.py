"""Whose shop it is, its test order, and today: ``vmart shop``, ``vmart today``."""

from pathlib import Path
from typing import Any

import click

from vmart.config.commands.frame import FILE, data_dir_option, places_of, set_up, who_types
from vmart.config.commands.output import output_option, show

_TEXTS = ("name_en", "name_zh", "colour_light", "colour_dark", "support")
_FILES = ("terms_en", "terms_zh", "imprint_en", "imprint_zh")


@click.group("shop")
def own_shop() -> None:
    """Whose shop it is: name, logo, colour, legal texts."""


@own_shop.command("show")
@data_dir_option
@output_option
def shop_show(own_data_dir: Path | None, output: str) -> None:
    """What every page shows of the seller; lengths of long texts in characters."""
    set_up(places_of(own_data_dir))
    show(_told(), output)


@own_shop.command("set")
@data_dir_option
@output_option
@click.option("--name-en")
@click.option("--name-zh")
@click.option("--colour-light", metavar="#08695a")
@click.option("--colour-dark", metavar="#58d3b9")
@click.option("--support", metavar="EMAIL")
@click.option("--logo", type=FILE, help="PNG or WebP, at most 2 MiB.")
@click.option("--no-logo", "without_logo", is_flag=True)
@click.option("--terms-en", type=FILE)
@click.option("--terms-zh", type=FILE)
@click.option("--imprint-en", type=FILE)
@click.option("--imprint-zh", type=FILE)
def shop_set(own_data_dir: Path | None, output: str, logo: Path | None, **said: Any) -> None:
    """Change what is named and leave the rest; an empty text takes it away. Long texts come from files."""
    set_up(places_of(own_data_dir))
    from vmart.backoffice import apply_catalog
    from vmart.backoffice import own_shop as acts
    from vmart.catalog import shop
    from vmart.catalog.brand import NAME_EN
    from vmart.kernel.documents import read_yaml

    last, brand = apply_catalog.last_applied(), shop.current().brand
    held = {name: getattr(brand, name) for name in (*_TEXTS, *_FILES)}
    if brand.name_en == NAME_EN:
        held |= {"name_en": "", "name_zh": ""}
    typed = {name: said[name] for name in _TEXTS if said[name] is not None}
    typed |= {name: said[name].read_text(encoding="utf-8") for name in _FILES if said[name] is not None}
    sent = (logo.read_bytes(), logo.stat().st_size) if logo else None
    section = read_yaml(last.text).get(acts.SECTION) or {}
    made = acts.section(held | typed | {"without_logo": said["without_logo"]}, section, sent)
    acts.put(made, based_on=last.id, by=who_types())
    show(_told(), output)


@own_shop.command("test-order")
@data_dir_option
@output_option
def test_order(own_data_dir: Path | None, output: str) -> None:
    """Buy the cheapest machine by the hour for a test customer of the seller's own."""
    set_up(places_of(own_data_dir))
    from vmart.backoffice.first_run import trial

    bought = trial.buy(who_types(), trial.latest().number)
    found = trial.latest()
    show({"order": bought.order_id if bought else None, "customer": trial.NAME,
          "machine": found.machine.public_id if found.machine else None,
          "state": found.machine.state if found.machine else None}, output)  # fmt: skip


@click.command()
@data_dir_option
@output_option
def today(own_data_dir: Path | None, output: str) -> None:
    """Sales of today and this month, and how full each zone is; what needs the seller: vmart attention."""
    set_up(places_of(own_data_dir))
    from vmart.catalog import shop
    from vmart.kernel.money import exponent, from_minor
    from vmart.listings import attention, sales

    here = shop.current()
    day, month = sales.today(here.billing_zone), sales.this_month(here.billing_zone)
    places = exponent(here.currency)
    show(
        {"needs_attention": str(attention.summary()), "currency": here.currency,
         "sales": [{"since": row.since, "revenue": from_minor(row.revenue_minor, places), "orders": row.orders,
                    "delivered": row.delivered, "failed": row.failed} for row in (day, month)],
         "zones": [{"code": zone.code, "engine": zone.engine_kind, "status": zone.engine_status,
                    "machines": zone.machines, "vcpu": f"{zone.vcpu_used}/{zone.vcpu_capacity}",
                    "memory_mib": f"{zone.memory_used_mib}/{zone.memory_capacity_mib}",
                    "disk_gib": f"{zone.disk_used_gib}/{zone.disk_capacity_gib}",
                    "addresses_free": zone.addresses_free} for zone in sales.zones()]},
        output,
    )  # fmt: skip


def _told() -> dict[str, Any]:
    from vmart.catalog import shop

    brand = shop.current().brand
    told: dict[str, Any] = {name: getattr(brand, name) for name in _TEXTS}
    logo = f"{brand.logo_width} x {brand.logo_height} px" if brand.logo_id else ""
    return told | {"logo": logo} | {name: len(getattr(brand, name)) for name in _FILES}
