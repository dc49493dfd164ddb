"""Prices by their names: ``vmart catalog price``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vmart.config.commands.frame import data_dir_option, places_of, set_up, who_types
from vmart.config.commands.output import output_option, show
from vmart.config.places import Misused

if TYPE_CHECKING:
    from vmart.backoffice.prices import Preview


@click.group("price")
def price() -> None:
    """Prices, steps, terms, tiers and regions by their names, as the page changes them."""


@price.command("list")
@data_dir_option
@output_option
def price_list(own_data_dir: Path | None, output: str) -> None:
    """Every price of the file that was applied last, with the name by which it is changed."""
    set_up(places_of(own_data_dir))
    from vmart.backoffice import book_names, book_texts, prices

    held = book_names.named(prices.section())
    show([{"name": name, "value": book_texts.shown(value)} for name, value in held.items()], output)


@price.command("change")
@data_dir_option
@output_option
@click.argument("said", metavar="[NAME=VALUE]…", nargs=-1)
@click.option("--remove", "gone", metavar="NAME", multiple=True, help="Take it away; may be there several times.")
@click.option("--from", "begins", metavar="2026-12-01T00:00", help="In the billing zone; without it the next midnight.")
@click.option("--dry-run", is_flag=True, help="Only show what it does.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def price_change(  # noqa: PLR0917  as they are typed
    own_data_dir: Path | None, output: str, said: tuple[str, ...], gone: tuple[str, ...], begins: str | None,
    dry_run: bool, yes: bool,
) -> None:  # fmt: skip
    """Publish a price book with these changed, from then on; shows first what it does.

    \b
    A table is one text:  bandwidth.hour="0-5: 0.063, 5-: 0.25"
                          age_tiers.S1="0-96: 1, 96-: 0.5"
    One discount:         term_discounts.tables.default.12=0.80
    A region:             regions.ap-shanghai.factor=1.2
    """
    set_up(places_of(own_data_dir))
    from vmart.backoffice import apply_catalog, book_texts, prices
    from vmart.kernel.errors import InvalidValue

    based_on = apply_catalog.last_applied().id
    try:
        wanted = book_texts.changed(prices.section(), said, gone)
        found = prices.preview_whole(wanted, begins or prices.next_midnight(), based_on)
    except InvalidValue as refused:
        raise Misused(f"{refused.field}: {refused}" if refused.field else str(refused)) from refused
    show(_told(found), output)
    if dry_run:
        return
    if not yes and not click.confirm("publish these prices?", err=True):
        click.echo("nothing was changed", err=True)
        return
    prices.publish(found, based_on=based_on, by=who_types())
    click.echo("published", err=True)


def _told(found: "Preview") -> dict[str, Any]:
    from vmart.backoffice import book_texts

    changes: Sequence[dict[str, str]] = [
        {"name": one.name, "now": book_texts.shown(one.old), "then": book_texts.shown(one.new)} for one in found.changes
    ]
    whole = found.whole
    return {"from": found.begins_at, "machines": whole.machines, "paid_ahead": whole.prepaid,
            "hour_before": whole.before, "hour_after": whole.after, "changes": changes}  # fmt: skip
