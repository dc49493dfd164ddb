"""Those who buy: ``vmart customer``."""

from pathlib import Path

import click

from vmart.config.commands.frame import data_dir_option, places_of, set_up
from vmart.config.places import Misused, read_json


@click.group()
def customer() -> None:
    """Those who buy."""


@customer.command("reset-password")
@data_dir_option
@click.argument("email")
def customer_reset_password(own_data_dir: Path | None, email: str) -> None:
    """Print a link with which the user of EMAIL chooses a new password: good for 24 hours, once."""
    places = places_of(own_data_dir)
    set_up(places)
    from django.conf import settings

    from vmart.customers.models import User
    from vmart.web.signing_in import reset_path

    user = User.objects.filter(email__iexact=email, is_active=True).first()
    if user is None:
        raise Misused(f"there is no active user with the address {email}")
    ready = read_json(places.ready_file) or {}
    click.echo((settings.PUBLIC_URL or ready.get("url", "")) + reset_path(user))
