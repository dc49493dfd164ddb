"""A machine whose customer is locked out: its own disk in a rescue system, mended there, and booted again."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.conftest import PASSWORD, Internet, Lab
from tests.lab.test_full_disk import fill_to_the_last_block, refill
from vmart.engines.contract import Disk, Engine, MachineSpec
from vmart.kernel import unix_password

MakeSpec = Callable[..., MachineSpec]
_RESCUE = "Second-horse-8"
_LOCKED_OUT = """
cloud-init status --wait > /dev/null
echo PasswordAuthentication no > /etc/ssh/sshd_config.d/00-mistake.conf
echo of-the-owner > /root/mark && chown 33:44 /root/mark
echo kept > /mnt/disk-rescue/kept && sync
"""
_MEND = """
cat /mnt/system/root/mark; stat -c '%u %g' /mnt/system/root/mark; ls /root/mark; cat /mnt/disk-rescue/kept
rm /mnt/system/etc/ssh/sshd_config.d/00-mistake.conf
echo mended > /mnt/system/root/mended; chroot /mnt/system id -un 33
"""
_SEEN = (
    "cat /root/mark /root/mended /mnt/disk-rescue/kept; stat -c '%u %g' /root/mark; stat -c %u /root/mended; ls /mnt"
)


def _rescue(spec: MachineSpec, number: int) -> MachineSpec:
    return dataclasses.replace(
        spec, rescue=number, password_hash=unix_password.hash_sha512(_RESCUE),
        system_disk=dataclasses.replace(spec.system_disk, size_gib=2),
    )  # fmt: skip


def _names(lab: Lab) -> list[str]:
    return sorted(lab.ask("list", "--format=csv", "--columns=n").split())


def test_a_broken_system_is_mended_from_a_rescue_system(
    lab: Lab, internet: Internet, make_spec: MakeSpec, tmp_path: Path
) -> None:
    engine = lab.engine()
    assert engine.capabilities().rescue is True
    spec = make_spec(password=PASSWORD, data_disks=[Disk("disk-rescue", "CLOUD_SSD", 1)])
    engine.ensure_present(spec)
    assert spec.public_address is not None
    address, secret = spec.public_address.ip, tmp_path / "secret"

    def login(password: str, command: str) -> list[str]:
        secret.write_text(password)
        secret.chmod(0o600)
        return internet.python("ssh_login", address, "password", str(secret), command).split()

    login(PASSWORD, _LOCKED_OUT)
    lab.inside(spec.name, "systemctl restart ssh")
    assert login(PASSWORD, "id") == ["refused"]
    sent = engine.counters([spec.name])[spec.name].out_bytes
    seen = engine.ensure_rescue(_rescue(spec, 1))
    assert (seen.power, seen.rescue, seen.private_ip) == ("running", 1, spec.private_ip)
    assert [one.name for one in engine.list_ours() if one.name.startswith(spec.name)] == [spec.name]
    assert login(PASSWORD, "id") == ["refused"]
    assert login(_RESCUE, _MEND) == ["of-the-owner", "33", "44", "kept", "www-data"]
    engine.ensure_rescue(_rescue(spec, 1))  # said again: it is not booted again
    assert engine.observe(spec.name).booted_at == seen.booted_at
    back = dataclasses.replace(spec, rescue=2)
    seen = engine.ensure_own_system(back, on=True)
    assert (seen.power, seen.rescue) == ("running", 2)
    assert login(_RESCUE, "id") == ["refused"]
    assert login(PASSWORD, _SEEN) == ["of-the-owner", "mended", "kept", "33", "44", "0", "disk-rescue"]
    assert engine.counters([spec.name])[spec.name].out_bytes > sent
    assert [name for name in _names(lab) if name.startswith(spec.name)] == [spec.name]
    late = lab.engine().ensure_rescue(_rescue(spec, 1))
    assert (late.power, late.rescue, late.booted_at) == ("running", 2, seen.booted_at)
    assert lab.engine().ensure_own_system(back, on=True).booted_at == seen.booted_at


def test_what_interrupted_calls_left_goes_on_to_its_end(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    """Given a worker that was killed when the own system was put aside, and when the rescue system was gone."""
    spec = make_spec(public=False, password=PASSWORD, data_disks=[Disk("disk-cut2", "CLOUD_SSD", 1)])
    engine.ensure_present(spec)
    lab.inside(spec.name, "echo owned > /root/mark; echo kept > /mnt/disk-cut2/kept; sync")
    engine.ensure_rescue(_rescue(spec, 1), force=True)
    lab.ask("delete", "--force", spec.name)
    assert engine.ensure_rescue(_rescue(spec, 1)).rescue == 1
    script = "cat /mnt/system/root/mark /mnt/disk-cut2/kept"
    assert lab.inside(spec.name, script).stdout.split() == ["owned", "kept"]
    lab.ask("delete", "--force", spec.name)
    lab.ask("rename", f"{spec.name}-own", spec.name)  # brought back, and its record not written
    assert spec.name not in [one.name for one in engine.list_ours()]
    back = dataclasses.replace(spec, rescue=2)
    seen = engine.ensure_own_system(back, on=False)
    assert (seen.power, seen.rescue) == ("stopped", 2)
    assert engine.ensure_own_system(back, on=True).power == "running"
    assert lab.inside(spec.name, "cat /root/mark /mnt/disk-cut2/kept").stdout.split() == ["owned", "kept"]


@pytest.mark.parametrize("fill", [refill, fill_to_the_last_block])
def test_a_disk_that_is_full_is_made_free_from_a_rescue_system(
    engine: Engine, lab: Lab, make_spec: MakeSpec, fill: Callable[[Lab, MachineSpec], None]
) -> None:
    spec = dataclasses.replace(
        make_spec(public=False, password=PASSWORD), system_disk=Disk("disk-too-full", "CLOUD_SSD", 1)
    )
    engine.ensure_present(spec)
    lab.inside(spec.name, "cloud-init status --wait > /dev/null")
    refill(lab, spec)
    fill(lab, spec)
    assert engine.ensure_rescue(_rescue(spec, 1)).rescue == 1
    script = "rm -rf /mnt/system/root/filling /mnt/system/root/tmp.*; sync; echo mended > /mnt/system/root/mended"
    assert lab.inside(spec.name, script).returncode == 0
    back = dataclasses.replace(spec, rescue=2)
    assert engine.ensure_own_system(back, on=True).power == "running"
    assert lab.inside(spec.name, "cat /root/mended").stdout.split() == ["mended"]
    assert lab.ask("config", "device", "get", spec.name, "root", "size").split() == ["1GiB"]


@pytest.mark.parametrize("fill", [refill, fill_to_the_last_block])
def test_one_that_stays_full_goes_in_and_out_and_ends(
    engine: Engine, lab: Lab, make_spec: MakeSpec, fill: Callable[[Lab, MachineSpec], None]
) -> None:
    spec = dataclasses.replace(make_spec(password=PASSWORD), system_disk=Disk("disk-stays-full", "CLOUD_SSD", 1))
    engine.ensure_present(spec)
    lab.inside(spec.name, "cloud-init status --wait > /dev/null")
    refill(lab, spec)
    fill(lab, spec)
    engine.ensure_rescue(_rescue(spec, 1))
    assert engine.ensure_own_system(dataclasses.replace(spec, rescue=2), on=True).power == "running"
    engine.ensure_rescue(_rescue(spec, 3), force=True)
    engine.ensure_absent(spec.name)
    assert [name for name in _names(lab) if name.startswith(spec.name)] == []


def test_its_end_takes_both_systems(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    spec = make_spec(password=PASSWORD, data_disks=[Disk("disk-end2", "CLOUD_SSD", 1)])
    engine.ensure_present(spec)
    engine.ensure_rescue(_rescue(spec, 1), force=True)
    engine.ensure_absent(spec.name)
    assert [name for name in _names(lab) if name.startswith(spec.name)] == []
    assert "disk-end2" not in lab.ask("storage", "volume", "list", lab.daemon.settings()["pool"])
    assert engine.ensure_own_system(dataclasses.replace(spec, rescue=2), on=True).power == "absent"
