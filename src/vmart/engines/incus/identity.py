"""What makes a machine itself, taken out of a copy of its system disk that does not run.

The first boot of a machine that is made of the copy makes it anew: machine id, SSH's host keys, host name, its login.
"""

import posixpath

from vmart.engines.contract import UnknownUser
from vmart.engines.incus.client import GuestFile, IncusClient
from vmart.engines.incus.guest import SHADOW, SHADOW_BEFORE, USERS, home_of, with_password

_MACHINE_ID = "/etc/machine-id"
_SSH = "/etc/ssh"
_HOST_KEY = "ssh_host_"
# cloud-init's: what it was given and did, with the login of before; it begins anew where it finds nothing.
_TREES = (
    "/var/lib/cloud/instance", "/var/lib/cloud/instances", "/var/lib/cloud/sem", "/var/lib/cloud/data",
    "/var/lib/cloud/seed/nocloud",
)  # fmt: skip
_FILES = (
    "/var/lib/dbus/machine-id", "/var/lib/systemd/random-seed", "/var/lib/systemd/credential.secret",
    "/var/log/cloud-init.log", "/var/log/cloud-init-output.log", "/etc/cloud/cloud-init.disabled",
)  # fmt: skip
_NO_PASSWORD = "*"  # noqa: S105  what shadow(5) has for one that nothing matches


def forget(client: IncusClient, name: str, user: str) -> None:
    """As often as asked. ``user`` is let in by nothing any more. Raises EngineError."""
    for path in _FILES:
        client.remove_file(name, path)
    for path in _TREES:
        _remove_tree(client, name, path)
    for entry in client.list_folder(name, _SSH) or ():
        if entry.startswith(_HOST_KEY):
            client.remove_file(name, posixpath.join(_SSH, entry))
    # Empty, not missing: a missing one would have systemd take the boot for the very first of the system.
    client.write_file(
        name, _MACHINE_ID, GuestFile(b"", {"X-Incus-uid": "0", "X-Incus-gid": "0", "X-Incus-mode": "0444"})
    )
    _shut_out(client, name, user)


def _remove_tree(client: IncusClient, name: str, path: str) -> None:
    """A link is removed, not what it leads to."""
    entries = client.list_folder(name, path)
    for entry in entries or ():
        _remove_tree(client, name, posixpath.join(path, entry))
    client.remove_file(name, path)


def _shut_out(client: IncusClient, name: str, user: str) -> None:
    """A system without the user, or with its passwords elsewhere, lets nobody in by what we put there."""
    shadow = client.read_file(name, SHADOW)
    users = client.read_file(name, USERS)
    try:
        home = home_of(users.content if users else b"", user)
        locked = with_password(shadow.content, user, _NO_PASSWORD, 0) if shadow else b""
    except UnknownUser:
        return
    for keys in ("authorized_keys", "authorized_keys.vmart"):
        client.remove_file(name, f"{home.folder}/.ssh/{keys}")
    client.remove_file(name, SHADOW_BEFORE)
    if shadow:
        client.write_file(name, SHADOW, GuestFile(locked, shadow.owner))
