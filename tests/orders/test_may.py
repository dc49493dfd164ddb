"""Given a machine in any state, then what the page offers is just what the act does not refuse."""

import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import transaction

from tests.instances.test_key_pairs import ED25519
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import HOURLY, MONTHLY, ZONE, buy_running, open_purse
from vmart.events.actor import Actor
from vmart.instances import key_pairs
from vmart.instances.models import Instance, KeyPair, State
from vmart.kernel import clock, db
from vmart.kernel.errors import Refused
from vmart.orders import (
    attributes,
    bandwidth,
    bind_keys,
    convert,
    grow_disk,
    may,
    move,
    planned_end,
    reboot,
    reinstall,
    renew,
    rescue,
    reset_password,
    resize,
    start,
    stop,
    terminate,
)
from vmart.orders.convert import Conversion
from vmart.orders.grow_disk import Growth
from vmart.orders.own_network import DEFAULT_NETWORK
from vmart.orders.reinstall import Reinstall
from vmart.orders.renew import Renewal
from vmart.orders.snapshots.create import NewSnapshot, create
from vmart.orders.without_charge import STOP_CHARGING
from vmart.provisioning import zones
from vmart.security import held
from vmart.storage.models import Disk
from vmart.subscriptions.models import Subscription

pytestmark = pytest.mark.usefixtures("in_business")


def _system_disk(name: str) -> str:
    return Disk.objects.get(instance_id=Instance.objects.get(public_id=name).id, position=0).public_id


VERBS: dict[str, Callable[[Actor, str], object]] = {
    "start": lambda who, name: start.start(who, [name]),
    "stop": lambda who, name: stop.stop(who, [name]),
    "stop_without_charge": lambda who, name: stop.stop(who, [name], stopped_mode=STOP_CHARGING),
    "reboot": lambda who, name: reboot.reboot(who, [name]),
    "reset_password": reset_password.generate,
    "keys": lambda who, name: bind_keys.bind(who, [name], [KeyPair.objects.get(account_id=who.account).public_id]),
    "groups": lambda who, name: attributes.modify(who, [name], groups=[held.default_id(who.account)]),
    "network": lambda who, name: move.move(who, [name], DEFAULT_NETWORK),
    "hostname": lambda who, name: attributes.modify(who, [name], hostname="web-2"),
    "bandwidth": lambda who, name: bandwidth.change(who, [name], 9),
    "type": lambda who, name: resize.change(who, [name], "S5.LARGE8"),
    "plan_end": lambda who, name: planned_end.plan(who, [name], clock.now() + dt.timedelta(days=1), instead=True),
    "reinstall": lambda who, name: reinstall.reinstall(who, name, Reinstall()),
    "rescue": lambda who, name: rescue.enter(who, name, "Rescue-pass-1"),
    "leave_rescue": rescue.leave,
    "grow_disk": lambda who, name: grow_disk.grow(who, Growth([name], _system_disk(name), 60)),
    "renew": lambda who, name: renew.renew(who, Renewal([name])),
    "convert": lambda who, name: convert.ACT.order(who, Conversion([name])),
    "snapshot": lambda who, name: create(who, NewSnapshot(_system_disk(name))),
    "end": lambda who, name: terminate.terminate(who, [name]),
}
OPERATIONS = ("SUCCESS", "OPERATING", "FAILED")


def _refusal(verb: Callable[[Actor, str], object], machine: Instance) -> tuple[type[Refused], str] | None:
    """What asking for it comes to; nothing of it stays."""
    try:
        verb(by(machine.account_id), machine.public_id)
    except Refused as why:
        return type(why), why.code
    return None


@contextmanager
def _taken_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _offered(act: str, machine: Instance) -> tuple[type[Refused], str] | None:
    why = may.why_not(act, machine)
    return None if why is None else (type(why), why.code)


def _machine(configuration: object) -> Instance:
    zones.check(ZONE)
    account = open_purse(cash_minor=1_000_000)
    key_pairs.import_(by(account), "laptop", ED25519)
    return buy_running(account, configuration)  # type: ignore[arg-type]


def test_every_act_is_here() -> None:
    assert VERBS.keys() == may.ACTS.keys()


@pytest.mark.parametrize(
    ("configuration", "expired"), [(HOURLY, False), (MONTHLY, False), (MONTHLY, True)],
    ids=["postpaid", "prepaid", "expired"],
)  # fmt: skip
def test_in_every_state(
    test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch, configuration: object, expired: bool
) -> None:
    machine = _machine(configuration)
    monkeypatch.setattr(db, "act", _taken_back)
    if expired:
        test_clock.set(Subscription.objects.get(id=machine.id).expires_at)  # and the worker has not come yet
    seen = set()
    for state, operation, kind in itertools.product(State.values, OPERATIONS, ("container", "virtual-machine")):
        if state == State.GONE:
            continue  # no longer found: asked for, it is unknown
        Instance.objects.filter(pk=machine.pk).update(state=state, latest_operation_state=operation, kind=kind)
        now = Instance.objects.select_related("subscription").get(pk=machine.pk)
        offered = {act: _offered(act, now) for act in VERBS}
        assert offered == {act: _refusal(verb, now) for act, verb in VERBS.items()}, (state, operation, kind)
        assert may.possible(now) == {act for act, why in offered.items() if why is None}
        seen.add(frozenset(may.possible(now)))
    assert len(seen) > 2  # the control: states differ
