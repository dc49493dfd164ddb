"""Given a bandwidth package, when addresses come and go, then one speed is charged and held for all of them together.

A Mbps of a package is 0.08 an hour; an address by traffic is 0.80 a GiB at a machine, idle 0.20 an hour.
"""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.orders.addressing import (
    BANDWIDTH,
    GIB,
    IDLE_MINOR,
    TRAFFIC,
    again,
    bound,
    by_bandwidth,
    by_month,
    by_traffic,
    latest,
    new_address,
    of_machine,
    seen,
)
from tests.orders.addressing import segments as segments_of
from tests.orders.packaging import HOUR_MINOR, IN_PACKAGE, inside, new_package, now, of_mbps, segments, shared, within
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.quotas import one as quota
from tests.support.shopper import ZONE, buy_running, go_to, open_purse, owe, pay, purses, work
from tests.support.written import nothing_written, refused
from vmart.bills.models import Charge
from vmart.catalog import shop
from vmart.catalog.models import Zone
from vmart.config.reconcile import reconcile
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.kernel.errors import InvalidParameter, MissingParameter
from vmart.listings import quotas
from vmart.network.models import Eip, Package
from vmart.orders import errors, sample, start, stop
from vmart.orders.addresses import associate as binding
from vmart.orders.addresses import bandwidth as of_address
from vmart.orders.addresses.associate import associate
from vmart.orders.addresses.disassociate import disassociate
from vmart.orders.addresses.give_back import give_back
from vmart.orders.addresses.mode import change as charge_otherwise
from vmart.orders.packages import bandwidth, own
from vmart.orders.packages.create import create, price
from vmart.orders.packages.delete import delete
from vmart.orders.packages.members import enter, leave
from vmart.orders.packages.rename import rename
from vmart.pricing.address import AddressPart
from vmart.pricing.errors import ChargeTypeNotSold, OutOfRange, UnknownChargeType
from vmart.pricing.package import PackagePart
from vmart.provisioning import zones
from vmart.provisioning.zone_engines import engine_of
from vmart.subscriptions.models import Item, Subscription
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def checked(in_business: None) -> None:
    """Each zone's engine was asked what it can."""
    for zone in Zone.objects.filter(region_id="ap-guangzhou"):
        zones.check(zone.code)


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=100_000)


def _terms(eip: Eip) -> tuple[str, list[tuple[str, str, int]]]:
    """How it is charged, and its open terms."""
    items = Item.objects.filter(subscription_id=eip.id, to_at=None)
    return again(eip).internet_charge_type, list(items.values_list("component", "mode", "quantity"))


def test_a_package_is_held_for_and_charged_by_the_second(account: int, test_clock: BusinessClock) -> None:
    """3,000 s of 10 Mbps at 0.08 an hour: 0.66666667."""
    hour = test_clock.at
    test_clock.advance(minutes=10)
    package = new_package(account, of_mbps(name="front"))
    assert package.public_id.startswith("bwp-")
    assert (package.name, package.bandwidth_mbps, package.state, package.zone_id) == ("front", 10, "CREATED", ZONE)
    assert (purses(account)["held"], package.subscription.standing) == (HOUR_MINOR, "active")
    assert segments(package) == [("package", 10, test_clock.at, None)]
    test_clock.set(hour + HOUR)
    work()
    charge = Charge.objects.get()
    assert (charge.subscription_id, charge.component, charge.duration_s) == (package.id, "package", 3000)
    assert Decimal(charge.exact_e8).scaleb(-8) == Decimal("0.66666667")
    assert (purses(account)["cash"], purses(account)["held"]) == (100_000 - 67, HOUR_MINOR)
    assert [event.kind for event in Event.objects.filter(subject_kind="package")] == ["CreateBandwidthPackage"]
    assert list(reconcile()) == []
    delete(by(account), package.public_id)
    assert (now(package).state, now(package).subscription.standing) == ("GONE", "ended")
    assert (segments(package), purses(account)["held"]) == (
        [("package", 10, hour + dt.timedelta(minutes=10), test_clock.at)],
        0,
    )
    with refused(errors.UnknownPackage, field="packages", code="InvalidParameterValue.BandwidthPackageNotFound"):
        delete(by(account), package.public_id)
    assert list(reconcile()) == []


def test_what_one_costs(account: int) -> None:
    cost = price(account, "ap-guangzhou", PackagePart(25))
    assert (cost.hourly, cost.hold_minor) == (Decimal("2.00"), 200)
    assert price(account, "ap-shanghai", PackagePart(10)).hourly == Decimal("0.88")  # × 1.10
    with refused(errors.UnknownZone, field="region"):
        price(account, "eu-nowhere", PackagePart(10))


def test_a_repeated_token_gets_the_first_packages(account: int) -> None:
    first = create(by(account), of_mbps(count=2), client_token="t")
    assert (create(by(account), of_mbps(count=2), client_token="t"), len(first)) == (first, 2)
    assert (Package.objects.count(), purses(account)["held"]) == (2, 2 * HOUR_MINOR)
    with refused(errors.TokenReused, field="client_token"):
        create(by(account), of_mbps(), client_token="t")


@pytest.mark.parametrize(
    ("what", "error", "field", "code"),
    [
        ({"mbps": 0}, OutOfRange, "bandwidth_mbps", "InvalidParameterValue.BandwidthOutOfRange"),
        ({"mbps": -1}, OutOfRange, "bandwidth_mbps", "InvalidParameterValue.BandwidthOutOfRange"),
        ({"mbps": 101}, OutOfRange, "bandwidth_mbps", "InvalidParameterValue.BandwidthOutOfRange"),
        ({"charge_type": "TOP5_POSTPAID_BY_MONTH"}, ChargeTypeNotSold, "charge_type",
         "InvalidParameterValue.InvalidBandwidthPackageChargeType"),
        ({"charge_type": "FREE"}, UnknownChargeType, "charge_type",
         "InvalidParameterValue.InvalidBandwidthPackageChargeType"),
        ({"count": 0}, InvalidParameter, "count", "InvalidParameterValue.LimitExceeded"),
        ({"count": 21}, InvalidParameter, "count", "InvalidParameterValue.LimitExceeded"),
        ({"name": "a b"}, errors.BadPackageName, "name", "InvalidParameterValue"),
        ({"name": "n" * 61}, errors.BadPackageName, "name", "InvalidParameterValue"),
        ({"zone": "ap-guangzhou-99"}, errors.UnknownZone, "zone", errors.UnknownZone.code),
    ],
)  # fmt: skip
def test_what_cannot_be_bought_is_refused(
    account: int, what: dict[str, object], error: type[Exception], field: str, code: str
) -> None:
    with nothing_written(), refused(error, field=field, code=code):
        create(by(account), of_mbps(**{"mbps": 10} | what))  # type: ignore[arg-type]


def test_the_type_that_is_sold_is_named(account: int) -> None:
    with refused(ChargeTypeNotSold, match="ENHANCED95_POSTPAID_BY_MONTH is not sold here.*BANDWIDTH_POSTPAID_BY_DAY"):
        create(by(account), of_mbps(charge_type="ENHANCED95_POSTPAID_BY_MONTH"))


def test_no_money_a_full_quota_and_arrears_are_refused(account: int) -> None:
    poor = open_purse("poor", cash_minor=HOUR_MINOR - 1)
    with (
        nothing_written(),
        refused(
            errors.InsufficientBalance,
            code="FailedOperation.BalanceInsufficient",
            match=r"0\.80 are needed .*0\.79 are",
        ),
    ):
        create(by(poor), of_mbps())
    quota(account, packages_per_region=1)
    new_package(account)
    with refused(errors.QuotaReached, field="count", code="LimitExceeded.BandwidthPackageQuota", match="there are 1"):
        new_package(account)
    (bounds,) = [one for one in quotas.all_of(account) if one.name == "packages_per_region" and one.used]
    assert (bounds.zone, bounds.used, bounds.most) == ("ap-guangzhou", 1, 1)
    assert quotas.packages(account, "ap-guangzhou").used == 1
    owe(poor)
    with refused(errors.InArrears):
        create(by(poor), of_mbps())


def test_there_is_none_where_hosts_cannot_share_a_speed(account: int) -> None:
    for zone in Zone.objects.filter(region_id="ap-guangzhou"):
        zone.capabilities["shared_bandwidth"] = zone.code != ZONE
        zone.save(update_fields=["capabilities"])
    with nothing_written(), refused(errors.NoPackages, field="zone", code="UnsupportedOperation", match=ZONE):
        create(by(account), of_mbps())
    other = new_package(account, of_mbps(zone="")).zone_id
    assert (other != ZONE, other.startswith("ap-guangzhou")) == (True, True)
    Zone.objects.filter(region_id="ap-guangzhou").update(capabilities={})
    with nothing_written(), refused(errors.NoPackages, field="zone", match="in ap-guangzhou:"):
        create(by(account), of_mbps(zone=""))


def test_one_is_of_no_use_where_hosts_can_share_a_speed_no_more(account: int) -> None:
    """Its zone has another engine by now; out of it, and deleted, it can be."""
    package, machine = new_package(account), buy_running(account)
    eip, other = new_address(account, within(package)), new_address(account)
    Zone.objects.filter(code=ZONE).update(capabilities={"shared_bandwidth": False})
    for act in (
        lambda: associate(by(account), eip.public_id, machine.public_id),
        lambda: enter(by(account), package.public_id, [other.public_id]),
        lambda: bandwidth.change(by(account), package.public_id, 20),
        lambda: new_address(account, within(package)),
    ):
        with nothing_written(), refused(errors.NoPackages, field="packages", code="UnsupportedOperation", match=ZONE):
            act()
    leave(by(account), package.public_id, [eip.public_id])
    delete(by(account), package.public_id)
    associate(by(account), eip.public_id, machine.public_id)
    work()
    assert (_terms(eip), now(package).state) == ((TRAFFIC, [("traffic", "traffic", 5)]), "GONE")
    assert list(reconcile()) == []


def test_a_package_is_where_the_account_has_addresses(account: int) -> None:
    new_address(account)
    assert new_package(account, of_mbps(zone="")).zone_id == ZONE


def test_addresses_at_machines_share_the_speed_and_pay_nothing(
    account: int, world: World, test_clock: BusinessClock
) -> None:
    """10 Mbps an hour, whatever leaves; the hour before in the package is charged by traffic, the rest is not."""
    one, two, package, hour = buy_running(account), buy_running(account), new_package(account), test_clock.at
    first, second = bound(account, one), bound(account, two, by_bandwidth(5))
    world.send_bytes(one.public_id, 2 * GIB)
    before = purses(account)["held"]
    enter(by(account), package.public_id, [first.public_id, second.public_id])
    # The package has them at once; they are charged as before until the engine knows.
    assert set(own.members(package).values_list("public_id", flat=True)) == {first.public_id, second.public_id}
    assert (latest(first), of_machine(one)) == (
        ("BIND", "AddBandwidthPackageResources", "OPERATING"), ("RUNNING", "AddBandwidthPackageResources", "OPERATING")
    )  # fmt: skip
    assert _terms(first) == (TRAFFIC, [("traffic", "traffic", 5)])
    assert list(reconcile()) == []
    work()
    assert (latest(first)[2], of_machine(one)[2], latest(second)[2]) == ("SUCCESS", "SUCCESS", "SUCCESS")
    assert (_terms(first), _terms(second)) == ((IN_PACKAGE, []), (IN_PACKAGE, []))
    assert (again(first).charged_outside, again(second).charged_outside) == (TRAFFIC, BANDWIDTH)
    assert shared(world, one, two) == [(package.public_id, 10), (package.public_id, 10)]
    assert (world.cap_mbps(one.public_id), world.cap_mbps(two.public_id)) == (5, 5)
    assert before - purses(account)["held"] == 32  # the hour of 5 Mbps, 0.315
    assert list(reconcile()) == []
    world.send_bytes(one.public_id, 9 * GIB)
    sample.sample_zone(ZONE)
    test_clock.set(hour + HOUR)
    work()
    charged = {c.component: (c.duration_s, c.out_bytes, c.exact_e8) for c in Charge.objects.exclude(component="cpu")}
    assert charged["package"] == (3600, 0, 80_000_000)
    assert charged["traffic"] == (0, 2 * GIB, 160_000_000)
    assert charged.get("bandwidth", (0, 0, 0))[2] == 0
    assert list(reconcile()) == []


def test_an_idle_one_comes_in_at_once_and_pays_for_being_idle(account: int, world: World) -> None:
    machine, package = buy_running(account), new_package(account)
    eip = new_address(account)
    enter(by(account), package.public_id, [eip.public_id])
    assert (latest(eip), _terms(eip)) == (
        ("UNBIND", "AddBandwidthPackageResources", "SUCCESS"), (IN_PACKAGE, [("idle", "hour", 1)])
    )  # fmt: skip
    held = purses(account)["held"]
    associate(by(account), eip.public_id, machine.public_id)
    work()
    assert (_terms(eip), held - purses(account)["held"]) == ((IN_PACKAGE, []), IDLE_MINOR)
    assert shared(world, machine) == [(package.public_id, 10)]
    disassociate(by(account), eip.public_id)
    work()
    assert (_terms(eip), shared(world, machine)) == ((IN_PACKAGE, [("idle", "hour", 1)]), [None])
    assert [one[0] for one in segments_of(eip)] == ["idle", "idle"]
    assert list(reconcile()) == []


def test_one_is_bought_in_a_package_and_is_by_traffic_when_it_leaves(account: int, world: World) -> None:
    package, machine = new_package(account), buy_running(account)
    eip = new_address(account, within(package))
    assert (eip.zone_id, eip.package_id, _terms(eip)) == (ZONE, package.id, (IN_PACKAGE, [("idle", "hour", 1)]))
    associate(by(account), eip.public_id, machine.public_id)
    work()
    world.send_bytes(machine.public_id, 3 * GIB)
    leave(by(account), package.public_id, [eip.public_id])
    assert not own.members(package).exists()
    assert _terms(eip) == (IN_PACKAGE, [])
    assert list(reconcile()) == []
    work()
    assert (_terms(eip), again(eip).charged_outside) == ((TRAFFIC, [("traffic", "traffic", 5)]), "")
    assert shared(world, machine) == [None]
    world.send_bytes(machine.public_id, GIB)
    assert sample.sample_zone(ZONE) == GIB  # what left within the package is nobody's
    assert list(reconcile()) == []


def test_one_leaves_to_what_it_had_and_needs_the_money_for_it(account: int) -> None:
    poor = open_purse("poor", cash_minor=1_000)
    package, machine = new_package(poor, of_mbps(5)), buy_running(poor)
    eip = inside(package, machine, by_bandwidth(10))
    create(by(poor), of_mbps(purses(poor)["available"] // 16, count=2))
    with nothing_written(), refused(errors.InsufficientBalance, code="FailedOperation.BalanceInsufficient"):
        leave(by(poor), package.public_id, [eip.public_id])
    pay(poor, 10_000)
    held = purses(poor)["held"]
    leave(by(poor), package.public_id, [eip.public_id])
    assert purses(poor)["held"] - held == 157
    work()
    assert _terms(eip) == (BANDWIDTH, [("bandwidth", "hour", 10)])
    assert list(reconcile()) == []


def test_a_package_that_is_used_stays(account: int) -> None:
    package = new_package(account)
    eips = [new_address(account, within(package)) for _ in range(2)]
    with nothing_written(), refused(
        errors.PackageInUse, field="packages", code="InvalidParameterValue.BandwidthPackageInUse",
        match=f"2 addresses .*{eips[0].public_id} among them",
    ):  # fmt: skip
        delete(by(account), package.public_id)
    give_back(by(account), [eips[0].public_id])
    work()
    assert (latest(eips[0])[0], again(eips[0]).package_id) == ("GONE", None)
    leave(by(account), package.public_id, [eips[1].public_id])
    delete(by(account), package.public_id)
    assert now(package).state == "GONE"
    assert list(reconcile()) == []


def test_what_cannot_come_in_is_refused(account: int, monkeypatch: pytest.MonkeyPatch) -> None:
    package, other, here = new_package(account), new_package(account), by(account)
    stranger = open_purse("stranger", cash_minor=1_000)
    eip, monthly = new_address(account), new_address(account, by_month())

    def comes(
        error: type[Exception], code: str, *ids: str, into: str = package.public_id, field: str = "addresses"
    ) -> None:
        with nothing_written(), refused(error, field=field, code=code):
            enter(here, into, ids)

    comes(errors.UnknownEip, "InvalidAddressId.NotFound", "eip-00000000")
    comes(errors.UnknownPackage, "InvalidParameterValue.BandwidthPackageNotFound", eip.public_id,
          into=new_package(stranger).public_id, field="packages")  # fmt: skip
    comes(errors.EipCharged, "UnsupportedOperation.InvalidAddressInternetChargeType", eip.public_id, monthly.public_id)
    enter(here, other.public_id, [eip.public_id])
    comes(errors.InPackage, "UnsupportedOperation.InvalidAddressInternetChargeType", eip.public_id)
    elsewhere = Zone.objects.filter(region_id="ap-guangzhou", on_sale=True).exclude(code=ZONE)[0].code
    there = new_address(account, by_traffic(zone=elsewhere))
    comes(
        errors.PackageElsewhere,
        "UnsupportedOperation.BandwidthPackageIdNotSupported",
        there.public_id,
        field="packages",
    )
    monkeypatch.setattr(own, "MOST", 1)
    free = new_address(account)
    comes(errors.PackageFull, "LimitExceeded.BandwidthPackageResourceQuota", free.public_id,
          into=other.public_id, field="packages")  # fmt: skip
    with nothing_written(), refused(errors.NotInPackage, field="addresses"):
        leave(here, package.public_id, [eip.public_id])
    with nothing_written(), refused(errors.InPackage, field="addresses"):
        charge_otherwise(here, eip.public_id, AddressPart(BANDWIDTH, 5))
    with (
        nothing_written(),
        refused(ChargeTypeNotSold, field="internet_charge_type", match="AddBandwidthPackageResources"),
    ):
        charge_otherwise(here, free.public_id, AddressPart(IN_PACKAGE, 5))


def test_what_cannot_be_bought_in_one_is_refused(account: int) -> None:
    package = new_package(account)
    elsewhere = Zone.objects.filter(region_id="ap-guangzhou", on_sale=True).exclude(code=ZONE)[0].code
    for asked, error, field in (
        ({"part": AddressPart(IN_PACKAGE, 5)}, MissingParameter, "packages"),
        ({"package": package.public_id}, InvalidParameter, "packages"),
        ({"part": AddressPart(IN_PACKAGE, 5), "package": "bwp-00000000"}, errors.UnknownPackage, "packages"),
        ({"part": AddressPart(IN_PACKAGE, 5), "package": package.public_id, "zone": elsewhere}, errors.PackageElsewhere,
         "packages"),
        ({"part": AddressPart(IN_PACKAGE, 5), "package": package.public_id, "region": "ap-shanghai", "zone": ""},
         errors.PackageElsewhere, "packages"),
        ({"part": AddressPart(IN_PACKAGE, 101), "package": package.public_id}, OutOfRange, "bandwidth_mbps"),
    ):  # fmt: skip
        with nothing_written(), refused(error, field=field):
            new_address(account, replace(by_traffic(), **asked))  # type: ignore[arg-type]


def test_none_is_bought_in_one_where_nothing_is_sold_any_more(account: int) -> None:
    package = new_package(account)
    Zone.objects.filter(code=ZONE).update(on_sale=False)
    shop.refresh()
    with nothing_written(), refused(errors.UnknownZone, field="zone"):
        new_address(account, within(package))
    with nothing_written(), refused(errors.UnknownZone, field="zone"):
        new_package(account)


def test_a_package_is_faster_within_seconds_and_charged_from_then_on(
    account: int, world: World, test_clock: BusinessClock
) -> None:
    machine, package, begun = buy_running(account), new_package(account), test_clock.at
    inside(package, machine)
    test_clock.advance(minutes=10)
    held = purses(account)["held"]
    bandwidth.change(by(account), package.public_id, 20)
    assert (purses(account)["held"] - held, now(package).bandwidth_mbps) == (HOUR_MINOR, 10)
    with nothing_written(), refused(errors.PackageBusy, field="packages", code="OperationDenied.MutexTaskRunning"):
        bandwidth.change(by(account), package.public_id, 30)
    work()
    assert (now(package).bandwidth_mbps, now(package).latest_operation_state) == (20, "SUCCESS")
    assert (shared(world, machine), world.cap_mbps(machine.public_id)) == ([(package.public_id, 20)], 5)
    at = begun + dt.timedelta(minutes=10)
    assert segments(package) == [("package", 10, begun, at), ("package", 20, at, None)]
    bandwidth.change(by(account), package.public_id, 5)
    work()
    assert (shared(world, machine), purses(account)["held"]) == ([(package.public_id, 5)], held - HOUR_MINOR // 2)
    assert list(reconcile()) == []


def test_a_package_without_machines_is_faster_at_once(account: int) -> None:
    package = new_package(account)
    bandwidth.change(by(account), package.public_id, 20)
    assert (now(package).bandwidth_mbps, purses(account)["held"]) == (20, 2 * HOUR_MINOR)
    for mbps in (0, 101):
        with nothing_written(), refused(OutOfRange, field="bandwidth_mbps"):
            bandwidth.change(by(account), package.public_id, mbps)
    assert list(reconcile()) == []


@pytest.mark.parametrize("others", [False, True], ids=["alone", "beside another"])
def test_an_address_that_comes_to_a_machine_meanwhile_has_the_speed_of_the_row(
    account: int, world: World, monkeypatch: pytest.MonkeyPatch, *, others: bool
) -> None:
    """Its engine is told the speed of before, and last."""
    machine, package = buy_running(account), new_package(account)
    if others:
        inside(package, buy_running(account))
    eip, engine = new_address(account, within(package)), engine_of(ZONE)
    associate(by(account), eip.public_id, machine.public_id)

    class Slow:
        counters = engine.counters

        def ensure_address(self, *told: Any) -> None:
            bandwidth.change(by(account), package.public_id, 20)
            work()
            engine.ensure_address(*told)

    with monkeypatch.context() as patch:
        patch.setattr(binding, "engine_of", lambda _zone: Slow())
        work()
    Operation.objects.update(not_before=None)
    work()
    assert (again(eip).state, now(package).bandwidth_mbps) == ("BIND", 20)
    assert shared(world, machine) == [(package.public_id, 20)]


@pytest.mark.parametrize("goes", [False, True], ids=["out of the package", "off its machine"])
def test_an_address_that_goes_while_others_get_the_speed_is_not_brought_back(
    account: int, world: World, monkeypatch: pytest.MonkeyPatch, *, goes: bool
) -> None:
    """Who was in the package was read before; its own engine's call came first."""
    package, first, machine = new_package(account), buy_running(account), buy_running(account)
    inside(package, first)
    eip, engine = inside(package, machine), engine_of(ZONE)

    class Slow:
        def ensure_address(self, name: str, *told: Any) -> None:
            if name == first.public_id and goes:
                disassociate(by(account), eip.public_id)
            elif name == first.public_id:
                leave(by(account), package.public_id, [eip.public_id])
            work()
            engine.ensure_address(name, *told)

    bandwidth.change(by(account), package.public_id, 20)
    with monkeypatch.context() as patch:
        patch.setattr(bandwidth, "engine_of", lambda _zone: Slow())
        work()
    assert (latest(eip)[0], now(package).bandwidth_mbps) == ("UNBIND" if goes else "BIND", 20)
    assert shared(world, first, machine) == [(package.public_id, 20), None]
    assert seen(machine) == ("" if goes else again(eip).ip)


def test_an_address_that_left_before_a_worker_was_killed_is_not_brought_back(
    account: int, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given the killed one had told its machine of the share once more, then the next one has that taken back."""
    package, first, machine = new_package(account), buy_running(account), buy_running(account)
    inside(package, first)
    eip, engine = inside(package, machine), engine_of(ZONE)

    class Slow:
        def ensure_address(self, name: str, *told: Any) -> None:
            if name == first.public_id:
                leave(by(account), package.public_id, [eip.public_id])
                work()
            engine.ensure_address(name, *told)

    class Killed(BaseException):
        """Nothing after it is done."""

    def killed(*_told: object) -> None:
        raise Killed

    bandwidth.change(by(account), package.public_id, 20)
    with monkeypatch.context() as patch:
        patch.setattr(bandwidth, "engine_of", lambda _zone: Slow())
        patch.setattr(own, "tell_left", killed)
        with pytest.raises(Killed):
            work()
    assert shared(world, machine) == [(package.public_id, 20)]  # what is to be taken back
    Operation.objects.update(lease_owner=None, lease_until=None)
    work()
    assert now(package).bandwidth_mbps == 20
    assert shared(world, first, machine) == [(package.public_id, 20), None]


def test_a_lost_machine_keeps_no_other_from_the_speed(account: int, world: World) -> None:
    package, lost, machine = new_package(account), buy_running(account), buy_running(account)
    inside(package, lost)
    inside(package, machine)
    world.remove_machine(lost.public_id)
    bandwidth.change(by(account), package.public_id, 20)
    work()
    assert (now(package).bandwidth_mbps, now(package).latest_operation_state) == (20, "SUCCESS")
    assert shared(world, machine) == [(package.public_id, 20)]


def test_a_speed_that_does_not_come_costs_nothing(account: int, world: World) -> None:
    machine, package = buy_running(account), new_package(account)
    inside(package, machine)
    held = purses(account)["held"]
    world.fail("ensure_address", times=6, transient=False)
    bandwidth.change(by(account), package.public_id, 20)
    work()
    assert (now(package).bandwidth_mbps, now(package).latest_operation_state) == (10, "FAILED")
    assert (purses(account)["held"], segments(package)[-1][1]) == (held, 10)
    Operation.objects.filter(attention=False).update(due_at=dt.datetime(2000, 1, 1, tzinfo=dt.UTC))
    work()
    assert shared(world, machine) == [(package.public_id, 10)]


def test_a_machine_starts_again_with_its_share(account: int, world: World) -> None:
    machine, package = buy_running(account), new_package(account)
    inside(package, machine)
    stop.stop(by(account), [machine.public_id])
    work()
    start.start(by(account), [machine.public_id])
    work()
    assert shared(world, machine) == [(package.public_id, 10)]


def test_an_address_in_a_package_has_a_cap_of_its_own(account: int, world: World) -> None:
    machine, package = buy_running(account), new_package(account)
    eip = inside(package, machine)
    of_address.change(by(account), [eip.public_id], 8)
    work()
    assert (world.cap_mbps(machine.public_id), shared(world, machine)) == (8, [(package.public_id, 10)])
    assert (_terms(eip), again(eip).bandwidth_mbps) == ((IN_PACKAGE, []), 8)


def test_arrears_switch_it_off_and_a_top_up_brings_it_back(
    account: int, world: World, test_clock: BusinessClock
) -> None:
    machine, package = buy_running(account), new_package(account)
    eip = inside(package, machine)
    owe(account)
    work()
    off = now(package)
    assert (off.state, off.subscription.standing, off.subscription.isolated_source) == ("CREATED", "isolated", "ARREAR")
    assert (segments(package)[-1][3], shared(world, machine)) == (test_clock.at, [None])
    with nothing_written(), refused(errors.PackageInArrears, field="packages"):
        bandwidth.change(by(account), package.public_id, 20)
    assert list(reconcile()) == []
    pay(account, 100_000)
    work()
    start.start(by(account), [machine.public_id])
    work()
    assert (now(package).subscription.standing, segments(package)[-1][3]) == ("active", None)
    assert (_terms(eip), shared(world, machine)) == ((IN_PACKAGE, []), [(package.public_id, 10)])
    assert not Operation.objects.filter(kind="release_package").exists()
    assert list(reconcile()) == []


def test_arrears_that_last_end_it(account: int, test_clock: BusinessClock) -> None:
    machine, package = buy_running(account), new_package(account)
    eip = inside(package, machine)
    owe(account)
    work()
    release_at = now(package).subscription.release_at
    assert release_at is not None
    go_to(test_clock, release_at)
    assert (now(package).state, now(package).subscription.standing) == ("GONE", "ended")
    assert (latest(eip)[0], again(eip).package_id) == ("GONE", None)
    assert Subscription.objects.get(pk=package.pk).release_at == release_at
    assert list(reconcile()) == []


def test_an_address_that_its_engine_has_not_heard_of_is_charged_as_before_when_arrears_end_the_package(
    account: int, world: World, test_clock: BusinessClock
) -> None:
    machine, package = buy_running(account), new_package(account)
    eip = bound(account, machine, by_bandwidth(5))
    enter(by(account), package.public_id, [eip.public_id])
    world.fail("ensure_address", times=12)
    owe(account)
    for _ in range(14):
        work()
        Operation.objects.update(not_before=None)
    release_at = now(package).subscription.release_at
    assert (latest(eip)[2], release_at is not None) == ("OPERATING", True)
    test_clock.set(release_at)
    work()
    assert (now(package).state, again(eip).package_id) == ("GONE", None)
    Operation.objects.filter(kind="address_package").update(attention=False, not_before=None)
    work()
    assert again(eip).internet_charge_type == BANDWIDTH


def test_it_is_called_otherwise(account: int) -> None:
    package = new_package(account)
    rename(by(account), package.public_id, "back_2")
    assert (now(package).name, Event.objects.latest("id").detail) == ("back_2", {"old": "", "new": "back_2"})
    with nothing_written(), refused(errors.BadPackageName, field="name"):
        rename(by(account), package.public_id, "")
