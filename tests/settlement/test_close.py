"""Hours are closed at their end, in order, each account once; one that fails waits alone and is caught up."""

import datetime as dt
import uuid
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction

from tests.settlement.hours import KEYS, TRAFFIC, Account, Machine, World, charges, deductions
from tests.settlement.stored import charges_since, everything, store
from tests.support.business_clock import BusinessClock
from tests.support.shopper import work
from vmart.kernel import db, ids
from vmart.kernel.clock import HOUR
from vmart.metering.models import Horizon
from vmart.pricing.book import RateRow
from vmart.pricing.hour import ByteSample, PriceVersion, Segment
from vmart.settlement import close
from vmart.settlement.models import Hour, Stuck
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("db")

TEN = dt.datetime(2026, 3, 10, 2, tzinfo=dt.UTC)  # in Shanghai
RATES = {KEYS["cpu"]: "0.42", KEYS["disk:1"]: "0.0005", TRAFFIC: "0.8"}


def _at(seconds: int) -> dt.datetime:
    return TEN + dt.timedelta(seconds=seconds)


def _book(effective_at: dt.datetime, without: str = "") -> PriceVersion:
    rows = {
        key: [RateRow(key, Decimal(0), None, 0, None, Decimal(rate))] for key, rate in RATES.items() if key != without
    }
    return PriceVersion(effective_at, rows)


def _account(number: int, *, samples: tuple[ByteSample, ...] = ()) -> Account:
    usage = {
        "cpu": [Segment(_at(-900), None, 1, KEYS["cpu"])],
        "disk:1": [Segment(_at(-900), None, 50, KEYS["disk:1"])],
    }
    return Account(number, 10_000, 0, 0, 0, 0, [Machine(number * 10, usage, list(samples))])


def _world(*accounts: Account, versions: list[PriceVersion] | None = None) -> World:
    world = World(TEN, ZoneInfo("Asia/Shanghai"), "CNY", versions or [_book(_at(-86400))], list(accounts))
    store(world)
    return world


def _rule(world: World, hours: int) -> dict[tuple[int, int, dt.datetime, str], Decimal]:
    """Exact charges by (account, machine, hour, component) of the first hours, by the pure rule."""
    return {
        (account.id, machine.id, hour, component): charge.exact
        for account in world.accounts
        for machine in account.machines
        for hour, component, charge in charges(world, machine)
        if hour < world.start + HOUR * hours
    }


def _charged() -> dict[tuple[int, int, dt.datetime, str], Decimal]:
    return {key: row[2] for key, row in charges_since(TEN).items()}


def test_an_hour_is_not_closed_before_its_end(test_clock: BusinessClock) -> None:
    _world(_account(1))
    test_clock.set(_at(3599))
    before = everything()
    with pytest.raises(ValueError, match="has not ended"):
        close.close(TEN)
    assert everything() == before


def test_an_hour_is_not_closed_before_the_one_before_it(test_clock: BusinessClock) -> None:
    _world(_account(1))
    test_clock.set(_at(2 * 3600))
    before = everything()
    with pytest.raises(ValueError, match="is not closed"):
        close.close(TEN + HOUR)
    assert everything() == before


def _killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Close the hour of TEN up to where the horizon has moved, and no further."""

    def end(_hour: dt.datetime) -> list[tuple[int, int]]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(close, "_batches", end)
        close.close(TEN)


def test_an_hour_is_not_closed_before_the_close_of_the_one_before_it_has_ended(
    test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a close that was killed, or that is under way, then the next hour's totals would lack it: it waits."""
    world = _world(_account(1))
    test_clock.set(_at(2 * 3600))
    _killed(monkeypatch)
    before = everything()
    with pytest.raises(ValueError, match="is not closed"):
        close.close(TEN + HOUR)
    assert everything() == before
    real, refused = close._batches, []

    def meanwhile(hour: dt.datetime) -> list[tuple[int, int]]:
        if hour == TEN:
            with pytest.raises(ValueError, match="is not closed") as error:
                close.close(TEN + HOUR)
            refused.append(error.value)
        return real(hour)

    monkeypatch.setattr(close, "_batches", meanwhile)
    close.close(TEN)
    assert len(refused) == 1
    close.close(TEN + HOUR)
    assert _charged() == _rule(world, 2)


def test_a_shop_that_was_killed_in_a_close_begins_with_that_hour(
    test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _world(_account(1))
    test_clock.set(_at(2 * 3600 + 1800))
    _killed(monkeypatch)
    close.begin(test_clock.at)
    assert Operation.objects.values_list("kind", "due_at").get() == ("close_hour", TEN + HOUR)
    assert work() == 2
    assert _charged() == _rule(world, 2)
    assert not Hour.objects.filter(closed_at=None).exists()


def test_missed_hours_are_closed_one_by_one(test_clock: BusinessClock) -> None:
    """Given a shop that was off for three hours, then each hour is its own charge and its own deduction."""
    world = _world(_account(1), _account(2))
    Horizon.objects.all().delete()
    test_clock.set(_at(0))
    close.begin(TEN)
    test_clock.set(_at(3 * 3600 + 59))
    assert work() == 3
    assert _charged() == _rule(world, 3)
    hours = [TEN, TEN + HOUR, TEN + 2 * HOUR]
    assert list(Hour.objects.order_by("start").values_list("start", "charges", "deducted_minor")) == [
        (hour, 4, sum(deductions(world, account)[hour] for account in world.accounts)) for hour in hours
    ]
    assert len(db.rows("SELECT FROM ledger_transfer")) == 2 * 3
    waiting = Operation.objects.get()
    assert (waiting.kind, waiting.due_at) == ("close_hour", TEN + 4 * HOUR)
    assert Horizon.objects.get().closed_until == TEN + 3 * HOUR


def test_an_account_without_a_price_waits_alone_and_is_caught_up_in_order(
    test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given one account of many at a key that no book has, over several batches and connections."""
    monkeypatch.setattr(close, "BATCH_ACCOUNTS", 3)
    world = _world(*(_account(number) for number in range(1, 11)))
    db.rows(
        "UPDATE metering_segment SET price_key = 'mars/cpu' WHERE account_id = 5 AND component = 'cpu' RETURNING id"
    )
    for hour in (TEN, TEN + HOUR):
        test_clock.set(hour + HOUR)
        assert close.close(hour)[0] == 2 * 9
    rule = _rule(world, 2)
    assert _charged() == {key: part for key, part in rule.items() if key[0] != 5}
    stuck = Stuck.objects.get()
    assert (stuck.account_id, stuck.from_hour) == (5, TEN)
    assert "no price is in force for mars/cpu" in stuck.reason
    assert db.rows("SELECT FROM ledger_transfer WHERE account_id = 5") == []

    db.rows(
        "INSERT INTO pricing_rate (book_id, price_key, step_from, tier_from_s, rate) VALUES (1, 'mars/cpu', 0, 0, %s)"
        " RETURNING id", RATES[KEYS["cpu"]],
    )  # fmt: skip
    test_clock.set(TEN + 3 * HOUR)
    close.close(TEN + 2 * HOUR)
    assert not Stuck.objects.exists()
    assert _charged() == _rule(world, 3)
    transfers = db.rows("SELECT id, amount_minor FROM ledger_transfer WHERE account_id = 5")
    assert {row["id"]: row["amount_minor"] for row in transfers} == {
        ids.transfer_id("hour", 5, f"{hour:%Y-%m-%dT%H}/2026-03"): amount
        for hour, amount in deductions(world, world.accounts[4]).items()
        if hour < TEN + 3 * HOUR
    }
    assert [row.charges for row in Hour.objects.order_by("start")] == [20, 20, 20]


@pytest.mark.parametrize(
    ("rate", "quantity", "said"),
    [
        ("10000000000", 1, "more than can be kept is the price of r/cpu/T"),
        ("9999999999.99999999", 10, "bigint out of range"),
    ],
)
def test_money_beyond_what_a_charge_can_hold_stops_its_account_alone(
    test_clock: BusinessClock, rate: str, quantity: int, said: str
) -> None:
    """Given a price or an hour of more than 9.2 * 10^10, then nothing of the account is charged."""
    dear = _book(_at(-86400))
    dear.rates[KEYS["cpu"]][0] = RateRow(KEYS["cpu"], Decimal(0), None, 0, None, Decimal(rate))  # type: ignore[index]
    usage = {"disk:1": [Segment(_at(-900), None, 50, KEYS["disk:1"])]}
    rich = _account(1)
    rich.machines[0].segments["cpu"] = [Segment(_at(-900), None, quantity, KEYS["cpu"])]
    _world(rich, Account(2, 10_000, 0, 0, 0, 0, [Machine(20, usage, [])]), versions=[dear])
    test_clock.set(_at(3600))
    assert close.close(TEN) == (1, 3)
    assert {key[0] for key in charges_since(TEN)} == {2}
    stuck = Stuck.objects.get()
    assert (stuck.account_id, stuck.from_hour, stuck.reason) == (1, TEN, said)


def test_a_month_larger_than_a_charge_can_hold_is_right_to_the_cent(test_clock: BusinessClock) -> None:
    """Given a statement beyond the range of a charge, then it goes on from there to the cent: 0.42 and 0.025 more."""
    account = _account(1)
    account.before[dt.date(2026, 3, 1)] = Decimal("12345678901234567.005")
    _world(account)
    test_clock.set(_at(3600))
    close.close(TEN)
    assert db.rows("SELECT exact_e8, deducted_minor FROM bills_carry") == [
        {"exact_e8": Decimal(1234567890123456745000000), "deducted_minor": 1234567890123456745}
    ]
    assert [row["amount_minor"] for row in db.rows("SELECT amount_minor FROM ledger_transfer")] == [44]


@pytest.mark.parametrize("what", ["cpu", "traffic"])
def test_usage_before_the_first_price_of_its_key_is_not_free(test_clock: BusinessClock, what: str) -> None:
    """Given a key that only a book from the middle of the hour on has: the whole account waits."""
    key = TRAFFIC if what == "traffic" else KEYS[what]
    versions = [_book(_at(-86400), without=key), _book(_at(1800))]
    samples = (ByteSample(_at(60), 2**30), ByteSample(_at(3000), 2**30)) if what == "traffic" else ()
    _world(_account(1, samples=samples), versions=versions)
    test_clock.set(_at(3600))
    assert close.close(TEN) == (0, 0)
    assert charges_since(TEN) == {}
    assert f"no price is in force for {key}" in Stuck.objects.get().reason


def test_usage_before_the_first_book_at_all_is_not_free(test_clock: BusinessClock) -> None:
    _world(_account(1), versions=[_book(_at(600))])
    test_clock.set(_at(3600))
    assert close.close(TEN) == (0, 0)
    assert charges_since(TEN) == {}
    assert Stuck.objects.count() == 1


def test_the_hold_of_an_ended_machine_ends_with_the_close_that_deducts_its_last_second(
    test_clock: BusinessClock,
) -> None:
    _world(_account(1))
    edge = _hold(11, TEN + HOUR)
    later = _hold(12, TEN + HOUR + dt.timedelta(seconds=1))
    db.rows("UPDATE ledger_purses SET floating_pending = 77 RETURNING account_id")
    test_clock.set(TEN + HOUR)
    close.close(TEN)
    assert _holds() == {edge: "voided", later: "pending"}
    assert db.rows("SELECT floating_pending FROM ledger_purses") == [{"floating_pending": 70}]
    assert close.close(TEN) == (0, 0)
    assert db.rows("SELECT floating_pending FROM ledger_purses") == [{"floating_pending": 70}]
    test_clock.set(TEN + 2 * HOUR)
    close.close(TEN + HOUR)
    assert _holds() == {edge: "voided", later: "voided"}


def _hold(machine: int, ended_at: dt.datetime) -> uuid.UUID:
    """A pending hold of 7 (edge) or 70 minor units for a machine in the recycle bin since ``ended_at``."""
    number = uuid.uuid4()
    amount = 7 if machine == 11 else 70
    db.rows(
        "INSERT INTO ledger_hold VALUES (%s, 1, 'floating', 'pending', 0, 0, %s, %s, %s) RETURNING id",
        number, amount, machine, TEN,
    )  # fmt: skip
    db.rows(
        """
        INSERT INTO instances_instance
        SELECT (jsonb_populate_record(NULL::instances_instance, %s::jsonb || %s::jsonb)).* RETURNING id
        """,
        _MACHINE,
        f'{{"id": {machine}, "public_id": "ins-{machine}", "hold_id": "{number}", "isolated_at": "{ended_at}"}}',
    )  # fmt: skip
    return number


def _holds() -> dict[uuid.UUID, str]:
    return {row["id"]: row["state"] for row in db.rows("SELECT id, state FROM ledger_hold")}


_MACHINE = """{
  "account_id": 1, "zone_id": "z", "instance_type_id": "t", "image_id": "i", "name": "", "hostname": "", "vcpu": 1,
  "memory_mib": 1024, "charge_type": "POSTPAID_BY_HOUR", "internet_charge_type": "", "bandwidth_mbps": 0,
  "public_ip_wanted": false, "renew_flag": "", "state": "SHUTDOWN", "restrict_state": "NORMAL",
  "isolated_source": "MANMADE", "stop_charging_mode": "NOT_APPLICABLE", "latest_operation": "", "kind": "simulated",
  "latest_operation_state": "SUCCESS", "latest_operation_request_id": "", "latest_operation_error_code": "",
  "latest_operation_error": "", "subnet_id": 1, "private_ip": "10.0.0.2", "mac": "", "login_user": "root",
  "password_hash": "", "ssh_keys": [], "key_ids": [], "user_data": "", "termination_protected": false,
  "created_at": "2026-03-10T00:00:00Z",
  "hold_number": 1
}"""


@pytest.mark.parametrize(
    ("revision", "closed_in", "exact_e8"),
    [(0, TEN + HOUR, 0), (1, TEN, 0), (0, TEN, -1)],
)
def test_a_charge_is_its_hour_s_own_or_a_later_difference(revision: int, closed_in: dt.datetime, exact_e8: int) -> None:
    with pytest.raises(IntegrityError, match="bills_charge_values"), transaction.atomic():
        db.rows(
            "INSERT INTO bills_charge (hour, account_id, subscription_id, exact_e8, out_bytes, closed_in, duration_s,"
            " statement_month, revision, component) VALUES (%s, 1, 1, %s, 0, %s, 0, '2026-03-01', %s, 'cpu')",
            TEN, exact_e8, closed_in, revision,
        )  # fmt: skip
