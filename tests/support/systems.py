"""Systems that a customer might bring, small enough for a test."""

import io
import struct
import tarfile
from collections.abc import Mapping

FILES = {"etc/passwd": b"root:x:0:0::/root:/bin/sh\n", "sbin/init": b"init", "usr/bin/cloud-init": b"#!"}
GIB = 1 << 30


def entry(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"", **columns: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.size = kind, len(content)
    for column, value in columns.items():
        setattr(made, column, value)
    return made


def archive(*more: tuple[tarfile.TarInfo, bytes], files: Mapping[str, bytes] = FILES) -> bytes:
    """A plain tar of a system, with more entries behind it."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:") as tar:
        for name, content in files.items():
            tar.addfile(entry(name, content=content), io.BytesIO(content))
        for one, content in more:
            tar.addfile(one, io.BytesIO(content))
    return made.getvalue()


def disk(
    *, version: int = 3, backing: int = 0, size: int = 3 * GIB, encrypted: int = 0, features: int = 0,
    extensions: bytes = bytes(8), length: int = 104, cluster_bits: int = 16,
) -> bytes:  # fmt: skip
    """The header of a qcow2 disk."""
    head = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", version, backing, 0, cluster_bits, size, encrypted, *(0,) * 6)
    return head + (struct.pack(">QQQII", features, 0, 0, 4, length) if version == 3 else b"") + extensions
