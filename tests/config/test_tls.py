"""The deployment's certificate authority is made once; what it signs is renewed."""

import datetime as dt
import stat
from pathlib import Path

import pytest
from cryptography import x509

from vmart.config import tls
from vmart.kernel import clock


def names_in(file: Path) -> set[str]:
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in found}


def test_made_once_and_left_alone_while_it_is_good(tmp_path: Path) -> None:
    tls.ensure_certificate(tmp_path, "127.0.0.1")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    tls.ensure_certificate(tmp_path, "127.0.0.1")

    assert set(before) == {"ca.pem", "ca.key", "server.pem", "server.key"}
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    assert names_in(tmp_path / "server.pem") == {"localhost", "127.0.0.1", "::1"}
    assert stat.S_IMODE((tmp_path / "ca.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "server.key").stat().st_mode) & 0o007 == 0


def test_another_host_gets_a_certificate_of_the_same_authority(tmp_path: Path) -> None:
    tls.ensure_certificate(tmp_path, "127.0.0.1")
    authority = (tmp_path / "ca.pem").read_bytes()
    tls.ensure_certificate(tmp_path, "shop.example")

    assert (tmp_path / "ca.pem").read_bytes() == authority
    assert "shop.example" in names_in(tmp_path / "server.pem")
    server = x509.load_pem_x509_certificate((tmp_path / "server.pem").read_bytes())
    server.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))


def test_a_certificate_near_its_end_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls.ensure_certificate(tmp_path, "127.0.0.1")
    before = x509.load_pem_x509_certificate((tmp_path / "server.pem").read_bytes())
    later = clock.wall() + dt.timedelta(days=380)
    monkeypatch.setattr(clock, "wall", lambda: later)

    tls.ensure_certificate(tmp_path, "127.0.0.1")

    after = x509.load_pem_x509_certificate((tmp_path / "server.pem").read_bytes())
    assert after.not_valid_after_utc > later + dt.timedelta(days=300)
    assert after.serial_number != before.serial_number
