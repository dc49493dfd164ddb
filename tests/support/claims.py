"""Folders that a test process holds while it lives, so that a later run finds what a killed one left on this host.

A private engine's bridges, routes and packet filter outlive the process that made them. In a later run's way they
would be silent: two bridges with one address range, of which the kernel takes one.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

# A file a folder, locked by the process whose it is. One place a host, as the engines are: not where TMPDIR says.
_CLAIMS = Path("/tmp/vmart-claims")
_held: dict[Path, int] = {}


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """No other test process of this host is in here."""
    _CLAIMS.mkdir(exist_ok=True)
    with (_CLAIMS / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def take(prefix: str) -> Path:
    """A new folder; nobody else's until ``give_back``, or until this process ends in whatever way."""
    with alone():
        folder = Path(tempfile.mkdtemp(prefix=prefix))
        claim = _CLAIMS / folder.name
        claim.write_text(str(folder))
        _held[folder] = _lock(claim)
    return folder


def give_back(folder: Path) -> None:
    """Remove it, and the claim to it; said again it changes nothing."""
    if folder in _held:
        shutil.rmtree(folder, ignore_errors=True)
        (_CLAIMS / folder.name).unlink()
        os.close(_held.pop(folder))


def abandoned(prefix: str) -> Iterator[Path]:
    """Folders of processes that are gone. Ask it ``alone()``; each is removed after its turn."""
    for claim in sorted(_CLAIMS.glob(f"{prefix}*")):
        try:
            descriptor = _lock(claim)
        except BlockingIOError:
            continue
        folder = Path(claim.read_text())
        if folder.is_absolute() and folder.name == claim.name:
            _held[folder] = descriptor
            yield folder
            give_back(folder)
        else:  # its process was killed while it wrote this; there is nothing in the folder yet
            claim.unlink()
            os.close(descriptor)


def _lock(claim: Path) -> int:
    descriptor = os.open(claim, os.O_CREAT | os.O_RDONLY, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor
