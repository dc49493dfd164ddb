"""A certificate that the seller brings: looked at before anything starts, and laid out for the web process."""

import os
from pathlib import Path

from vmart.config import os_users
from vmart.config.places import Misused

CERTIFICATE, KEY = "copied.pem", "copied.key"


def check(certificate: Path, key: Path) -> None:
    """Raise Misused, naming the option at fault, unless both can be served with: PEM, a key without passphrase."""
    import ssl  # not at every start: the supervisor stays small

    for option, file in (("--tls-certificate", certificate), ("--tls-key", key)):
        try:
            file.read_bytes()
        except OSError as error:
            raise Misused(f"{option}: {file} cannot be read ({error.strerror})") from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=certificate)
    except ssl.SSLError as error:
        raise Misused(f"--tls-certificate: {certificate} holds no certificate in PEM form") from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
            raise Misused(
                f"--tls-key: {key} is not the key of the first certificate in {certificate} (the server's own comes"
                " first, then its chain)"
            ) from error
        raise Misused(f"--tls-key: {key} holds no private key in PEM form without a passphrase") from error


def lay_out(certificate: Path, key: Path, folder: Path) -> None:
    """Copies in ``folder``: root's own files are not the web process's to read."""
    _, group = os_users.uid_gid(os_users.WEB)
    private = 0o640 if os_users.is_root() else 0o600
    for source, name, mode in ((certificate, CERTIFICATE, 0o644), (key, KEY, private)):
        fresh = folder / f".{name}.new"
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(source.read_bytes())
            os.fchown(descriptor, -1, group)
            os.fchmod(descriptor, mode)
        fresh.replace(folder / name)


def forget(folder: Path) -> None:
    """Remove the copies of an earlier start."""
    for name in (CERTIFICATE, KEY):
        (folder / name).unlink(missing_ok=True)
