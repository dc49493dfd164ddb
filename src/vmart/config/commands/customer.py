"""Those who buy: ``vmart customer``."""

import secrets
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from vmart.config.commands.frame import data_dir_option, links_of, places_of, set_up, who_types
from vmart.config.commands.output import output_option, show, tell_older
from vmart.config.places import Misused


@click.group()
def customer() -> None:
    """Those who buy. CUSTOMER is an owner's e-mail address or a number of `vmart customer list`."""


@customer.command("reset-password")
@data_dir_option
@click.argument("email")
def customer_reset_password(own_data_dir: Path | None, email: str) -> None:
    """Print a link with which the user of EMAIL chooses a new password: good for 24 hours, once."""
    places = places_of(own_data_dir)
    set_up(places)
    from vmart.pages import reset_link

    click.echo(links_of(places) + reset_link.path(_user(email)))


@customer.command("remove-second-factor")
@data_dir_option
@click.argument("email")
def customer_remove_second_factor(own_data_dir: Path | None, email: str) -> None:
    """Let the user of EMAIL, customer or operator, sign in with the password alone.

    For who has lost telephone and recovery codes: make sure that it is he who asks.
    """
    set_up(places_of(own_data_dir))
    from vmart.customers import accounts

    count = accounts.forget_second_factor(_user(email))
    click.echo(f"removed: {count}" if count else "nothing to remove: the password alone is enough")


def _user(email: str) -> Any:
    from vmart.customers.models import User

    user = User.objects.filter(email__iexact=email, is_active=True).first()
    if user is None:
        raise Misused(f"there is no active user with the address {email}")
    return user


@customer.command("list")
@data_dir_option
@output_option
@click.option(
    "--search",
    default="",
    metavar="TEXT",
    help="Beginnings of words of address or name, a number, a machine's id, or a public address.",
)
@click.option("--before", default="", metavar="NUMBER", help="Older ones than this: the last of the page before.")
def customer_list(own_data_dir: Path | None, output: str, search: str, before: str) -> None:
    """Customers, newest first, 50 at a time. Amounts in currency units."""
    set_up(places_of(own_data_dir))
    from vmart.listings import customers
    from vmart.orders.discount import percent_off

    page = customers.page(search, before)
    show(
        [
            {"number": row.id, "email": row.email, "since": row.created_at, "machines": row.machines,
             "balance": units(row.balance_minor), "percent_off": percent_off(row.factor), "frozen": row.frozen_reason}
            for row in page.rows
        ],
        output,
    )  # fmt: skip
    tell_older(page.older)


@customer.command("show")
@data_dir_option
@output_option
@click.argument("customer")
def customer_show(own_data_dir: Path | None, output: str, customer: str) -> None:
    """One customer: balance, quotas, and the latest machines, orders, movements of money and events."""
    set_up(places_of(own_data_dir))
    show(_shown(_find(customer)), output)


def _shown(number: int) -> dict[str, Any]:
    from vmart.listings import activity, customers, discounts, machines, orders, overview

    found, money = customers.customer(number), overview.balance(number)
    assert found is not None
    return {
        "number": found.id, "email": found.email, "name": found.name, "since": found.created_at,
        "frozen": found.frozen_reason, "percent_off": discounts.held(number).percent_off,
        "available": units(money.available_minor), "cash": units(money.cash_minor),
        "gift": units(money.gift_minor), "set_aside": units(money.held_minor), "owed": units(money.owed_minor),
        **found.quotas,
        "machines": [
            {"id": row.public_id, "name": row.name, "zone": row.zone_id, "type": row.instance_type_id,
             "state": row.state, "created": row.created_at}
            for row in machines.by_key(number).rows
        ],
        "orders": [
            {"id": row.id, "created": row.created_at, "count": row.count, "total": units(row.total_minor),
             "status": row.get_status_display()}
            for row in orders.page(number).rows
        ],
        "money": [
            {"at": row.at, "kind": row.kind, "purse": row.purse, "amount": units(row.amount_minor),
             "after": units(row.balance_after), "reason": row.reason, "actor": row.actor}
            for row in overview.statement(number).rows
        ],
        "activity": [
            {"at": row.at, "of": row.subject or row.subject_kind, "kind": row.kind, "detail": told(row.detail),
             "actor": row.who}
            for row in activity.of_account(number).rows
        ],
    }  # fmt: skip


def told(detail: dict[str, Any]) -> str:
    """An event's detail in a cell of a table; of a change, what holds after it."""
    return ", ".join(f"{name}={value}" for name, value in detail.get("after", detail).items())


def _money_options(function: Any) -> Any:
    for option in (
        click.argument("amount"),
        click.argument("customer"),
        click.option("--reason", required=True, help="One line, which the customer reads in the statement."),
        click.option("--purse", type=click.Choice(["cash", "gift"]), default="cash", show_default=True),
        click.option(
            "--key", default=None, metavar="TEXT",
            help="A name of this movement: the same command with the same key moves money once."
            " Without it each command is a movement of its own.",
        ),
    ):  # fmt: skip
        function = option(function)
    return data_dir_option(function)


@customer.command("credit")
@_money_options
def customer_credit(own_data_dir: Path | None, **asked: Any) -> None:
    """Credit CUSTOMER with AMOUNT currency units (12.50): what is owed is paid first."""
    _move(own_data_dir, 1, **asked)


@customer.command("debit")
@_money_options
def customer_debit(own_data_dir: Path | None, **asked: Any) -> None:
    """Take AMOUNT currency units (12.50) from CUSTOMER; refused where less lies free in the purse."""
    _move(own_data_dir, -1, **asked)


def _move(own: Path | None, sign: int, *, customer: str, amount: str, reason: str, purse: str, key: str | None) -> None:
    set_up(places_of(own))
    from vmart.listings import overview
    from vmart.orders import by_hand

    number = _find(customer)
    amount_minor = sign * by_hand.amount_of(amount)
    key = secrets.token_hex(16) if key is None else key
    fresh = by_hand.move(by_hand.Movement(number, amount_minor, purse, reason, who_types(), key))
    done = "done" if fresh else "this was done before, and nothing has changed"
    click.echo(f"{done}; available: {units(overview.balance(number).available_minor)}")


@customer.command("note")
@data_dir_option
@click.argument("customer")
@click.argument("text")
def customer_note(own_data_dir: Path | None, customer: str, text: str) -> None:
    """Write TEXT down about CUSTOMER, for those who sell; the customer never sees it."""
    set_up(places_of(own_data_dir))
    from vmart.customers import notes

    click.echo(f"note {notes.add(_find(customer), text, who_types()).pk}")


@customer.command("strike-note")
@data_dir_option
@click.argument("customer")
@click.argument("note", type=click.IntRange(1, 2**63 - 1))
def customer_strike_note(own_data_dir: Path | None, customer: str, note: int) -> None:
    """Strike the NOTE of this number out. It stays, with who did it."""
    set_up(places_of(own_data_dir))
    from vmart.customers import notes

    click.echo("struck out" if notes.strike(_find(customer), note, who_types()) else "it is so already")


@customer.command("notes")
@data_dir_option
@output_option
@click.argument("customer")
@click.option("--before", default="", metavar="NUMBER", help="Older ones than this: the last of the page before.")
def customer_notes(own_data_dir: Path | None, output: str, customer: str, before: str) -> None:
    """Notes of CUSTOMER, the latest first, 50 at a time."""
    set_up(places_of(own_data_dir))
    from vmart.listings import notes

    page = notes.of_account(_find(customer), before)
    show(
        [
            {"number": row.pk, "at": row.at, "by": row.by,
             "text": " ".join(row.text.split()) if output == "table" else row.text, "struck_at": row.struck_at,
             "struck_by": row.struck_by}
            for row in page.rows
        ],
        output,
    )  # fmt: skip
    tell_older(page.older)


@customer.command("discount")
@data_dir_option
@output_option
@click.argument("customer")
@click.argument("percent")
@click.option("--reason", required=True, help="One line, which the customer reads in the audit log.")
def customer_discount(own_data_dir: Path | None, output: str, customer: str, percent: str, reason: str) -> None:
    """Let CUSTOMER pay PERCENT (12.5) less than list prices from the next full hour on; 0 ends a discount.

    Prints what holds then, and what an hour of all that the customer uses costs now and then.
    """
    set_up(places_of(own_data_dir))
    from vmart.orders import discount

    number = _find(customer)
    fresh = discount.set_factor(number, discount.factor_of(percent), reason, who_types())
    show({"done": "set" if fresh else "it is so already", **_discounted(number)}, output)


@customer.command("withdraw-discount")
@data_dir_option
@output_option
@click.argument("customer")
def customer_withdraw_discount(own_data_dir: Path | None, output: str, customer: str) -> None:
    """Let what was set for CUSTOMER's next full hour never begin; what holds goes on."""
    set_up(places_of(own_data_dir))
    from vmart.orders import discount

    number = _find(customer)
    fresh = discount.withdraw(number, who_types())
    show({"done": "withdrawn" if fresh else "it is so already", **_discounted(number)}, output)


def _discounted(number: int) -> dict[str, Any]:
    """What holds, what begins, and what an hour costs by each; "-" of what is not."""
    from vmart.listings import discounts
    from vmart.orders.discount import percent_off

    held = discounts.held(number)
    coming = held.last
    hour = discounts.hour(number, held.factor, coming.factor if coming else held.factor)
    return {
        "percent_off_now": held.percent_off,
        "percent_off_then": percent_off(coming.factor) if coming else None,
        "from": coming.from_at if coming else None,
        "hour_now": hour and exact(hour.now),
        "hour_then": exact(hour.then) if hour and coming else None,
    }


@customer.command("discounts")
@data_dir_option
@output_option
@click.argument("customer")
@click.option("--before", default="", metavar="NUMBER", help="Older ones than this: the last of the page before.")
def customer_discounts(own_data_dir: Path | None, output: str, customer: str, before: str) -> None:
    """Discounts that CUSTOMER has, has had and is to have, the latest first, 50 at a time."""
    set_up(places_of(own_data_dir))
    from vmart.listings import discounts
    from vmart.orders.discount import percent_off

    page = discounts.of_account(_find(customer), before)
    show(
        [
            {"number": row.pk, "from": row.from_at, "percent_off": percent_off(row.factor), "reason": row.reason,
             "set": row.created_at, "by": row.by}
            for row in page.rows
        ],
        output,
    )  # fmt: skip
    tell_older(page.older)


@customer.command("freeze")
@data_dir_option
@click.argument("customer")
@click.option("--reason", required=True, help="One line, which the customer reads where buying is refused.")
def customer_freeze(own_data_dir: Path | None, customer: str, reason: str) -> None:
    """Let CUSTOMER buy nothing; what runs goes on."""
    set_up(places_of(own_data_dir))
    from vmart.orders import standing

    fresh = standing.freeze(_find(customer), reason, who_types())
    click.echo("buys nothing from now on" if fresh else "it is so already")


@customer.command("unfreeze")
@data_dir_option
@click.argument("customer")
def customer_unfreeze(own_data_dir: Path | None, customer: str) -> None:
    """Let CUSTOMER buy again."""
    set_up(places_of(own_data_dir))
    from vmart.orders import standing

    click.echo("may buy again" if standing.unfreeze(_find(customer), who_types()) else "it is so already")


@customer.command("quota")
@data_dir_option
@click.argument("customer")
@click.option("--postpaid-per-zone", type=int)
@click.option("--prepaid-per-month", type=int, help="Bought in a zone and month.")
@click.option("--returns-per-year", type=int)
@click.option("--run-per-s", type=int, help="Purchases by API a second.")
@click.option("--as-in-catalog", "given_up", multiple=True, metavar="QUOTA", help="The catalog's number holds again.")
def customer_quota(own_data_dir: Path | None, customer: str, given_up: Sequence[str], **asked: int | None) -> None:
    """Set what CUSTOMER may have at most; what is not named stays."""
    named: dict[str, int | None] = {name: value for name, value in asked.items() if value is not None}
    if twice := sorted(named.keys() & {name.replace("-", "_") for name in given_up}):
        raise click.UsageError(f"{', '.join(twice)}: either a number or --as-in-catalog")
    wanted = named | {name.replace("-", "_"): None for name in given_up}
    if not wanted:
        raise click.UsageError(
            "name a quota to set: --postpaid-per-zone, --prepaid-per-month, --returns-per-year, --run-per-s,"
            " or --as-in-catalog with one of these names"
        )
    set_up(places_of(own_data_dir))
    from vmart.orders import standing

    click.echo("set" if standing.set_quotas(_find(customer), wanted, who_types()) else "it is so already")


def _find(who: str) -> int:
    from vmart.listings import customers

    numbers = customers.named(who.replace("\0", ""))
    if not numbers:
        raise Misused(f"there is no customer {who}: `vmart customer list --search …` finds them")
    if len(numbers) > 1:
        raise Misused(f"{who} owns several accounts: say which by its number, of {', '.join(map(str, numbers))}")
    return numbers[0]


def exact(amount: Decimal) -> str:
    """Currency units without zeros at the end."""
    return format(amount.normalize(), "f")


def units(amount_minor: int) -> str:
    """Minor units as decimal text of currency units."""
    from vmart.catalog import shop
    from vmart.kernel.money import exponent, from_minor

    return str(from_minor(amount_minor, exponent(shop.snapshot().currency)))
