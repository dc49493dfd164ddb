"""Given machines of a customer, when another host name is asked for, then they go by it, or by the one of before."""

import pytest

from tests.support.actors import by
from tests.support.shopper import HOURLY, buy_running, open_purse, purses, work
from tests.support.written import refused
from vmart.config.steps import STEPS
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel.errors import MissingParameter
from vmart.orders import attributes, reinstall, stop
from vmart.orders.errors import BadHostName, Busy, UnknownInstance, WrongState
from vmart.orders.reinstall import Reinstall
from vmart.provisioning.zone_engines import engine_of

pytestmark = pytest.mark.usefixtures("in_business")


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=10_000)


@pytest.fixture
def machine(account: int) -> Instance:
    return buy_running(account)


def _told(machine: Instance) -> tuple[str, str, str, str]:
    found = Instance.objects.get(pk=machine.pk)
    return found.hostname, found.state, found.latest_operation, found.latest_operation_state


@pytest.mark.parametrize("off", [False, True])
def test_the_machine_goes_by_it_and_nothing_else_changes(
    account: int, machine: Instance, world: World, *, off: bool
) -> None:
    if off:
        stop.stop(by(account), [machine.public_id])
        work()
    state, before = "STOPPED" if off else "RUNNING", purses(account)
    seen = engine_of(machine.zone_id).observe(machine.public_id)
    attributes.modify(by(account, "r-1"), [machine.public_id], hostname="web-2.example")
    assert _told(machine) == (machine.public_id, state, "ModifyInstancesAttribute", "OPERATING")
    assert Instance.objects.get().latest_operation_request_id == "r-1"
    work()
    assert _told(machine) == ("web-2.example", state, "ModifyInstancesAttribute", "SUCCESS")
    assert world.system(machine.public_id)[1] == "web-2.example"
    assert engine_of(machine.zone_id).observe(machine.public_id) == seen  # its boot too
    assert purses(account) == before
    (event,) = Event.objects.filter(kind="hostname_changed")
    assert (event.subject_id, event.detail) == (machine.id, {"old": machine.public_id, "new": "web-2.example"})


def test_it_stays_when_the_system_is_installed_anew(account: int, machine: Instance, world: World) -> None:
    attributes.modify(by(account), [machine.public_id], hostname="web-2")
    work()
    reinstall.reinstall(by(account), machine.public_id, Reinstall())
    work()
    assert world.erased(machine.public_id) == 1
    assert (world.system(machine.public_id)[1], _told(machine)[0]) == ("web-2", "web-2")


def test_one_that_is_so_already_is_told_again(account: int, machine: Instance, world: World) -> None:
    """Its own system may have been given another one meanwhile."""
    world.count_calls()
    attributes.modify(by(account), [machine.public_id], hostname=machine.hostname)
    work()
    assert (world.calls()["ensure_hostname"], _told(machine)[3]) == (1, "SUCCESS")


def test_with_a_name_that_changes_at_once(account: int, machine: Instance) -> None:
    attributes.modify(by(account), [machine.public_id], name="web", protected=True, hostname="web-2")
    found = Instance.objects.get()
    assert (found.name, found.termination_protected, found.hostname) == ("web", True, machine.public_id)
    assert Event.objects.filter(kind="ModifyInstancesAttribute").count() == 1
    work()
    assert _told(machine)[0] == "web-2"


BAD = ["", "a", "a" * 61, "-web", "web-", "a..b", "a_b", "a b", "a\nb", "{R:1}", "名字", "web\0"]


@pytest.mark.parametrize("hostname", BAD, ids=[str(number) for number in range(len(BAD))])
def test_what_is_no_host_name_changes_nothing(account: int, machine: Instance, hostname: str) -> None:
    with refused(BadHostName, code="InvalidParameterValue.IllegalHostName", field="hostname"):
        attributes.modify(by(account), [machine.public_id], name="web", hostname=hostname)


def test_machines_that_cannot_be_reached_into_change_nothing(account: int, machine: Instance) -> None:
    other = buy_running(account, HOURLY)
    both = [machine.public_id, other.public_id]
    with refused(UnknownInstance, code="InvalidInstanceId.NotFound", field="machines"):
        attributes.modify(by(account), [machine.public_id, "ins-00000000"], hostname="web-2")
    with refused(MissingParameter, code="MissingParameter", field="machines"):
        attributes.modify(by(account), [], hostname="web-2")
    attributes.modify(by(account), [other.public_id], hostname="web-3")
    with refused(Busy, code="OperationDenied.InstanceOperationInProgress", field="machines"):
        attributes.modify(by(account), both, hostname="web-2")
    work()
    Instance.objects.filter(pk=other.pk).update(state="STOPPED", kind="virtual-machine")
    with refused(WrongState, code="UnsupportedOperation.InstanceStateStopped", field="machines"):
        attributes.modify(by(account), both, hostname="web-2")
    Instance.objects.filter(pk=other.pk).update(state="SHUTDOWN")
    with refused(WrongState, code="UnsupportedOperation.InstanceStateIsolating", field="machines"):
        attributes.modify(by(account), both, hostname="web-2")


def test_an_engine_that_never_answers_leaves_it_unknown(account: int, machine: Instance, world: World) -> None:
    world.fail("ensure_hostname", times=STEPS["hostname"].attempts)
    attributes.modify(by(account), [machine.public_id], hostname="web-2")
    work()
    assert _told(machine) == (machine.public_id, "RUNNING", "ModifyInstancesAttribute", "FAILED")
    assert Instance.objects.get().latest_operation_error.splitlines()[0] == (
        "It is not known by which host name it goes; set it again."
    )
    assert not Event.objects.filter(kind="hostname_changed").exists()
    attributes.modify(by(account), [machine.public_id], hostname="web-2")
    work()
    assert _told(machine)[0] == world.system(machine.public_id)[1] == "web-2"
