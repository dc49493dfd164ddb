"""What was bought: ``vmart order``."""

import secrets
from pathlib import Path
from typing import Any

import click

from vmart.config.commands.customer import told, units
from vmart.config.commands.frame import NOT_WELL, data_dir_option, places_of, set_up, who_types
from vmart.config.commands.output import output_option, show, tell_older
from vmart.config.places import Misused

STATES = ("unpaid", "paid", "delivering", "delivered", "failed", "refunded", "closed", "expired")


@click.group()
def order() -> None:
    """What was bought. ORDER is a number of `vmart order list`. Amounts are in currency units."""


@order.command("list")
@data_dir_option
@output_option
@click.option("--search", default="", metavar="TEXT", help="An order's or a customer's number, an id, part of a name.")
@click.option("--state", type=click.Choice(STATES))
@click.option("--before", default="", metavar="NUMBER", help="Older ones than this: the last of the page before.")
def order_list(own_data_dir: Path | None, output: str, search: str, state: str | None, before: str) -> None:
    """Orders of all customers, newest first, 50 at a time."""
    set_up(places_of(own_data_dir))
    from vmart.listings import sold_orders

    page = sold_orders.page(search, str(STATES.index(state) + 1) if state else "", before)
    show(
        [
            {"order": row.id, "ordered": row.created_at, "customer": row.customer, "action": row.action,
             "charged": row.charge_type, "count": row.count, "of": row.thing, "total": units(row.total_minor),
             "paid": units(row.paid_minor), "given_back": units(row.refund_minor), "state": STATES[row.status - 1]}
            for row in page.rows
        ],
        output,
    )  # fmt: skip
    tell_older(page.older)


@order.command("show")
@data_dir_option
@output_option
@click.argument("order", type=click.IntRange(min=1))
def order_show(own_data_dir: Path | None, output: str, order: int) -> None:
    """One order: its lines, what was paid from where, what came back and why, and what happened."""
    set_up(places_of(own_data_dir))
    from vmart.listings import sold_orders

    found = sold_orders.whole(order)
    if found is None:
        raise Misused(f"there is no order {order}: `vmart order list --search …` finds them")
    show(_shown(found), output)


def _shown(found: Any) -> dict[str, Any]:
    bought = found.order
    return {
        "order": bought.id, "customer": found.customer.email, "customer_number": found.customer.id,
        "action": bought.action, "charged": bought.charge_type, "state": STATES[bought.status - 1],
        "ordered": bought.created_at, "paid_at": bought.paid_at, "total": units(bought.total_minor),
        "paid": units(found.paid_minor), "of_it_cash": units(found.cash_minor), "of_it_gift": units(found.gift_minor),
        "given_back": units(found.refund_minor), "left": units(found.left_minor), "reason": bought.reason,
        "price_book": bought.book_version,
        "lines": [
            {"line": one.line.number, "of": one.public_id, "kind": one.kind, "state": one.line.state,
             "price": units(one.line.amount_minor),
             "paid": units(one.line.paid_cash_minor + one.line.paid_gift_minor),
             "given_back": units(one.line.refund_minor), "from": one.line.period_from, "to": one.line.period_to,
             "lost": one.lost}
            for one in found.lines
        ],
        "cards": [
            {"payment": row["id"], "provider": row["provider"], "state": row["state"],
             "amount": units(row["amount_minor"]), "at": row["created_at"]}
            for row in found.payments
        ],
        "refunds": [
            {"at": one.refund.at, "line": one.line, "cash": units(one.refund.cash_minor),
             "gift": units(one.refund.gift_minor), "ended": one.refund.ended, "reason": one.refund.reason,
             "actor": one.refund.actor}
            for one in found.refunds
        ],
        "activity": [
            {"at": row.at, "of": row.subject or row.subject_kind, "kind": row.kind, "detail": told(row.detail),
             "actor": row.who}
            for row in found.happened
        ],
    }  # fmt: skip


@order.command("refund")
@data_dir_option
@click.argument("order", type=click.IntRange(min=1))
@click.argument("amount")
@click.option("--reason", required=True, help="One line, which the customer reads.")
@click.option("--line", type=click.IntRange(min=1), help="Of this line alone; else each gives its part.")
@click.option("--stays", "after", flag_value="stays", help="What was bought stays until its term ends.")
@click.option("--ends", "after", flag_value="ends", help="What was bought goes into the recycle bin now.")
@click.option("--key", default=None, metavar="TEXT", help="A name of this refund: with the same key it is given once.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def order_refund(own_data_dir: Path | None, order: int, amount: str, line: int | None, yes: bool, **said: str) -> None:
    """Give AMOUNT (or `all`) of what was paid for ORDER back, to the customer's balance; shows first what it does."""
    if not said["after"]:
        raise click.UsageError("say what becomes of what was bought: --stays or --ends")
    set_up(places_of(own_data_dir))
    from vmart.orders import refund
    from vmart.orders.by_hand import amount_of

    asked = refund.Asked(order, None if amount == "all" else amount_of(amount), said["after"], line or 0)
    shown = ""
    if not yes:
        shown = _asked(refund.foretell(asked))
    done = refund.give(asked, said["reason"], who_types(), said["key"] or secrets.token_hex(16), shown=shown)
    if done is None:
        click.echo("this was done before, and nothing has changed")
    else:
        click.echo(f"given back: {units(done.refund_minor)}")


def _asked(foretold: Any) -> str:
    """What was shown and agreed to."""
    for part in foretold.parts:
        click.echo(f"{part.public_id}: {units(part.cash_minor)} to cash, {units(part.gift_minor)} to gift")
    click.echo("ends now, into the recycle bin" if foretold.ends else "stays until the term that was paid ends")
    for number, left in foretold.also:
        click.echo(f"order {number} has paid for it too: {units(left)} of it do not come back by this")
    if not click.confirm(f"give {units(foretold.refund_minor)} back?"):
        click.echo("nothing was done")
        click.get_current_context().exit(NOT_WELL)
    return str(foretold.shown)


@order.command("void")
@data_dir_option
@click.argument("order", type=click.IntRange(min=1))
@click.option("--reason", required=True, help="One line, which the customer reads.")
def order_void(own_data_dir: Path | None, order: int, reason: str) -> None:
    """Cancel what of ORDER is not delivered yet; what was set aside for it is the customer's again."""
    set_up(places_of(own_data_dir))
    from vmart.orders import void

    done = void.void(order, reason, who_types())
    if done is None:
        click.echo("it is so already")
    else:
        click.echo(f"voided; not delivered any more: {done.machines}, free again: {units(done.freed_minor)}")
