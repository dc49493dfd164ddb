"""Given public addresses that end while something else is under way, then nothing is left busy, held or unpaid."""

import datetime as dt
from dataclasses import replace

import pytest

from tests.orders.addressing import again, bound, by_month, by_traffic, latest, new_address, of_machine
from tests.orders.ending import no_closes
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import MONTHLY, buy_running, go_to, open_purse, owe, purses, work
from tests.support.written import refused
from vmart.config.reconcile import reconcile
from vmart.customers.models import Account
from vmart.instances.models import Instance
from vmart.kernel.clock import UTC
from vmart.orders import errors
from vmart.orders.addresses import renew
from vmart.orders.addresses.bandwidth import change, reckon
from vmart.orders.addresses.disassociate import disassociate
from vmart.orders.addresses.give_back import give_back
from vmart.orders.renew import Renewal
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

BARE = replace(MONTHLY, bandwidth_mbps=0, public_ip=False, period_months=3)
EXPIRES, LEAVES_BIN = dt.datetime(2026, 4, 10, 2, tzinfo=UTC), dt.datetime(2026, 4, 17, 16, tzinfo=UTC)


def test_one_that_leaves_the_bin_while_it_is_unbound_leaves_its_machine_free(test_clock: BusinessClock) -> None:
    """Its engine is slow: the release comes first."""
    account = open_purse(cash_minor=100_000)
    machine = buy_running(account, BARE)
    no_closes()
    eip = bound(account, machine, by_month())
    go_to(test_clock, LEAVES_BIN - dt.timedelta(seconds=1))
    disassociate(by(account), eip.public_id)
    Operation.objects.filter(kind="unbind_address").update(due_at=LEAVES_BIN + dt.timedelta(seconds=5))
    test_clock.set(LEAVES_BIN)
    work()
    assert of_machine(machine) == ("RUNNING", "DisassociateAddress", "SUCCESS")
    test_clock.set(LEAVES_BIN + dt.timedelta(seconds=9))
    work()
    assert (latest(eip)[0], of_machine(machine)) == ("GONE", ("RUNNING", "DisassociateAddress", "SUCCESS"))
    assert list(reconcile()) == []


def test_one_in_term_and_one_that_arrears_switched_off_are_given_back_together(test_clock: BusinessClock) -> None:
    """The refund of the one ends the arrears; the other ends all the same, and nothing stays held for it."""
    account = open_purse(cash_minor=100_000)
    no_closes()
    month, hour = new_address(account, by_month()), new_address(account, by_traffic())
    owe(account, 100)
    work()
    give_back(by(account), [month.public_id, hour.public_id])
    work()
    assert (again(hour).state, again(hour).subscription.standing, purses(account)["held"]) == ("GONE", "ended", 0)
    assert list(reconcile()) == []


def test_less_is_refused_where_what_comes_back_goes_to_what_is_owed(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=200_000)
    machine = buy_running(account, BARE)
    eip = bound(account, machine, by_month(10))
    no_closes()
    Account.objects.filter(id=account).update(credit_limit_minor=1_000_000)
    owe(account, 300_000)
    Operation.objects.filter(kind="arrears").delete()
    test_clock.advance(days=2)
    for act in (lambda: reckon(account, [eip.public_id], 5), lambda: change(by(account), [eip.public_id], 5)):
        with refused(errors.InArrears, field="addresses"):
            act()
    assert (again(eip).bandwidth_mbps, of_machine(machine)[2]) == (10, "SUCCESS")


def test_one_whose_machine_is_busy_at_its_expiry_can_be_renewed(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=200_000)
    machine = buy_running(account, BARE)
    no_closes()
    eip = bound(account, machine, by_month())
    busy = Instance.objects.filter(pk=machine.pk)
    busy.update(latest_operation="CreateImage", latest_operation_state="OPERATING")
    test_clock.set(EXPIRES + dt.timedelta(hours=1))
    work()
    renew.ACT.order(by(account), Renewal([eip.public_id]))
    busy.update(latest_operation_state="SUCCESS")
    Operation.objects.update(not_before=None)
    work()
    assert (again(eip).state, again(eip).subscription.standing, again(eip).subscription.isolated_at) == (
        "BIND", "active", None,
    )  # fmt: skip
    assert list(reconcile()) == []
