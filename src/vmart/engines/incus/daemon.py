"""A private Incus daemon in the data directory, for a machine that has none of the seller's own.

For the supervisor, in this order (all as root):

    install_packages(report)                 once a machine; False when nothing was missing
    daemon = PrivateDaemon(data_dir, runtime_dir, group="vmart-worker", deployment="…")
    daemon.prepare(report)                   folders, lxcfs; then run daemon.command with daemon.env
    daemon.wait_ready(limit_s)               answers on daemon.socket (adopts what an earlier run left)
    daemon.initialise(report)                storage pool, default project; idempotent
    build_image(name, out_dir, report)       one-shot, in a process of its own (build.py)
    daemon.teardown(report)                  `vmart down --machines`: leaves nothing

SIGTERM ends the daemon only: machines, their bridges and dnsmasq run on, and the next start adopts
them. ``why_not_here()`` says, without changing anything, why a machine cannot run it.
"""

import contextlib
import grp
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from vmart.engines.contract import EngineError
from vmart.engines.incus import links
from vmart.engines.incus.build import build_image
from vmart.engines.incus.client import IncusClient, path_of
from vmart.engines.incus.firewall import Firewall
from vmart.engines.incus.host import names_of_deployment, run, unmount_below
from vmart.engines.incus.packages import InstallError, can_install, install_packages, missing_programs, program_path

__all__ = ["InstallError", "PrivateDaemon", "build_image", "can_install", "install_packages", "why_not_here"]

Report = Callable[[str], None]

POOL = "vmart"
LXCFS_MOUNT = Path("/var/lib/lxcfs")
LXCFS_MARK = Path("/run/vmart/lxcfs.pid")  # there where a private daemon of this host started it; the last ends it
# A unix socket's path has 107 bytes; the longest the daemon makes below its folder takes 45 of them.
_LONGEST_FOLDER = 60
_GIB = 1 << 30
# Counted over all machines of the host together, and too few by default for more than a handful: a machine
# whose systemd gets no inotify instance boots without network. Incus's own list for production; only ever raised.
_LIMITS = {
    "fs/inotify/max_user_instances": 1_048_576,
    "fs/inotify/max_user_watches": 1_048_576,
    "fs/inotify/max_queued_events": 1_048_576,
    "fs/aio-max-nr": 524_288,
    "kernel/keys/maxkeys": 20_000,
    "kernel/keys/maxbytes": 2_000_000,
    "net/ipv4/neigh/default/gc_thresh3": 8_192,
    "net/ipv6/neigh/default/gc_thresh3": 8_192,
}
# Where the host is told to forward packets, by the name of the note of what it was told before.
_FORWARDING = {"ip_forward.before": Path("/proc/sys/net/ipv4/ip_forward"), "ip6_forward.before": links.FORWARDING}


def why_not_here() -> str:
    """Empty when a private daemon can run here (after ``install_packages``), else a sentence why not."""
    if os.geteuid() != 0:
        return "A private Incus daemon needs root."
    if missing_programs() and can_install():
        return can_install()
    if not Path("/proc/self/ns/user").exists():
        return "This kernel has no user namespaces."
    if not Path("/sys/fs/cgroup").is_dir() or not os.access("/sys/fs/cgroup", os.W_OK):
        return "The control groups of this machine are not writable."
    return ""


class PrivateDaemon:
    """One private daemon: ``data_dir`` keeps its state, ``runtime_dir`` short-lived names (``/run/vmart/<hash>``).

    ``group`` owns the socket; ``deployment`` is the short hash that marks what is ours on the engine
    (the same as the driver's setting). ``pool_gib`` overrides the size of the storage pool.
    """

    def __init__(
        self,
        data_dir: Path,
        runtime_dir: Path,
        *,
        group: str = "root",
        deployment: str = "",
        pool_gib: int | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.runtime_dir = runtime_dir
        self.group = group
        self.deployment = deployment
        self._pool_gib = pool_gib

    @property
    def state_dir(self) -> Path:
        return self.data_dir / "incus"

    @property
    def incus_dir(self) -> Path:
        """What INCUS_DIR says: the state folder, or a short link to it where its sockets would not fit."""
        if len(os.fsencode(self.state_dir)) <= _LONGEST_FOLDER:
            return self.state_dir
        return self.runtime_dir / "incus"

    @property
    def socket(self) -> Path:
        return self.incus_dir / "unix.socket"

    @property
    def log_file(self) -> Path:
        return self.data_dir / "log" / "incusd.log"

    @property
    def command(self) -> list[str]:
        """The daemon in the foreground; it logs to ``log_file`` by itself."""
        program = program_path("incusd")
        if program is None:
            raise EngineError("Incus is not installed.", transient=False)
        return [program, "--group", self.group, "--logfile", str(self.log_file)]

    @property
    def env(self) -> dict[str, str]:
        path = "/usr/libexec/incus:/opt/incus/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return {"INCUS_DIR": str(self.incus_dir), "PATH": path, "LANG": "C.UTF-8", "HOME": "/root"}

    def prepare(self, report: Report = lambda _: None) -> None:
        """Folders, the short link, lxcfs. Idempotent, also after the machine was switched off."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        self.state_dir.chmod(0o711)
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        if self.incus_dir != self.state_dir:
            self.runtime_dir.mkdir(parents=True, exist_ok=True)
            if self.incus_dir.is_symlink() and self.incus_dir.readlink() != self.state_dir:
                self.incus_dir.unlink()
            if not self.incus_dir.is_symlink():
                self.incus_dir.symlink_to(self.state_dir)
        self._note_forwarding()
        _raise_limits()
        grp.getgrnam(self.group)  # KeyError now rather than a daemon that ends at once
        if self.deployment:
            # Before any machine starts again with the daemon: closed until the worker fills the table.
            Firewall(names_of_deployment(self.deployment)).ensure_base()
        self._ensure_lxcfs(report)

    def is_running(self) -> bool:
        """Whether a daemon answers on the socket."""
        if not self._listens():
            return False
        try:
            with self._client(timeout_s=5.0) as client:
                client.get("/1.0")
        except EngineError:
            return False
        return True

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def wait_ready(self, limit_s: float = 60.0, alive: Callable[[], bool] = lambda: True) -> None:
        """Wait until the daemon serves and has started what it adopts; EngineError when it does not in time.

        ``alive`` tells whether the started process is still there.
        """
        ends = time.monotonic() + limit_s
        while time.monotonic() < ends:
            if self._listens():
                # Answers only when the daemon is through its start-up, networks and storage included.
                with contextlib.suppress(EngineError), self._client(timeout_s=limit_s) as client:
                    client.get("/internal/ready")
                    return
            if not alive():
                raise EngineError(
                    "The private Incus daemon ended at its start.", transient=True, detail=self._last_log()
                )
            time.sleep(0.1)
        raise EngineError("The private Incus daemon does not get ready.", transient=True, detail=self._last_log())

    def initialise(self, report: Report = lambda _: None) -> None:
        """The storage pool (btrfs on a loop file, else a plain folder) and quiet defaults. Idempotent."""
        with self._client() as client:
            if client.find(path_of("storage-pools", POOL)) is None:
                self._create_pool(client, report)
            config = {"images.auto_update_interval": "0", "core.shutdown_timeout": "1"}
            client.send("PATCH", "/1.0", {"config": config})

    def count_disks(self) -> bool:
        """See to it that the pool counts what each disk takes; whether it had stopped, and goes on now.

        Uncounted, nobody is held to the size of a disk, and one guest may fill the pool. Linux stops counting for the
        whole pool when a removed machine's count does not come out at nothing (seen in 6.18).
        """
        if not _has_stopped_counting(self.state_dir):
            return False
        pool = str(self.state_dir / "storage-pools" / POOL)
        return run(["btrfs", "quota", "rescan", "-w", pool], check=False, limit_s=3600).returncode == 0

    def teardown(self, report: Report = lambda _: None) -> None:
        """End every machine, network, forward, pool, the daemon, mounts and loop devices; remove the state folder.

        Works with a running daemon (starts one where none runs); what a dead daemon left is ended by hand.
        """
        started: subprocess.Popen[bytes] | None = None
        if self.state_dir.exists() and program_path("incusd"):
            if not self.is_running():
                started = self._start_for_teardown()
            if self.is_running():
                report("ending machines, networks and storage")
                with self._client(timeout_s=60) as client:
                    _empty(client)
        self._end_daemon(started)
        report("removing what is left")
        self._remove_leftovers()

    # -- parts ---------------------------------------------------------------------------------

    def settings(self) -> dict[str, object]:
        """What ``open_engine("incus", …)`` takes to reach this daemon."""
        return {"socket": str(self.socket), "deployment": self.deployment, "pool": POOL}

    def _client(self, timeout_s: float = 30.0) -> IncusClient:
        return IncusClient({"socket": str(self.socket), "timeout_s": timeout_s})

    def _last_log(self) -> str:
        with contextlib.suppress(OSError):
            return " / ".join(self.log_file.read_text(errors="replace").splitlines()[-3:])
        return ""

    def _create_pool(self, client: IncusClient, report: Report) -> None:
        size_gib = self._pool_gib or self._thoughtful_pool_gib()
        try:
            config = {"size": f"{size_gib}GiB"}
            client.send("POST", path_of("storage-pools"), {"name": POOL, "driver": "btrfs", "config": config})
            report(f"storage pool: btrfs, {size_gib} GiB, grows as it is used")
        except EngineError as error:
            report(f"storage pool: a plain folder, slower ({error.detail})")
            client.send("POST", path_of("storage-pools"), {"name": POOL, "driver": "dir", "config": {}})

    def _thoughtful_pool_gib(self) -> int:
        """Three quarters of what is free, and 8 GiB left to the rest of the machine; the file is sparse."""
        free_gib = shutil.disk_usage(self.state_dir).free // _GIB
        return max(5, min(free_gib * 3 // 4, free_gib - 8))

    def _ensure_lxcfs(self, report: Report) -> None:
        """So that a machine sees its own memory and cores; one serves all daemons of this host."""
        if _lxcfs_serves():
            return
        program = program_path("lxcfs")
        if program is None:
            report("lxcfs is missing: machines will show the host's memory as theirs")
            return
        # A dead one's mount first: until it is gone the folder cannot even be looked at.
        run(["umount", "-l", str(LXCFS_MOUNT)], check=False)
        LXCFS_MOUNT.mkdir(parents=True, exist_ok=True)
        # Its own session, no child of ours: machines use it for as long as they run, longer than the control plane.
        LXCFS_MARK.parent.mkdir(parents=True, exist_ok=True)
        run(["setsid", "--fork", program, f"--pidfile={LXCFS_MARK}", str(LXCFS_MOUNT)], quiet=True)
        ends = time.monotonic() + 5
        while time.monotonic() < ends and not _lxcfs_serves():
            time.sleep(0.05)

    def _start_for_teardown(self) -> "subprocess.Popen[bytes] | None":
        with contextlib.suppress(KeyError, OSError, EngineError):
            self.prepare()
            process = subprocess.Popen(self.command, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with contextlib.suppress(EngineError):
                self.wait_ready(60, alive=lambda: process.poll() is None)
            return process
        return None

    def _end_daemon(self, started: "subprocess.Popen[bytes] | None") -> None:
        for pid in self._own_pids(("incusd",)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        if started is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                started.wait(30)
        ends = time.monotonic() + 20
        while self._own_pids(("incusd",)) and time.monotonic() < ends:
            time.sleep(0.1)
        for pid in self._own_pids(()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _own_pids(self, programs: Sequence[str]) -> list[int]:
        """Processes started for this daemon: by INCUS_DIR in their environment, or its path among their arguments."""
        folders = {str(self.incus_dir), str(self.state_dir)}
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
                variables = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            name = Path(os.fsdecode(command[0])).name if command and command[0] else ""
            if not name or (programs and name not in programs):
                continue
            by_variable = any(b"INCUS_DIR=" + os.fsencode(folder) in variables for folder in folders)
            by_argument = name in {"dnsmasq", "incusd", "forkdns"} and any(
                os.fsencode(folder) + b"/" in argument for folder in folders for argument in command[1:]
            )
            if (by_variable and name in {"incusd", "dnsmasq", "qemu-system-x86_64"}) or by_argument:
                found.append(int(entry.name))
        return found

    def _remove_leftovers(self) -> None:
        if self.deployment:
            names = names_of_deployment(self.deployment)
            run(["nft", "delete", "table", "inet", names.table], check=False)
            for link in Path("/sys/class/net").iterdir():
                if link.name.startswith((names.bridge_prefix, names.link_prefix)):
                    run(["ip", "link", "delete", link.name], check=False)
        _drop_empty_tables()
        self._restore_forwarding()
        _end_lxcfs()
        if self.state_dir.exists():
            unmount_below(self.state_dir)
            _detach_loops(self.state_dir)
            shutil.rmtree(self.state_dir, ignore_errors=True)
        if self.incus_dir.is_symlink():
            self.incus_dir.unlink()

    def _note_forwarding(self) -> None:
        """Machines have the host forward packets; what it was before is written down once."""
        for name, told in _FORWARDING.items():
            note = self.state_dir / name
            if told.exists() and not note.exists():
                note.write_text(told.read_text())

    def _restore_forwarding(self) -> None:
        """As it was, unless another Incus, Docker or the like counts on it by now."""
        others = [link for link in Path("/sys/class/net").iterdir() if (link / "bridge").exists()]
        for name, told in _FORWARDING.items():
            note = self.state_dir / name
            if note.exists() and note.read_text().strip() == "0" and not others:
                with contextlib.suppress(OSError):
                    told.write_text("0")


def _empty(client: IncusClient) -> None:
    """Through the API, in the order in which things hang on each other; what fails is left to the sweep."""
    for instance in client.get("/1.0/instances", recursion=1):
        with contextlib.suppress(EngineError):
            _delete_instance(client, instance["name"])
    for network in client.get("/1.0/networks", recursion=1):
        if not network.get("managed"):
            continue
        name = network["name"]
        with contextlib.suppress(EngineError):
            for forward in client.get(path_of("networks", name, "forwards")):
                client.send("DELETE", path_of("networks", name, "forwards", forward.rsplit("/", 1)[1]))
        with contextlib.suppress(EngineError):
            client.send("DELETE", path_of("networks", name))
    for image in client.get("/1.0/images"):
        with contextlib.suppress(EngineError):
            client.send("DELETE", image)
    for volume in client.find(path_of("storage-pools", POOL, "volumes"), recursion=1) or []:
        with contextlib.suppress(EngineError):
            client.send("DELETE", path_of("storage-pools", POOL, "volumes", volume["type"], volume["name"]))
    with contextlib.suppress(EngineError):
        client.send("DELETE", path_of("storage-pools", POOL))


def _delete_instance(client: IncusClient, name: str) -> None:
    with contextlib.suppress(EngineError):
        client.send("PUT", path_of("instances", name, "state"), {"action": "stop", "force": True, "timeout": 20})
    client.send("DELETE", path_of("instances", name))


def _raise_limits() -> None:
    for name, wanted in _LIMITS.items():
        limit = Path("/proc/sys") / name
        with contextlib.suppress(OSError, ValueError):
            if int(limit.read_text()) < wanted:
                limit.write_text(str(wanted))


def _drop_empty_tables() -> None:
    """Incus's own packet filter tables, when no chain is left in them; another Incus of this host has its own there."""
    for family in ("inet", "ip", "ip6", "bridge"):
        listed = run(["nft", "list", "table", family, "incus"], check=False)
        if listed.returncode == 0 and "chain" not in listed.stdout:
            run(["nft", "delete", "table", family, "incus"], check=False)


def _detach_loops(folder: Path) -> None:
    for device in Path("/sys/block").glob("loop*"):
        backing = device / "loop" / "backing_file"
        if backing.exists() and backing.read_text().strip().startswith(f"{folder}/"):
            run(["losetup", "-d", f"/dev/{device.name}"], check=False)


def _has_stopped_counting(folder: Path) -> bool:
    """Of a btrfs on a loop file below the folder: a count that is being made anew has stopped too."""
    for flag in Path("/sys/fs/btrfs").glob("*/qgroups/inconsistent"):
        files = [device / "loop" / "backing_file" for device in (flag.parents[1] / "devices").iterdir()]
        ours = any(file.exists() and file.read_text().startswith(f"{folder}/") for file in files)
        if ours and flag.read_text().strip() == "1":
            return True
    return False


def _end_lxcfs() -> None:
    """The one that a private daemon started, unless machines or another daemon of this host still need it."""
    if not LXCFS_MARK.exists():
        return
    pid = int(LXCFS_MARK.read_text() or "0")
    command = Path(f"/proc/{pid}/cmdline")
    if not command.exists() or b"lxcfs" not in command.read_bytes() or _lxcfs_in_use():
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    ends = time.monotonic() + 3
    while time.monotonic() < ends and _lxcfs_serves():
        time.sleep(0.05)
    run(["umount", "-l", str(LXCFS_MOUNT)], check=False)
    LXCFS_MARK.unlink(missing_ok=True)


def _lxcfs_serves() -> bool:
    try:
        return (LXCFS_MOUNT / "proc" / "meminfo").exists()
    except OSError:  # mounted, and its process is gone
        return False


def _lxcfs_in_use() -> bool:
    """Whether another daemon of this host counts on it, or a machine looks through it."""
    own = Path("/proc/self/ns/mnt").readlink()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if (entry / "cmdline").read_bytes().split(b"\0")[0].endswith(b"/incusd"):
                return True
            if (entry / "ns" / "mnt").readlink() != own and "fuse.lxcfs" in (entry / "mounts").read_text():
                return True
    return False
