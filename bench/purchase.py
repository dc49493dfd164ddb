"""Signed RunInstances over HTTP against pgbench's TPC-B, the bare rows of a purchase, and moto's server, in turn.

32 kept-alive connections, simulated engine, fsync on, the worker delivering meanwhile. Each request buys one
machine with a client token and a key pair: a password's hash would cost more than the rest on purpose. Prints
purchases/s, latencies, how long the backlog took to drain, the ratio to pgbench (scale 50, 32 clients, prepared) and
to the floor (``purchase_floor``: what a purchase and its delivery write, by as many clients of pgbench),
and what limits: processor milliseconds a purchase by part. ``--seconds`` and ``--rounds`` shorten it;
``--no-worker`` shows the web alone; ``--moto`` adds moto's RunInstances by as many clients (it keeps its machines in
memory). Ends with 1 when a request failed or the reconciliation found a difference.
"""

import argparse
import asyncio
import datetime as dt
import hashlib
import hmac
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import yaml

from bench.moto_server import Moto
from bench.purchase_floor import Floor
from bench.shop import ROOT, Shop

Buyer = tuple[str, str, dict[str, str]]  # secret id, secret, and what stands in a body for these words

CONNECTIONS = 32
ACCOUNTS = 128
_HOSTS = 16


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-worker", action="store_true")
    parser.add_argument("--no-pgbench", action="store_true")
    parser.add_argument("--moto", action="store_true")
    options = parser.parse_args()
    with Shop() as shop:
        keys = prepare(shop)
        body = BODY.replace("IMAGE", first_image())
        worker = shop.control["children"].get("worker")
        if options.no_worker:
            os.kill(worker, signal.SIGSTOP)
        pgbench = None if options.no_pgbench else Pgbench(shop)
        floor = None if options.no_pgbench or options.no_worker else _floor(shop, keys, body)
        rounds = []
        for number in range(options.rounds):
            tps = pgbench.run(options.seconds) if pgbench else None
            floor_per_s = pgbench.run_floor(options.seconds, floor, _first_account(), number) if floor else None
            before = shop.cpu_s()
            figures = asyncio.run(load(shop.ready["api_endpoint"], keys, body, options.seconds))
            figures["drained_s"] = 0.0 if options.no_worker else _drain()
            spent = {name: seconds - before.get(name, 0.0) for name, seconds in shop.cpu_s().items()}
            bought = max(1, figures.pop("bought"))
            figures["cpu_ms"] = {name: round(seconds * 1000 / bought, 2) for name, seconds in spent.items() if seconds}
            figures["pgbench_tps"] = tps
            figures["ratio"] = round(figures["per_s"] / tps, 3) if tps else None
            figures |= _beside_moto(figures["per_s"], options.seconds) if options.moto else {}
            figures["floor_per_s"] = floor_per_s
            figures["floor_ratio"] = round(figures["per_s"] / floor_per_s, 3) if floor_per_s else None
            print(f"round {number + 1}: {figures}", flush=True)
            rounds.append(figures)
        if options.no_worker:
            os.kill(worker, signal.SIGCONT)
        differences = _reconcile(shop) if not options.no_worker else []
        print("reconcile:", differences or "everything agrees")
        errors = sum(figures["errors"] for figures in rounds)
        middle = {
            name: statistics.median(figures[name] for figures in rounds)
            for name in (
                "per_s",
                "p50_ms",
                "p99_ms",
                "drained_s",
                "pgbench_tps",
                "ratio",
                "floor_per_s",
                "floor_ratio",
                "moto_per_s",
                "times_moto",
            )
            if rounds[0].get(name) is not None
        }
        cpu_ms = {
            name: statistics.median(figures["cpu_ms"].get(name, 0.0) for figures in rounds)
            for name in rounds[0]["cpu_ms"]
        }
        middle |= {"cpu_ms": cpu_ms, "errors": errors, "differences": len(differences), "rounds": len(rounds)}
        print(json.dumps({"bench": "purchase", **middle}))
    sys.exit(1 if errors or differences else 0)


def _beside_moto(per_s: float, seconds: int) -> dict[str, float]:
    with Moto() as moto:  # anew each round: it gets slower with every machine that it keeps
        moto_per_s = moto.run(CONNECTIONS, seconds)
    return {"moto_per_s": moto_per_s, "times_moto": round(per_s / moto_per_s, 1)}


def _floor(shop: Shop, keys: list[Buyer], body: str) -> Path:
    """The script of the floor, out of a purchase that is delivered while nothing else happens."""
    from vmart.config.places import Places
    from vmart.config.postgres import DATABASE, Embedded

    places = Places.of(shop.data_dir)
    worker = shop.control["children"]["worker"]

    def buy() -> None:
        os.kill(worker, signal.SIGSTOP)
        asyncio.run(load(shop.ready["api_endpoint"], keys[:1], body, 0, connections=1))

    def deliver() -> None:
        os.kill(worker, signal.SIGCONT)
        _drain()

    buy()  # the account's first purchase also makes its network
    deliver()
    url = Embedded(places.pgdata, places.database_socket_dir).url(DATABASE)
    with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        floor = Floor(connection, buy, deliver)
    print(f"floor: {floor.rows} statements")
    return floor.write(shop.folder / "floor.sql")


def _first_account() -> int:
    from vmart.customers.models import Account

    return Account.objects.filter(name="bench 0").values_list("id", flat=True).get()


_PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMyy7JEbWucyODprqOd6NS55TRgBOr/UlV8tJ7iIjGkZ bench"


def prepare(shop: Shop) -> list[Buyer]:
    """Big hosts and pools; generous accounts with money and a key pair each."""
    catalog = yaml.safe_load((ROOT / "catalog/demo.yaml").read_text())
    for region in catalog["regions"]:
        for zone in region["zones"]:
            if zone["code"] == "ap-guangzhou-4":
                zone["engine"]["members"] = [
                    {"name": f"bench-{n}", "vcpu": 100_000, "memory_gib": 400_000, "disk_gib": 20_000_000}
                    for n in range(_HOSTS)
                ]
                zone["address_pools"] = [
                    {"cidr": f"100.{n}.0.0/16", "first": f"100.{n}.0.1", "last": f"100.{n}.255.254"} for n in (64, 65)
                ]
    file = shop.folder / "catalog.yaml"
    file.write_text(yaml.safe_dump(catalog))
    command = [ROOT / "bin/vmart", "catalog", "apply", "--yes", "--data-dir", shop.data_dir, file]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    shop.connect()
    from vmart.customers import api_keys, quotas
    from vmart.customers.models import User
    from vmart.events.actor import timer
    from vmart.instances import key_pairs
    from vmart.kernel import clock, db
    from vmart.orders import open_account

    keys = []
    for number in range(ACCOUNTS):
        user = User.objects.create_user(f"bench{number}@bench.invalid", None, date_joined=clock.now())
        account = open_account.open_account(user, f"bench {number}")
        open_account.grant(account.id, 10**12, "bench")
        with db.act():
            quotas.keep(account.id, dict.fromkeys(quotas.LEAST, 10**6))
        key, secret = api_keys.create(timer(account.id), account, user)
        pair = key_pairs.import_(timer(account.id), "bench", _PUBLIC_KEY)
        keys.append((key.secret_id, secret, {"PAIR": pair.public_id}))
    return keys


_CLIENTS = ("-c", str(CONNECTIONS), "-j", "2", "-M", "prepared")


class Pgbench:
    """pgbench on the shop's own server, in a database beside the shop's."""

    def __init__(self, shop: Shop) -> None:
        from vmart.config.places import Places
        from vmart.config.postgres import ROLE, SUPERUSER, Embedded, programs

        places = Places.of(shop.data_dir)
        server = Embedded(places.pgdata, places.database_socket_dir)
        self._programs = programs()
        self._arguments = ["-h", str(places.database_socket_dir), "-U", ROLE]
        import psycopg

        with psycopg.connect(server.url("postgres", role=SUPERUSER), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE pgbench OWNER {ROLE}")
        self._run("-i", "-s", "50", "-q")

    def _run(self, *arguments: str | Path, database: str = "pgbench") -> str:
        done = subprocess.run(
            [self._programs / "pgbench", *arguments, *self._arguments, database],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"pgbench: {done.stderr}")
        return done.stdout

    def run(self, seconds: int) -> float:
        """TPC-B's transactions a second."""
        return self._tps(self._run(*_CLIENTS, "-T", str(seconds)))

    def run_floor(self, seconds: int, script: Path, first_account: int, number: int) -> float:
        """Purchases a second of the floor's script; rounds have their own numbers."""
        variables = {"n": 0, "base": number * 20_000, "first": first_account}
        defined = [word for name, value in variables.items() for word in ("-D", f"{name}={value}")]
        output = self._run(*_CLIENTS, "-T", str(seconds), "-n", "-f", script, *defined, database="vmart")
        return self._tps(output)

    @staticmethod
    def _tps(output: str) -> float:
        found = re.search(r"tps = ([0-9.]+)", output)
        assert found, output
        assert "number of failed transactions: 0" in output, output
        return float(found.group(1))


BODY = json.dumps(
    {
        "InstanceChargeType": "POSTPAID_BY_HOUR",
        "Placement": {"Zone": "ap-guangzhou-4"},
        "InstanceType": "S5.SMALL1",
        "ImageId": "IMAGE",
        "SystemDisk": {"DiskType": "CLOUD_PREMIUM", "DiskSize": 50},
        "InternetAccessible": {
            "InternetChargeType": "TRAFFIC_POSTPAID_BY_HOUR", "InternetMaxBandwidthOut": 5, "PublicIpAssigned": True,
        },
        "LoginSettings": {"KeyIds": ["PAIR"]},
        "InstanceCount": 1,
        "ClientToken": "TOKEN",
    }
)  # fmt: skip


def first_image() -> str:
    from vmart.catalog import shop

    return next(image.public_id for image in shop.current().images.values() if not image.unavailable_en)


class Signer:
    """TC3 of one key for one service: the day's key once, the rest a request."""

    def __init__(self, secret_id: str, secret: str, host: str, service: str = "cvm") -> None:
        self._host, self._id, self._service = host, secret_id, service
        self._date = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d")
        key = hmac.digest(b"TC3" + secret.encode(), self._date.encode(), "sha256")
        key = hmac.digest(key, service.encode(), "sha256")
        self._key = hmac.digest(key, b"tc3_request", "sha256")

    def request(self, body: bytes, action: str = "RunInstances", version: str = "2017-03-12") -> bytes:
        now = str(int(time.time()))
        host = self._host
        digest = hashlib.sha256(body).hexdigest()
        canonical = f"POST\n/\n\ncontent-type:application/json\nhost:{host}\n\ncontent-type;host\n{digest}"
        scope = f"{self._date}/{self._service}/tc3_request"
        text = f"TC3-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key, text.encode(), "sha256").hex()
        return (
            f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"X-TC-Action: {action}\r\nX-TC-Version: {version}\r\nX-TC-Region: ap-guangzhou\r\n"
            f"X-TC-Timestamp: {now}\r\nAuthorization: TC3-HMAC-SHA256 Credential={self._id}/{scope}, "
            f"SignedHeaders=content-type;host, Signature={signature}\r\n\r\n"
        ).encode() + body


async def load(
    endpoint: str, keys: list[Buyer], body: str, seconds: int, connections: int = CONNECTIONS
) -> dict[str, Any]:
    """Buy by ``body`` on so many connections for so many seconds; figures of it."""
    host, _, port = endpoint.rpartition(":")
    latencies: list[float] = []
    errors: list[str] = []
    end = time.monotonic() + seconds

    async def buyer(number: int) -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        own = keys[number::connections]
        signers = [Signer(secret_id, secret, endpoint) for secret_id, secret, _ in own]
        count = 0
        while not count or time.monotonic() < end:
            mine = count % len(signers)
            said = {**own[mine][2], "TOKEN": f"{number}-{count}-{time.time_ns()}"}
            asked = body
            for word, value in said.items():
                asked = asked.replace(word, value)
            begun = time.perf_counter()
            writer.write(signers[mine].request(asked.encode()))
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE).group(1))  # type: ignore[union-attr]
            answer = await reader.readexactly(length)
            latencies.append(time.perf_counter() - begun)
            if b'"InstanceIdSet"' not in answer:
                errors.append(answer.decode()[:300])
            count += 1
        writer.close()

    begun = time.monotonic()
    await asyncio.gather(*(buyer(number) for number in range(connections)))
    elapsed = time.monotonic() - begun
    if errors:
        print(f"{len(errors)} errors, the first: {errors[0]}")
    ordered = sorted(latencies)
    return {
        "per_s": round((len(latencies) - len(errors)) / elapsed, 1),
        "p50_ms": round(ordered[len(ordered) // 2] * 1000, 1),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1000, 1),
        "errors": len(errors),
        "bought": len(latencies) - len(errors),
    }


def _drain() -> float:
    from vmart.worker.models import Operation

    begun = time.monotonic()
    while Operation.objects.filter(kind="deliver").exists():
        time.sleep(0.05)
    return round(time.monotonic() - begun, 2)


def _reconcile(shop: Shop) -> list[str]:
    done = subprocess.run(
        [ROOT / "bin/vmart", "reconcile", "--data-dir", shop.data_dir], check=False, capture_output=True, text=True
    )
    return [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines()[:10]


if __name__ == "__main__":
    main()
