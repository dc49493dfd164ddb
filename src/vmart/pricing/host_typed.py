"""A host as the seller types it, for the calculator: refused where a number is none, by the name of its field."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from vmart.kernel.errors import InvalidValue
from vmart.pricing.calculator import Host


def whole(said: Mapping[str, Any], name: str, least: int, most: int) -> int:
    """A whole number that was typed. Raises InvalidValue."""
    text = str(said.get(name, "")).strip()
    if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise InvalidValue(
            "{value} is not right: a whole number from {least} to {most} is expected.",
            field=name, value=text[:20] or "(empty)", least=least, most=most,
        )  # fmt: skip
    return int(text)


def decimal(said: Mapping[str, Any], name: str, places: int, *, above_zero: bool = False) -> Decimal:
    """A price that was typed, 0 to 999,999,999, with at most so many decimals. Raises InvalidValue."""
    text = str(said.get(name, "")).strip()
    if not re.fullmatch(rf"[0-9]{{1,9}}(\.[0-9]{{1,{places}}})?", text) or (above_zero and not Decimal(text)):
        raise InvalidValue(
            "{value} is not right: a number{above} with at most {places} decimals is expected.",
            field=name, value=text[:20] or "(empty)", places=places, above=" > 0" if above_zero else "",
        )  # fmt: skip
    return Decimal(text)


def host(said: Mapping[str, Any]) -> Host:
    """The answers of the step ``host``. Raises InvalidValue."""
    cpu, memory = whole(said, "cpu_percent", 0, 100), whole(said, "memory_percent", 0, 100)
    if cpu + memory > 100:
        raise InvalidValue(
            "Processors and memory take {sum} percent of the cost together; all of it is 100.",
            field="memory_percent", sum=cpu + memory,
        )  # fmt: skip
    factor = decimal(said, "hour_factor", 2)
    if not 1 <= factor <= 10:
        raise InvalidValue("An hour costs 1 to 10 times its part of a month.", field="hour_factor")
    return Host(
        month=decimal(said, "month", 2, above_zero=True), vcpu=whole(said, "vcpu", 1, 10_000),
        memory_gib=whole(said, "memory_gib", 1, 100_000), disk_gib=whole(said, "disk_gib", 1, 10_000_000),
        vcpu_overcommit=whole(said, "vcpu_overcommit", 1, 64), fill_percent=whole(said, "fill_percent", 1, 100),
        margin_percent=whole(said, "margin_percent", 0, 95), cpu_percent=cpu, memory_percent=memory,
        line_month=decimal(said, "line_month", 2), line_mbps=whole(said, "line_mbps", 1, 1_000_000), hour_factor=factor,
    )  # fmt: skip
