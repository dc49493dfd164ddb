"""The header of a qcow2 disk (QEMU's documentation, "Qcow2 Image File Format"): what size it is, and that it is alone.

A disk may name a backing file or a file for its data, by a path that whoever reads the disk opens: files of the host.
Such a disk is refused by its header, before anything else looks at it.
"""

import struct
from typing import BinaryIO

from vmart.engines.foreign.kinds import Unfit

_V2 = struct.Struct(">4sIQIIQIIQQIIQ")  # up to the snapshots' offset: 72 bytes
_V3 = struct.Struct(">QQQII")  # incompatible, compatible, autoclear, refcount order, header length: to byte 104
_EXTENSION = struct.Struct(">II")
_DIRTY, _CORRUPT, _OUTSIDE_DATA, _COMPRESSION, _LONG_L2 = (1 << bit for bit in range(5))
_UNDERSTOOD = _DIRTY | _COMPRESSION | _LONG_L2
_END, _BACKING_FORMAT, _DATA_FILE, _ENCRYPTION = 0, 0xE2792ACA, 0x44415441, 0x0537BE77
_EXTENSIONS_MAX = 32
_GIB = 1 << 30


def size_gib(file: BinaryIO, most_gib: int) -> int:
    """How large the disk is for its machine, rounded up. Raises Unfit."""
    file.seek(0)
    head = file.read(_V2.size)
    if len(head) < _V2.size:
        raise _broken("cut short")
    magic, version, backing_at, _length, cluster_bits, size, encrypted = _V2.unpack(head)[:7]
    if magic != b"QFI\xfb" or version not in (2, 3) or not 9 <= cluster_bits <= 21:
        raise _broken(f"version {version}, clusters of {cluster_bits} bits")
    if backing_at:
        raise _not_alone("a backing file")
    if encrypted:
        raise Unfit("The disk is encrypted.", helps="Import it without encryption.")
    _refuse_extensions(file, _header_bytes(file, version))
    if not 0 < size <= most_gib * _GIB:
        raise Unfit("The disk is larger than the shop allows.", detail=f"{size} bytes")
    return -(-int(size) // _GIB)


def _header_bytes(file: BinaryIO, version: int) -> int:
    """How long the header is, once its features are understood."""
    if version == 2:
        return _V2.size
    rest = file.read(_V3.size)
    if len(rest) < _V3.size:
        raise _broken("cut short")
    incompatible, _compatible, _autoclear, _order, length = _V3.unpack(rest)
    if incompatible & _OUTSIDE_DATA:
        raise _not_alone("an external data file")
    if incompatible & ~_UNDERSTOOD or not _V2.size + _V3.size <= length <= 4096:
        raise _broken(f"features {incompatible:#x}, header of {length} bytes")
    return int(length)


def _refuse_extensions(file: BinaryIO, at: int) -> None:
    for _ in range(_EXTENSIONS_MAX):
        file.seek(at)
        head = file.read(_EXTENSION.size)
        if len(head) < _EXTENSION.size:
            raise _broken("cut short")
        kind, length = _EXTENSION.unpack(head)
        if kind == _END:
            return
        if kind in (_BACKING_FORMAT, _DATA_FILE):
            raise _not_alone(f"extension {kind:#x}")
        if kind == _ENCRYPTION:
            raise Unfit("The disk is encrypted.", helps="Import it without encryption.")
        at += _EXTENSION.size + (length + 7) // 8 * 8
    raise _broken("too many extensions")


def _broken(detail: str) -> Unfit:
    return Unfit("The header of the qcow2 disk is not understood.", detail=detail)


def _not_alone(detail: str) -> Unfit:
    return Unfit(
        "The qcow2 disk needs another file beside it.", detail=detail,
        helps="Make one disk of it with `qemu-img convert -O qcow2`, and import that.",
    )  # fmt: skip
