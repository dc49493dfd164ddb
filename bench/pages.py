"""The ten main pages of a customer with many machines against those of one with few, and many browsers at once.

Over HTTP through the real web process, signed in. First each page is asked for by both customers in turn: medians and
ratios of ``--rounds``. Then ``--sessions`` visitors, each with a connection of its own, open one page after the other
and read for ``--think`` seconds between them: half are the large customer's, half the small one's. Prints how long
their pages took; ends with 1 when a page is not what was asked for.
"""

import argparse
import asyncio
import http.client
import json
import os
import random
import signal
import sys
import time
from dataclasses import dataclass
from typing import Any

from bench.lists import Account, Figures, figures_of, middle_of, prepare, superuser
from bench.shop import Shop

_LISTS = (
    "/overview/", "/machines/", "/buy/price/", "/disks/", "/addresses/", "/security-groups/", "/networks/", "/orders/",
    "/activity/",
)  # fmt: skip


# The tens of ``lists`` were bought by an order each.
_ORDERS = """
INSERT INTO orders_order (id, account_id, action, status, charge_type, count, total_minor, hold_minor, quote, request,
  book_version, tax_rate, tax_minor, tax_inclusive, created_at, paid_at, reason)
SELECT 50000000 + n, account_id, 'purchase', 4, 'POSTPAID_BY_HOUR', 10, 0, 190, %(quote)s, '{}', 1, 0, 0, true, at, at,
       ''
FROM (SELECT DISTINCT ON (account_id, k) account_id, (id - 1000000) / 10 AS n, at FROM bench_machine
      ORDER BY account_id, k, id) AS ten ORDER BY n;
INSERT INTO orders_line (order_id, account_id, subscription_id, number, hold_id, amount_minor, paid_cash_minor,
  paid_gift_minor, refund_minor, bandwidth_gift_back_minor, state, delivered_at, reason)
SELECT 50000000 + (id - 1000000) / 10, account_id, id, one, gen_random_uuid(), 0, 0, 0, 0, 0, 'delivered', at, ''
FROM bench_machine ORDER BY id;
VACUUM (ANALYZE) orders_order;
VACUUM (ANALYZE) orders_line
"""


@dataclass(frozen=True)
class Visitor:
    """A customer who is signed in. ``pages``: the ten, by what they are called and their address."""

    name: str
    cookie: str
    pages: dict[str, str]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--machines", type=int, default=50_000, help="of all accounts")
    parser.add_argument("--large", type=int, default=5_000)
    parser.add_argument("--small", type=int, default=10)
    parser.add_argument("--requests", type=int, default=40, help="of each page by each customer, a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--think", type=float, default=5.0, help="seconds that a visitor reads, on average")
    parser.add_argument("--seconds", type=float, default=30.0, help="for which all visit at once")
    parser.set_defaults(churn=0.0)
    options = parser.parse_args()
    wrong: list[str] = []
    with Shop() as shop:
        os.kill(shop.control["children"]["worker"], signal.SIGSTOP)  # no engine has these machines
        try:
            visitors = [_visitor(account) for account in prepare(shop, options)]
            _put_in_orders(shop)
            pages = _in_turn(shop, visitors, options, wrong)
            before = shop.cpu_s()
            at_once = asyncio.run(_all_at_once(shop, visitors, options, wrong))
            web_s = shop.cpu_s()["web"] - before["web"]
        finally:
            os.kill(shop.control["children"]["worker"], signal.SIGCONT)
    at_once |= {"web_cpu_ms_a_page": round(web_s * 1000 / max(1, at_once["pages"]), 1)}
    if wrong:
        print(f"{len(wrong)} wrong pages, the first: {wrong[0]}")
    sizes = {name: getattr(options, name) for name in ("large", "small", "requests", "rounds", "sessions", "think")}
    worst = max(figures["p50_ratio"] for figures in pages.values())
    print(json.dumps({"bench": "pages", **sizes, "worst_p50_ratio": worst, "wrong": len(wrong), "at_once": at_once,
                      "pages": pages}))  # fmt: skip
    sys.exit(1 if wrong else 0)


def _put_in_orders(shop: Shop) -> None:
    from vmart.catalog import shop as catalog
    from vmart.orders import offered
    from vmart.pricing.configuration import Configuration, DiskChoice

    bought = Configuration(
        region="ap-guangzhou", zone="ap-guangzhou-4", instance_type="S5.MEDIUM4", charge_type="POSTPAID_BY_HOUR",
        system_disk=DiskChoice("CLOUD_PREMIUM", 50), count=10,
    )  # fmt: skip
    with superuser(shop) as own:
        for statement in _ORDERS.split(";\n"):
            own.execute(statement, {"quote": json.dumps(offered.price(bought, catalog.snapshot(), None).plain())})


def _visitor(account: Account) -> Visitor:
    """The account's owner, signed in as the page for it does."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from vmart.customers.models import Member
    from vmart.instances.models import Instance

    user = Member.objects.get(account_id=account.id).user
    session = SessionStore()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
    session.create()
    running = Instance.objects.filter(account_id=account.id, state="RUNNING").order_by("id")[0]
    pages = {path.strip("/"): path for path in _LISTS} | {"machine": f"/machines/{running.public_id}/"}
    return Visitor(account.name, f"{settings.SESSION_COOKIE_NAME}={session.session_key}", pages)


def _in_turn(shop: Shop, visitors: list[Visitor], options: argparse.Namespace, wrong: list[str]) -> dict[str, Figures]:
    """Figures by page: large, small, large, small …, so that both meet the same noise."""
    connection = http.client.HTTPConnection(shop.ready["api_endpoint"])
    rounds: dict[str, list[Figures]] = {name: [] for name in visitors[0].pages}
    for _ in range(options.rounds):
        for name, figures in rounds.items():
            taken: dict[str, list[float]] = {visitor.name: [] for visitor in visitors}
            for _ in range(options.requests):
                for visitor in visitors:
                    taken[visitor.name].append(_get(connection, visitor, name, wrong) * 1000)
            figures.append(figures_of(taken))
    middle = {name: middle_of(figures) for name, figures in rounds.items()}
    for name, figures_of_page in middle.items():
        print(f"{name:16} " + "  ".join(f"{k} {v:7.2f}" for k, v in figures_of_page.items()), flush=True)
    return middle


def _get(connection: http.client.HTTPConnection, visitor: Visitor, name: str, wrong: list[str]) -> float:
    begun = time.perf_counter()
    connection.request("GET", visitor.pages[name], headers={"Cookie": visitor.cookie})
    answer = connection.getresponse()
    body = answer.read()
    taken = time.perf_counter() - begun
    if answer.status != 200 or not body:
        wrong.append(f"{name} of {visitor.name}: {answer.status}")
    return taken


async def _all_at_once(
    shop: Shop, visitors: list[Visitor], options: argparse.Namespace, wrong: list[str]
) -> dict[str, Any]:
    """How many pages the sessions had, and how long they took."""
    host, _, port = shop.ready["api_endpoint"].rpartition(":")
    taken: list[float] = []
    until = time.monotonic() + options.seconds

    async def session(number: int) -> None:
        chance, visitor = random.Random(number), visitors[number % len(visitors)]
        await asyncio.sleep(chance.uniform(0, options.think))
        reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 22)
        while time.monotonic() < until:
            name = chance.choice(list(visitor.pages))
            begun = time.perf_counter()
            writer.write(_request(visitor, name, host))
            status = await _answer(reader)
            taken.append((time.perf_counter() - begun) * 1000)
            if status != 200:
                wrong.append(f"{name} of {visitor.name} among all: {status}")
            await asyncio.sleep(chance.uniform(0.5, 1.5) * options.think)
        writer.close()

    await asyncio.gather(*(session(number) for number in range(options.sessions)))
    taken.sort()
    places = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
    figures: dict[str, Any] = {name: round(taken[int(len(taken) * part)], 1) for name, part in places.items()}
    figures |= {"pages": len(taken), "pages_per_s": round(len(taken) / options.seconds, 1)}
    print(f"{options.sessions} sessions at once: {figures}", flush=True)
    return figures


def _request(visitor: Visitor, name: str, host: str) -> bytes:
    lines = (f"GET {visitor.pages[name]} HTTP/1.1", f"Host: {host}", f"Cookie: {visitor.cookie}", "", "")
    return "\r\n".join(lines).encode()


async def _answer(reader: asyncio.StreamReader) -> int:
    """The status of an answer with its length; all of it was read."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = next(line for line in head.split("\r\n") if line.startswith("content-length:"))
    await reader.readexactly(int(length.partition(":")[2]))
    return int(head.split(" ", 2)[1])


if __name__ == "__main__":
    main()
