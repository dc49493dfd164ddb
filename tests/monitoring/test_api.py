"""Given programs that ask what machines use, then they are told means, and no more than fit."""

import datetime as dt
from typing import Any

import pytest

from tests.api.calling import Answered, Client
from tests.api.customer import client_of, nothing_written
from tests.monitoring.walking import MINUTE, walk
from tests.support.business_clock import BusinessClock
from tests.support.shopper import HOURLY, buy_running, open_purse
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance

CPU = {"Namespace": "QCE/CVM", "MetricName": "CPUUsage"}


def _call(client: Client, action: str, **members: Any) -> Answered:
    return client.call(action, members, version="2018-07-24")


def _of(*public_ids: str) -> list[dict[str, Any]]:
    return [{"Dimensions": [{"Name": "InstanceId", "Value": one}]} for one in public_ids]


@pytest.fixture
def client(account: int) -> Client:
    return client_of(account)


def test_means_of_minutes_of_five_minutes_and_of_hours(
    client: Client,
    machine: Instance,
    world: World,
    test_clock: BusinessClock,
) -> None:
    began = test_clock.at
    world.use(machine.public_id, cpu_percent=25, memory_percent=50, disk_percent=10, sent_bytes=125_000)
    walk(test_clock, 62)
    start = int(began.timestamp())
    asked = {"Instances": _of(machine.public_id), "StartTime": "2026-03-10T10:00:00+08:00"}
    minutes = _call(client, "GetMonitorData", **CPU, **asked, Period=60, EndTime="2026-03-10T10:03:59+08:00").response
    del minutes["RequestId"]
    assert minutes == {
        "Period": 60, "MetricName": "CPUUsage", "Msg": "", "StartTime": "2026-03-10T02:00:00Z",
        "EndTime": "2026-03-10T02:03:00Z",
        "DataPoints": [
            {
                "Dimensions": [{"Name": "InstanceId", "Value": machine.public_id}],
                "Timestamps": [start + 60.0, start + 120.0, start + 180.0], "Values": [25.0, 25.0, 25.0],
            }
        ],
    }  # fmt: skip
    five = _call(client, "GetMonitorData", **CPU, **asked, SpecifyStatistics=1).response
    (points,) = five["DataPoints"]
    assert (five["Period"], points["Timestamps"]) == (300, [start + n * 300.0 for n in range(12)])
    assert points["Values"] == points["AvgValues"] == [25.0] * 12
    spelt = _call(client, "GetMonitorData", Namespace="QCE/CVM", MetricName="CpuUsage", **asked).response
    assert (spelt["MetricName"], spelt["DataPoints"][0]["Values"]) == ("CpuUsage", [25.0] * 12)
    told = {
        name: _call(client, "GetMonitorData", Namespace="QCE/CVM", MetricName=name, **asked, Period=3600).response[
            "DataPoints"
        ][0]["Values"]
        for name in (
            "MemUsage",
            "MemUsed",
            "CvmDiskUsage",
            "LanOuttraffic",
            "LanIntraffic",
            "LanInpkg",
            "WanOuttraffic",
        )
    }
    assert told == {
        "MemUsage": [50.0], "MemUsed": [2048.0], "CvmDiskUsage": [10.0], "LanOuttraffic": [1.0], "LanIntraffic": [0.0],
        "LanInpkg": [0.0], "WanOuttraffic": [0.0],
    }  # fmt: skip


def test_without_a_time_it_is_the_last_hour(
    client: Client,
    machine: Instance,
    world: World,
    test_clock: BusinessClock,
) -> None:
    walk(test_clock, 3)
    told = _call(client, "GetMonitorData", **CPU, Instances=_of(machine.public_id), Period=60).response
    assert (told["StartTime"], told["EndTime"]) == ("2026-03-10T01:03:00Z", "2026-03-10T02:03:00Z")
    assert told["DataPoints"][0]["Values"] == [0.0, 0.0]


def test_machines_are_told_in_the_order_asked_for_and_each_once(
    client: Client,
    account: int,
    machine: Instance,
    test_clock: BusinessClock,
) -> None:
    other = buy_running(account, HOURLY)
    walk(test_clock, 2)
    ids = [other.public_id, machine.public_id, other.public_id]
    told = _call(client, "GetMonitorData", **CPU, Instances=_of(*ids), Period=60).response["DataPoints"]
    assert [point["Dimensions"][0]["Value"] for point in told] == ids[:2]
    assert [len(point["Values"]) for point in told] == [1, 1]


@pytest.mark.parametrize(
    ("wrong", "code", "said"),
    [
        ({"Namespace": "QCE/CDB"}, "InvalidParameterValue", "Namespace is QCE/CDB"),
        ({"MetricName": "Beauty"}, "InvalidParameterValue", "There is no metric Beauty in QCE/CVM"),
        ({"Period": 10}, "InvalidParameterValue", "Period is 10; possible are 60, 300, 3600."),
        ({"Instances": []}, "MissingParameter", "Instances"),
        ({"Instances": _of(*["ins-1"] * 51)}, "InvalidParameterValue", "it may have at most 50"),
        ({"Instances": [{"Dimensions": []}]}, "MissingParameter", "Dimensions"),
        ({"Instances": _of("ins-1") * 2 + [{"Dimensions": [{"Name": "ip", "Value": "x"}]}]}, "InvalidParameterValue",
         "Name is ip"),
        ({"Instances": _of("ins-unknown0")}, "InvalidParameterValue", "There is no machine ins-unknown0."),
        ({"Instances": _of("")}, "InvalidParameterValue", "There is no machine (empty)."),
        ({"Instances": _of("ins-\0")}, "InvalidParameterValue", "are not text"),
        ({"StartTime": "yesterday"}, "InvalidParameterValue", "An instant is said with its offset"),
        ({"StartTime": "2026-03-10T10:00:00"}, "InvalidParameterValue", "An instant is said with its offset"),
        ({"EndTime": "9999-12-31T23:59:59-12:00"}, "InvalidParameterValue", "An instant is said with its offset"),
        ({"StartTime": "2026-03-10T11:00:00+08:00", "EndTime": "2026-03-10T10:00:00+08:00"}, "InvalidParameterValue",
         "EndTime lies before StartTime."),
        ({"StartTime": "1971-01-01T00:00:00Z"}, "InvalidParameterValue", "at most 7200 are told at once"),
        ({"SpecifyStatistics": 2}, "UnsupportedOperation", "only 1 is"),
        ({"Beauty": 1}, "UnknownParameter", "Beauty"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_refused(
    client: Client,
    machine: Instance,
    wrong: dict[str, Any],
    code: str,
    said: str,
) -> None:
    members = {**CPU, "Instances": _of(machine.public_id)} | wrong
    with nothing_written():
        found, sentence = _call(client, "GetMonitorData", **members).error
    assert (found, said in sentence) == (code, True), sentence


def test_a_machine_of_another_is_as_one_that_is_not_there(client: Client, world: World) -> None:
    foreign = buy_running(open_purse("other", cash_minor=10_000), HOURLY)
    code, sentence = _call(client, "GetMonitorData", **CPU, Instances=_of(foreign.public_id)).error
    assert code == "InvalidParameterValue"
    assert sentence == f"Instances.0.Dimensions.0.Value: There is no machine {foreign.public_id}."


def test_exactly_as_many_values_as_fit_are_told(client: Client, machine: Instance) -> None:
    end = dt.datetime(2026, 3, 10, 2, 0, tzinfo=dt.UTC)
    for minutes, fits in ((7199, True), (7200, False)):
        asked = {"StartTime": (end - minutes * MINUTE).isoformat(), "EndTime": end.isoformat(), "Period": 60}
        told = _call(client, "GetMonitorData", **CPU, Instances=_of(machine.public_id), **asked).response
        assert ("Error" not in told) is fits


def test_base_metrics_say_what_can_be_asked_for(client: Client) -> None:
    told = _call(client, "DescribeBaseMetrics", Namespace="QCE/CVM").response["MetricSet"]
    assert [one["MetricName"] for one in told] == [
        "CPUUsage", "MemUsage", "MemUsed", "CvmDiskUsage", "LanIntraffic", "LanOuttraffic", "LanInpkg", "LanOutpkg",
        "WanOuttraffic",
    ]  # fmt: skip
    (one,) = _call(
        client, "DescribeBaseMetrics", Namespace="QCE/CVM", MetricName="WanOuttraffic", Dimensions=["InstanceId"]
    ).response["MetricSet"]
    assert one == {
        "Namespace": "QCE/CVM", "MetricName": "WanOuttraffic", "Unit": "Mbps", "UnitCname": "Mbps",
        "Period": [60, 300, 3600], "Periods": [{"Period": str(n), "StatType": ["avg"]} for n in (60, 300, 3600)],
        "Meaning": {
            "En": "What left by the machine's public addresses", "Zh": "经由云服务器公网地址流出的流量",
        },
        "Dimensions": [{"Dimensions": ["InstanceId"]}], "MetricCName": "外网出带宽",
        "MetricEName": "Public network out",
    }  # fmt: skip
    assert _call(client, "DescribeBaseMetrics", Namespace="QCE/CVM", Dimensions=["ip"]).response["MetricSet"] == []
    assert _call(client, "DescribeBaseMetrics", Namespace="QCE/CVM", MetricName="x").error[0] == "InvalidParameterValue"
