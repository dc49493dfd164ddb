"""DescribeInstances of a large account against those of a small one, over signed HTTP through the real web process.

Among ``--machines`` there is one account with ``--large`` and one with ``--small``; the others have about as many as
the small one. Machines were bought by tens, so that those of an account lie scattered. Each question is asked of
both accounts in turn, on one kept-alive connection each. Prints p10, p50 and p99 of each and their ratios, medians of
``--rounds``; ends with 1 when an answer is not what was put in (its TotalCount exact, its rows as many as they are).

``--churn``: this part of all machines is written to after the tables were vacuumed, as a busy shop does.
``--keep``: waits at the end, so that plans can be looked at and changes tried.
"""

import argparse
import json
import os
import re
import signal
import socket
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from bench.purchase import Signer
from bench.shop import Shop

PAGE = 100

# Tens: bench_ten says whose the n-th ten machines are; k counts an account's own tens from 0.
_TENS = """
CREATE TABLE bench_ten AS
SELECT n, account_id, row_number() OVER (PARTITION BY account_id ORDER BY n) - 1 AS k FROM (
  SELECT n, CASE WHEN n %% %(large_step)s = 0 AND n / %(large_step)s < %(large)s / 10 THEN %(large_id)s
                 WHEN n %% %(small_step)s = 1 AND n / %(small_step)s < %(small)s / 10 THEN %(small_id)s
                 ELSE 100000 + n * 7919 %% %(others)s END AS account_id
  FROM generate_series(0, %(machines)s / 10 - 1) AS n) AS ten;
CREATE TABLE bench_machine AS
SELECT 1000000 + n * 10 + one AS id, account_id, k, one, k * 10 + one AS nth,
       %(start)s::timestamptz + n * interval '20 seconds' AS at,
       CASE WHEN k %% 10 = 1 THEN 'ap-guangzhou-3' WHEN k %% 10 = 2 THEN 'ap-guangzhou-6' ELSE 'ap-guangzhou-4' END
         AS zone_id,
       CASE WHEN k IN (3, 7) THEN 'SHUTDOWN' WHEN one = 0 THEN 'STOPPED' ELSE 'RUNNING' END AS state,
       k %% 10 >= 7 AS prepaid, one < 3 AS public,
       lpad(to_hex((n * 10 + one) * 2654435761 %% 4294967296), 8, '0') AS code  -- looks random, is unique
FROM bench_ten CROSS JOIN generate_series(0, 9) AS one ORDER BY id;
CREATE UNIQUE INDEX ON bench_machine (id);
ANALYZE bench_machine;
"""
_ACCOUNTS = """
INSERT INTO customers_account (id, name, created_at, credit_limit_minor, quota_set, frozen_reason)
SELECT DISTINCT account_id, 'bench', %(start)s::timestamptz, 0, 'default', ''
FROM bench_ten WHERE account_id >= 100000;
INSERT INTO network_vpc (public_id, account_id, region_id, cidr, created_at)
SELECT DISTINCT 'vpc-b' || account_id, account_id, 'ap-guangzhou', '10.0.0.0/8', %(start)s::timestamptz FROM bench_ten;
INSERT INTO network_subnet (public_id, account_id, vpc_id, zone_id, number, cidr, prefix, next_host, created_at)
SELECT 'subnet-b' || account_id || right(code, 1), account_id, v.id, code, n * 3 + place,
       CASE WHEN account_id = %(large_id)s THEN inet '10.0.0.0' + place * 32768
            ELSE inet '10.64.0.0' + (n * 3 + place) * 4096 END,
       CASE WHEN account_id = %(large_id)s THEN 17 ELSE 20 END, 4000, %(start)s
FROM (SELECT v.id, v.account_id, row_number() OVER (ORDER BY v.id) - 1 AS n FROM network_vpc v) AS v
CROSS JOIN (VALUES ('ap-guangzhou-3', 0), ('ap-guangzhou-4', 1), ('ap-guangzhou-6', 2)) AS zone (code, place);
"""
_SUBSCRIPTIONS = """
INSERT INTO subscriptions_subscription (id, account_id, zone_id, kind, public_id, bundle_id, created_at, charge_type,
  standing, renew_flag, started_at, anchor_at, expires_at, isolated_source, isolated_at, release_at, hold_number)
SELECT m.id, m.account_id, m.zone_id, 'machine', 'ins-' || code, m.id, at,
       CASE WHEN prepaid THEN 'PREPAID' ELSE 'POSTPAID_BY_HOUR' END,
       CASE state WHEN 'SHUTDOWN' THEN 'isolated' ELSE 'active' END, 'NOTIFY_AND_MANUAL_RENEW', at,
       CASE WHEN prepaid THEN at END, CASE WHEN prepaid THEN at + interval '1 month' END,
       CASE state WHEN 'SHUTDOWN' THEN 'MANMADE' ELSE 'NOTISOLATED' END,
       CASE state WHEN 'SHUTDOWN' THEN at + interval '1 day' END,
       CASE state WHEN 'SHUTDOWN' THEN at + interval '8 days' END, 1 FROM bench_machine m ORDER BY m.id;
INSERT INTO subscriptions_subscription (id, account_id, zone_id, kind, public_id, bundle_id, created_at, charge_type,
  standing, renew_flag, isolated_source, hold_number)
SELECT m.id + 100000000, m.account_id, m.zone_id, 'disk', 'disk-' || code, m.id, at, '', '', '', '', 0
FROM bench_machine m ORDER BY m.id;
INSERT INTO subscriptions_item (subscription_id, component, mode, price_key, quantity, book_version, pausable, from_at)
SELECT CASE component WHEN 'disk' THEN m.id + 100000000 ELSE m.id END, component,
       CASE WHEN component = 'traffic' THEN 'traffic' WHEN prepaid THEN 'month' ELSE 'hour' END, price_key, quantity,
       1, component = 'cpu', at
FROM bench_machine m CROSS JOIN LATERAL (VALUES
  ('cpu', 'ap-guangzhou/cpu/S5.MEDIUM4', 1, true), ('disk', 'ap-guangzhou/disk/CLOUD_PREMIUM', 50, true),
  ('traffic', 'ap-guangzhou/traffic', 1, m.public)) AS line (component, price_key, quantity, has) WHERE has
ORDER BY m.id;
"""
_INSTANCES = """
INSERT INTO instances_instance (id, public_id, account_id, zone_id, instance_type_id, image_id, vcpu, memory_mib, name,
  hostname, charge_type, internet_charge_type, bandwidth_mbps, public_ip_wanted, state, stop_charging_mode,
  latest_operation, latest_operation_state, latest_operation_request_id, latest_operation_error_code,
  latest_operation_error, kind, subnet_id, private_ip, mac, public_ip, login_user, password_hash, ssh_keys, key_ids,
  user_data, termination_protected, created_at)
SELECT m.id, 'ins-' || code, m.account_id, m.zone_id, 'S5.MEDIUM4', %(image)s, 2, 4096,
       CASE WHEN m.one < 4 THEN 'worker' ELSE 'web-' || m.nth END, 'ins-' || code,
       CASE WHEN m.prepaid THEN 'PREPAID' ELSE 'POSTPAID_BY_HOUR' END, 'TRAFFIC_POSTPAID_BY_HOUR',
       CASE WHEN m.public THEN 5 ELSE 0 END, m.public, m.state, 'NOT_APPLICABLE', 'RunInstances', 'SUCCESS',
       gen_random_uuid()::text, '', '', 'container', s.id, s.cidr + (10 + m.nth)::int,
       '00:16:3e:' || regexp_replace(substr(code, 1, 6), '(..)(..)(..)', '\\1:\\2:\\3'),
       CASE WHEN m.public THEN inet '100.64.0.0' + (m.id - 1000000) END, 'root',
       '$6$' || repeat(md5(code), 3), '[]', '[]', '', false, at
FROM bench_machine m JOIN network_subnet s ON s.account_id = m.account_id AND s.zone_id = m.zone_id ORDER BY m.id;
INSERT INTO network_private_address (subnet_id, ip, instance_id)
SELECT subnet_id, private_ip, id FROM instances_instance WHERE id >= 1000000 ORDER BY id;
INSERT INTO network_public_address (zone_id, ip, instance_id, account_id, withdrawn)
SELECT zone_id, public_ip, id, account_id, false FROM instances_instance WHERE public_ip IS NOT NULL ORDER BY id;
INSERT INTO storage_disk (id, public_id, account_id, instance_id, usage, disk_type, size_gib, position,
  delete_with_instance, name)
SELECT id + 100000000, 'disk-' || code, account_id, id, 'SYSTEM_DISK', 'CLOUD_PREMIUM', 50, 0, true, ''
FROM bench_machine ORDER BY id;
INSERT INTO events_event (at, account_id, subject_kind, subject_id, kind, detail, actor)
SELECT at + n * interval '3 seconds', account_id, 'machine', id,
       CASE n WHEN 0 THEN 'StartInstances' ELSE 'delivered' END, '{}', '{}'
FROM bench_machine, generate_series(0, 1) AS n ORDER BY id;
"""
_CHURN = """
UPDATE instances_instance SET latest_operation_request_id = gen_random_uuid()::text, state =
  CASE state WHEN 'RUNNING' THEN 'REBOOTING' ELSE state END WHERE id %% 1000 < 1000 * %(churn)s;
UPDATE instances_instance SET state = 'RUNNING' WHERE state = 'REBOOTING';
"""


Figures = dict[str, float]


@dataclass(frozen=True)
class Account:
    """One of the two: its machines and who signs for it."""

    name: str
    machines: int
    id: int
    signer: Signer


# Name, condition in SQL, filter and values of the API, pages.
_KINDS: tuple[tuple[str, str, str, list[str], str], ...] = (
    ("all", "true", "", [], "first middle last"),
    ("RUNNING", "state = 'RUNNING'", "instance-state", ["RUNNING"], "first middle last"),
    ("SHUTDOWN (few)", "state = 'SHUTDOWN'", "instance-state", ["SHUTDOWN"], "first"),
    ("two states", "state <> 'SHUTDOWN'", "instance-state", ["RUNNING", "STOPPED"], "first middle"),
    ("zone of most", "zone_id = 'ap-guangzhou-4'", "zone", ["ap-guangzhou-4"], "first middle"),
    ("zone of a tenth", "zone_id = 'ap-guangzhou-6'", "zone", ["ap-guangzhou-6"], "first"),
    ("postpaid", "NOT prepaid", "instance-charge-type", ["POSTPAID_BY_HOUR"], "first middle"),
    ("prepaid", "prepaid", "instance-charge-type", ["PREPAID"], "first middle"),
    ("one name", "nth = 55", "instance-name", ["web-55"], "first"),
    ("name of many", "one < 4", "instance-name", ["worker"], "first middle"),
)


@dataclass(frozen=True)
class Question:
    """A request by account, and how many machines it finds at all and on this page."""

    name: str
    body: dict[str, Any]
    total: int
    rows: int


class Questions:
    """What is asked of an account, and the answers, counted by hand from the table that the machines came from."""

    def __init__(self, own: "psycopg.Connection[Any]", account: Account) -> None:
        self._own, self._account = own, account

    def all(self) -> Iterator[Question]:
        for name, condition, member, values, parts in _KINDS:
            total = self._count(condition)
            for part in parts.split():
                offset = {"first": 0, "middle": total // 2, "last": max(0, total - PAGE)}[part]
                body = {"Limit": PAGE, "Offset": offset, **_filter(member, values)}
                yield Question(f"{name}, {part}", body, total, min(PAGE, total - offset))
        yield Question("5 private addresses", _filter("private-ip-address", self._five("host(private_ip)")), 5, 5)
        yield Question("5 public addresses", _filter("public-ip-address", self._five("host(public_ip)")), 5, 5)
        yield Question("5 uuids", _filter("uuid", self._uuids()), 5, 5)
        yield Question("100 ids", {"InstanceIds": self._spread("public_id", PAGE), "Limit": PAGE}, PAGE, PAGE)

    def _count(self, condition: str) -> int:
        row = self._own.execute(
            f"SELECT count(*) FROM bench_machine WHERE account_id = %s AND {condition}", [self._account.id]
        ).fetchone()
        return int(row[0]) if row else 0

    def _spread(self, column: str, count: int) -> list[str]:
        """Of machines with a public address all over the account."""
        rows = self._own.execute(
            f"SELECT {column} FROM instances_instance WHERE account_id = %s AND public_ip IS NOT NULL ORDER BY id",
            [self._account.id],
        ).fetchall()
        return [str(rows[len(rows) * n // count][0]) for n in range(count)]

    def _five(self, column: str) -> list[str]:
        return self._spread(column, 5)

    def _uuids(self) -> list[str]:
        from vmart.kernel import ids

        return [str(ids.machine_uuid(public_id)) for public_id in self._five("public_id")]


def _filter(member: str, values: list[str]) -> dict[str, Any]:
    return {"Filters": [{"Name": member, "Values": values}]} if member else {}


class Asker:
    """One kept-alive connection to the shop."""

    def __init__(self, endpoint: str) -> None:
        host, _, port = endpoint.rpartition(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def ask(
        self, signer: Signer, body: dict[str, Any], action: str = "DescribeInstances"
    ) -> tuple[float, dict[str, Any]]:
        """Seconds until the whole answer was here, and the answer."""
        request = signer.request(json.dumps(body).encode(), action)
        begun = time.perf_counter()
        self._socket.sendall(request)
        length = 0
        while (line := self._file.readline()) not in (b"\r\n", b""):
            if match := re.match(rb"content-length: (\d+)", line, re.IGNORECASE):
                length = int(match.group(1))
        answer = self._file.read(length)
        return time.perf_counter() - begun, dict(json.loads(answer)["Response"])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--machines", type=int, default=1_000_000)
    parser.add_argument("--large", type=int, default=25_000)
    parser.add_argument("--small", type=int, default=1_000)
    parser.add_argument("--requests", type=int, default=200, help="of each question to each account, a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--churn", type=float, default=0.0)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    with Shop() as shop:
        os.kill(shop.control["children"]["worker"], signal.SIGSTOP)  # no engine has these machines
        try:
            accounts = prepare(shop, options)
            wrong = _run(shop, options, accounts)
            while options.keep and input(f"{shop.data_dir} is kept; 'again' asks again, Return ends it: "):
                wrong = _run(shop, options, accounts)
        finally:
            os.kill(shop.control["children"]["worker"], signal.SIGCONT)
    sys.exit(1 if wrong else 0)


def prepare(shop: Shop, options: argparse.Namespace) -> list[Account]:
    """Two accounts with keys, and all machines."""
    accounts = open_accounts(shop, options)
    from vmart.catalog import shop as catalog

    begun = time.monotonic()
    tens = options.machines // 10
    values = {
        "machines": options.machines, "large": options.large, "small": options.small, "large_id": accounts[0].id,
        "small_id": accounts[1].id, "large_step": tens * 10 // options.large,
        "small_step": tens * 10 // options.small,
        "others": max(1, (options.machines - options.large - options.small) // options.small),
        "start": "2026-01-10T02:00:00Z", "churn": options.churn,
        "image": next(image.public_id for image in catalog.current().images.values() if not image.unavailable_en),
    }  # fmt: skip
    with superuser(shop) as own:
        own.execute("SET session_replication_role = replica")  # keys agree as they are made: no check of each
        for part in (_TENS, _ACCOUNTS, _SUBSCRIPTIONS, _INSTANCES):
            own.execute(part, values)
        for table in ("instances_instance", "subscriptions_subscription", "subscriptions_item", "storage_disk",
                      "events_event", "network_private_address", "network_public_address"):  # fmt: skip
            own.execute(f"VACUUM (ANALYZE) {table}")
        if options.churn:
            own.execute(_CHURN, values)
        own.execute("CHECKPOINT")
    print(f"{options.machines} machines put in within {time.monotonic() - begun:.0f} s", flush=True)
    return accounts


def open_accounts(
    shop: Shop, options: argparse.Namespace, service: str = "cvm", kind: str = "machine"
) -> list[Account]:
    """The two of a kind of thing, with a key each that signs for the service."""
    shop.connect()
    from vmart.customers import api_keys
    from vmart.customers.models import User
    from vmart.events.actor import timer
    from vmart.kernel import clock
    from vmart.orders import open_account

    accounts = []
    for name in ("large", "small"):
        user = User.objects.create_user(f"{name}-{kind}@bench.invalid", None, date_joined=clock.now())
        opened = open_account.open_account(user, name)
        key, secret = api_keys.create(timer(opened.id), opened, user)
        signer = Signer(key.secret_id, secret, shop.ready["api_endpoint"], service)
        accounts.append(Account(name, getattr(options, name), opened.id, signer))
    return accounts


def superuser(shop: Shop) -> "psycopg.Connection[Any]":
    from vmart.config.places import Places
    from vmart.config.postgres import DATABASE, SUPERUSER, Embedded

    places = Places.of(shop.data_dir)
    url = Embedded(places.pgdata, places.database_socket_dir).url(DATABASE, role=SUPERUSER)
    return psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor)


def _run(shop: Shop, options: argparse.Namespace, accounts: list[Account]) -> int:
    """Ask, print and sum up; the number of answers that were not what they should be."""
    with superuser(shop) as own:
        asked = list(zip(*(Questions(own, account).all() for account in accounts), strict=True))
    asker = Asker(shop.ready["api_endpoint"])
    wrong: list[str] = []
    figures: dict[str, list[Figures]] = {pair[0].name: [] for pair in asked}
    for number in range(options.rounds):
        for pair in asked:
            figures[pair[0].name].append(_in_turn(asker, accounts, pair, options.requests, wrong))
        print(f"round {number + 1} of {options.rounds} is over", flush=True)
    if wrong:
        print(f"{len(wrong)} wrong answers, the first: {wrong[0]}")
    questions = {name: middle_of(rounds) for name, rounds in figures.items()}
    for name, middle in questions.items():
        print(f"{name:24} " + "  ".join(f"{label} {value:7.2f}" for label, value in middle.items()))
    worst = {
        f"worst_{label}": max(middle[label] for middle in questions.values()) for label in ("p50_ratio", "p99_ratio")
    }
    print(json.dumps({"bench": "lists", **_sizes(options), **worst, "wrong": len(wrong), "questions": questions}))
    return len(wrong)


def _in_turn(
    asker: Asker, accounts: list[Account], pair: tuple[Question, ...], requests: int, wrong: list[str]
) -> Figures:
    """Large, small, large, small …: both meet the same noise."""
    taken: dict[str, list[float]] = {account.name: [] for account in accounts}
    for _ in range(requests):
        for account, question in zip(accounts, pair, strict=True):
            seconds, answer = asker.ask(account.signer, question.body)
            taken[account.name].append(seconds * 1000)
            found = answer.get("TotalCount"), len(answer.get("InstanceSet", ()))
            if found != (question.total, question.rows):
                wrong.append(f"{question.name} of {account.name}: {found}, {answer.get('Error')}")
    return figures_of(taken)


def figures_of(taken: dict[str, list[float]]) -> Figures:
    """Milliseconds of both accounts at three places of their order, and the ratios."""
    figures = {}
    for label, part in (("p10", 0.1), ("p50", 0.5), ("p99", 0.99)):
        for name, times in taken.items():
            figures[f"{label}_{name}_ms"] = sorted(times)[int(len(times) * part)]
        figures[f"{label}_ratio"] = figures[f"{label}_large_ms"] / figures[f"{label}_small_ms"]
    return figures


def middle_of(rounds: list[Figures]) -> Figures:
    return {label: round(statistics.median(figures[label] for figures in rounds), 2) for label in rounds[0]}


def _sizes(options: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(options, name) for name in ("machines", "large", "small", "requests", "rounds", "churn")}


if __name__ == "__main__":
    main()
