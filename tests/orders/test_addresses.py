"""Given bought public addresses, when they are bound, moved and given back, then machines go on, each second counts."""

from decimal import Decimal

import pytest

from tests.orders.addressing import (
    BANDWIDTH,
    GIB,
    HOURLY_WITH_ADDRESS,
    IDLE_MINOR,
    MONTH,
    TRAFFIC,
    again,
    bound,
    by_bandwidth,
    by_traffic,
    latest,
    new_address,
    of_machine,
    seen,
    segments,
)
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.quotas import one as quota
from tests.support.shopper import MONTHLY, ZONE, buy_running, open_purse, owe, pay, purses, work
from tests.support.written import refused
from vmart.bills.models import Charge
from vmart.catalog.models import Zone
from vmart.config.reconcile import reconcile
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.kernel.clock import HOUR
from vmart.kernel.errors import InvalidParameter, InvalidValue, MissingParameter, Refused
from vmart.ledger.models import Hold
from vmart.listings import quotas
from vmart.metering.models import Sample
from vmart.network.models import Eip, PublicAddress
from vmart.orders import errors, reboot, reinstall, sample, start, stop
from vmart.orders import terminate as of_machines
from vmart.orders.addresses import bandwidth, rename
from vmart.orders.addresses.allocate import NewAddresses, allocate, price, task
from vmart.orders.addresses.associate import associate
from vmart.orders.addresses.disassociate import disassociate
from vmart.orders.addresses.give_back import give_back as release
from vmart.orders.reinstall import Reinstall
from vmart.pricing.address import AddressPart
from vmart.pricing.errors import OutOfRange, PeriodNotSold, UnknownChargeType
from vmart.subscriptions.models import Subscription
from vmart.tags import reads
from vmart.tags.errors import BadTag
from vmart.tags.things import EIP, Thing
from vmart.tags.wanted import Tag
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=100_000)


def test_an_idle_address_is_held_for_and_charged_by_the_second(account: int, test_clock: BusinessClock) -> None:
    """3,000 s at 0.20 an hour: 0.16666667."""
    hour, free = test_clock.at, PublicAddress.objects.filter(zone_id=ZONE, instance_id=None).count()
    test_clock.advance(minutes=10)
    done = allocate(by(account), by_traffic(name="front-1"))
    (public_id,) = done.public_ids
    eip = Eip.objects.get(public_id=public_id)
    assert public_id.startswith("eip-")
    assert (latest(eip), task(account, done.task)) == (("UNBIND", "AllocateAddresses", "SUCCESS"), "SUCCESS")
    assert (eip.name, eip.bandwidth_mbps, eip.internet_charge_type, eip.instance_id) == ("front-1", 5, TRAFFIC, None)
    held = PublicAddress.objects.get(instance_id=eip.id)
    assert (held.ip, held.zone_id, held.account_id) == (eip.ip, ZONE, account)
    assert PublicAddress.objects.filter(zone_id=ZONE, instance_id=None).count() == free - 1
    assert (purses(account)["held"], again(eip).subscription.standing) == (IDLE_MINOR, "active")
    assert segments(eip) == [("idle", 1, test_clock.at, None)]
    test_clock.set(hour + HOUR)
    work()
    charge = Charge.objects.get()
    assert (charge.subscription_id, charge.component, charge.duration_s) == (eip.id, "idle", 3000)
    assert Decimal(charge.exact_e8).scaleb(-8) == Decimal("0.16666667")
    assert (purses(account)["cash"], purses(account)["held"]) == (100_000 - 17, IDLE_MINOR)
    assert [event.kind for event in Event.objects.filter(subject_kind="address")] == ["AllocateAddresses"]
    assert list(reconcile()) == []


def test_what_one_costs(account: int) -> None:
    traffic, bandwidth_ = (
        price(account, "ap-guangzhou", by_traffic().part),
        price(account, "ap-guangzhou", by_bandwidth().part),
    )
    assert (traffic.idle_hourly, traffic.bound_hourly, traffic.traffic_per_gib, traffic.hold_minor) == (
        Decimal("0.20"), Decimal(0), Decimal("0.80"), IDLE_MINOR,
    )  # fmt: skip
    assert (bandwidth_.idle_hourly, bandwidth_.bound_hourly, bandwidth_.traffic_per_gib) == (
        Decimal("0.20"), Decimal("1.565"), None,
    )  # fmt: skip
    assert price(account, "ap-shanghai", by_traffic().part).idle_hourly == Decimal("0.22")  # × 1.10
    allocate(by(account), by_traffic(count=3))
    assert list(Hold.objects.values_list("floating_minor", flat=True)) == [IDLE_MINOR] * 3
    assert len({eip.task for eip in Eip.objects.all()}) == 1


def test_a_repeated_token_gets_the_first_address_and_other_parameters_are_refused(account: int) -> None:
    first = allocate(by(account), by_traffic(), client_token="t")
    assert allocate(by(account), by_traffic(), client_token="t") == first
    assert (Eip.objects.count(), purses(account)["held"]) == (1, IDLE_MINOR)
    with refused(errors.TokenReused, field="client_token"):
        allocate(by(account), by_traffic(name="other"), client_token="t")


def _asked(**what: object) -> NewAddresses:
    return NewAddresses(**({"region": "ap-guangzhou", "part": AddressPart(TRAFFIC, 5)} | what))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("what", "error", "field", "code"),
    [
        ({"region": "nowhere"}, errors.UnknownZone, "region", "InvalidParameterValue.ZoneNotSupported"),
        ({"zone": "ap-nowhere-1"}, errors.UnknownZone, "zone", "InvalidParameterValue.ZoneNotSupported"),
        ({"zone": ZONE, "region": "ap-shanghai"}, errors.UnknownZone, "zone", "InvalidZone.MismatchRegion"),
        ({"part": AddressPart("BANDWIDTH_PACKAGE", 5)}, MissingParameter, "packages", "MissingParameter"),
        ({"part": AddressPart(MONTH, 5)}, MissingParameter, "months", "MissingParameter"),
        ({"part": AddressPart(MONTH, 5), "months": 13}, PeriodNotSold, "months", "InvalidPeriod"),
        ({"part": AddressPart(MONTH, 201), "months": 1}, OutOfRange, "bandwidth_mbps",
         "InvalidParameterValue.BandwidthOutOfRange"),
        ({"part": AddressPart(MONTH, 5), "months": 1, "renew_flag": "ALWAYS"}, InvalidValue, "renew_flag",
         "InvalidParameterValue"),
        ({"months": 1}, InvalidParameter, "months", "InvalidParameter"),
        ({"part": AddressPart("BY_MOON", 5)}, UnknownChargeType, "internet_charge_type", "InvalidParameterValue"),
        ({"part": AddressPart(TRAFFIC, 0)}, OutOfRange, "bandwidth_mbps",
         "InvalidParameterValue.BandwidthOutOfRange"),
        ({"part": AddressPart(BANDWIDTH, 101)}, OutOfRange, "bandwidth_mbps",
         "InvalidParameterValue.BandwidthOutOfRange"),
        ({"count": 0}, InvalidParameter, "count", "InvalidParameterValue.LimitExceeded"),
        ({"count": 101}, InvalidParameter, "count", "InvalidParameterValue.LimitExceeded"),
        ({"count": 21}, errors.QuotaReached, "count", "AddressQuotaLimitExceeded"),
        ({"name": "with space"}, errors.BadAddressName, "name", "InvalidParameterValue"),
        ({"name": "x" * 129}, errors.BadAddressName, "name", "InvalidParameterValue"),
        ({"tags": (Tag("", "v"),)}, BadTag, "tags.0.key", "InvalidParameterValue.TagKeyEmpty"),
    ],
)  # fmt: skip
def test_what_is_not_sold_is_refused(
    account: int, what: dict[str, object], error: type[Refused], field: str, code: str
) -> None:
    with refused(error, field=field, code=code):
        allocate(by(account), _asked(**what))


def test_no_money_no_address_and_arrears_are_refused(account: int) -> None:
    poor = open_purse("poor", cash_minor=IDLE_MINOR - 1)
    with refused(
        errors.InsufficientBalance, code="FailedOperation.BalanceInsufficient", match=r"0\.20 are needed .*0\.19 are"
    ):
        allocate(by(poor), by_traffic())
    quota(account, addresses_per_region=1)
    new_address(account)
    with refused(errors.QuotaReached, field="count", match="At most 1 .* there are 1"):
        new_address(account)
    (bounds,) = [one for one in quotas.all_of(account) if one.name == "addresses_per_region" and one.used]
    assert (bounds.zone, bounds.used, bounds.most) == ("ap-guangzhou", 1, 1)
    owe(poor)
    with refused(errors.InArrears):
        allocate(by(poor), by_traffic())
    rich = open_purse("rich", cash_minor=100_000)
    PublicAddress.objects.filter(zone_id=ZONE, instance_id=None).delete()
    with refused(errors.NoAddress, field="count"):
        allocate(by(rich), by_traffic(zone=ZONE))


def test_an_address_is_where_the_account_has_machines_and_some_are_free(account: int) -> None:
    other = Zone.objects.filter(region_id="ap-guangzhou", on_sale=True).exclude(code=ZONE)[0].code
    assert PublicAddress.objects.filter(zone_id=other, instance_id=None).exists()
    Subscription.objects.filter(pk=buy_running(account).id).update(zone_id=other)
    assert new_address(account, by_traffic(zone="")).zone_id == other
    Subscription.objects.filter(kind="machine").update(zone_id=ZONE)
    assert new_address(account, by_traffic(zone="")).zone_id == ZONE
    PublicAddress.objects.filter(zone_id=ZONE, instance_id=None).delete()
    assert new_address(account, by_traffic(zone="")).zone_id == other


def test_a_running_machine_gets_it_and_gives_it_to_another(account: int, world: World) -> None:
    first, second = buy_running(account), buy_running(account)
    eip = new_address(account)
    number = associate(by(account), eip.public_id, first.public_id)
    assert (latest(eip), of_machine(first)) == (
        ("BINDING", "AssociateAddress", "OPERATING"), ("RUNNING", "AssociateAddress", "OPERATING"),
    )  # fmt: skip
    assert task(account, number) == "RUNNING"
    with refused(errors.Busy, field="machines"):
        stop.stop(by(account), [first.public_id])
    with refused(errors.EipBusy, field="addresses", code="OperationDenied.MutexTaskRunning"):
        associate(by(account), eip.public_id, second.public_id)
    work()
    assert (latest(eip), of_machine(first)) == (
        ("BIND", "AssociateAddress", "SUCCESS"), ("RUNNING", "AssociateAddress", "SUCCESS"),
    )  # fmt: skip
    assert (seen(first), seen(second), world.cap_mbps(first.public_id)) == (eip.ip, "", 5)
    assert task(account, number) == "SUCCESS"
    number = disassociate(by(account), eip.public_id)
    assert latest(eip) == ("UNBINDING", "DisassociateAddress", "OPERATING")
    work()
    assert (latest(eip), again(eip).instance_id) == (("UNBIND", "DisassociateAddress", "SUCCESS"), None)
    assert (seen(first), of_machine(first)) == ("", ("RUNNING", "DisassociateAddress", "SUCCESS"))
    associate(by(account), eip.public_id, second.public_id)
    work()
    assert (seen(first), seen(second)) == ("", eip.ip)
    assert [world.boots(one.public_id) for one in (first, second)] == [1, 1]
    kinds = Event.objects.filter(subject_kind="address").order_by("id").values_list("kind", flat=True)
    assert list(kinds) == [
        "AllocateAddresses", "AssociateAddress", "address_bound", "DisassociateAddress", "address_unbound",
        "AssociateAddress", "address_bound",
    ]  # fmt: skip
    with refused(errors.UnknownTask, field="task"):
        task(account, number)
    assert list(reconcile()) == []


def test_it_stays_through_reboot_stop_start_and_a_new_system(account: int) -> None:
    machine = buy_running(account)
    eip = bound(account, machine)
    for act in (
        lambda: reboot.reboot(by(account), [machine.public_id]),
        lambda: stop.stop(by(account), [machine.public_id]),
        lambda: start.start(by(account), [machine.public_id]),
        lambda: stop.stop(by(account), [machine.public_id], stopped_mode="STOP_CHARGING"),
        lambda: start.start(by(account), [machine.public_id]),
        lambda: reinstall.reinstall(by(account), machine.public_id, Reinstall()),
    ):
        act()
        work()
    assert (of_machine(machine)[0], seen(machine), latest(eip)[0]) == ("RUNNING", eip.ip, "BIND")
    assert list(reconcile()) == []


def test_without_charge_there_is_no_idle_fee(account: int, test_clock: BusinessClock) -> None:
    machine = buy_running(account)
    eip = bound(account, machine)
    stop.stop(by(account), [machine.public_id], stopped_mode="STOP_CHARGING")
    work()
    assert ([component for component, *_, end in segments(eip) if end is None], latest(eip)[0]) == (["traffic"], "BIND")
    free = new_address(account)
    with refused(errors.WrongState, field="machines", code="UnsupportedOperation.InstanceStatusNotPermit"):
        associate(by(account), free.public_id, machine.public_id)


def test_a_stopped_machine_gets_one_and_starts_with_it(account: int) -> None:
    machine = buy_running(account)
    stop.stop(by(account), [machine.public_id])
    work()
    eip = bound(account, machine)
    assert (latest(eip)[0], of_machine(machine)[0]) == ("BIND", "STOPPED")
    start.start(by(account), [machine.public_id])
    work()
    assert seen(machine) == eip.ip


def test_what_cannot_be_bound_is_refused(account: int) -> None:
    machine, other, here = buy_running(account), buy_running(account), by(account)
    eip, free = bound(account, machine), new_address(account)
    own = buy_running(account, HOURLY_WITH_ADDRESS)
    for address, wanted, error, field, code in (
        ("eip-nothing", other, errors.UnknownEip, "addresses", "InvalidAddressId.NotFound"),
        ("eip-\0", other, errors.UnknownEip, "addresses", "InvalidAddressId.NotFound"),
        (eip.public_id, other, errors.EipWrongState, "addresses", "InvalidAddressIdStatus.NotPermit"),
        (free.public_id, machine, errors.HasAddress, "machines", "InvalidInstanceId.AlreadyBindEip"),
        (free.public_id, own, errors.HasAddress, "machines", "InvalidInstanceId.AlreadyBindEip"),
    ):
        with refused(error, field=field, code=code):
            associate(here, address, wanted.public_id)
    with refused(errors.EipWrongState, field="addresses", code="InvalidAddressIdStatus.NotPermit"):
        disassociate(here, free.public_id)
    with refused(errors.EipWrongState, field="addresses", match="unbind it first"):
        release(here, [free.public_id, eip.public_id])
    with refused(MissingParameter, field="addresses"):
        release(here, [])
    with refused(InvalidParameter, field="addresses"):
        release(here, [free.public_id] * 2)
    stranger = open_purse("stranger", cash_minor=1000)
    theirs = buy_running(stranger)
    with refused(errors.UnknownEip, field="addresses"):
        associate(by(stranger), free.public_id, theirs.public_id)
    with refused(errors.UnknownInstance, field="machines"):
        associate(here, free.public_id, theirs.public_id)
    of_machines.terminate(here, [other.public_id])
    work()
    with refused(errors.WrongState, field="machines", code="UnsupportedOperation.InstanceStateIsolating"):
        associate(here, free.public_id, other.public_id)


def test_an_address_of_another_zone_is_refused_before_money_moves(account: int) -> None:
    machine, eip = buy_running(account), new_address(account, by_bandwidth())
    Eip.objects.filter(pk=eip.pk).update(zone_id="ap-guangzhou-3")
    with refused(errors.AddressElsewhere, field="addresses", match="led to machines in ap-guangzhou-3 only"):
        associate(by(account), eip.public_id, machine.public_id)
    assert purses(account)["held"] == IDLE_MINOR + 38


def test_by_bandwidth_each_second_has_one_of_two_prices(account: int, test_clock: BusinessClock) -> None:
    """600 s idle at 0.20, 1,200 s at 1.565, the rest idle: 0.03333333 + 0.52166667 + 0.1 an hour."""
    machine, hour = buy_running(account), test_clock.at
    eip = new_address(account, by_bandwidth())
    begun = test_clock.advance(minutes=10)
    associate(by(account), eip.public_id, machine.public_id)
    assert purses(account)["held"] == 38 + 157  # an hour of the dearer
    work()
    assert purses(account)["held"] == 38 + 157
    ended = test_clock.advance(minutes=20)
    disassociate(by(account), eip.public_id)
    work()
    assert purses(account)["held"] == 38 + IDLE_MINOR
    assert segments(eip) == [
        ("idle", 1, hour, begun), ("bandwidth", 10, begun, ended), ("idle", 1, ended, None),
    ]  # fmt: skip
    test_clock.set(hour + HOUR)
    work()
    charged = {one.component: (one.duration_s, one.exact_e8) for one in Charge.objects.filter(subscription_id=eip.id)}
    assert charged == {"idle": (2400, 13_333_333), "bandwidth": (1200, 52_166_667)}
    assert list(reconcile()) == []


def test_too_little_money_for_an_hour_at_a_machine_is_refused(account: int) -> None:
    poor = open_purse("poor", cash_minor=38 + 156)
    machine, eip = buy_running(poor), new_address(poor, by_bandwidth())
    with refused(errors.InsufficientBalance, code="FailedOperation.BalanceInsufficient", match=r"1\.57 are needed"):
        associate(by(poor), eip.public_id, machine.public_id)
    pay(poor, 1)
    associate(by(poor), eip.public_id, machine.public_id)
    work()
    assert latest(eip)[0] == "BIND"


def test_it_leaves_its_machine_whatever_money_there_is(account: int) -> None:
    """By traffic nothing is held at a machine: idle again, what there is for it is."""
    poor = open_purse("poor", cash_minor=38 + IDLE_MINOR)
    machine = buy_running(poor)
    eip = bound(poor, machine)
    assert purses(poor)["held"] == 38
    new_address(poor)
    disassociate(by(poor), eip.public_id)
    work()
    assert (latest(eip)[0], purses(poor)["held"], purses(poor)["available"]) == ("UNBIND", 38 + IDLE_MINOR, 0)
    assert list(reconcile()) == []


def test_it_leaves_its_machine_below_zero_too(account: int, test_clock: BusinessClock) -> None:
    """In the hours of grace: what is held stays as it is."""
    machine = buy_running(account)
    eip = bound(account, machine)
    held = purses(account)["held"]
    owe(account)
    Operation.objects.filter(kind="arrears").update(due_at=test_clock.at + 2 * HOUR)
    disassociate(by(account), eip.public_id)
    work()
    assert (latest(eip)[0], purses(account)["held"], held) == ("UNBIND", 38, 38)
    assert segments(eip)[-1][0] == "idle"
    assert list(reconcile()) == []


def test_by_traffic_only_what_left_by_it_is_charged(account: int, world: World, test_clock: BusinessClock) -> None:
    """Bytes of the time before, of another address at the machine, and of another machine are not its own."""
    machine, other, hour = buy_running(account), buy_running(account), test_clock.at
    before, eip = bound(account, machine), new_address(account)
    world.send_bytes(machine.public_id, 7 * GIB)
    disassociate(by(account), before.public_id)
    work()
    associate(by(account), eip.public_id, machine.public_id)
    work()
    assert sample.sample_zone(ZONE) == 0
    world.send_bytes(machine.public_id, 2 * GIB)
    assert sample.sample_zone(ZONE) == 2 * GIB
    world.send_bytes(machine.public_id, GIB)  # since the last count
    disassociate(by(account), eip.public_id)
    work()
    associate(by(account), eip.public_id, other.public_id)
    work()
    world.send_bytes(other.public_id, 5 * GIB)
    disassociate(by(account), eip.public_id)
    work()
    associate(by(account), before.public_id, machine.public_id)
    work()
    world.send_bytes(machine.public_id, 11 * GIB)
    sample.sample_zone(ZONE)
    disassociate(by(account), before.public_id)
    work()
    associate(by(account), eip.public_id, machine.public_id)
    work()
    assert sample.sample_zone(ZONE) == 0
    test_clock.set(hour + HOUR)
    work()
    traffic = Charge.objects.filter(component="traffic").order_by("subscription_id")
    assert [(one.subscription_id, one.out_bytes // GIB, one.exact_e8) for one in traffic] == [
        (before.id, 18, 1_440_000_000), (eip.id, 8, 640_000_000),
    ]  # fmt: skip
    assert list(reconcile()) == []


def test_a_machine_that_is_erased_leaves_it_idle_with_all_bytes_counted(
    account: int, world: World, test_clock: BusinessClock
) -> None:
    machine = buy_running(account)
    eip = bound(account, machine)
    world.send_bytes(machine.public_id, GIB)
    of_machines.terminate(by(account), [machine.public_id])
    work()
    assert (of_machine(machine)[0], latest(eip)[0], seen(machine)) == ("SHUTDOWN", "BIND", "")
    of_machines.terminate(by(account), [machine.public_id])
    erased = test_clock.advance(seconds=5)
    work()
    assert (of_machine(machine)[0], latest(eip)) == ("GONE", ("UNBIND", "AssociateAddress", "SUCCESS"))
    assert (again(eip).instance_id, again(eip).ip, purses(account)["held"]) == (None, eip.ip, IDLE_MINOR)
    assert segments(eip)[-1] == ("idle", 1, erased, None)
    assert [(one.subscription_id, one.out_bytes) for one in Sample.objects.all()] == [(eip.id, GIB)]
    assert PublicAddress.objects.get(ip=eip.ip).instance_id == eip.id
    assert list(reconcile()) == []


def test_a_prepaid_machine_in_the_bin_keeps_it_and_gives_it_up(account: int) -> None:
    machine = buy_running(account, MONTHLY)
    eip = bound(account, machine)
    of_machines.terminate(by(account), [machine.public_id])
    work()
    assert (of_machine(machine)[0], latest(eip)[0]) == ("SHUTDOWN", "BIND")
    disassociate(by(account), eip.public_id)
    work()
    assert (latest(eip)[0], of_machine(machine)[0]) == ("UNBIND", "SHUTDOWN")
    assert list(reconcile()) == []


def test_a_machine_that_is_ended_while_it_comes_does_not_have_it(account: int, test_clock: BusinessClock) -> None:
    for erased in (False, True):
        machine, eip = buy_running(account), new_address(account, by_bandwidth())
        associate(by(account), eip.public_id, machine.public_id)
        Operation.objects.filter(kind="bind_address").update(due_at=test_clock.at + HOUR)
        of_machines.terminate(by(account), [machine.public_id])
        work()
        if erased:
            of_machines.terminate(by(account), [machine.public_id])
            work()
        Operation.objects.filter(kind="bind_address").update(due_at=test_clock.at)
        work()
        assert latest(eip) == ("UNBIND", "AssociateAddress", "FAILED")
        assert "The machine was ended before." in again(eip).latest_operation_error
        assert (seen(machine), [end for *_, end in segments(eip)]) == ("", [None])
        assert task(account, again(eip).task) == "FAILED"
        assert Hold.objects.get(pk=again(eip).subscription.hold_id).floating_minor == IDLE_MINOR
    assert list(reconcile()) == []


def test_an_address_that_cannot_be_bound_is_as_it_was(account: int, world: World) -> None:
    machine, eip = buy_running(account), new_address(account, by_bandwidth())
    world.lose_answer("ensure_address", times=6)
    associate(by(account), eip.public_id, machine.public_id)
    work()
    assert (latest(eip), again(eip).instance_id) == (("UNBIND", "AssociateAddress", "FAILED"), None)
    assert (of_machine(machine), seen(machine)) == (("RUNNING", "AssociateAddress", "SUCCESS"), "")
    assert purses(account)["held"] == 38 + IDLE_MINOR
    assert list(reconcile()) == []


def test_an_address_that_cannot_be_unbound_stays(account: int, world: World) -> None:
    machine = buy_running(account)
    eip = bound(account, machine)
    world.lose_answer("ensure_address", times=6)
    disassociate(by(account), eip.public_id)
    work()
    assert (latest(eip), again(eip).instance_id) == (("BIND", "DisassociateAddress", "FAILED"), machine.id)
    assert (of_machine(machine)[2], seen(machine)) == ("SUCCESS", eip.ip)
    assert list(reconcile()) == []


def test_another_bandwidth_is_charged_from_when_it_is_in_force(
    account: int, world: World, test_clock: BusinessClock
) -> None:
    machine = buy_running(account)
    eip, idle = bound(account, machine, by_bandwidth()), new_address(account)
    test_clock.advance(minutes=1)
    number = bandwidth.change(by(account), [eip.public_id, idle.public_id], 20)
    assert purses(account)["held"] == 38 + 407 + IDLE_MINOR  # 5 × 0.063 + 15 × 0.25 = 4.065
    assert (latest(eip)[2], latest(idle)[2], task(account, number)) == ("OPERATING", "SUCCESS", "RUNNING")
    changed = test_clock.advance(seconds=9)
    work()
    assert (world.cap_mbps(machine.public_id), task(account, number)) == (20, "SUCCESS")
    assert [again(one).bandwidth_mbps for one in (eip, idle)] == [20, 20]
    assert segments(eip)[-1] == ("bandwidth", 20, changed, None)
    bandwidth.change(by(account), [eip.public_id], 5)
    assert purses(account)["held"] == 38 + 407 + IDLE_MINOR
    work()
    assert purses(account)["held"] == 38 + 32 + IDLE_MINOR  # 0.315
    with refused(OutOfRange, field="bandwidth_mbps"):
        bandwidth.change(by(account), [idle.public_id], 101)
    with refused(OutOfRange, field="bandwidth_mbps"):
        bandwidth.change(by(account), [idle.public_id], 0)
    assert list(reconcile()) == []


def test_a_bandwidth_that_cannot_be_changed_is_as_before(account: int, world: World) -> None:
    machine = buy_running(account)
    eip = bound(account, machine, by_bandwidth())
    world.lose_answer("ensure_address", times=6)
    bandwidth.change(by(account), [eip.public_id], 20)
    work()
    assert (latest(eip), again(eip).bandwidth_mbps) == (("BIND", "ModifyAddressesBandwidth", "FAILED"), 10)
    assert (world.cap_mbps(machine.public_id), of_machine(machine)[2]) == (10, "SUCCESS")
    assert purses(account)["held"] == 38 + 157
    assert list(reconcile()) == []


def test_a_machine_that_is_erased_while_its_bandwidth_changes_leaves_it_at_the_new_one(
    account: int, test_clock: BusinessClock
) -> None:
    machine = buy_running(account)
    eip = bound(account, machine, by_bandwidth())
    bandwidth.change(by(account), [eip.public_id], 20)
    Operation.objects.filter(kind="address_bandwidth").update(due_at=test_clock.at + HOUR)
    for _ in range(2):
        of_machines.terminate(by(account), [machine.public_id])
        work()
    assert latest(eip) == ("UNBIND", "ModifyAddressesBandwidth", "OPERATING")
    Operation.objects.filter(kind="address_bandwidth").update(due_at=test_clock.at)
    work()
    assert (latest(eip), again(eip).bandwidth_mbps) == (("UNBIND", "ModifyAddressesBandwidth", "SUCCESS"), 20)
    assert [component for component, *_, end in segments(eip) if end is None] == ["idle"]
    assert list(reconcile()) == []


def test_what_is_given_back_costs_nothing_from_the_request_on(account: int, test_clock: BusinessClock) -> None:
    """1,800 s at 0.20 an hour are 0.10."""
    eip, hour = new_address(account, by_traffic(tags=(Tag("env", "prod"),))), test_clock.at
    thing = Thing(EIP, eip.public_id)
    assert reads.of_things(account, [thing]) == {thing: {"env": "prod"}}
    ended = test_clock.advance(minutes=30)
    number = release(by(account), [eip.public_id])
    assert (latest(eip), purses(account)["held"]) == (("OFFLINING", "ReleaseAddresses", "OPERATING"), 10)
    test_clock.advance(minutes=1)
    work()
    assert (latest(eip), again(eip).ip, task(account, number)) == (
        ("GONE", "ReleaseAddresses", "SUCCESS"), None, "SUCCESS",
    )  # fmt: skip
    free = PublicAddress.objects.get(ip=eip.ip)
    assert (free.instance_id, free.account_id, free.free_since) == (None, None, test_clock.at)
    assert segments(eip) == [("idle", 1, hour, ended)]
    assert reads.of_things(account, [thing]) == {thing: {}}
    with refused(errors.UnknownEip, field="addresses"):
        release(by(account), [eip.public_id])
    test_clock.set(hour + HOUR)
    work()
    assert (Charge.objects.get().exact_e8, purses(account)["held"]) == (10_000_000, 0)
    assert again(eip).subscription.standing == "ended"
    assert list(reconcile()) == []


def test_an_address_that_left_its_pool_goes_for_good(account: int) -> None:
    eip = new_address(account)
    PublicAddress.objects.filter(ip=eip.ip).update(withdrawn=True)
    release(by(account), [eip.public_id])
    work()
    assert not PublicAddress.objects.filter(ip=eip.ip).exists()


def test_a_name_is_changed_at_once(account: int) -> None:
    eip = new_address(account)
    rename.rename(by(account), eip.public_id, "前端-1_a")
    assert again(eip).name == "前端-1_a"
    for name in ("", "a b", "x" * 129, "a\n"):
        with refused(errors.BadAddressName, field="name"):
            rename.rename(by(account), eip.public_id, name)
    with refused(errors.UnknownEip, field="addresses"):
        rename.rename(by(account), "eip-nothing", "x")
