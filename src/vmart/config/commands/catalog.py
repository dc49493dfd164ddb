"""What is on sale: ``vmart catalog``."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from vmart.config.commands.frame import NOT_WELL, data_dir_option, places_of, set_up
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

    def show(changes: Sequence[object]) -> None:
        for change in changes:
            click.echo(change)

    def confirm(changes: Sequence[object]) -> bool:
        show(changes)
        return click.confirm("apply this?")

    try:
        changes = apply_file(file, None if yes else confirm)
    except Declined:
        click.echo("nothing was changed")
        sys.exit(NOT_WELL)
    except (DocumentError, Refused) as error:
        raise Misused(str(error)) from error
    if yes:
        show(changes)
    click.echo(f"{len(changes)} changes are on sale" if changes else "the shop sells exactly that already")
