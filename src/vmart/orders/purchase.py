"""The purchase: a configuration, a login and a name become an order, machines and a queue entry.

Everything that needs no lock is decided on the cached catalog (``orders/ready.py``); ``fn.orders_purchase`` then does
the rest in one statement, which is one commit. The engine is not called here.
"""

import json
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

from django.conf import settings
from django.db import DatabaseError, transaction
from psycopg.types.json import Jsonb
from pydantic_core import to_json

from vmart.catalog import shop
from vmart.customers import staff
from vmart.kernel import db
from vmart.kernel.errors import Refused
from vmart.ledger.queries import balance
from vmart.orders import purchase_values, reclaim, refusals, room, tokens
from vmart.orders.errors import NoPlaceApart, NoRoom, RoomIsMade
from vmart.orders.ready import ready
from vmart.orders.wanted import Bought, Purchase, fingerprinted
from vmart.pricing.configuration import SPOTPAID
from vmart.pricing.quote import Quote


def purchase(request: Purchase) -> Bought:
    """Buy. One commit, or a refusal that wrote nothing; a repeated token gets the first answer.

    Inside an act (the payment of an order by card) it is part of that act's commit, and a refusal leaves
    the act as it was. Raises the refusals of ``orders.errors`` and ``pricing.errors``.
    """
    first_in_zone = False
    fingerprint = settings.SECRETS.fingerprint(fingerprinted(request))  # of the request as it came, password and all
    for _ in range(3):
        here = shop.snapshot()  # once: quote, generation and rows are of the same catalog, or the statement refuses
        try:
            with room.made_where_lacking():
                return _purchase(request, here, fingerprint, first_in_zone=first_in_zone)
        except _StaleCatalog:
            shop.refresh()
        except _FirstInZone:
            first_in_zone = True
    raise RuntimeError("the catalog changes faster than a purchase is decided")


def dry_run(request: Purchase) -> None:
    """Raise what ``purchase`` would raise now: its statement runs in full and is taken back."""
    with db.act():
        purchase(request)
        transaction.set_rollback(True)


def answered(request: Purchase, fingerprint: bytes) -> Bought | None:
    """What this client token was answered before, also when the same request would be refused by now.

    None for a new token or none. Raises TokenReused where it came with other parameters.
    """
    known = tokens.first_answer(request.account_id, request.client_token, fingerprint)
    return Bought(known["order_id"], tuple(known["instance_ids"]), repeated=True) if known else None


class _StaleCatalog(Exception):
    """The catalog changed between this process's reading and the statement."""


class _FirstInZone(Exception):
    """The account has no network in this zone yet: the statement needs ids for one."""


_ASKED_AGAIN = {"stale_catalog": _StaleCatalog, "first_in_zone": _FirstInZone}


def _purchase(request: Purchase, here: shop.Shop, fingerprint: bytes, *, first_in_zone: bool) -> Bought:
    try:
        made, quoted = ready(request, here)
    except Refused:  # the offer may have changed since the first answer, which its buyer may never have got
        known = answered(request, fingerprint)
        if known is None:
            raise
        return known
    # A statement more, so that a repeat makes no passwords, which take their time and are for nobody.
    known = answered(request, fingerprint) if made.machine.made_login.generated else None
    try:
        return known or _write(made, quoted, here, fingerprint.hex(), first_in_zone=first_in_zone)
    except (NoRoom, NoPlaceApart) as why:
        raise room.lacking(why, partial(_room_made, made, quoted, here)) from None


def _room_made(request: Purchase, quoted: Quote, here: shop.Shop) -> RoomIsMade | None:
    """What is said where spot machines give their room back for this purchase, whose buyer has the money."""
    configuration = request.configuration
    if configuration.charge_type == SPOTPAID:
        return None
    if balance(request.account_id).available_minor < quoted.due_minor + quoted.hold_minor:
        return None
    enough = replace(configuration, count=request.min_count or configuration.count)
    if enough.public_ip and not reclaim.has_addresses(enough.zone, enough.count):
        return None
    until = reclaim.for_room(request.account_id, enough, here, *request.machine.placement_groups)
    if until is None:
        return None
    return RoomIsMade(
        "Room for {count} of {type} is being made in {zone}: spot machines give theirs back until {until}. Ask"
        " again then.",
        field="instance_type", count=enough.count, type=configuration.instance_type,
        zone=configuration.zone, until=refusals.local(until.isoformat()),
    )  # fmt: skip


def _write(request: Purchase, quoted: Quote, here: shop.Shop, fingerprint: str, *, first_in_zone: bool) -> Bought:
    arguments = purchase_values.arguments(request, quoted, here, fingerprint, first_in_zone=first_in_zone)
    inside_an_act = transaction.atomic() if db.in_transaction() else nullcontext()
    try:
        with inside_an_act:
            values, *numbers = arguments
            result = json.loads(db.call("orders_purchase", Jsonb(values, dumps=to_json), *numbers))
    except DatabaseError as error:
        refusal = db.refusal(error)
        if refusal is None:
            raise
        name, detail = refusal
        if name == "not_permitted":
            raise staff.not_any_more(request.actor) from None
        if name in _ASKED_AGAIN:
            raise _ASKED_AGAIN[name]() from None
        raise refusals.of_purchase(name, detail, request.configuration, quoted.currency) from None
    if result["repeated"] and result["fingerprint"] != fingerprint:
        raise tokens.reused()
    if not result["repeated"]:
        db.on_commit_wake()  # at once, unless inside an act
    answer = result["answer"]
    return Bought(answer["order_id"], tuple(answer["instance_ids"]), result["repeated"])
