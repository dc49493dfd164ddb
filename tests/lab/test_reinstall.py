"""A machine whose system is installed anew: its system disk is another, its data disk and addresses are the same."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from tests.lab.conftest import PASSWORD, Internet, Lab
from vmart.engines.contract import Disk, Engine, MachineSpec
from vmart.kernel import unix_password

MakeSpec = Callable[..., MachineSpec]
_HOST_KEY = "cat /etc/ssh/ssh_host_ed25519_key.pub"
_WRITE = """
cloud-init status --wait > /dev/null
echo of-the-old-system > /root/mark
echo kept > /mnt/disk-anew/kept && chown 33:33 /mnt/disk-anew/kept && sync
cat /etc/ssh/ssh_host_ed25519_key.pub
"""
_SEEN = "ls /root/mark; cat /mnt/disk-anew/kept; stat -c '%u %g' /mnt/disk-anew/kept; hostname; cat /root/asked"


def _sent_bytes(engine: Engine, spec: MachineSpec) -> int:
    return engine.counters([spec.name])[spec.name].out_bytes


def test_the_system_is_new_and_the_data_disk_is_not(
    lab: Lab, internet: Internet, make_spec: MakeSpec, tmp_path: Path, login_key: tuple[str, str]
) -> None:
    engine = lab.engine()
    spec = make_spec(password=PASSWORD, data_disks=[Disk("disk-anew", "CLOUD_SSD", 1)])
    engine.ensure_present(spec)
    assert spec.public_address is not None
    address, secret = spec.public_address.ip, tmp_path / "secret"

    def login(how: str, text: str, command: str) -> str:
        secret.write_text(text)
        secret.chmod(0o600)
        return internet.python("ssh_login", address, how, str(secret), command).strip()

    before = login("password", PASSWORD, _WRITE)
    sent = _sent_bytes(engine, spec)
    assert before.startswith("ssh-ed25519 ") and sent > 0
    anew = dataclasses.replace(
        spec, installation=1, hostname="anew", password_hash="", ssh_keys=[login_key[1]],
        user_data=b"#!/bin/sh\necho first > /root/asked\n",
    )  # fmt: skip
    engine.ensure_reinstalled(anew)
    after = login("key", login_key[0], f"cloud-init status --wait > /dev/null; {_SEEN}; {_HOST_KEY}").splitlines()
    assert after[:4] == ["kept", "33 33", "anew", "first"]  # and no mark
    assert after[4].startswith("ssh-ed25519 ") and after[4] != before
    assert login("password", PASSWORD, "id") == "refused"
    assert _sent_bytes(engine, spec) > sent
    lab.inside(spec.name, "echo of-the-new-system > /root/mark")
    engine.ensure_reinstalled(anew)  # said again
    assert lab.inside(spec.name, "cat /root/mark").stdout.split() == ["of-the-new-system"]


def test_what_an_interrupted_call_left_is_installed_to_its_end(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    """Given a worker that was killed when the old machine was gone, or when the new one was made and not started."""
    spec = make_spec(public=False, password=PASSWORD, data_disks=[Disk("disk-cut", "CLOUD_SSD", 1)])
    engine.ensure_present(spec)
    lab.inside(spec.name, "echo kept > /mnt/disk-cut/kept; sync")
    lab.ask("delete", "--force", spec.name)
    anew = dataclasses.replace(spec, installation=1, password_hash=unix_password.hash_sha512("Second-horse-8"))
    assert lab.engine().ensure_reinstalled(anew).installation == 1
    assert lab.inside(spec.name, "cat /mnt/disk-cut/kept").stdout.split() == ["kept"]
    engine.ensure_power(spec.name, False, force=True)
    assert lab.engine().ensure_reinstalled(anew).power == "running"
    assert lab.inside(spec.name, "cat /mnt/disk-cut/kept").stdout.split() == ["kept"]
