"""What is on sale: ``vmart catalog``."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from vmart.config.commands.frame import NOT_WELL, data_dir_option, places_of, set_up, who_types
from vmart.config.commands.output import output_option, show
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

    def tell(changes: Sequence[object]) -> None:
        for change in changes:
            click.echo(change)

    def confirm(changes: Sequence[object]) -> bool:
        tell(changes)
        return click.confirm("apply this?")

    try:
        changes = apply_file(file, None if yes else confirm, by=who_types())
    except Declined:
        click.echo("nothing was changed")
        sys.exit(NOT_WELL)
    except (DocumentError, Refused) as error:
        raise Misused(str(error)) from error
    if yes:
        tell(changes)
    click.echo(f"{len(changes)} changes are on sale" if changes else "the shop sells exactly that already")


@catalog.command("show")
@data_dir_option
@output_option
def catalog_show(own_data_dir: Path | None, output: str) -> None:
    """What is on sale now, with list prices (disks: a GiB). Terms, tiers and regions' factors are in the file."""
    set_up(places_of(own_data_dir))
    from vmart.catalog import shop
    from vmart.listings.on_sale import on_sale

    show(on_sale(shop.current()), output)


@catalog.command("export")
@data_dir_option
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
def catalog_export(own_data_dir: Path | None, file: Path | None) -> None:
    """Write the catalog as it was applied last, with its comments, to FILE (else print it): to change and apply."""
    set_up(places_of(own_data_dir))
    from vmart.backoffice.apply_catalog import applied

    text = applied()
    if file is None:
        click.echo(text, nl=False)
        return
    try:
        with file.open("x", encoding="utf-8", newline="") as new:
            new.write(text)
    except FileExistsError as error:
        raise Misused(f"{file} is there already: name another file") from error
    except OSError as error:
        raise Misused(f"{file} cannot be written: {error.strerror or error}") from error
    click.echo(f"{file}: {len(text.splitlines())} lines")


@catalog.command("history")
@data_dir_option
@output_option
def catalog_history(own_data_dir: Path | None, output: str) -> None:
    """The catalog files that were applied, the latest first, and the price books."""
    set_up(places_of(own_data_dir))
    from vmart.backoffice import prices
    from vmart.pricing import books

    show(
        {
            "applied": [{"number": row.id, "at": row.at, "by": row.by} for row in prices.history()],
            "price_books": [
                {"version": row.version, "from": row.effective_at, "to": row.ends_at} for row in books.dated()
            ],
        },
        output,
    )


@catalog.command("preview")
@data_dir_option
@output_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def catalog_preview(own_data_dir: Path | None, output: str, file: Path) -> None:
    """What the prices of FILE would do to what runs: how many, and what all of it costs an hour before and after."""
    set_up(places_of(own_data_dir))
    from vmart.backoffice import apply_catalog
    from vmart.kernel.documents import DocumentError
    from vmart.listings import effect
    from vmart.pricing import books

    apply_catalog.last_applied()
    try:
        _document, book = apply_catalog.read(file.read_text(encoding="utf-8"))
    except (DocumentError, UnicodeDecodeError) as error:
        raise Misused(str(error)) from error
    whole = effect.of_book(books.newest(), book)
    show(
        {"machines": whole.machines, "paid_ahead": whole.prepaid,
         "hour_before": whole.before, "hour_after": whole.after,
         "prices": [{"price": one.price_key, "running": one.running, "hour_before": one.before, "hour_after": one.after}
                    for one in whole.effects]},
        output,
    )  # fmt: skip


@catalog.command("withdraw")
@data_dir_option
@output_option
@click.argument("version", type=click.IntRange(1, 2**31 - 1))
def catalog_withdraw(own_data_dir: Path | None, output: str, version: int) -> None:
    """Withdraw the price book VERSION, which has not begun; prints the books that are left."""
    set_up(places_of(own_data_dir))
    from vmart.backoffice import withdraw_book
    from vmart.pricing import books

    withdraw_book.withdraw(version, by=who_types())
    show([{"version": row.version, "from": row.effective_at, "to": row.ends_at} for row in books.dated()], output)


@catalog.command("sold-out")
@data_dir_option
@click.argument("instance_type")
@click.argument("zone")
@click.option("--sell", is_flag=True, help="Sell it there again.")
def catalog_sold_out(own_data_dir: Path | None, instance_type: str, zone: str, sell: bool) -> None:
    """Show INSTANCE_TYPE as sold out in ZONE, whatever room there is."""
    set_up(places_of(own_data_dir))
    from vmart.backoffice import prices

    fresh = prices.sold_out(zone, instance_type, out=not sell, by=who_types())
    click.echo(("sold again" if sell else "sold out from now on") if fresh else "it is so already")


@catalog.command("calculate")
@output_option
@click.option("--month", required=True, help="What the host costs a month.")
@click.option("--vcpu", required=True, help="Its threads.")
@click.option("--memory-gib", required=True)
@click.option("--disk-gib", required=True)
@click.option("--vcpu-overcommit", default="4", show_default=True, help="Each thread is sold so often.")
@click.option("--fill-percent", default="70", show_default=True, help="Sold in an ordinary month.")
@click.option("--margin-percent", default="40", show_default=True, help="Of the price.")
@click.option("--cpu-percent", default="45", show_default=True, help="Of the cost.")
@click.option("--memory-percent", default="35", show_default=True, help="Of the cost; disks bear the rest.")
@click.option("--line-month", default="0", show_default=True, help="What the line to the internet costs a month.")
@click.option("--line-mbps", default="1000", show_default=True)
@click.option(
    "--hour-factor", default="1.5", show_default=True, help="An hour costs so many times its part of a month."
)
def catalog_calculate(output: str, **said: str) -> None:
    """Prices that pay for a host, worked out as in the first run; needs no running shop."""
    from vmart.pricing import calculator, host_typed

    host = host_typed.host(said)
    sizes = ((1, 1), (1, 2), (2, 4), (4, 8), (8, 16))
    rows = [(f"{vcpu} vCPU, {gib} GiB", calculator.machine(host, vcpu, gib)) for vcpu, gib in sizes]
    rows += [("disk, GiB", calculator.disk(host)), ("bandwidth, Mbps", calculator.bandwidth(host))]
    show(
        [*({"what": what, "month": price.month, "hour": price.hour} for what, price in rows),
         {"what": "traffic, GiB", "month": calculator.traffic_gib(host), "hour": None}],
        output,
    )  # fmt: skip
