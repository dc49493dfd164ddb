"""Given machines of a customer, when their password is reset, then they have the new one, or the one of before."""

from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.actors import by
from tests.support.shopper import HOURLY, IMAGE, buy_running, open_purse, owe, purses, wanted, work
from tests.support.written import nothing_written, refused
from vmart.config.steps import STEPS
from vmart.engines.contract import Power
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance, SealedPassword
from vmart.kernel import clock, unix_password
from vmart.kernel.errors import InvalidParameter, InvalidValue, MissingParameter
from vmart.orders import login, passwords, stop, terminate
from vmart.orders.errors import Busy, UnknownInstance, WeakPassword, WrongState
from vmart.orders.purchase import purchase
from vmart.orders.reset_password import generate, reset
from vmart.orders.wanted import Machine
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

NEW = "New-pass-1"


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=10_000)


@pytest.fixture
def machine(account: int) -> Instance:
    return buy_running(account)


def _now(machine: Instance) -> Instance:
    return Instance.objects.get(pk=machine.pk)


def _latest(machine: Instance) -> tuple[str, str, str]:
    found = _now(machine)
    return found.state, found.latest_operation, found.latest_operation_state


@pytest.mark.parametrize("off", [False, True])
def test_a_typed_password_is_in_the_machine_and_nothing_else_changes(
    account: int, machine: Instance, world: World, *, off: bool
) -> None:
    if off:
        stop.stop(by(account), [machine.public_id])
        work()
    state, before = "STOPPED" if off else "RUNNING", purses(account)
    seen = engine_of(machine.zone_id).observe(machine.public_id)
    assert seen.power == (Power.STOPPED if off else Power.RUNNING)
    reset(by(account, "r-1"), [machine.public_id], NEW)
    assert _latest(machine) == (state, "ResetInstancesPassword", "OPERATING")
    assert _now(machine).latest_operation_request_id == "r-1"
    work()
    assert _latest(machine) == (state, "ResetInstancesPassword", "SUCCESS")
    assert unix_password.matches(NEW, world.password_hash(machine.public_id))
    assert _now(machine).password_hash == world.password_hash(machine.public_id)
    assert engine_of(machine.zone_id).observe(machine.public_id) == seen  # its boot too
    assert purses(account) == before
    (event,) = Event.objects.filter(kind="password_reset")
    assert (event.subject_id, event.detail) == (machine.id, {"user": "root"})


def test_what_waits_for_the_worker_has_it_as_a_hash_only(account: int, machine: Instance) -> None:
    reset(by(account), [machine.public_id], NEW)
    (operation,) = Operation.objects.filter(kind="password")
    assert set(operation.payload) == {"user", "password_hash", "password_sealed"}
    assert unix_password.matches(NEW, operation.payload["password_hash"])
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(o::text, '') FROM worker_operation o")
        assert NEW not in cursor.fetchone()[0]


def test_no_statement_has_the_hash_in_its_text(account: int, machine: Instance) -> None:
    """Given a deadlock or a time limit, then the server logs the statement's text."""
    reset(by(account), [machine.public_id], NEW)
    with CaptureQueriesContext(connection) as asked:
        work()
    assert _latest(machine)[2] == "SUCCESS"
    assert _now(machine).password_hash.startswith("$6$")
    assert len(asked) > 0
    assert [query["sql"] for query in asked if "$6$" in query["sql"]] == []


def test_several_machines_get_the_same_one(account: int, world: World) -> None:
    machines = [buy_running(account) for _ in range(3)]
    reset(by(account), [machine.public_id for machine in machines], NEW)
    work()
    assert {_latest(machine)[2] for machine in machines} == {"SUCCESS"}
    assert all(unix_password.matches(NEW, world.password_hash(machine.public_id)) for machine in machines)


def test_a_generated_one_takes_the_place_of_the_one_before_when_the_machine_has_it(account: int, world: World) -> None:
    bought = purchase(wanted(account, HOURLY, machine=Machine(IMAGE, login.GENERATED)))
    work_to_running()
    (public_id,) = bought.instance_ids
    (before,) = passwords.show(by(account), [public_id]).values()
    generate(by(account), public_id)
    assert list(passwords.show(by(account), [public_id]).values()) == [before]
    work()
    (after,) = passwords.show(by(account), [public_id]).values()
    assert after != before
    assert unix_password.matches(after, world.password_hash(public_id))
    assert SealedPassword.objects.get().made_at == clock.now()


def work_to_running() -> None:
    buy_running(open_purse("another", cash_minor=1000))  # looks at the zone and has its images ready, too
    assert set(Instance.objects.values_list("state", flat=True)) == {"RUNNING"}


def test_a_typed_one_ends_what_was_kept_and_one_of_another_user_does_not(account: int, machine: Instance) -> None:
    generate(by(account), machine.public_id)
    work()
    assert len(passwords.show(by(account), [machine.public_id])) == 1
    reset(by(account), [machine.public_id], NEW, user="app")
    work()
    assert len(passwords.show(by(account), [machine.public_id])) == 1
    reset(by(account), [machine.public_id], NEW, user="root")
    work()
    assert not SealedPassword.objects.exists()


def test_a_user_who_is_not_there_fails_at_once_and_says_so(account: int, machine: Instance, world: World) -> None:
    generate(by(account), machine.public_id)
    work()
    held = _now(machine).password_hash
    world.count_calls()
    reset(by(account), [machine.public_id], NEW, user="app")
    work()
    assert world.calls()["ensure_password"] == 1
    assert _latest(machine) == ("RUNNING", "ResetInstancesPassword", "FAILED")
    assert _now(machine).latest_operation_error.splitlines() == [
        "The password could not be reset; the one of before holds.", "The machine has no user of this name.",
        "Name a user that the machine has; leave the name away for the machine's own.",
    ]  # fmt: skip
    assert (_now(machine).password_hash, world.password_hash(machine.public_id)) == (held, held)
    assert Event.objects.filter(kind="password_reset").count() == 1  # the first
    assert SealedPassword.objects.count() == 1


@pytest.mark.parametrize(("user", "kept"), [("", 0), ("root", 0), ("app", 1)])
def test_after_a_reset_without_an_answer_nobody_is_shown_a_password_that_may_not_hold(
    account: int, machine: Instance, world: World, user: str, kept: int
) -> None:
    generate(by(account), machine.public_id)
    work()
    world.fail("ensure_password", times=STEPS["password"].attempts)
    reset(by(account), [machine.public_id], NEW, user=user)
    work()
    assert _latest(machine) == ("RUNNING", "ResetInstancesPassword", "FAILED")
    assert _now(machine).latest_operation_error.splitlines() == [
        "It is not known which password holds; reset it again.", "The simulated engine failed, as it was told to.",
        "Try again in a few minutes; if it fails again, ask the seller.",
    ]  # fmt: skip
    assert SealedPassword.objects.count() == kept
    assert not Operation.objects.filter(kind="password").exists()
    generate(by(account), machine.public_id)
    work()
    assert _latest(machine)[2] == "SUCCESS"


@pytest.mark.parametrize("end", ["terminate", "arrears"])
def test_what_is_ended_meanwhile_is_not_reset(account: int, machine: Instance, world: World, end: str) -> None:
    held = world.password_hash(machine.public_id)
    reset(by(account), [machine.public_id], NEW)
    if end == "terminate":
        terminate.terminate(by(account), [machine.public_id])
    else:
        stop_for_arrears(account, machine)
    work()
    assert _latest(machine)[0] == "SHUTDOWN"
    assert world.password_hash(machine.public_id) == held
    assert not Operation.objects.filter(kind="password").exists()
    assert not Event.objects.filter(kind="password_reset").exists()


def stop_for_arrears(account: int, machine: Instance) -> None:
    """A machine that is off may be taken by arrears while its password is being reset."""
    Instance.objects.filter(pk=machine.pk).update(state="STOPPED")
    Operation.objects.filter(kind="password").update(due_at=clock.now() + clock.HOUR)
    owe(account)
    work()
    Operation.objects.filter(kind="password").update(due_at=clock.now())


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("short-1", "8 to 30 characters"),
        ("lower1234", "at least 3 of these"),
        ("/Abcd1234", "does not begin with a slash"),
        ("Abc 12345", "another character"),
        ("", "8 to 30 characters"),
    ],
)
def test_a_weak_password_is_refused(account: int, machine: Instance, password: str, says: str) -> None:
    with refused(WeakPassword, field="password", match=says):
        reset(by(account), [machine.public_id], password)


@pytest.mark.parametrize("user", ["a:b", "a\n", "-a", "ü", "a" * 65, "\0", "a b", "1a"])
def test_a_name_that_no_user_has_is_refused(account: int, machine: Instance, user: str) -> None:
    with refused(InvalidValue, field="user", match="up to 64 letters"):
        reset(by(account), [machine.public_id], NEW, user=user)


def test_a_running_machine_needs_force_stop_where_it_is_asked_for(account: int, machine: Instance) -> None:
    with refused(WrongState, field="while_running", code="UnsupportedOperation.InstanceStateRunning"):
        reset(by(account), [machine.public_id], NEW, while_running=False)


def test_a_stopped_virtual_machine_has_to_be_started(account: int, machine: Instance) -> None:
    Instance.objects.update(kind="virtual-machine", state="STOPPED")
    with refused(WrongState, field="machines", code="UnsupportedOperation.InstanceStateStopped"):
        reset(by(account), [machine.public_id], NEW)
    with refused(WrongState, field="machines"):
        generate(by(account), machine.public_id)


def test_what_is_another_s_busy_or_in_the_bin_is_refused(account: int, machine: Instance) -> None:
    stranger = open_purse("stranger")
    with refused(UnknownInstance, field="machines"):
        reset(by(stranger), [machine.public_id], NEW)
    with refused(UnknownInstance, field="machines"):
        generate(by(stranger), machine.public_id)
    with refused(MissingParameter, field="machines"):
        reset(by(account), [], NEW)
    with refused(InvalidParameter, field="machines"):
        reset(by(account), [machine.public_id] * 2, NEW)
    reset(by(account), [machine.public_id], NEW)
    with refused(Busy, field="machines"):
        generate(by(account), machine.public_id)
    with refused(Busy, field="machines"):
        stop.stop(by(account), [machine.public_id])
    work()
    terminate.terminate(by(account), [machine.public_id])
    work()
    with refused(WrongState, field="machines"):
        reset(by(account), [machine.public_id], NEW)


def test_all_are_reset_or_none(account: int, machine: Instance) -> None:
    pending = purchase(wanted(account, replace(HOURLY, count=1))).instance_ids
    with refused(Busy, field="machines"):
        reset(by(account), [machine.public_id, *pending], NEW)
    with nothing_written(), pytest.raises(Busy):
        generate(by(account), pending[0])
