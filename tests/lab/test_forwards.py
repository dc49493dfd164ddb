"""Public addresses lead to their machines, however many are led at once and whatever happened to the packet filter."""

import contextlib
import re
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.lab.conftest import Lab
from vmart.engines.contract import Subnet
from vmart.engines.incus.driver import IncusEngine
from vmart.engines.incus.firewall import Bridge
from vmart.engines.incus.host import OneAtATime, run
from vmart.engines.incus.network import Networks

_SUBNET = Subnet("subnet-forwards", "10.97.0.0/20", "10.97.0.1")
_NUMBERS = range(10, 18)


@pytest.fixture
def networks(lab: Lab, tmp_path: Path) -> Iterator[Networks]:
    """A worker's hold on a bridge, gone with all its forwards after the test."""
    networks = _networks(lab, tmp_path)
    networks.ensure_bridge(_SUBNET, [])
    yield networks
    _all_at_once(lambda number: _remove(networks, number), _NUMBERS)
    networks.remove_if_empty(_bridge(networks).name)


def _networks(lab: Lab, lock_dir: Path) -> Networks:
    """As another worker process has it: only the folder of locks is common."""
    engine = IncusEngine(lab.settings | {"lock_dir": str(lock_dir)})
    return engine._open().networks


def _bridge(networks: Networks) -> Bridge:
    return networks.ensure_bridge(_SUBNET, [])


def _lead(networks: Networks, number: int) -> None:
    networks.ensure_forward(_bridge(networks).name, f"ins-{number}", f"203.0.113.{200 + number}", f"10.97.0.{number}")


def _remove(networks: Networks, number: int) -> None:
    networks.remove_forwards(_bridge(networks).name, f"ins-{number}")


def _all_at_once(act: object, numbers: Sequence[int]) -> None:
    gate = threading.Barrier(len(numbers))

    def one(number: int) -> None:
        gate.wait()
        act(number)  # type: ignore[operator]

    with ThreadPoolExecutor(len(numbers)) as pool:
        list(pool.map(one, numbers))


def _led(networks: Networks) -> set[str]:
    """Public addresses of the test for which the packet filter has a rule, by packets of the host and from outside."""
    listed = run(["nft", "list", "table", "inet", "incus"], check=False).stdout
    found = []
    for hook in ("fwdprert", "fwdout"):
        _, _, chain = listed.partition(f"chain {hook}.{_bridge(networks).name} {{")
        found.append(set(re.findall(r"ip daddr (\S+) dnat", chain.partition("}")[0])))
    assert found[0] == found[1]
    return found[0]


def _wanted(numbers: Sequence[int] = _NUMBERS) -> set[str]:
    return {f"203.0.113.{200 + number}" for number in numbers}


class _NotAlone(OneAtATime):
    """The guard taken away: everybody at once."""

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        yield


def test_every_address_of_a_burst_leads_in(lab: Lab, networks: Networks, tmp_path: Path) -> None:
    """Given two workers, when they lead eight addresses at once and take them away again, then each is done."""
    workers = [networks, _networks(lab, tmp_path)]
    for _ in range(10):
        _all_at_once(lambda number: _lead(workers[number % 2], number), _NUMBERS)
        assert _led(networks) == _wanted()
        _all_at_once(lambda number: _remove(workers[number % 2], number), _NUMBERS)
        assert _led(networks) == set()


def test_the_control_without_turns_the_engine_loses_one(
    lab: Lab, networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the guard Incus says created of a forward for which there is no rule. Should this fail, it was mended."""
    monkeypatch.setattr(networks, "_alone", _NotAlone())
    for _ in range(150):
        _all_at_once(lambda number: _lead(networks, number), _NUMBERS)
        lost = _wanted() - _led(networks)
        if lost:
            break
        for number in _NUMBERS:
            _remove(networks, number)
    assert lost
    bridge = _bridge(networks).name
    assert set(lab.ask("network", "forward", "list", bridge, "--format=csv", "--columns=l").split()) == _wanted()


def test_flushed_forwards_are_written_again(networks: Networks) -> None:
    for number in _NUMBERS:
        _lead(networks, number)
    run(["nft", "delete", "table", "inet", "incus"])
    run(["ip", "route", "delete", "203.0.113.210/32"])
    networks.write_forwards_again()
    assert _led(networks) == _wanted()
    assert _bridge(networks).name in run(["ip", "route", "get", "203.0.113.210"]).stdout


def test_the_last_machines_of_a_customer_end_at_once(lab: Lab, networks: Networks, tmp_path: Path) -> None:
    """Given eight that find the bridge empty, when each takes it away, then it is gone and nobody complains."""
    workers, name = [networks, _networks(lab, tmp_path)], _bridge(networks).name
    assert name in lab.ask("network", "list", "--format=csv")
    _all_at_once(lambda number: workers[number % 2].remove_if_empty(name), range(8))
    assert name not in lab.ask("network", "list", "--format=csv")
    assert name not in run(["nft", "list", "ruleset"]).stdout
