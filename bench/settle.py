"""The hourly close of many machines against the bare SQL that it cannot do without, in turn, fsync on.

The floor is one INSERT … SELECT of as many charge rows, out of the segments, into a table with the same columns and
key, and one UPDATE of as many account rows and one of as many statement rows, on one connection in the same run and
database. The close runs in a process
of its own, as a worker runs it, over a shop whose worker is halted. Prints seconds, their ratio (of medians), the
ratio of the server's processor seconds, the rerun of a closed hour, the closing process's memory and the longest
transaction.

``--machines``, ``--accounts`` (a third of the machines), ``--samples`` (of traffic, an hour), ``--rounds``.
"""

import argparse
import datetime as dt
import json
import multiprocessing
import os
import resource
import signal
import statistics
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import psycopg

from bench.shop import Shop

HOUR = dt.timedelta(hours=1)
FIRST = dt.datetime(2026, 3, 10, 2, tzinfo=dt.UTC)
_BANDWIDTH = _TRAFFIC = 3  # machines of ten

# Every machine has CPU and a system disk; three of ten pay by bandwidth, three by traffic; one of ten has tiers.
_LOAD = """
INSERT INTO customers_account (id, name, created_at, credit_limit_minor, quota_set, frozen_reason)
SELECT 1000 + n, 'bench', %(start)s, 0, 'default', '' FROM generate_series(1, %(accounts)s) AS n;
INSERT INTO ledger_purses SELECT 1000 + n, 10 ^ 9, 0, 0, 50 * (n %% 2), 0, 0, 0, 0, 0
FROM generate_series(1, %(accounts)s) AS n;
CREATE TABLE bench_machine AS
SELECT 1000 + n AS id, 1001 + (n - 1) * %(accounts)s::bigint / %(machines)s AS account_id, n %% 10 AS kind
FROM generate_series(1, %(machines)s) AS n;
INSERT INTO metering_segment (account_id, subscription_id, component, price_key, quantity, age_s, started_at)
SELECT account_id, CASE component WHEN 'disk' THEN id + 100000000 ELSE id END, component, price_key, quantity, 0,
       %(start)s::timestamptz - id %% 700 * interval '1 hour 7 seconds'
FROM bench_machine CROSS JOIN LATERAL (VALUES
  ('cpu', 'ap-guangzhou/cpu/' || CASE WHEN kind = 0 THEN 'S1.SMALL1' ELSE 'S5.MEDIUM4' END, 1, 0, 9),
  ('disk', 'ap-guangzhou/disk/CLOUD_PREMIUM', 50 + id %% 8 * 10, 0, 9),
  ('bandwidth', 'ap-guangzhou/bandwidth', 1 + id %% 20, 1, 3),
  ('traffic', 'ap-guangzhou/traffic', 1, 4, 6)
) AS line (component, price_key, quantity, from_kind, to_kind) WHERE kind BETWEEN from_kind AND to_kind
ORDER BY id %% 7, id;
CREATE TABLE bench_charge (LIKE bills_charge INCLUDING DEFAULTS,
                           PRIMARY KEY (hour, account_id, subscription_id, component, revision));
CREATE TABLE bench_account (LIKE ledger_purses INCLUDING DEFAULTS INCLUDING CONSTRAINTS, PRIMARY KEY (account_id));
INSERT INTO bench_account SELECT * FROM ledger_purses WHERE account_id > 1000;
CREATE TABLE bench_carry (LIKE bills_carry INCLUDING DEFAULTS, PRIMARY KEY (account_id, month)) WITH (fillfactor = 50);
INSERT INTO bench_carry SELECT account_id, '2026-03-01', 0, 0, %(start)s FROM bench_account;
"""
_SUBSCRIPTIONS = """
INSERT INTO subscriptions_subscription (id, account_id, zone_id, kind, public_id, bundle_id, created_at, charge_type,
  standing, renew_flag, isolated_source, started_at, hold_id, hold_number)
SELECT id, account_id, 'ap-guangzhou-4', 'machine', 'ins-' || id, id, %(start)s, 'POSTPAID_BY_HOUR', 'active',
       'NOTIFY_AND_MANUAL_RENEW', 'NOTISOLATED', %(start)s::timestamptz, gen_random_uuid(), 1 FROM bench_machine
UNION ALL
SELECT id + 100000000, account_id, 'ap-guangzhou-4', 'disk', 'disk-' || id, id, %(start)s, '', '', '', '',
       NULL, NULL, 0 FROM bench_machine
"""
_SAMPLES = """
INSERT INTO metering_sample (subscription_id, at, account_id, price_key, out_bytes)
SELECT id, %(hour)s::timestamptz + n * interval '1 hour' / %(samples)s, account_id,
       'ap-guangzhou/traffic', 10 ^ 7 + id * 13
FROM bench_machine, generate_series(0, %(samples)s - 1) AS n WHERE kind BETWEEN 4 AND 6
"""
_FLOOR_CHARGES = """
INSERT INTO bench_charge (hour, account_id, subscription_id, revision, duration_s, out_bytes, closed_in,
                          statement_month, component, exact_e8)
SELECT %(hour)s, account_id, subscription_id, 0, 3600, 0, %(hour)s, '2026-03-01', component, quantity
FROM metering_segment WHERE ended_at IS NULL
"""
_FLOOR_ACCOUNTS = "UPDATE bench_account SET cash_debits_posted = cash_debits_posted + 71"
_FLOOR_STATEMENTS = """
UPDATE bench_carry SET exact_e8 = exact_e8 + 71000000, deducted_minor = deducted_minor + 71, closed_through = %(hour)s
"""


_CALMED = ("ledger_purses", "bench_account", "bills_carry", "bench_carry", "metering_segment", "metering_sample")


class Closer:
    """Runs in a process of its own: what a worker does at the end of an hour."""

    @staticmethod
    def open(environment: dict[str, str]) -> None:
        os.environ.update(environment)
        from vmart.config import bring_up

        bring_up.setup()

    @staticmethod
    def close(hour: dt.datetime) -> dict[str, float]:
        from vmart.kernel import clock
        from vmart.settlement import close

        clock.install(lambda: hour + HOUR)
        begun = time.perf_counter()
        charges, deducted = close.close(hour)
        seconds = time.perf_counter() - begun
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {"seconds": seconds, "charges": charges, "deducted": deducted, "peak_mib": peak_mib}


class Longest(threading.Thread):
    """Looks for the longest transaction while the close runs."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url, self._halt, self.seconds = url, threading.Event(), 0.0

    def run(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as own:
            while not self._halt.wait(0.05):
                row = own.execute(
                    "SELECT extract(epoch FROM max(clock_timestamp() - xact_start)) FROM pg_stat_activity"
                    " WHERE query LIKE '%settlement_close%' AND pid <> pg_backend_pid()"
                ).fetchone()
                self.seconds = max(self.seconds, float(row[0] or 0)) if row else self.seconds

    def stop(self) -> float:
        self._halt.set()
        self.join()
        return self.seconds


class Bench:
    """A loaded shop, its closing process, and the floor beside it."""

    def __init__(self, shop: Shop, options: argparse.Namespace) -> None:
        from vmart.config.places import Places
        from vmart.config.postgres import DATABASE, SUPERUSER, Embedded

        places = Places.of(shop.data_dir)
        server = Embedded(places.pgdata, places.database_socket_dir)
        self.url, self.super_url = server.url(), server.url(DATABASE, role=SUPERUSER)
        self.shop, self.options = shop, options
        self.hour = FIRST
        self.own = psycopg.connect(self.url, autocommit=True, cursor_factory=psycopg.ClientCursor)
        values = {"start": FIRST, "machines": options.machines, "accounts": options.accounts}
        self.own.execute(_LOAD, values)
        self.own.execute(_SUBSCRIPTIONS, values)
        self.own.execute("UPDATE metering_horizon SET closed_until = %s", [FIRST])
        self.pool = ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), Closer.open, (shop.control["environment"],)
        )

    def settle(self) -> dict[str, float]:
        """Close the next hour; then the same hour again."""
        if self.options.samples:
            self.own.execute(_SAMPLES, {"hour": self.hour, "samples": self.options.samples})
        self._calm()
        longest = Longest(self.url)
        longest.start()
        before = self.shop.cpu_s()["postgres"]
        closed = self.pool.submit(Closer.close, self.hour).result()
        closed["cpu_s"] = self.shop.cpu_s()["postgres"] - before
        closed["longest_transaction_s"] = longest.stop()
        again = self.pool.submit(Closer.close, self.hour).result()
        assert (again["charges"], again["deducted"]) == (0, 0), again
        closed["rerun_s"], closed["peak_mib"] = again["seconds"], again["peak_mib"]
        self.hour += HOUR
        return closed

    def floor(self) -> tuple[float, float]:
        """Seconds of the bare statements for the hour just closed, and the server's processor seconds."""
        self._calm()
        before, begun = self.shop.cpu_s()["postgres"], time.perf_counter()
        self.own.execute(_FLOOR_CHARGES, {"hour": self.hour - HOUR})
        self.own.execute(_FLOOR_ACCOUNTS)
        self.own.execute(_FLOOR_STATEMENTS, {"hour": self.hour - HOUR})
        return time.perf_counter() - begun, self.shop.cpu_s()["postgres"] - before

    def _calm(self) -> None:
        """Both begin behind a checkpoint, on tables as autovacuum keeps them."""
        with psycopg.connect(self.super_url, autocommit=True) as superuser:
            for table in _CALMED:
                superuser.execute(f"VACUUM (ANALYZE) {table}")
            superuser.execute("ANALYZE bills_charge")
            superuser.execute("CHECKPOINT")

    def end(self) -> None:
        self.pool.shutdown()
        self.own.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--machines", type=int, default=100_000)
    parser.add_argument("--accounts", type=int)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    options.accounts = options.accounts or max(1, options.machines // 3)
    with Shop("--test-clock", FIRST.isoformat()) as shop:
        os.kill(shop.control["children"]["worker"], signal.SIGSTOP)
        try:
            _run(shop, options)
        finally:
            os.kill(shop.control["children"]["worker"], signal.SIGCONT)


def _run(shop: Shop, options: argparse.Namespace) -> None:
    bench = Bench(shop, options)
    first = bench.settle()  # fills the caches
    print(f"first hour: {first}", flush=True)
    bench.floor()
    rounds = []
    for number in range(options.rounds):
        figures = bench.settle()
        figures["floor_s"], figures["floor_cpu_s"] = bench.floor()
        figures["ratio"] = figures["seconds"] / figures["floor_s"]
        print(f"round {number + 1}: " + ", ".join(f"{name} {value:.2f}" for name, value in figures.items()), flush=True)
        rounds.append(figures)
    bench.end()
    print(json.dumps(_summary(options, rounds)))


def _summary(options: argparse.Namespace, rounds: list[dict[str, float]]) -> dict[str, Any]:
    def median(name: str) -> float:
        return round(statistics.median(figures[name] for figures in rounds), 2)

    return {
        "bench": "settle", "machines": options.machines, "accounts": options.accounts,
        "samples_per_traffic_machine": options.samples, "rounds": len(rounds), "charges": int(rounds[0]["charges"]),
        "close_s": median("seconds"), "floor_s": median("floor_s"),
        "ratio": round(median("seconds") / median("floor_s"), 2),
        "cpu_ratio": round(median("cpu_s") / median("floor_cpu_s"), 2), "rerun_s": median("rerun_s"),
        "rerun_charges": 0,
        "longest_transaction_s": max(round(figures["longest_transaction_s"], 2) for figures in rounds),
        "peak_memory_mib": round(max(figures["peak_mib"] for figures in rounds)),
    }  # fmt: skip


if __name__ == "__main__":
    main()
