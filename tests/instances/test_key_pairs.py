"""Given a customer, when key pairs are made, imported and deleted, then only sound keys of its own are there."""

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_ssh_public_key,
)
from django.db import connection

from tests.support.actors import by
from tests.support.shopper import HOURLY, IMAGE, open_purse, wanted
from vmart.events.actor import Actor
from vmart.events.models import Event
from vmart.instances import key_pairs
from vmart.instances.errors import BadKeyName, BadPublicKey, KeyPairInUse, TooManyKeyPairs, UnknownKeyPair
from vmart.instances.models import Instance, KeyPair
from vmart.kernel import db
from vmart.kernel.errors import InvalidParameter, MissingParameter
from vmart.orders import login, purchase_values
from vmart.orders.forget_keys import forget
from vmart.orders.models import Order
from vmart.orders.purchase import purchase
from vmart.orders.wanted import Machine

pytestmark = pytest.mark.usefixtures("shop")


def _line(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


ED25519 = _line(ed25519.Ed25519PrivateKey.generate())


def test_a_new_pair_has_a_private_key_that_fits_and_is_not_kept() -> None:
    account = open_purse()
    pair, pem = key_pairs.create(by(account), "work_1")
    private = load_pem_private_key(pem.encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    assert private.key_size == 2048
    assert private.public_key() == load_ssh_public_key(pair.public_key.encode())
    assert pair.public_key.endswith(" work_1")
    assert pair.public_id.startswith("skey-")
    kept = KeyPair.objects.get(account_id=account)
    assert (kept.public_id, kept.name, kept.public_key) == (pair.public_id, "work_1", pair.public_key)
    assert not any("PRIVATE" in str(value) for value in KeyPair.objects.values_list().get())


def test_ssh_keygen_reads_the_private_key(tmp_path: Path) -> None:
    pair, pem = key_pairs.create(by(open_purse()), "k")
    file = tmp_path / "id"
    file.write_text(pem)
    file.chmod(0o600)
    told = subprocess.run(["ssh-keygen", "-y", "-f", file], capture_output=True, text=True, check=True).stdout
    assert told.split()[:2] == pair.public_key.split()[:2]


@pytest.mark.parametrize(
    "line",
    [ED25519, *(_line(ec.generate_private_key(curve())) for curve in (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1))],
    ids=["ed25519", "p256", "p384", "p521"],
)
def test_importing_keeps_the_key_in_one_clean_line(line: str) -> None:
    pair = key_pairs.import_(by(open_purse()), "mine", f"  {line}   me@laptop  \n")
    assert pair.public_key == f"{line} me@laptop"
    assert KeyPair.objects.get().public_key == pair.public_key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "garbage",
        "ssh-rsa",
        "ssh-rsa AAAA",
        ED25519.replace("ssh-ed25519", "ssh-rsa"),
        ED25519[:-8],
        ED25519 + "AAAA",
        f'command="rm -rf /" {ED25519}',
        f"{ED25519} me\n{ED25519} evil",
        f"{ED25519} me\rssh-rsa AAAA",
        f"{ED25519}\x00",
        "ssh-ed25519 " + "A" * 20_000,
        "-----BEGIN RSA PRIVATE KEY-----",
        _line(rsa.generate_private_key(65537, 1024)),
        "ssh-dss AAAAB3NzaC1kc3MAAACBAMZ0",
        "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIA==",
        "ssh-ed25519-cert-v01@openssh.com AAAA",
    ],
    ids=[str(number) for number in range(18)],  # keys are new in each process, the names of tests must not be
)
def test_what_is_no_sound_public_key_is_refused(text: str) -> None:
    with pytest.raises(BadPublicKey) as refused:
        key_pairs.import_(by(open_purse()), "k", text)
    assert (refused.value.code, refused.value.field) == ("InvalidPublicKey.Malformed", "public_key")
    assert not KeyPair.objects.exists()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "InvalidKeyPairNameEmpty"),
        ("k" * 26, "InvalidKeyPairNameTooLong"),
        ("a-b", "InvalidKeyPairNameIncludeIllegalChar"),
        ("a b", "InvalidKeyPairNameIncludeIllegalChar"),
        ("ключ", "InvalidKeyPairNameIncludeIllegalChar"),
        ("k\n", "InvalidKeyPairNameIncludeIllegalChar"),
    ],
)
def test_bad_names(name: str, code: str) -> None:
    account = open_purse()
    for act in (lambda: key_pairs.create(by(account), name), lambda: key_pairs.import_(by(account), name, ED25519)):
        with pytest.raises(BadKeyName) as refused:
            act()
        assert (refused.value.code, refused.value.field) == (code, "key_name")
    assert not KeyPair.objects.exists()


def test_a_name_and_a_key_are_there_once_an_account() -> None:
    account = open_purse()
    key_pairs.import_(by(account), "k" * 25, ED25519)
    with pytest.raises(BadKeyName) as refused:
        key_pairs.create(by(account), "k" * 25)
    assert refused.value.code == "InvalidKeyPairName.Duplicate"
    with pytest.raises(BadPublicKey) as refused_key:
        key_pairs.import_(by(account), "other", f"{ED25519} other-comment")
    assert refused_key.value.code == "InvalidPublicKey.Duplicate"
    assert KeyPair.objects.count() == 1
    key_pairs.import_(by(open_purse("other")), "k" * 25, ED25519)
    assert KeyPair.objects.count() == 2


def test_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_pairs, "PAIRS_MAX", 1)
    account = open_purse()
    key_pairs.import_(by(account), "first", ED25519)
    with pytest.raises(TooManyKeyPairs):
        key_pairs.create(by(account), "second")
    assert KeyPair.objects.count() == 1


def test_deleting_is_all_or_none_and_another_customers_pair_is_unknown() -> None:
    account, stranger = open_purse(), open_purse("stranger")
    mine = key_pairs.import_(by(account), "mine", ED25519).public_id
    theirs = key_pairs.import_(by(stranger), "theirs", ED25519).public_id
    with pytest.raises(UnknownKeyPair) as refused:
        forget(by(account), [mine, theirs])
    assert refused.value.params == {"id": theirs}
    assert KeyPair.objects.count() == 2
    with pytest.raises(InvalidParameter):
        forget(by(account), [mine, mine])
    with pytest.raises(MissingParameter):
        forget(by(account), [])
    forget(by(account), [mine])
    assert [pair.public_id for pair in KeyPair.objects.all()] == [theirs]


def test_a_pair_stays_while_a_machine_has_it() -> None:
    account = open_purse(cash_minor=10_000)
    pair = key_pairs.import_(by(account), "mine", ED25519)
    bought = purchase(wanted(account, HOURLY, machine=Machine(IMAGE, login.LoginWanted(key_ids=(pair.public_id,)))))
    with pytest.raises(KeyPairInUse) as refused:
        forget(by(account), [pair.public_id])
    assert refused.value.params == {"id": pair.public_id, "instance": bought.instance_ids[0]}
    assert Instance.objects.get().ssh_keys == [pair.public_key]
    for state in ("LAUNCH_FAILED", "SHUTDOWN", "TERMINATING"):  # in the bin nobody logs in any more
        Instance.objects.update(state=state)
        KeyPair.objects.filter(pk=pair.pk).exists() or pair.save(force_insert=True)
        forget(by(account), [pair.public_id])
        assert not KeyPair.objects.exists()


def _deleted_while_bought(account: int, pair: KeyPair, act: Callable[[Actor, list[str]], None]) -> list[str]:
    """What the deletion of a pair comes to that begins when a purchase with it is written, and not yet committed."""
    outcome: list[str] = []

    def deletion() -> None:
        try:
            act(by(account), [pair.public_id])
            outcome.append("deleted")
        except KeyPairInUse:
            outcome.append("in use")
        finally:
            connection.close()

    thread = threading.Thread(target=deletion)
    with db.act():
        purchase(wanted(account, HOURLY, machine=Machine(IMAGE, login.LoginWanted(key_ids=(pair.public_id,)))))
        thread.start()
        thread.join(1)
    thread.join()
    return outcome


def test_a_pair_that_is_being_bought_with_stays() -> None:
    account = open_purse(cash_minor=10_000)
    pair = key_pairs.import_(by(account), "mine", ED25519)
    assert _deleted_while_bought(account, pair, forget) == ["in use"]
    assert KeyPair.objects.get() == pair


def test_control_without_the_account_lock_it_is_gone() -> None:
    def unlocked(actor: Actor, key_ids: list[str]) -> None:
        with db.act():
            key_pairs.forget(actor, key_ids)

    account = open_purse(cash_minor=10_000)
    pair = key_pairs.import_(by(account), "mine", ED25519)
    assert _deleted_while_bought(account, pair, unlocked) == ["deleted"]
    assert Instance.objects.get().key_ids == [pair.public_id]
    assert not KeyPair.objects.exists()


def test_a_pair_that_is_deleted_after_it_was_looked_up_is_not_bought_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a deletion between the look at the pair and the purchase's statement, then the purchase is refused."""
    account = open_purse(cash_minor=10_000)
    pair = key_pairs.import_(by(account), "mine", ED25519)
    looked_up = purchase_values.arguments

    def deleted_meanwhile(*given: Any, **options: Any) -> Any:
        forget(by(account), [pair.public_id])
        return looked_up(*given, **options)

    monkeypatch.setattr(purchase_values, "arguments", deleted_meanwhile)
    with pytest.raises(UnknownKeyPair) as refused:
        purchase(wanted(account, HOURLY, machine=Machine(IMAGE, login.LoginWanted(key_ids=(pair.public_id,)))))
    assert (refused.value.params, refused.value.field) == ({"id": pair.public_id}, "login.key_ids")
    assert not Instance.objects.exists()
    assert not Order.objects.exists()


def test_each_act_on_a_pair_says_who_asked() -> None:
    account = open_purse()
    pair = key_pairs.import_(by(account, "r-1"), "laptop", ED25519)
    made, _ = key_pairs.create(by(account, "r-2"), "new")
    forget(by(account, "r-3"), [pair.public_id, made.public_id])
    told = Event.objects.filter(subject_kind="key_pair").order_by("id")
    assert [(event.kind, event.detail["name"], event.actor["request"]) for event in told] == [
        ("ImportKeyPair", pair.public_id, "r-1"), ("CreateKeyPair", made.public_id, "r-2"),
        ("DeleteKeyPairs", pair.public_id, "r-3"), ("DeleteKeyPairs", made.public_id, "r-3"),
    ]  # fmt: skip
