"""A customer of the demo shop for tests of acts, and a worker that works in the test's own thread."""

import datetime as dt
import uuid
from dataclasses import replace
from typing import Any

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from vmart.config.steps import STEPS, lanes
from vmart.customers.models import User
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.kernel.clock import HOUR
from vmart.orders import credit, open_account
from vmart.orders.login import Login
from vmart.orders.purchase import purchase
from vmart.orders.wanted import Machine, Purchase
from vmart.pricing import books
from vmart.pricing.book import parse_book
from vmart.pricing.configuration import Configuration, DiskChoice
from vmart.pricing.models import Book
from vmart.provisioning import zones
from vmart.subscriptions.models import Subscription
from vmart.worker import queue
from vmart.worker.loop import run_until_idle
from vmart.worker.models import Operation

ZONE = "ap-guangzhou-4"
IMAGE = "img-db12k7x4"
HOURLY = Configuration(
    region="ap-guangzhou", zone=ZONE, instance_type="S5.MEDIUM4", charge_type="POSTPAID_BY_HOUR",
    system_disk=DiskChoice("CLOUD_PREMIUM", 50),
)  # fmt: skip
HOURLY_HOLD_MINOR = 38  # 0.35 + 50 × 0.0005, half-up
MONTHLY = replace(HOURLY, charge_type="PREPAID", period_months=1)
MONTHLY_MINOR = 13250  # 115 + 50 × 0.35
LOGIN = Login(password_hash="$6$salt$hash")


def open_purse(name: str = "buyer", *, cash_minor: int = 0) -> int:
    """A new account; its cash, if any, came in without a payment."""
    owner = User.objects.create_user(f"{name}@example.com", date_joined=clock.now())
    account_id = open_account.open_account(owner, name).id
    if cash_minor:
        with db.act():
            db.call(
                "ledger_credit", db.rows("SELECT gen_random_uuid() AS id")[0]["id"], "opening", account_id, cash_minor,
                0, "card", clock.now(), None,
            )  # fmt: skip
    return account_id


def owe(account_id: int, minor: int = 100) -> None:
    """What a settlement books beyond the purses, and the arrears that follow it by two hours, due now."""
    there = purses(account_id)
    due = there["cash"] + there["gift"] + minor
    with db.act():
        db.call("ledger_lock", account_id)
        db.rows(
            "SELECT * FROM fn.ledger_deduct('test', %s, ARRAY[%s]::bigint[], ARRAY[%s]::bigint[], 'revenue', %s)",
            str(uuid.uuid4()), account_id, due, clock.now(),
        )  # fmt: skip
        queue.enqueue("arrears", "account", account_id, due_at=clock.now())


def pay(account_id: int, minor: int) -> None:
    """A credit that came from outside."""
    with db.act():
        credit.credit(uuid.uuid4(), "opening", account_id, "card", cash_minor=minor)


def wanted(account_id: int, configuration: Configuration = MONTHLY, **what: Any) -> Purchase:
    """A request to buy the configuration with the demo image."""
    machine = what.pop("machine", Machine(IMAGE, LOGIN, name="web"))
    return Purchase(by(account_id, what.pop("request_id", "")), configuration, machine, **what)


def work() -> int:
    """Do everything that is due now; the number of operations worked on."""
    return run_until_idle(STEPS, lanes)


def go_to(test_clock: BusinessClock, instant: dt.datetime) -> None:
    """Move on through every close and timer on the way, as a running shop does."""
    while test_clock.at < instant:
        following = Operation.objects.filter(due_at__gt=test_clock.at, due_at__lte=instant).order_by("due_at").first()
        test_clock.set(following.due_at if following else instant)
        work()


def buy_running(account_id: int, configuration: Configuration = HOURLY) -> Instance:
    """Buy one machine and have it delivered."""
    bought = purchase(wanted(account_id, configuration))
    zones.check(configuration.zone)
    zones.prepare_images(configuration.zone)
    work()
    machine = Instance.objects.get(public_id=bought.instance_ids[0])
    assert machine.state == "RUNNING"
    return machine


def parts(machine: Instance) -> list[int]:
    """Ids of what is bought as one with the machine: its own, and its disks'."""
    return list(Subscription.objects.filter(bundle_id=machine.id).order_by("id").values_list("id", flat=True))


def purses(account_id: int) -> dict[str, int]:
    """cash, gift, owed, held (fixed and floating) and available, in minor units."""
    return db.rows(
        "SELECT cash_credits_posted - cash_debits_posted AS cash, gift_credits_posted - gift_debits_posted AS gift,"
        " owed_debits_posted - owed_credits_posted AS owed,"
        " cash_debits_pending + gift_debits_pending + floating_pending AS held, fn.ledger_available(p) AS available"
        " FROM ledger_purses p WHERE account_id = %s",
        account_id,
    )[0]


def raise_prices(test_clock: BusinessClock, factor: str) -> None:
    """A new price book, in force from now: every price times ``factor``."""
    regions = Book.objects.latest("effective_at").document["regions"]
    new_prices(test_clock, regions={name: {"factor": factor} for name in regions})


def new_prices(test_clock: BusinessClock, **parts: Any) -> None:
    """A new price book, in force from now: as the last one, but for these parts."""
    row = Book.objects.latest("effective_at")
    plain = row.document | {"version": row.version + 1, "effective_at": test_clock.at.isoformat()} | parts
    with db.act():
        books.publish(parse_book(plain), test_clock.at - HOUR)
    books.forget()
