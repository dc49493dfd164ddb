"""Whatever customers do and whenever the worker comes to it: every second of use is charged exactly once.

Section 8's "usage duplicated or never closed at resize, delete, takeover", and the edge of the hour.
"""

import contextlib
import datetime as dt
import uuid
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.actors import by
from tests.support.business_clock import START, BusinessClock
from tests.support.database import Databases
from tests.support.shopper import HOURLY, buy_running, open_purse, work
from vmart.config import reconcile
from vmart.instances.models import Instance, State
from vmart.kernel import clock, db
from vmart.kernel.clock import HOUR
from vmart.kernel.errors import Refused
from vmart.orders import open_account, reboot, start, stop, terminate
from vmart.settlement import close
from vmart.worker.models import Operation

# How far the clock goes between two acts: within the hour, to its edge and just beside it, over several hours.
MOVES = ["0 s", "1 s", "17 min", "edge - 1 s", "edge", "edge + 1 s", "3 h"]
ACTS = ["stop", "stop without charge", "start", "reboot", "terminate", "top up"]

steps = st.lists(
    st.tuples(st.sampled_from(MOVES), st.booleans(), st.sampled_from(ACTS), st.booleans()), min_size=1, max_size=8
)


class Watch:
    """Counts a machine's seconds of CPU and disk by what it shows at every instant, not by its segments."""

    def __init__(self, machine: Instance) -> None:
        self.id = machine.id
        self.seconds = {"cpu": 0, "disk": 0}
        self._since = clock.now()
        self._state = self._charged()

    def look(self) -> None:
        """Call after everything that may change what is charged, and before the clock moves."""
        passed = int((clock.now() - self._since).total_seconds())
        for component, charged in self._state.items():
            self.seconds[component] += passed if charged else 0
        self._since, self._state = clock.now(), self._charged()

    def _charged(self) -> dict[str, bool]:
        machine = Instance.objects.get(id=self.id)
        if machine.state in (State.SHUTDOWN, State.TERMINATING, State.GONE):
            return {"cpu": False, "disk": False}
        asked = Operation.objects.filter(kind="stop", subject_id=self.id, payload__mode=stop.STOP_CHARGING).exists()
        # A stop without charge pauses at the request; charging resumes at RUNNING, not at the request to start.
        paused = asked or (machine.state != State.RUNNING and machine.stop_charging_mode == stop.STOP_CHARGING)
        return {"cpu": not paused, "disk": True}


def _move(test_clock: BusinessClock, how: str) -> None:
    edge = clock.hour_start(test_clock.at) + HOUR
    second = dt.timedelta(seconds=1)
    where = {
        "0 s": test_clock.at, "1 s": test_clock.at + second, "17 min": test_clock.at + dt.timedelta(minutes=17),
        "edge - 1 s": edge - second, "edge": edge, "edge + 1 s": edge + second, "3 h": test_clock.at + 3 * HOUR,
    }  # fmt: skip
    test_clock.set(where[how])


def _act(account: int, machine: str, what: str) -> None:
    acts = {
        "stop": lambda: stop.stop(by(account), [machine]),
        "stop without charge": lambda: stop.stop(by(account), [machine], stopped_mode=stop.STOP_CHARGING),
        "start": lambda: start.start(by(account), [machine]),
        "reboot": lambda: reboot.reboot(by(account), [machine]),
        "terminate": lambda: terminate.terminate(by(account), [machine]),
        "top up": lambda: open_account.grant(account, 500, clock.now().isoformat()),
    }
    with contextlib.suppress(Refused):  # not possible in this state
        acts[what]()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=steps, worker_late=st.booleans(), cash_minor=st.sampled_from([100, 100_000]))
def test_every_second_is_charged_once(  # noqa: PLR0917
    shop: Databases, test_clock: BusinessClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    steps: list[tuple[str, bool, str, bool]], worker_late: bool, cash_minor: int,
) -> None:  # fmt: skip
    """Given random acts at random instants, the worker now at once, now late, then charged = used, and all agrees."""
    shop.restore()
    monkeypatch.setattr(django_settings, "DATA_DIR", tmp_path / str(uuid.uuid4()))  # engines of its own
    test_clock.set(START + dt.timedelta(minutes=7))
    close.begin(clock.now())
    account = open_purse(cash_minor=cash_minor)
    machine = buy_running(account, replace(HOURLY, instance_type="S1.SMALL1"))
    watch = Watch(machine)
    for move, work_before, what, work_after in steps:
        _move(test_clock, move)
        watch.look()
        if work_before or not worker_late:
            work()
            watch.look()
        _act(account, machine.public_id, what)
        watch.look()
        if work_after or not worker_late:
            work()
            watch.look()
    work()
    watch.look()
    test_clock.set(clock.hour_start(test_clock.at) + 2 * HOUR)
    watch.look()
    work()

    charged = db.rows(
        "SELECT CASE component WHEN 'cpu' THEN 'cpu' ELSE 'disk' END AS component, sum(duration_s) AS seconds"
        " FROM bills_charge GROUP BY 1"
    )
    assert {row["component"]: row["seconds"] for row in charged} == {
        name: seconds for name, seconds in watch.seconds.items() if seconds
    }
    _check_money(account, Decimal(watch.seconds["cpu"]) * Decimal("0.42") / 3600)
    assert list(reconcile.reconcile()) == []


def _check_money(account: int, cpu: Decimal) -> None:
    """What was deducted is what was charged, right to the cent; below 96 h of age every second costs the same."""
    charged = db.rows(
        "SELECT coalesce(sum(exact_e8), 0) * 0.00000001 AS exact, count(*) AS hours FROM bills_charge"
        " WHERE component = 'cpu'"
    )[0]
    assert abs(charged["exact"] - cpu) <= Decimal("0.000000005") * charged["hours"]
    books = db.rows(
        "SELECT (SELECT round(coalesce(sum(exact_e8), 0) * 0.000001) FROM bills_charge) AS charged,"
        " (SELECT coalesce(sum(CASE kind WHEN 'hour' THEN amount_minor ELSE -amount_minor END), 0)"
        "  FROM ledger_transfer WHERE kind IN ('hour', 'correction') AND account_id = %s) AS taken",
        account,
    )  # fmt: skip
    assert books[0]["charged"] == books[0]["taken"]
