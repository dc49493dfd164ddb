"""What machines send that share a bandwidth package: together no more than its speed, alone all of it."""

import dataclasses
import threading
from collections.abc import Callable

from tests.lab.conftest import Internet, Lab
from tests.lab.test_network import _send
from vmart.engines.contract import Engine, MachineSpec, Share

MakeSpec = Callable[..., MachineSpec]


def _led(engine: Engine, spec: MachineSpec, share: Share | None) -> None:
    address = spec.public_address
    assert address is not None
    engine.ensure_address(spec.name, spec.private_ip, dataclasses.replace(address, share=share))


def _mbps_together(lab: Lab, internet: Internet, ports: range, *machines: MachineSpec, mib: int = 6) -> float:
    """What leaves them when all send at once, 10^6 bit/s: all bytes over the time of the longest."""
    sinks = [internet.sink(port) for port in ports[: len(machines)]]
    told: list[tuple[int, float]] = []
    entered = [sink.__enter__() for sink in sinks]
    try:
        sending = [
            threading.Thread(target=_send, args=(lab, spec.name, internet.ip, port), kwargs={"mib": mib})
            for spec, port in zip(machines, ports, strict=False)
        ]
        for thread in sending:
            thread.start()
        for sink in entered:
            total, seconds = sink.communicate(timeout=90)[0].split()
            told.append((int(total), float(seconds)))
        for thread in sending:
            thread.join()
    finally:
        for sink in sinks:
            sink.__exit__(None, None, None)
    assert [total for total, _ in told] == [mib << 20] * len(machines)
    return sum(total for total, _ in told) * 8 / 1e6 / max(seconds for _, seconds in told)


def test_two_machines_share_one_speed(engine: Engine, lab: Lab, internet: Internet, make_spec: MakeSpec) -> None:
    """8 Mbps for both, in a control 8 for each, then 30 for both, and at last one of them by its own cap."""
    one, two = make_spec(mbps=40), make_spec(mbps=40)
    shared = Share("bwp-11111111", 8)
    for spec in (one, two):
        assert spec.public_address is not None
        address = dataclasses.replace(spec.public_address, share=shared)
        engine.ensure_present(dataclasses.replace(spec, public_address=address))
        lab.inside(spec.name, "cloud-init status --wait > /dev/null")
    together = _mbps_together(lab, internet, range(7101, 7103), one, two)
    assert 5.0 < together < 9.6, together
    alone = _mbps_together(lab, internet, range(7103, 7105), one)
    assert 5.0 < alone < 9.6, alone
    for number, spec in enumerate((one, two), 1):  # the control: what each has for itself is twice as much together
        _led(engine, spec, Share(f"bwp-2222222{number}", 8))
    apart = _mbps_together(lab, internet, range(7105, 7107), one, two)
    assert apart > 10.5, apart
    _led(engine, one, shared)
    _led(engine, two, shared)
    _led(engine, one, Share("bwp-11111111", 30))  # told of one of them, and so of both
    faster = _mbps_together(lab, internet, range(7107, 7109), one, two, mib=20)
    assert 18.0 < faster < 36.0, faster
    _led(engine, two, None)
    engine.ensure_address(one.name, one.private_ip, None)
    assert _send(lab, two.name, internet.ip, 7109, mib=0) != 0  # the control: nobody listens there
    own = _mbps_together(lab, internet, range(7110, 7112), two)
    assert own > 18.0, own
    assert _limits(engine) == []
    for spec in (one, two):
        engine.ensure_absent(spec.name)


def _limits(engine: Engine) -> list[str]:
    """Names of shared limits that the packet filter has."""
    firewall = engine._open().firewall  # type: ignore[attr-defined]
    return [name for name in firewall._state().limits if ".bwp_" in name]


def test_a_table_that_was_flushed_has_the_shared_limit_again(
    engine: Engine, lab: Lab, internet: Internet, make_spec: MakeSpec
) -> None:
    one, two = make_spec(mbps=40), make_spec(mbps=40)
    for spec in (one, two):
        engine.ensure_present(spec)
        _led(engine, spec, Share("bwp-33333333", 8))
    before = _limits(engine)
    firewall = engine._open().firewall  # type: ignore[attr-defined]
    firewall.remove_table()
    engine.list_ours()
    assert sorted(_limits(engine)) == sorted(before) == ["i.bwp_33333333.8", "o.bwp_33333333.8"]
    state = firewall._state()
    assert {spec.private_ip for spec in (one, two)} == set(state.maps["out_share"]) == set(state.maps["in_share"])
    for spec in (one, two):
        engine.ensure_absent(spec.name)
    assert _limits(engine) == []
