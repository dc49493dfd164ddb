"""A certificate of the seller's own: served at the TLS twin, and refused by the option's name where it cannot be."""

import datetime as dt
import ipaddress
import ssl
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.config.test_supervisor import health, until
from tests.support.running_shop import RunningShop
from vmart.config import own_certificate
from vmart.config.cli import main
from vmart.config.places import Misused, Places
from vmart.kernel import clock


def _write(folder: Path, name: str, *, passphrase: bytes = b"") -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key, as files that only their owner reads."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = clock.wall()
    certificate = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=7)).add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    )  # fmt: skip
    sealed = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed))
    files[1].chmod(0o600)
    return files


def _shown(endpoint: str) -> int:
    """Serial number of the certificate that the TLS twin shows."""
    host, port = endpoint.split(":")
    return x509.load_pem_x509_certificate(ssl.get_server_certificate((host, int(port))).encode()).serial_number


@pytest.mark.xdist_group("running_shop")
def test_it_is_served_at_the_tls_twin_and_a_renewed_one_after_that_starts_again(
    start_shop: Callable[..., RunningShop], tmp_path: Path
) -> None:
    """Given a key that only the seller's own user may read, then the web process serves with it all the same."""
    certificate, key = _write(tmp_path, "shop")
    shop = start_shop(
        "--listen-tls", "127.0.0.1:0", "--tls-certificate", str(certificate), "--tls-key", str(key), demo=False
    )
    endpoint = shop.ready["tls_endpoint"]
    assert shop.ready["ca_file"] is None
    assert health(f"https://{endpoint}", str(certificate)) == {"web": True, "database": True}
    first = x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number
    assert _shown(endpoint) == first
    folder = Places.of(shop.data_dir).tls_dir
    assert {file.name for file in folder.iterdir()} == {"copied.pem", "copied.key"}
    assert stat.S_IMODE((folder / "copied.key").stat().st_mode) & 0o007 == 0

    assert "well  certificate: yours, valid for 6 days" in shop.vmart("doctor", check=False).stdout

    renewed = [file.read_bytes() for file in _write(tmp_path, "renewed")]
    for file, content in zip((certificate, key), renewed, strict=True):
        file.write_bytes(content)
    shop.kill("web-tls")
    until(lambda: _shown(endpoint) != first, 30, "the renewed certificate is served")
    assert health(f"https://{endpoint}", str(certificate))["web"]

    shop.end()  # and the next start has the deployment's own: no copy of the other key stays
    shop.start_again("--listen", "127.0.0.1:0", "--compute", "simulated", "--listen-tls", "127.0.0.1:0")
    assert {file.name for file in folder.iterdir()} == {"ca.pem", "ca.key", "server.pem", "server.key"}
    assert health(f"https://{shop.ready['tls_endpoint']}", shop.ready["ca_file"])["web"]


def _up(folder: Path, *words: object, command: str = "up") -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(folder / "data"), command, *map(str, words)])


@pytest.mark.parametrize("command", ["up", "web"])
@pytest.mark.parametrize("option", ["--tls-certificate", "--tls-key"])
def test_one_without_the_other_is_refused(tmp_path: Path, option: str, command: str) -> None:
    certificate, _ = _write(tmp_path, "shop")
    answer = _up(tmp_path, option, certificate, command=command)
    assert answer.exit_code == 2
    assert "--tls-certificate and --tls-key go together" in answer.output
    assert not (tmp_path / "data").exists()


def test_a_certificate_for_no_address_is_refused(tmp_path: Path) -> None:
    certificate, key = _write(tmp_path, "shop")
    answer = _up(tmp_path, "--tls-certificate", certificate, "--tls-key", key)
    assert answer.exit_code == 2
    assert "--listen-tls" in answer.output


@pytest.mark.parametrize("command", ["up", "web"])
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("text for a certificate", "--tls-certificate: {folder}/notes.txt holds no certificate in PEM form"),
        ("the key for the certificate", "--tls-certificate: {folder}/shop.key holds no certificate in PEM form"),
        ("another's key", "--tls-key: {folder}/other.key is not the key of the first certificate in {folder}/shop.pem"),
        ("text for a key", "--tls-key: {folder}/notes.txt holds no private key in PEM form without a passphrase"),
        ("the certificate for the key", "--tls-key: {folder}/shop.pem holds no private key in PEM form"),
        ("a key with a passphrase", "--tls-key: {folder}/sealed.key holds no private key in PEM form without a passph"),
    ],
)
def test_what_cannot_be_served_with_is_refused_by_its_option(
    tmp_path: Path, wrong: str, says: str, command: str
) -> None:
    (certificate, key), (_, other) = _write(tmp_path, "shop"), _write(tmp_path, "other")
    sealed_certificate, sealed = _write(tmp_path, "sealed", passphrase=b"secret")
    notes = tmp_path / "notes.txt"
    notes.write_text("remember the milk")
    given = {
        "text for a certificate": (notes, key), "the key for the certificate": (key, key),
        "another's key": (certificate, other), "text for a key": (certificate, notes),
        "the certificate for the key": (certificate, certificate),
        "a key with a passphrase": (sealed_certificate, sealed),
    }[wrong]  # fmt: skip
    tls = ["--listen-tls", "127.0.0.1:0"] if command == "up" else []
    answer = _up(tmp_path, *tls, "--tls-certificate", given[0], "--tls-key", given[1], command=command)
    assert answer.exit_code == 3, answer.output
    assert answer.output.startswith("vmart: " + says.format(folder=tmp_path))
    assert not (tmp_path / "data").exists()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    certificate, key = _write(tmp_path, "shop")
    key.unlink()
    with pytest.raises(Misused, match=f"--tls-key: {key} cannot be read"):
        own_certificate.check(certificate, key)
