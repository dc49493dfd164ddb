"""The engine's answers get lost, the engine goes away and comes back: the same end, and no orphan."""

import dataclasses
import gc
import warnings
from collections.abc import Callable

import httpx
import pytest

from tests.lab.conftest import Internet, Lab
from vmart.engines.contract import Engine, EngineError, MachineSpec, Observation, Power, PublicAddress, Subnet
from vmart.engines.incus import client
from vmart.engines.incus.client import path_of
from vmart.engines.incus.driver import IncusEngine
from vmart.engines.incus.firewall import _WHOLE
from vmart.engines.incus.host import names_of_deployment, run
from vmart.kernel import clock

MakeSpec = Callable[..., MachineSpec]


class _Losing(httpx.BaseTransport):
    """Carries requests to the engine; the ``nth`` one's answer is lost, or (``unsent``) it never gets there."""

    def __init__(self, inner: httpx.BaseTransport, nth: int, *, unsent: bool) -> None:
        self._inner = inner
        self._left = nth
        self._unsent = unsent

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._left -= 1
        if self._left == 0 and self._unsent:
            raise httpx.ConnectError("the test cut the line", request=request)
        response = self._inner.handle_request(request)
        if self._left == 0:
            response.read()
            raise httpx.ReadError("the test lost the answer", request=request)
        return response

    @property
    def fired(self) -> bool:
        return self._left <= 0

    def close(self) -> None:
        self._inner.close()


def losing_engine(lab: Lab, nth: int, *, unsent: bool) -> tuple[IncusEngine, _Losing]:
    engine = lab.engine()
    assert isinstance(engine, IncusEngine)
    wire = engine._open().client
    wire._http.close()
    line = _Losing(httpx.HTTPTransport(uds=str(lab.daemon.socket)), nth, unsent=unsent)
    wire._http = httpx.Client(transport=line, base_url="http://incus", trust_env=False)
    return engine, line


def until_it_answers(call: Callable[[], object]) -> None:
    """As the worker does it: a transient failure is tried again."""
    for _ in range(5):
        try:
            call()
            return
        except EngineError as error:
            assert error.transient, error
    raise AssertionError("five transient failures in a row")


@pytest.mark.parametrize("unsent", [False, True], ids=["answer lost", "not sent"])
def test_making_and_removing_with_the_nth_exchange_failing(lab: Lab, make_spec: MakeSpec, *, unsent: bool) -> None:
    plain, nth, fired = lab.engine(), 0, True
    while fired:
        nth += 1
        assert nth < 40
        spec = make_spec()
        engine, line = losing_engine(lab, nth, unsent=unsent)
        until_it_answers(lambda spec=spec, engine=engine: engine.ensure_present(spec))
        assert plain.observe(spec.name).power is Power.RUNNING
        assert plain.counters([spec.name]).keys() == {spec.name}
        until_it_answers(lambda spec=spec, engine=engine: engine.ensure_absent(spec.name))
        fired = line.fired
        assert plain.observe(spec.name).power is Power.ABSENT
        assert plain.list_ours() == []
        assert lab.ask("network", "list", "--format=csv", "--columns=nm").count("YES") == 0
        assert spec.private_ip not in run(["nft", "list", "ruleset"]).stdout
    assert nth > 10


def test_the_engine_goes_away_machines_run_on_and_are_adopted(
    engine: Engine, lab: Lab, internet: Internet, make_spec: MakeSpec
) -> None:
    spec, later = make_spec(), make_spec()
    before = engine.ensure_present(spec)
    assert spec.public_address is not None
    lab.inside(spec.name, "cloud-init status --wait")
    lab.stop()
    try:
        assert internet.connects(spec.public_address.ip, 22)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # httpcore leaves the socket it could not connect
            with pytest.raises(EngineError, match="does not answer") as refusal:
                engine.ensure_present(later)
            assert refusal.value.transient
            del refusal
            gc.collect()
    finally:
        lab.start()
    assert engine.observe(spec.name) == before
    assert [found.name for found in engine.list_ours()] == [spec.name]
    assert internet.connects(spec.public_address.ip, 22)
    assert engine.ensure_present(later).power is Power.RUNNING


def test_what_takes_longer_than_one_look_is_waited_for(
    engine: Engine, make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given an engine that takes its time, when an operation outlasts the slice of a wait, then it is no failure."""
    spec = make_spec(public=False)
    engine.ensure_present(spec)
    assert isinstance(engine, IncusEngine)
    monkeypatch.setattr(client, "_SLICE_S", 1)
    command = {"command": ["sleep", "3"], "wait-for-websocket": False, "interactive": False}
    done = engine._open().client.send("POST", path_of("instances", spec.name, "exec"), command, limit_s=30)
    assert done["metadata"]["return"] == 0


def test_a_flushed_packet_filter_is_rebuilt_from_the_engines_list(
    engine: Engine, lab: Lab, internet: Internet, make_spec: MakeSpec
) -> None:
    spec = make_spec()
    engine.ensure_present(spec)
    lab.inside(spec.name, "cloud-init status --wait")
    reach = f"ping -q -c 1 -W 2 {internet.ip}"
    assert lab.inside(spec.name, reach).returncode == 0
    epoch = engine.counters([spec.name])[spec.name].epoch
    assert isinstance(engine, IncusEngine) and engine._open().firewall is not None
    engine._open().firewall.remove_table()
    engine.list_ours()
    assert lab.inside(spec.name, reach).returncode == 0
    fresh = engine.counters([spec.name])[spec.name]
    assert fresh.epoch != epoch
    assert 0 < fresh.out_bytes < 1000


def test_a_host_that_started_anew_gets_its_whole_table_back(
    engine: Engine, lab: Lab, internet: Internet, make_spec: MakeSpec
) -> None:
    """Given a table of which only the base was made since, and a machine bought meanwhile, then both come to work."""
    old, new = make_spec(), make_spec()
    engine.ensure_present(old)
    assert old.public_address is not None and new.public_address is not None
    lab.inside(old.name, "cloud-init status --wait")
    assert internet.connects(old.public_address.ip, 22)
    run(["nft", "delete", "table", "inet", names_of_deployment(lab.daemon.deployment).table])
    run(["nft", "delete", "table", "inet", "incus"])
    lab.daemon.prepare()
    assert not internet.connects(old.public_address.ip, 22)  # the control: it is closed
    engine.ensure_present(new)
    engine.capabilities()
    assert internet.connects(old.public_address.ip, 22)
    lab.inside(new.name, "cloud-init status --wait")
    assert internet.connects(new.public_address.ip, 22)
    assert engine.counters([old.name, new.name]).keys() == {old.name, new.name}


def test_a_table_with_the_rules_of_an_earlier_release_is_rebuilt(
    engine: Engine, lab: Lab, internet: Internet, make_spec: MakeSpec
) -> None:
    """Given a whole table that knows nothing of addresses that are routed nowhere, then it learns of them."""
    spec = dataclasses.replace(make_spec(), public_address=PublicAddress("203.0.113.78", 100))
    engine.ensure_present(spec)
    lab.inside(spec.name, "cloud-init status --wait")
    engine.capabilities()  # the table is whole
    table = f"inet {names_of_deployment(lab.daemon.deployment).table}"
    of_before = [
        f"flush chain {table} postrouting",
        f"delete set {table} by_host",
        f"delete chain {table} {_WHOLE}",
        f"add rule {table} postrouting snat ip to ip saddr map @public_of",
        f"add chain {table} whole",
    ]
    run(["nft", "-f", "-"], text="\n".join(of_before) + "\n")
    internet.count_senders("203.0.113.78", internet.host_ip)
    ping = f"ping -q -c 1 -W 2 {internet.ip}"
    assert lab.inside(spec.name, ping).returncode == 0
    assert (internet.seen_bytes("203.0.113.78"), internet.seen_bytes(internet.host_ip)) == (84, 0)  # the control
    engine.capabilities()
    assert lab.inside(spec.name, ping).returncode == 0
    assert (internet.seen_bytes("203.0.113.78"), internet.seen_bytes(internet.host_ip)) == (84, 84)


def test_a_machine_that_is_not_ours_is_never_touched(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    spec = make_spec()
    lab.ask("init", "--empty", spec.name, "--no-profiles", "--storage", "vmart")
    try:
        for call in (
            lambda: engine.ensure_present(spec),
            lambda: engine.ensure_power(spec.name, True),
            lambda: engine.ensure_absent(spec.name),
        ):
            with pytest.raises(EngineError, match="name is taken") as refusal:
                call()
            assert not refusal.value.transient
        assert spec.name not in {found.name for found in engine.list_ours()}
        assert spec.name in lab.ask("list", "--format=csv", "--columns=n")
    finally:
        lab.ask("delete", "--force", spec.name)


def test_an_overlapping_private_network_is_refused(engine: Engine, make_spec: MakeSpec) -> None:
    spec, other = make_spec(public=False), make_spec(public=False, customer=7)
    engine.ensure_present(spec)
    clash = dataclasses.replace(other, subnet=dataclasses.replace(other.subnet, cidr=spec.subnet.cidr))
    with pytest.raises(EngineError, match="overlaps") as refusal:
        engine.ensure_present(clash)
    assert not refusal.value.transient
    assert engine.observe(clash.name).power is Power.ABSENT


def test_a_private_network_that_the_host_is_in_is_refused(engine: Engine, make_spec: MakeSpec) -> None:
    """Given a link of the host in the customer's range, then its bridge is not made: the kernel would route to one."""
    spec = make_spec(public=False)
    clash = dataclasses.replace(spec, subnet=Subnet("subnet-host", "10.96.0.0/20", "10.96.0.1"), private_ip="10.96.1.7")
    run(["ip", "link", "add", "vmart-office", "type", "bridge"])
    try:
        run(["ip", "address", "add", "10.96.12.1/24", "dev", "vmart-office"])
        with pytest.raises(EngineError, match="overlaps with a network that the host is in") as refusal:
            engine.ensure_present(clash)
        assert (refusal.value.transient, refusal.value.detail) == (
            False,
            "10.96.0.0/20 and 10.96.12.0/24 of vmart-office",
        )
        assert engine.observe(clash.name).power is Power.ABSENT
    finally:
        run(["ip", "link", "delete", "vmart-office"])
    assert engine.ensure_present(clash).power is Power.RUNNING


def test_a_stop_asks_the_guest_and_a_forced_one_does_not(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    spec = make_spec(public=False)
    engine.ensure_present(spec)
    unit = (
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStop=/bin/touch /root/asked\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )
    lab.inside(
        spec.name,
        f"cloud-init status --wait; printf '{unit}' > /etc/systemd/system/asked.service; systemctl enable --now asked",
    )
    engine.ensure_power(spec.name, False)
    engine.ensure_power(spec.name, True)
    assert lab.inside(spec.name, "rm /root/asked").returncode == 0
    asked_at = clock.wall()
    engine.ensure_power(spec.name, False, force=True)
    assert (clock.wall() - asked_at).total_seconds() < 10
    assert isinstance(engine.ensure_power(spec.name, True), Observation)
    assert lab.inside(spec.name, "ls /root/asked").returncode != 0
