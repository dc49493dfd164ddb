"""The deployment's secrets: one master key, everything else derived or sealed under it.

API secrets must be readable to check an HMAC, so they are sealed with AES-GCM and a key id
(decision 8). The master key is a file of its own (mode 0600) or comes from the environment.
"""

import hmac
import os
import secrets as _random
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MASTER_KEY_VARIABLE = "VMART_MASTER_KEY"
_KEY_ID = 1


class SecretsUnreadable(Exception):
    """The master key is missing, too short, or not the one that sealed this text."""


class Secrets:
    """Derives keys by purpose and seals short texts; ``folder`` holds ``master.key`` (hex, 0600)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def master_file(self) -> Path:
        return self.folder / "master.key"

    def create(self) -> None:
        """Make the master key unless there is one; never replaces one."""
        if self.master_file.exists() or os.environ.get(MASTER_KEY_VARIABLE):
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self.folder / f".master.{os.getpid()}"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(_random.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, self.master_file)  # fails when another process was first: theirs holds
        except FileExistsError:
            pass
        finally:
            fresh.unlink()

    @cached_property
    def _master(self) -> bytes:
        text = os.environ.get(MASTER_KEY_VARIABLE)
        if text is None:
            try:
                text = self.master_file.read_text()
            except OSError as error:
                raise SecretsUnreadable(
                    f"no master key: {self.master_file} cannot be read ({error.strerror}); `vmart up` makes one, "
                    f"or set {MASTER_KEY_VARIABLE} (64 hex digits)"
                ) from error
        try:
            key = bytes.fromhex(text.strip())
        except ValueError as error:
            raise SecretsUnreadable("the master key is not hex") from error
        if len(key) < 32:
            raise SecretsUnreadable("the master key has fewer than 32 bytes")
        return key

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose, the same each time."""
        return hmac.digest(self._master, b"vmart/" + purpose.encode(), "sha256")

    def derive_hex(self, purpose: str) -> str:
        return self.derive(purpose).hex()

    def seal(self, text: str, purpose: str) -> bytes:
        """Key id, nonce and AES-256-GCM ciphertext of ``text``; ``purpose`` is bound as associated text."""
        nonce = _random.token_bytes(12)
        return bytes([_KEY_ID]) + nonce + AESGCM(self.derive("seal")).encrypt(nonce, text.encode(), purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> str:
        """The text again; raises SecretsUnreadable when key, purpose or ciphertext differ."""
        if not sealed or sealed[0] != _KEY_ID:
            raise SecretsUnreadable("sealed under an unknown key id")
        try:
            return (
                AESGCM(self.derive("seal")).decrypt(bytes(sealed[1:13]), bytes(sealed[13:]), purpose.encode()).decode()
            )
        except Exception as error:
            raise SecretsUnreadable("sealed under another master key") from error

    def fingerprint(self, text: bytes) -> bytes:
        """Keyed digest by which equal request parameters are known without keeping them (decision 7)."""
        return hmac.digest(self.derive("fingerprint"), text, "sha256")
