"""Those who sell: ``vmart operator``."""

from pathlib import Path

import click

from vmart.config.commands.frame import data_dir_option, links_of, places_of, set_up, who_types
from vmart.config.commands.output import output_option, show
from vmart.customers.staff import StaffRole

_ROLE = click.Choice([str(role) for role in StaffRole])


@click.group()
def operator() -> None:
    """Those who sell. ROLE is what each may do on the seller's pages: docs/roles.md."""


@operator.command("add")
@data_dir_option
@click.argument("email")
@click.option("--role", type=_ROLE, help="What they may do: admin, where they are new and it is not said.")
def operator_add(own_data_dir: Path | None, email: str, role: str | None) -> None:
    """Let EMAIL see the seller's pages. It prints a link that sets the password: 24 hours, once.

    A customer who becomes an operator keeps the account and is signed out; the password so far is good no more.
    """
    places = places_of(own_data_dir)
    set_up(places)
    from vmart.backoffice import staffing
    from vmart.pages import reset_link

    added = staffing.add(email, role, by=who_types())
    if added.new:
        click.echo(links_of(places) + reset_link.path(added.user))
    else:
        click.echo(f"{added.user.email} is an operator and signs in as before")


@operator.command("role")
@data_dir_option
@click.argument("email")
@click.argument("role", type=_ROLE)
def operator_role(own_data_dir: Path | None, email: str, role: str) -> None:
    """Give the operator EMAIL another ROLE, at once. Refused for the last admin."""
    set_up(places_of(own_data_dir))
    from vmart.backoffice import staffing

    changed = staffing.change(email, role, by=who_types())
    click.echo(f"{changed.email} is {changed.staff_role}")


@operator.command("remove")
@data_dir_option
@click.argument("email")
def operator_remove(own_data_dir: Path | None, email: str) -> None:
    """Let EMAIL see the seller's pages no more, at once; an account stays. Refused for the last admin."""
    set_up(places_of(own_data_dir))
    from vmart.backoffice import staffing

    click.echo(f"{staffing.remove(email, by=who_types()).email} is no operator any more")


@operator.command("list")
@data_dir_option
@output_option
def operator_list(own_data_dir: Path | None, output: str) -> None:
    """Operators, by address."""
    set_up(places_of(own_data_dir))
    from vmart.backoffice import staffing

    show(
        [
            {"email": user.email, "role": user.staff_role, "active": user.is_active, "last_login": user.last_login}
            for user in staffing.everybody()[:1000]
        ],
        output,
    )


@operator.command("changes")
@data_dir_option
@output_option
def operator_changes(own_data_dir: Path | None, output: str) -> None:
    """Who became what and by whom, the latest first; the last fifty."""
    set_up(places_of(own_data_dir))
    from vmart.backoffice import staffing

    show(
        [
            {"at": row.at, "email": row.user.email, "before": row.before, "role": row.role, "by": row.by}
            for row in staffing.changes()
        ],
        output,
    )
