"""The contract on the simulated engine, and on one of a driver that only the list of drivers names."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engines.contract_suite import ContractSuite, MakeSpec
from tests.support import third_drivers
from vmart import engines
from vmart.engines import open_engine
from vmart.engines.contract import Disk, Engine, EngineError, ImageSpec, MachineSpec, PublicAddress, Subnet

_numbers = itertools.count(1)


@pytest.fixture(params=["simulated", "slate"])
def engine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr(engines, "DRIVERS", third_drivers.DRIVERS)
    return open_engine(request.param, {"file": tmp_path / "engine.sqlite", "images": ["debian-12"]})


@pytest.fixture
def image(engine: Engine) -> ImageSpec:
    image = ImageSpec("debian-12", "1")
    engine.ensure_image(image)
    return image


@pytest.fixture
def free_address() -> Callable[[], PublicAddress]:
    def free() -> PublicAddress:
        number = next(_numbers)
        return PublicAddress(f"100.64.{number // 250}.{number % 250 + 1}", 5)

    return free


@pytest.fixture
def make_spec(image: ImageSpec, free_address: Callable[[], PublicAddress]) -> MakeSpec:
    offered = image

    def make(*, public: bool = True, image: ImageSpec | None = None) -> MachineSpec:
        number = next(_numbers)
        return MachineSpec(
            name=f"ins-{number:08d}",
            member="sim-1",
            image=image or offered,
            vcpu=1,
            memory_mib=1024,
            system_disk=Disk(f"disk-{number:08d}", "CLOUD_SSD", 20),
            data_disks=(),
            subnet=Subnet("subnet-1", "10.1.0.0/20", "10.1.0.1"),
            private_ip=f"10.1.{number // 250}.{number % 250 + 2}",
            mac=f"02:16:3e:01:00:{number % 256:02x}",
            hostname="web",
            login_user="root",
            password_hash="",
            ssh_keys=(),
            public_address=free_address() if public else None,
        )

    return make


class TestDrivers(ContractSuite):
    pass


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(EngineError, match=r"no engine of this kind\. \(abacus\)"):
        open_engine("abacus", {})
