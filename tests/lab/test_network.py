"""What leaves a machine, what is counted, what is capped, and what can be reached from inside one."""

import contextlib
import dataclasses
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.lab.conftest import DEMO_POOL, Internet, Lab
from vmart.engines.contract import Engine, MachineSpec, Power, PublicAddress
from vmart.kernel import clock

MakeSpec = Callable[..., MachineSpec]


def _public_ip(spec: MachineSpec) -> str:
    assert spec.public_address is not None
    return spec.public_address.ip


def _send(lab: Lab, machine: str, target: str, port: int, *, mib: int) -> int:
    """0 when all of it was sent."""
    wait = "cloud-init status --wait > /dev/null"
    script = f"{wait}; head -c {mib << 20} /dev/zero | timeout 60 bash -c 'cat > /dev/tcp/{target}/{port}'"
    return lab.inside(machine, script, limit_s=90).returncode


def test_bytes_that_left_by_the_public_address_are_counted_exactly(
    engine: Engine, lab: Lab, internet: Internet, make_spec: MakeSpec
) -> None:
    spec, neighbour = make_spec(), make_spec(public=False)
    engine.ensure_present(spec)
    engine.ensure_present(neighbour)
    internet.count_senders(_public_ip(spec))
    began = engine.counters([spec.name])[spec.name]

    with internet.sink(7001) as sink:
        assert _send(lab, spec.name, internet.ip, 7001, mib=20) == 0
        output, _ = sink.communicate(timeout=60)
    assert int(output.split()[0]) == 20 << 20
    after_public = engine.counters([spec.name])[spec.name]

    # Private traffic, to a machine of the same customer, is free.
    assert lab.inside(spec.name, f"ping -q -c 50 -i 0.01 -s 1400 {neighbour.private_ip}").returncode == 0
    after_private = engine.counters([spec.name])[spec.name]

    seen_bytes = internet.seen_bytes(_public_ip(spec))
    assert after_private.out_bytes == after_public.out_bytes
    assert after_private.out_bytes - began.out_bytes == seen_bytes
    assert seen_bytes > 20 << 20
    assert after_private.epoch == began.epoch


def test_nothing_leaves_by_the_private_address(
    engine: Engine, lab: Lab, internet: Internet, make_spec: MakeSpec
) -> None:
    """Given a packet of no connection, which the host cannot turn to the public address, then it goes nowhere, free."""
    spec = make_spec()
    engine.ensure_present(spec)
    lab.inside(spec.name, "cloud-init status --wait")
    internet.count_senders(_public_ip(spec), spec.private_ip)
    began = engine.counters([spec.name])[spec.name]
    speak = "import socket; socket.socket(socket.AF_INET, socket.{}).sendto(bytes(20), ('{}', 9))"
    assert lab.inside(spec.name, f'python3 -c "{speak.format("SOCK_DGRAM", internet.ip)}"').returncode == 0
    assert internet.seen_bytes(_public_ip(spec)) == 48  # the control: a datagram with its two headers arrives
    assert lab.inside(spec.name, f'python3 -c "{speak.format("SOCK_RAW, 6", internet.ip)}"').returncode == 0
    assert internet.seen_bytes(_public_ip(spec)) == 48
    assert internet.seen_bytes(spec.private_ip) == 0
    assert engine.counters([spec.name])[spec.name].out_bytes - began.out_bytes == 48


def test_a_documentation_address_leaves_by_the_hosts_own(
    engine: Engine, lab: Lab, internet: Internet, make_spec: MakeSpec
) -> None:
    """Given an internet that knows no way to the demo's network, then a demo machine reaches it, counted as ever."""
    spec = dataclasses.replace(make_spec(), public_address=PublicAddress("203.0.113.77", 100))
    engine.ensure_present(spec)
    internet.count_senders(_public_ip(spec), internet.host_ip)
    began = engine.counters([spec.name])[spec.name]
    internet.run("ip", "route", "delete", DEMO_POOL)
    try:
        with internet.sink(7005) as sink:
            assert _send(lab, spec.name, internet.ip, 7005, mib=2) == 0
            assert int(sink.communicate(timeout=60)[0].split()[0]) == 2 << 20
    finally:
        internet.run("ip", "route", "add", DEMO_POOL, "via", internet.host_ip)
    sent = engine.counters([spec.name])[spec.name].out_bytes - began.out_bytes
    assert (internet.seen_bytes(_public_ip(spec)), internet.seen_bytes(internet.host_ip)) == (0, sent)
    assert sent > 2 << 20
    assert internet.connects(_public_ip(spec), 22)  # and is reached by its own address
    assert internet.seen_bytes(_public_ip(spec)) > 0
    # With another address, and without one, nothing of it is left.
    engine.ensure_address(spec.name, spec.private_ip, PublicAddress("198.18.113.253", 100))
    internet.count_senders("198.18.113.253", internet.host_ip)
    assert lab.inside(spec.name, f"ping -q -c 1 -W 2 {internet.ip}").returncode == 0
    assert (internet.seen_bytes("198.18.113.253"), internet.seen_bytes(internet.host_ip)) == (84, 0)
    engine.ensure_address(spec.name, spec.private_ip, None)
    assert lab.inside(spec.name, f"ping -q -c 1 -W 2 {internet.ip}").returncode != 0


def test_the_cap_holds_outbound(engine: Engine, lab: Lab, internet: Internet, make_spec: MakeSpec) -> None:
    spec = make_spec(mbps=5)
    engine.ensure_present(spec)
    with internet.sink(7003) as sink:
        assert _send(lab, spec.name, internet.ip, 7003, mib=6) == 0
        total, seconds = sink.communicate(timeout=60)[0].split()
    mbps = int(total) * 8 / 1e6 / float(seconds)
    assert 2.5 < mbps < 6.0  # over ten seconds, the first of which may take two seconds' worth


def test_another_cap_is_in_force_at_once_on_what_is_under_way(
    engine: Engine, lab: Lab, internet: Internet, make_spec: MakeSpec
) -> None:
    """30 MiB at 5 Mbps would take 50 s. The machine runs on, its connections stand, and its bytes are counted on."""
    spec = make_spec(mbps=5)
    booted_at, began = engine.ensure_present(spec).booted_at, engine.counters([spec.name])[spec.name]
    lab.inside(spec.name, "cloud-init status --wait > /dev/null")
    with internet.sink(7006) as sink:
        sending = threading.Thread(target=_send, args=(lab, spec.name, internet.ip, 7006), kwargs={"mib": 30})
        sending.start()
        time.sleep(4)
        asked = time.monotonic()
        engine.ensure_address(spec.name, spec.private_ip, PublicAddress(_public_ip(spec), 100))
        assert time.monotonic() - asked < 5
        total, seconds = sink.communicate(timeout=60)[0].split()
        sending.join()
    assert (int(total), float(seconds) < 25) == (30 << 20, True)
    engine.ensure_address(spec.name, spec.private_ip, PublicAddress(_public_ip(spec), 5))
    with internet.sink(7007) as sink:
        assert _send(lab, spec.name, internet.ip, 7007, mib=6) == 0
        total, seconds = sink.communicate(timeout=60)[0].split()
    assert 2.5 < int(total) * 8 / 1e6 / float(seconds) < 6.0
    counted = engine.counters([spec.name])[spec.name]
    assert (counted.epoch, counted.out_bytes - began.out_bytes > 36 << 20) == (began.epoch, True)
    assert engine.observe(spec.name).booted_at == booted_at


def test_without_a_public_address_nothing_leaves(
    engine: Engine, lab: Lab, internet: Internet, make_spec: MakeSpec
) -> None:
    spec, control = make_spec(public=False), make_spec()
    engine.ensure_present(spec)
    engine.ensure_present(control)
    script = f"cloud-init status --wait > /dev/null; ping -q -c 2 -W 2 {internet.ip}"
    assert lab.inside(control.name, script).returncode == 0
    assert lab.inside(spec.name, script).returncode != 0
    # And nobody beside the host gets in by the private address.
    assert not internet.connects(spec.private_ip, 22)
    assert not internet.connects(control.private_ip, 22)
    assert internet.connects(_public_ip(control), 22)


_HEARS = """
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", 9000))
while True:
    heard = server.recv(100)
    with open("/root/heard", "ab") as file:
        file.write(heard)
"""
_SAYS = """
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.bind(("", 9001))
client.sendto(sys.argv[2].encode(), (sys.argv[1], 9000))
"""


def test_an_address_that_is_taken_off_leads_neither_in_nor_out_and_comes_back(
    engine: Engine, lab: Lab, internet: Internet, make_spec: MakeSpec
) -> None:
    """Given arrears of a prepaid machine: also what is under way ends, and the count goes on when it is back."""
    spec = make_spec()
    engine.ensure_present(spec)
    lab.inside(spec.name, f"cloud-init status --wait > /dev/null; systemd-run --unit=hears python3 -c '{_HEARS}'")

    def said(word: str) -> str:
        """What was heard once the word was said from the port from which all of them are."""
        internet.run(sys.executable, "-c", _SAYS, _public_ip(spec), word)
        time.sleep(0.5)
        return heard_by_now()

    def heard_by_now() -> str:
        return lab.inside(spec.name, "cat /root/heard").stdout

    def goes_out() -> bool:
        return lab.inside(spec.name, f"ping -q -c 2 -W 2 {internet.ip}").returncode == 0

    deadline = time.monotonic() + 30
    while not said("a"):
        assert time.monotonic() < deadline
    began, heard = engine.counters([spec.name])[spec.name], said("b")
    while not heard.endswith("b"):
        assert time.monotonic() < deadline
        heard = heard_by_now()
    assert goes_out()
    for _ in range(2):
        engine.ensure_address(spec.name, spec.private_ip, None)
        assert (said("c"), goes_out(), internet.connects(_public_ip(spec), 22)) == (heard, False, False)
    assert engine.ensure_rebooted(spec.name, clock.wall()).power is Power.RUNNING
    assert (goes_out(), internet.connects(_public_ip(spec), 22)) == (False, False)
    engine.ensure_address(spec.name, spec.private_ip, spec.public_address)
    deadline = time.monotonic() + 60
    while not internet.connects(_public_ip(spec), 22):
        assert time.monotonic() < deadline
    assert goes_out()
    after = engine.counters([spec.name])[spec.name]
    assert (after.epoch, after.out_bytes > began.out_bytes) == (began.epoch, True)


@contextlib.contextmanager
def _host_listens() -> Iterator[int]:
    """A service of the host on all its addresses, IPv6 too."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                with contextlib.suppress(OSError):
                    connection, _ = server.accept()
                    connection.close()

        server.settimeout(0.2)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.set()
            thread.join()


def _connects(lab: Lab, machine: str, target: str, port: int) -> bool:
    return lab.inside(machine, f"timeout 3 bash -c '< /dev/tcp/{target}/{port}'").returncode == 0


class TestFromInside:
    @pytest.fixture
    def three(self, engine: Engine, make_spec: MakeSpec, lab: Lab) -> tuple[MachineSpec, MachineSpec, MachineSpec]:
        """A machine, another of the same customer, and one of somebody else; all have public addresses and sshd."""
        specs = (make_spec(), make_spec(), make_spec(customer=2))
        for spec in specs:
            engine.ensure_present(spec)
        for spec in specs:
            lab.inside(spec.name, "cloud-init status --wait")
        return specs

    def test_another_customers_machine_only_by_its_public_address(
        self, lab: Lab, three: tuple[MachineSpec, MachineSpec, MachineSpec]
    ) -> None:
        mine, sister, stranger = three
        assert _connects(lab, mine.name, sister.private_ip, 22)  # the control
        assert not _connects(lab, mine.name, stranger.private_ip, 22)
        assert lab.inside(mine.name, f"ping -c 1 -W 2 {stranger.private_ip}").returncode != 0
        assert _connects(lab, mine.name, _public_ip(stranger), 22)
        assert _connects(lab, mine.name, _public_ip(sister), 22)
        assert _connects(lab, mine.name, _public_ip(mine), 22)

    def test_a_neighbour_over_the_public_address_sees_the_public_address(
        self, lab: Lab, three: tuple[MachineSpec, MachineSpec, MachineSpec]
    ) -> None:
        mine, _, stranger = three
        probe = f"timeout 5 bash -c 'exec 3<>/dev/tcp/{_public_ip(stranger)}/22; sleep 2' & sleep 1; wait"
        watcher = threading.Thread(target=lab.inside, args=(mine.name, probe))
        watcher.start()
        try:
            seen = lab.inside(stranger.name, "sleep 1; ss -Htn state established '( sport = :22 )'").stdout
        finally:
            watcher.join()
        assert _public_ip(mine) in seen
        assert mine.private_ip not in seen

    def test_no_port_of_the_host(
        self, lab: Lab, internet: Internet, three: tuple[MachineSpec, MachineSpec, MachineSpec]
    ) -> None:
        mine = three[0]
        gateway = mine.subnet.gateway
        host_addresses = _host_addresses()
        assert gateway in host_addresses and internet.host_ip in host_addresses
        with _host_listens() as port:
            # The control: the same port is open to the network beside the host.
            assert (
                internet.run("bash", "-c", f"timeout 3 bash -c '< /dev/tcp/{internet.host_ip}/{port}'").returncode == 0
            )
            open_to_machine = [ip for ip in host_addresses if _connects(lab, mine.name, ip, port)]
            assert open_to_machine == []
            bridge = "ip -6 neigh flush dev eth0; ping -6 -c 1 -W 1 ff02::1%eth0; ip -6 neigh show dev eth0"
            neighbours = [
                line.split()[0] for line in lab.inside(mine.name, bridge).stdout.splitlines() if "lladdr" in line
            ]
            assert [ip for ip in neighbours if _connects(lab, mine.name, f"{ip}%eth0", port)] == []
        assert lab.inside(mine.name, f"ping -c 1 -W 1 {gateway}").returncode != 0

    def test_dns_and_nothing_else_at_the_gateway(
        self, lab: Lab, three: tuple[MachineSpec, MachineSpec, MachineSpec]
    ) -> None:
        mine, _, stranger = three
        assert _connects(lab, mine.name, mine.subnet.gateway, 53)
        assert not _connects(lab, mine.name, stranger.subnet.gateway, 53)

    def test_no_engine_socket(self, lab: Lab, three: tuple[MachineSpec, MachineSpec, MachineSpec]) -> None:
        found = lab.inside(
            three[0].name, "ls -d /dev/incus /dev/lxd 2>/dev/null; find / -xdev -name '*.socket' -path '*incus*'"
        )
        assert found.stdout == ""

    def test_no_other_address_can_be_taken(
        self, engine: Engine, lab: Lab, three: tuple[MachineSpec, MachineSpec, MachineSpec]
    ) -> None:
        mine, sister, _ = three
        free = mine.private_ip.rsplit(".", 1)[0] + ".250"
        reach = f"ping -q -c 2 -W 1 {sister.private_ip}"
        assert lab.inside(mine.name, reach).returncode == 0  # the control
        took_free = f"ip address add {free}/20 dev eth0; {reach} -I {free}"
        assert lab.inside(mine.name, took_free).returncode != 0
        # The sister's own address: the switch of the two still knows where she is.
        lab.inside(mine.name, f"ip address add {sister.private_ip}/20 dev eth0; ip address delete {free}/20 dev eth0")
        lab.inside(mine.name, f"ping -q -c 2 -W 1 -I {sister.private_ip} {mine.subnet.gateway}")
        assert lab.inside(mine.name, f"ip address delete {sister.private_ip}/20 dev eth0; {reach}").returncode == 0
        took_mac = f"ip link set eth0 address {sister.mac}; {reach}"
        assert lab.inside(mine.name, took_mac).returncode != 0

    def test_its_root_is_not_the_hosts_nor_its_neighbours(
        self, lab: Lab, three: tuple[MachineSpec, MachineSpec, MachineSpec]
    ) -> None:
        bases = [lab.inside(spec.name, "cat /proc/self/uid_map").stdout.split()[1] for spec in three]
        assert "0" not in bases
        assert len(set(bases)) == 3


def _host_addresses() -> list[str]:
    listed = subprocess.run(["ip", "-4", "-j", "address"], capture_output=True, text=True, check=True).stdout
    addresses = [entry["local"] for link in json.loads(listed) for entry in link["addr_info"]]
    return [address for address in addresses if not address.startswith("127.")]
