"""The archive of a system, read and written anew: what an engine unpacks is what was understood here, and nothing else.

Two programs may read one archive differently. So nothing of the customer's archive is handed on: each entry is read,
checked, and written into another archive with the few members that a file has. What is refused: paths that lead out,
or lie below a link; devices, pipes and sockets; owners that a machine does not have; more than was allowed, of entries
or bytes. Devices below /dev are left out: a machine's host makes them.
"""

import bz2
import io
import lzma
import posixpath
import re
import select
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from vmart.engines.foreign.kinds import Unfit

_PIECE = 1 << 18
_AT_ONCE_MAX = 1 << 20  # of what is read into memory
_HEADER_MAX = 256 << 10  # of an entry's extended header
_ABOUT_ALL_MAX = 4 << 10  # of what headers say of all entries after them
_BETWEEN_MAX = 4 << 20  # that lies between what two entries hold
_DIGITS_MAX = 1024  # in a row in a header: tarfile's search takes the square of it
_ENTRIES_MAX = 500_000
_NAMES_MAX = 128 << 20  # of all paths together: they are held in memory
_XZ_MEMORY = 256 << 20
_OWNERS = 65_536  # users and groups that a container has
_NAME_MAX, _LINK_MAX = 4096, 4096
_BLOCK = 4096  # what a file takes at least, about

_INITS = ("sbin/init", "usr/sbin/init", "lib/systemd/systemd", "usr/lib/systemd/systemd")
_CLOUD_INITS = ("usr/bin/cloud-init", "usr/local/bin/cloud-init")
# Where an engine mounts or writes; made where the archive has none, as of many containers'.
_FOLDERS = {
    "dev": 0o755, "proc": 0o755, "sys": 0o755, "run": 0o755, "tmp": 0o1777, "etc": 0o755, "var": 0o755,
    "var/lib": 0o755, "var/lib/cloud": 0o755,
}  # fmt: skip
_ATTRIBUTE = "SCHILY.xattr."
_ATTRIBUTES_MAX = 64 << 10  # bytes of a file
_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_PROGRAMS = "/usr/local/bin:/usr/bin:/bin"
_LIMITED = ("prlimit", "--as=1073741824", "--cpu=3600")  # memory and time of a program that reads what customers bring
_ENDS_S = 10.0  # after its last byte
_SILENT_MS = 1000  # how long it may write nothing before it is looked again

_READ_ERRORS = (
    tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, OverflowError, IndexError,
    RecursionError,
)  # fmt: skip
_MTIME_MAX = 2**33  # the year 2242
_DEPTH_MAX = 128  # folders, one in the other


def _nothing() -> None: ...


def clean(source: BinaryIO, form: str, target: BinaryIO, most_bytes: int, look: Callable[[], None] = _nothing) -> int:
    """Write the system in the archive to ``target``, as a plain tar; the bytes that its files take.

    ``form`` is of ``kinds.form_of``, ``source`` a real file at its beginning; ``look`` is called at each piece,
    and at least every second while a program is waited for; what it raises ends it. Raises Unfit.
    """
    if form == "squashfs":
        return _of_squashfs(source, target, most_bytes, look)
    unpacked = _UNPACKED[form](_Looking(source, look))
    return _cleaned(_Looking(unpacked, look), target, most_bytes)


class _Written:
    """What a program writes, unbuffered, as it comes; it is looked while it writes nothing, too."""

    def __init__(self, pipe: Any, look: Callable[[], None]) -> None:
        self._pipe, self._look = pipe, look
        self._comes = select.poll()
        self._comes.register(pipe, select.POLLIN)  # its end, or a fault, is told anyway

    def read(self, size: int = -1) -> bytes:
        self._look()
        while not self._comes.poll(_SILENT_MS):
            self._look()
        return bytes(self._pipe.read(size))


class _Looking:
    """Read by pieces, with a look at each: a little that is packed may be much work, or much."""

    def __init__(self, source: Any, look: Callable[[], None]) -> None:
        self._source, self._look = source, look

    def read(self, size: int = -1) -> bytes:
        self._look()
        return bytes(self._source.read(size))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


def _cleaned(stream: Any, target: BinaryIO, most_bytes: int) -> int:
    cleaning, onward = _Cleaning(target, most_bytes), _Forward(stream, 2 * most_bytes)
    try:
        cleaning.run(onward)
        is_whole = onward.last == bytes(len(onward.last)) != b""  # tarfile takes what it knows not for the end
        onward.drain()
    except _READ_ERRORS as error:
        if isinstance(error, OSError) and error.errno:
            raise  # of this host: no room to write, say
        raise Unfit("The archive is damaged.", detail=repr(error)[:200]) from error
    if not is_whole:
        raise Unfit("The archive is damaged.", detail="it has no end")
    return cleaning.bytes


def _of_squashfs(source: BinaryIO, target: BinaryIO, most_bytes: int, look: Callable[[], None]) -> int:
    """By a program that makes a tar of it, which is ended whatever it is made of."""
    program = shutil.which("sqfs2tar", path=_PROGRAMS)
    if program is None:
        raise Unfit("No squashfs can be read here.", helps="Import a tar of the same system.")
    process = subprocess.Popen(
        [*_LIMITED, program, f"/proc/self/fd/{source.fileno()}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
        pass_fds=[source.fileno()], env={"PATH": _PROGRAMS},
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout:
        try:
            taken = _cleaned(_Written(process.stdout, look), target, most_bytes)
        except BaseException:
            process.kill()
            raise
        finally:
            code = _ended(process)
    if code:
        raise Unfit("The archive is damaged.", detail=f"sqfs2tar: {code}")
    return taken


def _ended(process: "subprocess.Popen[bytes]") -> int:
    """Its code, after a kill where it does not end by itself."""
    try:
        return process.wait(_ENDS_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


class _Xz(io.RawIOBase):
    """Unpacked within a memory that the sender does not decide."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._part = self._new()
        self._packed = b""

    def read(self, size: int = -1) -> bytes:
        while True:
            if self._part.eof:
                self._packed = self._part.unused_data.lstrip(b"\0") or self._source.read(_PIECE).lstrip(b"\0")
                if not self._packed:
                    return b""
                self._part = self._new()
            if self._part.needs_input and not self._packed:
                self._packed = self._source.read(_PIECE)
                if not self._packed:
                    raise EOFError("cut short")
            packed, self._packed = self._packed, b""
            if piece := self._part.decompress(packed, size):
                return piece

    @staticmethod
    def _new() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


class _Gzip(io.RawIOBase):
    """Unpacked by pieces; what follows the first member follows in the archive too."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._part, self._packed = zlib.decompressobj(31), b""

    def read(self, size: int = -1) -> bytes:
        while True:
            if self._part.eof:
                self._packed = self._part.unused_data or self._source.read(_PIECE)
                if not self._packed.strip(b"\0"):
                    return b""
                self._part = zlib.decompressobj(31)
            elif not self._packed:
                self._packed = self._source.read(_PIECE)
                if not self._packed:
                    raise EOFError("cut short")
            piece = self._part.decompress(self._packed, size)
            self._packed = b"" if self._part.eof else self._part.unconsumed_tail
            if piece:
                return piece


_UNPACKED: dict[str, Callable[[Any], Any]] = {
    "tar": lambda source: source, "gzip": _Gzip, "xz": _Xz, "bzip2": bz2.BZ2File,
}  # fmt: skip


class _Forward:
    """A stream as tarfile reads it: onward only, never much into memory, and no further than it was told."""

    def __init__(self, stream: Any, most_bytes: int) -> None:
        self._stream, self._at, self._held = stream, 0, b""
        self._most_bytes, self._ends = most_bytes, _BETWEEN_MAX
        self.last = b""  # what was read last

    def tell(self) -> int:
        return self._at

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _AT_ONCE_MAX:
            raise _too_long()
        if self._at + size > self._most_bytes + _BETWEEN_MAX:
            raise _too_large()
        if self._at + size > self._ends:
            raise _too_long()
        pieces, left = [], size
        while left > 0:
            piece = self._held or self._stream.read(_PIECE)
            if not piece:
                break
            pieces.append(piece[:left])
            self._held = piece[left:]
            left -= len(pieces[-1])
        self._at += size - left
        self.last = b"".join(pieces)
        return self.last

    def seek(self, at: int) -> None:
        if at < self._at:
            raise tarfile.ReadError("the archive leads back")
        while self._at < at:
            if not self.read(min(at - self._at, _PIECE)):
                raise EOFError("cut short")

    def allow(self, size: int) -> None:
        """So much belongs to the entry that was just found; then another begins soon."""
        self._ends = self._at + size + _BETWEEN_MAX

    def look_at_header(self, size: int) -> None:
        """At an extended one that tarfile reads next. Raises Unfit where that would take long."""
        if size > _HEADER_MAX:
            raise _too_long()
        header = self.read(size)
        self._held, self._at = header + self._held, self._at - len(header)
        if any(len(digits) > _DIGITS_MAX for digits in re.findall(rb"[0-9]+", header)):
            raise Unfit("The archive is damaged.", detail="digits without end")

    def drain(self) -> None:
        """What is packed behind the archive's end is read too: by it one knows whether all has come."""
        self._ends = self._most_bytes + 2 * _BETWEEN_MAX
        while self.read(_PIECE):
            pass


def _too_long() -> Unfit:
    return Unfit("The archive has an entry whose header is too long.")


def _too_large() -> Unfit:
    return Unfit("The system in the archive is larger than the shop allows.")


class _Entry(tarfile.TarInfo):
    """As tarfile reads it, but for files with holes: their maps are read whole, however long they are."""

    def _proc_pax(self, archive: Any) -> Any:
        archive.fileobj.look_at_header(self._block(self.size))  # type: ignore[attr-defined]
        return super()._proc_pax(archive)  # type: ignore[misc]

    def _refuse_holes(self, *_: object) -> None:
        raise _with_holes()

    _proc_sparse = _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse_holes


def _with_holes() -> Unfit:
    return Unfit("The archive has a file with holes.", helps="Pack the system anew, without --sparse.")


@dataclass
class _Cleaning:
    target: BinaryIO
    most_bytes: int
    bytes: int = 0
    entries: int = 0
    names: int = 0
    files: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)  # all that is no folder
    folders: set[str] = field(default_factory=set)
    implied: set[str] = field(default_factory=set)  # folders of what lies in them

    def run(self, stream: _Forward) -> None:
        made: Any  # tarfile keeps a list of all entries, which is for us to shorten
        archive: Any
        readable: Any = stream  # but for what tarfile never does with it
        with tarfile.open(fileobj=self.target, mode="w:", format=tarfile.PAX_FORMAT) as made:
            with tarfile.TarFile(fileobj=readable, mode="r", tarinfo=_Entry) as archive:
                while (entry := archive.next()) is not None:
                    archive.members.clear()
                    stream.allow(max(entry.size, 0))
                    _refuse_headers(archive.pax_headers, entry.pax_headers)
                    self._entry(archive, made, entry)
            self._refuse_no_system()
            for folder in _FOLDERS:
                if folder not in self.folders | self.others and not self._below_link(folder):
                    made.addfile(_folder(folder))

    def _entry(self, archive: Any, made: Any, entry: tarfile.TarInfo) -> None:
        name = _path(entry.name)
        self._count(name, max(entry.size, 0))
        if not name or self._is_device_of_host(entry, name):
            return
        if self._below_link(name):
            raise _leads_out("below a link", name)
        if name in self.others or (not entry.isdir() and (name in self.folders or name in self.implied)):
            raise Unfit("The archive has a path twice.", detail=name[:200])
        self._imply(posixpath.dirname(name))
        written = self._written(entry, name)
        self._count("", _bytes_of(written.linkname) + _attributes_bytes(written, name), entries=0)
        (self.folders if written.isdir() else self.others).add(name)
        made.addfile(written, archive.extractfile(entry) if written.size else None)
        made.members.clear()

    def _count(self, name: str, more_bytes: int, *, entries: int = 1) -> None:
        self.entries += entries
        self.names += len(name)
        self.bytes += entries * _BLOCK + _bytes_of(name) + more_bytes
        if self.entries > _ENTRIES_MAX or self.names > _NAMES_MAX or self.bytes > self.most_bytes:
            raise _too_large()

    def _imply(self, folder: str) -> None:
        """It and those above are there from now on, and are made where the archive has none."""
        while folder and folder not in self.implied:
            if folder not in self.folders:
                self._count(folder, 0)
            self.implied.add(folder)
            folder = posixpath.dirname(folder)

    def _written(self, entry: tarfile.TarInfo, name: str) -> tarfile.TarInfo:
        """The entry with the members that are kept."""
        if not (0 <= entry.uid < _OWNERS and 0 <= entry.gid < _OWNERS):
            raise Unfit("A file in the archive has an owner that no machine has.", detail=name[:200])
        written = tarfile.TarInfo(name)
        written.uid, written.gid, written.mode = entry.uid, entry.gid, entry.mode & 0o7777
        written.mtime = min(max(0, int(entry.mtime)), _MTIME_MAX)
        written.pax_headers = {key: value for key, value in entry.pax_headers.items() if _is_kept(key)}
        if entry.type in _FILES:
            written.size = entry.size
            self.files.add(name)
        elif entry.isdir():
            written.type = tarfile.DIRTYPE
        elif entry.issym():
            written.type, written.linkname = tarfile.SYMTYPE, _link(entry.linkname, name)
            self.links.add(name)
        elif entry.islnk():
            written.type, written.linkname = tarfile.LNKTYPE, self._linked(entry.linkname, name)
            self.files.add(name)
        else:  # who opens a pipe waits for another: the server would, when it writes where one lies
            raise Unfit("The archive has a device outside of /dev, or what is no file.", detail=name[:200])
        return written

    def _linked(self, text: str, name: str) -> str:
        """A hard link is to a file of the archive, by its own path."""
        target = _path(text)
        if target not in self.files or self._below_link(target):
            raise _leads_out("hard link", name)
        return target

    @staticmethod
    def _is_device_of_host(entry: tarfile.TarInfo, name: str) -> bool:
        return (entry.ischr() or entry.isblk()) and name.startswith("dev/")

    def _below_link(self, name: str) -> bool:
        above = posixpath.dirname(name)
        while above:
            if above in self.others:
                return True
            above = posixpath.dirname(above)
        return False

    def _refuse_no_system(self) -> None:
        there = self.files | self.links
        if "etc/passwd" not in self.files or not there.intersection(_INITS):
            raise Unfit(
                "The archive holds no system that starts: it has no /etc/passwd, or no init.",
                helps="Import the archive of a whole system, with / at its beginning.",
            )
        if not there.intersection(_CLOUD_INITS):
            raise Unfit(
                "The system in the archive has no cloud-init: nobody could log in to a machine of it.",
                helps="Install the package cloud-init in it, then import it again.",
            )


def _refuse_headers(of_all: Mapping[str, str], of_one: Mapping[str, str]) -> None:
    if sum(len(key) + len(value) for key, value in of_all.items()) > _ABOUT_ALL_MAX:
        raise _too_long()
    if any(key.startswith("GNU.sparse.") for key in of_one):
        raise _with_holes()


def _path(text: str) -> str:
    """Without what is before the first name; "" for the system's own folder."""
    if "\0" in text or len(text) > _NAME_MAX:
        raise _leads_out("name", text)
    if text.startswith("/"):
        raise _leads_out("absolute", text)
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise _leads_out("..", text)
    if len(parts) > _DEPTH_MAX:
        raise Unfit("The archive has folders deeper than 128, one in the other.", detail=text[:200])
    return "/".join(parts)


def _link(text: str, name: str) -> str:
    """Where a symbolic link leads is read in the machine: anything with a length."""
    if not text or "\0" in text or len(text) > _LINK_MAX:
        raise _leads_out("link", name)
    return text


def _is_kept(key: str) -> bool:
    """Of extended attributes: what a program may do, and what users keep for themselves."""
    attribute = key.removeprefix(_ATTRIBUTE)
    users = attribute.startswith("user.") and attribute != "user."
    return attribute != key and (users or attribute == "security.capability")


def _attributes_bytes(written: tarfile.TarInfo, name: str) -> int:
    taken = sum(_bytes_of(key) + _bytes_of(value) for key, value in written.pax_headers.items())
    if taken > _ATTRIBUTES_MAX:
        raise Unfit("A file in the archive has more than 64 KiB of extended attributes.", detail=name[:200])
    return taken


def _bytes_of(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _leads_out(how: str, name: str) -> Unfit:
    return Unfit("A path in the archive leads out of the system.", detail=f"{how}: {name[:200]!r}")


def _folder(name: str) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.mode = tarfile.DIRTYPE, _FOLDERS[name]
    return made
