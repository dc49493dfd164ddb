"""What is on sale: ``vmart catalog``."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from vmart.config.commands.frame import NOT_WELL, data_dir_option, places_of, set_up
from vmart.config.commands.output import output_option, show
from vmart.config.places import Misused


@click.group()
def catalog() -> None:
    """What is on sale."""


@catalog.command("apply")
@data_dir_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
def catalog_apply(own_data_dir: Path | None, file: Path, yes: bool) -> None:
    """Make the shop sell what FILE says; shows the difference first. Twice is once."""
    set_up(places_of(own_data_dir))
    from vmart.backoffice.apply_catalog import Declined, apply_file
    from vmart.kernel.documents import DocumentError
    from vmart.kernel.errors import Refused

    def tell(changes: Sequence[object]) -> None:
        for change in changes:
            click.echo(change)

    def confirm(changes: Sequence[object]) -> bool:
        tell(changes)
        return click.confirm("apply this?")

    try:
        changes = apply_file(file, None if yes else confirm)
    except Declined:
        click.echo("nothing was changed")
        sys.exit(NOT_WELL)
    except (DocumentError, Refused) as error:
        raise Misused(str(error)) from error
    if yes:
        tell(changes)
    click.echo(f"{len(changes)} changes are on sale" if changes else "the shop sells exactly that already")


@catalog.command("show")
@data_dir_option
@output_option
def catalog_show(own_data_dir: Path | None, output: str) -> None:
    """What is on sale now, with list prices (disks: a GiB). Terms, tiers and regions' factors are in the file."""
    set_up(places_of(own_data_dir))
    from vmart.catalog import shop
    from vmart.listings.on_sale import on_sale

    show(on_sale(shop.current()), output)


@catalog.command("export")
@data_dir_option
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
def catalog_export(own_data_dir: Path | None, file: Path | None) -> None:
    """Write the catalog as it was applied last, with its comments, to FILE (else print it): to change and apply."""
    set_up(places_of(own_data_dir))
    from vmart.backoffice.apply_catalog import applied

    text = applied()
    if file is None:
        click.echo(text, nl=False)
        return
    try:
        with file.open("x", encoding="utf-8", newline="") as new:
            new.write(text)
    except FileExistsError as error:
        raise Misused(f"{file} is there already: name another file") from error
    except OSError as error:
        raise Misused(f"{file} cannot be written: {error.strerror or error}") from error
    click.echo(f"{file}: {len(text.splitlines())} lines")
