"""Given files of customers, then a system is written anew without what it must not have, or refused in words."""

import bz2
import gzip
import io
import lzma
import struct
import subprocess
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.systems import FILES, GIB, archive, disk, entry
from vmart.engines.contract import EngineError
from vmart.engines.foreign import kinds, qcow2, rootfs
from vmart.engines.foreign.kinds import Unfit

MIB = 1 << 20


def cleaned(packed: bytes, tmp_path: Path, most_bytes: int = MIB) -> dict[str, tarfile.TarInfo]:
    """What was written of it, by name."""
    (tmp_path / "source").write_bytes(packed)
    with (tmp_path / "source").open("rb") as source, (tmp_path / "target").open("w+b") as target:
        rootfs.clean(source, kinds.form_of(packed[: kinds.HEAD_BYTES]), target, most_bytes)
        target.seek(0)
        with tarfile.open(fileobj=target) as tar:
            return {one.name: one for one in tar.getmembers()}


FOLDERS = {"dev", "proc", "sys", "run", "tmp", "etc", "var", "var/lib", "var/lib/cloud"}


@pytest.mark.parametrize("packing", [bytes, gzip.compress, lzma.compress, bz2.compress])
def test_a_system_is_written_anew_however_it_is_packed(packing: Callable[[bytes], bytes], tmp_path: Path) -> None:
    large = b"x" * 700_000
    there = cleaned(packing(archive((entry("./srv/large", content=large, mode=0o4755), large))), tmp_path, 2 * MIB)
    assert there.keys() == {*FILES, *FOLDERS, "srv/large"}
    assert (there["srv/large"].size, there["srv/large"].mode, there["tmp"].mode) == (700_000, 0o4755, 0o1777)
    with tarfile.open(tmp_path / "target") as tar:
        content = tar.extractfile("srv/large")
        assert content is not None and content.read() == large


def test_a_squashfs_is_read_as_a_tar_is(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).write_bytes(content)
    with (tmp_path / "root/holes").open("wb") as holes:
        holes.seek(300_000)
        holes.write(b"end")
    packed = tmp_path / "packed"
    subprocess.run(["mksquashfs", tmp_path / "root", packed, "-quiet", "-no-progress"], check=True, capture_output=True)
    assert cleaned(packed.read_bytes(), tmp_path).keys() == {*FILES, *FOLDERS, "sbin", "usr", "usr/bin", "holes"}
    with tarfile.open(tmp_path / "target") as tar:
        content = tar.extractfile("holes")
        assert content is not None and content.read() == bytes(300_000) + b"end"
    with pytest.raises(Unfit, match="damaged"):
        cleaned(packed.read_bytes()[:150], tmp_path)


@pytest.mark.parametrize("ends", ["exec >&-; exec sleep 600", "exit 1"])
def test_the_program_that_reads_a_squashfs_is_bounded(
    ends: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "whole.tar").write_bytes(archive())
    program = tmp_path / "sqfs2tar"
    program.write_text(f"#!/bin/sh\n(ulimit -v; ulimit -t) >{tmp_path}/limits\ncat {tmp_path}/whole.tar\n{ends}\n")
    program.chmod(0o755)
    monkeypatch.setattr(rootfs, "_PROGRAMS", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(rootfs, "_ENDS_S", 0.2)
    with pytest.raises(Unfit, match="damaged"):
        cleaned(b"hsqs" + bytes(200), tmp_path)
    assert (tmp_path / "limits").read_text() == "1048576\n3600\n"


def test_a_program_that_writes_nothing_is_ended_with_the_time_of_the_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes half of what it reads, and hangs: without the looks the import would hang with it."""
    (tmp_path / "half.tar").write_bytes(archive()[:2048])
    program = tmp_path / "sqfs2tar"
    program.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/pid\ncat {tmp_path}/half.tar\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setattr(rootfs, "_PROGRAMS", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(rootfs, "_SILENT_MS", 10)
    looks = iter(range(50))

    def look() -> None:
        if next(looks, None) is None:
            raise EngineError("The import takes longer than the shop allows.", transient=False)

    (tmp_path / "source").write_bytes(b"hsqs" + bytes(200))
    with (
        (tmp_path / "source").open("rb") as source, (tmp_path / "target").open("w+b") as target,
        pytest.raises(EngineError, match="longer than the shop allows"),
    ):  # fmt: skip
        rootfs.clean(source, "squashfs", target, MIB, look)
    assert next(looks, None) is None
    assert not (Path("/proc") / (tmp_path / "pid").read_text().strip()).exists()


def test_without_that_program_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rootfs, "_PROGRAMS", str(tmp_path))
    with pytest.raises(Unfit, match="No squashfs can be read here"):
        cleaned(b"hsqs" + bytes(200), tmp_path)


def test_links_are_kept_and_devices_of_the_host_left_out(tmp_path: Path) -> None:
    there = cleaned(
        archive(
            (entry("lib", tarfile.SYMTYPE, linkname="/usr/lib"), b""),
            (entry("etc/passwd-", tarfile.LNKTYPE, linkname="./etc/passwd"), b""),
            (entry("dev/null", tarfile.CHRTYPE, devmajor=1, devminor=3), b""),
        ),
        tmp_path,
    )
    assert (there["lib"].linkname, there["etc/passwd-"].linkname) == ("/usr/lib", "etc/passwd")
    assert "dev/null" not in there


def test_of_extended_attributes_capabilities_and_the_users_own_are_kept(tmp_path: Path) -> None:
    capability = b"\x01\x00\x00\x02\x00\x20\xff\xfe".decode("utf-8", "surrogateescape")
    told = {
        "SCHILY.xattr.security.capability": capability, "SCHILY.xattr.user.a": "b",
        "SCHILY.xattr.security.capabilityX": "x", "SCHILY.xattr.user.": "x",
        "SCHILY.xattr.trusted.overlay.redirect": "/etc", "SCHILY.xattr.security.selinux": "x",
    }  # fmt: skip
    source = io.BytesIO()
    with tarfile.open(fileobj=source, mode="w:", format=tarfile.PAX_FORMAT) as tar:
        for name, content in FILES.items():
            tar.addfile(entry(name, content=content), io.BytesIO(content))
        tar.addfile(entry("usr/bin/ping", pax_headers=told))
    kept = cleaned(source.getvalue(), tmp_path)["usr/bin/ping"].pax_headers
    kept.pop("hdrcharset", None)
    assert kept == {"SCHILY.xattr.security.capability": capability, "SCHILY.xattr.user.a": "b"}


def test_attributes_and_names_count_as_what_files_hold(tmp_path: Path) -> None:
    whole, part = "SCHILY.xattr.user.a", "SCHILY.xattr.user.b"
    fits = {whole: "x" * (65_536 - 2 * len(whole) - 5), part: "y" * 5}
    assert cleaned(with_header(fits), tmp_path)["srv/s"].pax_headers == fits
    with pytest.raises(Unfit, match="more than 64 KiB of extended attributes"):
        cleaned(with_header(fits | {part: "y" * 6}), tmp_path)
    source = io.BytesIO()
    with tarfile.open(fileobj=source, mode="w:", format=tarfile.PAX_FORMAT) as tar:
        for number in range(20):
            tar.addfile(entry(f"d/{number}", pax_headers={whole: "x" * 60_000}))
    with pytest.raises(Unfit, match="larger than the shop allows"):
        cleaned(source.getvalue(), tmp_path)
    assert (tmp_path / "target").stat().st_size < MIB
    for long in ({"linkname": "x" * 4000, "kind": tarfile.SYMTYPE}, {"kind": tarfile.REGTYPE}):
        names = [(entry(f"{number}/{'x' * (0 if 'linkname' in long else 4000)}", **long), b"") for number in range(200)]
        with pytest.raises(Unfit, match="larger than the shop allows"):
            cleaned(archive(*names), tmp_path)


OUT, DEVICE = "A path in the archive leads out of the system.", "The archive has a device outside of /dev"
HOSTILE = [
    (entry("/etc/cron.d/x"), OUT),
    (entry("usr/../../etc/cron.d/x"), OUT),
    (entry("etc/passwd/x"), OUT),
    (entry("etc/hard", tarfile.LNKTYPE, linkname="/etc/shadow"), OUT),
    (entry("etc/hard", tarfile.LNKTYPE, linkname="../etc/passwd"), OUT),
    (entry("etc/hard", tarfile.LNKTYPE, linkname="etc/none"), OUT),
    (entry("etc/soft", tarfile.SYMTYPE, linkname=""), OUT),
    (entry("disk", tarfile.BLKTYPE, devmajor=8), DEVICE),
    (entry("device/../dev/sda", tarfile.BLKTYPE, devmajor=8), OUT),
    (entry("etc/strange", b"Z"), DEVICE),
    (entry("etc/shadow", tarfile.FIFOTYPE), DEVICE),
    (entry("dev/pipe", tarfile.FIFOTYPE), DEVICE),
    (entry("etc/passwd"), "The archive has a path twice."),
    (entry("etc/passwd", tarfile.DIRTYPE), "The archive has a path twice."),
    (entry("srv/x", uid=65_536), "A file in the archive has an owner that no machine has."),
    (entry("srv/x", gid=100_000), "A file in the archive has an owner that no machine has."),
]


@pytest.mark.parametrize(("hostile", "sentence"), HOSTILE)
def test_what_leads_out_or_is_no_file_is_refused(hostile: tarfile.TarInfo, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(Unfit) as refused:
        cleaned(archive((hostile, b"")), tmp_path)
    assert refused.value.sentence.startswith(sentence) and not refused.value.transient


def test_nothing_lies_below_a_link(tmp_path: Path) -> None:
    link = (entry("led", tarfile.SYMTYPE, linkname="/etc"), b"")
    for name in ("led/cron.d/x", "./led//x"):
        with pytest.raises(Unfit, match="below a link"):
            cleaned(archive(link, (entry(name), b"")), tmp_path)
    with pytest.raises(Unfit, match="hard link"):
        cleaned(archive(link, (entry("x", tarfile.LNKTYPE, linkname="led/passwd"), b"")), tmp_path)


def test_all_paths_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rootfs, "_NAMES_MAX", 1950)
    names = [(entry(f"{number}{'x' * 90}"), b"") for number in range(10, 31)]
    assert f"29{'x' * 90}" in cleaned(archive(*names[:20]), tmp_path)
    with pytest.raises(Unfit, match="larger than the shop allows"):
        cleaned(archive(*names), tmp_path)


def test_a_folder_of_what_lies_in_it_is_no_link(tmp_path: Path) -> None:
    inner = (entry("a/b/c"), b"")
    for name in ("a", "a/b"):
        with pytest.raises(Unfit, match="a path twice"):
            cleaned(archive(inner, (entry(name, tarfile.SYMTYPE, linkname="/etc"), b"")), tmp_path)
    there = cleaned(archive(inner, (entry("a", tarfile.DIRTYPE, mode=0o700), b"")), tmp_path)
    assert (there["a"].mode, "a/b" in there) == (0o700, False)
    cleaned(archive((entry("/".join("d" * 128)), b"")), tmp_path)
    with pytest.raises(Unfit, match="deeper than 128"):
        cleaned(archive((entry("/".join("d" * 129)), b"")), tmp_path)


@pytest.mark.parametrize(("told", "written"), [("1e300", 2**33), ("-5", 0), ("7.9", 7)])
def test_a_time_is_one_that_a_host_knows(told: str, written: int, tmp_path: Path) -> None:
    assert cleaned(with_header({"mtime": told}), tmp_path)["srv/s"].mtime == written


def test_a_header_of_headers_is_damage(tmp_path: Path) -> None:
    again = entry("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    again.size = 2
    with pytest.raises(Unfit, match="damaged"):
        cleaned((again.tobuf(tarfile.GNU_FORMAT) + b"a".ljust(512, b"\0")) * 3000, tmp_path)
    with pytest.raises(Unfit, match="damaged"):
        cleaned(with_header({"mtime": "inf"}), tmp_path)


def test_what_unpacks_to_more_than_is_allowed_is_refused_before_it_is_written(tmp_path: Path) -> None:
    bomb = archive((entry("srv/zeros", content=bytes(8 * MIB)), bytes(8 * MIB)))
    assert len(lzma.compress(bomb)) < 10_000
    with pytest.raises(Unfit, match="larger than the shop allows"):
        cleaned(lzma.compress(bomb), tmp_path, 4 * MIB)
    assert (tmp_path / "target").stat().st_size < MIB
    names = [(entry(f"srv/{number}"), b"") for number in range(300)]
    with pytest.raises(Unfit, match="larger than the shop allows"):
        cleaned(archive(*names), tmp_path, MIB)  # each takes a block


def with_header(told: dict[str, str], content: bytes = b"") -> bytes:
    """An archive with a file of which its extended header says this."""
    source = io.BytesIO()
    with tarfile.open(fileobj=source, mode="w:", format=tarfile.PAX_FORMAT) as tar:
        for name, text in FILES.items():
            tar.addfile(entry(name, content=text), io.BytesIO(text))
        tar.addfile(entry("srv/s", content=content, pax_headers=told), io.BytesIO(content))
    return source.getvalue()


HOLES = "The archive has a file with holes."


@pytest.mark.parametrize(
    "told",
    [
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(GIB), "GNU.sparse.name": "s"},
        {"GNU.sparse.map": "0,1,512,1", "GNU.sparse.size": str(GIB)},
        {"GNU.sparse.size": str(GIB), "GNU.sparse.offset": "0", "GNU.sparse.numbytes": "1"},
        {"GNU.sparse.realsize": str(GIB)},
    ],
)
def test_a_file_with_holes_is_refused(told: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(Unfit, match=HOLES):
        cleaned(with_header(told, b"0\n" + bytes(510)), tmp_path)


def sparse_bomb(mib: int) -> bytes:
    """Packed, of a file in the old form of GNU, whose map of holes is so long."""
    head = bytearray(entry("f").tobuf(tarfile.GNU_FORMAT))
    hole = b"%011o\0" % 0o7777777 + b"%011o\0" % 0o1111111
    head[156:157] = b"S"
    head[386:482] = hole * 4
    head[482:495] = b"\1" + b"%011o\0" % 512
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return gzip.compress(bytes(head) + (hole * 21 + b"\1" + bytes(7)) * 2048 * mib)


def long_map(mib: int) -> bytes:
    """Packed, in the newer form."""
    told = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "f", "GNU.sparse.realsize": "1000"}
    head = entry("f", pax_headers=told)
    head.size = GIB
    return gzip.compress(head.tobuf(tarfile.PAX_FORMAT) + b"99999999999\n" + b"1000\n" * (mib * MIB // 5))


def globals_bomb(mib: int) -> bytes:
    """Packed, of headers that say something of all files."""
    of_all = (tarfile.TarInfo.create_pax_global_header({f"k{number}": "a" * 200_000}) for number in range(5 * mib))
    return gzip.compress(b"".join(one + entry(f"x{at}").tobuf() for at, one in enumerate(of_all)))


def names_bomb(mib: int) -> bytes:
    """Packed, of names of which none is an entry's."""
    name = entry("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    name.size = MIB // 2
    return gzip.compress((name.tobuf(tarfile.GNU_FORMAT) + b"a" * (MIB // 2)) * 2 * mib)


LONG = "The archive has an entry whose header is too long."


@pytest.mark.parametrize(
    ("bomb", "sentence"), [(sparse_bomb, HOLES), (long_map, HOLES), (globals_bomb, LONG), (names_bomb, LONG)]
)
def test_headers_that_would_fill_the_memory_are_not_read(
    bomb: Callable[[int], bytes], sentence: str, tmp_path: Path
) -> None:
    packed = bomb(24)
    assert len(packed) < MIB
    tracemalloc.start()
    with pytest.raises(Unfit, match=sentence):
        cleaned(packed, tmp_path, 64 * MIB)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 16 * MIB


def test_of_all_files_a_header_says_a_little(tmp_path: Path) -> None:
    """As git's archives have it."""
    said = tarfile.TarInfo.create_pax_global_header({"comment": "a" * 40})
    assert "etc/passwd" in cleaned(said + archive(), tmp_path)


def test_a_header_that_would_fill_the_memory_is_not_read(tmp_path: Path) -> None:
    long = entry("x", tarfile.XHDTYPE, bytes(2 * MIB))
    with pytest.raises(Unfit, match="header is too long"):
        cleaned(archive((long, bytes(2 * MIB))), tmp_path, 16 * MIB)
    with pytest.raises(Unfit, match="damaged"):
        cleaned(archive((entry("x", tarfile.XHDTYPE, b"1" * 200_000), b"1" * 200_000)), tmp_path, 16 * MIB)


def test_what_lies_between_and_behind_is_bounded(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="larger than the shop allows"):
        cleaned(gzip.compress(archive() + bytes(8 * MIB)), tmp_path, MIB)
    assert "srv" not in cleaned(gzip.compress(archive() + bytes(4 * MIB)), tmp_path, MIB)


@pytest.mark.parametrize("lacking", FILES)
def test_what_nobody_could_use_is_refused(lacking: str, tmp_path: Path) -> None:
    with pytest.raises(Unfit) as refused:
        cleaned(archive(files={name: content for name, content in FILES.items() if name != lacking}), tmp_path)
    said = "no cloud-init" if "cloud" in lacking else "no system that starts"
    assert said in refused.value.sentence


@pytest.mark.parametrize("packing", [bytes, gzip.compress, lzma.compress, bz2.compress])
def test_an_archive_that_is_cut_short_is_damaged(packing: Callable[[bytes], bytes], tmp_path: Path) -> None:
    packed = packing(archive())
    for cut in (512 * 5, 512 * 6) if packing is bytes else (len(packed) // 2, len(packed) - 1):
        with pytest.raises(Unfit, match="damaged"):
            cleaned(packed[:cut], tmp_path)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 4095), st.binary(min_size=1, max_size=40))
def test_whatever_is_changed_of_it_nothing_else_than_a_refusal_comes(at: int, noise: bytes) -> None:
    plain = bytearray(archive())
    plain[at : at + len(noise)] = noise
    target = io.BytesIO()
    try:
        rootfs.clean(io.BytesIO(bytes(plain)), "tar", target, MIB)
    except EngineError as refused:
        assert isinstance(refused, Unfit)
        return
    with tarfile.open(fileobj=io.BytesIO(target.getvalue())) as tar:
        names = [one.name for one in tar.getmembers()]
    assert not [name for name in names if name.startswith("/") or ".." in name.split("/")]


# -- disks -----------------------------------------------------------------------------------------


def extension(kind: int, text: bytes = b"raw") -> bytes:
    return struct.pack(">II", kind, len(text)) + text.ljust((len(text) + 7) // 8 * 8, b"\0") + bytes(8)


@pytest.mark.parametrize(
    ("header", "size_gib"),
    [({}, 3), ({"version": 2}, 3), ({"size": 3 * GIB + 1}, 4), ({"features": 0b11001}, 3),
     ({"extensions": extension(0x6803F857)}, 3)],
)  # fmt: skip
def test_a_disk_that_is_alone_says_how_large_it_is(header: dict[str, int], size_gib: int) -> None:
    packed = disk(**header)  # type: ignore[arg-type]
    assert (kinds.form_of(packed), qcow2.size_gib(io.BytesIO(packed), 4)) == ("qcow2", size_gib)


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ({"backing": 200}, "needs another file beside it"),
        ({"version": 2, "backing": 200}, "needs another file beside it"),
        ({"features": 4}, "needs another file beside it"),
        ({"extensions": extension(0xE2792ACA)}, "needs another file beside it"),
        ({"extensions": extension(0x44415441, b"/etc/shadow")}, "needs another file beside it"),
        ({"encrypted": 1}, "encrypted"),
        ({"extensions": extension(0x0537BE77)}, "encrypted"),
        ({"features": 2}, "not understood"),
        ({"features": 32}, "not understood"),
        ({"version": 4}, "not understood"),
        ({"cluster_bits": 40}, "not understood"),
        ({"length": 2**31}, "not understood"),
        ({"extensions": b""}, "not understood"),
        ({"extensions": extension(1)[:-8] * 40}, "not understood"),
        ({"size": 4 * GIB + 1}, "larger than the shop allows"),
        ({"size": 0}, "larger than the shop allows"),
    ],
)
def test_a_disk_that_reads_files_of_the_host_or_is_not_understood_is_refused(
    header: dict[str, int], sentence: str
) -> None:
    with pytest.raises(Unfit, match=sentence):
        qcow2.size_gib(io.BytesIO(disk(**header)), 4)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("head", "sentence"),
    [(b"KDMV", "another format than qcow2"), (b"conectix", "another format than qcow2"),
     (bytes(510) + b"\x55\xaa", "another format than qcow2"), (b"<html>", "neither a qcow2 disk nor an archive"),
     (b"", "neither a qcow2 disk nor an archive")],
)  # fmt: skip
def test_what_is_no_system_is_refused_by_its_beginning(head: bytes, sentence: str) -> None:
    with pytest.raises(Unfit, match=sentence):
        kinds.form_of(head)
