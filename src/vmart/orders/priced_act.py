"""The frame of acts that are ordered: a price, then an order, paid from the balance at once or later (ADR 0034).

An act's own file says what is asked, what is refused, what it costs and what is done. All of them share the rest: the
account's lock, the client token, the price that was shown, one commit.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Generic, Protocol, TypeVar

from vmart.events.actor import Actor
from vmart.kernel import db
from vmart.kernel.errors import InvalidParameter
from vmart.orders import machines as m
from vmart.orders import numbers, paid, room, tokens, unpaid
from vmart.orders.models import Order
from vmart.orders.things import named_in
from vmart.pricing.priced import Priced


class OfThings(Protocol):
    """What is asked of an act: a frozen dataclass that names machines, or other things that are sold."""

    @property
    def public_ids(self) -> Sequence[str]: ...


A = TypeVar("A", bound=OfThings)
Things = Sequence[Any]  # of the kind that the act's ``lock`` gives


@dataclass(frozen=True, slots=True)
class PricedAct(Generic[A]):
    """An act that is ordered. ``action`` is the order's; the functions get the account's things, locked by ``lock``.

    ``check`` raises what refuses it. ``priced`` is its price now. ``still_so`` raises InvalidParameter where a price is
    of things as they are not any more. ``carry_out`` takes the money, writes the order, and does it or has it done.
    """

    action: str
    asked: type[A]
    check: Callable[[Things, A], None]
    priced: Callable[[Things, A], Priced]
    still_so: Callable[[Things, Priced, A], None]
    carry_out: Callable[[Order, Things, Priced, A, Actor], None]
    lock: Callable[[int, Sequence[str]], Things] = m.lock

    def price(self, account_id: int, asked: A) -> Priced:
        """What it would cost now; writes nothing. Raises what ``order`` raises, but for the balance."""
        with db.act():
            return self.price_in_act(account_id, asked)

    def price_in_act(self, account_id: int, asked: A) -> Priced:
        """``price`` within an act."""
        found = self.lock(account_id, asked.public_ids)
        self.check(found, asked)
        return self.priced(found, asked)

    def order(self, actor: Actor, asked: A, *, expected: Priced | None = None, client_token: str = "") -> int:
        """Order it and pay from the balance, all or none; the order's number. A repeated token gets the first one's.

        ``expected`` is the price that was shown: it is charged. Raises the refusals of ``orders.errors`` and
        ``pricing.errors``, TokenReused.
        """
        with room.made_where_lacking(), db.act():
            return self.order_in_act(actor, asked, expected=expected, client_token=client_token)

    def order_in_act(self, actor: Actor, asked: A, *, expected: Priced | None = None, client_token: str = "") -> int:
        """``order`` as part of an act's commit."""
        number, found, due = self._begun(actor.account, asked, expected, client_token, self.action)
        if due:
            self.carry_out(paid.order_of(number, actor.account, due, {}), found, due, asked, actor)
        return number

    def place(self, actor: Actor, asked: A, *, expected: Priced | None = None, client_token: str = "") -> int:
        """Place an order that is paid later; its number. As ``order`` otherwise."""
        with db.act():
            number, _, due = self._begun(actor.account, asked, expected, client_token, f"place {self.action}")
            if due:
                unpaid.open_unpaid(paid.order_of(number, actor.account, due, _plain(asked)), actor)
            return number

    def pay(self, order: Order, actor: Actor) -> None:
        """Pay an order that waited for it; part of an act, under the account lock."""
        asked, due = self.asked(**order.request), Priced.of(order.quote)
        found = self.lock(order.account_id, asked.public_ids)
        self.check(found, asked)
        self._agree(found, due, asked)
        self.carry_out(order, found, due, asked, actor)

    def _begun(
        self, account_id: int, asked: A, expected: Priced | None, token: str, what: str
    ) -> tuple[int, Things, Priced | None]:
        """(order's number, locked things, price); no price where the token was answered before."""
        number = numbers.order()
        found = self.lock(account_id, asked.public_ids)
        fingerprint = tokens.fingerprint(what, asked)
        known = tokens.first_answer(account_id, token, fingerprint)
        if known is not None:
            return int(known["order_id"]), [], None
        self.check(found, asked)
        if expected:
            self._agree(found, expected, asked)
        due = expected or self.priced(found, asked)
        tokens.keep(account_id, token, fingerprint, {"order_id": number, "instance_ids": list(asked.public_ids)})
        return number, found, due

    def _agree(self, found: Things, due: Priced, asked: A) -> None:
        """Raise InvalidParameter for a price that is not this act's on these things."""
        named = [line.public_id for line in due.lines]
        if due.action != self.action or sorted(named) != sorted(one.public_id for one in found):
            raise InvalidParameter("The price is of something else; ask for it again.", field=named_in(found[0]))
        self.still_so(found, due, asked)


def _plain(asked: Any) -> dict[str, Any]:
    return asdict(asked)
