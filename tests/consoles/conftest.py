"""A customer with a running machine in a shop whose pages are at ORIGIN, and who has signed in there."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session

from tests.support.business_clock import BusinessClock
from tests.support.shopper import ZONE, buy_running, open_purse
from vmart.consoles import tickets
from vmart.consoles.models import Console
from vmart.consoles.tickets import By
from vmart.customers.models import Member
from vmart.engines.simulated.world import World
from vmart.events.actor import PAGE, Actor
from vmart.instances.models import Instance
from vmart.kernel import unix_password
from vmart.orders import machines as m
from vmart.provisioning.zone_engines import engine_of
from vmart.settlement import close

ORIGIN = "https://shop.example.org"
PASSWORD = "Correct-horse-7"


@dataclass
class Owner:
    """Of ``machine``; ``by`` is his session."""

    account_id: int
    machine: Instance
    by: By

    @property
    def actor(self) -> Actor:
        return Actor(self.account_id, PAGE, "buyer@example.com", address="198.51.100.7", request_id="r-1")

    def ticket(self, machine: Instance | None = None, origin: str = ORIGIN) -> str:
        return tickets.make(self.actor, (machine or self.machine).public_id, self.by, origin)

    def sign_out(self) -> None:
        Session.objects.filter(session_key=self.by.session_key).delete()


def owner_of_a_machine(name: str = "buyer") -> Owner:
    account_id = open_purse(name, cash_minor=100_000)
    machine = buy_running(account_id)
    engine_of(ZONE).ensure_password(machine.public_id, "root", unix_password.hash_sha512(PASSWORD))
    session = SessionStore()
    session.create()
    user_id = Member.objects.get(account_id=account_id).user_id
    return Owner(account_id, m.read(machine.id), By(user_id, session_key=str(session.session_key)))


def row(ticket: str) -> Console:
    return Console.objects.get(ticket_hash=tickets._hash(ticket))


@pytest.fixture(autouse=True)
def engine(tmp_path: Path) -> Path:
    """File of the simulated engine of this test."""
    return tmp_path / "engine" / f"{ZONE}.sqlite"


@pytest.fixture
def world(engine: Path) -> World:
    return World(engine)


@pytest.fixture
def owner(shop: object, test_clock: BusinessClock) -> Owner:
    close.begin(test_clock.at)
    return owner_of_a_machine()
