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

_CLAIMS = Path(tempfile.gettempdir()) / "vmart-claims"  # a file a folder, locked by the process whose it is
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
        _held[folder] = _lock(_CLAIMS / folder.name)
    return folder


def give_back(folder: Path) -> None:
    """Remove it, and the claim to it."""
    shutil.rmtree(folder, ignore_errors=True)
    (_CLAIMS / folder.name).unlink(missing_ok=True)
    os.close(_held.pop(folder))


def abandoned(prefix: str) -> Iterator[Path]:
    """Folders of processes that are gone. Ask it ``alone()``; each is removed after its turn."""
    for claim in sorted(_CLAIMS.glob(f"{prefix}*")):
        folder = Path(tempfile.gettempdir()) / claim.name
        try:
            _held[folder] = _lock(claim)
        except BlockingIOError:
            continue
        yield folder
        give_back(folder)


def _lock(claim: Path) -> int:
    descriptor = os.open(claim, os.O_CREAT | os.O_RDONLY, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor
