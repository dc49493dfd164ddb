"""Given machines of a customer, when key pairs are bound to them or taken away, then those open them and no others."""

from collections.abc import Callable, Sequence

import pytest

from tests.support.actors import by
from tests.support.shopper import HOURLY, IMAGE, buy_running, open_purse, purses, wanted, work
from tests.support.written import nothing_written, refused
from vmart.config.steps import STEPS
from vmart.engines.contract import Power
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances import key_pairs
from vmart.instances.errors import KeyPairInUse, UnknownKeyPair
from vmart.instances.models import Instance
from vmart.kernel.errors import InvalidParameter, MissingParameter
from vmart.listings import keys as listed
from vmart.orders import stop, terminate
from vmart.orders.bind_keys import bind, unbind
from vmart.orders.errors import Busy, KeyNotBound, UnknownInstance, WrongState
from vmart.orders.forget_keys import forget
from vmart.orders.login import LoginWanted
from vmart.orders.purchase import purchase
from vmart.orders.reset_password import reset
from vmart.orders.wanted import Machine
from vmart.provisioning import specs
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

NEW = "New-pass-1"
# Public keys of no private key: the shop reads their form alone.
TEXTS = {
    name: f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{letter * 43} {name}"
    for name, letter in (("one", "G"), ("two", "H"), ("three", "I"))
}


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=10_000)


@pytest.fixture
def ids(account: int) -> dict[str, str]:
    """The account's pairs: id by name."""
    return {name: key_pairs.import_(by(account), name, text).public_id for name, text in TEXTS.items()}


@pytest.fixture
def machine(account: int) -> Instance:
    return buy_running(account)


def _now(machine: Instance) -> Instance:
    return Instance.objects.get(pk=machine.pk)


def _latest(machine: Instance) -> tuple[str, str, str]:
    found = _now(machine)
    return found.state, found.latest_operation, found.latest_operation_state


def _has(machine: Instance) -> tuple[list[str], list[str], dict[str, str], bool]:
    found = _now(machine)
    return found.key_ids, found.ssh_keys, found.keys_in_doubt, found.keys_only


def _texts(*names: str) -> list[str]:
    return [TEXTS[name] for name in names]


def _inside(world: World, machine: Instance) -> tuple[list[str], bool]:
    return world.ssh_keys(machine.public_id), world.takes_passwords(machine.public_id)


def _bound(account: int, machine: Instance, key_ids: Sequence[str]) -> None:
    bind(by(account), [machine.public_id], key_ids)
    work()
    assert _latest(machine) == ("RUNNING", "AssociateInstancesKeyPairs", "SUCCESS")


@pytest.mark.parametrize("off", [False, True])
def test_bound_keys_open_the_machine_when_it_has_them_and_passwords_no_more(
    account: int, machine: Instance, ids: dict[str, str], world: World, *, off: bool
) -> None:
    if off:
        stop.stop(by(account), [machine.public_id])
        work()
    state, before, held = "STOPPED" if off else "RUNNING", purses(account), world.password_hash(machine.public_id)
    seen = engine_of(machine.zone_id).observe(machine.public_id)
    assert seen.power == (Power.STOPPED if off else Power.RUNNING)
    bind(by(account, "r-1"), [machine.public_id], [ids["two"], ids["one"]])
    assert _latest(machine) == (state, "AssociateInstancesKeyPairs", "OPERATING")
    assert _now(machine).latest_operation_request_id == "r-1"
    assert _has(machine) == ([], [], {ids["one"]: TEXTS["one"], ids["two"]: TEXTS["two"]}, False)
    assert _inside(world, machine) == ([], True)
    work()
    assert _latest(machine) == (state, "AssociateInstancesKeyPairs", "SUCCESS")
    assert _has(machine) == ([ids["two"], ids["one"]], _texts("two", "one"), {}, True)
    assert _inside(world, machine) == (_texts("two", "one"), False)
    assert world.password_hash(machine.public_id) == held == _now(machine).password_hash
    assert engine_of(machine.zone_id).observe(machine.public_id) == seen  # its boot too
    assert purses(account) == before
    (asked,) = Event.objects.filter(kind="AssociateInstancesKeyPairs")
    (event,) = Event.objects.filter(kind="keys_bound")
    assert (asked.subject_id, asked.actor["request"]) == (machine.id, "r-1")
    assert (event.subject_id, event.detail) == (machine.id, {"key_ids": [ids["two"], ids["one"]]})


def test_keys_bound_before_open_it_no_more(account: int, machine: Instance, ids: dict[str, str], world: World) -> None:
    _bound(account, machine, [ids["one"], ids["two"]])
    _bound(account, machine, [ids["two"], ids["three"]])
    assert _inside(world, machine) == (_texts("two", "three"), False)
    assert _has(machine)[:2] == ([ids["two"], ids["three"]], _texts("two", "three"))
    _bound(account, machine, [ids["three"], ids["two"]])  # the same again, in another order
    assert sorted(world.ssh_keys(machine.public_id)) == sorted(_texts("two", "three"))
    assert _has(machine)[0] == [ids["three"], ids["two"]]


def test_a_key_is_taken_away_and_with_the_last_one_passwords_are_taken_again(
    account: int, machine: Instance, ids: dict[str, str], world: World
) -> None:
    held = world.password_hash(machine.public_id)
    _bound(account, machine, [ids["one"], ids["two"], ids["three"]])
    unbind(by(account), [machine.public_id], [ids["two"]])
    assert _has(machine)[0] == [ids["one"], ids["two"], ids["three"]]  # it still has it
    work()
    assert _latest(machine) == ("RUNNING", "DisassociateInstancesKeyPairs", "SUCCESS")
    assert _has(machine) == ([ids["one"], ids["three"]], _texts("one", "three"), {}, True)
    assert _inside(world, machine) == (_texts("one", "three"), False)
    unbind(by(account), [machine.public_id], [ids["three"], ids["one"]])
    work()
    assert _has(machine) == ([], [], {}, False)
    assert _inside(world, machine) == ([], True)
    assert world.password_hash(machine.public_id) == held
    assert [event.detail for event in Event.objects.filter(kind="keys_unbound").order_by("id")] == [
        {"key_ids": [ids["two"]]}, {"key_ids": [ids["three"], ids["one"]]},
    ]  # fmt: skip


def test_after_a_password_was_set_ssh_takes_it_beside_the_keys_until_keys_are_bound_anew(
    account: int, machine: Instance, ids: dict[str, str], world: World
) -> None:
    _bound(account, machine, [ids["one"], ids["two"]])
    reset(by(account), [machine.public_id], NEW)
    work()
    assert _inside(world, machine) == (_texts("one", "two"), True)
    assert _has(machine) == ([ids["one"], ids["two"]], _texts("one", "two"), {}, False)
    unbind(by(account), [machine.public_id], [ids["one"]])
    work()
    assert _inside(world, machine) == (_texts("two"), True)  # one of two taken away leaves passwords as they were
    assert _has(machine)[3] is False
    _bound(account, machine, [ids["two"]])
    assert _inside(world, machine) == (_texts("two"), False)


@pytest.mark.parametrize(("again", "takes"), [(False, False), (True, True)])
def test_a_machine_that_is_delivered_again_takes_what_it_took(
    account: int, machine: Instance, ids: dict[str, str], world: World, *, again: bool, takes: bool
) -> None:
    """Given a password and keys, then whether a password came after the keys is known of the machine."""
    _bound(account, machine, [ids["one"]])
    if again:
        reset(by(account), [machine.public_id], NEW)
        work()
    spec = specs.load([machine.id])[machine.id].spec
    assert (list(spec.ssh_keys), spec.ssh_passwords) == (_texts("one"), takes)
    world.remove_machine(machine.public_id)
    engine_of(machine.zone_id).ensure_present(spec)
    assert _inside(world, machine) == (_texts("one"), takes)


def test_a_machine_bought_with_a_key_changes_it(account: int, ids: dict[str, str], world: World) -> None:
    buy_running(account)  # looks at the zone and has its images ready, too
    bought = purchase(wanted(account, HOURLY, machine=Machine(IMAGE, LoginWanted(key_ids=(ids["one"],)))))
    work()
    machine = Instance.objects.get(public_id=bought.instance_ids[0])
    assert _inside(world, machine) == (_texts("one"), False)
    _bound(account, machine, [ids["two"]])
    assert _inside(world, machine) == (_texts("two"), False)
    with refused(KeyNotBound, field="key_ids"):
        unbind(by(account), [machine.public_id], [ids["one"]])


def test_several_machines_each_lose_what_they_had(account: int, ids: dict[str, str], world: World) -> None:
    machines = [buy_running(account) for _ in range(3)]
    _bound(account, machines[0], [ids["one"]])
    _bound(account, machines[1], [ids["two"], ids["three"]])
    bind(by(account), [machine.public_id for machine in machines], [ids["three"]])
    work()
    assert [_inside(world, machine) for machine in machines] == [(_texts("three"), False)] * 3
    assert [_has(machine) for machine in machines] == [([ids["three"]], _texts("three"), {}, True)] * 3


def test_which_machines_a_pair_opens_is_told_when_they_have_it(
    account: int, machine: Instance, ids: dict[str, str]
) -> None:
    def told() -> dict[str, tuple[str, ...]]:
        return {view.name: view.instance_ids for view in listed.page(account)[1]}

    bind(by(account), [machine.public_id], [ids["one"]])
    assert told() == {"one": (), "two": (), "three": ()}
    work()
    assert told() == {"one": (machine.public_id,), "two": (), "three": ()}
    unbind(by(account), [machine.public_id], [ids["one"]])
    assert told()["one"] == (machine.public_id,)
    work()
    assert told() == {"one": (), "two": (), "three": ()}


def test_a_pair_that_is_bound_or_about_to_be_cannot_be_deleted(
    account: int, machine: Instance, ids: dict[str, str]
) -> None:
    bind(by(account), [machine.public_id], [ids["one"], ids["two"]])
    for name in ("one", "two"):
        with refused(KeyPairInUse, field="key_ids", code="InvalidParameterValue.KeyPairNotSupported"):
            forget(by(account), [ids[name]])
    work()
    with refused(KeyPairInUse, field="key_ids", match=machine.public_id):
        forget(by(account), [ids["three"], ids["one"]])
    unbind(by(account), [machine.public_id], [ids["one"]])
    with refused(KeyPairInUse, field="key_ids"):
        forget(by(account), [ids["one"]])
    work()
    forget(by(account), [ids["one"], ids["three"]])
    with refused(UnknownKeyPair, field="key_ids", code="InvalidKeyPairId.NotFound"):
        bind(by(account), [machine.public_id], [ids["one"]])


# -- what goes wrong -------------------------------------------------------------------------------


def test_a_user_who_is_not_there_fails_at_once_and_nothing_has_changed(
    account: int, machine: Instance, ids: dict[str, str], world: World
) -> None:
    _bound(account, machine, [ids["one"]])
    Instance.objects.filter(pk=machine.pk).update(login_user="gone")
    world.count_calls()
    bind(by(account), [machine.public_id], [ids["two"]])
    work()
    assert world.calls()["ensure_ssh_keys"] == 1
    assert _latest(machine) == ("RUNNING", "AssociateInstancesKeyPairs", "FAILED")
    assert _now(machine).latest_operation_error.splitlines() == [
        "The keys could not be changed; those of before hold.", "The machine has no user of this name.",
        "Make the user of its image again in the machine, then try again.",
    ]  # fmt: skip
    assert _has(machine) == ([ids["one"]], _texts("one"), {}, True)
    assert _inside(world, machine) == (_texts("one"), False)
    forget(by(account), [ids["two"]])
    unbind(by(account), [machine.public_id], [ids["one"]])
    work()
    assert _latest(machine)[2] == "FAILED"
    assert _has(machine) == ([ids["one"]], _texts("one"), {}, True)


@pytest.mark.parametrize("done", [False, True])
def test_after_an_attempt_without_an_answer_what_may_be_inside_is_known_and_taken_out_next(
    account: int, machine: Instance, ids: dict[str, str], world: World, *, done: bool
) -> None:
    _bound(account, machine, [ids["one"]])
    attempts = STEPS["ssh_keys"].attempts
    (world.lose_answer if done else world.fail)("ensure_ssh_keys", times=attempts)
    bind(by(account), [machine.public_id], [ids["two"]])
    work()
    assert _latest(machine) == ("RUNNING", "AssociateInstancesKeyPairs", "FAILED")
    says = _now(machine).latest_operation_error.splitlines()
    assert says[0] == "It is not known which keys hold; bind or take away keys again."
    assert _has(machine) == ([ids["one"]], _texts("one"), {ids["two"]: TEXTS["two"]}, True)
    assert _inside(world, machine) == (_texts("two" if done else "one"), False)
    assert not Operation.objects.filter(kind="ssh_keys").exists()
    with refused(KeyPairInUse, field="key_ids"):
        forget(by(account), [ids["two"]])
    _bound(account, machine, [ids["three"]])
    assert _inside(world, machine) == (_texts("three"), False)
    assert _has(machine) == ([ids["three"]], _texts("three"), {}, True)
    forget(by(account), [ids["one"], ids["two"]])


def test_a_key_that_may_be_inside_can_be_taken_away(
    account: int, machine: Instance, ids: dict[str, str], world: World
) -> None:
    world.lose_answer("ensure_ssh_keys", times=STEPS["ssh_keys"].attempts)
    bind(by(account), [machine.public_id], [ids["one"]])
    work()
    assert _inside(world, machine) == (_texts("one"), False)
    unbind(by(account), [machine.public_id], [ids["one"]])
    work()
    assert _latest(machine) == ("RUNNING", "DisassociateInstancesKeyPairs", "SUCCESS")
    assert _inside(world, machine) == ([], True)
    assert _has(machine) == ([], [], {}, False)


@pytest.mark.parametrize("done", [False, True])
def test_a_removal_without_an_answer_leaves_what_is_told_as_it_was(
    account: int, machine: Instance, ids: dict[str, str], world: World, *, done: bool
) -> None:
    _bound(account, machine, [ids["one"]])
    (world.lose_answer if done else world.fail)("ensure_ssh_keys", times=STEPS["ssh_keys"].attempts)
    unbind(by(account), [machine.public_id], [ids["one"]])
    work()
    assert _latest(machine) == ("RUNNING", "DisassociateInstancesKeyPairs", "FAILED")
    assert _has(machine) == ([ids["one"]], _texts("one"), {}, True)
    unbind(by(account), [machine.public_id], [ids["one"]])
    work()
    assert _has(machine) == ([], [], {}, False)
    assert _inside(world, machine) == ([], True)


def test_what_is_ended_meanwhile_is_not_changed(
    account: int, machine: Instance, ids: dict[str, str], world: World
) -> None:
    bind(by(account), [machine.public_id], [ids["one"]])
    terminate.terminate(by(account), [machine.public_id])
    work()
    assert _latest(machine)[0] == "SHUTDOWN"
    assert _inside(world, machine) == ([], True)
    assert _now(machine).key_ids == []
    assert not Operation.objects.filter(kind="ssh_keys").exists()
    assert not Event.objects.filter(kind="keys_bound").exists()
    forget(by(account), [ids["one"]])  # nobody logs in to what is in the bin


# -- what is refused -------------------------------------------------------------------------------

Act = Callable[..., None]
ACTS = [bind, unbind]


@pytest.mark.parametrize("act", ACTS)
def test_pairs_that_are_unknown_missing_or_named_twice_are_refused(
    account: int, machine: Instance, ids: dict[str, str], act: Act
) -> None:
    theirs = key_pairs.import_(by(open_purse("stranger")), "theirs", TEXTS["one"]).public_id
    for unknown in (theirs, "skey-unknown0", "", "a\0b"):
        with refused(UnknownKeyPair, field="key_ids", code="InvalidKeyPairId.NotFound"):
            act(by(account), [machine.public_id], [unknown])
    with refused(MissingParameter, field="key_ids"):
        act(by(account), [machine.public_id], [])
    with refused(InvalidParameter, field="key_ids"):
        act(by(account), [machine.public_id], [ids["one"]] * 2)


def test_a_pair_that_is_not_bound_to_each_machine_cannot_be_taken_away(
    account: int, machine: Instance, ids: dict[str, str]
) -> None:
    other = buy_running(account)
    _bound(account, machine, [ids["one"], ids["two"]])
    _bound(account, other, [ids["one"]])
    both = [machine.public_id, other.public_id]
    with refused(KeyNotBound, field="key_ids", code="InvalidParameterValue.KeyPairNotSupported", match=other.public_id):
        unbind(by(account), both, [ids["one"], ids["two"]])
    with refused(KeyNotBound, field="key_ids", match=ids["three"]):
        unbind(by(account), both, [ids["three"]])


@pytest.mark.parametrize("act", ACTS)
def test_machines_that_cannot_be_reached_into_are_refused(
    account: int, machine: Instance, ids: dict[str, str], act: Act
) -> None:
    _bound(account, machine, [ids["one"]])
    stranger = open_purse("stranger")
    with refused(WrongState, field="while_running", code="UnsupportedOperation.InstanceStateRunning"):
        act(by(account), [machine.public_id], [ids["one"]], while_running=False)
    with refused(UnknownInstance, field="machines"):
        act(by(stranger), [machine.public_id], [ids["one"]])
    with refused(MissingParameter, field="machines"):
        act(by(account), [], [ids["one"]])
    pending = purchase(wanted(account, HOURLY)).instance_ids
    with nothing_written(), pytest.raises(Busy):
        act(by(account), [machine.public_id, *pending], [ids["one"]])
    Instance.objects.filter(pk=machine.pk).update(kind="virtual-machine", state="STOPPED")
    with refused(WrongState, field="machines", code="UnsupportedOperation.InstanceStateStopped"):
        act(by(account), [machine.public_id], [ids["one"]])


def test_the_acts_of_a_machine_wait_for_each_other(account: int, machine: Instance, ids: dict[str, str]) -> None:
    bind(by(account), [machine.public_id], [ids["one"]])
    with refused(Busy, field="machines"):
        bind(by(account), [machine.public_id], [ids["two"]])
    with refused(Busy, field="machines"):
        unbind(by(account), [machine.public_id], [ids["one"]])
    with refused(Busy, field="machines"):
        reset(by(account), [machine.public_id], NEW)
