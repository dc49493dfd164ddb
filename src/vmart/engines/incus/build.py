"""Builds machine images from Debian packages, as root, in a process of its own.

One folder an image, named after a hash of its recipe, so that a second deployment or test run finds
it made: ``<out_dir>/debian-12-<hash>/{rootfs.squashfs,metadata.tar.xz}``. How far a build is stands in
``<out_dir>/debian-12.json`` (``Progress``), which the driver's ``ensure_image`` reads.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vmart.engines.contract import EngineError
from vmart.engines.incus.host import unmount_below
from vmart.engines.incus.packages import program_path, sources_of
from vmart.kernel import clock

Report = Callable[[int, str], None]

DEFAULT_CACHE = Path("/var/cache/vmart/images")
_ROOTFS_FILES = Path(__file__).with_name("rootfs")
_MASKED = (
    # A container's host does these; each costs a start and most of them wait.
    "systemd-networkd-wait-online.service",
    "systemd-udev-settle.service",
    "systemd-timesyncd.service",
    "systemd-modules-load.service",
    "systemd-binfmt.service",
    "systemd-pcrphase.service",
    "systemd-pcrphase-sysinit.service",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "sys-kernel-config.mount",
    "sys-fs-fuse-connections.mount",
    "e2scrub_reap.service",
    "cloud-init-hotplugd.socket",
    "ssh.socket",
)
_INCLUDE = (
    *("systemd", "systemd-sysv", "systemd-resolved", "libpam-systemd", "dbus", "udev", "iproute2", "netbase"),
    *("openssh-server", "cloud-init", "procps", "sudo", "ca-certificates", "curl", "less", "nano", "iputils-ping"),
)
_METADATA_DATE_S = 1767225600  # Incus wants one; the recipe's, so that the same recipe hashes the same
_PACKAGES_EXPECTED = 190  # dpkg's records of a finished system, for the percentage only


@dataclass(frozen=True, slots=True)
class Recipe:
    name: str
    suite: str
    title: str


RECIPES = {
    "debian-12": Recipe("debian-12", "bookworm", "Debian 12"),
    "debian-13": Recipe("debian-13", "trixie", "Debian 13"),
}


@dataclass(frozen=True, slots=True)
class Progress:
    """What the progress file says. ``status``: ``preparing``, ``ready`` or ``failed``."""

    status: str
    percent: int
    step: str
    folder: str = ""
    why: str = ""
    detail: str = ""


def recipe_hash(name: str) -> str:
    """12 hex digits over all that decides what an image of this recipe is made of."""
    recipe = RECIPES[name]
    digest = hashlib.sha256(repr((recipe, _INCLUDE, _MASKED, platform.machine(), metadata_of(recipe))).encode())
    for path in sorted(_ROOTFS_FILES.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(_ROOTFS_FILES)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def image_folder(name: str, out_dir: Path) -> Path:
    return out_dir / f"{name}-{recipe_hash(name)}"


def is_built(name: str, out_dir: Path) -> bool:
    return (image_folder(name, out_dir) / "image.json").exists()


def read_progress(name: str, out_dir: Path) -> Progress | None:
    """How far the build is, or None where none is: not begun, or its builder was killed.

    A finished folder counts as ready by itself.
    """
    if is_built(name, out_dir):
        return Progress("ready", 100, "built", str(image_folder(name, out_dir)))
    try:
        said = Progress(**json.loads((out_dir / f"{name}.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return None if said.status == "preparing" and not _is_being_built(name, out_dir) else said


def build_image(name: str, out_dir: Path = DEFAULT_CACHE, report: Report = lambda percent, step: None) -> Path:
    """Build recipe ``name`` (one of RECIPES) below ``out_dir``; returns the folder of the finished image.

    ``report`` gets (percent, step). Returns at once when it is there; two builders of one image wait
    for each other. Raises EngineError with a sentence. Needs root.
    """
    if name not in RECIPES:
        raise EngineError("There is no recipe for the image.", transient=False, detail=name)
    folder = image_folder(name, out_dir)
    if is_built(name, out_dir):
        return folder
    out_dir.mkdir(parents=True, exist_ok=True)
    with _one_builder(name, out_dir):
        if is_built(name, out_dir):
            return folder
        for torso in out_dir.glob(f".{name}-*"):  # of a builder that was killed
            unmount_below(torso)
            shutil.rmtree(torso, ignore_errors=True)
        try:
            with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=out_dir) as scratch:
                _Build(RECIPES[name], out_dir, Path(scratch), report).run(folder)
        except EngineError as error:
            _write_progress(name, out_dir, Progress("failed", 0, "failed", why=error.sentence, detail=error.detail))
            raise
        _write_progress(name, out_dir, Progress("ready", 100, "built", str(folder)))
    return folder


def metadata_of(recipe: Recipe) -> str:
    """``metadata.yaml`` of an image that is built here."""
    told = {"os": "debian", "release": recipe.suite}
    return metadata_text(platform.machine(), told, f"{recipe.title} (vmart)")


def metadata_text(architecture: str, properties: Mapping[str, str], description: str) -> str:
    """``metadata.yaml``: without its NoCloud templates cloud-init stays off and the interface down (decision 14)."""
    templates = ""
    for file, key, empty in (
        ("meta-data", "", ""),
        ("user-data", "cloud-init.user-data", "#cloud-config\n{}\n"),
        ("user-data.base64", "", ""),
        ("vendor-data", "cloud-init.vendor-data", "#cloud-config\n{}\n"),
        ("network-config", "cloud-init.network-config", ""),
    ):
        templates += f"  /var/lib/cloud/seed/nocloud/{file}:\n    when: [create, copy]\n    template: {file}.tpl\n"
        if key:
            templates += f"    properties:\n      default: {json.dumps(empty)}\n"
    templates += "  /etc/hostname:\n    when: [create, copy]\n    template: hostname.tpl\n"
    told = "".join(f"  {name}: {value}\n" for name, value in {**properties, "description": description}.items())
    return (
        f"architecture: {architecture}\ncreation_date: {_METADATA_DATE_S}\nproperties:\n{told}templates:\n{templates}"
    )


def metadata_tar(text: str) -> bytes:
    """The metadata with its templates, as the server takes it beside a root file system."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz", preset=1) as archive:
        _add(archive, "metadata.yaml", text)
        for file, template in _TEMPLATES.items():
            _add(archive, f"templates/{file}", template)
    return packed.getvalue()


_TEMPLATES = {
    "meta-data.tpl": (
        'instance-id: {{ container.name }}\nlocal-hostname: {{ config_get("user.vmart.hostname", container.name) }}\n'
    ),
    "user-data.tpl": '{{ config_get("cloud-init.user-data", properties.default) }}',
    "user-data.base64.tpl": '{{ config_get("user.vmart.user_data", "") }}',
    "vendor-data.tpl": '{{ config_get("cloud-init.vendor-data", properties.default) }}',
    "network-config.tpl": (
        '{% if config_get("cloud-init.network-config", "") == "" %}version: 2\nethernets:\n  eth0:\n    dhcp4: true\n'
        '{% else %}{{ config_get("cloud-init.network-config", "") }}{% endif %}'
    ),
    "hostname.tpl": '{{ config_get("user.vmart.hostname", container.name) }}\n',
}


class _Build:
    """One build: packages, trimming, packing; each step reports."""

    def __init__(self, recipe: Recipe, out_dir: Path, scratch: Path, report: Report) -> None:
        self.recipe = recipe
        self.out_dir = out_dir
        self.scratch = scratch
        self.rootfs = scratch / "rootfs"
        self._report = report
        self._percent = 0

    def run(self, folder: Path) -> None:
        self.tell(1, "reading package lists")
        self.scratch.chmod(0o755)  # apt reads as its own user
        self._install_packages()
        self.tell(80, "trimming")
        self._trim()
        self.tell(84, "packing")
        done = self.scratch / "done"
        done.mkdir()
        self._pack(done)
        (done / "image.json").write_text(json.dumps({"name": self.recipe.name, "built_at": clock.wall().isoformat()}))
        for path in done.iterdir():
            path.chmod(0o644)
        done.chmod(0o755)
        done.replace(folder)

    def tell(self, percent: int, step: str) -> None:
        self._percent = max(self._percent, percent)
        _write_progress(self.recipe.name, self.out_dir, Progress("preparing", self._percent, step))
        self._report(self._percent, step)

    def _install_packages(self) -> None:
        sources = sources_of(self.recipe.suite)
        if not sources:
            sentence = "No package source for the image can be derived here."
            raise EngineError(sentence, transient=False, detail=self.recipe.title)
        command = [
            # Ends with the builder: a killed one leaves no debootstrapping behind.
            *("setpriv", "--pdeathsig", "TERM"),
            program_path("mmdebstrap") or "mmdebstrap",
            "--variant=minbase",
            "--format=directory",
            f"--include={','.join(_INCLUDE)}",
            "--dpkgopt=force-unsafe-io",
            "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-include=/usr/share/doc/*/copyright",
            '--aptopt=Acquire::Languages "none"',
            self.recipe.suite,
            str(self.rootfs),
            *[source.line() for source in sources],
        ]
        log = self.scratch / "mmdebstrap.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=_quiet_environment()
            )
            with self._watching(log):
                code = process.wait()
        if code:
            last = " / ".join(line for line in log.read_text(errors="replace").splitlines()[-6:] if line.strip())
            raise EngineError("The image could not be put together.", transient=True, detail=last)

    @contextmanager
    def _watching(self, log: Path) -> Iterator[None]:
        """While packages install, tell how far: by mmdebstrap's steps, then by what dpkg has recorded."""
        steps = ((r"downloading packages", 6), (r"extracting archives", 20), (r"installing essential", 25))
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.5):
                said = log.read_text(errors="replace")
                percent = max([3] + [share for pattern, share in steps if re.search(pattern, said)])
                with contextlib.suppress(OSError):
                    record = (self.rootfs / "var/log/dpkg.log").read_text(errors="replace")
                    percent = max(percent, 28 + min(50, 50 * record.count(" status installed ") // _PACKAGES_EXPECTED))
                self.tell(percent, "installing packages")

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _trim(self) -> None:
        root = self.rootfs
        shutil.copytree(_ROOTFS_FILES, root, dirs_exist_ok=True)
        units = root / "etc/systemd/system"
        for unit in _MASKED:
            (units / unit).unlink(missing_ok=True)
            (units / unit).symlink_to("/dev/null")
        for unit in ("systemd-networkd.service", "ssh.service"):
            self._inside(["systemctl", "enable", "--quiet", unit])
        for key in (root / "etc/ssh").glob("ssh_host_*"):
            key.unlink()  # each machine makes its own
        (root / "etc/machine-id").write_text("")
        (root / "var/lib/dbus/machine-id").unlink(missing_ok=True)
        (root / "etc/resolv.conf").unlink(missing_ok=True)
        (root / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
        (root / "etc/hostname").unlink(missing_ok=True)
        self._inside(["passwd", "--quiet", "--lock", "root"])
        self._own_sources()
        self._inside(["apt-get", "clean"])
        for pattern in ("var/lib/apt/lists/*", "var/cache/apt/*.bin", "var/log/*.log", "var/log/apt/*", "tmp/*"):
            for path in root.glob(pattern):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        self._compile_python()

    def _own_sources(self) -> None:
        """The machine's package sources are those it was made of, where apt finds them inside too."""
        lines = [source.line() for source in sources_of(self.recipe.suite)]
        lines = [re.sub(r"\[[^\]]*\] ", "", line) for line in lines]
        (self.rootfs / "etc/apt/sources.list").write_text("\n".join(lines) + "\n")

    def _compile_python(self) -> None:
        """cloud-init's byte code is made now, not at the first boot of each machine."""
        self._inside(
            ["python3", "-m", "compileall", "-q", "/usr/lib/python3", "/usr/lib/python3/dist-packages/cloudinit"]
        )

    def _inside(self, command: list[str]) -> None:
        chroot = [program_path("chroot") or "chroot", str(self.rootfs), *command]
        done = subprocess.run(chroot, capture_output=True, text=True, check=False, env=_quiet_environment())
        if done.returncode:
            sentence = "The image could not be trimmed."
            raise EngineError(sentence, transient=False, detail=f"{command[0]}: {done.stderr[-300:]}")

    def _pack(self, done: Path) -> None:
        (done / "metadata.tar.xz").write_bytes(metadata_tar(metadata_of(self.recipe)))
        command = [program_path("mksquashfs") or "mksquashfs", str(self.rootfs), str(done / "rootfs.squashfs")]
        command += ["-noappend", "-quiet", "-no-progress", "-comp", "zstd", "-Xcompression-level", "3"]
        packed = subprocess.run(command, capture_output=True, text=True, check=False)
        if packed.returncode:
            raise EngineError("The image could not be packed.", transient=True, detail=packed.stderr[-300:])


def _add(archive: tarfile.TarFile, name: str, text: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(text.encode())
    entry.mode = 0o644
    archive.addfile(entry, io.BytesIO(text.encode()))


def _quiet_environment() -> dict[str, str]:
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": path, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root"}


def _write_progress(name: str, out_dir: Path, progress: Progress) -> None:
    fresh = out_dir / f".{name}.json.{os.getpid()}"
    fresh.write_text(json.dumps(dataclasses.asdict(progress)))
    fresh.chmod(0o644)
    fresh.replace(out_dir / f"{name}.json")


@contextmanager
def _one_builder(name: str, out_dir: Path) -> Iterator[None]:
    """Held for as long as the builder lives, however it ends."""
    with _lock_file(name, out_dir).open("w") as file:
        os.fchmod(file.fileno(), 0o644)  # the worker, another user, looks whether it is held
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_being_built(name: str, out_dir: Path) -> bool:
    try:
        with _lock_file(name, out_dir).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _lock_file(name: str, out_dir: Path) -> Path:
    return out_dir / f".{name}.lock"
