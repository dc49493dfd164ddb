"""Inside a machine: its name, its network, and how its users get in, set anew.

Its files are changed alike, running or stopped.

A running guest is told by its own programs what these files do not tell it. A hash is in no command line and in no
record of an operation: it goes in as a file, for root alone, where a running guest keeps nothing over a restart.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vmart.engines.contract import SPOT_NOTICE, EngineError, UnknownUser, spot_notice
from vmart.engines.incus.client import GuestFile, IncusClient, IncusError, path_of
from vmart.kernel import clock

_LIMIT_S = 45.0  # a guest that never answers holds a thread of its zone no longer
_ROOT_ALONE = {"X-Incus-uid": "0", "X-Incus-gid": "0", "X-Incus-mode": "0600"}
_LINE = "/run/vmart-password"
USERS = "/etc/passwd"  # the users and their homes
SHADOW, SHADOW_BEFORE = "/etc/shadow", "/etc/shadow-"  # the second is where the guest's tools keep the former one
_SSH_LOGIN = "/etc/ssh/sshd_config.d/50-cloud-init.conf"  # where cloud-init says whether SSH takes passwords
_SSH_PASSWORDS = re.compile(rb"(?mi)^[ \t]*PasswordAuthentication\b.*$")
_WHOLE = b"# vmart: this copy is whole\n"  # ends what is kept of a file while it is written anew
# Where cloud-init finds what the engine says of a machine. It looks at the network once, unless it is told otherwise.
_SEEDS = ("/var/lib/cloud/seed/nocloud", "/var/lib/cloud/seed/nocloud-net")
NETWORK_AGAIN = "/etc/cloud/cloud.cfg.d/95-vmart-network.cfg"
_AT_EACH_START = b"updates:\n  network:\n    when: [boot-new-instance, boot-legacy, boot]\n"
_NO_USER = 67  # EX_NOUSER of sysexits.h

HOSTNAME, HOSTS = "/etc/hostname", "/etc/hosts"
_OWN_NAME = b"127.0.1.1"  # the line of the file hosts by which a system finds itself
_CLOUD_INIT = "/etc/cloud/cloud.cfg"
# cloud-init would make both files anew, with the name of the purchase, at each start.
NAME_STAYS = "/etc/cloud/cloud.cfg.d/99-vmart-hostname.cfg"
_NAME_STAYS_SAYS = b"preserve_hostname: true\nmanage_etc_hosts: false\n"
_ALL_READ = {"X-Incus-uid": "0", "X-Incus-gid": "0", "X-Incus-mode": "0644"}

# A first boot still under way would put the name and the login of the purchase back, and hides files that came before
# its /run: it is waited for, half a minute at most.
_WAIT_BOOT = """
if command -v cloud-init >/dev/null && ! [ -e /run/cloud-init/disabled ]; then
  for _ in $(seq 30); do
    [ -e /var/lib/cloud/instance/sem/config_set_passwords ] && break
    sleep 1
  done
fi
"""
_WAIT = f"""{_WAIT_BOOT}
getent passwd "$1" >/dev/null || exit {_NO_USER}
"""
_LINK = """
ip link set eth1 up &&
  ip -6 address replace "$1/128" dev eth1 &&
  ip -6 route replace "$2" dev eth1 &&
  ip -6 route replace default via "$2" dev eth1
"""
_RENAME = 'hostname "$1"'
# An sshd that does not run reads its settings when it starts; one that refuses them goes on with those of before.
_RELOAD_SSH = """
command -v systemctl >/dev/null || exit 0
systemctl try-reload-or-restart ssh 2>/dev/null || systemctl try-reload-or-restart sshd
"""
_SET = f"""
trap 'rm -f {_LINE}' EXIT
chpasswd -e <{_LINE} || exit 1
({_RELOAD_SSH}) || true
"""


@dataclass(frozen=True, slots=True)
class Home:
    """Where a user's files are, and whose they are, in the server's headers."""

    folder: str
    owner: Mapping[str, str]


class Guest:
    """One machine, from its inside; one that does not run is reached on its disk."""

    def __init__(self, client: IncusClient, name: str, *, is_running: bool) -> None:
        self._client = client
        self._name = name
        self._is_running = is_running

    def set_password(self, user: str, password_hash: str) -> None:
        """The user's, and SSH takes it. Raises UnknownUser, EngineError."""
        if not self._is_running:
            self._write_shadow(user, password_hash)
            self._let_ssh_take_passwords(True)
            return
        self._wait_for(user)
        self._let_ssh_take_passwords(True)
        line = GuestFile(f"{user}:{password_hash}\n".encode(), _ROOT_ALONE)
        self._client.write_file(self._name, _LINE, line)
        if status := self._run(_SET):
            raise EngineError("The machine's system did not take the password.", transient=True, detail=str(status))

    def set_keys(self, user: str, keys: Sequence[str], forgotten: Sequence[str], *, passwords: bool | None) -> None:
        """The user's, without those to be forgotten; ``passwords`` as in the contract. Raises UnknownUser."""
        if self._is_running:
            self._wait_for(user)
        self._write_keys(user, keys, forgotten)
        if passwords is None:
            return
        self._let_ssh_take_passwords(passwords)
        if self._is_running and (status := self._run(_RELOAD_SSH)):
            raise EngineError("The machine's system did not take the keys.", transient=True, detail=str(status))

    def settle(self, network: str, hostname: str) -> None:
        """A disk of an earlier day gets the network and the name that its machine has now; a system that keeps them in
        another way stays as it is, and so does a name that nobody but its customer gave it."""
        try:
            self._settle(network, hostname)
        except EngineError as error:
            if error.transient:
                raise

    def _settle(self, network: str, hostname: str) -> None:
        seeds = self._seeds()
        if any(self._said(f"{folder}/network-config") != network.encode() for folder in seeds):
            self.set_network(network)
        if not self._is_named(hostname, seeds):
            self.set_hostname(hostname)

    def _is_named(self, hostname: str, seeds: Sequence[str]) -> bool:
        """Whether this is the name that was last given to it from outside."""
        if self._client.read_file(self._name, NAME_STAYS) is not None:
            return self._said(HOSTNAME).strip() == hostname.encode()
        line = f"local-hostname: {hostname}".encode()
        return any(line in self._said(f"{folder}/meta-data").splitlines() for folder in seeds)

    def _said(self, path: str) -> bytes:
        found = self._client.read_file(self._name, path)
        return found.content if found else b""

    def _seeds(self) -> list[str]:
        return [folder for folder in _SEEDS if self._client.read_file(self._name, f"{folder}/meta-data")]

    def set_network(self, config: str) -> None:
        """What cloud-init makes of the network, from the next start on and at each: what it made before goes."""
        seeds = self._seeds()
        if not seeds:
            raise EngineError(
                "The machine's system keeps its network in a way that is not known here.", transient=False
            )
        for folder in seeds:
            self._client.write_file(self._name, f"{folder}/network-config", GuestFile(config.encode(), _ROOT_ALONE))
        self._client.write_file(self._name, NETWORK_AGAIN, GuestFile(_AT_EACH_START, _ROOT_ALONE))

    def set_hostname(self, hostname: str) -> None:
        """What the kernel, its own files and cloud-init call the machine. Raises EngineError."""
        if self._is_running and self._run(_WAIT_BOOT):
            raise EngineError("The machine's system is not ready for another host name.", transient=True)
        if self._client.read_file(self._name, _CLOUD_INIT) is not None:
            self._client.write_file(self._name, NAME_STAYS, GuestFile(_NAME_STAYS_SAYS, _ALL_READ))
        self._rewrite(HOSTNAME, _ALL_READ, lambda _: hostname.encode() + b"\n")
        self._rewrite(HOSTS, _ALL_READ, lambda hosts: with_own_name(hosts, hostname))
        if self._is_running and (status := self._run(_RENAME, hostname)):
            raise EngineError("The machine's system did not take the host name.", transient=True, detail=str(status))

    def set_link(self, address: str, gateway: str) -> None:
        """A link that came while it runs has its address. A system without the programs for it has it from its next
        start on, at which the engine sets the link up.
        """
        self._run(_LINK, address, gateway)

    def tell_end(self, at: dt.datetime) -> None:
        """When a spot machine is taken back, where its programs look for it. It is not kept over a restart."""
        folder = {**_ALL_READ, "X-Incus-mode": "0755"}
        self._client.make_folder(self._name, SPOT_NOTICE.rpartition("/")[0], folder)
        self._client.write_file(self._name, SPOT_NOTICE, GuestFile(f"{spot_notice(at)}\n".encode(), _ALL_READ))

    def _wait_for(self, user: str) -> None:
        """Until the first boot is through with logins. Raises UnknownUser, EngineError."""
        status = self._run(_WAIT, user)
        if status == _NO_USER:
            raise UnknownUser(detail=user)
        if status:
            raise EngineError("The machine's system is not ready for a change of its login.", transient=True)

    def _run(self, script: str, *arguments: str) -> int:
        """What the script exits with, run by root; -1 where the guest did not say."""
        body = {"command": ["sh", "-c", script, "sh", *arguments], "interactive": False, "wait-for-websocket": False}
        ended = self._client.send("POST", path_of("instances", self._name, "exec"), body, limit_s=_LIMIT_S)
        return int((ended.get("metadata") or {}).get("return", -1))

    def _let_ssh_take_passwords(self, take: bool) -> None:
        held = self._client.read_file(self._name, _SSH_LOGIN) or GuestFile(b"", _ROOT_ALONE)
        content = with_ssh_passwords(held.content, take)
        if content != held.content:
            self._client.write_file(self._name, _SSH_LOGIN, GuestFile(content, held.owner))

    def _write_shadow(self, user: str, password_hash: str) -> None:
        shadow = self._shadow()
        content = with_password(shadow.content, user, password_hash, today())
        # Cut short by a fault, the file is made anew from the one before, which is written first.
        self._client.write_file(self._name, SHADOW_BEFORE, shadow)
        self._client.write_file(self._name, SHADOW, GuestFile(content, shadow.owner))

    def _shadow(self) -> GuestFile:
        """The users' passwords; those of before where an earlier call was cut short while it wrote."""
        for path in (SHADOW, SHADOW_BEFORE):
            found = self._client.read_file(self._name, path)
            if found is not None and found.content.endswith(b"\n"):
                return found
        raise EngineError("The machine's system keeps its passwords in a way that is not known here.", transient=False)

    def _write_keys(self, user: str, keys: Sequence[str], forgotten: Sequence[str]) -> None:
        home = self._home(user)
        owner = {**home.owner, "X-Incus-mode": "0600"}
        folder = {**home.owner, "X-Incus-mode": "0700"}
        self._rewrite(
            f"{home.folder}/.ssh/authorized_keys", owner, lambda lines: with_keys(lines, keys, forgotten), folder=folder
        )

    def _rewrite(
        self,
        path: str,
        owner: Mapping[str, str],
        change: Callable[[bytes], bytes],
        *,
        folder: Mapping[str, str] | None = None,
    ) -> None:
        """Lines that the customer wrote are lost to no fault: they are kept beside the file while it is written.

        ``owner`` is of a file that is not there yet, ``folder`` of the one that is then made for it.
        """
        held, kept = self._plain(path), self._kept_of(path)
        before = kept or held or GuestFile(b"", owner)
        after = GuestFile(change(before.content), before.owner)
        if kept is None and after.content == before.content:
            return
        if held is None and folder is not None:
            self._client.make_folder(self._name, path.rpartition("/")[0], folder)
        self._client.write_file(self._name, copy_of(path), GuestFile(before.content + _WHOLE, before.owner))
        self._client.write_file(self._name, path, after)
        self._client.remove_file(self._name, copy_of(path))

    def _plain(self, path: str) -> GuestFile | None:
        try:
            return self._client.read_file(self._name, path)
        except IncusError as error:
            if error.transient:
                raise
            raise EngineError(  # a link: what it leads to may be any file
                "The machine's system keeps its files in a way that is not known here.",
                transient=False, detail=f"{path}: {error.text}",
            ) from error  # fmt: skip

    def _kept_of(self, path: str) -> GuestFile | None:
        """The file as it was before an earlier call that was cut short while it wrote; None without one."""
        copy = self._client.read_file(self._name, copy_of(path))
        if copy is None or not copy.content.endswith(_WHOLE):
            return None
        return GuestFile(copy.content.removesuffix(_WHOLE), copy.owner)

    def _home(self, user: str) -> Home:
        users = self._client.read_file(self._name, USERS)
        return home_of(users.content if users else b"", user)


def copy_of(path: str) -> str:
    return f"{path}.vmart"


def home_of(users: bytes, user: str) -> Home:
    """Of the file passwd(5). Raises UnknownUser."""
    for line in users.splitlines():
        fields = line.decode(errors="replace").split(":")
        if len(fields) == 7 and fields[0] == user:
            return Home(fields[5].rstrip("/"), {"X-Incus-uid": fields[2], "X-Incus-gid": fields[3]})
    raise UnknownUser(detail=user)


def with_ssh_passwords(settings: bytes, take: bool) -> bytes:
    """The file sshd_config(5), saying whether passwords are taken; a file that says nothing takes them."""
    wanted = b"PasswordAuthentication " + (b"yes" if take else b"no")
    if _SSH_PASSWORDS.search(settings):
        return _SSH_PASSWORDS.sub(wanted, settings)
    if take:
        return settings
    return _whole_lines(settings) + wanted + b"\n"


def with_own_name(hosts: bytes, hostname: str) -> bytes:
    """The file hosts(5), in which the system finds itself by this name; each other line stays as it is."""
    short = hostname.partition(".")[0]
    names = hostname if short == hostname else f"{hostname} {short}"
    line, lines = _OWN_NAME + b" " + names.encode(), hosts.splitlines()
    kept = [line if there.split()[:1] == [_OWN_NAME] else there for there in lines]
    return b"".join(one + b"\n" for one in (kept if line in kept else [*kept, line]))


def without_own_name(hosts: bytes) -> bytes:
    """The file hosts(5) without the line by which the system finds itself."""
    return b"".join(line for line in hosts.splitlines(keepends=True) if line.split()[:1] != [_OWN_NAME])


def with_keys(lines: bytes, keys: Sequence[str], forgotten: Sequence[str]) -> bytes:
    """The file authorized_keys with these public keys and without those; each other line stays as it is.

    A key to be forgotten goes with whatever options somebody gave it: it shall open nothing any more. A wanted one
    has a line without options.
    """
    gone = {key.split()[1].encode() for key in forgotten}
    kept = [line for line in lines.split(b"\n") if line.startswith(b"#") or gone.isdisjoint(line.split())]
    there = {tuple(line.split()[:2]) for line in kept}
    missing = [key.encode() for key in keys if tuple(key.encode().split()[:2]) not in there]
    return b"".join([_whole_lines(b"\n".join(kept)), *(line + b"\n" for line in missing)])


def _whole_lines(text: bytes) -> bytes:
    return text if not text or text.endswith(b"\n") else text + b"\n"


def today() -> int:
    """Days since 1970, as shadow(5) counts them. A password that was changed at day 0 lets nobody in, not by a key
    either, before it is changed.
    """
    return int(clock.wall().timestamp()) // 86400


def with_password(shadow: bytes, user: str, password_hash: str, changed: int) -> bytes:
    """The file shadow(5) with the user's hash, changed at that day (``today``). Raises UnknownUser."""
    lines = shadow.split(b"\n")
    for number, line in enumerate(lines):
        name, colon, rest = line.partition(b":")
        if colon and name == user.encode():
            ages = rest.split(b":")[2:]
            lines[number] = b":".join([name, password_hash.encode(), str(changed).encode(), *ages])
            return b"\n".join(lines)
    raise UnknownUser(detail=user)
