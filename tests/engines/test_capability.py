"""What a server can and cannot is read off its own words, and said."""

import pytest

from vmart.engines.contract import EngineError
from vmart.engines.incus import capability, links
from vmart.engines.incus.copies import spare_gib
from vmart.engines.incus.host import names_of_deployment


def _server(driver: str = "lxc", version: str = "6.0.4", auth: str = "trusted") -> dict[str, object]:
    return {"auth": auth, "environment": {"driver": driver, "server_version": version}}


@pytest.mark.parametrize(
    ("driver", "wanted", "has_vm_image", "expected"),
    [
        ("lxc", "auto", True, "container"),
        ("lxc | qemu", "auto", True, "virtual-machine"),
        ("lxc | qemu", "auto", False, "container"),
        ("lxc | qemu", "container", True, "container"),
        ("lxc | qemu", "virtual-machine", True, "virtual-machine"),
    ],
)
def test_the_kind_of_machine(driver: str, wanted: str, has_vm_image: bool, expected: str) -> None:
    assert capability.instance_kind(_server(driver), wanted, has_vm_image) == expected


def test_virtual_machines_that_the_server_cannot_run_are_refused() -> None:
    with pytest.raises(EngineError, match="not operational"):
        capability.instance_kind(_server("lxc"), "virtual-machine", True)


def test_an_old_or_distrustful_server_is_refused() -> None:
    capability.refuse_old(_server())
    with pytest.raises(EngineError, match=r"Incus 6\.0 or newer"):
        capability.refuse_old(_server(version="0.7"))
    with pytest.raises(EngineError, match="does not trust"):
        capability.refuse_old(_server(auth="untrusted"))


def test_what_a_remote_engine_cannot_is_said() -> None:
    remote = capability.of_server(_server(), "container", "not on this host", "no packet filter")
    assert not remote.byte_counters
    assert (remote.security_groups, remote.missing["security_groups"]) == (
        False,
        "The driver may not edit the packet filter of this zone's hosts, so no security group holds.",
    )
    assert "not counted" in remote.missing["byte_counters"]
    local = capability.of_server(_server(), "container", "", "")
    assert local.security_groups
    assert local.byte_counters
    assert set(local.missing) == {"virtual_machine", "graphic_console"}
    assert local.console


def test_a_kernel_without_bridge_netfilter_enforces_no_groups_and_says_so() -> None:
    without = capability.of_server(_server("lxc | qemu"), "virtual-machine", "", "the kernel has no br_netfilter")
    assert (without.network_isolation, without.security_groups) == (True, False)
    assert without.missing["security_groups"] == (
        "The host's kernel keeps traffic within a bridge from its packet filter, so no security group holds."
    )


def test_ipv6_is_where_security_groups_hold_for_it_and_where_not_it_is_said() -> None:
    """Given no packet filter, no br_netfilter, a kernel without IPv6, or virtual machines, then none is sold."""
    containers = ("lxc", "container")
    for (driver, kind), why_not, sentence in (
        (containers, ("elsewhere", "elsewhere", ""), "security groups would not hold for them."),
        (containers, ("", "no br_netfilter", ""), "security groups would not hold for them."),
        (containers, ("", "", "no IPv6"), "the host's kernel does without IPv6."),
        (containers, ("", "", links.MAY_NOT), "the driver may not have the host forward them."),
        (("lxc | qemu", "virtual-machine"), ("", "", ""), "that has not been tried yet."),
    ):
        told = capability.of_server(_server(driver), kind, *why_not[:2], why_no_ipv6=why_not[2])
        assert (told.ipv6, told.missing["ipv6"].endswith(sentence)) == (False, True)
    assert capability.of_server(_server("lxc"), "container", "", "").ipv6


def test_of_virtual_machines_no_images_are_made_and_it_is_said() -> None:
    of_machines = capability.of_server(_server("lxc | qemu"), "virtual-machine", "", "")
    assert of_machines.missing["own_images"] == (
        "No images are made of virtual machines: what makes a machine itself cannot be taken out of its disk."
    )
    assert set(of_machines.missing) == {"own_images", "snapshots", "ipv6", "console", "graphic_console"}
    assert (of_machines.console, of_machines.missing["console"]) == (
        False, "Virtual machines show no console: that has not been tried yet.",
    )  # fmt: skip
    assert "own_images" not in capability.of_server(_server("lxc"), "container", "", "").missing


@pytest.mark.parametrize(
    ("kind", "pool", "why"),
    [
        ("container", "btrfs", ""),
        ("container", "zfs", ""),
        ("container", "dir", "The storage of this zone copies no disk at one instant, so no snapshots are made."),
        *(
            (
                "container", pool,
                "No snapshots are made on the storage of this zone: giving one back has not been tried there yet.",
            )
            for pool in ("lvm", "lvmcluster", "ceph")
        ),
        *(
            (
                "virtual-machine", pool,
                "No snapshots are made of virtual machines: giving one back has not been tried yet.",
            )
            for pool in ("btrfs", "lvm")
        ),
    ],
)  # fmt: skip
def test_where_no_snapshots_are_made_it_is_said(kind: str, pool: str, why: str) -> None:
    told = capability.of_server(_server(), kind, "", "", pool_driver=pool)
    assert (told.snapshots, told.missing.get("snapshots", "")) == (not why, why)


@pytest.mark.parametrize(
    ("kind", "pool", "spare"),
    [
        ("container", "btrfs", 1),
        ("container", "zfs", 1),
        ("container", "dir", 1),
        ("container", "lvm", 0),
        ("container", "ceph", 0),
        ("virtual-machine", "btrfs", 0),
        ("virtual-machine", "zfs", 0),
    ],
)
def test_only_a_copy_that_a_quota_limits_is_larger_than_its_disk(kind: str, pool: str, spare: int) -> None:
    """The server makes no block device smaller: a machine of the disk's size could not be made of a larger copy."""
    assert spare_gib(kind, pool) == spare


def test_names_on_the_host_fit_and_two_deployments_never_meet() -> None:
    one, other = names_of_deployment("shop-1"), names_of_deployment("shop-2")
    assert len(one.bridge("subnet-4k2j0qzt")) <= 15
    assert one.bridge("subnet-4k2j0qzt") != other.bridge("subnet-4k2j0qzt")
    assert one.bridge("subnet-4k2j0qzt").startswith(one.bridge_prefix)
    assert one.table != other.table


@pytest.mark.parametrize(
    ("kind", "pool", "is_one_here", "idmapped", "why"),
    [
        ("container", "btrfs", True, "true", ""),
        (
            "virtual-machine", "btrfs", True, "true",
            "Virtual machines have no rescue mode: their disk has not been attached to another one yet.",
        ),
        (
            "container", "btrfs", False, "true",
            "There is no rescue mode in this zone: where its hosts keep their machines is not known.",
        ),
        *(
            (
                "container", pool, True, "true",
                "There is no rescue mode on the storage of this zone: it has not been tried there yet.",
            )
            for pool in ("dir", "zfs", "lvm")
        ),
        (
            "container", "btrfs", True, "false",
            "There is no rescue mode in this zone: its host's kernel shows no disk under other owners' numbers.",
        ),
    ],
)  # fmt: skip
def test_where_there_is_no_rescue_mode_it_is_said(
    kind: str, pool: str, is_one_here: bool, idmapped: str, why: str
) -> None:
    server = {"environment": {"driver": "lxc", "kernel_features": {"idmapped_mounts": idmapped}}}
    assert capability.why_no_rescue(server, kind, pool, is_one_here=is_one_here) == why
    told = capability.of_server(server, kind, "", "", why_no_rescue=why)
    assert (told.rescue, told.missing.get("rescue", "")) == (not why, why)
