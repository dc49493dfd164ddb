"""Those who sell: ``vmart operator``."""

from pathlib import Path

import click

from vmart.config.commands.frame import data_dir_option, links_of, places_of, set_up
from vmart.config.commands.output import output_option, show


@click.group()
def operator() -> None:
    """Those who sell."""


@operator.command("add")
@data_dir_option
@click.argument("email")
def operator_add(own_data_dir: Path | None, email: str) -> None:
    """Let EMAIL see the seller's pages. It prints a link that sets the password: 24 hours, once.

    A customer who becomes an operator keeps the account and is signed out; the password so far is good no more.
    """
    places = places_of(own_data_dir)
    set_up(places)
    from vmart.backoffice import opening
    from vmart.web.signing_in import reset_path

    added = opening.add(email)
    if added.new:
        click.echo(links_of(places) + reset_path(added.user))
    else:
        click.echo(f"{added.user.email} is an operator and signs in as before")


@operator.command("remove")
@data_dir_option
@click.argument("email")
def operator_remove(own_data_dir: Path | None, email: str) -> None:
    """Let EMAIL see the seller's pages no more, at once; an account stays. Refused for the last operator."""
    set_up(places_of(own_data_dir))
    from vmart.backoffice import opening

    click.echo(f"{opening.remove(email).email} is no operator any more")


@operator.command("list")
@data_dir_option
@output_option
def operator_list(own_data_dir: Path | None, output: str) -> None:
    """Operators, by address."""
    set_up(places_of(own_data_dir))
    from vmart.customers.models import User

    users = User.objects.filter(is_staff=True).order_by("email")
    rows = [{"email": user.email, "active": user.is_active, "last_login": user.last_login} for user in users[:1000]]
    show(rows, output)
