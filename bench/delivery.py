"""Paid to SSH banner on a real Incus, next to a bare launch of the same image on the same pool.

Ten in sequence and eight at once, each pair of rounds in turn. Bought: RunInstances answered (paid) to the
first SSH banner at the public address. Bare: POST /1.0/instances with ``start`` on a plain bridge with a fixed address,
to the first banner at that address. Needs root; the image is built first if this machine has not got it.
"""

import argparse
import contextlib
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.shop import ROOT, Shop
from vmart.engines.contract import EngineError

ZONE = "ap-guangzhou-3"
_BRIDGE = "vmbench0"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sequence", type=int, default=10)
    parser.add_argument("--burst", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3, help="of the burst")
    options = parser.parse_args()
    with Shop(compute="incus") as shop:
        environment = shop.connect()
        _wait_for_image()
        bare = Bare(json.loads(environment["VMART_INCUS_SETTINGS"]))
        bought = Bought()
        try:
            _measure([bought.one], 1)  # the first one of a customer also makes the bridge
            _measure([bare.one], 1)
            sequence: dict[str, list[float]] = {"bought": [], "bare": []}
            for _ in range(options.sequence):
                sequence["bought"] += _measure([bought.one], 1)
                sequence["bare"] += _measure([bare.one], 1)
            bought.clear()
            bare.clear()
            burst: dict[str, list[float]] = {"bought": [], "bare": []}
            for _ in range(options.rounds):
                burst["bought"] += _measure([bought.one] * options.burst, options.burst)
                bought.clear()
                burst["bare"] += _measure([bare.one] * options.burst, options.burst)
                bare.clear()
            begins = bought.begins_ms()
        finally:
            bought.clear()
            bare.close()
        differences = subprocess.run(
            [ROOT / "bin/vmart", "reconcile", "--data-dir", shop.data_dir], check=False, capture_output=True, text=True
        )
        print(differences.stdout.strip())
    print(json.dumps({"bench": "delivery", **_figures("sequence", sequence), **_figures("burst", burst),
                      "paid_to_delivery_begun_ms": begins}))  # fmt: skip


def _figures(name: str, seconds: dict[str, list[float]]) -> dict[str, Any]:
    bought, bare = statistics.median(seconds["bought"]), statistics.median(seconds["bare"])
    return {
        f"{name}_bought_s": round(bought, 2), f"{name}_bare_s": round(bare, 2),
        f"{name}_ratio": round(bought / bare, 2), f"{name}_slowest_s": round(max(seconds["bought"]), 2),
    }  # fmt: skip


def _measure(makes: list[Callable[[], float]], threads: int) -> list[float]:
    with ThreadPoolExecutor(threads) as pool:
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
    sys.exit(f"no SSH banner at {ip} within {limit_s} s")


def _wait_for_image() -> None:
    from vmart.catalog.models import ZoneImage

    begun = time.monotonic()
    while True:
        row = ZoneImage.objects.get(zone_id=ZONE, image__recipe="debian-12")
        if row.status == "ready":
            print(f"image ready after {time.monotonic() - begun:.0f} s", flush=True)
            return
        if row.status == "failed" or time.monotonic() - begun > 600:
            sys.exit(f"the image is not to be had: {row.why}")
        time.sleep(0.5)


class Bought:
    """Machines bought through the act, delivered by the shop's own worker."""

    def __init__(self) -> None:
        from vmart.catalog import shop
        from vmart.customers.models import Account

        self._account = Account.objects.get()
        Account.objects.update(quota_postpaid_per_zone=1000)
        self._image = next(image.public_id for image in shop.current().images.values() if image.recipe == "debian-12")

    def one(self) -> float:
        from django.db import connection

        from vmart.instances.models import Instance
        from vmart.orders import purchase
        from vmart.orders.login import Login
        from vmart.pricing.quote import Configuration, DiskChoice

        configuration = Configuration(
            "ap-guangzhou", ZONE, "S5.SMALL1", "POSTPAID_BY_HOUR", DiskChoice("CLOUD_PREMIUM", 20), bandwidth_mbps=50,
            public_ip=True,
        )  # fmt: skip
        login = Login(password_hash="$6$rounds=5000$bench$" + "a" * 86)
        wanted = purchase.Purchase(self._account.id, configuration, purchase.Machine(self._image, login))
        done = purchase.purchase(wanted)
        paid = time.monotonic()
        ip = Instance.objects.get(public_id=done.instance_ids[0]).public_ip
        assert ip is not None
        _wait_for_banner(ip)
        taken = time.monotonic() - paid
        connection.close()
        return taken

    def begins_ms(self) -> float:
        """Median of delivered machines' paid → delivery begun, from the worker's own log of claims."""
        from vmart.kernel import db

        waits = db.rows("SELECT (detail->>'waited_ms')::float AS ms FROM instances_event WHERE kind = 'delivered'")
        return round(statistics.median(row["ms"] for row in waits), 1)

    def clear(self) -> None:
        """End every machine and wait until it is gone."""
        from vmart.instances.models import Instance
        from vmart.orders.terminate import terminate

        for _ in (1, 2):
            alive = Instance.objects.filter(account=self._account).exclude(state__in=["GONE", "TERMINATING", "PENDING"])
            for public_id in alive.values_list("public_id", flat=True):
                terminate(self._account.id, [public_id])
        while Instance.objects.filter(account=self._account).exclude(state="GONE").exists():
            time.sleep(0.1)


class Bare:
    """The engine alone: the same image and pool, a plain bridge, nothing of vmart."""

    def __init__(self, settings: dict[str, Any]) -> None:
        from vmart.engines.incus.client import IncusClient
        from vmart.engines.incus.driver import IncusEngine

        self._client = IncusClient(settings)
        self._pool = settings["pool"]
        self._source = IncusEngine(settings)._open().images.source("debian-12")
        self._count = 0
        self._names: list[str] = []
        self._client.send(
            "POST",
            "/1.0/networks",
            {"name": _BRIDGE, "config": {"ipv4.address": "10.250.0.1/24", "ipv6.address": "none"}},
        )

    def one(self) -> float:
        self._count += 1
        name, ip = f"bare-{self._count}", f"10.250.0.{10 + self._count % 200}"
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

    def clear(self) -> None:
        for name in self._names:
            with contextlib.suppress(EngineError):  # stopped already
                self._client.send("PUT", f"/1.0/instances/{name}/state", {"action": "stop", "force": True})
            self._client.send("DELETE", f"/1.0/instances/{name}")
        self._names = []

    def close(self) -> None:
        self.clear()
        self._client.send("DELETE", f"/1.0/networks/{_BRIDGE}")


if __name__ == "__main__":
    main()
