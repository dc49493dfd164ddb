"""Images of customers' machines on a real engine: what is in them, and what no image is made of."""

import dataclasses
from collections.abc import Callable

import pytest

from tests.lab.conftest import Lab
from tests.lab.test_full_disk import fill_to_the_last_block, refill
from vmart.engines.contract import Engine, EngineError, HeldDisk, MachineSpec, Power
from vmart.engines.optional import Images, Snapshots

MakeSpec = Callable[..., MachineSpec]


def _system(spec: MachineSpec) -> HeldDisk:
    return HeldDisk(spec.system_disk.key, spec.system_disk.size_gib, spec.member, spec.name, is_system=True)


def _make_image(engine: Engine, spec: MachineSpec) -> str:
    assert isinstance(engine, Images) and isinstance(engine, Snapshots)
    image, snapshot = (spec.name.replace("ins-", kind) for kind in ("img-", "snap-"))
    engine.ensure_snapshot(snapshot, _system(spec))
    engine.ensure_image_of(image, snapshot, spec.login_user)
    return image


def _remove(engine: Engine, *specs: MachineSpec) -> None:
    assert isinstance(engine, Images) and isinstance(engine, Snapshots)
    for spec in specs:
        engine.ensure_absent(spec.name)
        engine.ensure_image_absent(spec.name.replace("ins-", "img-"))
        engine.ensure_snapshot_absent(spec.name.replace("ins-", "snap-"))


def test_a_machine_of_a_renamed_ones_image_has_its_own_name(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    """Where a link lay in the place of cloud-init's seed, the server wrote into the machine and nowhere else."""
    source = make_spec(public=False)
    engine.ensure_present(source)
    engine.ensure_hostname(source.name, "renamed")
    link = "rm -r /var/lib/cloud/seed/nocloud; mkdir /srv/led; ln -s /srv/led /var/lib/cloud/seed/nocloud; sync"
    assert lab.inside(source.name, link).returncode == 0
    image = _make_image(engine, source)
    buyer = make_spec(public=False)
    buyer = dataclasses.replace(buyer, image=dataclasses.replace(buyer.image, own=image))
    assert engine.ensure_present(buyer).power is Power.RUNNING
    lab.inside(buyer.name, "cloud-init status --wait >/dev/null")
    asked = (
        "hostname; cat /etc/hostname; grep -c renamed /etc/hosts; ls /srv/led; stat -c %F /var/lib/cloud/seed/nocloud"
    )
    assert lab.inside(buyer.name, asked).stdout.splitlines() == [buyer.hostname, buyer.hostname, "0", "directory"]
    _remove(engine, source, buyer)


def test_of_a_full_disk_machines_as_large_are_made(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    """What of the source goes is taken out before it is filled: nothing is free in the image but what is spared."""
    source, buyer = (
        dataclasses.replace(spec, system_disk=dataclasses.replace(spec.system_disk, size_gib=1))
        for spec in (make_spec(public=False), make_spec(public=False))
    )
    engine.ensure_present(source)
    gone = "rm -rf /var/log/cloud-init* /var/lib/cloud/instance /var/lib/cloud/instances /var/lib/cloud/data"
    lab.inside(
        source.name, f"cloud-init status --wait >/dev/null; {gone} /etc/ssh/ssh_host_*; echo own > /root/kept; sync"
    )
    refill(lab, source)
    fill_to_the_last_block(lab, source)
    image = _make_image(engine, source)
    buyer = dataclasses.replace(buyer, image=dataclasses.replace(buyer.image, own=image))
    assert engine.ensure_present(buyer).power is Power.RUNNING
    assert lab.inside(buyer.name, "cat /root/kept").stdout == "own\n"
    assert engine.ensure_power(buyer.name, False, force=True).power is Power.STOPPED
    assert engine.ensure_power(buyer.name, True).power is Power.RUNNING
    _remove(engine, source, buyer)


def test_of_a_system_with_a_link_on_the_way_no_image_is_made(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    source = make_spec(public=False)
    engine.ensure_present(source)
    lab.inside(
        source.name, "cloud-init status --wait >/dev/null; mv /var/lib/cloud /srv; ln -s /srv/cloud /var/lib; sync"
    )
    with pytest.raises(EngineError) as refused:
        _make_image(engine, source)
    assert (refused.value.transient, refused.value.detail) == (
        False, f"{source.name.replace('ins-', 'img-')}: /var/lib/cloud",
    )  # fmt: skip
    _remove(engine, source)


def test_of_a_system_with_too_many_files_no_image_is_made(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    source = make_spec(public=False)
    engine.ensure_present(source)
    lab.inside(source.name, "cloud-init status --wait >/dev/null; cd /var/lib/cloud/data && touch $(seq 2001); sync")
    with pytest.raises(EngineError, match="too many files") as refused:
        _make_image(engine, source)
    assert not refused.value.transient
    _remove(engine, source)
