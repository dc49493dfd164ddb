"""The private daemon comes, is adopted, and leaves nothing."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.engines.contract_suite import MakeSpec
from tests.lab.conftest import Lab, daemon_in, end_abandoned, open_lab
from tests.lab.host_snapshot import found_on_host
from vmart.engines import open_engine
from vmart.engines.contract import EngineError, ImageStatus, Power
from vmart.engines.incus.daemon import LXCFS_MARK, LXCFS_MOUNT, PrivateDaemon


def test_teardown_with_machines_running_leaves_nothing(lab: Lab, make_spec: MakeSpec, image: object) -> None:
    with open_lab() as other:
        engine = other.engine()
        spec = make_spec()
        while engine.ensure_image(spec.image).status is not ImageStatus.READY:
            time.sleep(0.1)
        # Beside the shared daemon: another address space on the same host.
        subnet = dataclasses.replace(spec.subnet, cidr="10.99.0.0/24", gateway="10.99.0.1")
        assert (
            engine.ensure_present(dataclasses.replace(spec, subnet=subnet, private_ip="10.99.0.5")).power
            is Power.RUNNING
        )
        during = found_on_host(other.daemon)
        assert [kind for kind, found in during.items() if not found] == []  # the control: it sees each kind
    assert [kind for kind, found in found_on_host(other.daemon).items() if found] == []
    assert lab.daemon.is_running()


def test_what_a_killed_run_left_is_ended_by_the_next(lab: Lab, make_spec: MakeSpec) -> None:
    """Given a test process that was killed with a machine and an internet, then both are gone, and ours is not.

    Its files were elsewhere than ours are.
    """
    killed, place = [sys.executable, "-m", "tests.lab.killed_run"], os.environ | {"TMPDIR": "/var/tmp"}
    with subprocess.Popen(killed, env=place, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        left = json.loads(run.stdout.readline())
        daemon = daemon_in(Path(left["lab"]))
        spec = make_spec(public=False)
        subnet = dataclasses.replace(spec.subnet, cidr="10.98.0.0/24", gateway="10.98.0.1")
        engine = open_engine("incus", daemon.settings())
        engine.ensure_present(dataclasses.replace(spec, subnet=subnet, private_ip="10.98.0.5"))
        run.kill()
    assert [kind for kind, found in found_on_host(daemon).items() if not found] == []  # the control: it is all there
    assert Path("/run/netns", left["namespace"]).exists()
    end_abandoned()
    assert [kind for kind, found in found_on_host(daemon).items() if found] == []
    assert not Path("/run/netns", left["namespace"]).exists()
    assert not Path(left["lab"]).exists()
    assert lab.daemon.is_running()


def test_a_long_data_directory_gets_a_short_socket(tmp_path: Path) -> None:
    long = PrivateDaemon(tmp_path / ("x" * 80), Path("/run/vmart/short"))
    assert len(str(long.socket)) < 60
    assert long.env["INCUS_DIR"] == "/run/vmart/short/incus"


def test_a_daemon_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    daemon = PrivateDaemon(tmp_path, tmp_path / "run")
    with pytest.raises(EngineError, match="ended at its start"):
        daemon.wait_ready(5, alive=lambda: False)


def _programs(name: str) -> list[str]:
    """Paths of the host's processes that run this program."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                found.append((entry / "cmdline").read_bytes().split(b"\0")[0].decode())
    return [path for path in found if Path(path).name == name]


def test_an_lxcfs_that_was_killed_is_started_anew(lab: Lab) -> None:
    meminfo = LXCFS_MOUNT / "proc" / "meminfo"
    assert meminfo.read_text()
    if not LXCFS_MARK.exists() or len(_programs("incusd")) > 1:
        pytest.skip("the lxcfs of this host serves others too")
    os.kill(int(LXCFS_MARK.read_text()), signal.SIGKILL)
    for _ in range(100):
        try:
            meminfo.read_text()
        except OSError:  # the mount is there, and nobody behind it
            break
        time.sleep(0.05)
    else:
        pytest.fail("the killed lxcfs still serves")
    lab.daemon.prepare()
    assert "MemTotal" in meminfo.read_text()
