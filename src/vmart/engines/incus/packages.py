"""The Debian packages the private daemon needs, from the machine's own package sources.

Debian 12 has Incus only in its backports; their address is derived from the machine's own source of
``bookworm``, so that its mirror is used, and handed to apt by option, so that the system's own lists
stay as they were. A package's service is kept from starting: the daemon here is private.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

Report = Callable[[str], None]

PACKAGES = (
    "incus-base",
    "incus-client",
    "lxcfs",
    "dnsmasq-base",
    "nftables",
    "iproute2",
    "attr",
    "rsync",
    "squashfs-tools",
    "xz-utils",
    "btrfs-progs",
    "mmdebstrap",
)
PROGRAMS = ("incusd", "lxcfs", "dnsmasq", "nft", "ip", "mksquashfs", "mkfs.btrfs", "mmdebstrap", "xz")
# What building images takes, where an Incus of the seller's own runs the machines.
BUILDER_PACKAGES = ("squashfs-tools", "xz-utils", "mmdebstrap")
BUILDER_PROGRAMS = ("mksquashfs", "mmdebstrap", "xz")

_POLICY = Path("/usr/sbin/policy-rc.d")
_POLICY_MARK = "# vmart: removed when its packages are installed"
_UNITS = ("incus.socket", "incus.service", "incus-startup.service", "incus-user.socket", "lxcfs.service")


class InstallError(Exception):
    """The packages cannot be had here; the sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class AptSource:
    """One line of a machine's package sources: ``options`` as in ``[signed-by=… arch=…]``."""

    uri: str
    suite: str
    components: tuple[str, ...]
    options: str = ""

    def line(self) -> str:
        options = f"[{self.options}] " if self.options else ""
        return f"deb {options}{self.uri} {self.suite} {' '.join(self.components)}"


def os_release(text: str | None = None) -> dict[str, str]:
    """``/etc/os-release`` as a mapping (quotes removed)."""
    text = Path("/etc/os-release").read_text() if text is None else text
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs}


def missing_programs(programs: Sequence[str] = PROGRAMS) -> list[str]:
    """Those of the programs that are not on this machine's path (``/usr/sbin`` included)."""
    return [program for program in programs if program_path(program) is None]


def program_path(program: str) -> str | None:
    """Where a program lies; ``sbin`` and Incus's own folder are looked at too."""
    more = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin:/usr/libexec/incus:/opt/incus/bin"
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{more}")


def can_install() -> str:
    """Empty when ``install_packages`` can work here, else a sentence why not."""
    release = os_release()
    if (release.get("ID"), release.get("VERSION_ID")) not in {("debian", "12"), ("debian", "13"), ("ubuntu", "24.04")}:
        return "Packages are known for Debian 12 and 13 and Ubuntu 24.04; install Incus yourself and name its socket."
    if os.geteuid() != 0:
        return "Installing Incus needs root."
    if program_path("apt-get") is None:
        return "There is no apt-get here."
    return ""


def parse_sources(folder: Path = Path("/etc/apt")) -> list[AptSource]:
    """The machine's enabled binary package sources, both file formats, in apt's order."""
    found: list[AptSource] = []
    one_line = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*.list"))]
    for path in one_line:
        if path.exists():
            found += _one_line_sources(path.read_text())
    for path in sorted((folder / "sources.list.d").glob("*.sources")):
        found += _deb822_sources(path.read_text())
    return found


def _one_line_sources(text: str) -> Iterator[AptSource]:
    pattern = re.compile(r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s*(?P<components>[^#]*)")
    for line in text.splitlines():
        match = pattern.match(line.strip())
        if match:
            options = (match["options"] or "").strip()
            yield AptSource(match["uri"], match["suite"], tuple(match["components"].split()), options)


def _deb822_sources(text: str) -> Iterator[AptSource]:
    for stanza in re.split(r"\n\s*\n", text):
        fields = _stanza(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in {"no", "false"}:
            continue
        options = []
        signed_by = fields.get("signed-by", "")
        if signed_by.startswith("/"):
            options.append(f"signed-by={signed_by.replace(' ', ',')}")
        if "architectures" in fields:
            options.append(f"arch={fields['architectures'].replace(' ', ',')}")
        if fields.get("trusted", "").lower() == "yes":
            options.append("trusted=yes")
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield AptSource(uri, suite, tuple(fields.get("components", "").split()), " ".join(options))


def _stanza(text: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line[0] in " \t" and name:
            fields[name] += "\n" + line.strip()
        elif ":" in line:
            name, value = line.split(":", 1)
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def sources_of(suite: str, sources: list[AptSource] | None = None) -> list[AptSource]:
    """The machine's sources of one Debian suite, security and updates included; main alone is kept.

    Where the machine has none of that suite (Debian 13 asked for on a Debian 12), they are derived
    from the sources of its own suite.
    """
    sources = parse_sources() if sources is None else sources
    own = os_release().get("VERSION_CODENAME", "")
    wanted = [s for s in sources if re.fullmatch(re.escape(suite) + r"(-security|-updates)?", s.suite)]
    if not wanted and own:
        pattern = re.compile(re.escape(own) + r"(-security|-updates)?")
        wanted = [
            AptSource(s.uri, s.suite.replace(own, suite, 1), s.components, s.options)
            for s in sources
            if pattern.fullmatch(s.suite)
        ]
    kept = (AptSource(s.uri, s.suite, ("main",), s.options) for s in wanted if "main" in s.components)
    return list({(s.uri, s.suite): s for s in kept}.values())


def backports_source(sources: list[AptSource] | None = None) -> AptSource | None:
    """Debian 12's backports, at the mirror from which this machine takes ``bookworm``."""
    sources = parse_sources() if sources is None else sources
    if any(s.suite == "bookworm-backports" for s in sources):
        return None
    for source in sources:
        if source.suite == "bookworm" and "main" in source.components:
            return AptSource(source.uri, "bookworm-backports", ("main",), source.options)
    raise InstallError("This machine's package sources have no `bookworm main`; its backports cannot be derived.")


@contextmanager
def services_kept_from_starting() -> Iterator[None]:
    """While packages are unpacked no service of theirs starts (policy-rc.d), unless the machine has a policy."""
    if _POLICY.exists() and _POLICY_MARK not in _POLICY.read_text():
        yield  # the owner of the machine decided; Debian's containers deny all
        return
    _POLICY.write_text(f"#!/bin/sh\n{_POLICY_MARK}\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)


def install_packages(
    report: Report = lambda _: None, packages: Sequence[str] = PACKAGES, programs: Sequence[str] = PROGRAMS
) -> bool:
    """Install the packages unless all of ``programs`` are there; False when nothing was missing. Needs root.

    ``report`` gets one short sentence per step. Raises InstallError with a sentence.
    """
    if not missing_programs(programs):
        return False
    why_not = can_install()
    if why_not:
        raise InstallError(why_not)
    had_incus = program_path("incusd") is not None
    with tempfile.TemporaryDirectory(prefix="vmart-apt-") as folder, services_kept_from_starting():
        Path(folder).chmod(0o755)  # apt reads it as its own user
        options = _apt_options(Path(folder))
        report("reading package lists")
        _apt([*options, "update"])
        report(f"installing {', '.join(packages)}")
        release = ["-t", "bookworm-backports"] if _is_bookworm() else []
        _apt([*options, "install", "-y", "--no-install-recommends", *release, *packages])
    if not had_incus:
        _disable_units()
    missing = missing_programs(programs)
    if missing:
        raise InstallError(f"Installed, and yet missing: {', '.join(missing)}.")
    return True


def _is_bookworm() -> bool:
    release = os_release()
    return release.get("ID") == "debian" and release.get("VERSION_ID") == "12"


def _apt_options(folder: Path) -> list[str]:
    if not _is_bookworm():
        return []
    extra = backports_source()
    if extra is None:
        return []
    own = Path("/etc/apt/sources.list")
    lines = own.read_text() if own.exists() else ""
    sources = folder / "sources.list"
    sources.write_text(f"{lines}\n{extra.line()}\n")
    sources.chmod(0o644)
    # Lists of its own too, so that the system's next `apt-get update` finds its own as it left them.
    lists = folder / "lists"
    (lists / "partial").mkdir(parents=True)
    return ["-o", f"Dir::Etc::SourceList={sources}", "-o", f"Dir::State::Lists={lists}"]


def _apt(arguments: list[str]) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [
            program_path("apt-get") or "apt-get",
            "-q",
            "-o",
            "Dpkg::Options::=--force-confold",
            "-o",
            "DPkg::Lock::Timeout=300",
            *arguments,
        ],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = " / ".join((done.stderr or done.stdout).strip().splitlines()[-4:])
        raise InstallError(f"apt-get {arguments[-1]} failed: {last}")


def _disable_units() -> None:
    """Services that came with the packages do not start at the next boot either: they are not used."""
    systemctl = program_path("systemctl")
    if systemctl and Path("/run/systemd/system").exists():
        subprocess.run([systemctl, "disable", "--quiet", *_UNITS[:4]], check=False, capture_output=True)
