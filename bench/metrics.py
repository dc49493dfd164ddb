"""What monitoring costs: ``--machines`` simulated machines sampled, rolled up and watched by alarms, minute by minute.

One process does what a worker does for them, on business time that moves a minute each round; the worker of the shop
stands still. Prints processor seconds a minute of this process and of the database, as a share of one core (a round
stands for 60 s), rows a day and bytes a row. Ends with 1 above ``--most`` percent of a core, or when a row is missing.
"""

import argparse
import datetime as dt
import json
import os
import signal
import sqlite3
import sys
from typing import Any

from bench.lists import _prepare, superuser
from bench.shop import Shop

_ENGINE = """
INSERT INTO machine (name, member, power, subnet, private_ip, booted_at, on_since, vcpu, memory_mib, image, hostname)
VALUES (?, 'sim-1', 'running', 's', ?, ?, ?, 2, 4096, 'debian-12', 'bench')
"""
_ALARMS = """
INSERT INTO monitoring_alarm (public_id, account_id, name, metric, comparison, threshold, minutes, instance_ids,
                              tag_key, tag_value, language, created_at)
SELECT 'alarm-b' || row_number() OVER (), account_id, 'bench', 'cpu_percent', '>', 30, 5, '[]', '', '', 'en', now()
FROM (SELECT account_id FROM instances_instance GROUP BY 1 ORDER BY count(*) DESC LIMIT %s) AS a
"""
_SIZES = """
SELECT parent.relname AS name, sum(pg_total_relation_size(part.oid))::bigint AS bytes
FROM pg_inherits i JOIN pg_class parent ON parent.oid = i.inhparent JOIN pg_class part ON part.oid = i.inhrelid
WHERE parent.relname IN ('monitoring_minute', 'monitoring_five', 'monitoring_hour') GROUP BY 1
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--machines", type=int, default=10_000)
    parser.add_argument("--minutes", type=int, default=65)
    parser.add_argument("--alarms", type=int, default=20, help="rules, each of all machines of an account")
    parser.add_argument("--most", type=float, default=20.0, help="percent of one core")
    options = parser.parse_args()
    options.large, options.small, options.churn = options.machines // 4, options.machines // 100, 0.0
    with Shop() as shop:
        os.kill(shop.control["children"]["worker"], signal.SIGSTOP)
        try:
            _prepare(shop, options)
            figures = _run(shop, options)
        finally:
            os.kill(shop.control["children"]["worker"], signal.SIGCONT)
    print(json.dumps(figures))
    sys.exit(1 if figures["wrong"] or figures["core_percent"] > options.most else 0)


def _run(shop: Shop, options: argparse.Namespace) -> dict[str, Any]:
    from vmart.kernel import clock, db
    from vmart.kernel.partitions import ensure_partitions
    from vmart.monitoring import evaluate, roll_up, sample

    start = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
    at = [start]
    clock.install(lambda: at[0])
    ensure_partitions(start)
    zones = _fill_engines(shop, start)
    with superuser(shop) as own:
        own.execute(_ALARMS, [options.alarms])
    kept = told = 0
    before = shop.cpu_s()
    for _ in range(options.minutes):
        kept += sum(sample.zone(zone) for zone in zones)
        told += evaluate.at(at[0])
        at[0] += dt.timedelta(minutes=1)
        roll_up.until_now()
    spent = {name: value - before[name] for name, value in shop.cpu_s().items() if name in before}
    with superuser(shop) as own:
        own.execute("VACUUM ANALYZE monitoring_reading")
        sizes = dict(own.execute(_SIZES).fetchall())
    rows = {name: db.rows(f"SELECT count(*) AS n FROM {name}")[0]["n"] for name in sizes}
    a_minute = {name: round(value / options.minutes, 3) for name, value in spent.items() if name != "worker"}
    return {
        "bench": "metrics", "machines": options.machines, "minutes": options.minutes, "cpu_s_a_minute": a_minute,
        "core_percent": round(sum(a_minute.values()) / 60 * 100, 1), "notices": told,
        "bytes_a_row": {name: round(sizes[name] / rows[name]) for name in sizes if rows[name]},
        "rows_a_day": options.machines * (1440 + 288 + 24),
        "wrong": int(kept != options.machines * options.minutes)
        + int(rows["monitoring_five"] != options.machines * ((options.minutes - 1) // 5)),
    }  # fmt: skip


def _fill_engines(shop: Shop, start: dt.datetime) -> list[str]:
    """The simulated engine of each zone has the machines that the shop has there."""
    from vmart.kernel import db
    from vmart.provisioning.zone_engines import engine_of

    zones = [row["zone_id"] for row in db.rows("SELECT DISTINCT zone_id FROM instances_instance ORDER BY 1")]
    for zone in zones:
        engine = engine_of(zone)
        machines = db.rows("SELECT public_id, id FROM instances_instance WHERE zone_id = %s", zone)
        engine.list_ours()  # makes the file
        with sqlite3.connect(engine._file.path) as file:
            began = start.timestamp()
            file.executemany(_ENGINE, [(row["public_id"], str(row["id"]), began, began) for row in machines])
        file.close()
    return zones


if __name__ == "__main__":
    main()
