"""Given several web processes, when requests repeat or hurry, then the database counts for all of them."""

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from tests.api.calling import Client, application, send
from tests.api.signing import legacy_request, sdk_request
from tests.api.test_wire import CALLS, LEGACY, REGISTRY
from vmart.api.models import Nonce, Rate
from vmart.api.wire import rates, replay
from vmart.kernel import clock

NOW = dt.datetime(2026, 3, 10, 2, 0, tzinfo=dt.UTC)
UNTIL_S = int(NOW.timestamp()) + 300


@pytest.fixture(autouse=True)
def _wall(db: object, monkeypatch: pytest.MonkeyPatch) -> None:
    CALLS.clear()
    monkeypatch.setattr(clock, "wall", lambda: NOW)


def _in_threads(count: int, work: object) -> list[object]:
    """``work()`` in ``count`` threads at once, each with a connection of its own."""
    barrier = threading.Barrier(count)

    def run() -> object:
        try:
            barrier.wait()
            return work()  # type: ignore[operator]
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(run) for _ in range(count)]]


def test_a_nonce_is_new_once_per_key() -> None:
    assert replay.remember_nonce("AKIDa", 1, UNTIL_S)
    assert not replay.remember_nonce("AKIDa", 1, UNTIL_S)
    assert replay.remember_nonce("AKIDa", 2, UNTIL_S)
    assert replay.remember_nonce("AKIDb", 1, UNTIL_S)
    assert replay.remember_nonce("AKIDa", 2**63 - 1, UNTIL_S)
    assert not replay.remember_nonce("AKIDa", 2**63 - 1, UNTIL_S)


def test_a_nonce_may_come_again_after_its_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a nonce used at 02:00, then until 02:05:00 it is refused, after that it is new, for one more window."""
    assert replay.remember_nonce("AKIDa", 1, UNTIL_S)
    monkeypatch.setattr(clock, "wall", lambda: NOW + dt.timedelta(seconds=300))
    assert not replay.remember_nonce("AKIDa", 1, UNTIL_S + 300)
    monkeypatch.setattr(clock, "wall", lambda: NOW + dt.timedelta(seconds=301))
    assert replay.remember_nonce("AKIDa", 1, UNTIL_S + 301)
    assert not replay.remember_nonce("AKIDa", 1, UNTIL_S + 301)


def test_expired_nonces_are_cleared_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    for nonce in range(30):
        replay.remember_nonce("AKIDa", nonce, UNTIL_S)
    replay.remember_nonce("AKIDb", 1, UNTIL_S)
    monkeypatch.setattr(clock, "wall", lambda: NOW + dt.timedelta(seconds=301))
    replay.remember_nonce("AKIDa", 100, UNTIL_S + 301)
    replay.remember_nonce("AKIDa", 101, UNTIL_S + 301)
    assert set(Nonce.objects.values_list("secret_id", "nonce")) == {("AKIDa", 100), ("AKIDa", 101), ("AKIDb", 1)}


def test_of_equal_requests_at_once_one_is_new() -> None:
    assert sorted(map(bool, _in_threads(8, lambda: replay.remember_nonce("AKIDa", 5, UNTIL_S)))) == [False] * 7 + [True]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_repeated_request_is_refused(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a v1 request that passed, when the same bytes come again, then they are refused and nothing is called."""
    monkeypatch.undo()
    app = application(REGISTRY, LEGACY, remember=replay.remember_nonce)
    request = sdk_request("Echo", {"Name": "x"}, sign_method="HmacSHA256", method=method)
    assert send(app, request).response["Asked"]["Name"] == "x"
    assert send(app, request).error[0] == "AuthFailure.InvalidAuthorization"
    legacy = legacy_request("Echo", {"zoneId": 1}, method=method)
    assert send(app, legacy).body["code"] == 0
    assert send(app, legacy).body["code"] == 4500
    assert len(CALLS) == 2
    assert "Asked" in Client(app).call("Echo", sign_method="HmacSHA256").response


def test_calls_of_a_second_are_counted() -> None:
    assert [rates.take_calls(7, "RunInstances", 100, 1, 3) for _ in range(5)] == [1, 1, 1, 0, 0]
    assert rates.take_calls(8, "RunInstances", 100, 1, 3) == 1
    assert rates.take_calls(7, "Other", 100, 1, 3) == 1
    assert [rates.take_calls(7, "RunInstances", 101, 2, 3) for _ in range(3)] == [2, 1, 0]


def test_clocks_that_differ_share_a_second_and_a_stopped_one_recovers() -> None:
    assert rates.take_calls(7, "RunInstances", 100, 3, 3) == 3
    assert rates.take_calls(7, "RunInstances", 99, 1, 3) == 0
    assert rates.take_calls(7, "RunInstances", 94, 1, 3) == 1
    assert Rate.objects.get().second == 94


def test_processes_share_the_limit() -> None:
    """Given a limit of 40 and eight processes that take as they go, then 40 calls pass in the second, not one more."""
    processes = [rates.CallRates() for _ in range(8)]
    passed = [process.allows(7, "RunInstances", 40) for _ in range(10) for process in processes]
    assert sum(passed) == 40


def test_threads_at_once_share_the_limit() -> None:
    process = rates.CallRates()
    passed = _in_threads(8, lambda: sum(process.allows(7, "RunInstances", 10) for _ in range(5)))
    assert sum(passed) == 10  # type: ignore[arg-type]


def test_a_high_limit_costs_few_statements() -> None:
    taken: list[int] = []

    def take(*asked: int) -> int:
        taken.append(1)
        return rates.take_calls(*asked)  # type: ignore[arg-type]

    process = rates.CallRates(take)  # type: ignore[arg-type]
    assert all(process.allows(7, "RunInstances", 2000) for _ in range(1000))
    assert len(taken) == 10
