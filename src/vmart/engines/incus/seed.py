"""What cloud-init reads at the first boot: login, network, and the customer's own document.

The NoCloud seed is written into the machine by Incus's image templates before its first start, so the
password hash or key is there before sshd answers.
"""

import ipaddress
from email.encoders import encode_base64
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import yaml

from vmart.engines.contract import MachineSpec


def user_data(spec: MachineSpec) -> str:
    """Ours, and the customer's document behind it, as cloud-init's user data."""
    ours = "#cloud-config\n" + yaml.safe_dump(_login(spec), sort_keys=False)
    if not spec.user_data:
        return ours
    parts = MIMEMultipart(boundary="==vmart==")
    parts.attach(MIMEText(ours, "cloud-config", "utf-8"))
    parts.attach(_customers_part(spec.user_data))
    return parts.as_string()


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
        "ssh_pwauth": bool(spec.password_hash),
        "users": [user],
    }


def _customers_part(document: bytes) -> MIMEBase:
    """As it is: cloud-init looks itself what it is. Its users are added to ours, never put in their place."""
    try:
        part: MIMEBase = MIMEText(document.decode(), "plain", "utf-8")
    except UnicodeDecodeError:
        part = MIMEBase("application", "octet-stream")
        part.set_payload(document)
        encode_base64(part)
    part["X-Merge-Type"] = "list(append)+dict(no_replace,recurse_list)+str()"
    return part
