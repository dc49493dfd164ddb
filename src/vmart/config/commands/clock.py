"""Business time: ``vmart clock``."""

import datetime as dt
import re
import sys
from pathlib import Path

import click

from vmart.config.commands.frame import data_dir_option, go_on_as_worker, places_of, set_up
from vmart.config.places import Misused

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST_S = 36_500 * _UNITS["d"]


def parse_duration(text: str) -> dt.timedelta:
    """``90s``, ``30m``, ``48h``, ``7d``, ``2w``, also together (``1d12h``). Raises click.BadParameter."""
    parts = re.fullmatch(r"(?:\d+[smhdw])+", text)
    if not parts:
        raise click.BadParameter(f"{text!r} is no length of time: 90s, 30m, 48h, 7d, 1d12h")
    seconds = sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)([smhdw])", text))
    if seconds > _LONGEST_S:
        raise click.BadParameter(f"{text!r} is longer than {_LONGEST_S // _UNITS['d']} days")
    return dt.timedelta(seconds=seconds)


@click.group()
def clock() -> None:
    """Business time of a deployment on a test clock."""


@clock.command("show")
@data_dir_option
def clock_show(own_data_dir: Path | None) -> None:
    """Print business time, and which clock it is."""
    set_up(places_of(own_data_dir))
    from vmart.kernel import clock as clocks
    from vmart.kernel.models import Deployment

    standing = Deployment.objects.get().test_clock_at is not None
    click.echo(f"{clocks.now().isoformat()} ({'test clock' if standing else 'wall clock'})")


@clock.command("advance")
@data_dir_option
@click.argument("length")
def clock_advance(own_data_dir: Path | None, length: str) -> None:
    """Move a test clock on by LENGTH (48h, 7d, 1d12h), working through everything that falls due."""
    delta = parse_duration(length)
    go_on_as_worker(places_of(own_data_dir))
    set_up(places_of(own_data_dir))
    from vmart.config.clock_control import NoTestClock, advance

    try:
        click.echo(f"{advance(delta, _show_on_terminal).isoformat()} (test clock)")
    except NoTestClock as error:
        raise Misused(f"{error}; --test-clock at the very first start makes one that can be moved") from error


def _show_on_terminal(at: dt.datetime) -> None:
    """How far it is, in one line that the next overwrites: a year takes minutes."""
    if sys.stderr.isatty():
        click.echo(f"{at:%Y-%m-%d %H:%M}\r", nl=False, err=True)
