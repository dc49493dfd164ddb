"""Given what happened in an account, when its audit log is narrowed, then it has just that, also as a file."""

import csv
import datetime as dt

import pytest
from django.http import HttpResponse

from tests.support.business_clock import BusinessClock
from tests.web.membership import member_of
from tests.web.visiting import Visitor, customer, text_of, work
from vmart.customers.models import User
from vmart.events import record
from vmart.events.actor import SELLER, Actor
from vmart.instances.models import Instance


def rows(visitor: Visitor, query: str = "") -> list[dict[str, str]]:
    """The file that has what the page has."""
    answer: HttpResponse = visitor.get(f"/activity/?as=csv&{query}")
    text = b"".join(answer.streaming_content).decode().removeprefix("\ufeff")  # type: ignore[attr-defined]
    return list(csv.DictReader(text.splitlines()))


@pytest.fixture
def scene(test_clock: BusinessClock) -> tuple[Visitor, Visitor, Instance]:
    """An owner who bought a machine, and an operator who rebooted it a day later."""
    owner = customer()
    owner.buy()
    work()
    machine = Instance.objects.get()
    operator = member_of(owner.account_id, "operator")
    test_clock.advance(days=1)
    operator.post("/keys/", {"act": "create", "name": "mine"})
    operator.post(f"/machines/{machine.public_id}/reboot/")
    return owner, operator, machine


def test_by_member(scene: tuple[Visitor, Visitor, Instance]) -> None:
    owner, operator, _ = scene
    of_operator = rows(owner, f"user={operator.user.email}")
    assert [row["event"] for row in of_operator] == ["RebootInstances", "CreateKeyPair"]
    assert {row["by"] for row in of_operator} == {operator.user.email}
    assert "RunInstances" in [row["event"] for row in rows(owner, f"user={owner.user.email}")]
    assert rows(owner, "user=nobody") == []


def test_by_thing_kind_and_what_happened(scene: tuple[Visitor, Visitor, Instance]) -> None:
    owner, _, machine = scene
    of_machine = rows(owner, f"thing={machine.public_id}")
    assert {row["subject"] for row in of_machine} == {machine.public_id}
    assert "RebootInstances" in [row["event"] for row in of_machine]
    (made,) = rows(owner, "kind=CreateKeyPair")
    assert [row["event"] for row in rows(owner, f"thing={made['subject']}")] == ["CreateKeyPair"]
    assert {row["subject_kind"] for row in rows(owner, "of=order")} == {"order"}
    assert [row["event"] for row in rows(owner, "kind=RebootInstances")] == ["RebootInstances"]
    order = rows(owner, "of=order")[0]["subject"]
    assert {row["subject_kind"] for row in rows(owner, f"thing={order}")} == {"order"}


def test_by_days_of_the_readers_zone(scene: tuple[Visitor, Visitor, Instance]) -> None:
    """It is 10 March 2026, 10:43 in Shanghai, when the machine is bought; the reboot is a day later."""
    owner, _, _ = scene
    everything = rows(owner)
    bought = next(row for row in everything if row["event"] == "RunInstances")
    day = dt.datetime.fromisoformat(bought["time"]).date()
    following = day + dt.timedelta(days=1)
    assert {row["event"] for row in rows(owner, f"since={following}")} == {"RebootInstances", "CreateKeyPair"}
    assert rows(owner, f"since={day}") == everything
    assert "RunInstances" in {row["event"] for row in rows(owner, f"until={day}")}
    assert "RebootInstances" not in {row["event"] for row in rows(owner, f"until={day}")}
    User.objects.filter(pk=owner.user.pk).update(time_zone="Pacific/Kiritimati")  # 14 hours ahead of UTC
    assert "RunInstances" in {row["event"] for row in rows(owner, f"until={day}")}
    for odd in ("since=yesterday", "since=9999-12-31", "until=9999-12-31", "kind=nothing", "of=%00", "before=x"):
        assert owner.get(f"/activity/?{odd}").status_code == 200


def test_pages_follow_each_other_by_key(scene: tuple[Visitor, Visitor, Instance]) -> None:
    owner, operator, _ = scene
    actor = Actor(owner.account_id, "page", operator.user.email)
    for number in range(60):
        record.write(owner.account_id, record.KEY_PAIR, [number], "CreateKeyPair", details=[{"name": "k"}], actor=actor)
    page = owner.get(f"/activity/?user={operator.user.email}")
    assert page.content.decode().count("<tr>") == 51
    assert "before=" in page.content.decode()
    assert len(rows(owner, f"user={operator.user.email}")) == 62


def test_no_operator_of_the_shop_is_found_by_his_name(scene: tuple[Visitor, Visitor, Instance]) -> None:
    owner, _, _ = scene
    seller = Actor(None, SELLER, "boss@example.net")
    record.write(owner.account_id, record.ACCOUNT, [owner.account_id], "frozen", details=[{"why": "x"}], actor=seller)
    assert rows(owner)[0]["by"] == "seller"
    assert rows(owner, "user=boss@example.net") == []
    assert "boss@example.net" not in text_of(owner.get("/activity/"))


def test_it_is_its_own_accounts(scene: tuple[Visitor, Visitor, Instance]) -> None:
    owner, _, machine = scene
    other = customer()
    assert rows(other, f"thing={machine.public_id}") == []
    assert rows(other, f"user={owner.user.email}") == []
