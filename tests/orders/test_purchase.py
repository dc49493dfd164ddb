"""Given money and room, when something is bought, then one commit holds order, money, machines and work; or nothing."""

import base64
import datetime as dt
import threading
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.db.models import F

from tests.support import quotas
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import (
    HOURLY,
    HOURLY_HOLD_MINOR,
    IMAGE,
    LOGIN,
    MONTHLY,
    MONTHLY_MINOR,
    ZONE,
    buy_running,
    open_purse,
    purses,
    wanted,
    work,
)
from tests.support.written import contents, nothing_written, refused
from vmart.catalog import shop as catalog
from vmart.catalog.models import Offer, Zone
from vmart.customers.models import Account
from vmart.engines.simulated.world import World
from vmart.instances import errors as key_errors
from vmart.instances import key_pairs
from vmart.instances.models import Instance, KeyPair
from vmart.kernel import clock, db
from vmart.kernel.errors import InvalidParameter
from vmart.kernel.models import Deployment
from vmart.ledger.models import Hold, Transfer
from vmart.network.models import PrivateAddress, PublicAddress
from vmart.orders import errors, login, open_account, terminate
from vmart.orders import purchase as purchasing
from vmart.orders.models import Idempotency, Line, Order
from vmart.orders.purchase import purchase
from vmart.orders.ready import check
from vmart.orders.user_data import decode as decode_user_data
from vmart.orders.wanted import Bought, Machine, Purchase
from vmart.placement.models import Allocation, Host
from vmart.pricing import books
from vmart.pricing.book import parse_book
from vmart.pricing.configuration import Configuration, DiskChoice
from vmart.pricing.errors import OutOfRange, UnknownInstanceType
from vmart.pricing.models import Book
from vmart.pricing.quote import Quote
from vmart.provisioning import zones
from vmart.storage.models import Disk
from vmart.subscriptions.models import Item, Subscription
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("shop")

ONLINE = replace(HOURLY, internet_charge_type="BANDWIDTH_POSTPAID_BY_HOUR", bandwidth_mbps=6, public_ip=True)
ONLINE_HOLD_MINOR = 94  # 0.35 + 0.025 + 5 × 0.063 + 1 × 0.25 = 0.94


def test_a_prepaid_machine_is_bought_in_one_commit(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=20000)
    transfers = Transfer.objects.count()
    bought = purchase(wanted(account, replace(MONTHLY, data_disks=(DiskChoice("CLOUD_SSD", 20),)), request_id="r-1"))
    price = MONTHLY_MINOR + 2000
    order, line, machine = Order.objects.get(), Line.objects.get(), Instance.objects.get()
    assert bought == Bought(order.id, (machine.public_id,))
    assert (order.account_id, order.status, order.charge_type, order.count) == (account, 3, "PREPAID", 1)
    assert (order.total_minor, order.hold_minor, order.tax_minor, order.created_at) == (price, price, 0, test_clock.at)
    assert order.paid_at == test_clock.at
    assert (line.amount_minor, line.state, line.paid_cash_minor) == (price, "delivering", 0)
    assert (machine.state, machine.latest_operation, machine.latest_operation_state) == (
        "PENDING", "RunInstances", "OPERATING",
    )  # fmt: skip
    assert (machine.vcpu, machine.memory_mib, machine.subscription.expires_at) == (2, 4096, None)
    assert (machine.hostname, machine.public_ip) == (machine.public_id, None)
    assert machine.latest_operation_request_id == "r-1"
    hold = Hold.objects.get()
    assert (hold.id, hold.kind, hold.state, hold.cash_minor, hold.subject_id) == (
        line.hold_id, "fixed", "pending", price, machine.id,
    )  # fmt: skip
    assert purses(account) == {"cash": 20000, "gift": 0, "owed": 0, "held": price, "available": 20000 - price}
    assert Transfer.objects.count() == transfers  # nothing is spent before delivery
    assert list(Disk.objects.order_by("position").values_list("usage", "disk_type", "size_gib", "instance_id")) == [
        ("SYSTEM_DISK", "CLOUD_PREMIUM", 50, machine.id), ("DATA_DISK", "CLOUD_SSD", 20, machine.id),
    ]  # fmt: skip
    assert list(Allocation.objects.values_list("instance_id", "account_id", "vcpu", "memory_mib", "disk_gib")) == [
        (machine.id, account, 2, 4096, 70)
    ]
    assert [(o.kind, o.subject_id, o.lane, o.due_at) for o in Operation.objects.all()] == [
        ("deliver", machine.id, ZONE, test_clock.at)
    ]


def test_a_postpaid_machine_holds_one_hour_of_what_is_charged_by_the_hour() -> None:
    account = open_purse(cash_minor=ONLINE_HOLD_MINOR)
    purchase(wanted(account, ONLINE))
    machine, hold = Instance.objects.get(), Hold.objects.get()
    assert (hold.kind, hold.floating_minor, hold.id) == ("floating", ONLINE_HOLD_MINOR, machine.subscription.hold_id)
    assert purses(account)["available"] == 0
    assert Order.objects.get().total_minor == 0
    items = Item.objects.order_by("subscription__bundle_id", "subscription_id", "component")
    assert list(items.values_list("subscription__kind", "component", "mode", "quantity", "pausable")) == [
        ("machine", "bandwidth", "hour", 6, False), ("machine", "cpu", "hour", 1, True),
        ("disk", "disk", "hour", 50, False),
    ]  # fmt: skip
    assert PublicAddress.objects.get(instance_id=machine.id).ip == machine.public_ip
    assert machine.bandwidth_mbps == 6


def test_gift_money_is_set_aside_before_cash() -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    open_account.grant(account, 5000, "welcome")
    purchase(wanted(account))
    hold = Hold.objects.get()
    assert (hold.gift_minor, hold.cash_minor) == (5000, MONTHLY_MINOR - 5000)


def test_several_machines_are_numbered_and_each_has_its_own_line_hold_and_addresses() -> None:
    account = open_purse(cash_minor=3 * ONLINE_HOLD_MINOR)
    bought = purchase(
        wanted(account, replace(ONLINE, count=3), machine=Machine(IMAGE, LOGIN, "web-", "node-{IP}-{R:5}"))
    )
    machines = list(Instance.objects.order_by("id"))
    assert tuple(machine.public_id for machine in machines) == bought.instance_ids
    assert [(m.name, m.hostname) for m in machines] == [
        (f"web-{n}", f"node-{m.private_ip}-{n + 4}") for n, m in enumerate(machines, 1)
    ]
    assert len({m.private_ip for m in machines}) == len({m.public_ip for m in machines}) == 3
    assert len({m.mac for m in machines}) == 3
    assert list(Line.objects.order_by("number").values_list("number", "subscription_id")) == [
        (number, machine.id) for number, machine in enumerate(machines, 1)
    ]
    assert sorted(Hold.objects.values_list("id", flat=True)) == sorted(m.subscription.hold_id for m in machines)
    assert purses(account)["available"] == 0


def _room_for(machines: int, configuration: Configuration = HOURLY) -> None:
    """Leave room for so many machines in the configuration's zone."""
    hosts = list(Host.objects.filter(zone_id=configuration.zone).order_by("id"))
    Host.objects.filter(id__in=[host.id for host in hosts[1:]]).update(enabled=False)
    Host.objects.filter(id=hosts[0].id).update(vcpu_capacity=2 * machines)


def test_all_or_nothing_without_a_min_count() -> None:
    account = open_purse(cash_minor=10000)
    _room_for(2)
    with refused(errors.SoldOut, match="there is room for 2", field="instance_type"):
        purchase(wanted(account, replace(HOURLY, count=3)))


def test_with_a_min_count_it_is_as_many_as_have_room() -> None:
    account = open_purse(cash_minor=10000)
    _room_for(2)
    bought = purchase(wanted(account, replace(HOURLY, count=3), min_count=1, client_token="t"))
    order = Order.objects.get()
    assert len(bought.instance_ids) == order.count == Instance.objects.count() == 2
    assert purses(account)["held"] == order.hold_minor == 2 * HOURLY_HOLD_MINOR
    assert Idempotency.objects.get().answer["instance_ids"] == list(bought.instance_ids)
    assert purchase(wanted(account, replace(HOURLY, count=3), min_count=1, client_token="t")) == replace(
        bought, repeated=True
    )


def test_fewer_than_the_min_count_is_nothing() -> None:
    account = open_purse(cash_minor=10000)
    _room_for(2)
    with refused(errors.SoldOut):
        purchase(wanted(account, replace(HOURLY, count=5), min_count=3))


def test_machines_spread_over_hosts_when_one_has_no_room_for_all() -> None:
    account = open_purse(cash_minor=10000)
    Host.objects.filter(zone_id=ZONE).update(vcpu_capacity=4)
    purchase(wanted(account, replace(HOURLY, count=7)))
    used = sorted(Host.objects.filter(zone_id=ZONE).values_list("vcpu_used", flat=True))
    assert used == [2, 4, 4, 4]


def test_a_repeated_token_gets_the_first_answer_and_writes_nothing() -> None:
    account = open_purse(cash_minor=20000)
    first = purchase(wanted(account, client_token="t-1"))
    with nothing_written():
        again = purchase(wanted(account, client_token="t-1"))
    assert again == replace(first, repeated=True)


def test_a_token_with_another_password_is_another_request() -> None:
    """Given a program that made a new password for its repeat, then it is not told that the first machine has it."""
    account = open_purse(cash_minor=20000)
    first, second = (
        wanted(account, client_token="t", machine=Machine(IMAGE, login.LoginWanted(password)))
        for password in ("Tr1cky-enough", "Tr1cky-enough2")
    )
    bought = purchase(first)
    with refused(errors.TokenReused, field="client_token"):
        purchase(second)
    with nothing_written():
        assert purchase(first) == replace(bought, repeated=True)
    kept = db.rows("SELECT string_agg(t::text, '') AS text FROM orders_idempotency t")[0]["text"]
    assert "Tr1cky" not in kept


@pytest.mark.parametrize(
    "change", [{"configuration": HOURLY}, {"machine": Machine(IMAGE, LOGIN, name="other")}, {"min_count": 1}]
)
def test_a_token_used_for_another_request_is_refused(change: dict[str, object]) -> None:
    account = open_purse(cash_minor=100_000)
    purchase(wanted(account, client_token="t"))
    with refused(errors.TokenReused, field="client_token"):
        purchase(replace(wanted(account, client_token="t"), **change))


def test_a_token_is_the_accounts_own() -> None:
    one, two = open_purse("one", cash_minor=20000), open_purse("two", cash_minor=20000)
    assert purchase(wanted(one, client_token="t")).order_id != purchase(wanted(two, client_token="t")).order_id


def test_a_refused_request_leaves_its_token_free() -> None:
    account = open_purse()
    with refused(errors.InsufficientBalance):
        purchase(wanted(account, client_token="t"))
    with db.act():
        db.call("ledger_credit", "00000000-0000-8000-8000-000000000001", "opening", account, MONTHLY_MINOR, 0, "card",
                "2026-03-10T02:00:00Z", None)  # fmt: skip
    assert not purchase(wanted(account, client_token="t")).repeated


def test_the_same_token_from_many_sides_at_once_is_one_order(shop: object) -> None:
    account = open_purse(cash_minor=10 * MONTHLY_MINOR)
    answers: list[Bought] = []
    ready = threading.Barrier(5)

    def buy() -> None:
        ready.wait()
        answers.append(purchase(wanted(account, client_token="once")))
        connection.close()

    threads = [threading.Thread(target=buy) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 5
    assert len({answer.order_id for answer in answers}) == len({answer.instance_ids for answer in answers}) == 1
    assert sorted(answer.repeated for answer in answers) == [False, True, True, True, True]
    assert purses(account)["held"] == MONTHLY_MINOR
    assert Order.objects.count() == Instance.objects.count() == 1


def test_one_cent_too_little_is_refused_and_says_how_much() -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR - 1)
    with refused(errors.InsufficientBalance, match=r"¥132\.50 are needed and ¥132\.49 are available"):
        purchase(wanted(account))


def test_money_that_is_set_aside_cannot_be_spent_again() -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR + HOURLY_HOLD_MINOR)
    purchase(wanted(account, HOURLY))
    purchase(wanted(account, MONTHLY))
    assert purses(account)["available"] == 0
    with refused(errors.InsufficientBalance):
        purchase(wanted(account, HOURLY))


def test_who_is_in_arrears_may_not_buy() -> None:
    account = open_purse(cash_minor=100)
    with db.act():
        db.rows("SELECT * FROM fn.ledger_deduct('hour', '2026-03-10T01', ARRAY[%s::bigint], ARRAY[101::bigint],"
                " 'revenue', '2026-03-10T02:00:00Z')", account)  # fmt: skip
    assert purses(account)["owed"] == 1
    with refused(errors.InArrears, match="in arrears"):
        purchase(wanted(account, HOURLY))


def test_a_frozen_account_may_not_buy() -> None:
    account = open_purse(cash_minor=20000)
    Account.objects.update(frozen_reason="a chargeback")
    with refused(errors.AccountFrozen, match="a chargeback"):
        purchase(wanted(account))


@pytest.mark.parametrize("configuration", [HOURLY, MONTHLY], ids=["postpaid", "prepaid"])
def test_a_quota_is_kept_to_the_machine(configuration: Configuration) -> None:
    account = open_purse(cash_minor=100_000)
    quotas.everyone(postpaid_per_zone=2, prepaid_per_month=2)
    purchase(wanted(account, configuration))
    with refused(errors.QuotaReached, match="is 2; 1 ", field="count"):
        purchase(wanted(account, replace(configuration, count=2)))
    purchase(wanted(account, configuration))
    elsewhere = replace(configuration, zone="ap-guangzhou-6")
    purchase(wanted(account, elsewhere))  # a quota is a zone's


def test_a_full_quota_names_what_is_in_the_bin_and_erasing_that_makes_room(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=100_000)
    quotas.everyone(postpaid_per_zone=2)
    machine = buy_running(account)
    purchase(wanted(account, HOURLY))
    work()
    with refused(errors.QuotaReached, match="2; 2 are there.$"):
        purchase(wanted(account, HOURLY))
    terminate.terminate(by(account), [machine.public_id])
    work()
    said = "2 are there, 1 of them in the recycle bin, the first until 2026-03-10 12:00:00. Erase one to make room."
    with refused(errors.QuotaReached, match=said, field="count"):
        purchase(wanted(account, HOURLY))
    terminate.terminate(by(account), [machine.public_id])
    work()
    purchase(wanted(account, HOURLY))


def test_a_returned_prepaid_machine_leaves_its_quota(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=3 * MONTHLY_MINOR)
    quotas.everyone(prepaid_per_month=1)
    machine = buy_running(account, MONTHLY)
    said = "1 were bought and not returned. It begins anew at 2026-04-01 00:00:00.$"
    with refused(errors.QuotaReached, match=said, field="count", code="LimitExceeded.PrepayQuota"):
        purchase(wanted(account))
    terminate.terminate(by(account), [machine.public_id])
    purchase(wanted(account))
    with refused(errors.QuotaReached):
        purchase(wanted(account))


def test_without_a_free_address_the_ones_in_the_bin_are_named() -> None:
    account = open_purse(cash_minor=100_000)
    machine = buy_running(account, ONLINE)
    PublicAddress.objects.filter(instance_id=None).delete()
    with refused(errors.NoAddress, match="No public address is free in ap-guangzhou-4.$"):
        purchase(wanted(account, ONLINE))
    terminate.terminate(by(account), [machine.public_id])
    work()
    said = "1 of your machines keep one in the recycle bin, the first until 2026-03-10 12:00:00; erase one to free it."
    with refused(errors.NoAddress, match=said, field="public_ip"):
        purchase(wanted(account, ONLINE))
    terminate.terminate(by(account), [machine.public_id])
    work()
    purchase(wanted(account, ONLINE))


def test_quote_and_generation_are_of_one_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a catalog read anew between quote and statement, then the stale quote is not sold: it is asked again."""
    account = open_purse(cash_minor=100_000)
    taken: list[int] = []
    real = purchasing.ready

    def changed_meanwhile(request: Purchase, here: catalog.Shop) -> tuple[Purchase, Quote]:
        made = real(request, here)
        taken.append(here.generation)
        if len(taken) == 1:
            Deployment.objects.update(generation=F("generation") + 1)
            catalog.refresh()
        return made

    monkeypatch.setattr(purchasing, "ready", changed_meanwhile)
    purchase(wanted(account))
    assert taken == [taken[0], taken[0] + 1, taken[0] + 1]  # the last one makes the first network of the zone
    assert Order.objects.count() == 1


def _dearer() -> None:
    """The seller publishes a price, and a request beside this one notices: the process's catalog is read again."""
    dear = Book.objects.get(ends_at=None).document
    dear["version"], dear["effective_at"] = dear["version"] + 1, clock.now().isoformat()
    dear["instance_types"]["S5.MEDIUM4"]["month"] = "230"
    with db.act():
        assert books.publish(parse_book(dear), clock.now())
        Deployment.objects.update(generation=F("generation") + 1)
    catalog.refresh()


def test_a_price_that_changes_while_the_login_is_made_is_the_price_that_is_charged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR + 11500)
    make, begun = login.make, []

    def make_meanwhile(*given: Any) -> login.Login:
        if not begun:
            begun.append(1)
            _dearer()
        return make(*given)

    monkeypatch.setattr(login, "make", make_meanwhile)
    purchase(wanted(account, machine=Machine(IMAGE, login.LoginWanted("Abcd1234!"))))
    assert Order.objects.values_list("total_minor", "book_version").get() == (MONTHLY_MINOR + 11500, 2)
    assert purses(account)["available"] == 0


def test_control_with_a_second_reading_of_the_catalog_the_old_price_passes() -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    here = catalog.snapshot()
    made, quoted = purchasing.ready(wanted(account), here)
    _dearer()
    with nothing_written(), pytest.raises(purchasing._StaleCatalog):
        purchasing._write(made, quoted, here, "00", first_in_zone=True)
    purchasing._write(made, quoted, catalog.snapshot(), "00", first_in_zone=True)
    assert Order.objects.get().total_minor == MONTHLY_MINOR


def test_the_prepaid_quota_begins_anew_with_the_month_of_the_billing_zone(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=100_000)
    quotas.everyone(prepaid_per_month=1)
    test_clock.set(dt.datetime(2026, 3, 31, 15, 59, 59, tzinfo=dt.UTC))  # 23:59:59 in Shanghai
    purchase(wanted(account))
    with refused(errors.QuotaReached, code="LimitExceeded.PrepayQuota"):
        purchase(wanted(account))
    test_clock.advance(seconds=1)
    purchase(wanted(account))


def test_a_prepaid_machine_that_is_gone_still_counts_as_bought_in_its_month() -> None:
    account = open_purse(cash_minor=100_000)
    quotas.everyone(prepaid_per_month=1)
    machine = buy_running(account, MONTHLY)
    Instance.objects.filter(pk=machine.pk).update(state="GONE", gone_at=clock.now())
    Subscription.objects.filter(pk=machine.pk).update(standing="ended", isolated_source="EXPIRE")
    with refused(errors.QuotaReached, match="is 1; 1 ", code="LimitExceeded.PrepayQuota"):
        purchase(wanted(account, MONTHLY))


def test_a_prepaid_machine_that_was_never_delivered_does_not_count_when_it_is_taken_off_the_list(world: World) -> None:
    account = open_purse(cash_minor=100_000)
    quotas.everyone(prepaid_per_month=1)
    zones.prepare_images(ZONE)
    (name,) = purchase(wanted(account, MONTHLY)).instance_ids
    with refused(errors.QuotaReached, match="is 1; 1 "):  # while it may still come
        purchase(wanted(account, MONTHLY))
    world.fail("ensure_present", transient=False)
    work()
    terminate.terminate(by(account), [name])
    work()
    assert Instance.objects.get().state == "GONE"
    purchase(wanted(account, MONTHLY))


def test_without_a_free_public_address_nothing_is_bought() -> None:
    account = open_purse(cash_minor=1000)
    free = list(PublicAddress.objects.filter(zone_id=ZONE).order_by("ip").values_list("ip", flat=True))
    PublicAddress.objects.filter(zone_id=ZONE).exclude(ip=free[0]).delete()
    with refused(errors.NoAddress, match="No public address is free in ap-guangzhou-4"):
        purchase(wanted(account, replace(ONLINE, count=2)))
    purchase(wanted(account, ONLINE))
    with refused(errors.NoAddress):
        purchase(wanted(account, ONLINE))
    purchase(wanted(account, HOURLY))  # without an address there is still room


def test_a_full_private_network_is_refused_and_its_gaps_are_used() -> None:
    account = open_purse(cash_minor=10_000)
    first = purchase(wanted(account, HOURLY))
    db.rows("UPDATE network_subnet SET next_host = 4095 RETURNING id")
    subnet, taken = db.rows("SELECT id, host(cidr) AS cidr FROM network_subnet")[0], PrivateAddress.objects.get()
    db.rows(
        "INSERT INTO network_private_address (subnet_id, ip, instance_id)"
        " SELECT %s, %s::inet + n, -n FROM generate_series(10, 4094) AS n WHERE %s::inet + n <> %s::inet RETURNING ip",
        subnet["id"], subnet["cidr"], subnet["cidr"], taken.ip,
    )  # fmt: skip
    with refused(errors.NoAddress, match="private network in ap-guangzhou-4 is full.$", field="zone"):
        purchase(wanted(account, HOURLY))
    released_at = dt.datetime(2026, 3, 10, 4, tzinfo=dt.UTC)
    Instance.objects.filter(public_id=first.instance_ids[0]).update(state="SHUTDOWN")
    Subscription.objects.filter(public_id=first.instance_ids[0]).update(standing="isolated", release_at=released_at)
    said = "1 of your machines keep an address in the recycle bin, the first until 2026-03-10 12:00:00; erase one to"
    with refused(errors.NoAddress, match=said, field="zone"):
        purchase(wanted(account, HOURLY))
    PrivateAddress.objects.filter(instance_id=-100).delete()
    second = purchase(wanted(account, HOURLY))
    ips = dict(Instance.objects.values_list("public_id", "private_ip"))
    assert ips[second.instance_ids[0]].rsplit(".", 1)[1] == "100"
    assert ips[first.instance_ids[0]] == taken.ip


@pytest.mark.parametrize(
    ("change", "error", "field"),
    [
        ({"zone": "ap-nowhere-1"}, errors.UnknownZone, "zone"),
        ({"zone": ""}, errors.UnknownZone, "zone"),
        ({"region": "ap-shanghai"}, errors.UnknownZone, "zone"),
        ({"instance_type": "S9.NONE"}, UnknownInstanceType, "instance_type"),
        ({"instance_type": "C3.2XLARGE16"}, errors.SoldOut, "instance_type"),
        ({"instance_type": "S1.SMALL1", "zone": "ap-guangzhou-6"}, errors.NotSoldHere, "instance_type"),
        ({"count": 101}, OutOfRange, "count"),
        ({"count": 0}, OutOfRange, "count"),
        ({"system_disk": DiskChoice("CLOUD_PREMIUM", 19)}, OutOfRange, "system_disk.size_gib"),
        ({"bandwidth_mbps": 201}, OutOfRange, "bandwidth_mbps"),
    ],
)  # fmt: skip
def test_what_is_not_on_sale_is_refused_by_its_field(change: dict[str, object], error: type, field: str) -> None:
    account = open_purse(cash_minor=100_000)
    with refused(error, field=field):
        purchase(wanted(account, replace(MONTHLY, **change)))


@pytest.mark.parametrize(
    ("machine", "error", "field"),
    [
        (Machine("img-none", LOGIN), errors.UnknownImage, "image_id"),
        (Machine("img-ws22p8c3", LOGIN), errors.ImageNotSold, "image_id"),
        (Machine(IMAGE, LOGIN, name="n" * 129), errors.NameTooLong, "name"),
        (Machine(IMAGE, LOGIN, hostname="-a"), errors.BadHostName, "hostname"),
        (Machine(IMAGE, LOGIN, hostname="a"), errors.BadHostName, "hostname"),
        (Machine(IMAGE, LOGIN, user_data=b"x" * 16385), errors.UserDataTooLarge, "user_data"),
    ],
)
def test_a_machine_that_cannot_be_made_is_refused_by_its_field(machine: Machine, error: type, field: str) -> None:
    account = open_purse(cash_minor=100_000)
    with refused(error, field=field):
        purchase(wanted(account, machine=machine))


def test_more_at_least_than_at_most_is_refused() -> None:
    account = open_purse(cash_minor=100_000)
    with refused(InvalidParameter, field="min_count"):
        purchase(wanted(account, min_count=2))


def test_user_data_that_is_not_base64_is_refused() -> None:
    with refused(errors.UserDataTooLarge, code="InvalidParameterValue.InvalidUserDataFormat", field="user_data"):
        decode_user_data("not base64!")
    assert decode_user_data("IyEvYmluL3NoCg==") == b"#!/bin/sh\n"


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_user_data_as_programs_wrap_it_is_taken(line_end: str) -> None:
    script = b"#!/bin/sh\n" + b"echo a line that is long enough\n" * 9
    wrapped = base64.encodebytes(script).decode().replace("\n", line_end)
    assert wrapped.count(line_end) == 6
    assert decode_user_data(wrapped) == script
    with refused(errors.UserDataTooLarge, field="user_data"):
        decode_user_data(wrapped.replace(line_end, " "))


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("", "8 to 30 characters; this one has 0"),
        ("Ab1!xyz", "8 to 30 characters; this one has 7"),
        ("A" * 29 + "b1", "8 to 30 characters; this one has 31"),
        ("Abc 12345", "another character, or a space"),
        ("Pässword1!", "another character, or a space"),
        ("alllowercase", "at least 2 of these: lower case letters, upper case letters, digits, signs"),
        ("12345678", "at least 2 of these"),
    ],
)
def test_a_weak_password_is_refused_by_the_part_that_fails(password: str, said: str) -> None:
    with refused(errors.WeakPassword, field="login.password", match=said):
        login.check_password(password)


@pytest.mark.parametrize("password", ["lower1234", "/Abcd1234", "Root12345!", "ABCDEFG1", "a" * 29 + "!"])
def test_two_classes_are_enough_at_the_purchase(password: str) -> None:
    login.check_password(password)


def test_three_classes_where_three_are_asked_for() -> None:
    login.check_password("Lower1234", 3)
    with refused(errors.WeakPassword, match="at least 3 of these"):
        login.check_password("lower1234", 3)


def test_a_strong_password_exists_as_its_hash_only() -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    access = login.make(account, login.LoginWanted("Tr1cky-enough"))
    purchase(wanted(account, machine=Machine(IMAGE, access)))
    assert Instance.objects.get().password_hash.startswith("$6$")
    found = db.rows("SELECT string_agg(t::text, '') AS text FROM instances_instance t")[0]["text"]
    assert "Tr1cky-enough" not in found + str(list(Order.objects.values_list("quote", "request")))


def test_a_key_pair_of_somebody_else_is_unknown() -> None:
    mine, theirs = open_purse("mine"), open_purse("theirs")
    pair, _pem = key_pairs.create(by(theirs), "k")
    with refused(key_errors.UnknownKeyPair, field="login.key_ids"):
        login.make(mine, login.LoginWanted(key_ids=(pair.public_id,)))
    assert login.make(theirs, login.LoginWanted(key_ids=(pair.public_id,))).ssh_keys == (pair.public_key,)


def test_a_check_writes_nothing() -> None:
    account = open_purse()
    with nothing_written():
        assert check(wanted(account), catalog.snapshot()).machine_minor == MONTHLY_MINOR


def test_a_catalog_that_changed_meanwhile_is_read_again_before_it_sells() -> None:
    account = open_purse(cash_minor=100_000)
    catalog.current()
    Offer.objects.filter(zone_id=ZONE, instance_type_id=MONTHLY.instance_type).update(sold_out=True)
    Deployment.objects.update(generation=Deployment.objects.get().generation + 1)
    with refused(errors.SoldOut):  # this process's catalog still has it
        purchase(wanted(account))
    Zone.objects.filter(code=ZONE).update(on_sale=False)
    Deployment.objects.update(generation=Deployment.objects.get().generation + 1)
    with refused(errors.UnknownZone):
        purchase(wanted(account, replace(MONTHLY, instance_type="S5.SMALL1")))


def test_the_proof_that_nothing_was_written_sees_one_changed_value() -> None:
    """Given the control of these tests, when one cell changes, then it is seen."""
    open_purse("one")
    before = contents()
    Account.objects.update(frozen_reason="x")
    after = contents()
    assert {table for table in before if before[table] != after[table]} == {"customers_account"}
    with pytest.raises(AssertionError, match="customers_account"), nothing_written():
        Account.objects.update(frozen_reason="")


def _sell_out(instance_type: str) -> None:
    Offer.objects.filter(instance_type_id=instance_type).update(sold_out=True)
    Deployment.objects.update(generation=F("generation") + 1)
    catalog.refresh()


def test_a_repeated_token_is_answered_also_when_the_request_would_be_refused_by_now() -> None:
    """Given the first answer was lost on its way and the type is sold out since, its key pair deleted."""
    account = open_purse(cash_minor=1000)
    pair = key_pairs.create(by(account), "laptop")[0]
    request = wanted(
        account, HOURLY, client_token="t", machine=Machine(IMAGE, login.LoginWanted(key_ids=(pair.public_id,)))
    )
    first = purchase(request)
    KeyPair.objects.all().delete()
    _sell_out(HOURLY.instance_type)
    with nothing_written():
        assert purchase(request) == replace(first, repeated=True)
        with pytest.raises(errors.TokenReused):
            purchase(replace(request, configuration=replace(HOURLY, count=2)))
    with refused(errors.SoldOut):
        purchase(replace(request, client_token="another"))


@pytest.mark.parametrize(("length", "count"), [(59, 10), (58, 100), (60, 2)])
def test_a_host_name_leaves_room_for_the_number_behind_it(length: int, count: int) -> None:
    account = open_purse(cash_minor=100_000)
    quotas.everyone(postpaid_per_zone=100)
    machine = Machine(IMAGE, LOGIN, hostname="n" * length)
    most = 60 - len(str(count))
    with refused(errors.BadHostName, match="has 2 to 60 characters", field="hostname"):
        purchase(wanted(account, replace(HOURLY, count=count), machine=machine))
    purchase(wanted(account, replace(HOURLY, count=count), machine=replace(machine, hostname="n" * most)))
    assert max(len(name) for name in Instance.objects.values_list("hostname", flat=True)) == 60


@pytest.mark.parametrize("name", ["a\x00b", "a\nb", "a\u2028b"])
def test_a_name_has_no_control_characters(name: str) -> None:
    account = open_purse(cash_minor=1000)
    with refused(InvalidParameter, match="no line breaks", field="name"):
        purchase(wanted(account, HOURLY, machine=Machine(IMAGE, LOGIN, name=name)))
