"""What cards paid: ``vmart payment``."""

import secrets
from pathlib import Path
from typing import Any

import click

from vmart.config.commands.customer import told, units
from vmart.config.commands.frame import NOT_WELL, data_dir_option, places_of, set_up, who_types
from vmart.config.commands.output import output_option, show, tell_older
from vmart.config.places import Misused


@click.group()
def payment() -> None:
    """What cards paid. PAYMENT is a number of `vmart payment list`. Amounts are in currency units."""


@payment.command("list")
@data_dir_option
@output_option
@click.option(
    "--search", default="", metavar="TEXT",
    help="A payment's, customer's or provider's number, or words of a customer's address or name.",
)  # fmt: skip
@click.option("--before", default="", metavar="NUMBER", help="Older ones than this: the last of the page before.")
def payment_list(own_data_dir: Path | None, output: str, search: str, before: str) -> None:
    """Card payments of all customers, newest first, 50 at a time."""
    set_up(places_of(own_data_dir))
    from vmart.listings import card_payments

    page = card_payments.page(search, before)
    show(
        [
            {"payment": row.id, "begun": row.created_at, "customer": row.customer, "order": row.order_id,
             "provider": row.provider, "reference": row.reference, "amount": units(row.amount_minor),
             "back_to_card": units(row.refunded_minor), "state": row.state}
            for row in page.rows
        ],
        output,
    )  # fmt: skip
    tell_older(page.older)


@payment.command("show")
@data_dir_option
@output_option
@click.argument("payment", type=click.IntRange(min=1))
def payment_show(own_data_dir: Path | None, output: str, payment: int) -> None:
    """One payment: what the card paid, what went back to it and why, and what happened."""
    set_up(places_of(own_data_dir))
    from vmart.listings import card_payments

    found = card_payments.whole(payment)
    if found is None:
        raise Misused(f"there is no payment {payment}: `vmart payment list --search …` finds them")
    show(_shown(found), output)


def _shown(found: Any) -> dict[str, Any]:
    paid = found.payment
    return {
        "payment": paid.id, "customer": found.customer.email, "customer_number": found.customer.id,
        "provider": paid.provider, "reference": paid.reference, "order": paid.order_id, "state": paid.state,
        "begun": paid.created_at, "ended": paid.resolved_at, "amount": units(paid.amount_minor),
        "back_to_card": units(paid.refunded_minor), "left": units(paid.left_minor), "reason": paid.reason,
        "refunds": [_refund(one) for one in found.refunds],
        "activity": [
            {"at": row.at, "kind": row.kind, "detail": told(row.detail), "actor": row.who} for row in found.happened
        ],
    }  # fmt: skip


def _refund(one: Any) -> dict[str, Any]:
    return {
        "refund": one.id, "at": one.created_at, "amount": units(one.amount_minor), "state": one.state,
        "reference": one.reference, "reason": one.reason, "why": one.why, "actor": one.actor,
    }  # fmt: skip


@payment.command("refund")
@data_dir_option
@output_option
@click.argument("payment", type=click.IntRange(min=1))
@click.argument("amount")
@click.option("--reason", required=True, help="One line, which the customer reads.")
@click.option("--key", default=None, metavar="TEXT", help="A name of this refund: with the same key it is given once.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def payment_refund(own_data_dir: Path | None, output: str, payment: int, amount: str, yes: bool, **said: str) -> None:
    """Give AMOUNT (or `all`) back to the card that paid PAYMENT, out of free cash; shows first what it does.

    Exit code 1: it has failed, and the money is in the balance, or nothing was done.
    """
    set_up(places_of(own_data_dir))
    from vmart.orders.by_hand import amount_of
    from vmart.payments import to_card

    asked = to_card.Asked(payment, None if amount == "all" else amount_of(amount))
    shown = "" if yes else _asked(to_card.foretell(asked))
    given = to_card.give(asked, said["reason"], who_types(), said["key"] or secrets.token_hex(16), shown=shown)
    show(_refund(given), output)
    if given.state == given.State.FAILED:
        click.get_current_context().exit(NOT_WELL)


def _asked(foretold: Any) -> str:
    """What was shown and agreed to; on standard error, so that the output stays what `-o` says."""
    paid = foretold.payment
    click.echo(f"to the card that paid {units(paid.amount_minor)} by {paid.provider} {paid.reference}", err=True)
    click.echo(f"available to the customer after it: {units(foretold.after_minor)}", err=True)
    click.echo(foretold.takes, err=True)
    if not click.confirm(f"give {units(foretold.amount_minor)} back to the card?", err=True):
        click.echo("nothing was done", err=True)
        click.get_current_context().exit(NOT_WELL)
    return str(foretold.shown)
