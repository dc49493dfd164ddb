"""The master key, and what is sealed under it."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmart.kernel.secrets import MASTER_KEY_VARIABLE, Secrets, SecretsUnreadable


@pytest.fixture(autouse=True)
def no_key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MASTER_KEY_VARIABLE)


def made(folder: Path) -> Secrets:
    secrets = Secrets(folder)
    secrets.create()
    return secrets


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    secrets = made(tmp_path / "secrets")
    key = secrets.master_file.read_text()
    assert len(bytes.fromhex(key)) == 32
    assert stat.S_IMODE(secrets.master_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(secrets.folder.stat().st_mode) == 0o700
    secrets.create()
    assert secrets.master_file.read_text() == key
    assert [file.name for file in secrets.folder.iterdir()] == ["master.key"]
    assert made(tmp_path / "another").master_file.read_text() != key


def test_a_key_from_the_environment_needs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MASTER_KEY_VARIABLE, "ab" * 32)
    secrets = made(tmp_path / "secrets")
    assert not secrets.folder.exists()
    assert secrets.derive("x") == Secrets(tmp_path).derive("x")


@pytest.mark.parametrize(
    ("text", "says"), [("ab" * 31, "fewer than 32 bytes"), ("zz" * 32, "not hex"), ("", "fewer than 32 bytes")]
)
def test_a_key_that_is_none_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "master.key").write_text(text)
    with pytest.raises(SecretsUnreadable, match=says):
        Secrets(tmp_path).derive("x")


def test_a_missing_key_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SecretsUnreadable, match=r"master.key cannot be read .* `vmart up` makes one"):
        Secrets(tmp_path).seal("x", "y")


def test_each_purpose_has_a_key_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    secrets = made(tmp_path)
    assert len({secrets.derive(purpose) for purpose in ("seal", "fingerprint", "public ids")}) == 3
    again = Secrets(tmp_path)
    assert (again.derive("seal"), again.derive_hex("seal")) == (secrets.derive("seal"), secrets.derive("seal").hex())
    assert len(secrets.derive("seal")) == 32
    assert again.fingerprint(b"a") == secrets.fingerprint(b"a") != secrets.fingerprint(b"b")


@given(text=st.text(st.characters(blacklist_categories=["Cs"])), purpose=st.text(max_size=10))
def test_what_is_sealed_is_read_again_and_never_sealed_alike(
    tmp_path_factory: pytest.TempPathFactory, text: str, purpose: str
) -> None:
    secrets = made(tmp_path_factory.getbasetemp() / "sealing")
    sealed = secrets.seal(text, purpose)
    assert secrets.open(sealed, purpose) == text
    assert secrets.open(memoryview(sealed), purpose) == text  # type: ignore[arg-type]  as the database gives it
    assert secrets.seal(text, purpose) != sealed


def test_what_was_changed_moved_or_sealed_by_another_is_not_read(tmp_path: Path) -> None:
    secrets = made(tmp_path / "ours")
    sealed = secrets.seal("the secret", "api key 7")
    changed = [sealed[:n] + bytes([sealed[n] ^ 1]) + sealed[n + 1 :] for n in range(len(sealed))]
    cut = [b"", sealed[:1], sealed[:13], sealed[:-1], sealed + b"\0"]
    for wrong in changed + cut:
        with pytest.raises(SecretsUnreadable):
            secrets.open(wrong, "api key 7")
    with pytest.raises(SecretsUnreadable):
        secrets.open(sealed, "api key 8")
    with pytest.raises(SecretsUnreadable):
        made(tmp_path / "theirs").open(sealed, "api key 7")
    assert b"secret" not in sealed
