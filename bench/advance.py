"""``vmart clock advance`` through many hours: each is closed, sums are what the rule says, reconcile finds nothing.

Postpaid machines of accounts that stay solvent: half pay by bandwidth, a quarter by traffic (they send all the time),
a quarter have no network; beside them prepaid machines that renew themselves. fsync on, the shop's own worker running.
Prints seconds, hours and charges a second, and the processor seconds of each part, which say what limits it. The sums
are computed beside it, from ``pricing.rules`` alone. Ends with 1 when a sum or the reconciliation differs.

``--days``, ``--accounts``, ``--postpaid`` and ``--prepaid`` (machines in all, of all accounts).
"""

import argparse
import datetime as dt
import json
import os
import resource
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import Any

from bench.shop import ROOT, Shop

START = dt.datetime(2026, 3, 10, 2, tzinfo=dt.UTC)  # on the hour: every charge is of a whole one
HOUR = dt.timedelta(hours=1)
BYTES_PER_S = 1500
_ZONE = "ap-guangzhou-4"
_TYPES = ("S1.SMALL1", "S5.MEDIUM4", "SA2.MEDIUM4")  # the first has tiers
_SIZES_GIB = (50, 80, 120)
_PREPAID_TYPE, _PREPAID_GIB = "S5.SMALL1", 50


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=int, default=400)
    parser.add_argument("--accounts", type=int, default=20)
    parser.add_argument("--postpaid", type=int, default=200)
    parser.add_argument("--prepaid", type=int, default=20)
    options = parser.parse_args()
    environment = {"VMART_SIMULATED_SETTINGS": json.dumps({"traffic_bytes_per_s": BYTES_PER_S})}
    with Shop("--test-clock", START.isoformat(), environment=environment) as shop:
        environment = shop.connect() | environment
        bought = Bought(options)
        figures = _advance(shop, environment, options.days)
        differences = [*bought.differences(options.days * 24), *_reconcile(shop)]
    for difference in differences:
        print(difference)
    print(json.dumps({"bench": "advance", **vars(options), **figures, **bought.sums, "differences": len(differences)}))
    sys.exit(1 if differences else 0)


def _advance(shop: Shop, environment: dict[str, str], days: int) -> dict[str, Any]:
    before, own_before = shop.cpu_s(), _children_s()
    begun = time.monotonic()
    command = [ROOT / "bin/vmart", "clock", "advance", f"{days}d", "--data-dir", shop.data_dir]
    subprocess.run(command, check=True, env=os.environ | environment)
    seconds = time.monotonic() - begun
    spent = {name: round(after - before.get(name, 0.0), 1) for name, after in shop.cpu_s().items()}
    spent["client"] = round(_children_s() - own_before, 1)
    hours_per_s = round(days * 24 / seconds, 1)
    return {"seconds": round(seconds, 1), "hours": days * 24, "hours_per_s": hours_per_s, "cpu_s": spent}


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _reconcile(shop: Shop) -> list[str]:
    command = [ROOT / "bin/vmart", "reconcile", "--data-dir", shop.data_dir]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines()[:10]


class Bought:
    """The machines of a run, delivered, and what they cost by the rule."""

    def __init__(self, options: argparse.Namespace) -> None:
        from vmart.customers.models import User
        from vmart.kernel import clock
        from vmart.orders import open_account

        self.accounts: list[int] = []
        for number in range(options.accounts):
            user = User.objects.create_user(f"bench{number}@bench.invalid", None, date_joined=clock.now())
            self.accounts.append(open_account.open_account(user, f"bench {number}").id)
            open_account.grant(self.accounts[-1], 10**12, "bench")
        self._postpaid = [self._one(number) for number in range(options.postpaid)]
        self._prepaid = [self.accounts[number % options.accounts] for number in range(options.prepaid)]
        self.sums: dict[str, Any] = {}
        self._buy()
        self._wait_for_delivery()

    def _one(self, number: int) -> dict[str, Any]:
        network = ("bandwidth", "traffic", "bandwidth", "")[number % 4]
        return {
            "account": self.accounts[number % len(self.accounts)], "network": network, "mbps": 1 + number % 8,
            "type": _TYPES[number % 3], "gib": _SIZES_GIB[number // 3 % 3],
        }  # fmt: skip

    def _buy(self) -> None:
        from vmart.pricing.configuration import Configuration, DiskChoice

        modes = {"bandwidth": "BANDWIDTH_POSTPAID_BY_HOUR", "traffic": "TRAFFIC_POSTPAID_BY_HOUR"}
        for one in self._postpaid:
            network: dict[str, Any] = {}
            if one["network"]:
                network = {"internet_charge_type": modes[one["network"]], "bandwidth_mbps": one["mbps"]}
            disk = DiskChoice("CLOUD_PREMIUM", one["gib"])
            _purchase(
                one["account"],
                Configuration(
                    "ap-guangzhou", _ZONE, one["type"], "POSTPAID_BY_HOUR", disk, public_ip=bool(network), **network
                ),
            )
        disk = DiskChoice("CLOUD_PREMIUM", _PREPAID_GIB)
        for account in self._prepaid:
            _purchase(account, Configuration("ap-guangzhou", _ZONE, _PREPAID_TYPE, "PREPAID", disk, period_months=1))

    def _wait_for_delivery(self) -> None:
        from vmart.worker.models import Operation

        while Operation.objects.filter(kind="deliver").exists():
            time.sleep(0.1)

    # -- what it has to cost -------------------------------------------------------------------

    def differences(self, hours: int) -> Iterator[str]:
        """What the shop has charged and deducted against the rule, and what it has renewed."""
        exact, charges = self._exact(hours)
        wanted = {key: _minor(amount) for key, amount in exact.items()}
        renewals = self._renewals(hours)
        found = _rows(
            "SELECT account_id, to_char(month, 'YYYY-MM') AS month, exact_e8, deducted_minor FROM bills_carry"
        )
        carried = {(row["account_id"], row["month"]): row for row in found}
        for key in sorted(exact.keys() | carried.keys()):
            row = carried.get(key)
            has = (Decimal(row["exact_e8"]).scaleb(-8), row["deducted_minor"]) if row else None
            if has != (exact.get(key), wanted.get(key)):
                yield f"statement {key}: {has}, by the rule {exact.get(key)}, {wanted.get(key)}"
        self.sums = {
            "charges": charges, "deducted_minor": sum(wanted.values()), "renewals": len(self._prepaid) * renewals[0],
            "renewed_minor": len(self._prepaid) * renewals[1],
        }  # fmt: skip
        yield from self._counted()

    def _counted(self) -> Iterator[str]:
        (found,) = _rows("""
          SELECT (SELECT count(*) FROM bills_charge) AS charges,
                 (SELECT coalesce(sum(amount_minor), 0)::bigint FROM ledger_transfer WHERE kind = 'hour')
                   AS deducted_minor,
                 (SELECT count(*) FROM ledger_transfer WHERE kind = 'prepaid') - (
                   SELECT count(*) FROM subscriptions_subscription WHERE charge_type = 'PREPAID') AS renewals,
                 (SELECT coalesce(sum(l.amount_minor), 0)::bigint FROM orders_line l JOIN orders_order o
                    ON o.id = l.order_id WHERE o.action = 'renew') AS renewed_minor
        """)
        yield from (f"{name}: {found[name]}, by the rule {self.sums[name]}" for name in found
                    if found[name] != self.sums[name])  # fmt: skip

    def _exact(self, hours: int) -> tuple[dict[tuple[int, str], Decimal], int]:
        """(account, statement month) -> Σ of exact charges, and how many there are."""
        from vmart.catalog import shop

        zone = shop.current().billing_zone
        exact: dict[tuple[int, str], Decimal] = defaultdict(Decimal)
        charges = 0
        months = [(START + number * HOUR).astimezone(zone).strftime("%Y-%m") for number in range(hours)]
        for one in self._postpaid:
            for number, amount in _hours(one, hours):
                exact[one["account"], months[number]] += amount
                charges += 1
        return dict(exact), charges

    def _renewals(self, hours: int) -> tuple[int, int]:
        """How often each prepaid machine has been renewed, and what that came to."""
        from vmart.catalog import shop
        from vmart.kernel.clock import add_months
        from vmart.kernel.money import to_minor
        from vmart.pricing import rules

        zone, prices = shop.current().billing_zone, _prices()
        times = 0
        while _midnight(add_months(START, times + 1, zone), zone) <= START + hours * HOUR:
            times += 1
        cpu, disk = prices.cpu[_PREPAID_TYPE], prices.disk["CLOUD_PREMIUM"]
        monthly = rules.prepaid_price(rules.progressive(1, cpu.month), 1, cpu.discount(1))
        monthly += rules.prepaid_price(rules.progressive(_PREPAID_GIB, disk.month), 1, disk.discount(1))
        return times, times * to_minor(monthly, 2)


def _midnight(instant: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    return instant.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)


def _hours(one: dict[str, Any], hours: int) -> Iterator[tuple[int, Decimal]]:
    """(hour, exact charge) of each component of a machine, by ``pricing.rules`` alone."""
    from vmart.pricing import rules

    prices = _prices()
    cpu, disk = prices.cpu[one["type"]], prices.disk["CLOUD_PREMIUM"]
    rate = rules.progressive(1, cpu.hour)
    flat = [rules.postpaid_price(rules.progressive(one["gib"], disk.hour), 3600)]
    if one["network"] == "bandwidth":
        flat.append(rules.postpaid_price(rules.progressive(one["mbps"], prices.bandwidth.hour), 3600))
    sent = rules.traffic_price(BYTES_PER_S * 3600, prices.traffic_gib)
    for number in range(hours):
        yield number, rules.postpaid_price(rate, 3600, cpu.tiers, number * 3600)
        yield from ((number, amount) for amount in flat)
        if one["network"] == "traffic" and number:  # what an hour sends is counted as the next begins
            yield number, sent


def _prices() -> Any:
    from vmart.catalog import shop
    from vmart.pricing import books

    return books.current_book(shop.current().generation).regions["ap-guangzhou"]


def _minor(amount: Decimal) -> int:
    from vmart.kernel.money import CONTEXT, to_minor

    with localcontext(CONTEXT):
        return to_minor(amount, 2)


def _purchase(account: int, configuration: Any) -> None:
    from vmart.events.actor import timer
    from vmart.orders import purchase
    from vmart.orders.login import Login
    from vmart.orders.renew_flag import AUTO
    from vmart.orders.wanted import Machine, Purchase

    machine = Machine("img-db12k7x4", Login(password_hash="$6$bench$none"), name="bench", renew_flag=AUTO)
    purchase.purchase(Purchase(timer(account), configuration, machine))


def _rows(query: str) -> list[dict[str, Any]]:
    from vmart.kernel import db

    return db.rows(query)


if __name__ == "__main__":
    main()
