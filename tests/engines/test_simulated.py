"""The simulated engine as a citizen: it outlives its users, and goes wrong when it is told to."""

import contextlib
import dataclasses
import datetime as dt
import multiprocessing
import os
import signal
import sqlite3
from pathlib import Path

import pytest

from tests.engines.contract_suite import MakeSpec
from tests.engines.test_contract import engine, free_address, image, make_spec
from vmart.engines import open_engine
from vmart.engines.contract import (
    Engine,
    EngineError,
    HeldDisk,
    ImageSpec,
    ImageStatus,
    MachineSpec,
    Observation,
    Power,
)
from vmart.engines.optional import Disks, Images, Rescues, Snapshots, ensure_present_many
from vmart.engines.rules import OPEN, TCP, MachineRules, Packet, Rule
from vmart.engines.simulated.world import World
from vmart.kernel import clock

__all__ = ["engine", "free_address", "image", "make_spec"]


@pytest.fixture
def world(tmp_path: Path, engine: Engine) -> World:
    return World(tmp_path / "engine.sqlite")


def test_the_third_call_fails_and_has_done_nothing(engine: Engine, world: World, make_spec: MakeSpec) -> None:
    specs = [make_spec() for _ in range(3)]
    world.fail("ensure_present", nth=3, sentence="The host's storage is full.", transient=False)
    engine.ensure_present(specs[0])
    engine.ensure_present(specs[1])
    with pytest.raises(EngineError, match="storage is full") as failure:
        engine.ensure_present(specs[2])
    assert not failure.value.transient
    assert world.count_machines() == 2
    assert world.armed_count() == 0
    assert engine.ensure_present(specs[2]).power is Power.RUNNING


def test_a_call_whose_answer_is_lost_was_done(engine: Engine, world: World, make_spec: MakeSpec) -> None:
    spec = make_spec()
    for verb, act, expected in (
        ("ensure_present", lambda: engine.ensure_present(spec), Power.RUNNING),
        ("ensure_power", lambda: engine.ensure_power(spec.name, False), Power.STOPPED),
        ("ensure_absent", lambda: engine.ensure_absent(spec.name), Power.ABSENT),
    ):
        world.lose_answer(verb)
        with pytest.raises(EngineError, match="does not answer") as lost:
            act()
        assert lost.value.transient
        assert engine.observe(spec.name).power is expected


def test_in_a_batch_the_fault_hits_the_nth_machine(engine: Engine, world: World, make_spec: MakeSpec) -> None:
    specs = [make_spec() for _ in range(4)]
    world.fail("ensure_present", nth=2)
    world.lose_answer("ensure_present", nth=3)
    outcomes = ensure_present_many(engine, specs)
    assert [isinstance(outcome, EngineError) for outcome in outcomes] == [False, True, True, False]
    assert {found.name for found in engine.list_ours()} == {specs[place].name for place in (0, 2, 3)}


def test_a_star_counts_changing_calls_of_every_kind(engine: Engine, world: World, make_spec: MakeSpec) -> None:
    spec = make_spec()
    world.fail("*", nth=2)
    engine.ensure_present(spec)
    engine.observe(spec.name)
    with pytest.raises(EngineError):
        engine.ensure_power(spec.name, False)
    assert engine.observe(spec.name).power is Power.RUNNING


def test_a_stopped_engine_answers_nothing_and_forgets_nothing(
    engine: Engine, world: World, make_spec: MakeSpec
) -> None:
    spec = make_spec()
    engine.ensure_present(spec)
    world.stop_engine()
    with pytest.raises(EngineError, match="does not answer"):
        engine.observe(spec.name)
    world.start_engine()
    assert engine.observe(spec.name).power is Power.RUNNING


def test_calls_are_counted_by_verb(engine: Engine, world: World, make_spec: MakeSpec) -> None:
    world.count_calls()
    spec = make_spec()
    engine.ensure_present(spec)
    engine.ensure_present(spec)
    engine.list_ours()
    assert world.calls() == {"ensure_present": 2, "list_ours": 1}


def _make_and_die(path: Path, spec: MachineSpec) -> None:
    open_engine("simulated", {"file": path}).ensure_present(spec)
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_process_made_is_there(tmp_path: Path, engine: Engine, make_spec: MakeSpec) -> None:
    spec = make_spec()
    process = multiprocessing.get_context("spawn").Process(
        target=_make_and_die, args=(tmp_path / "engine.sqlite", spec)
    )
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    assert engine.observe(spec.name).power is Power.RUNNING


def _make_all(path: Path, specs: list[MachineSpec]) -> None:
    engine = open_engine("simulated", {"file": path})
    for spec in specs:
        engine.ensure_present(spec)


def test_two_processes_making_the_same_machines_make_them_once(
    tmp_path: Path, engine: Engine, world: World, make_spec: MakeSpec
) -> None:
    specs = [make_spec() for _ in range(200)]
    context = multiprocessing.get_context("spawn")
    makers = [context.Process(target=_make_all, args=(tmp_path / "engine.sqlite", specs)) for _ in range(2)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join(60)
    assert [maker.exitcode for maker in makers] == [0, 0]
    assert world.count_machines() == 200


def test_a_member_that_is_off_takes_no_machine_and_its_machines_are_broken(
    engine: Engine, world: World, make_spec: MakeSpec
) -> None:
    there, later = make_spec(), make_spec()
    engine.ensure_present(there)
    world.set_member_online("sim-1", False)
    assert [found.online for found in engine.capacity()] == [False, True, True]
    assert engine.observe(there.name).power is Power.BROKEN
    with pytest.raises(EngineError, match="host does not answer") as refusal:
        engine.ensure_present(later)
    assert refusal.value.transient
    with pytest.raises(EngineError):
        engine.ensure_absent(there.name)
    world.set_member_online("sim-1", True)
    assert engine.observe(there.name).power is Power.RUNNING
    assert world.count_machines() == 1


def test_an_image_takes_its_time_and_a_machine_waits_for_it(tmp_path: Path, make_spec: MakeSpec) -> None:
    engine = open_engine("simulated", {"file": tmp_path / "slow.sqlite", "image_ready_s": 3600})
    assert engine.ensure_image(ImageSpec("debian-12", "1")).status is ImageStatus.PREPARING
    with pytest.raises(EngineError, match="image is not ready"):
        engine.ensure_present(make_spec())
    assert engine.list_ours() == []


def test_an_image_the_zone_cannot_make_fails(engine: Engine) -> None:
    assert engine.ensure_image(ImageSpec("plan9", "1")).status is ImageStatus.FAILED


def test_bytes_sent_are_counted_only_by_a_running_machine_with_an_address(
    engine: Engine, world: World, make_spec: MakeSpec
) -> None:
    spec, inner = make_spec(), make_spec(public=False)
    engine.ensure_present(spec)
    engine.ensure_present(inner)
    world.send_bytes(spec.name, 1_234_567_890)
    assert engine.counters([spec.name])[spec.name].out_bytes == 1_234_567_890
    with pytest.raises(ValueError, match="cannot send"):
        world.send_bytes(inner.name, 1)
    engine.ensure_power(spec.name, False)
    with pytest.raises(ValueError, match="cannot send"):
        world.send_bytes(spec.name, 1)
    assert engine.counters([spec.name, inner.name])[spec.name].out_bytes == 1_234_567_890


def test_traffic_flows_by_itself_in_business_time_while_the_machine_runs(tmp_path: Path, make_spec: MakeSpec) -> None:
    now = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    clock.install(lambda: now)
    engine = open_engine("simulated", {"file": tmp_path / "flow.sqlite", "traffic_bytes_per_s": 1000})
    spec = make_spec()
    engine.ensure_image(spec.image)
    engine.ensure_present(spec)
    now += dt.timedelta(hours=1)
    assert engine.counters([spec.name])[spec.name].out_bytes == 3_600_000
    engine.ensure_power(spec.name, False)
    now += dt.timedelta(hours=1)
    assert engine.counters([spec.name])[spec.name].out_bytes == 3_600_000
    engine.ensure_power(spec.name, True)
    now += dt.timedelta(seconds=10)
    assert engine.counters([spec.name])[spec.name].out_bytes == 3_610_000


def test_the_same_seed_fails_the_same_calls(tmp_path: Path, make_spec: MakeSpec) -> None:
    def outcomes(name: str, seed: int, specs: list[MachineSpec]) -> list[bool]:
        settings = {"file": tmp_path / name, "failure_rate": 0.2, "lost_answer_rate": 0.2, "seed": seed}
        made = ensure_present_many(open_engine("simulated", settings), specs)
        return [isinstance(outcome, Observation) for outcome in made]

    specs = [make_spec() for _ in range(60)]
    first = outcomes("a.sqlite", 7, specs)
    assert first == outcomes("b.sqlite", 7, specs)
    assert first != outcomes("c.sqlite", 8, specs)
    assert 10 < first.count(False) < 40


def test_an_unknown_member_is_refused(engine: Engine, world: World, make_spec: MakeSpec) -> None:
    with pytest.raises(EngineError, match="host does not exist"):
        engine.ensure_present(dataclasses.replace(make_spec(), member="sim-9"))
    assert world.count_machines() == 0


@pytest.mark.parametrize(
    ("version", "missing"),
    [
        (1, ["login_user", "password_hash", "ssh_keys", "ssh_passwords"]),
        (2, ["ssh_keys", "ssh_passwords"]),
        (3, []),
        (4, []),
        (5, []),
        (6, []),
        (7, []),
        (8, []),
        (9, []),
        (10, []),
        (11, []),
        (12, []),
    ],
)
def test_a_file_of_an_older_program_is_brought_up(
    tmp_path: Path, make_spec: MakeSpec, version: int, missing: list[str]
) -> None:
    """Given an engine's file as older programs left it, then its machines are there and have all of now."""
    file = tmp_path / "older.sqlite"
    spec = make_spec()
    open_engine("simulated", {"file": file}).ensure_present(spec)
    with contextlib.closing(sqlite3.connect(file)) as older:
        new = [*(["rules"] if version < 6 else []), *(["installation", "erased"] if version < 5 else [])]
        if version < 11:
            older.execute("DROP INDEX machine_public_ipv6")
            new += ["public_ipv6", "rescue", "own_system"]
        older.execute("DROP TABLE load")
        new += ["on_since", *(["share"] if version < 12 else [])]
        if version < 12:
            older.execute("DROP TABLE share")
        for column in [*missing, *new]:
            older.execute(f"ALTER TABLE machine DROP COLUMN {column}")
        since = [
            *(["own_image"] if version < 9 else []),
            *(["content", "snapshot"] if version < 8 else []),
            *(["volume"] if version < 7 else []),
        ]
        for table in [*(["notice"] if version < 10 else []), *since]:
            older.execute(f"DROP TABLE {table}")
        if version < 4:
            older.execute("DROP TABLE grown")
        older.execute(f"PRAGMA user_version={version}")
        older.commit()
    engine = open_engine("simulated", {"file": file})
    assert engine.observe(spec.name).rules == ("" if version < 6 else OPEN.digest())
    engine.ensure_rules({spec.name: OPEN})
    assert engine.observe(spec.name).rules == OPEN.digest()
    engine.ensure_password(spec.name, "root", "$6$salt$hash")
    assert World(file).password_hash(spec.name) == "$6$salt$hash"
    engine.ensure_spot_notice(spec.name, dt.datetime(2026, 3, 10, tzinfo=dt.UTC))
    assert World(file).spot_notice(spec.name) == "2026-03-10 00:00:00"
    engine.ensure_disk_size(spec.name, spec.system_disk.key, 60, is_system=True, on=True)
    assert World(file).grown_gib(spec.name) == {spec.system_disk.key: 60}
    assert (World(file).ssh_keys(spec.name), World(file).takes_passwords(spec.name)) == ([], True)
    engine.ensure_ssh_keys(spec.name, "root", ["ssh-rsa AAAA"], [], passwords=False)
    assert (World(file).ssh_keys(spec.name), World(file).takes_passwords(spec.name)) == (["ssh-rsa AAAA"], False)
    assert isinstance(engine, Disks)
    engine.ensure_volume("disk-a", 10, spec.member)
    assert World(file).volume("disk-a") == (10, spec.member, "")
    assert isinstance(engine, Snapshots)
    engine.ensure_snapshot("snap-a", HeldDisk("disk-a", 10, spec.member))
    assert World(file).snapshot("snap-a") == (10, spec.member, "")
    assert engine.observe(spec.name).power is Power.RUNNING
    assert engine.ensure_reinstalled(dataclasses.replace(spec, installation=1)).installation == 1
    assert World(file).erased(spec.name) == 1
    assert isinstance(engine, Images)
    engine.ensure_image_of("img-a", "snap-a", "root")
    assert World(file).own_images() == {"img-a": ""}
    assert isinstance(engine, Rescues)
    engine.ensure_rescue(dataclasses.replace(spec, hostname="rescue", rescue=1))
    assert (World(file).rescue(spec.name), World(file).system(spec.name)[1]) == (1, "rescue")
    engine.ensure_own_system(dataclasses.replace(spec, rescue=2), on=True)
    assert (World(file).rescue(spec.name), World(file).system(spec.name)[1]) == (2, spec.hostname)


def test_packets_pass_by_the_rules_that_were_told(engine: Engine, world: World, make_spec: MakeSpec) -> None:
    ssh = Rule(True, TCP, ((22, 22),), ("198.51.100.0/24",))
    spec = dataclasses.replace(make_spec(), rules=MachineRules((ssh,), ()))
    near, far = Packet(TCP, "198.51.100.9", 22), Packet(TCP, "203.0.113.9", 22)
    engine.ensure_present(spec)
    assert (world.lets_in(spec.name, near), world.lets_in(spec.name, far)) == (True, False)
    assert (world.lets_out(spec.name, near), world.lets_out(spec.name, far)) == (False, False)
    engine.ensure_rules({spec.name: MachineRules((), (ssh,))})
    assert (world.lets_in(spec.name, near), world.lets_out(spec.name, near)) == (False, True)
    world.forget_rules(spec.name)  # as of a machine that was made before there were any
    assert (world.lets_in(spec.name, far), world.lets_out(spec.name, far)) == (True, True)


def test_keys_come_and_go_and_a_password_is_taken_or_not(engine: Engine, world: World, make_spec: MakeSpec) -> None:
    def inside() -> tuple[list[str], bool]:
        return world.ssh_keys(spec.name), world.takes_passwords(spec.name)

    spec = dataclasses.replace(make_spec(), ssh_keys=["ssh-rsa ONE", "ssh-rsa OWN"])
    engine.ensure_present(spec)
    assert inside() == (["ssh-rsa ONE", "ssh-rsa OWN"], False)
    for _ in range(2):
        engine.ensure_ssh_keys(spec.name, "root", ["ssh-rsa TWO"], ["ssh-rsa ONE"], passwords=None)
        assert inside() == (["ssh-rsa OWN", "ssh-rsa TWO"], False)
    engine.ensure_password(spec.name, "root", "$6$salt$hash")
    assert inside() == (["ssh-rsa OWN", "ssh-rsa TWO"], True)
    engine.ensure_ssh_keys(spec.name, "root", [], ["ssh-rsa OWN", "ssh-rsa TWO"], passwords=None)
    assert inside() == ([], True)
    engine.ensure_ssh_keys(spec.name, "root", ["ssh-rsa ONE"], [], passwords=False)
    assert inside() == (["ssh-rsa ONE"], False)
    assert world.password_hash(spec.name) == "$6$salt$hash"


@pytest.mark.parametrize(("keys_only", "takes"), [(False, True), (True, False)])
def test_a_machine_that_is_made_anew_takes_its_password_or_not(
    engine: Engine, world: World, make_spec: MakeSpec, *, keys_only: bool, takes: bool
) -> None:
    spec = dataclasses.replace(make_spec(), ssh_keys=["ssh-rsa ONE"], password_hash="$6$salt$hash", keys_only=keys_only)
    engine.ensure_present(spec)
    assert (world.ssh_keys(spec.name), world.takes_passwords(spec.name)) == (["ssh-rsa ONE"], takes)


def test_what_is_on_an_image_is_on_machines_made_of_it(engine: Engine, world: World, make_spec: MakeSpec) -> None:
    assert isinstance(engine, Images) and isinstance(engine, Snapshots)
    first, second = make_spec(), make_spec()
    engine.ensure_present(first)
    world.write(first.system_disk.key, "of the first")
    engine.ensure_snapshot("snap-a", HeldDisk(first.system_disk.key, 60, first.member, first.name, is_system=True))
    engine.ensure_image_of("img-a", "snap-a", "root")
    world.write(first.system_disk.key, "later")
    engine.ensure_present(dataclasses.replace(second, image=dataclasses.replace(second.image, own="img-a")))
    assert (world.read(second.system_disk.key), world.read(first.system_disk.key)) == ("of the first", "later")
    engine.ensure_reinstalled(dataclasses.replace(second, installation=1))
    assert world.read(second.system_disk.key) == ""
