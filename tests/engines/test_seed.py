"""What cloud-init is given: the login first, and the customer's document never in its place."""

import email
from collections.abc import Sequence

import yaml

from vmart.engines.contract import Disk, ImageSpec, MachineSpec, Subnet
from vmart.engines.incus import seed


def _spec(
    *, password_hash: str = "", ssh_keys: Sequence[str] = (), user_data: bytes = b"", user: str = "root"
) -> MachineSpec:
    return MachineSpec(
        name="ins-00000001",
        member="local",
        image=ImageSpec("debian-12", "1"),
        vcpu=1,
        memory_mib=1024,
        system_disk=Disk("disk-00000001", "CLOUD_SSD", 50),
        data_disks=(),
        subnet=Subnet("subnet-1", "10.1.16.0/20", "10.1.16.1"),
        private_ip="10.1.17.4",
        mac="02:16:3e:00:00:01",
        hostname="web-1",
        login_user="root",
        password_hash=password_hash,
        ssh_keys=ssh_keys,
        user_data=user_data,
    )


def _cloud_config(text: str) -> dict[str, object]:
    assert text.startswith("#cloud-config\n")
    document = yaml.safe_load(text)
    assert isinstance(document, dict)
    return document


def test_a_password_opens_root_and_only_as_a_hash() -> None:
    document = _cloud_config(seed.user_data(_spec(password_hash="$6$salt$hash")))
    assert document["users"] == [{"name": "root", "lock_passwd": False, "hashed_passwd": "$6$salt$hash"}]
    assert document["ssh_pwauth"] is True
    assert document["disable_root"] is False


def test_with_a_key_alone_no_password_is_taken() -> None:
    document = _cloud_config(seed.user_data(_spec(ssh_keys=["ssh-ed25519 AAAA me"])))
    assert document["users"] == [{"name": "root", "lock_passwd": True, "ssh_authorized_keys": ["ssh-ed25519 AAAA me"]}]
    assert document["ssh_pwauth"] is False


def test_the_customers_document_comes_after_ours_and_its_lists_are_added() -> None:
    theirs = "#!/bin/sh\necho grüß dich\n"
    message = email.message_from_string(seed.user_data(_spec(password_hash="$6$x", user_data=theirs.encode())))
    ours, customers = message.get_payload()
    assert _cloud_config(ours.get_payload(decode=True).decode())["hostname"] == "web-1"
    assert ours.get_content_type() == "text/cloud-config"
    assert customers.get_payload(decode=True).decode() == theirs
    assert customers["X-Merge-Type"].startswith("list(append)")


def test_a_document_that_is_not_text_arrives_byte_for_byte() -> None:
    theirs = bytes(range(256))
    message = email.message_from_string(seed.user_data(_spec(user_data=theirs)))
    assert message.get_payload()[1].get_payload(decode=True) == theirs


def test_the_address_is_fixed_and_the_device_found_by_name_or_mac() -> None:
    expected = {
        "dhcp4": False,
        "addresses": ["10.1.17.4/20"],
        "routes": [{"to": "0.0.0.0/0", "via": "10.1.16.1"}],
        "nameservers": {"addresses": ["10.1.16.1"]},
    }
    by_name = yaml.safe_load(seed.network_config(_spec(), by_mac=False))
    assert by_name == {"version": 2, "ethernets": {"eth0": expected}}
    by_mac = yaml.safe_load(seed.network_config(_spec(), by_mac=True))
    assert by_mac["ethernets"]["eth0"] == {"match": {"macaddress": "02:16:3e:00:00:01"}, **expected}
