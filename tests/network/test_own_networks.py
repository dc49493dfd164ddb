"""Given an account, when it makes, renames and deletes VPCs and subnets, then by the published rules."""

import pytest

from tests.support.actors import by
from tests.support.shopper import HOURLY, IMAGE, LOGIN, ZONE, buy_running, open_purse, wanted, work
from tests.support.written import refused
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.network import errors, subnets, vpcs
from vmart.network.models import Subnet, Vpc
from vmart.network.subnets import NewSubnet
from vmart.network.vpcs import NewVpc
from vmart.orders import terminate
from vmart.orders.own_network import NetworkWanted
from vmart.orders.purchase import purchase
from vmart.orders.wanted import Machine
from vmart.provisioning import zones

pytestmark = pytest.mark.usefixtures("in_business")
REGION, OTHER_ZONE = "ap-guangzhou", "ap-guangzhou-6"


@pytest.fixture
def account() -> int:
    zones.check(ZONE)
    zones.prepare_images(ZONE)
    return open_purse(cash_minor=100_000)


def _vpc(account: int, cidr: str = "10.0.0.0/16", region: str = REGION) -> str:
    return vpcs.create(by(account), region, NewVpc("net", cidr)).public_id


def _subnet(account: int, vpc_id: str, cidr: str, zone: str = ZONE) -> str:
    return subnets.create(by(account), vpc_id, NewSubnet("part", cidr, zone)).public_id


def _bought(account: int, subnet_id: str) -> str:
    machine = Machine(IMAGE, LOGIN, name="web", network=NetworkWanted(subnet_id=subnet_id))
    (public_id,) = purchase(wanted(account, HOURLY, machine=machine)).instance_ids
    return public_id


def test_a_vpc_is_made_changed_and_deleted(account: int) -> None:
    made = vpcs.create(by(account), REGION, NewVpc("net", "172.16.0.0/12", multicast=True))
    assert (made.owner_id, made.account_id, made.is_default) == (account, None, False)
    assert (made.name, made.cidr, made.multicast, made.region_id) == ("net", "172.16.0.0/12", True, REGION)
    vpcs.modify(by(account), made.public_id, name="other")
    vpcs.modify(by(account), made.public_id, multicast=False)
    made.refresh_from_db()
    assert (made.name, made.multicast, made.deleted_at) == ("other", False, None)
    vpcs.delete(by(account), made.public_id)
    with refused(errors.UnknownVpc, match=f"The VPC {made.public_id} does not exist.", field="vpc_id"):
        vpcs.delete(by(account), made.public_id)
    told = Event.objects.filter(subject_kind="vpc", subject_id=made.id).order_by("id")
    assert [(event.kind, event.detail["called"]) for event in told] == [
        ("CreateVpc", "net"), ("ModifyVpcAttribute", "other"), ("ModifyVpcAttribute", "other"), ("DeleteVpc", "other"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "code"), [("", "InvalidParameterValue.Empty"), ("x" * 61, "InvalidParameterValue.TooLong"),
                       ("a\nb", "InvalidParameterValue.TooLong"), ("\0", "InvalidParameterValue.TooLong")],
)  # fmt: skip
def test_a_name_that_cannot_be(account: int, name: str, code: str) -> None:
    own = _vpc(account)
    part = _subnet(account, own, "10.0.0.0/24")
    for act in (
        lambda: vpcs.create(by(account), REGION, NewVpc(name, "10.1.0.0/16")),
        lambda: vpcs.modify(by(account), own, name=name),
        lambda: subnets.create(by(account), own, NewSubnet(name, "10.0.1.0/24", ZONE)),
        lambda: subnets.modify(by(account), part, name=name),
    ):
        with refused(errors.BadNetworkName, field="name", code=code):
            act()


def test_as_many_as_are_published(account: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (vpcs.VPCS_MAX, subnets.SUBNETS_MAX) == (20, 100)
    monkeypatch.setattr(vpcs, "VPCS_MAX", 2)
    monkeypatch.setattr(subnets, "SUBNETS_MAX", 2)
    first, second = _vpc(account), _vpc(account)
    _vpc(account, region="ap-shanghai")
    with refused(errors.TooManyNetworks, match="at most 2 VPCs in a region", field="region", code="LimitExceeded"):
        _vpc(account)
    _subnet(account, first, "10.0.0.0/24")
    two = [NewSubnet("a", "10.0.1.0/24", ZONE), NewSubnet("b", "10.0.2.0/24", ZONE)]
    with refused(errors.TooManyNetworks, match="at most 2 subnets", field="vpc_id", code="LimitExceeded"):
        subnets.create_many(by(account), first, two)
    vpcs.delete(by(account), second)
    _vpc(account)


def test_subnets_of_a_vpc_all_or_none(account: int) -> None:
    own = _vpc(account)
    made = subnets.create_many(
        by(account), own, [NewSubnet("a", "10.0.1.0/24", ZONE), NewSubnet("b", "10.0.2.0/28", OTHER_ZONE)]
    )
    assert [(one.name, str(one.block), one.zone_id, one.first_host, one.next_host) for one in made] == [
        ("a", "10.0.1.0/24", ZONE, 2, 2), ("b", "10.0.2.0/28", OTHER_ZONE, 2, 2),
    ]  # fmt: skip
    with refused(errors.RangeTaken, field="subnets.1.cidr", code="InvalidParameterValue.SubnetOverlap"):
        subnets.create_many(
            by(account), own, [NewSubnet("c", "10.0.3.0/24", ZONE), NewSubnet("d", "10.0.3.128/25", ZONE)]
        )
    for bad, error, field in [
        (NewSubnet("e", "10.1.0.0/24", ZONE), errors.BadRange, "cidr"),
        (NewSubnet("e", "10.0.4.0/24", "ap-shanghai-2"), errors.ZoneElsewhere, "zone"),
        (NewSubnet("e", "10.0.4.0/24", ""), errors.ZoneElsewhere, "zone"),
    ]:
        with refused(error, field=field):
            subnets.create(by(account), own, bad)


def test_a_range_that_is_taken_and_one_that_is_free(account: int) -> None:
    """Given another customer's subnet in the zone, then it is not told whose it is, and a free range is offered."""
    stranger = open_purse("stranger")
    theirs, own = _vpc(stranger), _vpc(account)
    _subnet(stranger, theirs, "10.0.0.0/24")
    said = (
        "The range 10.0.0.0/23 is partly in use in ap-guangzhou-4, whose hosts all private networks share; "
        "free is 10.0.2.0/23."
    )
    with refused(errors.RangeTaken, match=said, field="cidr", code="InvalidParameterValue.SubnetConflict"):
        _subnet(account, own, "10.0.0.0/23")
    _subnet(account, own, "10.0.0.0/23", OTHER_ZONE)  # other hosts
    said = "The range 10.0.1.0/24 overlaps with 10.0.0.0/23 of the same VPC; free is 10.0.2.0/24."
    with refused(errors.RangeTaken, match=said, field="cidr", code="InvalidParameterValue.SubnetOverlap"):
        _subnet(account, own, "10.0.1.0/24")
    small = _vpc(account, "10.0.0.0/24")
    with refused(errors.RangeTaken, match="free is -.", field="cidr", code="InvalidParameterValue.SubnetConflict"):
        _subnet(account, small, "10.0.0.0/28")
    subnets.delete(by(stranger), Subnet.objects.get(owner_id=stranger).public_id)
    _subnet(account, small, "10.0.0.0/28")


def test_a_default_subnet_steps_aside_of_ranges_that_customers_have(account: int) -> None:
    """Given own subnets in the default VPC where the next default ones would be, then those are further up."""
    buy_running(account)
    default = Vpc.objects.get(account_id=account)
    first = Subnet.objects.get(account_id=account)
    assert (str(first.block), default.is_default, first.is_default) == ("10.64.0.0/20", True, True)
    _subnet(account, default.public_id, "10.64.16.0/24")
    stranger = open_purse("stranger", cash_minor=10_000)
    buy_running(stranger)
    assert str(Subnet.objects.get(account_id=stranger).block) == "10.64.32.0/20"
    with refused(errors.RangeTaken, field="cidr", match="free is 10.0.0.0/24."):
        _subnet(account, default.public_id, "10.64.40.0/24")


def test_what_is_in_use_or_default_is_not_deleted(account: int) -> None:
    own = _vpc(account)
    part = _subnet(account, own, "10.0.1.0/24")
    said = f"The VPC {own} is in use by the subnet {part} .1 in all.: delete its subnets first."
    with refused(errors.NetworkInUse, match=said, field="vpc_id", code="ResourceInUse"):
        vpcs.delete(by(account), own)
    machine = _bought(account, part)
    work()
    said = (
        f"The subnet {part} is in use by the machine {machine} .1 in all, also in the recycle bin.: erase them first."
    )
    with refused(errors.NetworkInUse, match=said, field="subnet_id", code="ResourceInUse"):
        subnets.delete(by(account), part)
    terminate.terminate(by(account), [machine])
    work()
    with refused(errors.NetworkInUse, match=said, field="subnet_id", code="ResourceInUse"):
        subnets.delete(by(account), part)
    terminate.terminate(by(account), [machine])
    work()
    assert Instance.objects.get(public_id=machine).state == "GONE"
    subnets.delete(by(account), part)
    vpcs.delete(by(account), own)
    buy_running(account)
    default = Subnet.objects.select_related("vpc").get(account_id=account)
    with refused(errors.DefaultNetwork, field="subnet_id", code="UnsupportedOperation"):
        subnets.delete(by(account), default.public_id)
    with refused(errors.DefaultNetwork, field="vpc_id", code="UnsupportedOperation"):
        vpcs.delete(by(account), default.vpc.public_id)
    subnets.modify(by(account), default.public_id, name="mine", broadcast=True)
    vpcs.modify(by(account), default.vpc.public_id, name="mine")
    assert Subnet.objects.filter(account_id=account).values_list("name", "vpc__name", "broadcast").get() == (
        "mine", "mine", True,
    )  # fmt: skip


def test_a_strangers_networks_are_unknown(account: int) -> None:
    stranger = open_purse("stranger")
    own = _vpc(account)
    part = _subnet(account, own, "10.0.1.0/24")
    for act, error in [
        (lambda: vpcs.modify(by(stranger), own, name="x"), errors.UnknownVpc),
        (lambda: vpcs.delete(by(stranger), own), errors.UnknownVpc),
        (lambda: _subnet(stranger, own, "10.0.2.0/24"), errors.UnknownVpc),
        (lambda: subnets.modify(by(stranger), part, name="x"), errors.UnknownSubnet),
        (lambda: subnets.delete(by(stranger), part), errors.UnknownSubnet),
        (lambda: subnets.delete(by(stranger), "\0"), errors.UnknownSubnet),
    ]:
        with refused(error, code="ResourceNotFound"):
            act()
