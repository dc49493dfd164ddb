"""What every driver promises, as tests: ``test_contract.py`` runs them on the simulated engine,
``tests/lab/test_contract_incus.py`` on a real Incus."""

import dataclasses
import datetime as dt
import time
from collections.abc import Callable

import pytest

from tests.engines.contract_copies import CopiesContract, MakeSpec
from vmart.engines import contract
from vmart.engines.contract import (
    Disk,
    Engine,
    EngineError,
    ImageSpec,
    ImageStatus,
    Observation,
    Power,
    PublicAddress,
    Share,
    Subnet,
    UnknownUser,
    Volume,
)
from vmart.engines.optional import ConsoleLine, Consoles, Disks, Metrics, Rescues, ensure_present_many
from vmart.engines.rules import ALL_OPEN, OPEN, TCP, MachineRules, Rule
from vmart.kernel import clock

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGlyOWq5w2nZFUKtRyLkzR0Yj9l0rT3m6Vt1tqHYzq3x contract"


class ContractSuite(CopiesContract):
    """Fixtures of the subclass's module: ``engine``, ``make_spec`` (a fresh machine each call), ``image``.

    A test removes its machines itself: that they can be removed is part of the promise.
    """

    def test_it_says_what_its_machines_are_and_how_many_fit(self, engine: Engine) -> None:
        assert engine.capabilities().instance_kind in {"container", "virtual-machine", "simulated"}
        members = engine.capacity()
        assert members
        assert all(found.vcpu > 0 and found.memory_mib > 0 and found.disk_gib > 0 for found in members if found.online)

    def test_an_image_gets_ready_and_stays_ready(self, engine: Engine, image: ImageSpec) -> None:
        ends = time.monotonic() + 60
        state = engine.ensure_image(image)
        while state.status is not ImageStatus.READY and time.monotonic() < ends:
            assert state.status is ImageStatus.PREPARING
            time.sleep(0.1)
            state = engine.ensure_image(image)
        assert (state.status, state.percent) == (ImageStatus.READY, 100)
        assert engine.ensure_image(image) == state

    def test_a_machine_is_made_once_however_often_it_is_asked_for(self, engine: Engine, make_spec: MakeSpec) -> None:
        spec = make_spec()
        first = engine.ensure_present(spec)
        again = engine.ensure_present(spec)
        assert first.power is Power.RUNNING
        assert first.private_ip == spec.private_ip
        assert first.member == spec.member
        assert again == first  # its boot too: nothing was started anew
        assert [found.name for found in engine.list_ours()].count(spec.name) == 1
        engine.ensure_absent(spec.name)

    def test_a_machine_that_never_was_is_absent_and_a_power_verb_does_not_make_it(self, engine: Engine) -> None:
        absent = Observation("ins-neverwas", Power.ABSENT)
        assert engine.observe("ins-neverwas") == absent
        assert engine.ensure_power("ins-neverwas", True) == absent
        assert engine.ensure_power("ins-neverwas", False, force=True) == absent
        assert engine.ensure_rebooted("ins-neverwas", clock.wall()) == absent
        engine.ensure_absent("ins-neverwas")
        assert "ins-neverwas" not in {found.name for found in engine.list_ours()}

    def test_stop_and_start_repeat_without_effect(self, engine: Engine, make_spec: MakeSpec) -> None:
        spec = make_spec()
        booted = engine.ensure_present(spec).booted_at
        for _ in range(2):
            stopped = engine.ensure_power(spec.name, False)
            assert (stopped.power, stopped.booted_at) == (Power.STOPPED, None)
        started = engine.ensure_power(spec.name, True)
        assert started.power is Power.RUNNING
        assert booted is not None and started.booted_at is not None and started.booted_at > booted
        assert engine.ensure_power(spec.name, True) == started
        engine.ensure_absent(spec.name)

    def test_a_repeated_reboot_boots_once(self, engine: Engine, make_spec: MakeSpec) -> None:
        spec = make_spec()
        engine.ensure_present(spec)
        asked_at = clock.wall()
        rebooted = engine.ensure_rebooted(spec.name, asked_at, force=True)
        assert rebooted.power is Power.RUNNING
        assert rebooted.booted_at is not None and rebooted.booted_at > asked_at
        assert engine.ensure_rebooted(spec.name, asked_at, force=True) == rebooted
        engine.ensure_absent(spec.name)

    def test_a_removed_machine_leaves_nothing_and_its_addresses_serve_the_next(
        self, engine: Engine, make_spec: MakeSpec
    ) -> None:
        spec = make_spec()
        engine.ensure_present(spec)
        engine.ensure_absent(spec.name)
        engine.ensure_absent(spec.name)
        assert engine.observe(spec.name).power is Power.ABSENT
        assert spec.name not in {found.name for found in engine.list_ours()}
        assert engine.counters([spec.name]) == {}
        heir = dataclasses.replace(make_spec(), private_ip=spec.private_ip, public_address=spec.public_address)
        assert engine.ensure_present(heir).power is Power.RUNNING
        engine.ensure_absent(heir.name)

    def test_what_running_machines_use_is_told_of_all_of_them_at_once_and_only_grows(
        self, engine: Engine, make_spec: MakeSpec
    ) -> None:
        """Off it is left out, and its next boot is another epoch; how much it is, the lab and the simulated show."""
        assert isinstance(engine, Metrics)
        spec, other = make_spec(), make_spec(public=False)
        engine.ensure_present(spec)
        engine.ensure_present(other)
        first = {one.name: one for one in engine.usage()}
        assert {spec.name, other.name} <= set(first)
        again = {one.name: one for one in engine.usage()}
        for name in (spec.name, other.name):
            before, after = first[name], again[name]
            assert (after.epoch, after.read_at >= before.read_at) == (before.epoch, True)
            assert after.cpu_ns >= before.cpu_ns >= 0
            assert after.sent_bytes is not None and before.sent_bytes is not None
            assert after.sent_bytes >= before.sent_bytes >= 0
            assert after.memory_bytes is not None and after.memory_total_bytes is not None
            assert 0 < after.memory_bytes < after.memory_total_bytes
        assert again[spec.name].memory_total_bytes == spec.memory_mib << 20
        engine.ensure_power(spec.name, False, force=True)
        assert [one.name for one in engine.usage() if one.name in (spec.name, other.name)] == [other.name]
        engine.ensure_power(spec.name, True)
        (booted,) = (one for one in engine.usage() if one.name == spec.name)
        assert booted.epoch != first[spec.name].epoch
        engine.ensure_absent(spec.name)
        engine.ensure_absent(other.name)
        assert not {spec.name, other.name} & {one.name for one in engine.usage()}

    def test_a_public_address_in_use_is_refused_and_its_owner_keeps_it(
        self, engine: Engine, make_spec: MakeSpec
    ) -> None:
        owner, other = make_spec(), make_spec(public=False)
        engine.ensure_present(owner)
        engine.ensure_present(other)
        with pytest.raises(EngineError) as refusal:
            engine.ensure_address(other.name, other.private_ip, owner.public_address)
        assert not refusal.value.transient
        assert engine.counters([owner.name]).keys() == {owner.name}
        engine.ensure_absent(other.name)
        engine.ensure_absent(owner.name)

    def test_a_machine_has_the_ipv6_address_that_is_told_and_no_other(
        self, engine: Engine, make_spec: MakeSpec
    ) -> None:
        """With it from the first boot on, without it, with another one, off with its public address, and on again."""
        spec = make_spec()
        assert spec.public_address is not None
        one, other = (dataclasses.replace(spec.public_address, ipv6=f"2001:db8:5::{number}") for number in ("a", "b"))
        made = engine.ensure_present(dataclasses.replace(spec, public_address=one))
        assert (made.public_ip, made.public_ipv6) == (one.ip, "2001:db8:5::a")
        for address in (spec.public_address, one, other, None, other, other):
            engine.ensure_address(spec.name, spec.private_ip, address)
            seen = engine.observe(spec.name)
            assert (seen.public_ip, seen.public_ipv6) == ((address.ip, address.ipv6) if address else ("", ""))
            assert (seen.power, seen.booted_at) == (Power.RUNNING, made.booted_at)
        engine.ensure_power(spec.name, False, force=True)
        assert engine.ensure_power(spec.name, True).public_ipv6 == "2001:db8:5::b"
        moved = dataclasses.replace(spec, public_address=one)
        engine.ensure_network(moved, on=True)
        assert engine.observe(spec.name).public_ipv6 == "2001:db8:5::a"
        anew = dataclasses.replace(moved, installation=1)
        assert engine.ensure_reinstalled(anew).public_ipv6 == "2001:db8:5::a"
        engine.ensure_absent(spec.name)
        heir = dataclasses.replace(make_spec(), public_address=one)
        assert engine.ensure_present(heir).public_ipv6 == "2001:db8:5::a"
        engine.ensure_absent(heir.name)

    def test_rules_are_told_as_often_as_asked_and_hold_over_a_stop(self, engine: Engine, make_spec: MakeSpec) -> None:
        """What they let pass, the lab and the simulated engine's own tests show; here: what the engine says it has."""
        closed = MachineRules(ingress=(), egress=ALL_OPEN)
        one, other = dataclasses.replace(make_spec(public=False), rules=closed), make_spec(public=False)
        assert engine.ensure_present(one).rules == closed.digest()
        assert engine.ensure_present(other).rules == OPEN.digest()
        ssh = MachineRules((Rule(True, TCP, ((22, 22),), ("10.0.0.0/8", one.private_ip + "/32")),), ALL_OPEN)
        for _ in range(2):
            engine.ensure_rules({one.name: OPEN, other.name: ssh, "ins-neverwas": ssh})
            assert {
                found.name: found.rules for found in engine.list_ours() if found.name in (one.name, other.name)
            } == {
                one.name: OPEN.digest(),
                other.name: ssh.digest(),
            }
        engine.ensure_power(other.name, False, force=True)
        assert engine.observe(other.name).rules == ssh.digest()
        engine.ensure_absent(other.name)
        heir = dataclasses.replace(make_spec(public=False), private_ip=other.private_ip)
        assert engine.ensure_present(heir).rules == OPEN.digest()
        engine.ensure_absent(heir.name)
        engine.ensure_absent(one.name)

    def test_a_size_is_set_running_or_stopped_as_often_as_asked(self, engine: Engine, make_spec: MakeSpec) -> None:
        """What the machine has of it, the lab shows; here: when it is turned off for it, and that it is once."""
        spec = make_spec(public=False)
        booted = engine.ensure_present(spec)
        runs_on = not contract.turns_off_for(booted.kind, spec.memory_mib, spec.memory_mib + 128)
        for _ in range(2):
            engine.ensure_size(spec.name, spec.vcpu + 1, spec.memory_mib + 128, on=True)
            assert (engine.observe(spec.name) == booted) is runs_on
        grown = engine.observe(spec.name)
        for _ in range(2):
            engine.ensure_size(spec.name, spec.vcpu, spec.memory_mib, on=True)
        shrunk = engine.observe(spec.name)
        assert grown.booted_at is not None and shrunk.booted_at is not None
        assert (shrunk.power, shrunk.booted_at > grown.booted_at) == (Power.RUNNING, True)
        engine.ensure_size(spec.name, spec.vcpu, spec.memory_mib, on=True)
        assert engine.observe(spec.name) == shrunk
        stopped = engine.ensure_power(spec.name, False)
        engine.ensure_size(spec.name, spec.vcpu + 1, spec.memory_mib - 128, on=False)
        assert engine.observe(spec.name) == stopped
        engine.ensure_size(spec.name, spec.vcpu, spec.memory_mib, on=True)
        assert engine.observe(spec.name).power is Power.RUNNING
        engine.ensure_absent(spec.name)
        with pytest.raises(EngineError, match=r"The machine does not exist\."):
            engine.ensure_size(spec.name, spec.vcpu, spec.memory_mib, on=True)

    def test_a_machine_goes_to_another_network_once_however_often_it_is_asked_for(
        self, engine: Engine, make_spec: MakeSpec
    ) -> None:
        """Who reaches it there, the lab shows."""
        spec = make_spec()
        first = engine.ensure_present(spec)
        counted = engine.counters([spec.name])[spec.name].epoch
        third = int(spec.private_ip.split(".")[2]) % 100 + 100
        there = Subnet("subnet-of-move", f"10.89.{third}.0/24", f"10.89.{third}.1")
        moved = dataclasses.replace(spec, subnet=there, private_ip=f"10.89.{third}.9")
        engine.ensure_network(moved, on=True)
        seen = engine.observe(spec.name)
        assert first.booted_at is not None and seen.booted_at is not None and seen.booted_at > first.booted_at
        assert seen == dataclasses.replace(first, booted_at=seen.booted_at, private_ip=moved.private_ip)
        for _ in range(2):
            engine.ensure_network(moved, on=True)
            assert engine.observe(spec.name) == seen
        assert engine.counters([spec.name])[spec.name].epoch == counted
        neighbour = dataclasses.replace(make_spec(public=False), subnet=spec.subnet, private_ip=spec.private_ip)
        assert engine.ensure_present(neighbour).private_ip == spec.private_ip  # free for another one
        engine.ensure_absent(neighbour.name)
        stopped = engine.ensure_power(spec.name, False)
        engine.ensure_network(dataclasses.replace(spec, public_address=None), on=False)
        assert engine.observe(spec.name) == dataclasses.replace(stopped, private_ip=spec.private_ip, public_ip="")
        engine.ensure_network(spec, on=True)
        back = engine.observe(spec.name)
        assert (back.power, back.private_ip, back.public_ip) == (Power.RUNNING, spec.private_ip, first.public_ip)
        engine.ensure_absent(spec.name)
        with pytest.raises(EngineError, match=r"The machine does not exist\."):
            engine.ensure_network(spec, on=True)

    def test_disks_grow_running_or_stopped_as_often_as_asked(self, engine: Engine, make_spec: MakeSpec) -> None:
        """What fits on them, the lab shows; here: nothing else changes."""
        spec = dataclasses.replace(make_spec(public=False), data_disks=[Disk("disk-of-suite", "CLOUD_SSD", 1)])
        grown_gib = {spec.system_disk.key: spec.system_disk.size_gib + 1, "disk-of-suite": 2}

        def grow(*, on: bool) -> None:
            for key, size_gib in grown_gib.items():
                engine.ensure_disk_size(spec.name, key, size_gib, is_system=key == spec.system_disk.key, on=on)

        booted = engine.ensure_present(spec)
        runs_on = not contract.turns_off_to_grow_a_disk(booted.kind)
        for _ in range(2):
            grow(on=True)
            assert (engine.observe(spec.name) == booted) is runs_on
        stopped = engine.ensure_power(spec.name, False)
        grow(on=False)
        assert engine.observe(spec.name) == stopped
        grow(on=True)
        assert engine.observe(spec.name).power is Power.RUNNING
        engine.ensure_absent(spec.name)
        with pytest.raises(EngineError, match=r"The machine does not exist\."):
            grow(on=True)

    def test_a_system_is_installed_anew_once_however_often_it_is_asked_for(
        self, engine: Engine, make_spec: MakeSpec
    ) -> None:
        """What is on its disks then, the lab shows."""
        spec = dataclasses.replace(make_spec(), data_disks=[Disk("disk-of-anew", "CLOUD_SSD", 1)])
        first = engine.ensure_present(spec)
        counted = engine.counters([spec.name])
        second = dataclasses.replace(spec, installation=2, hostname="anew")
        made = engine.ensure_reinstalled(second)
        assert first.booted_at is not None and made.booted_at is not None and made.booted_at > first.booted_at
        assert made == dataclasses.replace(first, booted_at=made.booted_at, installation=2)
        assert engine.ensure_reinstalled(second) == made
        assert engine.ensure_reinstalled(dataclasses.replace(spec, installation=1)) == made  # asked too late
        assert {name: count.epoch for name, count in engine.counters([spec.name]).items()} == {
            name: count.epoch for name, count in counted.items()
        }
        stopped = engine.ensure_power(spec.name, False)
        third = engine.ensure_reinstalled(dataclasses.replace(second, installation=3))
        assert (stopped.installation, third.installation, third.power) == (2, 3, Power.RUNNING)
        engine.ensure_power(spec.name, False)
        assert engine.ensure_reinstalled(second).power is Power.RUNNING  # started, as it is
        engine.ensure_absent(spec.name)
        assert engine.ensure_reinstalled(dataclasses.replace(spec, installation=4)).installation == 4
        engine.ensure_absent(spec.name)
        assert engine.counters([spec.name]) == {}

    def test_what_has_no_image_yet_is_not_erased(self, engine: Engine, make_spec: MakeSpec) -> None:
        spec = make_spec()
        running = engine.ensure_present(spec)
        lacking = dataclasses.replace(spec, image=ImageSpec("no-such-image", "1"), installation=1)
        with pytest.raises(EngineError):
            engine.ensure_reinstalled(lacking)
        assert engine.observe(spec.name) == running
        engine.ensure_absent(spec.name)

    def test_a_machine_goes_into_the_rescue_mode_and_out_once_however_often_it_is_asked_for(
        self, engine: Engine, make_spec: MakeSpec
    ) -> None:
        """What is on its disks then, the lab shows."""
        assert isinstance(engine, Rescues)
        spec = dataclasses.replace(make_spec(), data_disks=[Disk("disk-rescued", "CLOUD_SSD", 1)])
        first = engine.ensure_present(spec)
        counted = engine.counters([spec.name])
        into, out = dataclasses.replace(spec, rescue=1, password_hash=""), dataclasses.replace(spec, rescue=2)
        inside = engine.ensure_rescue(into)
        assert first.booted_at is not None and inside.booted_at is not None and inside.booted_at > first.booted_at
        assert inside == dataclasses.replace(first, booted_at=inside.booted_at, rescue=1)
        assert engine.ensure_rescue(into) == inside
        listed = {one.name: one.rescue for one in engine.list_ours() if one.name.startswith(spec.name)}
        assert listed == {spec.name: 1}
        engine.ensure_power(spec.name, False, force=True)
        assert engine.ensure_rescue(into).power is Power.RUNNING  # started, as it is
        off = engine.ensure_own_system(out, on=False)
        assert (off.power, off.rescue) == (Power.STOPPED, 2)
        back = engine.ensure_own_system(out, on=True)
        assert (back.power, back.rescue) == (Power.RUNNING, 2)
        assert engine.ensure_own_system(out, on=True) == back
        assert engine.ensure_rescue(into) == back  # asked too late
        again = engine.ensure_rescue(dataclasses.replace(into, rescue=3), force=True)
        assert (again.power, again.rescue) == (Power.RUNNING, 3)
        assert engine.ensure_own_system(out, on=True) == again  # asked too late
        assert {name: count.epoch for name, count in engine.counters([spec.name]).items()} == {
            name: count.epoch for name, count in counted.items()
        }
        engine.ensure_absent(spec.name)
        assert engine.ensure_own_system(dataclasses.replace(spec, rescue=4), on=True).power is Power.ABSENT
        with pytest.raises(EngineError, match=r"The machine is not found on its host\."):
            engine.ensure_rescue(dataclasses.replace(into, rescue=5))
        assert engine.counters([spec.name]) == {}

    def test_a_console_shows_what_is_typed_and_ends_with_the_machine(self, engine: Engine, make_spec: MakeSpec) -> None:
        """Who logs in by it, the lab shows."""
        assert isinstance(engine, Consoles)
        spec = make_spec(public=False)
        running = engine.ensure_present(spec)
        with engine.console(spec.name, 80, 24) as first:
            assert "login:" in _said_until(first, "login:", press=b"\r")
        with engine.console(spec.name, 100, 30) as line:
            line.resize(120, 40)
            while line.read(1.0):
                pass  # what was said before
            assert "nobody-here" in _said_until(line, "nobody-here", press=b"nobody-here\r")
            engine.ensure_power(spec.name, False, force=True)
            ends = time.monotonic() + 30
            while line.read(0.5) != b"":
                assert time.monotonic() < ends
            line.write(b"to nobody\r")
        with pytest.raises(EngineError, match=r"^The machine does not run\."), engine.console(spec.name, 80, 24):
            pass
        assert engine.ensure_power(spec.name, True).private_ip == running.private_ip
        engine.ensure_absent(spec.name)
        with pytest.raises(EngineError, match=r"^The machine does not exist\."), engine.console(spec.name, 80, 24):
            pass

    def test_without_its_image_no_rescue_begins(self, engine: Engine, make_spec: MakeSpec) -> None:
        assert isinstance(engine, Rescues)
        spec = make_spec()
        running = engine.ensure_present(spec)
        with pytest.raises(EngineError):
            engine.ensure_rescue(dataclasses.replace(spec, image=ImageSpec("no-such-image", "1"), rescue=1))
        assert engine.observe(spec.name) == running
        given_up = engine.ensure_own_system(dataclasses.replace(spec, rescue=2), on=True)
        assert given_up == dataclasses.replace(running, rescue=2)  # noted, and not booted for it
        assert engine.ensure_rescue(dataclasses.replace(spec, rescue=1)) == given_up
        engine.ensure_absent(spec.name)

    def test_a_password_is_set_running_or_stopped_as_often_as_asked(self, engine: Engine, make_spec: MakeSpec) -> None:
        """What it opens, the lab shows; here: nothing else changes."""
        spec = make_spec(public=False)
        running = engine.ensure_present(spec)
        for _ in range(2):
            engine.ensure_password(spec.name, spec.login_user, "$6$salt$hash")
        assert engine.observe(spec.name) == running
        stopped = engine.ensure_power(spec.name, False)
        for _ in range(2):
            engine.ensure_password(spec.name, spec.login_user, "$6$salt$another")
        assert engine.observe(spec.name) == stopped
        engine.ensure_absent(spec.name)

    def test_a_password_of_nobody_is_refused_for_good(self, engine: Engine, make_spec: MakeSpec) -> None:
        spec = make_spec(public=False)
        engine.ensure_present(spec)
        for on in (True, False):
            engine.ensure_power(spec.name, on)
            with pytest.raises(UnknownUser) as refusal:
                engine.ensure_password(spec.name, "nobody-here", "$6$salt$hash")
            assert (refusal.value.sentence, refusal.value.transient) == (
                "The machine has no user of this name.", False,
            )  # fmt: skip
        engine.ensure_absent(spec.name)
        with pytest.raises(EngineError, match=r"The machine does not exist\."):
            engine.ensure_password(spec.name, "root", "$6$salt$hash")

    def test_keys_are_bound_and_forgotten_running_or_stopped_as_often_as_asked(
        self, engine: Engine, make_spec: MakeSpec
    ) -> None:
        """Whom they let in, the lab shows; here: nothing else changes."""
        spec = make_spec(public=False)
        running = engine.ensure_present(spec)
        for _ in range(2):
            engine.ensure_ssh_keys(spec.name, spec.login_user, [KEY], [], passwords=False)
        assert engine.observe(spec.name) == running
        stopped = engine.ensure_power(spec.name, False)
        for _ in range(2):
            engine.ensure_ssh_keys(spec.name, spec.login_user, [], [KEY], passwords=True)
        assert engine.observe(spec.name) == stopped
        engine.ensure_absent(spec.name)

    def test_keys_of_nobody_are_refused_for_good(self, engine: Engine, make_spec: MakeSpec) -> None:
        spec = make_spec(public=False)
        engine.ensure_present(spec)
        for on in (True, False):
            engine.ensure_power(spec.name, on)
            with pytest.raises(UnknownUser) as refusal:
                engine.ensure_ssh_keys(spec.name, "nobody-here", [KEY], [], passwords=None)
            assert not refusal.value.transient
        engine.ensure_absent(spec.name)
        with pytest.raises(EngineError, match=r"The machine does not exist\."):
            engine.ensure_ssh_keys(spec.name, "root", [KEY], [], passwords=None)

    def test_a_host_name_is_set_running_or_stopped_as_often_as_asked(self, engine: Engine, make_spec: MakeSpec) -> None:
        """What the machine says of itself, the lab shows; here: nothing else changes."""
        spec = make_spec(public=False)
        running = engine.ensure_present(spec)
        for _ in range(2):
            engine.ensure_hostname(spec.name, "web-2")
        assert engine.observe(spec.name) == running
        stopped = engine.ensure_power(spec.name, False)
        for _ in range(2):
            engine.ensure_hostname(spec.name, "web-3.example")
        assert engine.observe(spec.name) == stopped
        engine.ensure_absent(spec.name)
        with pytest.raises(EngineError, match=r"The machine does not exist\."):
            engine.ensure_hostname(spec.name, "web-2")

    def test_a_spot_notice_is_given_as_often_as_asked_and_changes_nothing(
        self, engine: Engine, make_spec: MakeSpec
    ) -> None:
        spec, at = make_spec(public=False), dt.datetime(2026, 3, 10, 2, 5, 7, tzinfo=dt.UTC)
        running = engine.ensure_present(spec)
        for _ in range(2):
            engine.ensure_spot_notice(spec.name, at)
        assert engine.observe(spec.name) == running
        stopped = engine.ensure_power(spec.name, False)
        engine.ensure_spot_notice(spec.name, at)
        assert engine.observe(spec.name) == stopped
        engine.ensure_absent(spec.name)
        engine.ensure_spot_notice(spec.name, at)
        assert engine.observe(spec.name).power == Power.ABSENT

    def test_the_byte_count_outlives_the_address_and_ends_with_the_machine(
        self, engine: Engine, make_spec: MakeSpec, free_address: Callable[[], PublicAddress]
    ) -> None:
        spec = make_spec()
        engine.ensure_present(spec)
        before = engine.counters([spec.name])[spec.name]
        engine.ensure_address(spec.name, spec.private_ip, None)
        engine.ensure_address(spec.name, spec.private_ip, None)
        assert engine.counters([spec.name])[spec.name].epoch == before.epoch
        engine.ensure_address(spec.name, spec.private_ip, free_address())
        after = engine.counters([spec.name])[spec.name]
        assert (after.epoch, after.out_bytes >= before.out_bytes) == (before.epoch, True)
        engine.ensure_absent(spec.name)
        assert engine.counters([spec.name]) == {}

    def test_the_address_that_leads_to_a_machine_is_seen(
        self, engine: Engine, make_spec: MakeSpec, free_address: Callable[[], PublicAddress]
    ) -> None:
        spec, other = make_spec(public=False), free_address()

        def seen() -> set[str]:
            listed = next(found for found in engine.list_ours() if found.name == spec.name)
            return {engine.observe(spec.name).public_ip, listed.public_ip}

        assert engine.ensure_present(spec).public_ip == ""
        engine.ensure_address(spec.name, spec.private_ip, other)
        assert seen() == {other.ip}
        engine.ensure_power(spec.name, False)
        engine.ensure_power(spec.name, True)
        assert seen() == {other.ip}
        engine.ensure_address(spec.name, spec.private_ip, None)
        assert seen() == {""}
        engine.ensure_absent(spec.name)

    def test_a_machine_without_a_public_address_has_no_count(self, engine: Engine, make_spec: MakeSpec) -> None:
        spec = make_spec(public=False)
        engine.ensure_present(spec)
        assert engine.counters([spec.name, "ins-neverwas"]) == {}
        engine.ensure_absent(spec.name)

    def test_of_many_each_has_its_own_outcome(self, engine: Engine, make_spec: MakeSpec) -> None:
        specs = [make_spec(), make_spec(image=ImageSpec("no-such-image", "1")), make_spec(public=False)]
        outcomes = ensure_present_many(engine, specs)
        assert isinstance(outcomes[1], EngineError)
        assert [outcome.power for outcome in (outcomes[0], outcomes[2]) if isinstance(outcome, Observation)] == [
            Power.RUNNING
        ] * 2
        assert engine.observe(specs[1].name).power is Power.ABSENT
        for spec in specs:
            engine.ensure_absent(spec.name)

    def test_a_disk_of_its_own_life_goes_from_machine_to_machine(self, engine: Engine, make_spec: MakeSpec) -> None:
        """Each verb twice: an answer may be lost."""
        assert isinstance(engine, Disks)
        first, second = make_spec(public=False), make_spec(public=False)
        disk = first.name.replace("ins-", "disk-")
        ensure_present_many(engine, [first, second])
        booted = [engine.observe(spec.name).booted_at for spec in (first, second)]

        def seen() -> list[Volume]:
            return [found for found in engine.list_volumes() if found.name == disk]

        for _ in range(2):
            engine.ensure_volume(disk, 1, first.member)
        assert seen() == [Volume(disk, 1, first.member)]
        for _ in range(2):
            engine.ensure_attached(first.name, disk)
        assert seen() == [Volume(disk, 1, first.member, first.name)]
        with pytest.raises(EngineError) as taken:
            engine.ensure_attached(second.name, disk)
        assert taken.value.sentence == "Another machine has the disk."
        with pytest.raises(EngineError) as kept:
            engine.ensure_volume_absent(disk)
        assert kept.value.sentence == "A machine has the disk."
        for size_gib in (2, 1):
            engine.ensure_volume(disk, size_gib, first.member)
        for _ in range(2):
            engine.ensure_detached(first.name, disk)
        assert seen() == [Volume(disk, 2, first.member)]
        engine.ensure_attached(second.name, disk)
        assert [engine.observe(spec.name).booted_at for spec in (first, second)] == booted
        engine.ensure_absent(second.name)
        assert seen() == [Volume(disk, 2, first.member)]
        engine.ensure_detached(second.name, disk)
        engine.ensure_absent(first.name)
        for _ in range(2):
            engine.ensure_volume_absent(disk)
        assert seen() == []

    def test_a_disk_of_a_machine_is_kept_when_that_is_absent(self, engine: Engine, make_spec: MakeSpec) -> None:
        """Each verb twice: an answer may be lost, also after the machine is gone."""
        assert isinstance(engine, Disks)
        name = make_spec(public=False).name.replace("ins-", "disk-")
        goes = Disk(f"{name[:-1]}-", "CLOUD_SSD", 1)
        spec = dataclasses.replace(make_spec(public=False), data_disks=(Disk(name, "CLOUD_SSD", 1), goes))
        engine.ensure_present(spec)
        assert [found for found in engine.list_volumes() if found.name == name] == []
        engine.ensure_power(spec.name, False)
        for _ in range(2):
            assert engine.ensure_kept(spec.name, name, 1)
        assert not engine.ensure_kept("ins-unknown0", "disk-unknown0", 1)
        for _ in range(2):
            engine.ensure_absent(spec.name)
            assert engine.ensure_kept(spec.name, name, 1)
        assert [found for found in engine.list_volumes() if found.name.startswith(name[:-1])] == [
            Volume(name, 1, spec.member)
        ]
        engine.ensure_volume_absent(name)
        assert not engine.ensure_kept(spec.name, name, 1)

    def test_a_disk_that_is_not_there_is_not_attached(self, engine: Engine, make_spec: MakeSpec) -> None:
        assert isinstance(engine, Disks)
        spec = make_spec(public=False)
        engine.ensure_present(spec)
        with pytest.raises(EngineError) as refused:
            engine.ensure_attached(spec.name, "disk-neverwas")
        assert refused.value.sentence == "The disk is not on the machine's host."
        engine.ensure_absent(spec.name)

    def test_no_verb_runs_inside_a_transaction(self, engine: Engine, make_spec: MakeSpec) -> None:
        assert isinstance(engine, Rescues)
        spec, rescuing = make_spec(), engine
        contract.install_transaction_probe(lambda: True)
        try:
            for call in (
                lambda: engine.ensure_present(spec),
                lambda: ensure_present_many(engine, [spec]),
                lambda: engine.ensure_reinstalled(spec),
                lambda: engine.observe(spec.name),
                lambda: engine.ensure_password(spec.name, "root", "$6$s$h"),
                lambda: engine.ensure_size(spec.name, 1, 512, on=True),
                lambda: engine.ensure_network(spec, on=True),
                lambda: engine.ensure_disk_size(spec.name, spec.system_disk.key, 9, is_system=True, on=True),
                lambda: engine.ensure_ssh_keys(spec.name, "root", [], [KEY], passwords=None),
                lambda: engine.ensure_hostname(spec.name, "web-2"),
                lambda: engine.ensure_spot_notice(spec.name, dt.datetime(2026, 3, 10, tzinfo=dt.UTC)),
                lambda: engine.ensure_absent(spec.name),
                lambda: rescuing.ensure_rescue(spec),
                lambda: rescuing.ensure_own_system(spec, on=True),
                engine.list_ours,
            ):
                with pytest.raises(RuntimeError, match="inside a database transaction"):
                    call()
        finally:
            contract.install_transaction_probe(lambda: False)
        assert engine.observe(spec.name).power is Power.ABSENT

    def test_machines_that_share_a_cap_come_and_go(self, engine: Engine, make_spec: MakeSpec) -> None:
        """With it from the first boot on, another speed told of one of them, without it, and gone; all run on."""
        one, two = make_spec(), make_spec()
        assert one.public_address is not None and two.public_address is not None
        slow, fast = (Share("bwp-00000001", mbps) for mbps in (5, 9))
        made = engine.ensure_present(
            dataclasses.replace(one, public_address=dataclasses.replace(one.public_address, share=slow))
        )
        engine.ensure_present(two)
        for spec, share in (
            (two, slow),
            (two, fast),
            (one, fast),
            (one, None),
            (two, Share("bwp-00000002", 3)),
            (two, None),
        ):
            assert spec.public_address is not None
            engine.ensure_address(spec.name, spec.private_ip, dataclasses.replace(spec.public_address, share=share))
            assert engine.observe(spec.name).public_ip == spec.public_address.ip
        engine.ensure_address(one.name, one.private_ip, dataclasses.replace(one.public_address, share=fast))
        engine.ensure_address(one.name, one.private_ip, None)
        assert (engine.observe(one.name).public_ip, engine.observe(one.name).booted_at) == ("", made.booted_at)
        for spec in (one, two):
            engine.ensure_absent(spec.name)


def _said_until(line: ConsoleLine, text: str, *, press: bytes = b"", limit_s: float = 60) -> str:
    """What a console has said once it has said this; a key is pressed again and again until then."""
    said, ends = "", time.monotonic() + limit_s
    while text not in said:
        assert time.monotonic() < ends, said
        if press:
            line.write(press)
        piece = line.read(1.0)
        assert piece != b"", said
        said += (piece or b"").decode(errors="replace")
    return said
