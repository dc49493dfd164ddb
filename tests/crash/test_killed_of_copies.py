"""Given a worker that is killed (kill -9) at any point of its work for snapshots and images, then another one comes to
the same end: each copy is made, charged and ended once."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.crash.conftest import Nursery
from tests.crash.points import at_each_point
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.outcome import outcome
from tests.support.shopper import HOURLY, ZONE, buy_running, open_purse, work
from vmart.config.reconcile import reconcile
from vmart.engines.simulated.world import World
from vmart.kernel import clock, db
from vmart.orders.images import create as images
from vmart.orders.images import delete as end_images
from vmart.orders.images.create import NewImage
from vmart.orders.snapshots import policies, scheduled
from vmart.orders.snapshots.create import NewSnapshot, create
from vmart.orders.snapshots.policies import Wanted
from vmart.provisioning import zones
from vmart.provisioning.zone_engines import engine_of
from vmart.storage.images import OwnImage
from vmart.storage.models import Disk, Snapshot
from vmart.worker.models import Operation

pytestmark = [pytest.mark.usefixtures("open_shop"), pytest.mark.crash]

_COPIES = {
    "snapshots": "SELECT name, state, size_gib, latest_operation, latest_operation_state, latest_operation_error"
    " FROM storage_snapshot WHERE account_id = %s ORDER BY id",
    "images": "SELECT name, state, latest_operation, latest_operation_state, latest_operation_error"
    " FROM storage_image WHERE account_id = %s ORDER BY id",
    "scheduled": "SELECT s.due_at, n.delete_at FROM storage_snapshot_scheduled s"
    " JOIN storage_snapshot n ON n.id = s.snapshot_id"
    " JOIN storage_disk d ON d.id = s.disk_id WHERE d.account_id = %s ORDER BY s.due_at",
    # Those of outcome() name policies.
    "events": "SELECT subject_kind, kind, count(*) FROM events_event WHERE account_id = %s GROUP BY 1, 2 ORDER BY 1, 2",
}


def _come_to(account: int) -> dict[str, Any]:
    copies = {name: db.rows(query, account) for name, query in _COPIES.items()}
    return outcome(account) | copies | {"held": _held(account)}


def _held(account: int) -> tuple[int, int]:
    """How many of its copies the engine has: snapshots, images."""
    engine = engine_of(ZONE)
    names = {
        model: set(model.objects.filter(account_id=account).values_list("public_id", flat=True))
        for model in (Snapshot, OwnImage)
    }
    snapshots = sum(copy.name in names[Snapshot] for copy in engine.list_snapshots())
    return snapshots, sum(copy.name in names[OwnImage] for copy in engine.list_images())


def _system_disk(account: int) -> str:
    return Disk.objects.get(account_id=account).public_id


def _due_now(kind: str, account: int) -> None:
    assert Operation.objects.filter(kind=kind, account_id=account).update(due_at=clock.now()) == 1


def _settle() -> None:
    """All that waits is done, as some seconds later."""
    while Operation.objects.filter(not_before__isnull=False).update(not_before=None) + work():
        pass


def _policy_due(account: int) -> None:
    daily = Wanted(name="daily", active=True, hours=(11,), weekdays=(0, 1, 2, 3, 4, 5, 6), retention_days=2)
    policy = policies.create(by(account), HOURLY.region, daily)
    policies.bind(by(account), policy.public_id, [_system_disk(account)])
    _due_now(policies.KIND, account)


def _retention_over(account: int) -> None:
    _policy_due(account)
    _settle()
    _due_now(scheduled.END_KIND, account)


def _image_of_machine(account: int) -> None:
    (machine,) = db.rows("SELECT public_id FROM instances_instance WHERE account_id = %s", account)
    images.of_machine(by(account), machine["public_id"], NewImage("web"))


def _image_of_snapshot(account: int) -> None:
    create(by(account), NewSnapshot(_system_disk(account)))
    _settle()
    images.of_snapshot(by(account), Snapshot.objects.get(account_id=account).public_id, NewImage("web"))


def _delete_image(account: int) -> None:
    _image_of_machine(account)
    _settle()
    image = OwnImage.objects.get(account_id=account).public_id
    end_images.delete(by(account), [image], with_snapshots=True)


# Act -> (what is asked for, what the engine has of it in the end).
ACTS: dict[str, tuple[Callable[[int], None], tuple[int, int]]] = {
    "a policy is due": (_policy_due, (1, 0)),
    "the time of a snapshot is over": (_retention_over, (0, 0)),
    "an image of a machine": (_image_of_machine, (1, 1)),
    "an image of a snapshot": (_image_of_snapshot, (1, 1)),
    "an image goes with its snapshot": (_delete_image, (0, 0)),
}


@pytest.mark.parametrize("act", ACTS)
def test_the_work_for_copies(
    nursery: Nursery, let_leases_run_out: Callable[[], int], test_clock: BusinessClock, world: World, act: str
) -> None:
    ask, held = ACTS[act]

    def asked(name: str) -> int:
        account = open_purse(name, cash_minor=200_000)
        zones.check(ZONE)
        buy_running(account, HOURLY)
        ask(account)
        return account

    expected = at_each_point(
        nursery, let_leases_run_out, asked, least=10, come_to=_come_to, settle=lambda _account: _settle()
    )
    assert expected["held"] == held
    assert list(reconcile()) == []
