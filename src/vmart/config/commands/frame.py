"""What every command begins with: where the data directory is, the running deployment's environment, Django.

Heavy imports (Django) happen inside the commands that need them: ``vmart up`` stays small.
"""

import contextlib
import os
import pwd
import sys
from pathlib import Path
from typing import Any

import click

from vmart.config import mail, os_users
from vmart.config.places import Misused, Places, read_json
from vmart.config.postgres import DatabaseTrouble
from vmart.config.supervisor import StartFailed, lock_holder
from vmart.events.actor import COMMAND, Actor

NOT_WELL = 1
NOT_POSSIBLE = 3
_TROUBLES = (Misused, StartFailed, DatabaseTrouble, os_users.UsersMissing, mail.MailMisused)
FOLDER = click.Path(path_type=Path, readable=False)  # web and worker may pass through it, not list it
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class Vmart(click.Group):
    """Turns our refusals into one sentence on standard error and exit code 3."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except _TROUBLES as error:
            said = str(error)
        except Exception as error:
            if "psycopg" not in sys.modules:
                raise
            if (told := _told(error)) is None:
                raise
            said = told
        click.echo(f"vmart: {said}", err=True)
        return ctx.exit(NOT_POSSIBLE)


def _told(error: Exception) -> str | None:
    """A refusal of a room, or a passing fault of the database, in one sentence; None for any other error."""
    from vmart.config.out_of_order import sentence
    from vmart.kernel.errors import Refused

    return str(error) if isinstance(error, Refused) else sentence(error)


def data_dir_option(function: Any) -> Any:
    """``--data-dir`` may stand before or behind the command's name."""
    return click.option("--data-dir", "own_data_dir", type=FOLDER, help="Where the deployment keeps its things.")(
        function
    )


def places_of(own: Path | None) -> Places:
    context = click.get_current_context()
    return Places.of(own or context.find_root().params.get("data_dir"))


def attach(places: Places) -> None:
    """Take over the running deployment's environment (database, engine, clock). Raises Misused when none runs.

    A child of the supervisor, or a command that went on as the worker's user, has it already.
    """
    if os.environ.get("VMART_DATA_DIR") == str(places.data_dir) and os.environ.get("VMART_RUN_DIR"):
        return
    os.environ["VMART_DATA_DIR"] = str(places.data_dir)
    holder, control = lock_holder(places), None
    if holder is not None:
        with contextlib.suppress(PermissionError):
            control = read_json(places.control_file)
    if control is not None:
        os.environ.update(control["environment"])
    elif "VMART_DATABASE_URL" not in os.environ:
        if holder is not None:
            raise Misused(
                f"process {holder} runs on {places.data_dir}: it is starting, or another user's, who alone commands it"
            )
        raise Misused(f"nothing runs on {places.data_dir}: start it with `vmart up`, or name it with --data-dir")


def links_of(places: Places) -> str:
    """What a link into the shop begins with: as the seller said, else where it serves now. Django is set up by then."""
    from django.conf import settings

    ready = read_json(places.ready_file) or {}
    return str(settings.PUBLIC_URL or ready.get("url", ""))


def set_up(places: Places, *, current: bool = True) -> None:
    """Attach, set Django up, install the deployment's clock; refuse pending migrations."""
    from vmart.config import bring_up, business_time
    from vmart.kernel.secrets import SecretsUnreadable

    attach(places)
    try:
        bring_up.setup()
    except SecretsUnreadable as error:
        raise Misused(str(error)) from error
    if current:
        try:
            bring_up.require_current()
        except bring_up.DatabaseUnfit as error:
            raise Misused(str(error)) from error
        business_time.install()


def go_on_as_worker(places: Places) -> None:
    """As root, go on as the worker's user: what touches engines leaves files that the worker can write."""
    attach(places)
    if not os_users.is_root():
        return
    if "VMART_MASTER_KEY" not in os.environ:
        os.environ["VMART_MASTER_KEY"] = (places.secrets_dir / "master.key").read_text().strip()
    source = str(Path(__file__).resolve().parents[3])
    environment = os_users.environment_of_others(os.environ) | {"PYTHONPATH": source}
    groups = tuple(filter(None, os.environ.get("VMART_WORKER_GROUPS", "").split(",")))
    words = os_users.as_user(os_users.WORKER, ambient=("net_admin",), groups=groups)
    command = [*words, sys.executable, "-m", "vmart.config.cli"]
    os.execvpe(command[0], [*command, *sys.argv[1:]], environment)  # noqa: S606


def be_single_process(places: Places) -> None:
    """A child of the supervisor has its environment; alone, it comes from the running deployment or the caller."""
    if "VMART_DATABASE_URL" not in os.environ:
        attach(places)
    os.environ["VMART_DATA_DIR"] = str(places.data_dir)


def who_types() -> Actor:
    """Who types: the user of the operating system, also behind sudo."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return Actor(None, COMMAND, (os.environ.get("SUDO_USER") or name)[:200])
