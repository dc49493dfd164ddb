"""What a buyer asks for, and what is answered.

A field here takes part by being there: in what tells two requests apart, in an order that waits for its payment, and
in what the purchase's statement is given (ADR 0026).
"""

import datetime as dt
import json
from dataclasses import dataclass

from vmart.events.actor import Actor
from vmart.instances.attributes import DEFAULTS, Attributes
from vmart.kernel.codec import Codec
from vmart.orders.login import GENERATED, Login, LoginWanted
from vmart.orders.own_network import DEFAULT_NETWORK, NetworkWanted
from vmart.pricing.configuration import Configuration
from vmart.pricing.quote import Quote
from vmart.tags.wanted import TagsOf

MANUAL_RENEWAL = "NOTIFY_AND_MANUAL_RENEW"


@dataclass(frozen=True, slots=True)
class Machine:
    """What has no price: the machine's image, name and first boot. ``user_data`` is decoded.

    ``renew_flag`` is kept for a prepaid machine. ``placement_groups``: the public id of one, or none.
    ``ends_at``: when a postpaid machine is to be ended by itself.
    """

    image_id: str
    login: LoginWanted | Login = GENERATED
    name: str = ""
    hostname: str = ""
    user_data: bytes = b""
    renew_flag: str = MANUAL_RENEWAL
    attributes: Attributes = DEFAULTS
    network: NetworkWanted = DEFAULT_NETWORK
    placement_groups: tuple[str, ...] = ()
    tag_specification: tuple[TagsOf, ...] = ()
    ends_at: dt.datetime | None = None

    @property
    def made_login(self) -> Login:
        """The login once ``ready`` has made it."""
        assert isinstance(self.login, Login)
        return self.login


@dataclass(frozen=True, slots=True)
class Purchase:
    """A request to buy. ``min_count`` 0 means all or nothing; ``order_id`` pays an unpaid order."""

    actor: Actor
    configuration: Configuration
    machine: Machine
    client_token: str = ""
    min_count: int = 0
    expected: Quote | None = None  # the quote that was shown; charged as it is
    order_id: int | None = None

    @property
    def account_id(self) -> int:
        """The account that pays and owns."""
        return self.actor.account


PURCHASE = Codec(Purchase)
# Who asks, how, and what it is charged: that makes it no other request.
_THE_WAY = {"actor", "client_token", "expected", "order_id"}


def fingerprinted(request: Purchase) -> bytes:
    """What makes two requests the same, for a keyed digest alone: a password is in it as it was typed."""
    login = request.machine.login
    typed = login.password if isinstance(login, LoginWanted) else ""
    return json.dumps([PURCHASE.plain(request, without=_THE_WAY, defaults=False), typed], sort_keys=True).encode()


@dataclass(frozen=True, slots=True)
class Bought:
    """The answer, the same for a repeated token. Ids are public ids, in order."""

    order_id: int
    instance_ids: tuple[str, ...]
    repeated: bool = False
