"""A guest's files by which its users get in, with a password or keys set anew, and by which it knows its name."""

from collections.abc import Mapping
from typing import Any

import pytest

from vmart.engines.contract import EngineError, UnknownUser
from vmart.engines.incus.client import GuestFile
from vmart.engines.incus.guest import (
    Guest,
    Home,
    home_of,
    with_keys,
    with_own_name,
    with_password,
    with_ssh_passwords,
)

SHADOW = b"root:$6$old$x:19000:0:99999:7:::\nrooty:*:19000:0:99999:7:::\nubuntu:!:19000:0:99999:7:30::\n"
OWNER = {"X-Incus-uid": "0", "X-Incus-gid": "42", "X-Incus-mode": "0640"}
SSH_NO = GuestFile(b"PasswordAuthentication no\n", {"X-Incus-mode": "0600"})
_PATHS = {
    "passwd": "/etc/passwd",
    "shadow": "/etc/shadow",
    "before": "/etc/shadow-",
    "ssh": "/etc/ssh/sshd_config.d/50-cloud-init.conf",
}


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
        self.folders: dict[str, dict[str, str]] = {}
        self.cut_at, self.unremovable = "", False

    def read_file(self, machine: str, path: str) -> GuestFile | None:
        return self.files.get(path)

    def make_folder(self, machine: str, path: str, owner: Mapping[str, str]) -> None:
        self.folders[path] = dict(owner)

    def remove_file(self, machine: str, path: str) -> None:
        if self.unremovable:
            self._cut()
        del self.files[path]

    def write_file(self, machine: str, path: str, file: GuestFile) -> None:
        self.files[path] = GuestFile(b"", file.owner) if path == self.cut_at else file
        if path == self.cut_at:
            self._cut()

    def _cut(self) -> None:
        self.cut_at = ""
        raise EngineError("The compute engine does not answer.", transient=True)


def _guest(disk: Any) -> Guest:
    return Guest(disk, "ins-1", is_running=False)


@pytest.mark.parametrize("cut_at", ["", *_PATHS.values()])
def test_a_write_that_is_cut_short_loses_no_user(cut_at: str) -> None:
    disk = Disk(shadow=GuestFile(SHADOW, OWNER), ssh=SSH_NO)
    disk.cut_at = cut_at
    for _ in range(2 if cut_at else 1):
        try:
            _guest(disk).set_password("root", "$6$new$y")
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
    with pytest.raises(UnknownUser):
        _guest(disk).set_password("eve", "$6$new$y")
    assert disk.files == {"/etc/shadow": GuestFile(SHADOW, OWNER)}
    with pytest.raises(EngineError, match="in a way that is not known"):
        _guest(Disk()).set_password("root", "$6$new$y")


# -- keys ------------------------------------------------------------------------------------------

ONE, TWO, OWN = "ssh-ed25519 AAAAone first", "ssh-rsa AAAAtwo", "ssh-ed25519 AAAAown mine"
PASSWD = b"root:x:0:0:root:/root:/bin/bash\napp:x:1000:1001:An app:/home/app/:/bin/sh\nbroken:x:1\n"
KEYS, COPY = "/home/app/.ssh/authorized_keys", "/home/app/.ssh/authorized_keys.vmart"
APP = {"X-Incus-uid": "1000", "X-Incus-gid": "1001"}
APP_ALONE = {**APP, "X-Incus-mode": "0600"}


@pytest.mark.parametrize(
    ("before", "keys", "forgotten", "after"),
    [
        (b"", [], [], b""),
        (b"", [ONE], [], b"ssh-ed25519 AAAAone first\n"),
        (b"", [ONE, TWO], [OWN], b"ssh-ed25519 AAAAone first\nssh-rsa AAAAtwo\n"),
        (b"ssh-ed25519 AAAAown mine", [TWO], [], b"ssh-ed25519 AAAAown mine\nssh-rsa AAAAtwo\n"),
        (b"ssh-ed25519 AAAAone renamed\n", [ONE], [], b"ssh-ed25519 AAAAone renamed\n"),
        (b"# a note AAAAone\n\nssh-ed25519 AAAAone\nssh-rsa AAAAown\n", [TWO], [ONE],
         b"# a note AAAAone\n\nssh-rsa AAAAown\nssh-rsa AAAAtwo\n"),
        (b'from="10.0.0.1 ",no-pty ssh-ed25519 AAAAone x\n', [], [ONE], b""),
        (b'command="id" ssh-ed25519 AAAAone\n', [ONE], [], b'command="id" ssh-ed25519 AAAAone\n'
         b"ssh-ed25519 AAAAone first\n"),
        (b"ssh-ed25519 AAAAonetwo\n", [], [ONE], b"ssh-ed25519 AAAAonetwo\n"),
        (b"ssh-ed25519 AAAAone old\n", ["ssh-ed25519 AAAAone new"], ["ssh-ed25519 AAAAone old"],
         b"ssh-ed25519 AAAAone new\n"),
        (b"\xff\xfe no text\n", [ONE], [TWO], b"\xff\xfe no text\nssh-ed25519 AAAAone first\n"),
    ],
)  # fmt: skip
def test_keys_come_and_go_and_other_lines_stay(
    before: bytes, keys: list[str], forgotten: list[str], after: bytes
) -> None:
    assert with_keys(before, keys, forgotten) == after
    assert with_keys(after, keys, forgotten if not set(keys) & set(forgotten) else []) == after


@pytest.mark.parametrize(
    ("before", "take", "after"),
    [
        (b"", True, b""),
        (b"", False, b"PasswordAuthentication no\n"),
        (b"PasswordAuthentication no\n", True, b"PasswordAuthentication yes\n"),
        (b"PasswordAuthentication yes\n", False, b"PasswordAuthentication no\n"),
        (b"X11Forwarding no\n  passwordauthentication  Yes", False, b"X11Forwarding no\nPasswordAuthentication no"),
        (b"#PasswordAuthentication yes", False, b"#PasswordAuthentication yes\nPasswordAuthentication no\n"),
    ],
)
def test_whether_ssh_takes_passwords_is_one_setting(before: bytes, take: bool, after: bytes) -> None:
    assert with_ssh_passwords(before, take) == after
    assert with_ssh_passwords(after, take) == after


def test_a_home_is_found_by_its_user() -> None:
    assert home_of(PASSWD, "app") == Home("/home/app", APP)
    for user in ("", "ap", "broken", "app:x"):
        with pytest.raises(UnknownUser):
            home_of(PASSWD, user)


def test_the_first_key_makes_file_and_folder_for_their_user_alone() -> None:
    disk = Disk(passwd=GuestFile(PASSWD, OWNER), ssh=SSH_NO)
    for _ in range(2):
        _guest(disk).set_keys("app", [ONE], [TWO], passwords=None)
        assert disk.files == {
            "/etc/passwd": GuestFile(PASSWD, OWNER), _PATHS["ssh"]: SSH_NO,
            KEYS: GuestFile(f"{ONE}\n".encode(), APP_ALONE),
        }  # fmt: skip
    assert disk.folders == {"/home/app/.ssh": {**APP, "X-Incus-mode": "0700"}}
    _guest(disk).set_keys("app", [], [ONE], passwords=True)
    assert disk.files[KEYS] == GuestFile(b"", APP_ALONE)
    assert disk.files[_PATHS["ssh"]].content == b"PasswordAuthentication yes\n"
    with pytest.raises(UnknownUser):
        _guest(disk).set_keys("eve", [ONE], [], passwords=False)
    assert disk.files[_PATHS["ssh"]].content == b"PasswordAuthentication yes\n"


@pytest.mark.parametrize("cut_at", ["", COPY, KEYS, _PATHS["ssh"]])
def test_a_write_that_is_cut_short_loses_no_line_of_the_customers(cut_at: str) -> None:
    ssh = GuestFile(b"PasswordAuthentication yes\n", SSH_NO.owner)
    disk = Disk(passwd=GuestFile(PASSWD, OWNER), ssh=ssh)
    owner = {**APP, "X-Incus-mode": "0640"}
    disk.files[KEYS] = GuestFile(f"{OWN}\n{TWO}".encode(), owner)
    disk.cut_at = cut_at
    if cut_at:
        with pytest.raises(EngineError, match="does not answer"):
            _guest(disk).set_keys("app", [ONE], [TWO], passwords=False)
    _guest(disk).set_keys("app", [ONE], [TWO], passwords=False)
    assert disk.files[KEYS] == GuestFile(f"{OWN}\n{ONE}\n".encode(), owner)
    assert COPY not in disk.files
    assert disk.files[_PATHS["ssh"]] == GuestFile(b"PasswordAuthentication no\n", ssh.owner)


def test_an_answer_to_the_removal_of_the_copy_that_is_lost_changes_nothing() -> None:
    """Given the copy stays, then the next call begins with what it says."""
    disk = Disk(passwd=GuestFile(PASSWD, OWNER))
    disk.files[KEYS] = GuestFile(f"{OWN}\n{TWO}\n".encode(), APP_ALONE)
    disk.unremovable = True
    with pytest.raises(EngineError, match="does not answer"):
        _guest(disk).set_keys("app", [ONE], [TWO], passwords=None)
    disk.unremovable = False
    _guest(disk).set_keys("app", [], [ONE], passwords=None)
    assert disk.files[KEYS].content == f"{OWN}\n{TWO}\n".encode()
    assert COPY not in disk.files


# -- its name --------------------------------------------------------------------------------------

HOSTS = b"127.0.1.1 old old\n127.0.0.1 localhost\n10.0.0.9 mine # by hand\n"
NAMED = b"127.0.1.1 web-2\n127.0.0.1 localhost\n10.0.0.9 mine # by hand\n"
CLOUD, STAYS = "/etc/cloud/cloud.cfg", "/etc/cloud/cloud.cfg.d/99-vmart-hostname.cfg"
ROOTS = {"X-Incus-uid": "0", "X-Incus-gid": "0", "X-Incus-mode": "0644"}


@pytest.mark.parametrize(
    ("before", "hostname", "after"),
    [
        (b"", "web-2", b"127.0.1.1 web-2\n"),
        (HOSTS, "web-2", NAMED),
        (b"127.0.1.1 old\n127.0.1.1\tolder\n", "web-2", b"127.0.1.1 web-2\n127.0.1.1 web-2\n"),
        (b"# 127.0.1.1 old\n127.0.1.10 b", "a.b.c", b"# 127.0.1.1 old\n127.0.1.10 b\n127.0.1.1 a.b.c a\n"),
    ],
)
def test_a_system_finds_itself_by_its_name(before: bytes, hostname: str, after: bytes) -> None:
    assert with_own_name(before, hostname) == after
    assert with_own_name(after, hostname) == after


@pytest.mark.parametrize("cut_at", ["", "/etc/hostname", "/etc/hosts", "/etc/hosts.vmart", STAYS])
@pytest.mark.parametrize("has_cloud_init", [True, False])
def test_a_name_is_in_all_its_files_and_no_line_of_the_customers_is_lost(cut_at: str, *, has_cloud_init: bool) -> None:
    disk = Disk()
    disk.files = {"/etc/hostname": GuestFile(b"old\n", ROOTS), "/etc/hosts": GuestFile(HOSTS, ROOTS)}
    cloud = {CLOUD: GuestFile(b"disable_root: false\n", ROOTS)} if has_cloud_init else {}
    disk.files |= cloud
    disk.cut_at = cut_at
    if cut_at and (has_cloud_init or cut_at != STAYS):
        with pytest.raises(EngineError, match="does not answer"):
            _guest(disk).set_hostname("web-2")
    for _ in range(2):
        _guest(disk).set_hostname("web-2")
        kept = {STAYS: GuestFile(b"preserve_hostname: true\nmanage_etc_hosts: false\n", ROOTS)} if cloud else {}
        assert disk.files == {
            "/etc/hostname": GuestFile(b"web-2\n", ROOTS), "/etc/hosts": GuestFile(NAMED, ROOTS), **cloud, **kept,
        }  # fmt: skip


SEED = "/var/lib/cloud/seed/nocloud"
STAYS = "/etc/cloud/cloud.cfg.d/99-vmart-hostname.cfg"
AGAIN = "/etc/cloud/cloud.cfg.d/95-vmart-network.cfg"


def _of_cloud_init(name: bytes, network: bytes = b"old") -> Disk:
    disk, owner = Disk(), {"X-Incus-mode": "0644"}
    said = {f"{SEED}/meta-data": b"instance-id: ins-1\nlocal-hostname: web-1\n", f"{SEED}/network-config": network,
            "/etc/cloud/cloud.cfg": b"", "/etc/hostname": name, "/etc/hosts": b"127.0.1.1 web-1\n"}  # fmt: skip
    disk.files = {path: GuestFile(content, owner) for path, content in said.items()}
    return disk


def test_a_disk_of_before_a_move_gets_the_network_of_now() -> None:
    disk = _of_cloud_init(b"web-1\n")
    _guest(disk).settle("new", "web-1")
    assert disk.files[f"{SEED}/network-config"].content == b"new"
    assert AGAIN in disk.files
    assert STAYS not in disk.files


@pytest.mark.parametrize(
    ("held", "renamed", "now", "after"),
    [
        (b"web-1\n", False, "web-1", b"web-1\n"),
        (b"own\n", False, "web-1", b"own\n"),  # the customer's own, and never renamed from outside
        (b"web-1\n", False, "db-7", b"db-7\n"),
        (b"db-7\n", True, "db-7", b"db-7\n"),
        (b"db-7\n", True, "web-1", b"web-1\n"),
    ],
)
def test_a_disk_of_before_a_rename_gets_the_name_of_now(held: bytes, renamed: bool, now: str, after: bytes) -> None:
    disk = _of_cloud_init(held, b"now")
    if renamed:
        disk.files[STAYS] = GuestFile(b"preserve_hostname: true\n", {})
    _guest(disk).settle("now", now)
    assert (disk.files["/etc/hostname"].content, AGAIN in disk.files) == (after, False)
    assert (STAYS in disk.files) == (renamed or now != "web-1")


def test_a_system_that_keeps_its_network_in_another_way_is_given_back_all_the_same() -> None:
    disk = _of_cloud_init(b"web-1\n")
    del disk.files[f"{SEED}/meta-data"]
    _guest(disk).settle("new", "db-7")
    assert disk.files[f"{SEED}/network-config"].content == b"old"
    assert disk.files["/etc/hostname"].content == b"db-7\n"
