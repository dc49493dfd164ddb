"""Paid to SSH banner on a real Incus, next to a bare launch of the same image on the same pool.

A run: ten in sequence, a bought one and a bare one in turn (after every fifth all end), then eight at once of each;
figures are medians of the runs' medians, ratios those within a run. Bought: RunInstances answered (paid) to the
first SSH banner at the public address. Bare: POST /1.0/instances with ``start`` on a plain bridge with a fixed
address, to the first banner at that address. The first machine of a customer, which makes the bridge too, is told
apart. Needs root; the images are made first if this machine has not got them. Only bursts, as many as one likes:
``--sequence 0 --runs 15``.
"""

import argparse
import contextlib
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.shop import ROOT, Shop
from vmart.engines.contract import EngineError

ZONE = "ap-guangzhou-3"
_BRIDGE = "vmbench0"
_KEPT = 5


class NoBanner(Exception):
    """A machine did not answer in time; its address."""


@dataclass
class Run:
    """Seconds of one run, by kind."""

    first: list[float] = field(default_factory=list)
    sequence: dict[str, list[float]] = field(default_factory=lambda: {"bought": [], "bare": []})
    burst: dict[str, list[float]] = field(default_factory=lambda: {"bought": [], "bare": []})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sequence", type=int, default=10, help="machines one after the other in a run")
    parser.add_argument("--burst", type=int, default=8, help="machines at once in a run")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    begun = time.monotonic()
    with Shop(compute="incus") as shop:
        environment = shop.connect()
        wait_for_images()
        settings = json.loads(environment["VMART_INCUS_SETTINGS"])
        bare, bought = Bare(settings), Bought()
        try:
            runs = [_run(bought, bare, options.sequence, options.burst) for _ in range(options.runs)]
            begins = bought.begins_ms()
        except NoBanner as silent:
            sys.exit(f"no SSH banner at {silent}\n{_look_at(str(silent), settings)}")
        finally:
            bought.clear()
            bare.close()
        differences = subprocess.run(
            [ROOT / "bin/vmart", "reconcile", "--data-dir", shop.data_dir], check=False, capture_output=True, text=True
        )
        print(differences.stdout.strip())
    print(json.dumps({
        "bench": "delivery", "runs": len(runs), **_figures("sequence", [run.sequence for run in runs]),
        **_figures("burst", [run.burst for run in runs]),
        "first_of_a_customer_s": round(statistics.median(seconds for run in runs for seconds in run.first), 2),
        "paid_to_delivery_begun_ms": begins, "whole_s": round(time.monotonic() - begun),
    }))  # fmt: skip


def _run(bought: "Bought", bare: "Bare", in_sequence: int, at_once: int) -> Run:
    """Both kinds begin with one machine on their bridge, which stays: what is compared makes machines only."""
    run = Run(first=_measure([bought.one], 1))
    _measure([bare.one], 1)
    for number in range(1, in_sequence + 1):
        run.sequence["bought"] += _measure([bought.one], 1)
        run.sequence["bare"] += _measure([bare.one], 1)
        if number % _KEPT == 0 or number == in_sequence:  # the zone sells a small machine's disks out
            bought.clear(but=1)
            bare.clear(but=1)
    run.burst["bought"] += _measure([bought.one] * at_once, at_once)
    bought.clear(but=1)
    run.burst["bare"] += _measure([bare.one] * at_once, at_once)
    bought.clear()
    bare.clear()
    return run


def _figures(name: str, runs: list[dict[str, list[float]]]) -> dict[str, Any]:
    """Medians over runs; nothing where none was measured."""
    medians = [(statistics.median(run["bought"]), statistics.median(run["bare"])) for run in runs if run["bought"]]
    if not medians:
        return {}
    return {
        f"{name}_bought_s": round(statistics.median(bought for bought, _ in medians), 2),
        f"{name}_bare_s": round(statistics.median(bare for _, bare in medians), 2),
        f"{name}_ratio": round(statistics.median(bought / bare for bought, bare in medians), 2),
        f"{name}_ratios": [round(bought / bare, 2) for bought, bare in medians],
        f"{name}_slowest_bought_s": round(max(max(run["bought"]) for run in runs), 2),
        f"{name}_slowest_bare_s": round(max(max(run["bare"]) for run in runs), 2),
    }


def _measure(makes: list[Callable[[], float]], threads: int) -> list[float]:
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        taken = list(pool.map(lambda make: make(), makes))
    print([round(seconds, 2) for seconds in taken], flush=True)
    return taken


def _wait_for_banner(ip: str, limit_s: float = 120) -> None:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        try:
            # Before the address leads to the machine somebody else on the way may take the connection and say
            # nothing: so no long wait for the first bytes either.
            with socket.create_connection((ip, 22), timeout=0.3) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            pass
        time.sleep(0.02)
    raise NoBanner(ip)


def _look_at(ip: str, settings: dict[str, Any]) -> str:
    """Where a silent machine is stuck, before it is torn down: the ways to it, and what it says itself."""
    environment = {**os.environ, "INCUS_DIR": str(Path(settings["socket"]).parent)}

    def say(*command: str) -> str:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        return done.stdout + done.stderr

    machines = json.loads(say("incus", "list", "--format=json"))
    nics = {machine["name"]: machine["devices"]["eth0"]["ipv4.address"] for machine in machines}
    public = {machine["config"].get("user.vmart.public_ip"): machine["name"] for machine in machines}
    name = public.get(ip) or next((name for name, address in nics.items() if address == ip), "")
    if not name:
        return "there is no such machine"
    rules = [line for line in say("nft", "list", "ruleset").splitlines() if ip in line or nics[name] in line]
    inside = (
        "systemctl is-system-running; systemctl --failed --no-legend; systemctl status --no-pager ssh; ip address;"
        " ip route; cloud-init status --long; journalctl --boot --no-pager --priority=warning"
    )
    parts = (say("ip", "route", "get", ip), "\n".join(rules), say("incus", "exec", name, "--", "sh", "-c", inside))
    return "\n\n".join((name, *parts))


def wait_for_images() -> None:
    """The one that is measured, and those that would be built beside the measurement."""
    from vmart.catalog.models import ZoneImage

    begun = time.monotonic()
    while True:
        sold = ZoneImage.objects.filter(zone_id=ZONE, image__unavailable_en="").select_related("image")
        rows = {row.image.recipe: row for row in sold}
        wanted, unfinished = rows["debian-12"], [row for row in rows.values() if row.status in ("missing", "preparing")]
        if wanted.status == "ready" and not unfinished:
            print(f"images ready after {time.monotonic() - begun:.0f} s", flush=True)
            return
        if wanted.status == "failed" or time.monotonic() - begun > 900:
            sys.exit(f"the image is not to be had: {wanted.status} {wanted.why}")
        time.sleep(0.5)


class Bought:
    """Machines bought through the act, delivered by the shop's own worker."""

    def __init__(self) -> None:
        from vmart.catalog import shop
        from vmart.customers import quotas
        from vmart.customers.models import Account
        from vmart.kernel import db

        self.account_id = Account.objects.get().id
        with db.act():
            quotas.keep(self.account_id, {"postpaid_per_zone": 1000})
        self._image = next(image.public_id for image in shop.current().images.values() if image.recipe == "debian-12")

    def one(self, system_gib: int = 20) -> float:
        from django.db import connection

        from vmart.instances.models import Instance

        (name,) = self.order(1, system_gib=system_gib)
        paid = time.monotonic()
        ip = Instance.objects.get(public_id=name).public_ip
        assert ip is not None
        _wait_for_banner(ip)
        taken = time.monotonic() - paid
        connection.close()
        return taken

    def order(self, count: int, *, system_gib: int = 20, groups: tuple[str, ...] = ()) -> Sequence[str]:
        """Public ids of new machines. With ``groups`` they have no public address."""
        from vmart.events.actor import timer
        from vmart.instances.attributes import Attributes
        from vmart.orders import purchase
        from vmart.orders.login import Login
        from vmart.orders.wanted import Machine, Purchase
        from vmart.pricing.quote import Configuration, DiskChoice

        configuration = Configuration(
            "ap-guangzhou", ZONE, "S5.SMALL1", "POSTPAID_BY_HOUR", DiskChoice("CLOUD_PREMIUM", system_gib),
            bandwidth_mbps=0 if groups else 50, public_ip=not groups, count=count,
        )  # fmt: skip
        login = Login(password_hash="$6$rounds=5000$bench$" + "a" * 86)
        machine = Machine(self._image, login, attributes=Attributes(security_groups=groups))
        return purchase.purchase(Purchase(timer(self.account_id), configuration, machine)).instance_ids

    def begins_ms(self) -> float:
        """Median of delivered machines' paid → delivery begun, from the worker's own log of claims."""
        from vmart.kernel import db

        waits = db.rows("SELECT (detail->>'waited_ms')::float AS ms FROM events_event WHERE kind = 'delivered'")
        return round(statistics.median(row["ms"] for row in waits), 1)

    def clear(self, but: int = 0) -> None:
        """End every machine, except the oldest ``but``, and wait until it is gone."""
        from vmart.events.actor import timer
        from vmart.instances.models import Instance
        from vmart.kernel.errors import Refused
        from vmart.orders.terminate import terminate

        there = Instance.objects.filter(account=self.account_id).exclude(state="GONE").order_by("id")
        doomed = Instance.objects.filter(id__in=list(there.values_list("id", flat=True))[but:])
        while doomed.exclude(state="GONE").exists():
            alive = doomed.exclude(state__in=["GONE", "TERMINATING", "PENDING"])
            for public_id in alive.values_list("public_id", flat=True):
                with contextlib.suppress(Refused):  # on its way into the bin still; out of it a second call erases
                    terminate(timer(self.account_id), [public_id])
            time.sleep(0.1)


class Bare:
    """The engine alone: the same image and pool, a plain bridge, nothing of vmart."""

    def __init__(self, settings: dict[str, Any]) -> None:
        from vmart.engines.incus.client import IncusClient
        from vmart.engines.incus.driver import IncusEngine

        self._client = IncusClient(settings)
        self._pool = settings["pool"]
        self._source = IncusEngine(settings)._open().images.source("debian-12")
        self._numbers = itertools.count()
        self._names: list[str] = []
        self._client.send(
            "POST",
            "/1.0/networks",
            {"name": _BRIDGE, "config": {"ipv4.address": "10.250.0.1/24", "ipv6.address": "none"}},
        )

    def one(self) -> float:
        number = next(self._numbers)
        name, ip = f"bare-{number}", f"10.250.0.{10 + number % 200}"
        self._names.append(name)
        body = {
            "name": name,
            "type": "container",
            "profiles": [],
            "source": self._source,
            "config": {"limits.cpu": "1", "limits.memory": "1024MiB"},
            "devices": {
                "root": {"type": "disk", "path": "/", "pool": self._pool, "size": "20GiB"},
                "eth0": {"type": "nic", "name": "eth0", "network": _BRIDGE, "ipv4.address": ip},
            },
            "start": True,
        }
        begun = time.monotonic()
        self._client.send("POST", "/1.0/instances", body, limit_s=120)
        _wait_for_banner(ip)
        return time.monotonic() - begun

    def clear(self, but: int = 0) -> None:
        """Remove every machine, except the oldest ``but``."""
        for name in self._names[but:]:
            with contextlib.suppress(EngineError):  # stopped already
                self._client.send("PUT", f"/1.0/instances/{name}/state", {"action": "stop", "force": True})
            self._client.send("DELETE", f"/1.0/instances/{name}")
        self._names = self._names[:but]

    def close(self) -> None:
        self.clear()
        self._client.send("DELETE", f"/1.0/networks/{_BRIDGE}")


if __name__ == "__main__":
    main()
