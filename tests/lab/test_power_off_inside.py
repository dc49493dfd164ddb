"""A customer turns the machine off from inside: the engine tells, and the shop knows at once."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from django.db import connection

from tests.lab.conftest import IMAGE, Lab
from tests.support import sweeps
from tests.support.business_clock import BusinessClock
from tests.support.happened import kinds_of
from tests.support.shopper import HOURLY, ZONE, buy_running, open_purse
from vmart.catalog.models import Image, Zone
from vmart.engines.contract import Engine, EngineError, MachineSpec, Power
from vmart.engines.optional import TellsChanges
from vmart.instances.models import Instance
from vmart.orders import watch
from vmart.provisioning import zones
from vmart.settlement import close

MakeSpec = Callable[..., MachineSpec]

_BOOTED = "cloud-init status --wait > /dev/null"


def _told(following: Callable[[float], str | None], name: str, limit_s: float = 30) -> None:
    ends = time.monotonic() + limit_s
    while following(0.5) != name:
        assert time.monotonic() < ends


def test_a_power_off_and_a_reboot_inside_are_told(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    spec = make_spec(public=False)
    engine.ensure_present(spec)
    assert isinstance(engine, TellsChanges)
    with engine.changes() as following:
        assert lab.inside(spec.name, f"{_BOOTED}; systemctl --no-block reboot").returncode == 0
        _told(following, spec.name)
        assert engine.observe(spec.name).power is Power.RUNNING
        assert lab.inside(spec.name, f"{_BOOTED}; systemctl --no-block poweroff").returncode == 0
        _told(following, spec.name)
        assert engine.observe(spec.name).power is Power.STOPPED
        engine.ensure_power(spec.name, True)
        _told(following, spec.name)


def test_a_daemon_that_ends_loses_the_line(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    assert isinstance(engine, TellsChanges)
    with engine.changes() as following:
        lab.stop()
        try:
            with pytest.raises(EngineError, match="does not answer"):
                while True:
                    following(5)
        finally:
            lab.start()
    with engine.changes() as following:
        assert following(0.1) is None


@pytest.fixture
def real_zone(lab: Lab, shop: object, test_clock: BusinessClock) -> str:
    """A zone of the demo shop that the lab's Incus serves."""
    close.begin(test_clock.at)
    Zone.objects.filter(code=ZONE).update(engine_kind="incus", engine_settings=lab.settings, disk_overcommit=20)
    Image.objects.filter(recipe=IMAGE.name).update(version=IMAGE.version)
    assert zones.check(ZONE)
    return ZONE


@contextlib.contextmanager
def _following(zone: str) -> Iterator[None]:
    ended = threading.Event()

    def run() -> None:
        try:
            watch.follow(zone, ended)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(30)
    assert not thread.is_alive()


def test_the_shop_knows_because_it_is_told(
    real_zone: str, engine: Engine, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a listener whose sweep is over, when a machine is turned off from inside, then its row says so; no
    sweep saw it."""
    assert watch.tells(real_zone)
    machine = buy_running(open_purse(cash_minor=1000), HOURLY)
    swept = sweeps.counted(monkeypatch)
    try:
        with _following(real_zone):
            _until(lambda: swept)
            assert lab.inside(machine.public_id, f"{_BOOTED}; systemctl --no-block poweroff").returncode == 0
            _until(lambda: Instance.objects.get(pk=machine.pk).state == "STOPPED")
        now = Instance.objects.get(pk=machine.pk)
        assert (now.latest_operation_state, now.stop_charging_mode) == ("SUCCESS", "KEEP_CHARGING")
        kinds = kinds_of(machine)
        assert (kinds, swept) == (["delivered", "seen_off"], [real_zone])
    finally:
        engine.ensure_absent(machine.public_id)


def _until(look: Callable[[], object], limit_s: float = 120) -> None:
    ends = time.monotonic() + limit_s
    while not look():
        assert time.monotonic() < ends
        time.sleep(0.02)
