"""Processes of the shop that a test may kill: ``python -m tests.crash.nursery SOCKET``.

Everything is loaded once; each connection to SOCKET is served by a forked process of its own. It gets
one line of JSON (see ``Child``), answers its process id, does the act, answers with what came out and
ends. With ``kill_at`` n it ends itself with SIGKILL at its n-th point: before and after each statement,
commit, engine verb and wake-up. A test names nothing of the shop's code for that: the points are found.
"""

import datetime as dt
import ipaddress
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import django

django.setup()

from django.conf import settings
from django.db import connection, connections
from django.db.backends.postgresql.base import DatabaseWrapper

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import HOURLY, IMAGE, LOGIN, MONTHLY, wanted
from vmart.config.database import parse_database_url
from vmart.config.steps import STEPS, lanes
from vmart.engines import contract
from vmart.engines.simulated.engine import SimulatedEngine
from vmart.kernel import clock, db
from vmart.orders import convert, start, stop, terminate
from vmart.orders.bandwidth import UPGRADE
from vmart.orders.bandwidth_by_month import Upgrade
from vmart.orders.convert import Conversion
from vmart.orders.login import GENERATED
from vmart.orders.own_network import NetworkWanted
from vmart.orders.purchase import purchase
from vmart.orders.wanted import Machine
from vmart.pricing.configuration import Configuration
from vmart.worker import loop


class Points:
    """Counts the points a process passes, notes their names, and ends the process at the n-th."""

    def __init__(self, kill_at: int) -> None:
        self.passed: list[str] = []
        self._kill_at = kill_at
        self._quiet = 0

    def at(self, name: str) -> None:
        if self._quiet:
            return
        self.passed.append(name)
        if len(self.passed) == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def around(self, name: str) -> Any:
        """What happens inside ``name`` is part of it."""
        self.at(f"before {name}")
        self._quiet += 1
        try:
            yield
        finally:
            self._quiet -= 1
        self.at(f"after {name}")


def _watch(points: Points) -> None:
    """Let every statement, commit, engine verb and wake-up of this process be a point."""

    def watched(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            with points.around(name):
                return original(*arguments, **named)

        return call

    def calling(function: str, *arguments: Any) -> Any:
        with points.around(function):
            return call_function(function, *arguments)

    def statement(execute: Callable[..., Any], sql: Any, parameters: Any, many: bool, context: Any) -> Any:
        with points.around(" ".join(str(sql).split()[:3])[:60]):
            return execute(sql, parameters, many, context)

    call_function = db.call
    db.call = calling
    connection.execute_wrappers.append(statement)
    DatabaseWrapper._commit = watched("commit", DatabaseWrapper._commit)  # type: ignore[attr-defined]
    for verb in contract.VERBS:
        if hasattr(SimulatedEngine, verb):
            setattr(SimulatedEngine, verb, watched(verb, getattr(SimulatedEngine, verb)))
    db.wake_workers = watched("wake", db.wake_workers)


def _configuration(words: dict[str, Any]) -> Configuration:
    kind = {"HOURLY": HOURLY, "MONTHLY": MONTHLY}[words.get("kind", "HOURLY")]
    return replace(kind, **{name: value for name, value in words.items() if name != "kind"})


def _buy(
    account: int, configuration: dict[str, Any], token: str = "", min_count: int = 0, *, generated: bool = False,
    ipv6: bool = False,
) -> Any:  # fmt: skip
    network = NetworkWanted(ipv6_addresses=1 if ipv6 else 0)
    what = {"machine": Machine(IMAGE, GENERATED if generated else LOGIN, name="web", network=network)}
    bought = purchase(wanted(account, _configuration(configuration), client_token=token, min_count=min_count, **what))
    return {"order": bought.order_id, "machines": list(bought.instance_ids), "repeated": bought.repeated}


def _act(verb: Callable[..., None]) -> Callable[..., None]:
    return lambda account_id, public_ids, **words: verb(by(account_id), public_ids, **words)


def _more_bandwidth(account: int, public_id: str, mbps: int, token: str) -> int:
    return UPGRADE.order(by(account), Upgrade([public_id], mbps), client_token=token)


def _convert(account: int, public_id: str, token: str) -> int:
    return convert.ACT.order(by(account), Conversion([public_id]), client_token=token)


def _serve(limit_s: float = 900, imports: str = "") -> None:
    """``imports``: the folder of imports, where customers' images are fetched from this host."""
    if imports:
        settings.IMPORT_DIR, settings.IMPORT_PLAIN = imports, True
        settings.IMPORT_NETWORKS = [ipaddress.ip_network("127.0.0.1/32")]
    steps = {kind: replace(step, limit_s=limit_s) for kind, step in STEPS.items()}
    loop.Worker(steps, lanes).run()


ACTS: dict[str, Callable[..., Any]] = {
    "buy": _buy,
    "more bandwidth": _more_bandwidth,
    "convert": _convert,
    "stop": _act(stop.stop),
    "start": _act(start.start),
    "terminate": _act(terminate.terminate),
    "work": lambda: loop.run_until_idle(STEPS, lanes),
    "serve": _serve,
}


def _child(line: socket.socket) -> None:
    with line, line.makefile("rwb") as wire:
        asked = json.loads(wire.readline())
        os.environ["VMART_DATABASE_URL"] = asked["database"]
        connections["default"].settings_dict.update(parse_database_url(asked["database"]))
        connections.databases["default"].update(parse_database_url(asked["database"]))
        connections["default"].settings_dict["OPTIONS"] |= {"application_name": f"child-{os.getpid()}"}
        settings.DATA_DIR = Path(asked["data_dir"])
        BusinessClock(dt.datetime.fromisoformat(asked["now"])).install()
        contract.install_transaction_probe(db.in_transaction)
        loop.LEASE_S = asked["lease_s"]
        wire.write(json.dumps({"pid": os.getpid()}).encode() + b"\n")
        wire.flush()
        points = Points(asked["kill_at"])
        try:
            connection.ensure_connection()
            clock.now()
            _watch(points)
            answer = {"answer": ACTS[asked["act"]](**asked["with"])}
        except Exception as error:  # noqa: BLE001  the test asks for it and sees it
            answer = {"error": f"{type(error).__name__}: {error}"}
        wire.write(json.dumps({**answer, "points": points.passed}).encode() + b"\n")


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(sys.argv[1])
        door.listen(16)
        while True:
            line, _ = door.accept()
            if os.fork() == 0:
                door.close()
                _child(line)
                os._exit(0)
            line.close()


if __name__ == "__main__":
    main()
