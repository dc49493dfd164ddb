"""The database and its proof: ``reconcile``, ``backup``, ``restore``, ``migrate``."""

import os
import sys
from pathlib import Path

import click

from vmart.config.commands.frame import NOT_WELL, attach, data_dir_option, go_on_as_worker, places_of, set_up
from vmart.config.commands.output import output_option, show
from vmart.config.places import Misused


@click.command()
@data_dir_option
@output_option
def reconcile(own_data_dir: Path | None, output: str) -> None:
    """Prove ledger = charges = segments = holds = engine; exit code 1 when they differ."""
    go_on_as_worker(places_of(own_data_dir))
    set_up(places_of(own_data_dir))
    from vmart.config.reconcile import reconcile as prove
    from vmart.kernel import db

    db.probe()  # on a full disk one line, not a failed query among those that still fit
    differences = list(prove())
    if output != "table":
        show([{"difference": difference} for difference in differences], output)
    else:
        for difference in differences:
            click.echo(difference)
        click.echo(f"{len(differences)} differences" if differences else "everything agrees")
    sys.exit(NOT_WELL if differences else 0)


@click.command("backup")
@data_dir_option
@click.argument("file", type=click.Path(path_type=Path))
def backup_command(own_data_dir: Path | None, file: Path) -> None:
    """Write database and secrets to FILE; the shop may go on meanwhile."""
    from vmart.config.backup import BackupFailed, backup

    places = places_of(own_data_dir)
    attach(places)
    try:
        backup(places, file, os.environ["VMART_DATABASE_URL"])
    except BackupFailed as error:
        raise Misused(str(error)) from error
    click.echo(f"{file}: {file.stat().st_size} bytes; it holds the deployment's secrets, keep it like them")


@click.command("restore")
@data_dir_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--database", metavar="URL", envvar="VMART_DATABASE_URL", help="An empty database of your own.")
def restore_command(own_data_dir: Path | None, file: Path, database: str | None) -> None:
    """Fill an empty data directory from a backup."""
    from vmart.config.backup import BackupFailed, restore

    try:
        restore(places_of(own_data_dir), file, database)
    except BackupFailed as error:
        raise Misused(str(error)) from error
    click.echo("restored; `vmart up` brings it up to date and starts it")


@click.command()
@data_dir_option
def migrate(own_data_dir: Path | None) -> None:
    """Bring the database up to date (`vmart up` does it by itself)."""
    set_up(places_of(own_data_dir), current=False)
    from vmart.config import bring_up

    names = bring_up.pending_migrations()
    try:
        bring_up.bring_up_to_date(os.environ.get("VMART_TEST_CLOCK") or None)
    except bring_up.DatabaseUnfit as error:
        raise Misused(str(error)) from error
    click.echo("\n".join(names) if names else "nothing to migrate")
