"""What needs the seller: ``vmart attention``."""

from pathlib import Path

import click

from vmart.config.commands.frame import data_dir_option, places_of, set_up
from vmart.config.commands.output import output_option, show


@click.command()
@data_dir_option
@output_option
@click.option("--before", default="", metavar="KEY", help="Those after this: the last of the page before.")
def attention(own_data_dir: Path | None, output: str, before: str) -> None:
    """What needs the seller, the worst first, 50 at a time: the list of the seller's page."""
    set_up(places_of(own_data_dir))
    from vmart.backoffice.mending import where
    from vmart.listings import attention as listing

    page = listing.page(before)
    show(
        [
            {"severity": need.severity, "tag": need.cause.tag, "subject_kind": need.subject_kind,
             "subject": need.subject, "number": need.number, "since": need.since, "where": where(need),
             "text": need.text}
            for need in page.rows
        ],
        output,
    )  # fmt: skip
    if page.older:
        click.echo(f"further ones: --before {page.older}", err=True)
