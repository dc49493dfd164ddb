"""A bought public address on real machines: it goes from one to another while both run, and what left by it with it."""

from collections.abc import Callable

from tests.lab.conftest import Internet, Lab
from vmart.engines.contract import Engine, MachineSpec, PublicAddress

MakeSpec = Callable[..., MachineSpec]


def _pings(lab: Lab, machine: str, target: str) -> bool:
    return lab.inside(machine, f"ping -q -c 1 -W 2 {target}").returncode == 0


def test_an_address_goes_from_one_running_machine_to_another(
    engine: Engine, lab: Lab, internet: Internet, make_spec: MakeSpec
) -> None:
    lent, first, second = make_spec(), make_spec(public=False), make_spec(public=False)
    assert lent.public_address is not None
    address = PublicAddress(lent.public_address.ip, 100)
    booted = [engine.ensure_present(spec).booted_at for spec in (first, second)]
    for spec in (first, second):
        lab.inside(spec.name, "cloud-init status --wait")
    assert [_pings(lab, spec.name, internet.ip) for spec in (first, second)] == [False, False]
    engine.ensure_address(first.name, first.private_ip, address)
    internet.count_senders(address.ip)
    assert internet.connects(address.ip, 22)
    assert [_pings(lab, spec.name, internet.ip) for spec in (first, second)] == [True, False]
    assert internet.seen_bytes(address.ip) > 84
    at_first = engine.counters([first.name])[first.name]
    engine.ensure_address(first.name, first.private_ip, None)
    assert not internet.connects(address.ip, 22)
    engine.ensure_address(second.name, second.private_ip, address)
    engine.ensure_address(second.name, second.private_ip, address)  # again, after an answer that was lost
    assert internet.connects(address.ip, 22)
    assert [_pings(lab, spec.name, internet.ip) for spec in (first, second)] == [False, True]
    counted = engine.counters([first.name, second.name])
    assert counted[first.name] == at_first  # kept, and nothing more
    assert counted[second.name].out_bytes > 84
    assert [engine.observe(spec.name).public_ip for spec in (first, second)] == ["", address.ip]
    assert [engine.observe(spec.name).booted_at for spec in (first, second)] == booted
