"""Given a machine, when its system is installed anew, then its system disk alone is another, and no money moves."""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.instances.test_key_pairs import ED25519
from tests.support.actors import by
from tests.support.shopper import HOURLY, MONTHLY, ZONE, buy_running, open_purse, purses, work
from tests.support.written import refused
from vmart.catalog.models import Image, ZoneImage
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS
from vmart.engines.contract import Power
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances import key_pairs
from vmart.instances.errors import KeyPairInUse, UnknownKeyPair
from vmart.instances.models import Instance, SealedPassword
from vmart.kernel import clock, unix_password
from vmart.kernel.errors import InvalidParameter
from vmart.metering.models import Segment
from vmart.orders import forget_keys, passwords, reinstall, stop, sweep, terminate
from vmart.orders.errors import (
    BadHostName,
    Busy,
    ImageNotSold,
    SystemDiskTooSmall,
    UnknownImage,
    UnknownInstance,
    UserDataTooLarge,
    WeakPassword,
    WrongState,
)
from vmart.orders.login import LoginWanted
from vmart.orders.models import EngineDrift
from vmart.orders.reinstall import Reinstall
from vmart.policy import policy
from vmart.provisioning.zone_engines import engine_of
from vmart.storage.models import Disk
from vmart.worker import loop, queue
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

NEW = "New-pass-1"
ONLINE = replace(HOURLY, internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR", bandwidth_mbps=5, public_ip=True)
TYPED = Reinstall(login=LoginWanted(NEW))


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=100_000)


@pytest.fixture
def machine(account: int) -> Instance:
    return buy_running(account)


@pytest.fixture
def other(machine: Instance) -> Image:
    """Another image that the shop sells; it is in the zone."""
    image = Image.objects.filter(unavailable_en="").exclude(public_id=machine.image_id).first()
    assert image is not None
    ZoneImage.objects.update_or_create(zone_id=ZONE, image=image, defaults={"status": "ready"})
    return image


def _now(machine: Instance) -> Instance:
    return Instance.objects.select_related("subscription").get(pk=machine.pk)


def _latest(machine: Instance) -> tuple[str, str, str]:
    found = _now(machine)
    return found.state, found.latest_operation, found.latest_operation_state


_KEPT = ("public_id", "name", "instance_type_id", "private_ip", "public_ip", "mac", "subnet_id", "vcpu", "user_data",
         "termination_protected", "charge_type")  # fmt: skip


def _kept(machine: Instance) -> dict[str, Any]:
    return {name: getattr(machine, name) for name in _KEPT}


@pytest.mark.parametrize("configuration", [HOURLY, MONTHLY], ids=["postpaid", "prepaid"])
def test_a_system_is_new_and_all_else_is_as_it_was(
    account: int, world: World, configuration: Any, request: pytest.FixtureRequest
) -> None:
    machine = buy_running(account, configuration)
    request.getfixturevalue("machine")  # a second one, which nothing happens to
    other = request.getfixturevalue("other")
    before, money = _now(machine), purses(account)
    segments = list(Segment.objects.values_list().order_by("pk"))
    disks = list(Disk.objects.values_list().order_by("pk"))
    asked = Reinstall(other.public_id, LoginWanted(NEW), "anew-1", b"#!/bin/sh\n")
    reinstall.reinstall(by(account, "r-1"), machine.public_id, asked)
    assert _latest(machine) == ("STARTING", "ResetInstance", "OPERATING")
    assert (_now(machine).latest_operation_request_id, _now(machine).image_id) == ("r-1", before.image_id)
    work()
    after = _now(machine)
    assert _latest(machine) == ("RUNNING", "ResetInstance", "SUCCESS")
    assert (after.image_id, after.login_user, after.hostname) == (other.public_id, other.login_user, "anew-1")
    assert unix_password.matches(NEW, after.password_hash)
    assert (after.key_ids, after.ssh_keys, after.keys_only, after.installation) == ([], [], False, 1)
    assert _kept(after) == _kept(before) | {"user_data": b"#!/bin/sh\n"}
    assert world.system(machine.public_id) == (other.recipe, "anew-1")
    assert unix_password.matches(NEW, world.password_hash(machine.public_id))
    assert (world.erased(machine.public_id), world.count_machines()) == (1, 2)
    assert purses(account) == money
    assert list(Segment.objects.values_list().order_by("pk")) == segments
    assert list(Disk.objects.values_list().order_by("pk")) == disks
    (event,) = Event.objects.filter(kind="reinstalled")
    assert (event.subject_id, event.detail) == (machine.id, {"image": other.public_id})
    assert list(reconcile()) == []


def test_what_is_not_said_stays_and_the_shop_makes_a_password(account: int, machine: Instance, world: World) -> None:
    before = _now(machine)
    reinstall.reinstall(by(account), machine.public_id, Reinstall())
    work()
    after = _now(machine)
    assert (after.image_id, after.hostname, after.user_data) == (before.image_id, before.hostname, before.user_data)
    (password,) = passwords.show(by(account), [machine.public_id]).values()
    assert unix_password.matches(password, world.password_hash(machine.public_id))
    assert SealedPassword.objects.get().made_at == clock.now()
    reinstall.reinstall(by(account), machine.public_id, TYPED)
    work()
    assert not SealedPassword.objects.exists()  # the one of before opens nothing any more
    assert (_now(machine).installation, world.erased(machine.public_id)) == (2, 2)


def test_key_pairs_open_it_and_cannot_be_deleted_from_the_request_on(
    account: int, machine: Instance, world: World
) -> None:
    pair = key_pairs.import_(by(account), "laptop", ED25519)
    reinstall.reinstall(by(account), machine.public_id, Reinstall(login=LoginWanted(key_ids=(pair.public_id,))))
    with refused(KeyPairInUse, field="key_ids"):
        forget_keys.forget(by(account), [pair.public_id])
    work()
    after = _now(machine)
    assert (after.key_ids, after.keys_in_doubt, after.password_hash) == ([pair.public_id], {}, "")
    assert world.ssh_keys(machine.public_id) == after.ssh_keys == [pair.public_key]
    assert not world.takes_passwords(machine.public_id)


def test_a_stopped_machine_runs_at_the_end_and_is_charged_on(account: int, machine: Instance, world: World) -> None:
    stop.stop(by(account), [machine.public_id])
    work()
    segments = list(Segment.objects.values_list().order_by("pk"))
    reinstall.reinstall(by(account), machine.public_id, TYPED)
    work()
    assert (_latest(machine), _now(machine).stop_charging_mode) == (
        ("RUNNING", "ResetInstance", "SUCCESS"), "NOT_APPLICABLE",
    )  # fmt: skip
    assert engine_of(ZONE).observe(machine.public_id).power == Power.RUNNING
    assert list(Segment.objects.values_list().order_by("pk")) == segments


def test_what_waits_for_the_worker_and_what_is_logged_have_no_password(account: int, machine: Instance) -> None:
    with CaptureQueriesContext(connection) as asked:
        reinstall.reinstall(by(account), machine.public_id, TYPED)
        (operation,) = Operation.objects.filter(kind="reinstall")
        work()
    assert set(operation.payload) == {
        "before",
        "image",
        "own_image",
        "hostname",
        "keys",
        "password_hash",
        "password_sealed",
    }
    assert unix_password.matches(NEW, operation.payload["password_hash"])
    assert [query["sql"] for query in asked if NEW in query["sql"] or "$6$" in query["sql"]] == []
    assert _latest(machine)[2] == "SUCCESS"


def _failed(machine: Instance) -> tuple[str, str, str, list[str]]:
    return *_latest(machine), _now(machine).latest_operation_error.splitlines()


_AGAIN = "Try again in a few minutes; if it fails again, ask the seller."
_OTHER = ["The image cannot be made in this zone.", "Choose another image."]
_UNTOUCHED = "The system was not installed anew; what is on its disk is there."


def test_nothing_is_erased_before_the_image_is_in_the_zone(
    account: int, machine: Instance, world: World, other: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    ZoneImage.objects.filter(image=other).update(status="preparing")
    held = world.password_hash(machine.public_id)
    reinstall.reinstall(by(account), machine.public_id, Reinstall(other.public_id))
    work()
    assert _latest(machine) == ("STARTING", "ResetInstance", "OPERATING")
    assert world.erased(machine.public_id) == 0
    late = clock.wall() + dt.timedelta(minutes=policy.at(clock.now()).image_wait_minutes, seconds=5)
    monkeypatch.setattr(clock, "wall", lambda: late)
    work()
    assert _failed(machine) == ("RUNNING", "ResetInstance", "FAILED", [_UNTOUCHED, *_OTHER])
    assert (world.erased(machine.public_id), world.password_hash(machine.public_id)) == (0, held)


def test_an_image_that_cannot_be_made_fails_at_once(
    account: int, machine: Instance, world: World, other: Image
) -> None:
    ZoneImage.objects.filter(image=other).update(status="failed")
    reinstall.reinstall(by(account), machine.public_id, Reinstall(other.public_id))
    work()
    assert _failed(machine) == ("RUNNING", "ResetInstance", "FAILED", [_UNTOUCHED, *_OTHER])
    assert (world.erased(machine.public_id), _now(machine).image_id) == (0, machine.image_id)
    reinstall.reinstall(by(account), machine.public_id, TYPED)
    work()
    assert (_latest(machine)[2], world.erased(machine.public_id)) == ("SUCCESS", 1)


@pytest.mark.parametrize("off", [False, True])
def test_an_engine_that_refuses_leaves_the_machine_as_it_is(
    account: int, machine: Instance, world: World, *, off: bool
) -> None:
    if off:
        stop.stop(by(account), [machine.public_id])
        work()
    held, money = _now(machine), purses(account)
    world.fail("ensure_reinstalled", times=STEPS["reinstall"].attempts)
    reinstall.reinstall(by(account), machine.public_id, Reinstall(hostname="anew"))
    work()
    assert _failed(machine) == (
        held.state, "ResetInstance", "FAILED",
        [_UNTOUCHED, "The simulated engine failed, as it was told to.", _AGAIN],
    )  # fmt: skip
    after = _now(machine)
    assert (after.hostname, after.password_hash, after.image_id, after.stop_charging_mode) == (
        held.hostname, held.password_hash, held.image_id, held.stop_charging_mode,
    )  # fmt: skip
    assert (world.erased(machine.public_id), purses(account)) == (0, money)


def test_an_answer_that_is_lost_every_time_is_no_failure(account: int, machine: Instance, world: World) -> None:
    world.lose_answer("ensure_reinstalled", times=STEPS["reinstall"].attempts)
    reinstall.reinstall(by(account), machine.public_id, TYPED)
    work()
    assert (_latest(machine), world.erased(machine.public_id)) == (("RUNNING", "ResetInstance", "SUCCESS"), 1)
    assert unix_password.matches(NEW, _now(machine).password_hash)


_ERASED = "The system disk was erased, and the new system does not run; install it anew once more."


def _given_up(machine: Instance, world: World, happens: Callable[[], object]) -> None:
    """The new system is made and its answer lost; then ``happens``, and the engine says no until nobody asks."""
    world.lose_answer("ensure_reinstalled")
    world.fail("ensure_reinstalled", 2, times=STEPS["reinstall"].attempts)
    (operation,) = queue.claim(owner := uuid.uuid4(), [ZONE], 15, 1)
    loop.work(STEPS, [operation], owner)
    happens()
    Operation.objects.update(not_before=None)
    work()
    world.clear_faults()


def test_a_system_that_turned_itself_off_is_told_as_it_is(account: int, machine: Instance, world: World) -> None:
    reinstall.reinstall(by(account), machine.public_id, Reinstall(login=LoginWanted(NEW), hostname="anew"))
    _given_up(machine, world, lambda: engine_of(ZONE).ensure_power(machine.public_id, False))
    assert _failed(machine)[:3] == ("STOPPED", "ResetInstance", "FAILED")
    assert _failed(machine)[3][0] == _ERASED
    after = _now(machine)
    assert unix_password.matches(NEW, after.password_hash)
    assert (after.hostname, after.stop_charging_mode) == ("anew", "KEEP_CHARGING")


def test_a_machine_that_is_gone_is_installed_again(account: int, machine: Instance, world: World) -> None:
    passwords.keep(machine, passwords.make(machine.id).sealed)
    reinstall.reinstall(by(account), machine.public_id, TYPED)
    _given_up(machine, world, lambda: world.remove_machine(machine.public_id))
    assert _failed(machine)[:3] == ("STOPPED", "ResetInstance", "FAILED")
    assert _failed(machine)[3][0] == _ERASED
    assert not SealedPassword.objects.exists()
    assert Segment.objects.filter(ended_at=None).exists()  # charged as agreed
    assert [drift.kind for drift in sweep.sweep(ZONE)] == ["missing"]
    reinstall.reinstall(by(account), machine.public_id, TYPED)
    work()
    assert _latest(machine) == ("RUNNING", "ResetInstance", "SUCCESS")
    assert not EngineDrift.objects.exists()
    assert sweep.sweep(ZONE) == []
    assert list(reconcile()) == []


def test_where_the_engine_says_nothing_nobody_knows(account: int, machine: Instance, world: World) -> None:
    passwords.keep(machine, passwords.make(machine.id).sealed)
    reinstall.reinstall(by(account), machine.public_id, TYPED)
    world.stop_engine()
    work()
    assert _failed(machine) == (
        "RUNNING", "ResetInstance", "FAILED",
        ["It is not known whether the system was installed anew; install it once more.",
         "The compute engine does not answer.", _AGAIN],
    )  # fmt: skip
    assert not SealedPassword.objects.exists()  # it may open nothing any more
    world.start_engine()
    reinstall.reinstall(by(account), machine.public_id, TYPED)
    work()
    assert _latest(machine) == ("RUNNING", "ResetInstance", "SUCCESS")


def test_a_call_that_comes_too_late_erases_nothing(account: int, machine: Instance, world: World) -> None:
    """Given a worker that was held up with the first request until the second was done."""
    reinstall.reinstall(by(account), machine.public_id, Reinstall(hostname="first"))
    payload = Operation.objects.get(kind="reinstall").payload
    late = reinstall._spec(_now(machine), payload)
    work()
    reinstall.reinstall(by(account), machine.public_id, Reinstall(hostname="second"))
    work()
    engine_of(ZONE).ensure_reinstalled(late)
    assert world.system(machine.public_id)[1] == "second"
    assert world.erased(machine.public_id) == 2


def test_an_image_that_is_not_sold_or_too_large_is_refused(account: int, machine: Instance, other: Image) -> None:
    with refused(UnknownImage, field="image_id", code="InvalidImageId.NotFound"):
        reinstall.reinstall(by(account), machine.public_id, Reinstall("img-unknown0"))
    unsold = Image.objects.exclude(unavailable_en="").first()
    assert unsold is not None
    with refused(ImageNotSold, field="image_id"):
        reinstall.reinstall(by(account), machine.public_id, Reinstall(unsold.public_id))
    Disk.objects.update(size_gib=other.size_gib - 1)
    says = rf"needs a system disk of at least {other.size_gib} GiB, and {machine.public_id} has {other.size_gib - 1};"
    with refused(SystemDiskTooSmall, field="image_id", match=says):
        reinstall.reinstall(by(account), machine.public_id, Reinstall(other.public_id))
    with refused(SystemDiskTooSmall, field="image_id"):
        reinstall.check(account, machine.public_id, Reinstall(other.public_id))


def test_a_wrong_login_host_name_or_document_is_refused(account: int, machine: Instance) -> None:
    both = LoginWanted(NEW, ("skey-unknown0",))
    for kind, field, asked in (
        (WeakPassword, "login.password", Reinstall(login=LoginWanted("short"))),
        (InvalidParameter, "login", Reinstall(login=both)),
        (UnknownKeyPair, "login.key_ids", Reinstall(login=LoginWanted(key_ids=("skey-unknown0",)))),
        (BadHostName, "hostname", Reinstall(hostname="-a")),
        (BadHostName, "hostname", Reinstall(hostname="a{R:1}")),
        (BadHostName, "hostname", Reinstall(hostname="a-{IP}")),
        (UserDataTooLarge, "user_data", Reinstall(user_data=b"x" * (16 * 1024 + 1))),
    ):
        with refused(kind, field=field):
            reinstall.reinstall(by(account), machine.public_id, asked)
        with refused(kind, field=field):
            reinstall.check(account, machine.public_id, asked)


@pytest.mark.parametrize("state", ["PENDING", "LAUNCH_FAILED", "STARTING", "STOPPING", "REBOOTING"])
def test_in_other_states_it_is_refused(account: int, machine: Instance, state: str) -> None:
    Instance.objects.update(state=state)
    with refused(WrongState, field="machines", code="UnsupportedOperation.InstanceStateNotRunning"):
        reinstall.reinstall(by(account), machine.public_id, TYPED)


def test_what_is_another_s_busy_in_the_bin_or_off_without_charge_is_refused(account: int, machine: Instance) -> None:
    stranger = open_purse("stranger")
    with refused(UnknownInstance, field="machines"):
        reinstall.reinstall(by(stranger), machine.public_id, TYPED)
    with refused(UnknownInstance, field="machines"):
        reinstall.check(stranger, machine.public_id, TYPED)
    reinstall.reinstall(by(account), machine.public_id, TYPED)
    with refused(Busy, field="machines"):
        reinstall.reinstall(by(account), machine.public_id, TYPED)
    with refused(Busy, field="machines"):
        terminate.terminate(by(account), [machine.public_id])
    work()
    stop.stop(by(account), [machine.public_id], stopped_mode="STOP_CHARGING")
    work()
    with refused(WrongState, field="machines", code="UnsupportedOperation.StoppedModeStopCharging"):
        reinstall.reinstall(by(account), machine.public_id, TYPED)
    terminate.terminate(by(account), [machine.public_id])
    work()
    with refused(WrongState, field="machines", code="UnsupportedOperation.InstanceStateIsolating"):
        reinstall.reinstall(by(account), machine.public_id, TYPED)


def test_one_that_is_protected_from_programs_may_be_installed_anew(account: int, machine: Instance) -> None:
    """Published: the protection is against its end."""
    Instance.objects.update(termination_protected=True)
    reinstall.reinstall(by(account), machine.public_id, TYPED)
    work()
    assert _latest(machine)[2] == "SUCCESS"


def test_what_it_sent_is_counted_on(account: int, world: World) -> None:
    machine = buy_running(account, ONLINE)
    engine = engine_of(ZONE)
    world.send_bytes(machine.public_id, 1000)
    before = engine.counters([machine.public_id])[machine.public_id]
    reinstall.reinstall(by(account), machine.public_id, TYPED)
    work()
    assert engine.counters([machine.public_id])[machine.public_id] == before
    assert before.out_bytes == 1000
