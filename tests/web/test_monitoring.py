"""Given what machines use, then their page shows it with scripts and without; alarms are made, listed and deleted."""

import html
import re
from collections.abc import Iterator

import pytest
from django.db import connection
from django.http import HttpResponse

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.quotas import one as quota
from tests.support.statements import statements
from tests.support.written import nothing_written
from tests.web.visiting import ZONE, Visitor, customer, text_of, work
from vmart.catalog.models import Zone
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.kernel.partitions import ensure_partitions
from vmart.monitoring import evaluate, roll_up, sample
from vmart.monitoring.models import Alarm
from vmart.orders import stop
from vmart.provisioning import zones

ALARM = {
    "name": "busy", "metric": "cpu_percent", "comparison": ">", "threshold": "80", "minutes": "1", "machines": "",
    "tag": "",
}  # fmt: skip


@pytest.fixture
def visitor(test_clock: BusinessClock) -> Iterator[Visitor]:
    ensure_partitions(test_clock.at)
    visitor = customer()
    visitor.buy()
    work()
    zones.check(ZONE)
    yield visitor


def _text(answer: HttpResponse) -> str:
    return html.unescape(text_of(answer))


def _walk(test_clock: BusinessClock, minutes: int) -> None:
    for _ in range(minutes):
        sample.zone(ZONE)
        evaluate.at(sample.minute_of(test_clock.at))
        test_clock.advance(minutes=1)
        roll_up.until_now()


def _page(visitor: Visitor, span: str = "1h") -> str:
    answer = visitor.get(f"/machines/{Instance.objects.get().public_id}/monitoring/?span={span}")
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_it_shows_figures_and_all_values_without_scripts(
    visitor: Visitor, world: World, test_clock: BusinessClock
) -> None:
    machine = Instance.objects.get()
    assert (
        f'href="/machines/{machine.public_id}/monitoring/"'
        in visitor.get(f"/machines/{machine.public_id}/").content.decode()
    )
    for cpu_percent in range(0, 42, 2):  # 20 values: 0 to 38
        world.use(machine.public_id, cpu_percent=cpu_percent, memory_percent=50, sent_bytes=1_250_000)
        _walk(test_clock, 1)
    page = _page(visitor)
    text = " ".join(re.sub("<[^>]+>", " ", page).split())
    assert "CPU % 38.0 0.00 19.0 38.0 36.0" in text
    assert "Memory % 50.0 50.0 50.0 50.0 50.0" in text
    assert "Network out Mbit/s 10.0 10.0 10.0 10.0 10.0" in text
    assert len(re.findall("<tr data-at=", page)) == 21
    assert 'data-value="38"' in page
    assert "<script>" not in page and "style=" not in page
    five = _page(visitor, "24h")
    assert len(re.findall("<tr data-at=", five)) == 4
    assert "Each value is the mean of five minutes." in five


@pytest.mark.parametrize("span", ["1h", "6h", "24h", "7d", "30d", "", "1y", "\0"])
def test_any_time_has_a_page(visitor: Visitor, test_clock: BusinessClock, span: str) -> None:
    _walk(test_clock, 2)
    assert 'aria-current="page"' in _page(visitor, span)


def test_where_nothing_is_known_it_says_why(visitor: Visitor, world: World, test_clock: BusinessClock) -> None:
    machine = Instance.objects.get()
    assert "The first value is there two minutes after its start." in _page(visitor)
    assert "The first value is there after its first whole hour" in _page(visitor, "7d")
    stop.stop(by(visitor.account_id), [machine.public_id])
    work()
    assert "The machine is off. There are values while it runs." in _page(visitor)
    Zone.objects.update(capabilities={})
    assert "The engine of this zone tells nothing of what machines use." in _page(visitor)


def test_a_machine_that_was_turned_off_shows_what_it_used(visitor: Visitor, test_clock: BusinessClock) -> None:
    _walk(test_clock, 3)
    stop.stop(by(visitor.account_id), [Instance.objects.get().public_id])
    work()
    page = _page(visitor)
    assert "The machine is off. There are values while it runs." in page
    assert len(re.findall("<tr data-at=", page)) == 3


def test_an_alarm_is_made_shown_and_deleted(visitor: Visitor, world: World, test_clock: BusinessClock) -> None:
    machine = Instance.objects.get()
    page = _text(visitor.get("/alarms/"))
    assert "You have no alarm yet. One tells you by mail when a machine is busy, full or silent." in page
    asked = visitor.get(f"/alarms/?machine={machine.public_id}").content.decode()
    assert f'value="{machine.public_id}"' in asked
    assert visitor.post("/alarms/", ALARM | {"machines": machine.public_id})["Location"] == "/alarms/"
    made = Alarm.objects.get()
    told = f"busy {made.public_id} CPU > 80 % for 1 min {machine.public_id}"
    assert f"{told} No data" in _text(visitor.get("/alarms/"))
    world.use(machine.public_id, cpu_percent=90)
    _walk(test_clock, 2)
    assert f"{told} Alarm at 1 machine since 2026-03-10 10:01:00 {machine.public_id}" in _text(visitor.get("/alarms/"))
    world.use(machine.public_id, cpu_percent=10)
    _walk(test_clock, 2)
    assert f"{told} All is well" in _text(visitor.get("/alarms/"))
    visitor.post(f"/alarms/{made.public_id}/delete/", {})
    assert not Alarm.objects.exists()


def test_one_of_a_tag_and_in_other_units(visitor: Visitor) -> None:
    typed = {"metric": "sent_bytes", "threshold": "5", "tag": "role=web", "comparison": ">=", "minutes": "10"}
    visitor.post("/alarms/", ALARM | typed)
    made = Alarm.objects.get()
    assert (made.threshold, made.tag_key, made.tag_value) == (625_000.0, "role", "web")
    assert "Network out >= 5 Mbit/s for 10 min role=web" in _text(visitor.get("/alarms/"))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"name": ""}, "The name of an alarm has 1 to 60 characters on one line."),
        ({"metric": "beauty"}, "There is no such metric."),
        ({"comparison": "!"}, "A value is compared by >, >=, < or <=."),
        ({"threshold": "much"}, "A threshold is a number from 0 on."),
        ({"threshold": "nan"}, "A threshold is a number from 0 on."),
        ({"threshold": "101"}, "A percentage is 0 to 100."),
        ({"minutes": "1.5"}, "It is 1 to 60 minutes."),
        ({"minutes": "61"}, "It is 1 to 60 minutes."),
        ({"machines": "ins-00000000"}, "There is no machine ins-00000000."),
        ({"tag": "role"}, "Name a tag as key=value."),
        ({"tag": "role=web", "machines": "ins-00000000"}, "Name machines or a tag, not both."),
    ],
)
def test_what_is_wrong_is_said_beside_it(visitor: Visitor, typed: dict[str, str], said: str) -> None:
    with nothing_written():
        answer = visitor.post("/alarms/", ALARM | typed)
    assert (answer.status_code, said in _text(answer)) == (422, True)


def test_one_too_many_is_refused_above_the_form(visitor: Visitor) -> None:
    quota(visitor.account_id, alarms=0)
    answer = visitor.post("/alarms/", ALARM)
    assert (answer.status_code, "An account has at most 0 alarms" in _text(answer)) == (422, True)


def test_pages_ask_as_little_for_5000_machines_as_for_one(visitor: Visitor, test_clock: BusinessClock) -> None:
    """Given a rule of all of an account's 5,000 machines, then neither the list nor a machine's page asks more."""
    visitor.post("/alarms/", ALARM)
    _walk(test_clock, 3)
    machine = Instance.objects.get()
    addresses = ("/alarms/", f"/machines/{machine.public_id}/monitoring/")
    before = []
    for address in addresses:
        visitor.get(address)
        with statements() as made:
            visitor.get(address)
        before.append(len(made))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO monitoring_alarm_state (alarm_id, instance_id, state, since)"
            " SELECT id, 1000000 + n, 'ALARM', %s FROM monitoring_alarm, generate_series(1, 5000) AS n",
            [test_clock.at],
        )
        cursor.execute(
            "INSERT INTO monitoring_minute (instance_id, at, cpu_percent)"
            " SELECT 1000000 + n, %s, 5 FROM generate_series(1, 5000) AS n",
            [test_clock.at],
        )
    for address, count in zip(addresses, before, strict=True):
        with statements() as made:
            visitor.get(address)
        assert len(made) == count <= 5


def test_an_alarm_is_changed_and_switched_on_its_page(visitor: Visitor) -> None:
    visitor.post("/alarms/", ALARM | {"metric": "sent_bytes", "threshold": "12.5", "tag": "role=web"})
    made = Alarm.objects.get()
    page = visitor.get(f"/alarms/{made.public_id}/").content.decode()
    for typed in ('value="busy"', 'value="12.5"', 'value="1"', 'value="role=web"', 'value="sent_bytes" selected'):
        assert typed in page, typed
    answer = visitor.post(f"/alarms/{made.public_id}/", ALARM | {"name": "full", "threshold": "70", "minutes": "9"})
    assert answer["Location"] == "/alarms/"
    made.refresh_from_db()
    assert (made.name, made.metric, made.threshold, made.minutes, made.tag_key) == ("full", "cpu_percent", 70, 9, "")
    wrong = visitor.post(f"/alarms/{made.public_id}/", ALARM | {"minutes": "99"})
    assert (wrong.status_code, "It is 1 to 60 minutes." in _text(wrong)) == (422, True)
    assert Alarm.objects.get().minutes == 9
    for _ in range(2):
        assert visitor.post(f"/alarms/{made.public_id}/switch/?on=0")["Location"] == "/alarms/"
        assert not Alarm.objects.get().enabled
    assert "Off" in _text(visitor.get("/alarms/"))
    assert "It is off: it watches nothing, and nothing of it is told." in _text(
        visitor.get(f"/alarms/{made.public_id}/")
    )
    visitor.post(f"/alarms/{made.public_id}/switch/", {"on": "1"})
    assert Alarm.objects.get().enabled


def test_alarms_as_a_file(visitor: Visitor) -> None:
    visitor.post("/alarms/", ALARM | {"tag": "role=web"})
    file = b"".join(visitor.get("/alarms/?as=csv").streaming_content)  # type: ignore[attr-defined]
    head, line = file.decode("utf-8-sig").splitlines()
    assert head == "id,name,rule,machines,state,alarming_at,since"
    assert line == f"{Alarm.objects.get().public_id},busy,CPU > 80 % for 1 min,role=web,NO_DATA,0,"
