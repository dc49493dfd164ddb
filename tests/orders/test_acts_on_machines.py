"""Given any act on machines, then somebody else's, a busy one, or a list that is none is refused."""

import pytest

from tests.orders.acting import agree
from tests.orders.ending import now
from tests.support.actors import by
from tests.support.shopper import (
    HOURLY,
    HOURLY_HOLD_MINOR,
    buy_running,
    open_purse,
    purses,
    wanted,
    work,
)
from tests.support.written import refused
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.kernel.errors import InvalidParameter, MissingParameter
from vmart.orders import errors, reboot, start, stop, terminate
from vmart.orders.purchase import purchase

pytestmark = pytest.mark.usefixtures("in_business")


ACTS = {
    "stop": stop.stop, "start": start.start, "reboot": reboot.reboot, "terminate": terminate.terminate,
}  # fmt: skip


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_somebody_elses_machine_is_unknown(act: object) -> None:
    theirs, mine = open_purse("theirs", cash_minor=1000), open_purse("mine", cash_minor=1000)
    own, other = buy_running(mine), buy_running(theirs)
    unknown = f"The instance {other.public_id} does not exist."
    with refused(errors.UnknownInstance, match=unknown, field="machines", code="InvalidInstanceId.NotFound"):
        act(by(mine), [own.public_id, other.public_id])  # type: ignore[operator]
    with refused(errors.UnknownInstance, match="The instance ins-00000000 does not exist."):
        act(by(mine), ["ins-00000000"])  # type: ignore[operator]


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_a_machine_that_is_gone_is_unknown_too(act: object) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    terminate.terminate(by(account), [machine.public_id])
    work()
    terminate.terminate(by(account), [machine.public_id])
    work()
    assert now(machine).state == "GONE"
    with refused(errors.UnknownInstance):
        act(by(account), [machine.public_id])  # type: ignore[operator]


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_while_something_is_under_way_the_rest_waits(act: object) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    stop.stop(by(account), [machine.public_id])
    with refused(errors.Busy, match="busy with StopInstances"):
        act(by(account), [machine.public_id])  # type: ignore[operator]


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_a_machine_that_is_being_delivered_is_busy(act: object) -> None:
    account = open_purse(cash_minor=1000)
    bought = purchase(wanted(account, HOURLY))
    with refused(errors.Busy, match="busy with RunInstances"):
        act(by(account), list(bought.instance_ids))  # type: ignore[operator]


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_the_list_of_machines_is_checked(act: object) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    with refused(MissingParameter, field="machines"):
        act(by(account), [])  # type: ignore[operator]
    with refused(InvalidParameter, field="machines", match="twice"):
        act(by(account), [machine.public_id] * 2)  # type: ignore[operator]
    with refused(InvalidParameter, field="machines", match="At most 100"):
        act(by(account), [f"ins-{n:08}" for n in range(101)])  # type: ignore[operator]


@pytest.mark.parametrize("name", ["stop", "start", "reboot"])
def test_a_machine_in_the_bin_cannot_be_used(name: str) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    terminate.terminate(by(account), [machine.public_id])
    work()
    with refused(errors.WrongState, code="UnsupportedOperation.InstanceStateIsolating"):
        ACTS[name](by(account), [machine.public_id])


def test_a_stopped_machine_is_neither_stopped_nor_rebooted() -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    stop.stop(by(account), [machine.public_id])
    work()
    for act in (stop.stop, reboot.reboot):
        with refused(errors.WrongState, code="UnsupportedOperation.InstanceStateNotRunning"):
            act(by(account), [machine.public_id])


def test_a_failed_delivery_leaves_nothing_to_operate(world: World) -> None:
    account = open_purse(cash_minor=1000)
    buy_running(account)
    bought = purchase(wanted(account, HOURLY))
    world.fail("ensure_present", transient=False)
    work()
    for act in (stop.stop, start.start, reboot.reboot):
        with refused(errors.WrongState):
            act(by(account), list(bought.instance_ids))
    terminate.terminate(by(account), list(bought.instance_ids))  # takes it off the list
    work()
    assert Instance.objects.get(public_id=bought.instance_ids[0]).state == "GONE"
    assert purses(account)["held"] == HOURLY_HOLD_MINOR
    assert db.rows("SELECT 1 FROM ledger_transfer WHERE kind <> 'opening'") == []
    agree()
