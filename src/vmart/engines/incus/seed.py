"""What cloud-init reads at the first boot: the customer's own document, and beside it our login and the network.

The NoCloud seed is written into the machine by Incus's image templates before its first start, so the
password hash or key is there before sshd answers. The customer's document is the user data, ours is the
vendor data: cloud-init lets user data win wherever both say something (ADR 0019).
"""

import base64
import ipaddress
import zlib
from email.encoders import encode_base64
from email.mime.base import MIMEBase

import yaml

from vmart.engines.contract import MachineSpec

_UNPACKED_MAX_BYTES = 2**20
_GZIP = 16 + zlib.MAX_WBITS
_ADD_USERS = "dict(no_replace,recurse_list)+list(append)+str()"


def vendor_data(spec: MachineSpec) -> str:
    """Our part: login, host name, SSH. Our user is added to the customer's users, whatever those are."""
    # cloud-init takes merge_how out when it stores this document, and merge_type when it merges what it stored.
    ours = {"merge_how": _ADD_USERS, "merge_type": _ADD_USERS, **_login(spec)}
    return "#cloud-config\n" + yaml.safe_dump(ours, sort_keys=False)


def user_data(document: bytes, *, image_decodes: bool) -> dict[str, str]:
    """The engine's settings for the customer's document; none without one.

    Settings are text, a document is any bytes: our own images decode base64 before cloud-init looks
    (``cloud-init-local.service.d`` in ``rootfs``). Other images get what cloud-init would make of it itself.
    """
    if not document:
        return {}
    if image_decodes:
        return {"user.vmart.user_data": base64.b64encode(document).decode()}
    return {"cloud-init.user-data": _as_text(document)}


def network_config(spec: MachineSpec, *, by_mac: bool) -> str:
    """The fixed private address, without waiting for DHCP; ``by_mac`` for machines that name their own devices."""
    prefix = ipaddress.ip_network(spec.subnet.cidr).prefixlen
    device: dict[str, object] = {
        "dhcp4": False,
        "addresses": [f"{spec.private_ip}/{prefix}"],
        "routes": [{"to": "0.0.0.0/0", "via": spec.subnet.gateway}],
        "nameservers": {"addresses": [spec.subnet.gateway]},
    }
    if by_mac:
        device = {"match": {"macaddress": spec.mac}, **device}
    return yaml.safe_dump({"version": 2, "ethernets": {"eth0": device}}, sort_keys=False)


def _login(spec: MachineSpec) -> dict[str, object]:
    user: dict[str, object] = {"name": spec.login_user, "lock_passwd": not spec.password_hash}
    if spec.password_hash:
        user["hashed_passwd"] = spec.password_hash
    if spec.ssh_keys:
        user["ssh_authorized_keys"] = list(spec.ssh_keys)
    if spec.login_user != "root":
        user |= {"sudo": "ALL=(ALL) NOPASSWD:ALL", "shell": "/bin/bash"}
    return {
        "hostname": spec.hostname,
        "disable_root": spec.login_user != "root",
        "ssh_pwauth": spec.ssh_passwords,
        "users": [user],
    }


def _as_text(document: bytes) -> str:
    """The document unpacked, else as one part of base64; both are read by cloud-init as the bytes would be."""
    plain = _unpacked(document)
    if b"\0" in plain or (text := _decoded(plain)) is None:
        part = MIMEBase("text", "x-not-multipart")  # cloud-init's own word for: look what it is
        part.set_payload(plain)
        encode_base64(part)
        return part.as_string()
    # Incus refuses a cloud-config that its parser does not take; cloud-init skips the line break that hides it.
    return "\n" + text if text.startswith("#cloud-config") else text


def _unpacked(document: bytes) -> bytes:
    unpacking = zlib.decompressobj(_GZIP)
    try:
        unpacked = unpacking.decompress(document, _UNPACKED_MAX_BYTES)
    except zlib.error:
        return document
    return unpacked if unpacking.eof else document  # what is cut short, or too long to carry, stays as it is


def _decoded(document: bytes) -> str | None:
    try:
        return document.decode()
    except UnicodeDecodeError:
        return None
