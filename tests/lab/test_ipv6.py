"""IPv6 of real machines: who reaches whom, what groups let pass, what is counted and capped, whose address is whose."""

import dataclasses
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import Internet, Lab, open_internet
from tests.lab.test_groups import CLOSED, _wait_for_ssh
from tests.lab.test_groups import _can_reach as _can_reach_port
from vmart.engines.contract import Engine, HeldDisk, MachineSpec, Power
from vmart.engines.incus import links
from vmart.engines.incus.driver import IncusEngine
from vmart.engines.optional import Rescues, Snapshots
from vmart.engines.rules import ALL_OPEN, ICMPV6, OPEN, TCP, MachineRules, Rule

MakeSpec = Callable[..., MachineSpec]
PREFIX = "2001:db8:6"
OUTSIDE, HOST = "2001:db8:7::2", "2001:db8:7::1"


def _led_by_ipv6(internet: Internet, network: str) -> str:
    """The host is ``<network>::1`` there and routes to it; its link on the host."""
    inner = json.loads(internet.run("ip", "-json", "link", "show", "type", "veth").stdout)[0]["ifname"]
    outer = f"{inner.removesuffix('i')}o"
    subprocess.run(["ip", "-6", "address", "add", f"{network}::1/64", "dev", outer, "nodad"], check=True)
    internet.run("ip", "-6", "address", "add", f"{network}::2/64", "dev", inner, "nodad")
    internet.run("ip", "-6", "route", "add", "2001:db8::/32", "via", f"{network}::1")
    return outer


@pytest.fixture
def internet6(internet: Internet) -> Iterator[Internet]:
    """The internet, to which the host routes IPv6 too."""
    network = HOST.removesuffix("::1")
    outer = _led_by_ipv6(internet, network)
    yield internet
    subprocess.run(["ip", "-6", "address", "del", f"{HOST}/64", "dev", outer], check=True)
    internet.run("ip", "-6", "address", "del", f"{OUTSIDE}/64", "dev", f"{outer.removesuffix('o')}i")
    internet.run("ip", "-6", "route", "del", "2001:db8::/32", check=False)


def _with(spec: MachineSpec, number: int, rules: MachineRules = OPEN) -> MachineSpec:
    assert spec.public_address is not None
    address = dataclasses.replace(spec.public_address, ipv6=f"{PREFIX}::{number:x}")
    return dataclasses.replace(spec, public_address=address, rules=rules)


def _pings(lab: Lab, machine: str, target: str) -> bool:
    return lab.inside(machine, f"ping -6 -q -c 1 -W 2 {target}").returncode == 0


def _outside_pings(internet: Internet, target: str) -> bool:
    """Each time a connection of its own: one that is known would go on."""
    speak = (
        "import os, socket, sys; s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58); s.settimeout(2);"
        "s.sendto(bytes([128, 0, 0, 0]) + os.urandom(4), (sys.argv[1], 0));"
        "[None for _ in iter(lambda: s.recv(99)[0] == 129, True)]"
    )
    return internet.run("python3", "-c", speak, target, check=False).returncode == 0


def test_machines_reach_each_other_and_the_internet_as_their_groups_say(
    engine: Engine, lab: Lab, internet6: Internet, make_spec: MakeSpec
) -> None:
    if not engine.capabilities().ipv6:
        pytest.skip(engine.capabilities().missing["ipv6"])
    one, other = _with(make_spec(), 0x11), _with(make_spec(customer=2), 0x22)
    engine.ensure_present(one)
    engine.ensure_present(other)
    _wait_for_ssh(lab, one.name, f"{PREFIX}::22")
    assert _pings(lab, one.name, f"{PREFIX}::22")
    assert _pings(lab, one.name, OUTSIDE)
    assert internet6.connects(f"{PREFIX}::11", 22)
    assert _outside_pings(internet6, f"{PREFIX}::11")

    # Closed: no answer, from a neighbour, from outside and from the host; what it opens itself is answered.
    engine.ensure_rules({one.name: CLOSED})
    assert not _can_reach_port(lab, other.name, f"{PREFIX}::11")
    assert not internet6.connects(f"{PREFIX}::11", 22)
    assert not _outside_pings(internet6, f"{PREFIX}::11")
    assert _pings(lab, one.name, OUTSIDE)
    assert _can_reach_port(lab, one.name, f"{PREFIX}::22")

    # A network of IPv4 opens nothing for IPv6, and a network of IPv6 nothing for IPv4.
    ssh4 = MachineRules((Rule(True, TCP, ((22, 22),), ("0.0.0.0/0",)),), ALL_OPEN)
    ssh6 = MachineRules((Rule(True, TCP, ((22, 22),), (f"{PREFIX}::22/128",)),), ALL_OPEN)
    assert one.public_address is not None
    engine.ensure_rules({one.name: ssh4})
    assert (internet6.connects(one.public_address.ip, 22), internet6.connects(f"{PREFIX}::11", 22)) == (True, False)
    engine.ensure_rules({one.name: ssh6})
    assert (internet6.connects(one.public_address.ip, 22), internet6.connects(f"{PREFIX}::11", 22)) == (False, False)
    assert _can_reach_port(lab, other.name, f"{PREFIX}::11")
    ping6 = MachineRules((Rule(True, ICMPV6, (), ("::/0",)),), ALL_OPEN)
    engine.ensure_rules({one.name: ping6})
    assert (_outside_pings(internet6, f"{PREFIX}::11"), internet6.connects(f"{PREFIX}::11", 22)) == (True, False)

    # Out.
    shut = MachineRules(ALL_OPEN, (Rule(False, TCP, ((22, 22),), (f"{PREFIX}::22/128",)), *ALL_OPEN))
    engine.ensure_rules({one.name: shut})
    assert not _can_reach_port(lab, one.name, f"{PREFIX}::22")
    assert _pings(lab, one.name, f"{PREFIX}::22")


def test_it_survives_a_flushed_table_and_holds_only_as_long_as_it_leads_there(
    engine: Engine, lab: Lab, internet6: Internet, make_spec: MakeSpec
) -> None:
    spec = _with(make_spec(), 0x33, MachineRules((Rule(True, TCP, ((22, 22),), ("::/0",)),), ALL_OPEN))
    engine.ensure_present(spec)
    neighbour = _with(make_spec(customer=2), 0x34)
    engine.ensure_present(neighbour)
    _wait_for_ssh(lab, neighbour.name, f"{PREFIX}::33")
    assert isinstance(engine, IncusEngine)
    firewall = engine._open().firewall
    assert firewall is not None
    firewall.remove_table()
    engine.list_ours()
    assert internet6.connects(f"{PREFIX}::33", 22)
    assert not _outside_pings(internet6, f"{PREFIX}::33")
    # Off, as arrears have it, though the guest keeps the address; and on again.
    assert spec.public_address is not None
    engine.ensure_address(spec.name, spec.private_ip, None)
    assert not internet6.connects(f"{PREFIX}::33", 22)
    assert not _pings(lab, spec.name, OUTSIDE)
    engine.ensure_address(spec.name, spec.private_ip, spec.public_address)
    assert internet6.connects(f"{PREFIX}::33", 22)
    # Stopped and started, and made anew.
    engine.ensure_power(spec.name, False, force=True)
    assert engine.ensure_power(spec.name, True).power is Power.RUNNING
    _wait_for_ssh(lab, neighbour.name, f"{PREFIX}::33")
    anew = dataclasses.replace(spec, installation=1)
    assert engine.ensure_reinstalled(anew).public_ipv6 == f"{PREFIX}::33"
    _wait_for_ssh(lab, neighbour.name, f"{PREFIX}::33")
    # Taken away while it runs, and given back to it.
    without = dataclasses.replace(spec.public_address, ipv6="")
    engine.ensure_address(spec.name, spec.private_ip, without)
    assert not internet6.connects(f"{PREFIX}::33", 22)
    assert f"{PREFIX}::" not in lab.inside(spec.name, "ip -6 address").stdout
    assert spec.name in firewall.counts()
    engine.ensure_address(spec.name, spec.private_ip, spec.public_address)
    assert internet6.connects(f"{PREFIX}::33", 22)
    assert not _outside_pings(internet6, f"{PREFIX}::33")
    # Moved while nothing leads there: the rules of its new place hold from the first packet on.
    engine.ensure_address(spec.name, spec.private_ip, None)
    engine.ensure_power(spec.name, False, force=True)
    moved = dataclasses.replace(spec, private_ip="10.91.9.9", public_address=None, rules=CLOSED)
    engine.ensure_network(moved, on=True)
    engine.ensure_address(spec.name, moved.private_ip, spec.public_address)
    _wait_until_up(lab, spec.name)
    assert not internet6.connects(f"{PREFIX}::33", 22)
    assert _pings(lab, spec.name, OUTSIDE)
    engine.ensure_rules({spec.name: OPEN})
    assert internet6.connects(f"{PREFIX}::33", 22)


def test_a_rescue_system_has_the_machines_address_and_its_groups(
    engine: Engine, lab: Lab, internet6: Internet, make_spec: MakeSpec
) -> None:
    open_to_all = MachineRules((Rule(True, TCP, ((22, 22),), ("::/0",)),), ALL_OPEN)
    spec = _with(make_spec(), 0x3A, open_to_all)
    engine.ensure_present(spec)
    _wait_until_up(lab, spec.name)
    for number in (1, 2):
        if number == 1:
            seen = engine.ensure_rescue(dataclasses.replace(spec, rescue=1), force=True)
        else:
            seen = engine.ensure_own_system(dataclasses.replace(spec, rescue=2), on=True)
        assert (seen.rescue, seen.public_ipv6) == (number, f"{PREFIX}::3a")
        _wait_until_up(lab, spec.name)
        assert internet6.connects(f"{PREFIX}::3a", 22)
        assert not _outside_pings(internet6, f"{PREFIX}::3a")
        assert _pings(lab, spec.name, OUTSIDE)


def test_a_system_that_was_made_while_no_address_led_there_has_it_when_one_does(
    engine: Engine, lab: Lab, internet6: Internet, make_spec: MakeSpec
) -> None:
    """Given arrears, in which a machine is made anew, mended, has its own system again and is given a snapshot back."""
    assert isinstance(engine, Snapshots)
    assert isinstance(engine, Rescues)
    spec = _with(make_spec(), 0x3B, MachineRules((Rule(True, TCP, ((22, 22),), ("::/0",)),), ALL_OPEN))
    engine.ensure_present(spec)
    _wait_until_up(lab, spec.name)
    copy = f"snap-{spec.name.removeprefix('ins-')}"
    disk = HeldDisk(spec.system_disk.key, spec.system_disk.size_gib, spec.member, spec.name, is_system=True)
    engine.ensure_snapshot(copy, disk)
    off = dataclasses.replace(spec, public_address=None)
    for step in ("anew", "rescue", "own", "restored"):
        engine.ensure_address(spec.name, spec.private_ip, None)
        if step == "anew":
            off = dataclasses.replace(off, installation=1)
            engine.ensure_reinstalled(off)
        elif step == "rescue":
            off = dataclasses.replace(off, rescue=1)
            engine.ensure_rescue(off, force=True)
        elif step == "own":
            off = dataclasses.replace(off, rescue=2)
            engine.ensure_own_system(off, on=True)
        else:
            off = dataclasses.replace(off, restoration=1)
            engine.ensure_power(spec.name, False, force=True)
            engine.ensure_restored(off, copy)
        assert engine.observe(spec.name).public_ipv6 == ""
        assert not internet6.connects(f"{PREFIX}::3b", 22)
        engine.ensure_address(spec.name, spec.private_ip, spec.public_address)
        engine.ensure_power(spec.name, True)
        _wait_until_up(lab, spec.name)
        assert (step, internet6.connects(f"{PREFIX}::3b", 22)) == (step, True)
        assert not _outside_pings(internet6, f"{PREFIX}::3b")
        assert _pings(lab, spec.name, OUTSIDE)
    engine.ensure_absent(spec.name)
    engine.ensure_snapshot_absent(copy)


def _wait_until_up(lab: Lab, machine: str) -> None:
    assert lab.inside(machine, "cloud-init status --wait > /dev/null; systemctl is-active ssh").stdout == "active\n"


def test_bytes_are_counted_once_with_those_of_the_other_address_and_the_cap_is_one(
    engine: Engine, lab: Lab, internet6: Internet, make_spec: MakeSpec
) -> None:
    spec = _with(make_spec(mbps=5), 0x44)
    engine.ensure_present(spec)
    lab.inside(spec.name, "cloud-init status --wait > /dev/null")
    began = engine.counters([spec.name])[spec.name]
    speak = "import socket; socket.socket({}, socket.SOCK_DGRAM).sendto(bytes({}), ('{}', 9))"
    assert lab.inside(spec.name, f'python3 -c "{speak.format("socket.AF_INET6", 1000, OUTSIDE)}"').returncode == 0
    assert lab.inside(spec.name, f'python3 -c "{speak.format("socket.AF_INET", 500, internet6.ip)}"').returncode == 0
    sent = engine.counters([spec.name])[spec.name]
    # Whole IP packets: 40 and 20 bytes of their own headers, 8 of UDP's.
    assert (sent.epoch, sent.out_bytes - began.out_bytes) == (began.epoch, 1048 + 528)
    with internet6.sink(7061) as sink:
        script = f"head -c {6 << 20} /dev/zero | timeout 60 bash -c 'cat > /dev/tcp/{OUTSIDE}/7061'"
        assert lab.inside(spec.name, script, limit_s=90).returncode == 0
        total, seconds = sink.communicate(timeout=60)[0].split()
    assert 2.5 < int(total) * 8 / 1e6 / float(seconds) < 6.0


def test_nobody_speaks_by_anothers_address(engine: Engine, lab: Lab, internet6: Internet, make_spec: MakeSpec) -> None:
    """Given a machine that takes an address that is not its own, then nothing of it gets out, by either of its ways."""
    spec = _with(make_spec(), 0x55)
    engine.ensure_present(spec)
    lab.inside(spec.name, "cloud-init status --wait > /dev/null")
    assert _pings(lab, spec.name, OUTSIDE)  # the control
    lab.inside(spec.name, f"ip -6 address add {PREFIX}::99/128 dev eth1")
    internet6.run("nft", "-f", "-", text=_SEEN)
    assert not _pings(lab, spec.name, f"-I {PREFIX}::99 {OUTSIDE}")
    began = engine.counters([spec.name])[spec.name].out_bytes
    # Out of its private network, with its own address: that way knows no IPv6.
    lab.inside(spec.name, f"ip -6 route add {OUTSIDE}/128 via fe80::1 dev eth0")
    assert not _pings(lab, spec.name, OUTSIDE)
    assert engine.counters([spec.name])[spec.name].out_bytes == began
    # And IPv4 by the link.
    assert lab.inside(spec.name, f"ip route add {internet6.ip}/32 dev eth1").returncode == 0
    assert lab.inside(spec.name, f"ping -q -c 1 -W 2 {internet6.ip}").returncode == 1
    listed = json.loads(internet6.run("nft", "-j", "list", "counter", "ip6", "seen6", "foreign").stdout)["nftables"]
    assert next(item["counter"]["packets"] for item in listed if "counter" in item) == 0


_SEEN = f"""
add table ip6 seen6
delete table ip6 seen6
add table ip6 seen6
add counter ip6 seen6 foreign
add chain ip6 seen6 in {{ type filter hook prerouting priority -300; }}
add rule ip6 seen6 in ip6 saddr {PREFIX}::99 counter name foreign
"""


def test_a_machine_reaches_nothing_of_the_host_by_its_link(
    engine: Engine, lab: Lab, internet6: Internet, make_spec: MakeSpec
) -> None:
    spec = _with(make_spec(), 0x66)
    engine.ensure_present(spec)
    lab.inside(spec.name, "cloud-init status --wait > /dev/null")
    with subprocess.Popen(["python3", "-c", _LISTEN], stdout=subprocess.PIPE, text=True) as listening:
        assert listening.stdout is not None and listening.stdout.readline() == "listening\n"
        try:
            reach = "timeout 2 bash -c 'head -c 3 < /dev/tcp/{}/7066'"
            assert lab.inside(spec.name, reach.format(HOST)).stdout == ""
            control = subprocess.run(["bash", "-c", reach.format(HOST)], capture_output=True, text=True, check=False)
            assert control.stdout == "hi\n"
        finally:
            listening.kill()
    assert not _pings(lab, spec.name, "fe80::1%eth1")


_LISTEN = """
import socket
server = socket.create_server(("::", 7066), family=socket.AF_INET6)
print("listening", flush=True)
while True:
    server.accept()[0].sendall(b"hi\\n")
"""


def test_a_host_that_forwarded_nothing_is_a_router_for_machines_alone(
    engine: Engine, lab: Lab, internet6: Internet, make_spec: MakeSpec
) -> None:
    """Given a host in two networks, when its first machine gets an address, then neither network gets to the other."""
    assert isinstance(engine, IncusEngine)
    firewall = engine._open().firewall
    assert firewall is not None
    links.FORWARDING.write_text("0")
    links.TOLD.unlink(missing_ok=True)
    firewall.ensure_base()
    spec = _with(make_spec(), 0x77)
    with open_internet() as other:
        _led_by_ipv6(other, "2001:db8:8")
        engine.ensure_present(spec)
        lab.inside(spec.name, "cloud-init status --wait > /dev/null")
        assert (links.FORWARDING.read_text().strip(), links.TOLD.exists()) == ("1", True)
        for _ in range(2):
            assert _pings(lab, spec.name, OUTSIDE)
            assert _pings(lab, spec.name, "2001:db8:8::2")
            assert _outside_pings(other, f"{PREFIX}::77")
            assert not _outside_pings(other, OUTSIDE)
            assert not _outside_pings(internet6, "2001:db8:8::2")
            firewall.remove_table()  # and again, when somebody flushed it
            engine.list_ours()
        # The control: a host that forwards because its owner wants it forwards what its owner wants.
        links.TOLD.unlink()
        firewall.remove_table()
        engine.list_ours()
        assert _outside_pings(other, OUTSIDE)
        assert _pings(lab, spec.name, OUTSIDE)


def test_a_machine_that_asks_from_many_addresses_fills_no_table_of_the_host(
    engine: Engine, lab: Lab, internet6: Internet, make_spec: MakeSpec
) -> None:
    """Given questions for its gateway from 3,000 addresses of its own link, each of which would be a neighbour."""
    spec = _with(make_spec(), 0x88)
    engine.ensure_present(spec)
    lab.inside(spec.name, "cloud-init status --wait > /dev/null")
    assert isinstance(engine, IncusEngine)
    link = engine._names.link(spec.name)
    asked = lab.inside(spec.name, f"cat > /root/ask.py <<'END'\n{_PACKETS}{_ASK}\nEND\npython3 /root/ask.py eth1")
    assert asked.stdout == "3000\n", asked.stderr
    command = ["ip", "-6", "neighbour", "show", "dev", link]
    kept = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert 20 < len(kept) < 150
    assert _pings(lab, spec.name, OUTSIDE)


def test_no_machine_is_a_router_for_its_host(
    engine: Engine, lab: Lab, internet6: Internet, make_spec: MakeSpec
) -> None:
    """Given a host whose interfaces hear routers, and a machine that says it is one, on each of its own."""
    spec = _with(make_spec(), 0x8A)
    engine.ensure_present(spec)
    lab.inside(spec.name, "cloud-init status --wait > /dev/null")
    assert isinstance(engine, IncusEngine)
    firewall = engine._open().firewall
    assert firewall is not None
    link, bridge = engine._names.link(spec.name), engine._names.bridge(spec.subnet.key)
    for interface in (link, bridge):
        Path(f"/proc/sys/net/ipv6/conf/{interface}/accept_ra").write_text("2")
    push = f"cat > /root/advertise.py <<'END'\n{_PACKETS}{_ADVERTISE}\nEND\n"
    said = lab.inside(spec.name, f"{push}python3 /root/advertise.py eth0 && python3 /root/advertise.py eth1")
    assert said.stdout == "eth0\neth1\n", said.stderr
    time.sleep(1)
    assert _routers_heard(link, bridge) == []
    # The control: without our table the host hears it.
    firewall.remove_table()
    lab.inside(spec.name, "python3 /root/advertise.py eth1")
    time.sleep(1)
    assert _routers_heard(link, bridge) == [link]
    subprocess.run(["ip", "-6", "route", "flush", "dev", link, "proto", "ra"], check=True)
    engine.list_ours()


def _routers_heard(*interfaces: str) -> list[str]:
    told = json.loads(subprocess.run(["ip", "-6", "-json", "route"], capture_output=True, check=True).stdout)
    return sorted({route["dev"] for route in told if route.get("protocol") == "ra" and route.get("dev") in interfaces})


_PACKETS = """
import socket, struct, sys

def send(link, mac, source, group, body):
    words = source + group + struct.pack("!II", len(body), 58) + body
    total = sum(struct.unpack(f"!{len(words) // 2}H", words))
    total = (total & 0xFFFF) + (total >> 16)
    total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    body = body[:2] + struct.pack("!H", total) + body[4:]
    head = struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + source + group
    link.send(b"\\x33\\x33" + group[12:] + mac + b"\\x86\\xdd" + head + body)

def of(text):
    return socket.inet_pton(socket.AF_INET6, text)

link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
link.bind((sys.argv[1], 0))
own = link.getsockname()[4]
"""
_ASK = """
for number in range(3000):
    body = struct.pack("!BBHI", 135, 0, 0, 0) + of("fe80::1") + bytes([1, 1]) + own
    send(link, own, of(f"fe80::5:{number + 1:x}"), of("ff02::1:ff00:1"), body)
print(number + 1)
"""
_ADVERTISE = """
body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + bytes([1, 1]) + own
send(link, own, of("fe80::5:1"), of("ff02::1"), body)
print(sys.argv[1])
"""
