"""One private Incus for the whole run, and a namespace that plays the internet."""

import contextlib
import dataclasses
import ipaddress
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.lab.host_snapshot import found_on_host
from tests.support import claims
from tests.support.running_shop import SHOPS, end_machines_of
from vmart.engines import open_engine
from vmart.engines.contract import Disk, Engine, ImageSpec, ImageStatus, MachineSpec, PublicAddress, Subnet
from vmart.engines.incus.build import DEFAULT_CACHE, build_image
from vmart.engines.incus.daemon import InstallError, PrivateDaemon, install_packages, why_not_here
from vmart.engines.incus.host import networks_of_host
from vmart.kernel import unix_password

IMAGE = ImageSpec("debian-12", "1")
DEMO_POOL = "203.0.113.0/24"
PASSWORD = "Correct-horse-7"  # of the machines of one test run, reachable from this host only
_Said = TypeVar("_Said")
_ME = Path(__file__).parent
_POOL_GIB = 12
_LABS, _INTERNETS = "vmart-lab-", "vmart-net-"  # what the names of their folders begin with


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _ME in item.path.parents:
            item.add_marker(pytest.mark.lab)
            item.add_marker(pytest.mark.timeout(900))  # the first of them may build the image


@dataclasses.dataclass
class Lab:
    """The daemon, its settings, and the way into machines and the network around them."""

    daemon: PrivateDaemon
    settings: dict[str, object]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.daemon.prepare()
        self.process = subprocess.Popen(
            self.daemon.command,
            env=self.daemon.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        process = self.process
        self.daemon.wait_ready(60, alive=lambda: process.poll() is None)

    def stop(self) -> None:
        """SIGTERM, as the supervisor ends it."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(30)

    def engine(self) -> Engine:
        """A driver as another process would have it."""
        return open_engine("incus", self.settings)

    def ask(self, *command: str) -> str:
        """What the engine's own client says."""
        environment = {**os.environ, **self.daemon.env}
        done = subprocess.run(["incus", *command], env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    def inside(self, machine: str, script: str, *, limit_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a shell script as root inside a machine."""
        command = ["incus", "exec", machine, "--", "sh", "-c", script]
        environment = {**os.environ, **self.daemon.env}
        return subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit_s,
        )

    def counted(self, ask: Callable[[], _Said]) -> _Said:
        """What is said while the pool counts what disks take: asked again where the kernel stopped meanwhile.

        It stops when a machine of a test before is cleared away (``PrivateDaemon.count_disks``).
        """
        self.daemon.count_disks()
        said = ask()
        while self.daemon.count_disks():
            said = ask()
        return said

    def missing(self, machine: str, path: str) -> bool:
        """Whether a machine that is off has no such file."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self.ask("file", "pull", f"{machine}{path}", "-")
            return False
        return True


def _missing() -> str:
    if why_not_here():
        return why_not_here()
    try:
        install_packages()
    except InstallError as error:
        return str(error)
    return ""


@pytest.fixture(scope="session")
def can_run_lab() -> None:
    why_not = _missing()
    if why_not:
        pytest.skip(f"no lab here: {why_not}")
    end_abandoned()
    build_image(IMAGE.name, DEFAULT_CACHE)


def end_abandoned() -> None:
    """What test processes that were killed left of their engines and networks on this host."""
    with claims.alone():
        for data_dir in claims.abandoned(SHOPS):
            end_machines_of(data_dir)
        for folder in claims.abandoned(_LABS):
            daemon_in(folder).teardown()
        for folder in claims.abandoned(_INTERNETS):
            _Links.of(folder).remove()


def daemon_in(folder: Path) -> PrivateDaemon:
    return PrivateDaemon(folder, folder / "run", group="root", deployment=folder.name, pool_gib=_POOL_GIB)


@contextlib.contextmanager
def open_lab() -> Iterator[Lab]:
    """A private daemon of its own, torn down whatever happens."""
    folder = claims.take(_LABS)
    folder.chmod(0o755)
    daemon = daemon_in(folder)
    lab = Lab(daemon, {**daemon.settings(), "image_cache": str(DEFAULT_CACHE)})
    try:
        lab.start()
        daemon.initialise()
        yield lab
    finally:
        daemon.teardown()
        if lab.process is not None:
            lab.process.wait(30)
        claims.give_back(folder)


@pytest.fixture(scope="session")
def lab(can_run_lab: None) -> Iterator[Lab]:
    with open_lab() as lab:
        engine, ends = lab.engine(), time.monotonic() + 120
        while (state := engine.ensure_image(IMAGE)).status is not ImageStatus.READY:
            assert state.status is not ImageStatus.FAILED, state.why
            assert time.monotonic() < ends
            time.sleep(0.1)
        yield lab
    assert {kind: found for kind, found in found_on_host(lab.daemon).items() if found} == {}


@pytest.fixture(scope="session")
def engine(lab: Lab) -> Engine:
    return lab.engine()


@pytest.fixture
def image() -> ImageSpec:
    return IMAGE


class Addresses:
    """Numbers that no two machines of a run share."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self._public = itertools.count(1)

    def public(self, mbps: int = 100) -> PublicAddress:
        """Of a range that is routed here as a seller's own would be: no documentation network."""
        number = next(self._public)
        return PublicAddress(f"198.18.{112 + number // 240}.{1 + number % 240}", mbps)


@pytest.fixture(scope="session")
def addresses() -> Addresses:
    return Addresses()


@pytest.fixture
def free_address(addresses: Addresses) -> Callable[[], PublicAddress]:
    return addresses.public


@pytest.fixture(scope="session")
def login_key() -> tuple[str, str]:
    """(private key in OpenSSH's format, public key line)."""
    return new_login_key()


def new_login_key() -> tuple[str, str]:
    """Another one."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), public.decode()


@pytest.fixture
def make_spec(addresses: Addresses, engine: Engine) -> Iterator[Callable[..., MachineSpec]]:
    """Machines of customer ``customer``; what a failed test left of them is removed after it."""
    made: list[str] = []

    def make(
        *,
        public: bool = True,
        image: ImageSpec = IMAGE,
        customer: int = 1,
        mbps: int = 100,
        password: str = "",
        ssh_keys: Sequence[str] = (),
        user_data: bytes = b"",
        data_disks: Sequence[Disk] = (),
    ) -> MachineSpec:
        number = next(addresses.numbers)
        name = f"ins-lab{number:05d}"
        made.append(name)
        return MachineSpec(
            name=name,
            member="local",
            image=image,
            vcpu=1,
            memory_mib=512,
            system_disk=Disk(f"disk-lab{number:05d}", "CLOUD_SSD", 5),
            data_disks=data_disks,
            subnet=Subnet(f"subnet-{customer}", f"10.{90 + customer}.0.0/20", f"10.{90 + customer}.0.1"),
            private_ip=f"10.{90 + customer}.{1 + number // 250}.{1 + number % 250}",
            mac=f"02:16:3e:{customer:02x}:{number // 256:02x}:{number % 256:02x}",
            hostname=f"web-{number}",
            login_user="root",
            password_hash=unix_password.hash_sha512(password) if password else "",
            ssh_keys=ssh_keys,
            user_data=user_data,
            public_address=addresses.public(mbps) if public else None,
        )

    yield make
    for name in made:
        engine.ensure_absent(name)


class Internet:
    """A network namespace behind the host, ``<network>.2``, to which the host routes and from which it is routed to."""

    def __init__(self, namespace: str, network: str) -> None:
        self.namespace = namespace
        self.host_ip, self.ip = f"{network}.1", f"{network}.2"

    def command(self, *command: str) -> list[str]:
        return ["ip", "netns", "exec", self.namespace, *command]

    def run(
        self, *command: str, text: str = "", limit_s: float = 60, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*command), input=text, capture_output=True, text=True, check=False, timeout=limit_s
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def connects(self, ip: str, port: int) -> bool:
        return self.run("timeout", "5", "bash", "-c", f"< /dev/tcp/{ip}/{port}", check=False).returncode == 0

    def python(self, script: str, *arguments: str, limit_s: float = 150) -> str:
        """Run ``tests/lab/<script>.py`` there; its standard output."""
        return self.run(sys.executable, str(_ME / f"{script}.py"), *arguments, limit_s=limit_s).stdout

    def count_senders(self, *ips: str) -> None:
        """Count bytes of these addresses, and no others, where they arrive; ``seen_bytes`` says how many."""
        lines = [
            "add table ip seen",
            "delete table ip seen",
            "add table ip seen",
            "add chain ip seen in { type filter hook prerouting priority -300; }",
        ]
        # What the host says of an address where nobody answers yet bears that address too.
        lines.append("add rule ip seen in icmp type destination-unreachable accept")
        for ip in ips:
            lines += [
                f"add counter ip seen {_counter(ip)}",
                f"add rule ip seen in ip saddr {ip} counter name {_counter(ip)}",
            ]
        self.run("nft", "-f", "-", text="\n".join(lines) + "\n")

    def seen_bytes(self, ip: str) -> int:
        """Whole IP packets, header and payload."""
        listed = json.loads(self.run("nft", "-j", "list", "counter", "ip", "seen", _counter(ip)).stdout)["nftables"]
        return int(next(item["counter"]["bytes"] for item in listed if "counter" in item))

    @contextlib.contextmanager
    def sink(self, port: int) -> Iterator[subprocess.Popen[str]]:
        """Somebody there who takes one TCP connection; says bytes and seconds when it has ended."""
        program = str(_ME / "tcp_sink.py")
        process = subprocess.Popen(self.command(sys.executable, program, str(port)), stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "listening\n"
            yield process
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def _counter(ip: str) -> str:
    return "c" + ip.replace(".", "_")


def _free_network() -> str:
    """Three numbers of a range of which this host has no part: it may itself live in a TEST-NET."""
    taken = [network for _, network in networks_of_host()]
    for network in ("198.51.100", "192.0.2", "172.31.255", "172.30.255", "192.168.255"):
        if not any(ipaddress.IPv4Network(f"{network}.0/24").overlaps(other) for other in taken):
            return network
    raise AssertionError(f"no address range is free for the internet: {taken}")


@dataclasses.dataclass(frozen=True)
class _Links:
    """A namespace and the pair of links between it and the host, by the folder that claims them."""

    namespace: str
    outer: str
    inner: str

    @classmethod
    def of(cls, folder: Path) -> "_Links":
        tag = folder.name.removeprefix(_INTERNETS)
        return cls(f"vmart-{tag}", f"vn{tag}o", f"vn{tag}i")

    def make(self, host_ip: str) -> None:
        _ip("netns", "add", self.namespace)
        _ip("link", "add", self.outer, "type", "veth", "peer", "name", self.inner, "netns", self.namespace)
        _ip("address", "add", f"{host_ip}/24", "dev", self.outer)
        _ip("link", "set", self.outer, "up")

    def remove(self) -> None:
        _ip("netns", "delete", self.namespace, check=False)
        _ip("link", "delete", self.outer, check=False)


def _ip(*arguments: str, check: bool = True) -> None:
    subprocess.run(["ip", *arguments], check=check, capture_output=True)


@contextlib.contextmanager
def open_internet() -> Iterator[Internet]:
    """One for these machines; the lab's and a journey's may be there beside each other."""
    folder = claims.take(_INTERNETS)
    links = _Links.of(folder)
    try:
        with claims.alone():  # another process takes another network
            internet = Internet(links.namespace, _free_network())
            links.make(internet.host_ip)
        internet.run("ip", "address", "add", f"{internet.ip}/24", "dev", links.inner)
        internet.run("ip", "link", "set", links.inner, "up")
        internet.run("ip", "link", "set", "lo", "up")
        for pool in (DEMO_POOL, "198.18.112.0/22"):
            internet.run("ip", "route", "add", pool, "via", internet.host_ip)
        # And back into the private ranges, as an attacker beside the host would have it.
        internet.run("ip", "route", "add", "10.0.0.0/8", "via", internet.host_ip)
        yield internet
    finally:
        links.remove()
        claims.give_back(folder)


@pytest.fixture(scope="session")
def internet(lab: Lab) -> Iterator[Internet]:
    with open_internet() as internet:
        yield internet
