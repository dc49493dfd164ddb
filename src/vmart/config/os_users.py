"""The system users that vmart's processes run as when the supervisor is root (decision 9).

Not root: everything runs as the caller, and nothing here changes anything.
"""

import grp
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

DB = "vmart-db"
WEB = "vmart-web"
WORKER = "vmart-worker"
GROUP = "vmart"  # may reach the database's socket and the secrets; nobody else is in it
_USERS = (DB, WEB, WORKER)
# What web and worker get of their caller's environment: the shop's settings, libpq's, language and time, and how
# to reach card providers. Root's shell may hold much else.
_GOES_ALONG = re.compile(
    r"VMART_\w+|PG\w+|PYTHON\w+|PATH|LANG|LANGUAGE|LC_\w+|TZ|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|(https?|all|no)_proxy",
    re.I,
)


class UsersMissing(Exception):
    """The system users cannot be made, or cannot reach a folder they need; the text says what to do."""


def is_root() -> bool:
    return os.geteuid() == 0


def ensure_users() -> None:
    """Make group and users unless they are there. Only as root; raises UsersMissing with the reason."""
    if not is_root():
        return
    try:
        grp.getgrnam(GROUP)
    except KeyError:
        _run("groupadd", "--system", GROUP)
    for user in _USERS:
        try:
            pwd.getpwnam(user)
        except KeyError:
            _run(
                "useradd", "--system", "--user-group", "--groups", GROUP, "--no-create-home",
                "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", user,
            )  # fmt: skip


def _run(program: str, *arguments: str) -> None:
    path = shutil.which(program, path="/usr/sbin:/sbin:/usr/bin:/bin")
    if path is None:
        raise UsersMissing(f"{program} is not on this machine: install the package `passwd`")
    done = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 9):  # 9: another start made it at the same time
        raise UsersMissing(f"{program} {arguments[-1]} failed: {done.stderr.strip()}")


def uid_gid(user: str) -> tuple[int, int]:
    """Numeric user and primary group that ``user`` has here; the caller's own when not root."""
    if not is_root():
        return os.getuid(), os.getgid()
    entry = pwd.getpwnam(user)
    return entry.pw_uid, entry.pw_gid


def group_gid() -> int:
    """Numeric id of the shared group; the caller's own when not root."""
    return grp.getgrnam(GROUP).gr_gid if is_root() else os.getgid()


def as_user(
    user: str, *, death_signal: str | None = None, ambient: tuple[str, ...] = (), groups: tuple[str, ...] = ()
) -> list[str]:
    """The words to put before a command so that it runs as ``user`` and ends with its parent.

    ``death_signal`` (``TERM``, ``INT``) is what the kernel sends when the parent dies; ``ambient``
    are capabilities that survive the change of user (``net_admin``); ``groups`` are further groups,
    by name or number. util-linux's setpriv does it, because the order matters: a change of user
    clears the death signal and the capabilities.
    """
    words = ["setpriv"]
    if is_root():
        uid, gid = uid_gid(user)
        words += ["--reuid", str(uid), "--regid", str(gid), "--no-new-privs"]
        if groups:
            members = {gid, group_gid(), *(_gid_of(group) for group in groups)}
            words += ["--groups", ",".join(str(member) for member in sorted(members))]
        else:
            words += ["--init-groups"]
        kept = ",".join(["-all", *(f"+{name}" for name in ambient)])
        words += ["--inh-caps", kept, "--ambient-caps", kept, "--bounding-set", kept]
    if death_signal:
        words += ["--pdeathsig", death_signal]
    return words if len(words) > 1 else []


def environment_of_others(environment: Mapping[str, str]) -> dict[str, str]:
    """What of root's environment a process of another user gets; all of it when not root."""
    if not is_root():
        return dict(environment)
    kept = {name: text for name, text in environment.items() if _GOES_ALONG.fullmatch(name)}
    return kept | {"HOME": "/nonexistent"}


def groups_for(sockets: Iterable[str]) -> tuple[str, ...]:
    """Numbers of the groups that the worker must be in to reach these sockets; none when not root: it is the caller."""
    if not is_root():
        return ()
    return tuple(sorted({str(Path(path).stat().st_gid) for path in sockets if Path(path).exists()}))


def _gid_of(group: str) -> int:
    return int(group) if group.isdigit() else grp.getgrnam(group).gr_gid


def require_reach(user: str, path: Path, what: str) -> None:
    """Refuse, with the folder at fault, when ``user`` cannot read ``path`` through its parents."""
    if not is_root():
        return
    entry = pwd.getpwnam(user)
    member_of = {entry.pw_gid, group_gid()}
    resolved = path.resolve()
    for place in [*reversed(resolved.parents), resolved]:
        status = place.stat()
        needed = 0o1 if place.is_dir() else 0o4
        if status.st_uid == entry.pw_uid:
            allowed = status.st_mode >> 6
        elif status.st_gid in member_of:
            allowed = status.st_mode >> 3
        else:
            allowed = status.st_mode
        if not allowed & needed:
            raise UsersMissing(
                f"{what} lies under {place}, which the user {user} may not enter: use a folder that every user "
                f"can reach (as root by default /var/lib/vmart for the data, /opt/vmart for the programs)"
            )
