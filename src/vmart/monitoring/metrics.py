"""What is measured: the columns of values, and in which unit people say each."""

from dataclasses import dataclass

MINUTE_S, FIVE_S, HOUR_S = 60, 300, 3600
PERIODS = (MINUTE_S, FIVE_S, HOUR_S)
TABLES = {MINUTE_S: "monitoring_minute", FIVE_S: "monitoring_five", HOUR_S: "monitoring_hour"}


@dataclass(frozen=True, slots=True)
class Metric:
    """``factor`` makes what is shown, in ``unit``, of what is kept."""

    column: str
    unit: str  # %, MiB, Mbit/s, MiB/s, 1/s
    factor: float = 1.0

    def shown(self, value: float) -> float:
        return value * self.factor

    def kept(self, shown: float) -> float:
        return shown / self.factor


_MBIT, _MIB = 8e-6, 2.0**-20
METRICS = {
    metric.column: metric
    for metric in (
        Metric("cpu_percent", "%"), Metric("memory_percent", "%"), Metric("memory_mib", "MiB"),
        Metric("disk_percent", "%"), Metric("disk_mib", "MiB"),
        Metric("disk_read_bytes", "MiB/s", _MIB), Metric("disk_written_bytes", "MiB/s", _MIB),
        Metric("disk_reads", "1/s"), Metric("disk_writes", "1/s"),
        Metric("received_bytes", "Mbit/s", _MBIT), Metric("sent_bytes", "Mbit/s", _MBIT),
        Metric("received_packets", "1/s"), Metric("sent_packets", "1/s"),
        Metric("public_sent_bytes", "Mbit/s", _MBIT),
    )
}  # fmt: skip
COLUMNS = tuple(METRICS)
