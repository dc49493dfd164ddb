"""The private daemon comes, is adopted, and leaves nothing."""

import dataclasses
import time
from pathlib import Path

import pytest

from tests.engines.contract_suite import MakeSpec
from tests.lab.conftest import Lab, open_lab
from tests.lab.host_snapshot import found_on_host
from vmart.engines.contract import EngineError, ImageStatus, Power
from vmart.engines.incus.daemon import PrivateDaemon


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


def test_a_long_data_directory_gets_a_short_socket(tmp_path: Path) -> None:
    long = PrivateDaemon(tmp_path / ("x" * 80), Path("/run/vmart/short"))
    assert len(str(long.socket)) < 60
    assert long.env["INCUS_DIR"] == "/run/vmart/short/incus"


def test_a_daemon_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    daemon = PrivateDaemon(tmp_path, tmp_path / "run")
    with pytest.raises(EngineError, match="ended at its start"):
        daemon.wait_ready(5, alive=lambda: False)
