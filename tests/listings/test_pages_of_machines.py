"""Given many machines, when any page of any of them is asked for, then it is what sorting them all by hand gives.

The order is the documented one: newest first, those of one instant by falling id. It is total, so that pages neither
overlap nor leave out, from whichever end the database walks to them.
"""

import datetime as dt
import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.shopper import HOURLY, IMAGE, LOGIN, open_purse, wanted
from tests.support.statements import statements
from vmart.instances.models import Instance
from vmart.kernel import clock, db, ids
from vmart.listings import machines
from vmart.listings.machines import Wanted
from vmart.listings.paging import Matching
from vmart.network.models import Subnet
from vmart.orders.purchase import purchase
from vmart.orders.wanted import Machine
from vmart.subscriptions.models import Subscription

pytestmark = pytest.mark.usefixtures("shop", "engine")

COUNT = 60
ZONES = ["ap-guangzhou-4", "ap-guangzhou-6", "ap-shanghai-2"]
STATES = ["PENDING", "RUNNING", "STOPPED", "SHUTDOWN", "LAUNCH_FAILED", "GONE"]
NAMES = ["web", "worker", "%"]
Row = dict[str, Any]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMART_SIMULATED_SETTINGS", f'{{"file": "{tmp_path}/engine.sqlite"}}')


def _bought(account: int, count: int) -> None:
    """Machines in all zones, with addresses; then states, names, charge types and times that have nothing in common."""
    for zone in ZONES:
        configuration = replace(
            HOURLY, zone=zone, region=zone.rpartition("-")[0], count=count // len(ZONES), bandwidth_mbps=1,
            internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR", public_ip=True,
        )  # fmt: skip
        purchase(wanted(account, configuration, machine=Machine(IMAGE, LOGIN)))
    for number, machine in enumerate(Instance.objects.filter(account_id=account).order_by("id")):
        machine.state = STATES[number * 7 % 31 % len(STATES)]
        machine.gone_at = clock.now() if machine.state == "GONE" else None
        machine.name = NAMES[number * 5 % 23 % len(NAMES)]
        machine.created_at = clock.now() + dt.timedelta(minutes=number * 11 % 29 % 8)  # many share an instant
        machine.charge_type = "PREPAID" if number * 3 % 17 < 5 else "POSTPAID_BY_HOUR"
        machine.save()


@pytest.fixture
def rows() -> list[Row]:
    """All machines of two customers that are not erased, in the order of the list."""
    accounts = [open_purse(name, cash_minor=10_000_000) for name in ("buyer", "other")]
    for account in accounts:
        _bought(account, COUNT)
    networks = {subnet.id: (subnet.public_id, subnet.vpc.public_id) for subnet in Subnet.objects.select_related("vpc")}
    found = [
        {**row, "uuid": str(ids.machine_uuid(row["public_id"])), "subnet": networks[row["subnet_id"]][0],
         "vpc": networks[row["subnet_id"]][1], "region": row["zone_id"].rpartition("-")[0]}
        for row in Instance.objects.exclude(state="GONE").values()
    ]  # fmt: skip
    return sorted(found, key=lambda row: (row["created_at"], row["id"]), reverse=True)


def _met(row: Row, condition: Row) -> bool:
    """The naive oracle: ``Wanted`` by the words of its description."""
    for name, column in (
        ("public_ids", "public_id"), ("uuids", "uuid"), ("zones", "zone_id"), ("vpc_ids", "vpc"),
        ("subnet_ids", "subnet"), ("names", "name"), ("charge_types", "charge_type"), ("states", "state"),
        ("private_ips", "private_ip"), ("public_ips", "public_ip"),
    ):  # fmt: skip
        if name in condition and row[column] not in condition[name]:
            return False
    if condition.get("region", row["region"]) != row["region"]:
        return False
    if "word" in condition and condition["word"] not in (row["private_ip"], row["public_ip"]) and (
        condition["word"].lower() not in row["name"].lower()
    ):  # fmt: skip
        return False
    return bool(condition.get("created_from", row["created_at"]) <= row["created_at"]) and bool(
        row["created_at"] <= condition.get("created_to", row["created_at"])
    )


def _some(rows: list[Row], column: str, *strangers: str) -> st.SearchStrategy[list[str]]:
    """Up to five values that machines of either customer have, or that none has."""
    values = sorted({row[column] for row in rows if row[column] is not None} | set(strangers))
    return st.lists(st.sampled_from(values), max_size=5, unique=True)


def _conditions(rows: list[Row]) -> st.SearchStrategy[Row]:
    times = st.sampled_from(sorted({row["created_at"] for row in rows}))
    return st.fixed_dictionaries({}, optional={
        "public_ids": st.lists(st.sampled_from([row["public_id"] for row in rows]), max_size=100, unique=True),
        "uuids": _some(rows, "uuid", "", "no uuid", "6d616368-696e-8065-8fff-ffffffffffff"),
        "region": st.sampled_from(["ap-guangzhou", "ap-shanghai", "ap-nowhere"]),
        "zones": _some(rows, "zone_id", "ap-guangzhou-3"),
        "vpc_ids": _some(rows, "vpc", "vpc-unknown0"),
        "subnet_ids": _some(rows, "subnet", "subnet-unknown"),
        "names": _some(rows, "name", "Web"),
        "charge_types": _some(rows, "charge_type", "SPOTPAID"),
        "states": _some(rows, "state", "GONE"),
        "private_ips": _some(rows, "private_ip", "10.64.0.010", "no address", "::1"),
        "public_ips": _some(rows, "public_ip", "203.0.113.1", ""),
        "created_from": times,
        "created_to": times,
        "word": st.sampled_from(["W", "ork", "%", "_", rows[0]["private_ip"], rows[-1]["private_ip"] + "0"]),
    })  # fmt: skip


def _few(rows: list[Row]) -> st.SearchStrategy[Row]:
    """At most two conditions: with more, next to nothing is found."""
    return _conditions(rows).map(lambda condition: dict(list(condition.items())[:2]))


def test_any_page_of_any_machines_is_what_sorting_by_hand_gives(rows: list[Row]) -> None:
    account = rows[0]["account_id"]
    seen = {"empty": 0, "before": 0, "past": 0}

    @given(condition=_few(rows), offset=st.integers(0, COUNT + 5), limit=st.integers(1, 40))
    @settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
    def check(condition: Row, offset: int, limit: int) -> None:
        right = [row for row in rows if row["account_id"] == account and _met(row, condition)]
        expected = [(row["public_id"], row["state"]) for row in right[offset : offset + limit]]
        total, views = machines.page(account, Wanted(**condition), offset=offset, limit=limit)
        assert (total, [(view.public_id, view.state) for view in views]) == (len(right), expected)
        assert machines.states(account, Wanted(**condition), offset=offset, limit=limit) == (len(right), expected)
        seen["empty" if not expected else "before" if 2 * offset + limit <= len(right) else "past"] += 1

    check()
    assert min(seen.values()) >= 20, seen


def test_pages_of_any_size_put_together_are_the_list(rows: list[Row]) -> None:
    account = rows[0]["account_id"]
    own = [row["public_id"] for row in rows if row["account_id"] == account]
    for size in range(1, len(own) + 2):
        pages = [machines.page(account, Wanted(), offset=at, limit=size)[1] for at in range(0, len(own), size)]
        assert [view.public_id for page in pages for view in page] == own


def _people_see(account: int, wanted: Wanted, order: str) -> list[int]:
    """The list that people see, page after page."""
    seen, older = [], ""
    while True:
        page = machines.by_key(account, wanted, before=older, order=order)
        assert page.first == (older == "")
        seen += [row.id for row in page.rows]
        older = page.older
        if not older:
            return seen


def _with_terms(rows: list[Row]) -> dict[int, dt.datetime | None]:
    """Prepaid machines get a term, of which many end at one instant."""
    for number, row in enumerate(rows):
        if row["charge_type"] == "PREPAID":
            ends = clock.now() + dt.timedelta(days=30 + number % 3)
            Subscription.objects.filter(id=row["id"]).update(charge_type="PREPAID", expires_at=ends)
    return dict(Subscription.objects.filter(id__in=[row["id"] for row in rows]).values_list("id", "expires_at"))


def _ordered_by(order: str) -> Callable[[Row], Any]:
    forever = dt.datetime(9999, 12, 1, tzinfo=dt.UTC)
    by = {
        "created": lambda row: (),
        "name": lambda row: (row["name"],),
        "expires": lambda row: (row["expires_at"] or forever,),
    }[order.removeprefix("-")]
    return lambda row: (*by(row), row["created_at"], row["id"])


@pytest.mark.parametrize("order", ["", "created", "-created", "name", "-name", "expires", "-expires", "secret"])
def test_people_see_them_in_any_order_page_after_page(
    rows: list[Row], monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setattr(machines, "PAGE", 7)
    monkeypatch.setattr(machines, "cut", functools.partial(machines.cut, size=7))
    account = rows[0]["account_id"]
    own = [row for row in rows if row["account_id"] == account]
    held = _with_terms(own)
    own = [{**row, "expires_at": held[row["id"]]} for row in own]
    asked = order if order not in ("", "secret") else "-created"
    own.sort(key=_ordered_by(asked), reverse=asked.startswith("-"))
    assert _people_see(account, Wanted(), order) == [row["id"] for row in own]
    for zone in ZONES:
        assert _people_see(account, Wanted(zones=[zone]), order) == [row["id"] for row in own if row["zone_id"] == zone]


def test_a_page_for_people_begins_anew_at_a_machine_of_another(rows: list[Row]) -> None:
    account = rows[0]["account_id"]
    other = next(row for row in rows if row["account_id"] != account)
    for before in (str(other["id"]), "nonsense", "1~", "~"):
        assert machines.by_key(account, before=before) == machines.by_key(account)
    for order, value in (("name", "web"), ("expires", "2026-03-10T02:00:00Z")):
        first = machines.by_key(account, order=order)
        assert machines.by_key(account, before=f"{other['id']}~{value}", order=order) == first
        for before in (str(rows[0]["id"]), f"{rows[0]['id']}~\0" if order == "expires" else "~", "~", "x~web"):
            assert machines.by_key(account, before=before, order=order) == first


def test_a_machine_that_changes_place_moves_nobody_elses_page(rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    """Given the last machine of a page is called otherwise before the next page, then that goes on where it ended."""
    monkeypatch.setattr(machines, "PAGE", 7)
    monkeypatch.setattr(machines, "cut", functools.partial(machines.cut, size=7))
    account = rows[0]["account_id"]
    own = sorted((row for row in rows if row["account_id"] == account), key=_ordered_by("name"))
    first = machines.by_key(account, order="name")
    Instance.objects.filter(id=first.rows[-1].id).update(name="zzz")
    second = machines.by_key(account, before=first.older, order="name")
    assert [row.id for row in (*first.rows, *second.rows)] == [row["id"] for row in own[:14]]


def test_a_machine_never_delivered_is_found_by_the_address_that_it_shows(rows: list[Row]) -> None:
    failed = next(row for row in rows if row["state"] == "LAUNCH_FAILED")
    db.call("network_free_private", [failed["id"]])
    total, (view,) = machines.page(
        failed["account_id"], Wanted(private_ips=[failed["private_ip"]], zones=[failed["zone_id"]])
    )
    assert (total, view.public_id, view.private_ip) == (1, failed["public_id"], failed["private_ip"])


@pytest.mark.parametrize(("offset", "limit"), [(0, 100), (0, 20), (5, 20), (20, 20), (40, 5)])
def test_a_page_takes_two_statements_wherever_it_lies(rows: list[Row], offset: int, limit: int) -> None:
    account = rows[0]["account_id"]
    for condition in ({}, {"region": "ap-guangzhou", "states": ["RUNNING", "STOPPED", "PENDING", "SHUTDOWN"]}):
        right = [row for row in rows if row["account_id"] == account and _met(row, condition)]
        with statements() as made:
            total, views = machines.page(account, Wanted(**condition), offset=offset, limit=limit)
        assert (total, len(views)) == (len(right), len(right[offset : offset + limit]))
        assert len(made) == (2 if views else 1), made
    own = [row["public_id"] for row in rows if row["account_id"] == account][:limit]
    with statements() as made:
        total, views = machines.page(account, Wanted(public_ids=own), limit=limit)
    assert (total, [view.public_id for view in views], len(made)) == (len(own), own, 1)
    with statements() as made:
        assert machines.page(account, Wanted(names=["none has it"]), offset=offset, limit=limit) == (0, [])
    assert len(made) == 1


_MANY = """
INSERT INTO {table}
SELECT (jsonb_populate_record(one, jsonb_build_object(
  'id', n, 'bundle_id', n, 'public_id', 'ins-' || n, 'created_at', one.created_at + n * interval '1 second',
  'name', CASE n % 2 WHEN 0 THEN 'worker' ELSE 'web-' || n END))).*
FROM {table} AS one, generate_series(1000000, 1004000) AS n WHERE one.id = {id} RETURNING id
"""


def _plan(matching: Matching, query: str) -> list[str]:
    """Can an index answer alone? So few rows may be read whole where VACUUM cannot mark them as all-visible."""
    with db.act():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
        return [row["QUERY PLAN"] for row in matching.rows("EXPLAIN " + query, order=machines._NEWEST)]


def test_offset_and_count_read_indexes_alone(rows: list[Row]) -> None:
    """A machine's row is read for the machines of the page, and for no other."""
    running = next(row for row in rows if row["state"] == "RUNNING" and row["charge_type"] == "POSTPAID_BY_HOUR")
    with db.act():
        for table in ("subscriptions_subscription", "instances_instance"):
            db.rows(_MANY.format(table=table, id=running["id"]).replace("%", "%%"))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) instances_instance")
    for condition in (
        {}, {"region": running["region"]}, {"zones": ZONES}, {"states": ["RUNNING"]}, {"names": ["worker"]},
        {"charge_types": ["POSTPAID_BY_HOUR"]}, {"states": ["RUNNING", "STOPPED"], "zones": ZONES[:2]},
        {"names": ["worker"], "states": ["RUNNING"], "region": running["region"]},
    ):  # fmt: skip
        matching = Matching.of(running["account_id"], machines._FROM, machines._CONDITIONS, Wanted(**condition))
        for query in ("SELECT count(*) {matching}", "SELECT i.id {matching} {order} OFFSET 900 LIMIT 20"):
            plan = _plan(matching, query)
            (chosen,) = [line for line in plan if "instances_instance i" in line]
            assert "Index Only Scan" in chosen, plan
            assert not any("Sort" in line for line in plan), plan


@pytest.mark.parametrize("text", ["fe80::1%eth0", "10.0.0.1/8", "::ffff:10.0.0.1", "010.0.0.1", " 10.0.0.1", ""])
def test_what_is_no_address_as_we_write_them_finds_nothing(text: str) -> None:
    account = open_purse()
    for asked in (Wanted(private_ips=[text]), Wanted(public_ips=[text])):
        assert machines.page(account, asked) == (0, [])
