"""Given a cause, when the seller looks, then there is one line of it; and none when the cause is gone."""

import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from django.db import connection

from tests.support.actors import SELLER, by
from tests.support.business_clock import BusinessClock
from tests.support.plans import read_whole
from tests.support.shopper import HOURLY, ZONE, buy_running, open_purse, wanted, work
from vmart.catalog.models import Zone, ZoneImage
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.listings import attention
from vmart.listings.attention import CAUSES, ERROR, Summary
from vmart.listings.paging import PAGE
from vmart.metering.models import Horizon
from vmart.network.models import PublicAddress
from vmart.orders import sweep
from vmart.orders.models import EngineDrift
from vmart.orders.purchase import purchase
from vmart.orders.snapshots.create import NewSnapshot
from vmart.orders.snapshots.create import create as create_snapshot
from vmart.pages import event_words
from vmart.payments import refunded, to_card, top_up, unexplained
from vmart.payments.models import Unexplained
from vmart.payments.providers.sandbox import TAKES_NOTHING_BACK
from vmart.placement.models import Allocation, Host
from vmart.provisioning import zones
from vmart.settlement import close
from vmart.settlement.models import Hour, Stuck
from vmart.storage.models import Disk
from vmart.worker import queue
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")
OTHER_ZONE = "ap-guangzhou-6"
Line = tuple[str, str, str, int, dt.datetime | None, str]  # tag, subject kind, subject, number, since, text


def lines() -> list[Line]:
    return [
        (row.cause.tag, row.subject_kind, row.subject, row.number, row.since, row.text) for row in attention.page().rows
    ]


@dataclass(frozen=True)
class Hands:
    """What a maker of a cause works with."""

    world: World
    clock: BusinessClock


def given_up(subject: int = 7, *, kind: str = "release", lane: str = ZONE, subject_kind: str = "machine") -> Operation:
    return Operation.objects.create(
        kind=kind, subject_kind=subject_kind, subject_id=subject, lane=lane, due_at=clock.now(), attempt=12,
        attention=True, last_error="RuntimeError: stuck", created_at=clock.wall(),
    )  # fmt: skip


# A maker makes its cause, yields the line, and takes the cause away by what ends it in a shop.
def zone_unreachable(hands: Hands) -> Iterator[Line]:
    buy_running(open_purse(cash_minor=1000))
    seen = Zone.objects.get(code=ZONE).engine_seen_at
    hands.world.stop_engine()
    assert not zones.check(ZONE)
    yield (
        "zone_unreachable", "zone", ZONE, 1, seen,
        "The compute engine does not answer. Machines in the zone: 1. Operations given up there: 0. Have its engine"
        " answer again (“vmart doctor”). What was given up there is listed then, to be retried.",
    )  # fmt: skip
    hands.world.start_engine()
    assert zones.check(ZONE)


def host_offline(hands: Hands) -> Iterator[Line]:
    machine = buy_running(open_purse(cash_minor=1000))
    host = Allocation.objects.get(instance_id=machine.id).host
    idle = Host.objects.filter(zone_id=ZONE).exclude(id=host.id).first()
    assert idle is not None
    before = clock.wall()
    for name in (host.name, idle.name):
        hands.world.set_member_online(name, False)
    zones.check(ZONE)
    since = Host.objects.get(id=host.id).off_since
    assert since is not None and before <= since <= clock.wall()
    zones.check(ZONE)  # it stays what it was
    yield (
        "host_offline", "host", host.name, 1, since,
        f"The host is off, in zone {ZONE}. Machines on it: 1. Start it again, or move its machines: they are charged"
        " meanwhile.",
    )  # fmt: skip
    hands.world.set_member_online(host.name, True)
    zones.check(ZONE)
    assert Host.objects.get(id=host.id).off_since is None


def drift(kind: str, text: str, *, zone: str = ZONE, unknown: bool = False) -> Callable[[Hands], Iterator[Line]]:
    def make(hands: Hands) -> Iterator[Line]:
        name = "ins-unknown1" if unknown else buy_running(open_purse(cash_minor=1000)).public_id
        at = clock.wall()
        EngineDrift.objects.create(zone_id=zone, name=name, kind=kind, since_wall_at=at, missed_at=clock.now())
        yield f"machine_{kind}", "machine", name, 1, at, text
        sweep.sweep(zone)

    return make


def operation_given_up(hands: Hands) -> Iterator[Line]:
    machine = buy_running(open_purse(cash_minor=1000))
    operation = given_up(machine.id)
    yield (
        "operation_given_up", "machine", machine.public_id, 1, operation.created_at,
        "release, attempts: 12. RuntimeError: stuck. Mend what it says, then retry.",
    )  # fmt: skip
    assert queue.retry(operation.id)


def hours_not_closed(hands: Hands) -> Iterator[Line]:
    first = Horizon.objects.get().closed_until
    hands.clock.advance(hours=1)
    assert lines() == []  # one is closed at its end, which takes its time
    hands.clock.advance(hours=1)
    yield (
        "hours_not_closed", "hour", "", 2, first + dt.timedelta(hours=1),
        "Clock hours that have ended and are not closed: 2. Their usage is not charged yet. See in “vmart status”"
        " whether the worker runs, and in its log what the close meets.",
    )  # fmt: skip
    work()


def account_not_charged(hands: Hands) -> Iterator[Line]:
    account, hour = open_purse(), Horizon.objects.get().closed_until
    hands.clock.advance(hours=1)
    Stuck.objects.create(account_id=account, from_hour=hour, reason="no price is in force for mars/cpu")
    yield (
        "account_not_charged", "account", str(account), 1, hour,
        "Accounts whose usage is not charged from then on: 1. no price is in force for mars/cpu. Mend what it says,"
        " most often a price that is missing: each hourly close tries again.",
    )  # fmt: skip
    close.close(hour)


def card_message(hands: Hands) -> Iterator[Line]:
    for _ in range(2):
        unexplained.keep("stripe", "pi_1", "succeeded, 5000 CNY: no payment here has this number")
    row = Unexplained.objects.get()
    yield (
        "card_message", "card_message", "pi_1", 2, row.first_wall_at,
        "stripe: succeeded, 5000 CNY: no payment here has this number. Compare it with the provider's own list; credit"
        " the customer by hand where the money is his. Then mark it as seen.",
    )  # fmt: skip
    assert unexplained.dismiss(row.id, SELLER)


def card_refund_failed(hands: Hands) -> Iterator[Line]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("VMART_SANDBOX_CARDS", "1")
        account = open_purse()
        paid = top_up.begin(by(account), 5000, "sandbox", "t", method=TAKES_NOTHING_BACK)
        refund = to_card.give(to_card.Asked(paid.payment_id), "not wanted", SELLER, "k")
    yield (
        "card_refund_failed", "payment", str(paid.payment_id), 1, hands.clock.at,
        "sandbox: The card takes no money back. The money is in the customer's balance. Agree with the customer how the"
        " money comes to him; then mark it as seen.",
    )  # fmt: skip
    assert refunded.see(refund.id, SELLER)
    assert not refunded.see(refund.id, SELLER)


def deliveries_failed(hands: Hands) -> Iterator[Line]:
    hands.world.fail("ensure_present", times=2, transient=False, sentence="The host refused.")
    account = open_purse(cash_minor=1000)
    zones.check(ZONE)
    zones.prepare_images(ZONE)
    for _ in range(2):
        purchase(wanted(account, HOURLY))
    work()
    yield (
        "deliveries_failed", "zone", ZONE, 2, hands.clock.at,
        "The host refused. The money went back. Mend the cause, then its customers can buy again.",
    )  # fmt: skip
    hands.clock.advance(days=attention.DELIVERIES_DAYS)
    Horizon.objects.update(closed_until=clock.hour_start(hands.clock.at))


def storage_filling(hands: Hands) -> Iterator[Line]:
    pools = {"a": [80, 100], "b": [79, 100], "c": [190, 200], "d": [0, 0]}
    Zone.objects.filter(code=ZONE).update(capabilities={"pools": pools})
    yield (
        "storage_filling", "zone", ZONE, 2, None,
        "Hosts whose storage fills up: 2. The fullest is c: 190 of 200 GiB. Add storage or sell less of it: a full pool"
        " stops every machine on it.",
    )  # fmt: skip
    zones.check(ZONE)


def addresses_used_up(hands: Hands) -> Iterator[Line]:
    account = open_purse(cash_minor=1000)
    last, *others = PublicAddress.objects.filter(zone_id=ZONE).order_by("ip")
    PublicAddress.objects.filter(ip__in=[address.ip for address in others]).delete()
    assert lines() == []
    assert db.call("network_claim_public", ZONE, account, [7]) != []
    yield (
        "addresses_used_up", "zone", ZONE, 1, None,
        "All public addresses of the zone are taken: 1. Who wants one cannot buy. Add addresses to the zone in the"
        " catalog file and apply it.",
    )  # fmt: skip
    db.call("network_free_public", [7], clock.now())
    assert PublicAddress.objects.get(zone_id=ZONE).ip == last.ip


def image_failed(hands: Hands) -> Iterator[Line]:
    rows = ZoneImage.objects.filter(zone_id=ZONE, image_id="img-db12k7x4")
    rows.update(status="failed", why="The image could not be put together.", detail="E: no mirror")
    yield (
        "image_failed", "image", rows.get().image.os_name, 1, None,
        f"In zone {ZONE}: The image could not be put together. E: no mirror. It is tried again by itself, at last every"
        " hour; what it met is in the last words.",
    )  # fmt: skip
    zones.prepare_images(ZONE)


MAKERS: dict[str, Callable[[Hands], Iterator[Line]]] = {
    make.__name__: make
    for make in (
        zone_unreachable, host_offline, operation_given_up, hours_not_closed, account_not_charged, card_message,
        card_refund_failed, deliveries_failed, storage_filling, addresses_used_up, image_failed,
    )
} | {
    "machine_lost": drift(
        "lost",
        f"Sold, and twice in a row not found on the engine of zone {ZONE}. It is charged no more since it was first"
        " missed. Deliver it again (you are shown first which of its disks will be empty), refund and end it, or end"
        " it.",
    ),
    "machine_missing": drift(
        "missing",
        f"Sold, and not found on the engine of zone {ZONE}. A machine is looked for once more before its charging"
        " ends. Find out where it went; nothing is to be done here yet.",
    ),
    "machine_unknown": drift(
        "unknown",
        f"On the engine of zone {ZONE} and in no order: after a restored backup it may be somebody's. Nothing touches"
        " it here. Look whose it is; if nobody's, remove it on the engine.",
        unknown=True,
    ),
    "machine_elsewhere": drift(
        "elsewhere",
        f"On the engine of zone {OTHER_ZONE}, and sold in {ZONE}. Nothing touches it here. Move it back, or let each"
        " zone name an engine of its own.",
        zone=OTHER_ZONE,
    ),
    "machine_moved": drift(
        "moved",
        f"In zone {ZONE} it is on another host than its room is taken on. Move it back, or the stock of both hosts is"
        " wrong.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("tag", [cause.tag for cause in CAUSES])
def test_a_cause_is_a_line_until_it_is_gone(tag: str, world: World, test_clock: BusinessClock) -> None:
    assert (lines(), attention.summary()) == ([], Summary(0, False, ""))
    making = MAKERS[tag](Hands(world, test_clock))
    line = next(making)
    assert lines() == [line]
    worst = "error" if {cause.tag: cause for cause in CAUSES}[tag].severity == ERROR else "warning"
    assert attention.summary() == Summary(1, False, worst)
    assert line[1] in event_words.SUBJECTS
    assert next(making, None) is None
    assert (lines(), attention.summary()) == ([], Summary(0, False, ""))


def test_a_snapshot_is_no_machine_where_it_is_missing_or_its_host_off(world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    disk = Disk.objects.get(instance_id=machine.id)
    name = create_snapshot(by(account), NewSnapshot(disk.public_id))
    work()
    host = Allocation.objects.get(instance_id=machine.id).host
    world.set_member_online(host.name, False)
    zones.check(ZONE)
    (row,) = attention.page().rows
    assert (row.cause.tag, row.subject, row.number) == ("host_offline", host.name, 1)
    world.set_member_online(host.name, True)
    zones.check(ZONE)
    EngineDrift.objects.create(zone_id=ZONE, name=name, kind="missing", since_wall_at=clock.wall())
    (row,) = attention.page().rows
    assert (row.cause.tag, row.subject_kind, row.subject, row.account) == (
        "machine_missing", "snapshot", name, account,
    )  # fmt: skip


def test_what_an_unreachable_zone_holds_up_is_one_line_until_it_answers(world: World) -> None:
    account = open_purse(cash_minor=1000)
    machines = [buy_running(account) for _ in range(3)]
    held_up = [given_up(machine.id) for machine in machines[:2]]
    elsewhere = given_up(machines[2].id, lane=OTHER_ZONE)
    world.stop_engine()
    zones.check(ZONE)
    other, merged = attention.page().rows
    assert (merged.cause.tag, merged.subject, merged.number) == ("zone_unreachable", ZONE, 3)
    assert merged.places == {"why": "The compute engine does not answer.", "machines": 3, "waiting": 2}
    assert (other.cause.tag, other.key) == ("operation_given_up", elsewhere.id)
    world.start_engine()
    zones.check(ZONE)
    left = [(row.cause.tag, row.key) for row in attention.page().rows]
    assert left == [("operation_given_up", one.id) for one in (elsewhere, *reversed(held_up))]


def test_a_zone_that_is_not_on_sale_and_has_no_machine_may_be_away(world: World) -> None:
    world.stop_engine()
    zones.check(ZONE)
    assert [row.subject for row in attention.page().rows] == [ZONE]
    Zone.objects.filter(code=ZONE).update(on_sale=False)
    assert attention.page().rows == []


def test_work_left_in_a_zone_that_is_away_is_told_though_nothing_is_sold_there(world: World) -> None:
    given_up(7)
    Zone.objects.filter(code=ZONE).update(on_sale=False)
    world.stop_engine()
    zones.check(ZONE)
    (row,) = attention.page().rows
    assert (row.cause.tag, row.subject, row.places["waiting"]) == ("zone_unreachable", ZONE, 1)


def test_an_hour_whose_close_began_and_did_not_end_counts(test_clock: BusinessClock) -> None:
    """The horizon passes an hour when its close begins."""
    first = Horizon.objects.get().closed_until
    test_clock.advance(hours=2)
    Horizon.objects.update(closed_until=first + dt.timedelta(hours=1))
    assert attention.page().rows == []
    Hour.objects.create(start=first)
    (row,) = attention.page().rows
    assert (row.cause.tag, row.since, row.number) == ("hours_not_closed", first + dt.timedelta(hours=1), 2)


def test_accounts_that_lack_one_price_are_one_line(test_clock: BusinessClock) -> None:
    hour = Horizon.objects.get().closed_until
    for number in range(3):
        Stuck.objects.create(account_id=open_purse(f"b{number}"), from_hour=hour, reason="no price for mars")
    other = open_purse("b9")
    Stuck.objects.create(account_id=other, from_hour=hour, reason="no price for venus")
    found = [(row.number, row.account, row.subject, row.places["why"]) for row in attention.page().rows]
    assert found == [(1, other, str(other), "no price for venus"), (3, None, "", "no price for mars")]


def test_a_host_that_is_off_for_longer_and_carries_nothing_is_no_line(world: World) -> None:
    """A member that was taken out of its cluster stays in the table for the machines that it had."""
    name = Host.objects.filter(zone_id=ZONE).values_list("name", flat=True)[0]
    world.set_member_online(name, False)
    zones.check(ZONE)
    assert lines() == []


def _many() -> list[tuple[int, float, int, int]]:
    """Many lines of four causes, some at the same instant: as (severity, since, place, key), in their order."""
    places = {cause.tag: place for place, cause in enumerate(CAUSES)}
    start = clock.wall().replace(microsecond=0)
    for number in range(PAGE + 5):
        at = start - dt.timedelta(minutes=number // 3)
        operation = given_up(number)
        Operation.objects.filter(id=operation.id).update(created_at=at)
        for kind in ("lost", "unknown"):
            EngineDrift.objects.create(zone_id=ZONE, name=f"ins-{kind}-{number}", kind=kind, since_wall_at=at)
    Zone.objects.exclude(code=ZONE).update(capabilities={"pools": {"a": [9, 10]}})
    made = [
        (ERROR, row.created_at.timestamp(), places["operation_given_up"], row.id)
        for row in Operation.objects.filter(attention=True)
    ]
    for row in EngineDrift.objects.all():
        place = places[f"machine_{row.kind}"]
        made.append((CAUSES[place].severity, row.since_wall_at.timestamp(), place, row.id))
    others = Zone.objects.exclude(code=ZONE).values_list("legacy_id", flat=True)
    made += [(1, float("-inf"), places["storage_filling"], number) for number in others]
    return sorted(made, reverse=True)


def test_the_list_is_paged_the_worst_first_and_then_the_latest() -> None:
    made = _many()
    found, before = [], ""
    for number in itertools.count():
        page = attention.page(before)
        assert (page.first, len(page.rows)) == (number == 0, min(PAGE, len(made) - number * PAGE))
        found += [
            (row.cause.severity, row.since.timestamp() if row.since else float("-inf"), row.place, row.key)
            for row in page.rows
        ]
        before = page.older
        if not before:
            break
    assert found == made
    assert attention.summary() == Summary(100, True, "error")
    assert str(attention.summary()) == "100+"


@pytest.mark.parametrize(
    "key",
    ["x", "1", "1~2~3~4", "99~~1", "-1~~1", "1~2026-01-01~1", "1~2026-01-01T00:00:00+00:00~" + "9" * 30, "1~~\0",
     "1~0001-01-01T00:00:00+23:00~1", "\u0663~~1"],
)  # fmt: skip
def test_a_wrong_page_key_means_the_first_page(key: str) -> None:
    given_up()
    page = attention.page(key)
    assert (page.first, len(page.rows)) == (True, 1)


def test_every_key_that_a_page_gives_is_taken() -> None:
    """Also one of a row whose beginning nobody knows."""
    Zone.objects.update(capabilities={"pools": {"a": [9, 10]}})
    row = attention.page().rows[1]
    rest = attention.page(f"{row.place}~~{row.key}")
    assert (rest.first, len(rest.rows)) == (False, Zone.objects.count() - 2)


@pytest.fixture
def much(test_clock: BusinessClock) -> None:
    """Tens of thousands of each thing that can be that many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO worker_operation (kind, subject_kind, subject_id, lane, step, payload, due_at, attempt,"
            " last_error, attention, created_at) SELECT 'release', 'machine', n, %s, 'start', '{}', now(), 12, 'x',"
            " n %% 2 = 0, now() - n * interval '1 s' FROM generate_series(1, 40000) AS n",
            [ZONE],
        )
        cursor.execute(
            "INSERT INTO orders_engine_drift (zone_id, name, kind, since_wall_at)"
            " SELECT %s, 'ins-' || n, (ARRAY['missing', 'lost', 'unknown', 'elsewhere', 'moved'])[n %% 5 + 1],"
            " now() - n * interval '1 s' FROM generate_series(1, 40000) AS n",
            [ZONE],
        )
        cursor.execute(
            "INSERT INTO payments_unexplained (provider, reference, why, times, first_wall_at, last_wall_at)"
            " SELECT 'stripe', 'pi_' || n, 'x', 1, now() - n * interval '1 s', now()"
            " FROM generate_series(1, 40000) AS n"
        )
        account = open_purse()
        cursor.execute(
            "INSERT INTO payments_payment (id, account_id, provider, reference, amount_minor, state, reason, token,"
            " created_at) SELECT 900000000, %s, 'stripe', 'pi_x', 40000, 'succeeded', '', 't', now()",
            [account],
        )
        cursor.execute(
            "INSERT INTO payments_refund (payment_id, amount_minor, state, reference, hold_id, reason, why, actor, key,"
            " created_at, resolved_at, seen) SELECT 900000000, 1, 'failed', '', gen_random_uuid(), 'x', 'x', 'x', n,"
            " now(), now() - n * interval '1 s', n % 2 = 0 FROM generate_series(1, 40000) AS n"
        )
        for table in ("worker_operation", "orders_engine_drift", "payments_unexplained", "payments_refund"):
            cursor.execute(f"ANALYZE {table}")


def test_however_much_there_is_a_page_reads_what_it_shows(much: None) -> None:
    first = attention.page()
    assert len(first.rows) == PAGE
    for look in (attention.page, lambda: attention.page(first.older), attention.summary):
        assert read_whole(look) == []
    assert Instance.objects.count() == 0
