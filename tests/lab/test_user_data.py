"""User data as programs send it runs in a real machine, and the login that was bought is there beside it."""

import gzip
import hashlib
from collections.abc import Callable
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path

import pytest

from tests.lab.conftest import PASSWORD, Internet, Lab
from vmart.engines import open_engine
from vmart.engines.contract import Engine, MachineSpec
from vmart.engines.incus.build import recipe_hash

MakeSpec = Callable[..., MachineSpec]

CONFIG = "#cloud-config\nusers:\n  - name: app\nruncmd:\n  - echo config ran >> /root/ran\n"
SCRIPT = "#!/bin/sh\necho script ran >> /root/ran\n"
LATIN_1 = "#!/bin/sh\necho grün >> /root/ran\n".encode("latin-1")


def _multipart() -> bytes:
    """As Terraform's cloudinit_config writes it: a part each, their types said."""
    message = MIMEMultipart(boundary="MIMEBOUNDARY")
    message.attach(MIMEText(CONFIG, "cloud-config"))
    message.attach(MIMEText(SCRIPT, "x-shellscript"))
    return message.as_bytes()


BOTH = ["config ran", "script ran"]
DOCUMENTS = {
    "multipart": (_multipart(), BOTH),
    "gzip of a multipart": (gzip.compress(_multipart()), BOTH),
    "gzip of a cloud-config": (gzip.compress(CONFIG.encode()), BOTH[:1]),
    "no text": (LATIN_1, []),  # cloud-init itself runs none
}


Login = Callable[..., list[str]]


@pytest.fixture
def login(internet: Internet, tmp_path: Path) -> Login:
    """``login(spec, command, password=…)`` or ``key=…``: what the command says, in lines."""

    def said(spec: MachineSpec, command: str, **way_in: str) -> list[str]:
        assert spec.public_address is not None
        ((how, secret),) = way_in.items()
        file = tmp_path / "secret"
        file.write_text(secret)
        file.chmod(0o600)
        return internet.python("ssh_login", spec.public_address.ip, how, str(file), command).splitlines()

    return said


WAITED = "cloud-init status --wait > /dev/null; "
AS_RECEIVED = "sha256sum < /var/lib/cloud/instance/user-data.txt | cut -d' ' -f1; "


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_customers_bytes_run_as_they_are_and_the_password_opens(
    engine: Engine, make_spec: MakeSpec, login: Login, name: str
) -> None:
    document, ran = DOCUMENTS[name]
    spec = make_spec(password=PASSWORD, user_data=document)
    engine.ensure_present(spec)
    command = f"{WAITED}{AS_RECEIVED}hostname; sort /root/ran"
    said = login(spec, command, password=PASSWORD)
    assert said == [hashlib.sha256(document).hexdigest(), spec.hostname, *ran]


@pytest.mark.parametrize("name", ["gzip of a multipart", "no text"])
def test_in_other_images_they_run_too_and_the_key_opens(
    lab: Lab, make_spec: MakeSpec, login: Login, login_key: tuple[str, str], name: str
) -> None:
    """Given the same image as a seller's own, which decodes nothing."""
    alias = f"vmart-debian-12-{recipe_hash('debian-12')}"
    engine = open_engine(
        "incus", {**lab.settings, "instance_kind": "container", "images": {"debian-12": {"alias": alias}}}
    )
    document, ran = DOCUMENTS[name]
    spec = make_spec(ssh_keys=[login_key[1]], user_data=document)
    engine.ensure_present(spec)
    said = login(spec, f"{WAITED}sort /root/ran; id -un", key=login_key[0])
    assert said == [*ran, "root"]


def test_where_both_say_something_the_document_wins(
    engine: Engine, make_spec: MakeSpec, login: Login, login_key: tuple[str, str]
) -> None:
    """Given a document with a host name, a key and a password of root's and no word on a password over SSH."""
    document = (
        "#cloud-config\nhostname: theirs\nusers:\n  - name: root\n"
        f"    ssh_authorized_keys: ['{login_key[1]}']\nchpasswd:\n  expire: false\n"
        "  users: [{name: root, password: Another-9-word, type: text}]\n"
    )
    spec = make_spec(password=PASSWORD, user_data=document.encode())
    engine.ensure_present(spec)
    assert login(spec, f"{WAITED}hostname", key=login_key[0]) == ["theirs"]
    assert login(spec, "hostname", password="Another-9-word") == ["theirs"]
    assert login(spec, "id", password=PASSWORD) == ["refused"]


@pytest.mark.parametrize(
    "document",
    [
        "#cloud-config\nusers: [{name: root, ssh_authorized_keys: [ssh-ed25519 AAAA other]}]\n",
        "#cloud-config\nchpasswd: {expire: true, users: [{name: nobody, password: x, type: text}]}\n",
        "#cloud-config\nusers: [\n",  # no YAML
    ],
)
def test_what_a_document_does_not_say_the_shop_puts_in_place(
    engine: Engine, make_spec: MakeSpec, login: Login, document: str
) -> None:
    spec = make_spec(password=PASSWORD, user_data=document.encode())
    engine.ensure_present(spec)
    said = login(spec, f"{WAITED}id -un; hostname", password=PASSWORD)
    assert said == ["root", spec.hostname]
