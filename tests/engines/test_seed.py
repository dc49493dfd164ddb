"""What cloud-init is given: the customer's document as it is, and the login beside it, never in its place."""

import base64
import email
import gzip
from collections.abc import Sequence
from dataclasses import replace

import pytest
import yaml

from vmart.engines.contract import Disk, ImageSpec, MachineSpec, Subnet
from vmart.engines.incus import seed


def _spec(*, password_hash: str = "", ssh_keys: Sequence[str] = (), user: str = "root") -> MachineSpec:
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
        login_user=user,
        password_hash=password_hash,
        ssh_keys=ssh_keys,
    )


def _cloud_config(text: str) -> dict[str, object]:
    assert text.startswith("#cloud-config\n")
    document = yaml.safe_load(text)
    assert isinstance(document, dict)
    return document


def test_a_password_opens_root_and_only_as_a_hash() -> None:
    document = _cloud_config(seed.vendor_data(_spec(password_hash="$6$salt$hash")))
    assert document["users"] == [{"name": "root", "lock_passwd": False, "hashed_passwd": "$6$salt$hash"}]
    assert document["ssh_pwauth"] is True
    assert document["disable_root"] is False


def test_with_a_key_alone_no_password_is_taken() -> None:
    document = _cloud_config(seed.vendor_data(_spec(ssh_keys=["ssh-ed25519 AAAA me"])))
    assert document["users"] == [{"name": "root", "lock_passwd": True, "ssh_authorized_keys": ["ssh-ed25519 AAAA me"]}]
    assert document["ssh_pwauth"] is False
    both = _cloud_config(seed.vendor_data(replace(_spec(password_hash="$6$salt$hash"), keys_only=True)))
    assert (both["ssh_pwauth"], both["users"][0]["lock_passwd"]) == (False, False)


def test_another_user_than_root_may_become_root() -> None:
    document = _cloud_config(seed.vendor_data(_spec(ssh_keys=["ssh-ed25519 AAAA me"], user="debian")))
    (user,) = document["users"]  # type: ignore[misc]
    assert (user["name"], user["sudo"], user["shell"]) == ("debian", "ALL=(ALL) NOPASSWD:ALL", "/bin/bash")
    assert document["disable_root"] is True


def test_our_user_is_added_to_the_customers() -> None:
    """cloud-init takes the first of the two out where it stores the document, the second where it merges it."""
    document = _cloud_config(seed.vendor_data(_spec(password_hash="$6$x")))
    assert document["merge_how"] == document["merge_type"] == "dict(no_replace,recurse_list)+list(append)+str()"
    assert document["hostname"] == "web-1"


SCRIPT = "#!/bin/sh\necho grüß dich\n"
CONFIG = "#cloud-config\nruncmd: [echo]\n"
MULTIPART = 'Content-Type: multipart/mixed; boundary="b"\nMIME-Version: 1.0\n\n--b\n\n#!/bin/sh\n--b--\n'
DOCUMENTS = [SCRIPT.encode(), CONFIG.encode(), MULTIPART.encode(), gzip.compress(MULTIPART.encode()), bytes(range(256))]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_our_images_decode_the_document_to_the_byte(document: bytes) -> None:
    settings = seed.user_data(document, image_decodes=True)
    assert list(settings) == ["user.vmart.user_data"]
    assert base64.b64decode(settings["user.vmart.user_data"], validate=True) == document


@pytest.mark.parametrize("image_decodes", [True, False])
def test_without_a_document_nothing_is_set(image_decodes: bool) -> None:
    assert seed.user_data(b"", image_decodes=image_decodes) == {}


@pytest.mark.parametrize(
    ("text", "carried"),
    [(SCRIPT, SCRIPT), (MULTIPART, MULTIPART), (CONFIG, "\n" + CONFIG), ("#cloud-config\n[", "\n#cloud-config\n[")],
)
@pytest.mark.parametrize("packed", [False, True])
def test_other_images_get_text_and_what_was_packed_unpacked(text: str, carried: str, packed: bool) -> None:
    document = gzip.compress(text.encode()) if packed else text.encode()
    assert seed.user_data(document, image_decodes=False) == {"cloud-init.user-data": carried}


@pytest.mark.parametrize(
    "document",
    [
        bytes(range(256)),
        b"#!/bin/sh\necho \xe4\n",
        b"a\0b",
        gzip.compress(b"x" * 99, mtime=0)[:-9],
        gzip.compress(b"x" * (2**20 + 1)),
    ],
)
def test_other_images_get_what_is_no_text_as_one_part_of_base64(document: bytes) -> None:
    message = email.message_from_string(seed.user_data(document, image_decodes=False)["cloud-init.user-data"])
    assert message.get_content_type() == "text/x-not-multipart"
    assert message.get_payload(decode=True) == document


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
