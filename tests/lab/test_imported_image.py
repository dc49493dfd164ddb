"""A system that a customer brings, on a real engine: what is on its machines, and what no image is made of."""

import dataclasses
import io
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.conftest import IMAGE, Internet, Lab
from tests.support.systems import entry
from vmart.engines.contract import Engine, EngineError, Foreign, MachineSpec, Power
from vmart.engines.foreign import kinds, rootfs
from vmart.engines.incus.build import DEFAULT_CACHE, image_folder
from vmart.engines.optional import Images

MakeSpec = Callable[..., MachineSpec]
MOST_BYTES = 4 << 30
MACHINE_ID = b"11111111111111111111111111111111\n"
_GONE = ("etc/machine-id", "etc/systemd/system/cloud-init-local.service.d", "etc/cloud/cloud.cfg.d/90-vmart.cfg")


@pytest.fixture(scope="module")
def foreign(can_run_lab: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Debian that ran somewhere else: without what is put into the images built here, with an identity of its own."""
    folder = tmp_path_factory.mktemp("foreign")
    squashfs = image_folder(IMAGE.name, DEFAULT_CACHE) / "rootfs.squashfs"
    with (folder / "built.tar").open("wb") as built:
        subprocess.run(["sqfs2tar", squashfs], stdout=built, check=True)
    more = {
        "etc/machine-id": MACHINE_ID, "etc/ssh/ssh_host_ed25519_key": b"not mine", "root/brought": b"of mine\n",
        "root/.ssh/authorized_keys": b"ssh-ed25519 AAAA of-before\n", "var/lib/cloud/instance/user-data.txt": b"secret",
    }  # fmt: skip
    with (
        tarfile.open(folder / "built.tar") as built,
        tarfile.open(folder / "system.tar.gz", "w:gz", compresslevel=1) as made,
    ):
        for member in built:
            if not member.name.startswith(_GONE) and member.name not in more:
                made.addfile(member, built.extractfile(member) if member.isreg() else None)
        for name, content in more.items():
            made.addfile(entry(name, content=content, mode=0o600), io.BytesIO(content))
    return folder / "system.tar.gz"


@contextmanager
def cleaned(packed: Path, folder: Path) -> Iterator[Foreign]:
    with packed.open("rb") as source, (folder / "clean").open("w+b") as clean:
        form = kinds.form_of(source.read(kinds.HEAD_BYTES))
        source.seek(0)
        taken = rootfs.clean(source, form, clean, MOST_BYTES)
        clean.flush()
        yield Foreign(kinds.ROOTFS, clean, (taken >> 30) + 2)


def left(lab: Lab, name: str) -> str:
    """What the server has of imports, as its own client lists it."""
    return lab.ask("image", "list", f"vmart.image={name}", "--format", "csv")


def test_a_machine_of_it_lets_its_buyer_in_and_nobody_of_before(  # noqa: PLR0917
    engine: Engine, lab: Lab, internet: Internet, make_spec: MakeSpec, foreign: Path, tmp_path: Path,
    login_key: tuple[str, str],
) -> None:  # fmt: skip
    assert isinstance(engine, Images)
    with cleaned(foreign, tmp_path) as system:
        image = engine.ensure_image_imported("img-brought1", system, "root", engine.capacity()[0].member)
    assert (image.whole, left(lab, "img-brought1")) == (True, "")
    for path in ("/etc/ssh/ssh_host_ed25519_key", "/root/.ssh/authorized_keys", "/var/lib/cloud/instance"):
        assert lab.missing("img-brought1", path)
    assert not lab.missing("img-brought1", "/root/brought")
    asked = b"#cloud-config\nwrite_files:\n- {path: /root/asked, content: 'by user data'}\n"
    spec = make_spec(ssh_keys=[login_key[1]], user_data=asked)
    spec = dataclasses.replace(spec, image=dataclasses.replace(spec.image, own="img-brought1"))
    assert engine.ensure_present(spec).power is Power.RUNNING
    (tmp_path / "key").write_text(login_key[0])
    (tmp_path / "key").chmod(0o600)
    assert spec.public_address is not None
    lab.inside(spec.name, "cloud-init status --wait >/dev/null", limit_s=120)  # a stock one starts sshd anew
    command = "hostname; cat /root/brought /root/asked; echo; cat /etc/machine-id"
    said = internet.python("ssh_login", spec.public_address.ip, "key", str(tmp_path / "key"), command).splitlines()
    assert said[:3] == [spec.hostname, "of mine", "by user data"]
    assert len(said[3]) == 32 and said[3] != MACHINE_ID.decode().strip()
    assert "of-before" not in lab.inside(spec.name, "cat /root/.ssh/authorized_keys").stdout
    engine.ensure_image_absent("img-brought1")
    engine.ensure_power(spec.name, False)
    assert engine.ensure_power(spec.name, True).power is Power.RUNNING  # it outlives its image
    engine.ensure_absent(spec.name)


def test_of_one_that_leads_the_server_out_no_image_is_made(
    engine: Engine, lab: Lab, foreign: Path, tmp_path: Path
) -> None:
    """Where the server writes its templates, a link lies (CVE-2026-23954)."""
    assert isinstance(engine, Images)
    with tarfile.open(foreign) as source, tarfile.open(tmp_path / "led.tar.gz", "w:gz", compresslevel=1) as made:
        for member in source:
            if not member.name.startswith("var/lib/cloud"):
                made.addfile(member, source.extractfile(member) if member.isreg() else None)
        made.addfile(entry("var/lib/cloud", tarfile.SYMTYPE, linkname="/etc"))
    with cleaned(tmp_path / "led.tar.gz", tmp_path) as system, pytest.raises(EngineError) as refused:
        engine.ensure_image_imported("img-brought2", system, "root", engine.capacity()[0].member)
    assert (refused.value.transient, refused.value.detail) == (False, "img-brought2: /var/lib/cloud")
    assert [found.whole for found in engine.list_images() if found.name == "img-brought2"] == [False]
    engine.ensure_image_absent("img-brought2")
    assert (left(lab, "img-brought2"), "img-brought2" in {found.name for found in engine.list_images()}) == ("", False)
