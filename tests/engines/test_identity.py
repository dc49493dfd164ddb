"""What is taken out of a copy of a customer's system disk, whatever the customer left there."""

import posixpath
from typing import TYPE_CHECKING, Any, cast

import pytest

from vmart.engines.contract import EngineError
from vmart.engines.incus import identity
from vmart.engines.incus.client import GuestFile, IncusError, TooLong
from vmart.engines.incus.guest import Guest

if TYPE_CHECKING:
    from vmart.engines.incus.client import IncusClient

LINK = "a link"
_FOLDERS = ("/etc", "/etc/ssh", "/var", "/var/lib", "/var/lib/cloud", "/root")
_ROOT = {"X-Incus-uid": "0", "X-Incus-gid": "0", "X-Incus-mode": "0644"}


class Copy:
    """The files of a copy that is off: None is a folder, LINK a link, bytes a file. A link leads to ``/outside``."""

    def __init__(self) -> None:
        self.files: dict[str, Any] = dict.fromkeys(_FOLDERS)
        self.files |= {"/etc/passwd": b"root:x:0:0:root:/root:/bin/bash\n", "/etc/shadow": b"root:$6$a$b:1::::::\n"}
        self.templates: dict[str, Any] = {}
        self.calls = 0

    def holds(self, path: str, what: Any = b"x") -> None:
        """With the folders above it, where they are not there."""
        above = posixpath.dirname(path)
        if above != "/" and above not in self.files:
            self.holds(above, None)
        self.files[path] = what

    def below(self, path: str) -> list[str]:
        return [one[len(path) + 1 :] for one in self.files if posixpath.dirname(one) == path]

    def get(self, path: str) -> dict[str, Any]:
        assert path == "/1.0/instances/img-1/metadata"
        return {"templates": self.templates}

    def list_folder(self, machine: str, path: str) -> list[str] | None:
        self.calls += 1
        if path == "/":
            return ["etc", "root", "var"]
        return self.below(path) if path in self.files and self.files[path] is None else None

    def read_file(self, machine: str, path: str) -> GuestFile | None:
        found = self.files.get(path, b"")
        if path in self.files and not isinstance(found, bytes):
            raise IncusError(400, f"{path} is no file")
        return GuestFile(found, _ROOT) if path in self.files else None

    def remove_file(self, machine: str, path: str) -> None:
        self.calls += 1
        if self.files.get(path, b"") is None and self.below(path):
            raise IncusError(500, "not empty")
        self.files.pop(path, None)

    def write_file(self, machine: str, path: str, file: GuestFile) -> None:
        self.files[path] = file.content


def _forget(copy: Any) -> None:
    identity.forget(copy, "img-1", "root")


@pytest.mark.parametrize("folder", ["/etc", "/var", "/var/lib", "/var/lib/cloud"])
def test_no_image_is_made_where_a_link_leads_to_the_servers_templates(folder: str) -> None:
    """The server would follow it as root of the host."""
    copy = Copy()
    copy.files[folder] = LINK
    with pytest.raises(EngineError) as refused:
        _forget(copy)
    assert (refused.value.sentence, refused.value.transient, refused.value.detail) == (
        "No image is made of this system: a folder of its own is missing, or is a link.", False, f"img-1: {folder}",
    )  # fmt: skip
    assert refused.value.helps == "Make /etc and /var/lib/cloud folders again in the machine, then make the image anew."


def test_links_in_the_place_of_the_servers_templates_go() -> None:
    copy = Copy()
    copy.holds("/etc/hostname", LINK)
    copy.holds("/var/lib/cloud/seed/nocloud", LINK)
    copy.holds("/var/lib/cloud/seed/nocloud-net/meta-data", LINK)
    _forget(copy)
    assert [path for path, what in copy.files.items() if what == LINK] == []
    assert copy.below("/var/lib/cloud") == []
    assert "/etc/hostname" not in copy.files


def test_templates_of_an_image_that_is_not_ours_are_seen_to_as_well() -> None:
    """But for those that the server does not write into a copy."""
    copy = Copy()
    copy.templates = {"/etc/hosts": {"when": ["create", "copy"]}, "/etc/issue": {"when": ["create"]},
                      "/var/lib/cloud/seed/nocloud-net/meta-data": {"when": ["copy"]}}  # fmt: skip
    copy.holds("/etc/hosts", LINK)
    copy.holds("/etc/issue", LINK)
    _forget(copy)
    assert ("/etc/hosts" in copy.files, "/etc/issue" in copy.files) == (False, True)
    copy.templates = {"/srv/own/name": {"when": ["copy"]}}
    copy.holds("/srv", None)
    copy.holds("/srv/own", LINK)
    with pytest.raises(EngineError, match="is a link") as refused:
        _forget(copy)
    assert refused.value.detail == "img-1: /srv/own"


@pytest.mark.parametrize("folder", ["/var/lib/cloud/data", "/var/lib/cloud/seed", "/etc/ssh"])
def test_more_files_than_a_system_has_are_refused_before_one_is_touched(folder: str) -> None:
    """Each of them would hold a thread of the zone for two calls."""
    copy = Copy()
    for number in range(2_001):
        copy.holds(f"{folder}/{number}")
    with pytest.raises(EngineError) as refused:
        _forget(copy)
    assert (refused.value.sentence, refused.value.transient, refused.value.detail) == (
        "No image is made of this system: too many files lie where its own are taken out.", False, f"img-1: {folder}",
    )  # fmt: skip
    assert refused.value.helps == (
        "Delete files below /var/lib/cloud and /etc/ssh in the machine, then make the image anew."
    )
    assert len(copy.below(folder)) == 2_001
    assert copy.calls < 50


def test_all_files_are_counted_together_and_as_many_as_are_allowed_go() -> None:
    copy = Copy()
    for number in range(500):
        for folder in ("data", "sem", "instances/i-1"):
            copy.holds(f"/var/lib/cloud/{folder}/{number}")
    _forget(copy)
    assert copy.below("/var/lib/cloud") == []
    for number in range(700):
        for folder in ("data", "sem", "instances/i-1"):
            copy.holds(f"/var/lib/cloud/{folder}/{number}")
    with pytest.raises(EngineError, match="too many files"):
        _forget(copy)


def test_a_folder_whose_names_are_not_read_to_their_end_is_refused_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    copy, listed = Copy(), Copy.list_folder

    def list_folder(machine: str, path: str) -> list[str] | None:
        if path == "/etc/ssh":
            raise TooLong(400, f"{path} is too long")
        return listed(copy, machine, path)

    monkeypatch.setattr(copy, "list_folder", list_folder)
    with pytest.raises(EngineError, match="too many files") as refused:
        _forget(copy)
    assert not refused.value.transient


def test_folders_in_folders_end_somewhere() -> None:
    deep = Copy()
    deep.holds("/var/lib/cloud/data" + "/d" * 20)
    _forget(deep)
    assert deep.below("/var/lib/cloud") == []
    deep.holds("/var/lib/cloud/data" + "/d" * 21)
    with pytest.raises(EngineError, match="too many files"):
        _forget(deep)


def test_what_a_rename_or_a_move_wrote_is_in_no_image() -> None:
    """Else each machine of the image would keep that name whatever it is given."""
    copy = Copy()
    guest = Guest(cast("IncusClient", copy), "img-1", is_running=False)
    kept = b"127.0.0.1 localhost\n10.0.0.9 db.internal\n"
    copy.holds("/etc/hosts", kept + b"127.0.1.1 web-1.shop.example web-1\n")
    copy.holds("/etc/hosts.vmart", kept)
    copy.holds("/etc/cloud/cloud.cfg")
    copy.holds("/var/lib/cloud/seed/nocloud-net/meta-data")
    before = set(copy.files)
    guest.set_hostname("db-7")
    guest.set_network("version: 2\n")
    copy.holds("/etc/hostname.vmart")
    assert set(copy.files) - before == {
        "/etc/cloud/cloud.cfg.d/99-vmart-hostname.cfg", "/etc/cloud/cloud.cfg.d/95-vmart-network.cfg", "/etc/hostname",
        "/etc/hostname.vmart", "/var/lib/cloud/seed/nocloud-net/network-config",
    }  # fmt: skip
    _forget(copy)
    assert copy.below("/etc/cloud/cloud.cfg.d") == []
    assert copy.files["/etc/hosts"] == kept
    assert [path for path, what in copy.files.items() if isinstance(what, bytes) and b"db-7" in what] == []
    assert {"/etc/hosts.vmart", "/etc/hostname.vmart", "/etc/hostname"}.isdisjoint(copy.files)
    assert copy.below("/var/lib/cloud") == []


def test_hosts_that_are_a_link_stay_as_they_are() -> None:
    copy = Copy()
    copy.holds("/etc/hosts", LINK)
    _forget(copy)
    assert copy.files["/etc/hosts"] == LINK


def test_the_users_password_is_gone_and_asks_for_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was changed at day 0 would have to be changed before a key lets anybody in."""
    monkeypatch.setattr(identity, "today", lambda: 20_000)
    copy = Copy()
    _forget(copy)
    assert copy.files["/etc/shadow"] == b"root:*:20000::::::\n"


def test_a_machine_id_is_written_anew_not_over_what_was_there() -> None:
    """The server leaves a file its mode, and nobody but root may have been let to read it."""
    written: list[bool] = []

    class Noting(Copy):
        def write_file(self, machine: str, path: str, file: GuestFile) -> None:
            if path == "/etc/machine-id":
                written.append(path in self.files)
            super().write_file(machine, path, file)

    copy = Noting()
    copy.holds("/etc/machine-id", b"1" * 32)
    _forget(copy)
    assert (written, copy.files["/etc/machine-id"]) == ([False], b"")
