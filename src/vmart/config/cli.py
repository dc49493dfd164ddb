"""The command ``vmart``. Exit codes: 0 done; 1 looked, and something is not well; 2 wrong use; 3 not possible now.

Heavy imports (Django) happen inside the commands that need them: ``vmart up`` stays small.
"""

import contextlib
import datetime as dt
import json
import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from vmart import __version__
from vmart.config import mail, os_users
from vmart.config.places import Misused, Places, read_json, whole_second_utc
from vmart.config.postgres import DatabaseTrouble
from vmart.config.supervisor import StartFailed, Supervisor, UpOptions, claim_port, lock_holder, parse_listen

NOT_WELL = 1
NOT_POSSIBLE = 3
_TROUBLES = (Misused, StartFailed, DatabaseTrouble, os_users.UsersMissing, mail.MailMisused)
_FOLDER = click.Path(path_type=Path, readable=False)  # web and worker may pass through it, not list it
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST_S = 36_500 * _UNITS["d"]


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
            from vmart.config.out_of_order import sentence

            if (told := sentence(error)) is None:
                raise
            said = told
        click.echo(f"vmart: {said}", err=True)
        return ctx.exit(NOT_POSSIBLE)


def _data_dir_option(function: Any) -> Any:
    """``--data-dir`` may stand before or behind the command's name."""
    return click.option("--data-dir", "own_data_dir", type=_FOLDER, help="Where the deployment keeps its things.")(
        function
    )


def _places(own: Path | None) -> Places:
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


def _django(places: Places, *, current: bool = True) -> None:
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


def _as_worker(places: Places) -> None:
    """As root, go on as the worker's user: what touches engines leaves files that the worker can write."""
    attach(places)
    if not os_users.is_root():
        return
    if "VMART_MASTER_KEY" not in os.environ:
        os.environ["VMART_MASTER_KEY"] = (places.secrets_dir / "master.key").read_text().strip()
    source = str(Path(__file__).resolve().parents[2])
    environment = os_users.environment_of_others(os.environ) | {"PYTHONPATH": source}
    groups = tuple(filter(None, os.environ.get("VMART_WORKER_GROUPS", "").split(",")))
    words = os_users.as_user(os_users.WORKER, ambient=("net_admin",), groups=groups)
    command = [*words, sys.executable, "-m", "vmart.config.cli"]
    os.execvpe(command[0], [*command, *sys.argv[1:]], environment)  # noqa: S606


def parse_duration(text: str) -> dt.timedelta:
    """``90s``, ``30m``, ``48h``, ``7d``, ``2w``, also together (``1d12h``). Raises click.BadParameter."""
    parts = re.fullmatch(r"(?:\d+[smhdw])+", text)
    if not parts:
        raise click.BadParameter(f"{text!r} is no length of time: 90s, 30m, 48h, 7d, 1d12h")
    seconds = sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)([smhdw])", text))
    if seconds > _LONGEST_S:
        raise click.BadParameter(f"{text!r} is longer than {_LONGEST_S // _UNITS['d']} days")
    return dt.timedelta(seconds=seconds)


@click.group(cls=Vmart, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="vmart %(version)s")
@click.option(
    "--data-dir", type=_FOLDER,
    help="Where the deployment keeps its things (default: $VMART_DATA_DIR, else /var/lib/vmart as root, else ./var).",
)  # fmt: skip
def main(data_dir: Path | None) -> None:
    """Sell cloud virtual machines on your own hosts."""


@main.command()
@_data_dir_option
@click.option(
    "--listen", default="127.0.0.1:8000", show_default=True, metavar="HOST:PORT", help="Port 0 takes a free one."
)
@click.option("--listen-tls", metavar="HOST:PORT", help="Serve the same on a TLS address too.")
@click.option("--tls-certificate", type=_FILE, help="Your own, with its chain.")
@click.option("--tls-key", type=_FILE)
@click.option(
    "--database", metavar="URL", envvar="VMART_DATABASE_URL", show_envvar=True,
    help="Your own PostgreSQL (15 or newer); by the variable its password is in no list of processes.",
)  # fmt: skip
@click.option("--compute", type=click.Choice(["auto", "incus", "simulated"]), default="auto", show_default=True)
@click.option(
    "--incus-socket", type=click.Path(path_type=Path), envvar="VMART_INCUS_SOCKET", help="An Incus of your own."
)
@click.option(
    "--smtp", metavar="URL", default="", envvar=mail.SMTP, show_envvar=True,
    help="Send mail by smtp://user:password@host:587; by the variable its password is in no list of processes.",
)  # fmt: skip
@click.option("--mail-from", metavar="ADDRESS", default="", envvar=mail.SENDER, show_envvar=True)
@click.option(
    "--public-url", metavar="URL", default="", envvar=mail.SHOP, show_envvar=True,
    help="How customers reach the shop: links in mails begin with it.",
)  # fmt: skip
@click.option("--demo", is_flag=True, help="Make a demo seller and a demo customer; this machine only.")
@click.option(
    "--test-clock", metavar="ISO8601", help="Business time stands here and moves when told; first start only."
)
def up(own_data_dir: Path | None, listen: str, listen_tls: str | None, **options: Any) -> None:
    """Run the shop: database, web and API, worker, in the foreground."""
    _check_certificate(options["tls_certificate"], options["tls_key"])
    if options["tls_certificate"] and not listen_tls:
        raise click.UsageError("--tls-certificate is served at --listen-tls HOST:PORT: say where")
    try:
        if options["test_clock"] is not None:
            whole_second_utc(options["test_clock"])
        listening = parse_listen(listen), parse_listen(listen_tls) if listen_tls else None
        mail.MailSettings(options["smtp"], options["mail_from"], options["public_url"]).check()
    except (Misused, mail.MailMisused) as error:
        raise click.UsageError(str(error)) from error
    chosen = UpOptions(listen=listening[0], listen_tls=listening[1], **options)
    if chosen.demo:
        for host, _port in filter(None, (chosen.listen, chosen.listen_tls)):
            if host not in ("127.0.0.1", "::1", "localhost"):
                raise click.UsageError(f"--demo opens a shop with known logins: only on 127.0.0.1, not on {host}")
    Supervisor(_places(own_data_dir), chosen).run()


def _check_certificate(certificate: Path | None, key: Path | None) -> None:
    if (certificate is None) != (key is None):
        raise click.UsageError("--tls-certificate and --tls-key go together")
    if certificate is not None and key is not None:
        from vmart.config import own_certificate

        own_certificate.check(certificate, key)


@main.command()
@_data_dir_option
@click.option("--machines", is_flag=True, help="End the machines and the private engine too.")
def down(own_data_dir: Path | None, machines: bool) -> None:
    """End the shop that runs on the data directory; its machines run on."""
    places = _places(own_data_dir)
    holder = lock_holder(places)
    if holder is None and not machines:
        raise Misused(f"nothing runs on {places.data_dir}")
    own_incus = _own_incus(places) if machines and holder is not None else []
    if holder is not None:
        try:
            os.kill(holder, signal.SIGTERM)
        except PermissionError as error:
            raise Misused(f"process {holder} is another user's: end it as the user who started it") from error
        deadline = time.monotonic() + 120
        while lock_holder(places) is not None:
            if time.monotonic() > deadline:
                raise Misused(f"process {holder} has not ended within 120 s: see its log")
            time.sleep(0.05)
        click.echo("the shop has ended")
    if machines:
        from vmart.config.machines import end_machines, end_machines_on_own_incus
        from vmart.engines.contract import EngineError

        end_machines(places, lambda text: click.echo(f"  {text}"))
        try:
            end_machines_on_own_incus(own_incus, lambda text: click.echo(f"  {text}"))
        except EngineError as error:
            raise Misused(f"machines on an Incus of your own may be left: {error}") from error


def _own_incus(places: Places) -> list[dict[str, Any]]:
    """How to reach the Incus of the seller's own, where zones have one: only a running shop's database knows it."""
    _django(places)
    from django.db import connection

    from vmart.provisioning import zone_engines

    found = zone_engines.own_incus()
    connection.close()
    return found


@main.command()
@_data_dir_option
@click.option("--json", "as_json", is_flag=True)
def status(own_data_dir: Path | None, as_json: bool) -> None:
    """Say what runs and how it is; exit code 1 when nothing does or something is not well."""
    from vmart.config.status import read_status, show_status

    value = read_status(_places(own_data_dir))
    click.echo(json.dumps(value, indent=2) if as_json else show_status(value))
    sys.exit(0 if value["running"] and value.get("well") is not False else NOT_WELL)


@main.command()
@_data_dir_option
def doctor(own_data_dir: Path | None) -> None:
    """Look at everything a deployment needs; exit code 1 when something is not well."""
    from vmart.config.doctor import examine

    places = _places(own_data_dir)
    if lock_holder(places):
        attach(places)
    findings = []
    for finding in examine(places):
        findings.append(finding)
        mark = {True: "well ", False: "WRONG", None: "     "}[finding.well]
        click.echo(f"{mark} {finding.name}: {finding.text}")
    sys.exit(NOT_WELL if any(finding.well is False for finding in findings) else 0)


@main.group()
def clock() -> None:
    """Business time of a deployment on a test clock."""


@clock.command("show")
@_data_dir_option
def clock_show(own_data_dir: Path | None) -> None:
    """Print business time, and which clock it is."""
    _django(_places(own_data_dir))
    from vmart.kernel import clock as clocks
    from vmart.kernel.models import Deployment

    standing = Deployment.objects.get().test_clock_at is not None
    click.echo(f"{clocks.now().isoformat()} ({'test clock' if standing else 'wall clock'})")


@clock.command("advance")
@_data_dir_option
@click.argument("length")
def clock_advance(own_data_dir: Path | None, length: str) -> None:
    """Move a test clock on by LENGTH (48h, 7d, 1d12h), working through everything that falls due."""
    delta = parse_duration(length)
    _as_worker(_places(own_data_dir))
    _django(_places(own_data_dir))
    from vmart.config.clock_control import NoTestClock, advance

    try:
        click.echo(f"{advance(delta, _show_on_terminal).isoformat()} (test clock)")
    except NoTestClock as error:
        raise Misused(f"{error}; --test-clock at the very first start makes one that can be moved") from error


def _show_on_terminal(at: dt.datetime) -> None:
    """How far it is, in one line that the next overwrites: a month takes a minute."""
    if sys.stderr.isatty():
        click.echo(f"{at:%Y-%m-%d %H:%M}\r", nl=False, err=True)


@main.group()
def catalog() -> None:
    """What is on sale."""


@catalog.command("apply")
@_data_dir_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
def catalog_apply(own_data_dir: Path | None, file: Path, yes: bool) -> None:
    """Make the shop sell what FILE says; shows the difference first. Twice is once."""
    _django(_places(own_data_dir))
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


@main.group()
def customer() -> None:
    """Those who buy."""


@customer.command("reset-password")
@_data_dir_option
@click.argument("email")
def customer_reset_password(own_data_dir: Path | None, email: str) -> None:
    """Print a link with which the user of EMAIL chooses a new password: good for 24 hours, once."""
    places = _places(own_data_dir)
    _django(places)
    from django.conf import settings

    from vmart.customers.models import User
    from vmart.web.signing_in import reset_path

    user = User.objects.filter(email__iexact=email, is_active=True).first()
    if user is None:
        raise Misused(f"there is no active user with the address {email}")
    ready = read_json(places.ready_file) or {}
    click.echo((settings.PUBLIC_URL or ready.get("url", "")) + reset_path(user))


@main.command()
@_data_dir_option
def reconcile(own_data_dir: Path | None) -> None:
    """Prove ledger = charges = segments = holds = engine; exit code 1 when they differ."""
    _as_worker(_places(own_data_dir))
    _django(_places(own_data_dir))
    from vmart.config.reconcile import reconcile as prove
    from vmart.kernel import db

    db.probe()  # on a full disk one line, not a failed query among those that still fit
    differences = list(prove())
    for difference in differences:
        click.echo(difference)
    click.echo(f"{len(differences)} differences" if differences else "everything agrees")
    sys.exit(NOT_WELL if differences else 0)


@main.command("backup")
@_data_dir_option
@click.argument("file", type=click.Path(path_type=Path))
def backup_command(own_data_dir: Path | None, file: Path) -> None:
    """Write database and secrets to FILE; the shop may go on meanwhile."""
    from vmart.config.backup import BackupFailed, backup

    places = _places(own_data_dir)
    attach(places)
    try:
        backup(places, file, os.environ["VMART_DATABASE_URL"])
    except BackupFailed as error:
        raise Misused(str(error)) from error
    click.echo(f"{file}: {file.stat().st_size} bytes; it holds the deployment's secrets, keep it like them")


@main.command("restore")
@_data_dir_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--database", metavar="URL", envvar="VMART_DATABASE_URL", help="An empty database of your own.")
def restore_command(own_data_dir: Path | None, file: Path, database: str | None) -> None:
    """Fill an empty data directory from a backup."""
    from vmart.config.backup import BackupFailed, restore

    try:
        restore(_places(own_data_dir), file, database)
    except BackupFailed as error:
        raise Misused(str(error)) from error
    click.echo("restored; `vmart up` brings it up to date and starts it")


@main.command()
@_data_dir_option
def migrate(own_data_dir: Path | None) -> None:
    """Bring the database up to date (`vmart up` does it by itself)."""
    _django(_places(own_data_dir), current=False)
    from vmart.config import bring_up

    names = bring_up.pending_migrations()
    try:
        bring_up.bring_up_to_date(os.environ.get("VMART_TEST_CLOCK") or None)
    except bring_up.DatabaseUnfit as error:
        raise Misused(str(error)) from error
    click.echo("\n".join(names) if names else "nothing to migrate")


@main.command()
@_data_dir_option
@click.option("--listen", default="127.0.0.1:8000", show_default=True, metavar="HOST:PORT")
@click.option("--tls-certificate", type=_FILE)
@click.option("--tls-key", type=_FILE)
def web(own_data_dir: Path | None, listen: str, tls_certificate: Path | None, tls_key: Path | None) -> None:
    """Serve pages and API alone, beside a database and workers that run elsewhere."""
    places = _places(own_data_dir)
    _check_certificate(tls_certificate, tls_key)
    _single_process(places)
    from vmart.config import readiness
    from vmart.config.web_main import serve

    host, port = parse_listen(listen)
    if readiness.VARIABLE not in os.environ:  # a supervisor has migrated, and this process stays without Django
        host, port = claim_port((host, port), "--listen")
        _django(places)
        from django.db import connection

        connection.close()
    serve(host, port, certificate=tls_certificate, key=tls_key)


@main.command()
@_data_dir_option
def worker(own_data_dir: Path | None) -> None:
    """Run one worker alone."""
    _single_process(_places(own_data_dir))
    _django(_places(own_data_dir))
    from vmart.config import readiness
    from vmart.config.worker_main import run

    run(ready=readiness.announce)


def _single_process(places: Places) -> None:
    """A child of the supervisor has its environment; alone, it comes from the running deployment or the caller."""
    if "VMART_DATABASE_URL" not in os.environ:
        attach(places)
    os.environ["VMART_DATA_DIR"] = str(places.data_dir)


if __name__ == "__main__":
    main(prog_name="vmart")
