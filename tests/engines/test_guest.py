"""The file of a guest's passwords, with one of them set anew."""

from typing import Any

import pytest

from vmart.engines.contract import EngineError, UnknownUser
from vmart.engines.incus.client import GuestFile
from vmart.engines.incus.guest import Guest, with_password

SHADOW = b"root:$6$old$x:19000:0:99999:7:::\nrooty:*:19000:0:99999:7:::\nubuntu:!:19000:0:99999:7:30::\n"
OWNER = {"X-Incus-uid": "0", "X-Incus-gid": "42", "X-Incus-mode": "0640"}
SSH_NO = GuestFile(b"PasswordAuthentication no\n", {"X-Incus-mode": "0600"})
_PATHS = {"shadow": "/etc/shadow", "before": "/etc/shadow-", "ssh": "/etc/ssh/sshd_config.d/50-cloud-init.conf"}


@pytest.mark.parametrize(
    ("user", "line"),
    [
        ("root", b"root:$6$new$y:20000:0:99999:7:::"),
        ("rooty", b"rooty:$6$new$y:20000:0:99999:7:::"),
        ("ubuntu", b"ubuntu:$6$new$y:20000:0:99999:7:30::"),
    ],
)
def test_one_users_hash_and_its_day_change_and_nothing_else(user: str, line: bytes) -> None:
    lines, before = with_password(SHADOW, user, "$6$new$y", 20000).split(b"\n"), SHADOW.split(b"\n")
    assert [each for each in lines if each not in before] == [line]
    assert len(lines) == len(before)
    assert with_password(b"\n".join(lines), user, "$6$new$y", 20000) == b"\n".join(lines)


@pytest.mark.parametrize("user", ["", "roo", "root:", "ROOT", "$6$old$x", "nobody", "ubuntu:!"])
def test_a_user_who_is_not_there_is_unknown(user: str) -> None:
    with pytest.raises(UnknownUser):
        with_password(SHADOW, user, "$6$new$y", 20000)


class Disk:
    """The files of a stopped machine; a write may be cut short, as when the host fails in it."""

    def __init__(self, **files: GuestFile) -> None:
        self.files = {_PATHS[name]: file for name, file in files.items()}
        self.cut_at = ""

    def read_file(self, machine: str, path: str) -> GuestFile | None:
        return self.files.get(path)

    def write_file(self, machine: str, path: str, file: GuestFile) -> None:
        self.files[path] = GuestFile(b"", file.owner) if path == self.cut_at else file
        if path == self.cut_at:
            self.cut_at = ""
            raise EngineError("The compute engine does not answer.", transient=True)


def _guest(disk: Any) -> Guest:
    return Guest(disk, "ins-1")


@pytest.mark.parametrize("cut_at", ["", *_PATHS.values()])
def test_a_write_that_is_cut_short_loses_no_user(cut_at: str) -> None:
    disk = Disk(shadow=GuestFile(SHADOW, OWNER), ssh=SSH_NO)
    disk.cut_at = cut_at
    for _ in range(2 if cut_at else 1):
        try:
            _guest(disk).write_password("root", "$6$new$y", is_container=True)
        except EngineError:
            continue
    shadow = disk.files["/etc/shadow"]
    assert shadow.owner == OWNER
    assert [line.split(b":")[:2] for line in shadow.content.splitlines()] == [
        [b"root", b"$6$new$y"], [b"rooty", b"*"], [b"ubuntu", b"!"],
    ]  # fmt: skip
    assert cut_at == _PATHS["ssh"] or disk.files[_PATHS["ssh"]].content == b"PasswordAuthentication yes\n"


def test_what_cannot_be_reached_is_refused_and_written_nowhere() -> None:
    disk = Disk(shadow=GuestFile(SHADOW, OWNER))
    with pytest.raises(EngineError, match="A virtual machine has to run"):
        _guest(disk).write_password("root", "$6$new$y", is_container=False)
    with pytest.raises(UnknownUser):
        _guest(disk).write_password("eve", "$6$new$y", is_container=True)
    assert disk.files == {"/etc/shadow": GuestFile(SHADOW, OWNER)}
    with pytest.raises(EngineError, match="in a way that is not known"):
        _guest(Disk()).write_password("root", "$6$new$y", is_container=True)
