"""DescribeDisks, -Addresses and -Snapshots of a large account against those of a small one, as ``lists`` of machines.

Of each kind there are ``--things`` in the shop: one account has ``--large`` of them, one ``--small``, the others about
as many as the small one. Prints medians of ``--rounds``; ends with 1 when an answer is not what was put in.
"""

import argparse
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from typing import Any

from bench.lists import PAGE, Account, Asker, Figures, figures_of, middle_of, open_accounts, superuser
from bench.shop import Shop

_OWNERS = """
DROP TABLE IF EXISTS bench_thing;
CREATE TABLE bench_thing AS
SELECT %(first)s + n AS id, account_id, row_number() OVER (PARTITION BY account_id ORDER BY n) - 1 AS nth,
       greatest(count(*) OVER (PARTITION BY account_id) / 10, 1) AS tenth,
       lpad(to_hex((n * 2654435761) %% 4294967296), 8, '0') AS code, %(start)s::timestamptz + n * interval '2 s' AS at
FROM (SELECT n, CASE WHEN n %% (%(things)s / %(large)s) = 0 THEN %(large_id)s
                     WHEN n %% (%(things)s / %(small)s) = 1 THEN %(small_id)s
                     ELSE 100000 + n * 7919 %% (%(things)s / %(small)s) END AS account_id
      FROM generate_series(0::bigint, %(things)s - 1) AS n) AS own;
INSERT INTO customers_account (id, name, created_at, credit_limit_minor, quota_set, frozen_reason)
SELECT DISTINCT account_id, 'bench', %(start)s::timestamptz, 0, 'default', '' FROM bench_thing
WHERE account_id >= 100000 ON CONFLICT DO NOTHING;
INSERT INTO subscriptions_subscription (id, account_id, zone_id, kind, public_id, bundle_id, created_at, charge_type,
  standing, renew_flag, started_at, isolated_source, hold_number)
SELECT id, account_id, 'ap-guangzhou-4', %(kind)s, %(prefix)s || code, id, at, 'POSTPAID_BY_HOUR', 'active',
       'NOTIFY_AND_MANUAL_RENEW', at, 'NOTISOLATED', 1 FROM bench_thing ORDER BY id;
"""
_DISKS = """
INSERT INTO storage_disk (id, public_id, account_id, own_zone_id, own_created_at, usage, disk_type,
  size_gib, position, delete_with_instance, name, state)
SELECT id, 'disk-' || code, account_id, 'ap-guangzhou-4', at, 'DATA_DISK', 'CLOUD_SSD', 20, 0, false,
       CASE WHEN nth %% tenth = 3 THEN 'few' ELSE 'disk-' || nth END,
       CASE WHEN nth %% 10 = 7 THEN 'TORECYCLE' ELSE 'UNATTACHED' END FROM bench_thing ORDER BY id;
"""
_ADDRESSES = """
INSERT INTO network_eip (id, public_id, account_id, zone_id, created_at, ip, name, internet_charge_type,
  bandwidth_mbps, state, latest_operation, latest_operation_state, latest_operation_request_id,
  latest_operation_error_code, latest_operation_error, task)
SELECT id, 'eip-' || code, account_id, 'ap-guangzhou-4', at, inet '100.64.0.0' + (id - %(first)s),
       CASE WHEN nth %% tenth = 3 THEN 'few' ELSE 'address-' || nth END, 'TRAFFIC_POSTPAID_BY_HOUR', 5,
       CASE WHEN nth %% 10 = 7 THEN 'OFFLINING' ELSE 'UNBIND' END,
       'AllocateAddresses', 'SUCCESS', '', '', '', id FROM bench_thing ORDER BY id;
INSERT INTO network_public_address (zone_id, ip, instance_id, account_id, withdrawn)
SELECT 'ap-guangzhou-4', ip, id, account_id, false FROM network_eip ORDER BY id;
"""


# Each of a disk of its own, which the first kind has put in.
_SNAPSHOTS = """
INSERT INTO storage_snapshot (id, public_id, account_id, zone_id, created_at, disk_id, usage, size_gib, image_id,
  own_image, name, state, latest_operation, latest_operation_state, latest_operation_request_id,
  latest_operation_error_code, latest_operation_error)
SELECT t.id, 'snap-' || code, t.account_id, 'ap-guangzhou-4', at, d.id, 'DATA_DISK', 20, '', '',
       CASE WHEN nth %% tenth = 3 THEN 'few' ELSE 'snapshot-' || nth END,
       CASE WHEN nth %% 10 = 7 THEN 'ROLLBACKING' ELSE 'NORMAL' END, 'CreateSnapshot', 'SUCCESS', '', '', ''
FROM bench_thing t JOIN storage_disk d ON d.id = t.id - 20000000 ORDER BY t.id;
"""


@dataclass(frozen=True)
class Kind:
    """A kind of thing: how it is put in, and how the API lists it. ``ids``, ``names`` and so on are the API's words."""

    name: str
    service: str
    action: str
    found: str  # the list in the answer
    rows: str  # SQL that puts it in
    tables: tuple[str, ...]
    prefix: str
    ids: str
    by_name: str
    by_state: str
    rare_state: str  # what every tenth has


KINDS = (
    Kind("disk", "cbs", "DescribeDisks", "DiskSet", _DISKS, ("storage_disk",), "disk-", "DiskIds", "disk-name",
         "disk-state", "TORECYCLE"),
    Kind("address", "vpc", "DescribeAddresses", "AddressSet", _ADDRESSES, ("network_eip", "network_public_address"),
         "eip-", "AddressIds", "address-name", "address-status", "OFFLINING"),
    Kind("snapshot", "cbs", "DescribeSnapshots", "SnapshotSet", _SNAPSHOTS, ("storage_snapshot",), "snap-",
         "SnapshotIds", "snapshot-name", "snapshot-state", "ROLLBACKING"),
)  # fmt: skip


@dataclass(frozen=True)
class Question:
    """A request by account, and how many things it finds at all and on this page."""

    name: str
    body: dict[str, Any]
    total: int

    @property
    def rows(self) -> int:
        return max(0, min(PAGE, self.total - self.body.get("Offset", 0)))


def questions(kind: Kind, account: Account, ids: list[str]) -> list[Question]:
    """What is asked of an account, and the answers, by how the things were put in."""
    count = account.machines
    few, rare = len(range(3, count, count // 10)), len(range(7, count, 10))
    pages = {"first": 0, "middle": count // 2, "last": count - PAGE}
    return [
        *(Question(f"all, {name}", {"Limit": PAGE, "Offset": offset}, count) for name, offset in pages.items()),
        Question("name of few", {"Limit": PAGE, **_filter(kind.by_name, "few")}, few),
        Question("one name", {"Limit": PAGE, **_filter(kind.by_name, f"{kind.name}-55")}, 1),
        Question("state of a tenth", {"Limit": PAGE, **_filter(kind.by_state, kind.rare_state)}, rare),
        Question("100 ids", {"Limit": PAGE, kind.ids: ids}, PAGE),
    ]


def _filter(name: str, value: str) -> dict[str, Any]:
    return {"Filters": [{"Name": name, "Values": [value]}]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--things", type=int, default=1_000_000)
    parser.add_argument("--large", type=int, default=10_000)
    parser.add_argument("--small", type=int, default=1_000)
    parser.add_argument("--requests", type=int, default=100, help="of each question to each account, a round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    wrong: list[str] = []
    with Shop() as shop:
        os.kill(shop.control["children"]["worker"], signal.SIGSTOP)  # no engine has these things
        try:
            found = {
                kind.action: _of_kind(shop, options, kind, 10_000_000 * (n + 1), wrong)
                for n, kind in enumerate(KINDS)
            }  # fmt: skip
        finally:
            os.kill(shop.control["children"]["worker"], signal.SIGCONT)
    worst = {
        f"worst_{label}": max(middle[label] for asked in found.values() for middle in asked.values())
        for label in ("p50_ratio", "p99_ratio")
    }
    sizes = {name: getattr(options, name) for name in ("things", "large", "small", "requests", "rounds")}
    if wrong:
        print(f"{len(wrong)} wrong answers, the first: {wrong[0]}")
    print(json.dumps({"bench": "own_lists", **sizes, **worst, "wrong": len(wrong), "actions": found}))
    sys.exit(1 if wrong else 0)


def _of_kind(shop: Shop, options: argparse.Namespace, kind: Kind, first: int, wrong: list[str]) -> dict[str, Figures]:
    """Figures by question, medians of the rounds."""
    accounts = open_accounts(shop, options, kind.service, kind.name)
    ids = _put_in(shop, options, kind, accounts, first)
    asker = Asker(shop.ready["api_endpoint"])
    asked = list(zip(*(questions(kind, account, ids[account.name]) for account in accounts), strict=True))
    rounds: dict[str, list[Figures]] = {pair[0].name: [] for pair in asked}
    for _ in range(options.rounds):
        for pair in asked:
            both = list(zip(accounts, pair, strict=True))
            rounds[pair[0].name].append(_in_turn(asker, kind, both, options.requests, wrong))
    middle = {name: middle_of(figures) for name, figures in rounds.items()}
    for name, figures in middle.items():
        print(f"{kind.action:20} {name:18} " + "  ".join(f"{k} {v:7.2f}" for k, v in figures.items()), flush=True)
    return middle


def _put_in(
    shop: Shop, options: argparse.Namespace, kind: Kind, accounts: list[Account], first: int
) -> dict[str, list[str]]:
    """All things of the kind; ids all over each of the two accounts, by its name."""
    begun = time.monotonic()
    values = {
        "things": options.things, "large": options.large, "small": options.small, "large_id": accounts[0].id,
        "small_id": accounts[1].id, "first": first, "kind": kind.name, "prefix": kind.prefix,
        "start": "2026-01-10T02:00:00Z",
    }  # fmt: skip
    with superuser(shop) as own:
        own.execute("SET session_replication_role = replica")  # keys agree as they are made: no check of each
        own.execute(_OWNERS, values)
        own.execute(kind.rows, values)
        for table in ("subscriptions_subscription", "customers_account", *kind.tables):
            own.execute(f"VACUUM (ANALYZE) {table}")
        own.execute("CHECKPOINT")
        ids = {account.name: _spread(own, kind, account) for account in accounts}
    print(f"{options.things} of kind {kind.name} put in within {time.monotonic() - begun:.0f} s", flush=True)
    return ids


def _spread(own: Any, kind: Kind, account: Account) -> list[str]:
    rows = own.execute(
        "SELECT %s || code FROM bench_thing WHERE account_id = %s AND nth %% %s = 0 ORDER BY id LIMIT 100",
        [kind.prefix, account.id, account.machines // PAGE],
    ).fetchall()
    return [str(row[0]) for row in rows]


def _in_turn(
    asker: Asker, kind: Kind, asked: list[tuple[Account, Question]], requests: int, wrong: list[str]
) -> Figures:
    """Large, small, large, small …: both meet the same noise."""
    taken: dict[str, list[float]] = {account.name: [] for account, _ in asked}
    for _ in range(requests):
        for account, question in asked:
            seconds, answer = asker.ask(account.signer, question.body, kind.action)
            taken[account.name].append(seconds * 1000)
            found = answer.get("TotalCount"), len(answer.get(kind.found, ()))
            if found != (question.total, question.rows):
                wrong.append(f"{kind.action}, {question.name} of {account.name}: {found}, {answer.get('Error')}")
    return figures_of(taken)


if __name__ == "__main__":
    main()
