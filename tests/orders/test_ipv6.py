"""IPv6 addresses of machines: claimed at the purchase, led there with the public one, had until the machine ends."""

import ipaddress
import threading
from dataclasses import replace

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.orders.acting import agree
from tests.support.actors import by
from tests.support.at_once import at_once, wait_until_blocked
from tests.support.shopper import HOURLY, IMAGE, LOGIN, ZONE, open_purse, wanted, work
from tests.support.written import refused
from vmart.catalog import shop as catalog
from vmart.catalog.models import Zone
from vmart.engines.contract import Power, PublicAddress
from vmart.engines.rules import ICMPV6, TCP, Packet
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.kernel.errors import Refused, Unsupported
from vmart.kernel.models import Deployment
from vmart.network.models import Ipv6Address
from vmart.orders import address, errors, start, stop, terminate
from vmart.orders.own_network import NetworkWanted
from vmart.orders.purchase import purchase
from vmart.orders.wanted import Machine, Purchase
from vmart.provisioning import zones
from vmart.provisioning.zone_engines import engine_of
from vmart.security import change, held
from vmart.security.change import Named, Policies
from vmart.security.policies import ACCEPT, OPEN, Policy

pytestmark = pytest.mark.usefixtures("shop")

PREFIX = "2001:db8:4::/64"
ONLINE = replace(HOURLY, internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR", bandwidth_mbps=6, public_ip=True)
WITH_IPV6 = Machine(IMAGE, LOGIN, name="web", network=NetworkWanted(ipv6_addresses=1))
COUNT = 3


def _asked(account: int, **what: object) -> Purchase:
    return wanted(account, replace(ONLINE, **what), machine=WITH_IPV6)  # type: ignore[arg-type]


def _running(account: int, count: int = 1) -> list[Instance]:
    bought = purchase(_asked(account, count=count))
    zones.check(ZONE)
    zones.prepare_images(ZONE)
    work()
    machines = list(Instance.objects.filter(public_id__in=bought.instance_ids).order_by("id"))
    assert {machine.state for machine in machines} == {"RUNNING"}
    return machines


def _prefix(text: str) -> None:
    """The zone has another one, as by an applied catalog."""
    Zone.objects.filter(code=ZONE).update(ipv6_prefix=text)
    Deployment.objects.update(generation=Deployment.objects.get().generation + 1)
    catalog.forget()


def _seen(machine: Instance) -> tuple[str, str, Power]:
    found = engine_of(ZONE).observe(machine.public_id)
    return found.public_ip, found.public_ipv6, found.power


def _held() -> dict[int, str]:
    return dict(Ipv6Address.objects.values_list("instance_id", "ip"))


@pytest.mark.usefixtures("in_business")
def test_each_machine_gets_its_own_and_its_engine_leads_it_there() -> None:
    account = open_purse(cash_minor=100000)
    machines = _running(account, COUNT)
    prefix = ipaddress.IPv6Network(PREFIX)
    assert all(ipaddress.IPv6Address(machine.ipv6 or "") in prefix for machine in machines)
    assert len({machine.ipv6 for machine in machines}) == COUNT
    assert _held() == {machine.id: machine.ipv6 for machine in machines}
    for machine in machines:
        assert _seen(machine) == (machine.public_ip, machine.ipv6, Power.RUNNING)
    agree()


def test_it_costs_nothing() -> None:
    account = open_purse(cash_minor=100000)
    plain, with_ipv6 = wanted(account, ONLINE), _asked(account)
    for request in (plain, with_ipv6):
        purchase(request)
    held = db.rows("SELECT quantity, price_key FROM subscriptions_item ORDER BY subscription_id, component")
    half = len(held) // 2
    assert held[:half] == held[half:]
    assert [row["ipv6"] is not None for row in Instance.objects.order_by("id").values("ipv6")] == [False, True]


@pytest.mark.usefixtures("in_business")
def test_it_is_kept_while_the_machine_is_off_and_given_back_when_it_ends() -> None:
    """Given a stop without charge, which gives the public address back, then it comes back with the next one."""
    account = open_purse(cash_minor=100000)
    (machine,) = _running(account)
    mine = machine.ipv6
    stop.stop(by(account), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    work()
    machine.refresh_from_db()
    assert (machine.public_ip, machine.ipv6, _held()) == (None, mine, {machine.id: mine})
    assert _seen(machine) == ("", "", Power.STOPPED)
    start.start(by(account), [machine.public_id])
    work()
    machine.refresh_from_db()
    assert _seen(machine) == (machine.public_ip, mine, Power.RUNNING)
    terminate.terminate(by(account), [machine.public_id])
    work()
    machine.refresh_from_db()
    assert (machine.state, machine.ipv6, _held()) == ("SHUTDOWN", mine, {machine.id: mine})
    assert _seen(machine)[1:] == ("", Power.STOPPED)
    terminate.terminate(by(account), [machine.public_id])
    work()
    machine.refresh_from_db()
    assert (machine.state, machine.ipv6, _held()) == ("GONE", None, {})
    agree()


@pytest.mark.usefixtures("in_business")
def test_the_sweep_leads_it_back_where_somebody_took_it_off(world: World) -> None:
    account = open_purse(cash_minor=100000)
    (machine,) = _running(account)
    engine = engine_of(ZONE)
    assert not address.differs(machine, engine.observe(machine.public_id))
    engine.ensure_address(machine.public_id, machine.private_ip, PublicAddress(machine.public_ip or "", 6))
    assert address.differs(machine, engine.observe(machine.public_id))


@pytest.mark.usefixtures("in_business")
def test_groups_decide_on_it_and_a_group_as_peer_has_it(world: World) -> None:
    """Given the default group, which is open; one that lets IPv4 in; ping from a network; and the group itself."""
    account = open_purse(cash_minor=100000)
    one, other = _running(account, 2)
    stranger = Packet(TCP, "2001:db8:99::1", 22)
    assert world.lets_in(one.public_id, stranger)
    _let_in(account, Policy(ACCEPT, "TCP", "22", cidr="0.0.0.0/0"))
    assert not world.lets_in(one.public_id, stranger)
    assert world.lets_in(one.public_id, Packet(TCP, "198.51.100.1", 22))
    _let_in(
        account, Policy(ACCEPT, "ICMPv6", cidr="2001:db8:99::/48"),
        Policy(ACCEPT, "TCP", "80", group=held.default_id(account)),
    )  # fmt: skip
    assert world.lets_in(one.public_id, Packet(ICMPV6, "2001:db8:99::1"))
    assert not world.lets_in(one.public_id, Packet(ICMPV6, "2001:db8:9a::1"))
    assert world.lets_in(one.public_id, Packet(TCP, other.ipv6 or "", 80))
    assert not world.lets_in(one.public_id, Packet(TCP, "2001:db8:99::1", 80))


def _let_in(account: int, *policies: Policy) -> None:
    ingress = tuple(map(Named, policies))
    change.replace_all(by(account), held.default_id(account), Policies(ingress, tuple(map(Named, OPEN))))
    work()


@pytest.mark.parametrize(
    ("change", "network", "field", "code"),
    [
        ({}, NetworkWanted(ipv6_addresses=2), "network.ipv6_addresses", "InvalidParameter"),
        ({}, NetworkWanted(ipv6_addresses=-1), "network.ipv6_addresses", "InvalidParameter"),
        ({"public_ip": False, "bandwidth_mbps": 0}, NetworkWanted(ipv6_addresses=1), "network.ipv6_addresses",
         "InvalidParameterCombination"),
        ({"zone": "ap-guangzhou-6"}, NetworkWanted(ipv6_addresses=1), "network.ipv6_addresses",
         "UnsupportedOperation"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_refused_and_nothing_is_written(
    change: dict[str, object], network: NetworkWanted, field: str, code: str
) -> None:
    account = open_purse(cash_minor=100000)
    request = wanted(account, replace(ONLINE, **change), machine=Machine(IMAGE, LOGIN, network=network))  # type: ignore[arg-type]
    with refused(Refused, field=field, code=code):
        purchase(request)


def test_where_the_engine_does_not_guard_them_none_is_sold() -> None:
    account = open_purse(cash_minor=100000)
    Zone.objects.filter(code=ZONE).update(capabilities={"ipv6": False, "missing": {"ipv6": "Not here."}})
    with refused(Unsupported, field="network.ipv6_addresses"):
        purchase(_asked(account))


def test_a_full_prefix_is_refused_before_money_moves() -> None:
    """15 of 16 addresses can be had: the first is every router's."""
    account = open_purse(cash_minor=1000000)
    _prefix("2001:db8:4::40/124")
    purchase(_asked(account, count=15))
    assert sorted(_held().values(), key=ipaddress.ip_address) == [f"2001:db8:4::4{host:x}" for host in range(1, 16)]
    says = f"No IPv6 address is free in {ZONE}"
    with refused(errors.NoAddress, match=says, field="network.ipv6_addresses"):
        purchase(_asked(account))


def test_two_at_once_never_get_the_same() -> None:
    """Given seven addresses left and purchases of four and four at once, then one of them is refused."""
    account, other = open_purse(cash_minor=1000000), open_purse("other", cash_minor=1000000)
    _prefix("2001:db8:4::40/124")
    purchase(_asked(account, count=8))
    results = at_once(lambda: purchase(_asked(account, count=4)), lambda: purchase(_asked(other, count=4)))
    assert sorted(isinstance(result, errors.NoAddress) for result in results) == [False, True]
    assert len(_held()) == 12


def test_a_purchase_waits_for_a_catalog_that_moves_the_prefix() -> None:
    """Given a catalog that is being applied, then no purchase claims out of a prefix that is another zone's by now."""
    account = open_purse(cash_minor=1000000)
    waiting: list[object] = []
    thread = threading.Thread(target=lambda: waiting.extend(at_once(lambda: purchase(_asked(account)))))
    with transaction.atomic():
        db.call("network_lock_prefixes")
        Zone.objects.filter(code=ZONE).update(ipv6_prefix="")
        Zone.objects.filter(code="ap-guangzhou-6").update(ipv6_prefix=PREFIX)
        Deployment.objects.update(generation=Deployment.objects.get().generation + 1)
        thread.start()
        wait_until_blocked()
    thread.join(30)
    assert [str(outcome) for outcome in waiting] == [f"There are no IPv6 addresses in {ZONE}."]
    assert _held() == {}


def test_the_last_one_is_claimed_once_though_two_see_it() -> None:
    """The control: while somebody's purchase is not committed yet, its address is seen as free by everybody else."""
    account = open_purse(cash_minor=1000000)
    _prefix("2001:db8:4::40/124")
    purchase(_asked(account, count=14))
    free = sorted({f"2001:db8:4::4{host:x}" for host in range(1, 16)} - set(_held().values()))
    waiting: list[object] = []

    def other() -> None:
        waiting.extend(at_once(lambda: purchase(_asked(account))))

    thread = threading.Thread(target=other)
    with transaction.atomic():
        (mine,) = db.call("network_claim_ipv6", ZONE, "2001:db8:4::40/124", account, [1])
        assert [str(mine)] == free
        (seen,) = at_once(lambda: db.call("network_spare_ipv6", "2001:db8:4::40/124", 4, 2))
        assert isinstance(seen, list)
        assert list(map(str, seen)) == free
        thread.start()
        wait_until_blocked()
    thread.join(30)
    assert [type(outcome) for outcome in waiting] == [errors.NoAddress]
    assert _held()[1] == str(mine)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.one_of(st.integers(1, 6), st.integers(-6, -1)), max_size=12),
    st.sampled_from(["2001:db8::/124", "2001:db8::/120", "fd00:1::/64"]),
)
def test_claims_and_returns_in_any_order(steps: list[int], prefix: str) -> None:
    """A claim is of the prefix, nobody else's, never the first; and is refused only where too few are left."""
    with db.act():
        Ipv6Address.objects.all().delete()
        network, held, number = ipaddress.IPv6Network(prefix), dict[int, str](), 0
        for step in steps:
            if step < 0:
                back = list(held)[:-step]
                db.call("network_free_ipv6", back)
                held = {key: ip for key, ip in held.items() if key not in back}
                continue
            machines = list(range(number + 1, number + 1 + step))
            number += step
            claimed = [str(ip) for ip in db.call("network_claim_ipv6", ZONE, prefix, 1, machines)]
            assert len(claimed) == min(step, network.num_addresses - 1 - len(held))
            assert all(ipaddress.IPv6Address(ip) in network for ip in claimed)
            assert str(network[0]) not in claimed
            held |= dict(zip(machines, claimed, strict=False))
            assert len(set(held.values())) == len(held)
            assert _held() == held
