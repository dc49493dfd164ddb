"""Spot machines: ``vmart spot``."""

from pathlib import Path

import click

from vmart.config.commands.frame import data_dir_option, places_of, set_up, who_types
from vmart.config.places import Misused


@click.group()
def spot() -> None:
    """Spot machines, which give their room back."""


@spot.command("reclaim")
@data_dir_option
@click.argument("machine")
def spot_reclaim(own_data_dir: Path | None, machine: str) -> None:
    """Take the spot MACHINE back: its owner has two minutes' notice, then it is erased."""
    set_up(places_of(own_data_dir))
    from vmart.kernel.errors import NotFound
    from vmart.orders import reclaim

    try:
        announced = reclaim.by_seller(who_types(), machine)
    except NotFound as why:
        raise Misused(str(why)) from None
    if not announced:
        raise Misused(f"{machine} is being made, has notice already, or is ending")
    click.echo(f"{machine} is taken back in two minutes")
