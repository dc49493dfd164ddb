"""The frame of acts that are ordered: a price, then an order, paid from the balance at once or later (ADR 0034).

An act's own file says what is asked, what is refused, what it costs and what is done. All of them share the rest: the
account's lock, the client token, the price that was shown, one commit.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Generic, Protocol, TypeVar

from django.conf import settings

from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.kernel.errors import InvalidParameter
from vmart.orders import machines as m
from vmart.orders import numbers, paid, tokens, unpaid
from vmart.orders.models import Order
from vmart.pricing.priced import Priced


class OfMachines(Protocol):
    """What is asked of an act: a frozen dataclass that names machines."""

    @property
    def public_ids(self) -> Sequence[str]: ...


A = TypeVar("A", bound=OfMachines)
Machines = Sequence[Instance]


@dataclass(frozen=True, slots=True)
class PricedAct(Generic[A]):
    """An act that is ordered. ``action`` is the order's; the functions get the account's machines, locked.

    ``check`` raises what refuses it. ``priced`` is its price now. ``still_so`` raises InvalidParameter where a price is
    of machines as they are not any more. ``carry_out`` takes the money, writes the order, and does it or has it done.
    """

    action: str
    asked: type[A]
    check: Callable[[Machines, A], None]
    priced: Callable[[Machines, A], Priced]
    still_so: Callable[[Machines, Priced, A], None]
    carry_out: Callable[[Order, Machines, Priced, A, Actor], None]

    def price(self, account_id: int, asked: A) -> Priced:
        """What it would cost now; writes nothing. Raises what ``order`` raises, but for the balance."""
        with db.act():
            return self.price_in_act(account_id, asked)

    def price_in_act(self, account_id: int, asked: A) -> Priced:
        """``price`` within an act."""
        machines = m.lock(account_id, asked.public_ids)
        self.check(machines, asked)
        return self.priced(machines, asked)

    def order(self, actor: Actor, asked: A, *, expected: Priced | None = None, client_token: str = "") -> int:
        """Order it and pay from the balance, all or none; the order's number. A repeated token gets the first one's.

        ``expected`` is the price that was shown: it is charged. Raises the refusals of ``orders.errors`` and
        ``pricing.errors``, TokenReused.
        """
        with db.act():
            return self.order_in_act(actor, asked, expected=expected, client_token=client_token)

    def order_in_act(self, actor: Actor, asked: A, *, expected: Priced | None = None, client_token: str = "") -> int:
        """``order`` as part of an act's commit."""
        number, machines, due = self._begun(actor.account, asked, expected, client_token, self.action)
        if due:
            self.carry_out(paid.order_of(number, actor.account, due, {}), machines, due, asked, actor)
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
        machines = m.lock(order.account_id, asked.public_ids)
        self.check(machines, asked)
        self._agree(machines, due, asked)
        self.carry_out(order, machines, due, asked, actor)

    def _begun(
        self, account_id: int, asked: A, expected: Priced | None, token: str, what: str
    ) -> tuple[int, Machines, Priced | None]:
        """(order's number, locked machines, price); no price where the token was answered before."""
        number = numbers.order()
        machines = m.lock(account_id, asked.public_ids)
        fingerprint = settings.SECRETS.fingerprint(f"{what}|{_plain(asked)}".encode())
        known = tokens.first_answer(account_id, token, fingerprint)
        if known is not None:
            return int(known["order_id"]), [], None
        self.check(machines, asked)
        if expected:
            self._agree(machines, expected, asked)
        due = expected or self.priced(machines, asked)
        tokens.keep(account_id, token, fingerprint, {"order_id": number, "instance_ids": list(asked.public_ids)})
        return number, machines, due

    def _agree(self, machines: Machines, due: Priced, asked: A) -> None:
        """Raise InvalidParameter for a price that is not this act's on these machines."""
        named = [line.public_id for line in due.lines]
        if due.action != self.action or sorted(named) != sorted(machine.public_id for machine in machines):
            raise InvalidParameter("The price is of other machines; ask for it again.", field="machines")
        self.still_so(machines, due, asked)


def _plain(asked: Any) -> dict[str, Any]:
    return asdict(asked)
