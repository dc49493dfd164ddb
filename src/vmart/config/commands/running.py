"""Run a shop and look at it: ``up``, ``down``, ``status``, ``doctor``, ``web``, ``worker``."""

import dataclasses
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vmart.config import mail
from vmart.config.commands.frame import (
    FILE,
    NOT_WELL,
    attach,
    be_single_process,
    data_dir_option,
    places_of,
    set_up,
)
from vmart.config.commands.output import output_option, show
from vmart.config.console_door import FDS, check_url
from vmart.config.places import Misused, Places, whole_second_utc
from vmart.config.supervisor import Supervisor, UpOptions, claim_port, lock_holder, parse_listen
from vmart.engines import DRIVERS

if TYPE_CHECKING:
    from vmart.provisioning.zone_engines import OwnEngine

_COMPUTE = ["auto", *(driver.kind for driver in DRIVERS if driver.found_as)]


@click.command()
@data_dir_option
@click.option(
    "--listen", default="127.0.0.1:8000", show_default=True, metavar="HOST:PORT", help="Port 0 takes a free one."
)
@click.option("--listen-tls", metavar="HOST:PORT", help="Serve the same on a TLS address too.")
@click.option("--tls-certificate", type=FILE, help="Your own, with its chain.")
@click.option("--tls-key", type=FILE)
@click.option(
    "--database", metavar="URL", envvar="VMART_DATABASE_URL", show_envvar=True,
    help="Your own PostgreSQL (15 or newer); by the variable its password is in no list of processes.",
)  # fmt: skip
@click.option("--compute", type=click.Choice(_COMPUTE), default="auto", show_default=True)
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
@click.option(
    "--console-listen", metavar="HOST:PORT",
    help="Where browsers reach machines' consoles: the port after --listen's if nothing is said.",
)  # fmt: skip
@click.option("--console-listen-tls", metavar="HOST:PORT", help="The same with TLS, beside --listen-tls.")
@click.option(
    "--console-url", metavar="URL", default="", envvar="VMART_CONSOLE_URL", show_envvar=True,
    help="Behind a reverse proxy: the consoles' address as browsers have it, wss://console.example.com.",
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
        for name in ("console_listen", "console_listen_tls"):
            options[name] = parse_listen(options[name]) if options[name] else None
        check_url(options["console_url"])
    except (Misused, mail.MailMisused) as error:
        raise click.UsageError(str(error)) from error
    chosen = UpOptions(listen=listening[0], listen_tls=listening[1], **options)
    if chosen.demo:
        for host, _port in filter(None, (chosen.listen, chosen.listen_tls)):
            if host not in ("127.0.0.1", "::1", "localhost"):
                raise click.UsageError(f"--demo opens a shop with known logins: only on 127.0.0.1, not on {host}")
    Supervisor(places_of(own_data_dir), chosen).run()


def _check_certificate(certificate: Path | None, key: Path | None) -> None:
    if (certificate is None) != (key is None):
        raise click.UsageError("--tls-certificate and --tls-key go together")
    if certificate is not None and key is not None:
        from vmart.config import own_certificate

        own_certificate.check(certificate, key)


@click.command()
@data_dir_option
@click.option("--machines", is_flag=True, help="End the machines and the private engine too.")
def down(own_data_dir: Path | None, machines: bool) -> None:
    """End the shop that runs on the data directory; its machines run on."""
    places = places_of(own_data_dir)
    holder = lock_holder(places)
    if holder is None and not machines:
        raise Misused(f"nothing runs on {places.data_dir}")
    own = _sellers_own(places) if machines and holder is not None else []
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
        from vmart.config.machines import end_machines, end_machines_elsewhere
        from vmart.engines.contract import EngineError

        end_machines(places, lambda text: click.echo(f"  {text}"))
        try:
            end_machines_elsewhere(own, lambda text: click.echo(f"  {text}"))
        except EngineError as error:
            raise Misused(f"machines on an engine of your own may be left: {error}") from error


def _sellers_own(places: Places) -> "list[OwnEngine]":
    """How to reach engines of the seller's own, where zones have one: only a running shop's database knows it."""
    set_up(places)
    from django.db import connection

    from vmart.provisioning import zone_engines

    found = zone_engines.sellers_own()
    connection.close()
    return found


@click.command()
@data_dir_option
@output_option
@click.option("--json", "output", flag_value="json", help="The same as -o json.")
def status(own_data_dir: Path | None, output: str) -> None:
    """Say what runs and how it is; exit code 1 when nothing does or something is not well."""
    from vmart.config.status import read_status, show_status

    places = places_of(own_data_dir)
    value = read_status(places)
    if value.get("well"):
        value["attention"] = _attention(places)
    if output == "table":
        click.echo(show_status(value))
    else:
        show(value, output)
    sys.exit(0 if value["running"] and value.get("well") is not False else NOT_WELL)


def _attention(places: Places) -> dict[str, Any] | None:
    """How much needs the seller; None where this user may not ask the database, or it is of another version."""
    from django.db import DatabaseError

    try:
        set_up(places)
        from vmart.listings import attention

        return dataclasses.asdict(attention.summary())
    except (Misused, DatabaseError):
        return None


@click.command()
@data_dir_option
@output_option
def doctor(own_data_dir: Path | None, output: str) -> None:
    """Look at everything a deployment needs; exit code 1 when something is not well."""
    from vmart.config.doctor import examine

    places = places_of(own_data_dir)
    if lock_holder(places):
        attach(places)
    findings = []
    for finding in examine(places):
        findings.append(finding)
        if output == "table":  # each as soon as it is known
            mark = {True: "well ", False: "WRONG", None: "     "}[finding.well]
            click.echo(f"{mark} {finding.name}: {finding.text}")
    if output != "table":
        show([dataclasses.asdict(finding) for finding in findings], output)
    sys.exit(NOT_WELL if any(finding.well is False for finding in findings) else 0)


@click.command()
@data_dir_option
@click.option("--listen", default="127.0.0.1:8000", show_default=True, metavar="HOST:PORT")
@click.option("--tls-certificate", type=FILE)
@click.option("--tls-key", type=FILE)
def web(own_data_dir: Path | None, listen: str, tls_certificate: Path | None, tls_key: Path | None) -> None:
    """Serve pages and API alone, beside a database and workers that run elsewhere."""
    places = places_of(own_data_dir)
    _check_certificate(tls_certificate, tls_key)
    be_single_process(places)
    from vmart.config import readiness
    from vmart.config.web_main import serve

    host, port = parse_listen(listen)
    if readiness.VARIABLE not in os.environ:  # a supervisor has migrated, and this process stays without Django
        host, port = claim_port((host, port), "--listen")
        set_up(places)
        from django.db import connection

        connection.close()
    serve(host, port, certificate=tls_certificate, key=tls_key)


@click.command()
@data_dir_option
@click.option("--listen", default="127.0.0.1:8001", show_default=True, metavar="HOST:PORT")
@click.option("--tls-certificate", type=FILE)
@click.option("--tls-key", type=FILE)
def console(own_data_dir: Path | None, listen: str, tls_certificate: Path | None, tls_key: Path | None) -> None:
    """Run the gateway of machines' consoles alone; beside web processes that are told its --console-url."""
    _check_certificate(tls_certificate, tls_key)
    be_single_process(places_of(own_data_dir))
    set_up(places_of(own_data_dir))
    from vmart.config.console_door import handed_over, listen_at
    from vmart.config.console_main import LINGER_VARIABLE, serve_consoles

    if os.environ.get(FDS):
        plain, tls = handed_over(os.environ[FDS])
    else:
        listening = listen_at(parse_listen(listen), "--listen")
        plain, tls = (None, listening) if tls_certificate else (listening, None)
        os.environ[LINGER_VARIABLE] = "inf"  # nobody would start it again
    serve_consoles(plain, tls, tls_certificate, tls_key)


@click.command()
@data_dir_option
def worker(own_data_dir: Path | None) -> None:
    """Run one worker alone."""
    be_single_process(places_of(own_data_dir))
    set_up(places_of(own_data_dir))
    from vmart.config import readiness
    from vmart.config.worker_main import run

    run(ready=readiness.announce)
