"""Given machines that are charged by the hour, when a program plans their end, then it is told and done as said."""

import datetime as dt
from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written, open_customer
from tests.api.test_cvm_purchase import HOURLY, MONTHLY
from tests.support.business_clock import BusinessClock
from tests.support.shopper import go_to, work
from vmart.events.models import Event

pytestmark = pytest.mark.usefixtures("delivering")

IMPORT, DESCRIBE, DELETE = (f"{verb}InstancesActionTimer" for verb in ("Import", "Describe", "Delete"))


def _in(test_clock: BusinessClock, **ahead: int) -> str:
    return (test_clock.at + dt.timedelta(**ahead)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _buy(client: Client, **members: Any) -> list[str]:
    ids: list[str] = client.call("RunInstances", {**HOURLY, **members}).response["InstanceIdSet"]
    work()
    return ids


def _timer(at: str) -> dict[str, Any]:
    return {"TimerAction": "TerminateInstances", "ActionTime": at}


def _timers(client: Client, **asked: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.call(DESCRIBE, asked).response["ActionTimers"]
    return found


def _told(public_id: str, at: str, status: str = "UNDO") -> dict[str, Any]:
    return {
        "ActionTimerId": public_id.replace("ins-", "timer-"), "InstanceId": public_id, "ActionTime": at,
        "TimerAction": "TerminateInstances", "Status": status, "Externals": {},
    }  # fmt: skip


def test_machines_bought_with_it_are_ended(test_clock: BusinessClock) -> None:
    client, _ = open_customer()
    at = _in(test_clock, minutes=30)
    (machine,) = _buy(client, ActionTimer=_timer(at))
    assert _timers(client) == [_told(machine, at)]
    go_to(test_clock, test_clock.at + dt.timedelta(minutes=30))
    assert _timers(client) == [_told(machine, at, "DONE")]
    (shown,) = client.call("DescribeInstances").response["InstanceSet"]
    assert (shown["InstanceState"], shown["IsolatedSource"]) == ("SHUTDOWN", "MANMADE")
    with nothing_written():
        error = client.call(DELETE, {"ActionTimerIds": [_told(machine, at)["ActionTimerId"]]}).error
    assert error == ("ResourceNotFound", f"ActionTimerIds: No end of {machine} is planned.")
    go_to(test_clock, test_clock.at + dt.timedelta(hours=2))
    assert _timers(client) == []


def test_it_is_planned_told_and_deleted_later(test_clock: BusinessClock) -> None:
    client, _ = open_customer()
    first, second = _buy(client, InstanceCount=2)
    soon, later = _in(test_clock, minutes=6), _in(test_clock, hours=6)
    answer = client.call(IMPORT, {"InstanceIds": [first], "ActionTimer": _timer(later)}).response
    assert answer["ActionTimerIds"] == [_told(first, later)["ActionTimerId"]]
    client.call(IMPORT, {"InstanceIds": [second], "ActionTimer": {"ActionTime": soon}})
    assert _timers(client) == [_told(second, soon), _told(first, later)]
    asked = Event.objects.filter(kind=IMPORT)
    assert {event.actor["via"] for event in asked} == {"api"}
    with nothing_written():
        error = client.call(IMPORT, {"InstanceIds": [first], "ActionTimer": _timer(later)}).error
    assert error == (
        "FailedOperation.MutActionTimerExist", f"InstanceIds: {first} has a planned end already.",
    )  # fmt: skip
    client.call(DELETE, {"ActionTimerIds": answer["ActionTimerIds"]})
    assert _timers(client) == [_told(second, soon)]


def test_they_are_found_by_what_is_said(test_clock: BusinessClock) -> None:
    client, _ = open_customer()
    first, second = _buy(client, InstanceCount=2)
    soon, later = _in(test_clock, hours=1), _in(test_clock, hours=6)
    for machine, at in ((first, soon), (second, later)):
        client.call(IMPORT, {"InstanceIds": [machine], "ActionTimer": _timer(at)})
    plain = soon.replace("T", " ").removesuffix("Z")

    def found(**asked: Any) -> list[str]:
        return [timer["InstanceId"] for timer in _timers(client, **asked)]

    assert found(InstanceIds=[second]) == [second]
    assert found(ActionTimerIds=[first.replace("ins-", "timer-"), "timer-none"]) == [first]
    assert found(ActionTimerIds=[first.replace("ins-", "timer-")], InstanceIds=[second]) == []
    assert found(EndActionTime=plain) == [first]
    assert found(StartActionTime=later) == [second]
    assert found(StatusList=["UNDO"]) == [first, second]
    assert found(StatusList=["DONE", "DOING"]) == []
    assert found(TimerAction="TerminateInstances") == [first, second]
    other, _ = open_customer("other")
    assert _timers(other, InstanceIds=[first]) == []


def test_while_an_operation_is_waited_for_it_is_doing(test_clock: BusinessClock) -> None:
    client, _ = open_customer()
    at = _in(test_clock, minutes=6)
    (machine,) = client.call("RunInstances", {**HOURLY, "ActionTimer": _timer(at)}).response["InstanceIdSet"]
    test_clock.advance(minutes=6)
    assert _timers(client) == [_told(machine, at, "DOING")]


@pytest.mark.parametrize(
    ("timer", "code", "said"),
    [
        ({"TimerAction": "TerminateInstances"}, "MissingParameter", "ActionTimer.ActionTime"),
        ({"ActionTime": "tomorrow"}, "InvalidParameterValue", "ActionTimer.ActionTime"),
        ({"ActionTime": "2026-13-01T00:00:00Z"}, "InvalidParameterValue", "ActionTimer.ActionTime"),
        ({"ActionTime": "2026-01-01T00:00:00Z"}, "InvalidParameterValue", "ActionTimer.ActionTime"),
        ({"ActionTime": "9999-12-31T23:59:59Z"}, "InvalidParameterValue", "ActionTimer.ActionTime"),
        (
            {"TimerAction": "StopInstances", "ActionTime": "2026-12-01T00:00:00Z"},
            "InvalidParameterValue",
            "TimerAction",
        ),
        ({"ActionTime": "2026-12-01T00:00:00Z", "Status": "UNDO"}, "UnsupportedOperation", "ActionTimer.Status"),
    ],
)
def test_what_is_wrong_is_named(timer: dict[str, Any], code: str, said: str) -> None:
    client, _ = open_customer()
    (machine,) = _buy(client)
    for action, asked in ((IMPORT, {"InstanceIds": [machine]}), ("RunInstances", HOURLY)):
        with nothing_written():
            error = client.call(action, {**asked, "ActionTimer": timer}).error
        assert (error[0], said in error[1]) == (code, True)


@pytest.mark.parametrize(
    ("action", "asked", "code", "said"),
    [
        (DELETE, {"ActionTimerIds": []}, "MissingParameter", "ActionTimerIds"),
        (DELETE, {"ActionTimerIds": ["ins-00000000"]}, "ResourceNotFound", "ins-00000000"),
        (DELETE, {"ActionTimerIds": ["timer-00000000"]}, "InvalidInstanceId.NotFound", "ins-00000000"),
        (DESCRIBE, {"StartActionTime": "now"}, "InvalidParameterValue", "StartActionTime"),
        (DESCRIBE, {"EndActionTime": "now"}, "InvalidParameterValue", "EndActionTime"),
        (DESCRIBE, {"StatusList": ["LATE"]}, "InvalidParameterValue", "StatusList.0"),
        (DESCRIBE, {"TimerAction": "StopInstances"}, "InvalidParameterValue", "TimerAction"),
    ],
)
def test_what_is_wrong_elsewhere_is_named(action: str, asked: dict[str, Any], code: str, said: str) -> None:
    client, _ = open_customer()
    with nothing_written():
        error = client.call(action, asked).error
    assert (error[0], said in error[1]) == (code, True)


def test_what_is_paid_ahead_has_none(test_clock: BusinessClock) -> None:
    client, _ = open_customer()
    at = _in(test_clock, hours=1)
    with nothing_written():
        error = client.call("RunInstances", {**MONTHLY, "ActionTimer": _timer(at)}).error
    assert error == (
        "UnsupportedOperation.NotSupportImportInstancesActionTimer",
        "ActionTimer.ActionTime: Only a postpaid machine can be ended at a time.",
    )
    with nothing_written():
        error = client.call("RunInstances", {**HOURLY, "ActionTimer": _timer(at), "DisableApiTermination": True}).error
    assert error[0] == "UnsupportedOperation.InstancesProtected"


def test_a_launch_template_keeps_it(test_clock: BusinessClock) -> None:
    client, _ = open_customer()
    at = _in(test_clock, hours=1)
    asked = {**HOURLY, "LoginSettings": {}, "LaunchTemplateName": "nightly", "ActionTimer": _timer(at)}
    template = client.call("CreateLaunchTemplate", asked).response["LaunchTemplateId"]
    (version,) = client.call("DescribeLaunchTemplateVersions", {"LaunchTemplateId": template}).response[
        "LaunchTemplateVersionSet"
    ]
    nobodys = {"ActionTimerId": "", "InstanceId": "", "Status": "", "Externals": {}}
    assert version["LaunchTemplateVersionData"]["ActionTimer"] == _timer(at) | nobodys
    client.call("RunInstances", {"LaunchTemplate": {"LaunchTemplateId": template}})
    assert [timer["ActionTime"] for timer in _timers(client)] == [at]
