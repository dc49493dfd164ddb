"""A customer's image of a real machine: machines made of it have what was written, and are themselves."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from tests.lab.conftest import PASSWORD, Internet, Lab
from vmart.engines.contract import Disk, Engine, HeldDisk, MachineSpec
from vmart.engines.optional import Images, Snapshots

MakeSpec = Callable[..., MachineSpec]
_OTHER = "Second-horse-8"
_WRITE = """
cloud-init status --wait > /dev/null
echo of-the-first > /root/mark && mkdir -p /srv/www && chown 33:33 /srv/www
echo of-the-data > /mnt/disk-image/mark
useradd -m worker && echo 'worker:Worker-pass-9' | chpasswd
sync
"""
_ITSELF = "cat /etc/machine-id; cut -d' ' -f2 /etc/ssh/ssh_host_ed25519_key.pub; hostname"
_READ = "cat /root/mark; stat -c %u:%g /srv/www; ls /mnt; ls /home; cat /root/asked 2>/dev/null; echo end"
# What a first boot of another machine left, wherever it keeps it.
_LEFT = "grep -rlF -e {name} -e '{password_hash}' /var/lib/cloud /etc /var/log/cloud-init*.log; echo end"


def _image_of(engine: Engine, spec: MachineSpec) -> str:
    """Of a snapshot of the machine, which is there no longer than it has to be."""
    assert isinstance(engine, Images) and isinstance(engine, Snapshots)
    own, snapshot = (spec.name.replace("ins-", prefix) for prefix in ("img-", "snap-"))
    system = spec.system_disk
    engine.ensure_snapshot(snapshot, HeldDisk(system.key, system.size_gib, spec.member, spec.name, is_system=True))
    assert engine.ensure_image_of(own, snapshot, "root").whole
    engine.ensure_snapshot_absent(snapshot)
    return own


def _secret(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def test_a_machine_made_of_it_has_what_was_written_and_is_itself(
    lab: Lab, internet: Internet, make_spec: MakeSpec, tmp_path: Path, login_key: tuple[str, str]
) -> None:
    engine = lab.engine()
    assert isinstance(engine, Images)
    first = make_spec(
        password=PASSWORD, ssh_keys=[login_key[1]], data_disks=[Disk("disk-image", "CLOUD_SSD", 1)],
        user_data=b"#!/bin/sh\necho asked >> /root/asked\n",
    )  # fmt: skip
    engine.ensure_present(first)
    key = _secret(tmp_path / "key", login_key[0])

    def login(spec: MachineSpec, how: str, secret: str, command: str) -> list[str]:
        assert spec.public_address is not None
        return internet.python("ssh_login", spec.public_address.ip, how, secret, command).split()

    login(first, "key", key, _WRITE)
    own = _image_of(engine, first)
    itself = login(first, "key", key, f"rm -f /root/asked; {_ITSELF}")
    other = _secret(tmp_path / "other", _OTHER)
    made = make_spec(password=_OTHER)
    made = dataclasses.replace(made, image=dataclasses.replace(made.image, own=own))
    engine.ensure_present(made)
    seen = login(made, "password", other, f"cloud-init status --wait > /dev/null; {_READ}; {_ITSELF}")
    # Its data disk is not in the image: where it was mounted an empty folder stays.
    assert seen[:6] == ["of-the-first", "33:33", "disk-image", "worker", "asked", "end"]
    assert len(seen[6]) == len(itself[0]) == 32
    assert seen[8] == made.hostname and not set(seen[6:]) & set(itself)
    assert login(made, "key", key, "id") == ["refused"]
    assert login(made, "password", _secret(tmp_path / "first", PASSWORD), "id") == ["refused"]
    left = login(made, "password", other, _LEFT.format(name=first.name, password_hash=first.password_hash))
    assert left == ["end"]
    assert login(first, "password", str(tmp_path / "first"), _ITSELF) == itself  # the first is as it was
    engine.ensure_absent(made.name)
    engine.ensure_absent(first.name)
    engine.ensure_image_absent(own)


def test_a_stopped_machine_and_a_larger_disk_and_a_full_one(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    """Of a machine that is off and whose disk is full an image is made; on a larger disk a machine of it runs."""
    assert isinstance(engine, Images)
    first = make_spec(public=False, password=PASSWORD)
    engine.ensure_present(first)
    lab.inside(first.name, "head -c 8G /dev/urandom > /srv/full; sync; echo full > /root/mark; sync", limit_s=240)
    engine.ensure_power(first.name, False)
    own = _image_of(engine, first)
    made = make_spec(public=False, password=_OTHER)
    larger = dataclasses.replace(made.system_disk, size_gib=6)
    made = dataclasses.replace(made, image=dataclasses.replace(made.image, own=own), system_disk=larger)
    assert engine.ensure_present(made).power == "running"
    sizes = [
        lab.inside(made.name, "stat -c %s /srv/full").stdout,
        lab.ask("config", "device", "get", own, "root", "size"),
    ]
    assert int(sizes[0]) > 3 << 30 and sizes[1].strip() == "6GiB"
    engine.ensure_absent(made.name)
    engine.ensure_absent(first.name)
    engine.ensure_image_absent(own)


def test_what_an_interrupted_call_left_is_made_anew(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    """Given a worker that was killed when the copy was made, and nothing was taken out of it yet."""
    assert isinstance(engine, Images)
    first = make_spec(public=False, password=PASSWORD)
    engine.ensure_present(first)
    own = _image_of(engine, first)
    lab.ask("config", "unset", own, "user.vmart.whole")
    lab.ask("file", "push", "/etc/hostname", f"{own}/etc/ssh/ssh_host_left")
    assert [found.whole for found in engine.list_images() if found.name == own] == [False]
    lab.inside(first.name, "echo later > /root/mark; sync")
    assert _image_of(lab.engine(), first) == own
    assert lab.ask("file", "pull", f"{own}/root/mark", "-") == "later\n"
    assert lab.ask("file", "pull", f"{own}/etc/machine-id", "-") == ""
    assert "\nroot:*:" in "\n" + lab.ask("file", "pull", f"{own}/etc/shadow", "-")
    assert lab.missing(own, "/etc/ssh/ssh_host_left") and lab.missing(own, "/etc/ssh/ssh_host_ed25519_key")
    engine.ensure_absent(first.name)
    engine.ensure_image_absent(own)
    assert own not in lab.ask("list", "--format", "csv", "-c", "n").split()
