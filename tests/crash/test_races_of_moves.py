"""A machine moved twice at once, or moved while it is ended: the locks let one go first; without them it goes wrong."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError

from tests.crash.gate import GATE, Edit, at_the_gate, of, without_locks
from tests.support.actors import by
from tests.support.database import Databases
from tests.support.shopper import ZONE, buy_running, open_purse, work
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS, lanes
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.network.models import PrivateAddress
from vmart.orders import move, terminate
from vmart.orders.errors import Busy
from vmart.orders.own_network import DEFAULT_NETWORK
from vmart.provisioning.zone_engines import engine_of
from vmart.worker import loop

pytestmark = [pytest.mark.usefixtures("open_shop"), pytest.mark.crash]


def _machine() -> Instance:
    return buy_running(open_purse(cash_minor=100_000))


def _move(machine: Instance) -> None:
    move.move(by(machine.account_id), [machine.public_id], DEFAULT_NETWORK)


def _end(machine: Instance) -> None:
    terminate.terminate(by(machine.account_id), [machine.public_id])


def _held(machine: Instance) -> list[tuple[int, str]]:
    """Addresses of the machine, each with its sign: minus is where it is on its way to."""
    rows = PrivateAddress.objects.filter(instance_id__in=[machine.id, -machine.id]).order_by("-instance_id")
    return [(row.instance_id // machine.id, row.ip[-3:]) for row in rows]


def _asked_and(shop: Databases, edit: Edit, other: Callable[[Instance], None]) -> tuple[list[str], list[Any], Instance]:
    """A move is being accepted; meanwhile something else is asked for."""
    machine = _machine()
    edit("worker_enqueue", ("BEGIN\n", f"BEGIN\n  {GATE}\n"))
    return *at_the_gate(shop.url(), lambda: _move(machine), lambda: other(machine)), machine


def test_a_machine_is_moved_once_at_a_time(open_shop: Databases, edit: Edit) -> None:
    waited, results, machine = _asked_and(open_shop, edit, _move)
    assert (waited, of(Busy, results), of(type(None), results)) == (["advisory", "transactionid"], 1, 1)
    assert _held(machine) == [(1, ".10"), (-1, ".11")]
    work()
    assert (_held(machine), list(reconcile())) == ([(1, ".11")], [])


def test_control_without_locks_only_the_key_of_addresses_is_in_the_way(
    open_shop: Databases, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_locks(edit, monkeypatch)
    _, results, machine = _asked_and(open_shop, edit, _move)
    assert (of(Busy, results), of(type(None), results)) == (0, 1)
    assert "network_private_address_pkey" in str(next(one for one in results if isinstance(one, IntegrityError)))
    assert _held(machine) == [(1, ".10"), (-1, ".11")]


def _arriving_and_ended(shop: Databases, edit: Edit) -> tuple[list[str], Instance]:
    """The move is in force on the engine and being written; meanwhile the machine is ended."""
    machine = _machine()
    _move(machine)
    edit("network_arrived", ("DELETE FROM", "SELECT pg_advisory_xact_lock_shared(4242);\n  DELETE FROM"))
    waited, _ = at_the_gate(
        shop.url(), lambda: loop.run_until_idle({move.KIND: STEPS[move.KIND]}, lanes), lambda: _end(machine)
    )
    return waited, machine


def test_a_machine_that_is_ended_when_it_has_arrived_is_there(open_shop: Databases, edit: Edit) -> None:
    waited, machine = _arriving_and_ended(open_shop, edit)
    assert waited == ["advisory", "transactionid"]
    kinds = Event.objects.filter(kind__in=["network_changed", "terminated"]).order_by("id")
    assert list(kinds.values_list("kind", flat=True)) == ["network_changed", "terminated"]
    found = Instance.objects.get()
    assert (found.state, found.latest_operation, found.latest_operation_state) == (
        "SHUTDOWN", "TerminateInstances", "OPERATING",
    )  # fmt: skip
    work()
    seen = engine_of(ZONE).observe(machine.public_id)
    assert (_held(machine), seen.private_ip[-3:], seen.power) == ([(1, ".11")], ".11", "stopped")
    assert list(reconcile()) == []


def test_control_without_locks_its_end_is_told_as_done_before_it_is(
    open_shop: Databases, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_locks(edit, monkeypatch)
    waited, machine = _arriving_and_ended(open_shop, edit)
    assert waited == ["advisory"]
    found = Instance.objects.get()
    assert (found.state, found.latest_operation, found.latest_operation_state) == (
        "SHUTDOWN", "TerminateInstances", "SUCCESS",
    )  # fmt: skip
    assert engine_of(ZONE).observe(machine.public_id).power == "running"
