"""What makes a machine itself, taken out of a copy of its system disk that does not run.

The first boot of a machine that is made of the copy makes it anew: machine id, SSH's host keys, host name, its login.

Before that boot the server writes its templates into the machine, as root of the host, and may follow links out of it
(CVE-2026-23954). So a copy in which a link leads to them is refused, and what lies in their place is removed.
"""

import posixpath
from pathlib import PurePosixPath
from typing import NoReturn

from vmart.engines.contract import EngineError, UnknownUser
from vmart.engines.incus.client import GuestFile, IncusClient, IncusError, TooLong, path_of
from vmart.engines.incus.guest import (
    HOSTNAME,
    HOSTS,
    NAME_STAYS,
    NETWORK_AGAIN,
    SHADOW,
    SHADOW_BEFORE,
    USERS,
    copy_of,
    home_of,
    today,
    with_password,
    without_own_name,
)

_MACHINE_ID = "/etc/machine-id"
_SSH = "/etc/ssh"
_HOST_KEY = "ssh_host_"
# cloud-init's: what it was given and did, with the login of before; it begins anew where it finds nothing.
_TREES = (
    "/var/lib/cloud/instance", "/var/lib/cloud/instances", "/var/lib/cloud/sem", "/var/lib/cloud/data",
)  # fmt: skip
_FILES = (
    "/var/lib/dbus/machine-id", "/var/lib/systemd/random-seed", "/var/lib/systemd/credential.secret",
    "/var/log/cloud-init.log", "/var/log/cloud-init-output.log", "/etc/cloud/cloud-init.disabled",
    NAME_STAYS, NETWORK_AGAIN, copy_of(HOSTNAME), copy_of(HOSTS),  # what we set when the machine was renamed or moved
)  # fmt: skip
# Where the server's templates write: what cloud-init is given, and the name.
_SEED = "/var/lib/cloud/seed"
_NO_PASSWORD = "*"  # noqa: S105  what shadow(5) has for one that nothing matches


# A system has some dozens of these; each costs two calls, which hold a thread of the zone.
_ENTRIES_MAX, _DEPTH_MAX = 2_000, 20


class _Files:
    """Those of one copy that is off. Its customer decides how many there are, so they are counted."""

    def __init__(self, client: IncusClient, name: str) -> None:
        self._client, self._name, self._left = client, name, _ENTRIES_MAX

    def entries(self, path: str) -> list[str]:
        """None in what is no folder, or not there. Raises EngineError where they are too many, before one goes."""
        try:
            found = self._client.list_folder(self._name, path) or []
        except TooLong:
            self._refuse(path)
        self._left -= len(found)
        if self._left < 0:
            self._refuse(path)
        return found

    def remove_tree(self, path: str, depth: int = 0) -> None:
        """A link is removed, not what it leads to."""
        if depth > _DEPTH_MAX:
            self._refuse(path)
        for entry in self.entries(path):
            self.remove_tree(posixpath.join(path, entry), depth + 1)
        self._client.remove_file(self._name, path)

    def _refuse(self, path: str) -> NoReturn:
        raise EngineError(
            "No image is made of this system: too many files lie where its own are taken out.",
            transient=False, detail=f"{self._name}: {path[:200]}",
            helps="Delete files below /var/lib/cloud and /etc/ssh in the machine, then make the image anew.",
        )  # fmt: skip


def forget(client: IncusClient, name: str, user: str) -> None:
    """As often as asked. ``user`` is let in by nothing any more. Raises EngineError."""
    files = _Files(client, name)
    _make_way(client, name, files)
    for path in _FILES:
        client.remove_file(name, path)
    for path in _TREES:
        files.remove_tree(path)
    for entry in files.entries(_SSH):
        if entry.startswith(_HOST_KEY):
            client.remove_file(name, posixpath.join(_SSH, entry))
    # Empty, not missing: a missing one would have systemd take the boot for the very first of the system. A file that
    # is there would keep its mode, by which the system's own users may not read it.
    client.remove_file(name, _MACHINE_ID)
    client.write_file(
        name, _MACHINE_ID, GuestFile(b"", {"X-Incus-uid": "0", "X-Incus-gid": "0", "X-Incus-mode": "0444"})
    )
    _forget_own_name(client, name)
    _shut_out(client, name, user)


def _make_way(client: IncusClient, name: str, files: _Files) -> None:
    """The server finds nothing where it will write, and only folders on the way there."""
    for path in (_SEED, HOSTNAME, *_templates(client, name)):
        for folder in reversed(PurePosixPath(path).parents):
            _refuse_link(client, name, str(folder))
        files.remove_tree(path)


def _templates(client: IncusClient, name: str) -> list[str]:
    """Where those of the image write that the system descends from; it may be no image of ours."""
    told = client.get(path_of("instances", name, "metadata")).get("templates") or {}
    paths = [posixpath.join("/", path) for path, one in told.items() if "copy" in one["when"]]
    return [path for path in paths if not path.startswith(f"{_SEED}/")]


def _refuse_link(client: IncusClient, name: str, folder: str) -> None:
    if client.list_folder(name, folder) is None:
        raise EngineError(
            "No image is made of this system: a folder of its own is missing, or is a link.",
            transient=False, detail=f"{name}: {folder}",
            helps="Make /etc and /var/lib/cloud folders again in the machine, then make the image anew.",
        )  # fmt: skip


def _forget_own_name(client: IncusClient, name: str) -> None:
    """The line is written anew with the name that a machine is given; a link is left alone."""
    try:
        hosts = client.read_file(name, HOSTS)
    except IncusError as error:
        if error.transient:
            raise
        return
    content = without_own_name(hosts.content) if hosts else b""
    if hosts and content != hosts.content:
        client.write_file(name, HOSTS, GuestFile(content, hosts.owner))


def _shut_out(client: IncusClient, name: str, user: str) -> None:
    """A system without the user, or with its passwords elsewhere, lets nobody in by what we put there."""
    shadow = client.read_file(name, SHADOW)
    users = client.read_file(name, USERS)
    try:
        home = home_of(users.content if users else b"", user)
        locked = with_password(shadow.content, user, _NO_PASSWORD, today()) if shadow else b""
    except UnknownUser:
        return
    for keys in ("authorized_keys", "authorized_keys.vmart"):
        client.remove_file(name, f"{home.folder}/.ssh/{keys}")
    client.remove_file(name, SHADOW_BEFORE)
    if shadow:
        client.write_file(name, SHADOW, GuestFile(locked, shadow.owner))
