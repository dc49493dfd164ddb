"""Inside a machine: a user's password set anew, running by the guest's own program, stopped on its disk.

A hash is in no command line and in no record of an operation: it goes in as a file, for root alone, where a
running guest keeps nothing over a restart.
"""

from vmart.engines.contract import EngineError, UnknownUser
from vmart.engines.incus.client import GuestFile, IncusClient, path_of
from vmart.kernel import clock

_LIMIT_S = 45.0  # a guest that never answers holds a thread of its zone no longer
_ROOT_ALONE = {"X-Incus-uid": "0", "X-Incus-gid": "0", "X-Incus-mode": "0600"}
_LINE = "/run/vmart-password"
_SHADOW, _SHADOW_BEFORE = "/etc/shadow", "/etc/shadow-"  # the second is where the guest's tools keep the former one
_SSH_LOGIN = "/etc/ssh/sshd_config.d/50-cloud-init.conf"  # where cloud-init says whether SSH takes passwords
_NO, _YES = b"PasswordAuthentication no", b"PasswordAuthentication yes"
_NO_USER = 67  # EX_NOUSER of sysexits.h

# A first boot still under way would put the password of the purchase back, and hides files that came before its /run:
# it is waited for, half a minute at most.
_WAIT = f"""
if command -v cloud-init >/dev/null && ! [ -e /run/cloud-init/disabled ]; then
  for _ in $(seq 30); do
    [ -e /var/lib/cloud/instance/sem/config_set_passwords ] && break
    sleep 1
  done
fi
getent passwd "$1" >/dev/null || exit {_NO_USER}
"""
_SET = f"""
trap 'rm -f {_LINE}' EXIT
chpasswd -e <{_LINE} || exit 1
if grep -q '^{_NO.decode()}$' {_SSH_LOGIN} 2>/dev/null; then
  sed -i 's/^{_NO.decode()}$/{_YES.decode()}/' {_SSH_LOGIN}
  systemctl reload ssh 2>/dev/null || systemctl reload sshd 2>/dev/null || true
fi
"""


class Guest:
    """One machine, from its inside."""

    def __init__(self, client: IncusClient, name: str) -> None:
        self._client = client
        self._name = name

    def set_password(self, user: str, password_hash: str) -> None:
        """By ``chpasswd``, which reads its input; the machine runs. Raises UnknownUser, EngineError."""
        status = self._shell(_WAIT, user)
        if status == _NO_USER:
            raise UnknownUser(detail=user)
        if status == 0:
            line = GuestFile(f"{user}:{password_hash}\n".encode(), _ROOT_ALONE)
            self._client.write_file(self._name, _LINE, line)
            status = self._shell(_SET)
        if status != 0:
            raise EngineError("The machine's system did not take the password.", transient=True, detail=str(status))

    def _shell(self, script: str, *arguments: str) -> object:
        """What the script exits with, run by root."""
        body = {"command": ["sh", "-c", script, "sh", *arguments], "interactive": False, "wait-for-websocket": False}
        ended = self._client.send("POST", path_of("instances", self._name, "exec"), body, limit_s=_LIMIT_S)
        return (ended.get("metadata") or {}).get("return")

    def write_password(self, user: str, password_hash: str, *, is_container: bool) -> None:
        """On the disk of a stopped container. Raises UnknownUser, EngineError for a virtual machine."""
        if not is_container:
            raise EngineError("A virtual machine has to run for its password to be reset.", transient=False)
        shadow = self._shadow()
        content = with_password(shadow.content, user, password_hash, int(clock.wall().timestamp()) // 86400)
        # Cut short by a fault, the file is made anew from the one before, which is written first.
        self._client.write_file(self._name, _SHADOW_BEFORE, shadow)
        self._client.write_file(self._name, _SHADOW, GuestFile(content, shadow.owner))
        ssh = self._client.read_file(self._name, _SSH_LOGIN)
        if ssh is not None and _NO in ssh.content.splitlines():
            self._client.write_file(self._name, _SSH_LOGIN, GuestFile(ssh.content.replace(_NO, _YES), ssh.owner))

    def _shadow(self) -> GuestFile:
        """The users' passwords; those of before where an earlier call was cut short while it wrote."""
        for path in (_SHADOW, _SHADOW_BEFORE):
            found = self._client.read_file(self._name, path)
            if found is not None and found.content.endswith(b"\n"):
                return found
        raise EngineError("The machine's system keeps its passwords in a way that is not known here.", transient=False)


def with_password(shadow: bytes, user: str, password_hash: str, today: int) -> bytes:
    """The file shadow(5) with the user's hash, changed ``today`` (days since 1970). Raises UnknownUser."""
    lines = shadow.split(b"\n")
    for number, line in enumerate(lines):
        name, colon, rest = line.partition(b":")
        if colon and name == user.encode():
            ages = rest.split(b":")[2:]
            lines[number] = b":".join([name, password_hash.encode(), str(today).encode(), *ages])
            return b"\n".join(lines)
    raise UnknownUser(detail=user)
