"""The deployment's own certificate authority and server certificate: ``python -m vmart.config.tls FOLDER HOST``.

The CA is made once and stays, so that a client that trusts ``ca.pem`` goes on working; the server's
certificate is made anew before it runs out or when the host it must name changes.
"""

import datetime as dt
import ipaddress
import os
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from vmart.config import os_users
from vmart.kernel import clock

_CA_DAYS = 3650
_SERVER_DAYS = 397  # what clients accept at most
_RENEW_BEFORE = dt.timedelta(days=30)
_ALWAYS = ("localhost", "127.0.0.1", "::1")


def ensure_certificate(folder: Path, host: str) -> None:
    """``ca.pem``, ``ca.key``, ``server.pem`` (with the CA behind it), ``server.key`` in ``folder``. Idempotent."""
    folder.mkdir(parents=True, exist_ok=True)
    ca_key, ca = _authority(folder)
    names = _names(host)
    if _still_good(folder / "server.pem", names):
        return
    key = ec.generate_private_key(ec.SECP256R1())
    now = clock.wall()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=_SERVER_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    _write_key(folder / "server.key", key, group_may_read=True)
    _write(folder / "server.pem", _pem(certificate) + _pem(ca), 0o644)


def _authority(folder: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    if (folder / "ca.pem").exists():
        key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key, x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    now = clock.wall()
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "vmart"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"vmart deployment {os.urandom(4).hex()}"),
        ]
    )
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=_CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_key(folder / "ca.key", key)
    _write(folder / "ca.pem", _pem(certificate), 0o644)
    return key, certificate


def _names(host: str) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for text in dict.fromkeys([*_ALWAYS, host]):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(text)))
        except ValueError:
            names.append(x509.DNSName(text))
    return names


def _still_good(file: Path, names: list[x509.GeneralName]) -> bool:
    if not file.exists():
        return False
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return certificate.not_valid_after_utc - clock.wall() > _RENEW_BEFORE and set(names) <= set(held)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write_key(file: Path, key: ec.EllipticCurvePrivateKey, *, group_may_read: bool = False) -> None:
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(file, text, 0o600)
    if group_may_read and os_users.is_root():  # the web process serves with it
        os.chown(file, 0, os_users.uid_gid(os_users.WEB)[1])
        file.chmod(0o640)


def _write(file: Path, content: bytes, mode: int) -> None:
    fresh = file.with_name(f".{file.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    fresh.replace(file)


if __name__ == "__main__":
    ensure_certificate(Path(sys.argv[1]), sys.argv[2])
