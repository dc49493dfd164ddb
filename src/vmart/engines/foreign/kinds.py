"""What a file is, by what it begins with: its name says nothing."""

from vmart.engines.contract import EngineError

ROOTFS, QCOW2 = "rootfs", "qcow2"  # what an engine may take: of containers, of virtual machines
HEAD_BYTES = 512

_COMPRESSED = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\0": "xz", b"BZh": "bzip2"}
_DISKS = (b"KDMV", b"COWD", b"# Disk DescriptorFile", b"vhdxfile", b"conectix", b"QED\0")
_TAR_AT, _BOOT_AT = 257, 510


class Unfit(EngineError):
    """The file is no system that can be imported, whoever tries it."""

    def __init__(self, sentence: str, *, detail: str = "", helps: str = "") -> None:
        if not helps:
            helps = "Import another file."
        super().__init__(sentence, transient=False, detail=detail, helps=helps)


def form_of(head: bytes) -> str:
    """``qcow2``, ``squashfs``, ``gzip``, ``xz``, ``bzip2`` or ``tar``, by the first bytes. Raises Unfit."""
    if head.startswith(b"QFI\xfb"):
        return QCOW2
    if head.startswith(b"hsqs"):
        return "squashfs"
    for magic, form in _COMPRESSED.items():
        if head.startswith(magic):
            return form
    if head[_TAR_AT:].startswith(b"ustar"):
        return "tar"
    if head.startswith(_DISKS) or head[_BOOT_AT:] == b"\x55\xaa":
        raise Unfit("The file is a disk in another format than qcow2.", helps="Convert it to qcow2.")
    raise Unfit(
        "The file is neither a qcow2 disk nor an archive of a system.",
        helps="Import a tar (plain, gzip, xz or bzip2), a squashfs or a qcow2.",
    )


def kind_of(form: str) -> str:
    """ROOTFS or QCOW2."""
    return QCOW2 if form == QCOW2 else ROOTFS
