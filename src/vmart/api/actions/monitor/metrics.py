"""monitor: GetMonitorData, DescribeBaseMetrics. What machines use, under the names of the namespace QCE/CVM."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, NotRequired, TypedDict

from pydantic import Field

from vmart.api.declarations import Code, PublicId, Shape, one_of, only
from vmart.api.registry import MONITOR, Action, Call, Resource
from vmart.api.words import utc_text
from vmart.kernel import clock
from vmart.kernel.errors import InvalidValue
from vmart.listings import machines
from vmart.monitoring import series
from vmart.monitoring.metrics import FIVE_S, HOUR_S, MINUTE_S, PERIODS

NAMESPACE, INSTANCE_ID = "QCE/CVM", "InstanceId"
INSTANCES_MAX, POINTS_MAX = 50, 7200  # of a request, as published
_SPAN = dt.timedelta(hours=1)  # before EndTime, where StartTime is left away
_AVERAGE = 1


@dataclass(frozen=True, slots=True)
class Published:
    """A metric as the API calls it; ``factor`` makes its value of the column's. Texts: English, Chinese."""

    column: str
    unit: str
    factor: float
    title: tuple[str, str]
    meaning: tuple[str, str]


_MBPS = 8e-6
_LINK = (
    "all that goes by the machine's network interface, what goes to the internet too",
    "经由云服务器网卡的全部流量，包括去往公网的流量",
)
METRICS: Mapping[str, Published] = {
    "CPUUsage": Published(
        "cpu_percent", "%", 1, ("CPU usage", "CPU 利用率"),
        ("Share of all its vCPU that a machine used", "云服务器已使用的 CPU 占其全部 vCPU 的比例"),
    ),
    "MemUsage": Published(
        "memory_percent", "%", 1, ("Memory usage", "内存利用率"),
        ("Memory in use without the page cache, of all it has", "已使用内存（不含页面缓存）占全部内存的比例"),
    ),
    "MemUsed": Published(
        "memory_mib", "MB", 1, ("Memory used", "内存使用量"),
        ("Memory in use without the page cache, 2^20 bytes each", "已使用内存（不含页面缓存），单位为 2^20 字节"),
    ),
    "CvmDiskUsage": Published(
        "disk_percent", "%", 1, ("Disk usage", "磁盘利用率"),
        ("How full the system disk is, where its pool tells", "系统盘已使用容量的比例，存储池可提供时有值"),
    ),
    "LanIntraffic": Published("received_bytes", "Mbps", _MBPS, ("Network in", "内网入带宽"), _LINK),
    "LanOuttraffic": Published("sent_bytes", "Mbps", _MBPS, ("Network out", "内网出带宽"), _LINK),
    "LanInpkg": Published("received_packets", "pkt/s", 1, ("Packets in", "内网入包量"), _LINK),
    "LanOutpkg": Published("sent_packets", "pkt/s", 1, ("Packets out", "内网出包量"), _LINK),
    "WanOuttraffic": Published(
        "public_sent_bytes", "Mbps", _MBPS, ("Public network out", "外网出带宽"),
        ("What left by the machine's public addresses", "经由云服务器公网地址流出的流量"),
    ),
}  # fmt: skip

_Text = Annotated[str, Field(max_length=60)]
_Namespace = Annotated[Literal["QCE/CVM"], Code("InvalidParameterValue")]
_Period = Annotated[int, one_of(*PERIODS), Code("InvalidParameterValue")]


class Dimension(Shape):
    """Of machines there is one: InstanceId."""

    name: Annotated[Literal["InstanceId"], Code("InvalidParameterValue")]
    value: PublicId


class Instance(Shape):
    """A machine, by its one dimension."""

    dimensions: Annotated[list[Dimension], Field(min_length=1, max_length=1), Code("InvalidParameterValue")]


class GetMonitorData(Shape):
    """One metric of machines over a time; at most 7,200 values are asked for at once."""

    namespace: _Namespace
    metric_name: _Text
    instances: Annotated[list[Instance], Field(min_length=1, max_length=INSTANCES_MAX), Code("InvalidParameterValue")]
    period: _Period = FIVE_S
    start_time: _Text | None = None
    end_time: _Text | None = None
    specify_statistics: Annotated[int | None, only(_AVERAGE)] = None


class DescribeBaseMetrics(Shape):
    """Which metrics there are."""

    namespace: _Namespace
    metric_name: _Text | None = None
    dimensions: Annotated[list[_Text], Field(max_length=10), Code("InvalidParameterValue")] = []


class DimensionAnswer(TypedDict):
    """As it was asked for."""

    Name: str
    Value: str


class DataPointAnswer(TypedDict):
    """Of one machine: seconds since 1970 at which periods begin, and their means; a gap has neither."""

    Dimensions: list[DimensionAnswer]
    Timestamps: list[float]
    Values: list[float]
    AvgValues: NotRequired[list[float]]


class GetMonitorDataAnswer(TypedDict):
    """Machines in the order asked for, each once."""

    Period: int
    MetricName: str
    DataPoints: list[DataPointAnswer]
    StartTime: str | None
    EndTime: str | None
    Msg: str


class PeriodsStAnswer(TypedDict):
    """A period and what is told of it."""

    Period: str
    StatType: list[str]


class MetricObjectMeaningAnswer(TypedDict):
    """In both languages."""

    En: str
    Zh: str


class DimensionsDescAnswer(TypedDict):
    """What names a thing that is measured."""

    Dimensions: list[str]


class MetricSetAnswer(TypedDict):
    """One metric."""

    Namespace: str
    MetricName: str
    Unit: str
    UnitCname: str
    Period: list[int]
    Periods: list[PeriodsStAnswer]
    Meaning: MetricObjectMeaningAnswer
    Dimensions: list[DimensionsDescAnswer]
    MetricCName: str
    MetricEName: str


class DescribeBaseMetricsAnswer(TypedDict):
    """All, or the one that was asked for."""

    MetricSet: list[MetricSetAnswer]


def get_monitor_data(call: Call, asked: GetMonitorData) -> GetMonitorDataAnswer:
    """Periods that begin in [StartTime, EndTime], both cut to whole ones. A machine that there is not is refused."""
    metric = METRICS[_named(asked.metric_name)]
    public_ids = list(dict.fromkeys(one.dimensions[0].value for one in asked.instances))
    start, end = _time(asked)
    points = int((end - start).total_seconds()) // asked.period + 1
    if points * len(public_ids) > POINTS_MAX:
        raise InvalidValue(
            "That is {points} values; at most {most} are told at once: ask for a shorter time or a longer Period.",
            field="end_time", points=points * len(public_ids), most=POINTS_MAX,
        )  # fmt: skip
    numbers = machines.numbers(call.account_id, public_ids)
    _refuse_unknown(public_ids, numbers)
    values = series.of_metric(metric.column, list(numbers.values()), asked.period, start, end)
    with_average = asked.specify_statistics is not None
    told = [_points(one, metric, values.get(numbers[one], []), with_average=with_average) for one in public_ids]
    return {
        "Period": asked.period, "MetricName": asked.metric_name, "DataPoints": told, "StartTime": utc_text(start),
        "EndTime": utc_text(end), "Msg": "",
    }  # fmt: skip


# Tencent's own MCP server asks for CpuUsage.
_IN_LOWER_CASE = {name.lower(): name for name in METRICS}


def _named(name: str) -> str:
    """The metric's name as it is listed, however it is spelt."""
    if name.lower() not in _IN_LOWER_CASE:
        raise InvalidValue(
            "There is no metric {metric} in QCE/CVM; possible are {names}.",
            field="metric_name", metric=name or "(empty)", names=", ".join(METRICS),
        )  # fmt: skip
    return _IN_LOWER_CASE[name.lower()]


def _refuse_unknown(public_ids: list[str], numbers: Mapping[str, int]) -> None:
    for place, one in enumerate(public_ids):
        if one not in numbers:
            raise InvalidValue(
                "There is no machine {machine}.",
                field=f"instances.{place}.dimensions.0.value",
                machine=one or "(empty)",
            )


def _time(asked: GetMonitorData) -> tuple[dt.datetime, dt.datetime]:
    now = clock.now()
    end = _instant(asked.end_time, "end_time") if asked.end_time else now
    start = _instant(asked.start_time, "start_time") if asked.start_time else end - _SPAN
    if start > end:
        raise InvalidValue("EndTime lies before StartTime.", field="end_time")
    return _cut(start, asked.period), _cut(end, asked.period)


def _instant(text: str, field: str) -> dt.datetime:
    """ISO 8601 with its offset, of the years that the shop's clock may show."""
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not 1971 <= found.year <= 2200:
        raise InvalidValue("An instant is said with its offset, such as 2026-03-10T10:00:00+08:00.", field=field)
    return found.astimezone(dt.UTC)


def _cut(instant: dt.datetime, seconds: int) -> dt.datetime:
    whole = int(instant.timestamp()) // seconds * seconds
    return dt.datetime.fromtimestamp(whole, dt.UTC)


def _points(
    public_id: str, metric: Published, values: list[tuple[dt.datetime, float]], *, with_average: bool
) -> DataPointAnswer:
    shown = [round(value * metric.factor, 4) for _at, value in values]
    found: DataPointAnswer = {
        "Dimensions": [{"Name": INSTANCE_ID, "Value": public_id}],
        "Timestamps": [at.timestamp() for at, _value in values],
        "Values": shown,
    }
    return found | {"AvgValues": shown} if with_average else found


def describe_base_metrics(call: Call, asked: DescribeBaseMetrics) -> DescribeBaseMetricsAnswer:
    """Of InstanceId, which all of them have; none where another dimension is asked for."""
    wanted = [_named(asked.metric_name)] if asked.metric_name else list(METRICS)
    found = [] if any(name != INSTANCE_ID for name in asked.dimensions) else wanted
    return {"MetricSet": [_told(name, METRICS[name]) for name in found]}


def _told(name: str, metric: Published) -> MetricSetAnswer:
    return {
        "Namespace": NAMESPACE, "MetricName": name, "Unit": metric.unit, "UnitCname": metric.unit,
        "Period": [MINUTE_S, FIVE_S, HOUR_S],
        "Periods": [{"Period": str(seconds), "StatType": ["avg"]} for seconds in PERIODS],
        "Meaning": {"En": metric.meaning[0], "Zh": metric.meaning[1]}, "Dimensions": [{"Dimensions": [INSTANCE_ID]}],
        "MetricCName": metric.title[1], "MetricEName": metric.title[0],
    }  # fmt: skip


ACTIONS = (
    Action.called(
        GetMonitorData, GetMonitorDataAnswer, get_monitor_data, service="monitor", version=MONITOR, writes=False,
        touches={Resource.MACHINE: "instances.dimensions.value"},
    ),
    Action.called(
        DescribeBaseMetrics, DescribeBaseMetricsAnswer, describe_base_metrics, service="monitor", version=MONITOR,
        writes=False,
    ),
)  # fmt: skip
