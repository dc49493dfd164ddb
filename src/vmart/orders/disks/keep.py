"""Data disks of a machine that its buyer said stay (DeleteWithInstance false): from its erasure on, their own.

Until then such a disk is a part of its machine: paid for and held with it, and not charged while that is in the recycle
bin. Then it is the head of a bundle of its own (ADR 0039). A postpaid one is charged from that second, with its own
hold: only its owner's own end of the machine leaves it. A prepaid one is in a recycle bin of its own, its term over as
its machine's is, and costs nothing: nobody is charged who did not ask for it; a renewal brings it back (ADR 0053). In
arrears, and of a machine that its engine has lost, it goes with it.
"""

from collections.abc import Sequence

from vmart.catalog import shop
from vmart.catalog.models import Zone
from vmart.engines.contract import Engine
from vmart.engines.optional import Disks
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.orders import errors, holds, machines, things
from vmart.orders.disks import release
from vmart.pricing.configuration import POSTPAID_BY_HOUR, PREPAID, SPOTPAID, Configuration
from vmart.storage.models import Disk, State
from vmart.subscriptions.models import Source, Standing, Subscription


def check(configuration: Configuration) -> None:
    """Raise NoOwnDisks where a disk is to stay, and its machine is a spot one or the zone's engine keeps none.

    Of a prepaid machine it goes with it there: Terraform's provider says false of each of its disks.
    """
    staying = [number for number, disk in enumerate(configuration.data_disks) if not disk.delete_with_instance]
    if staying and configuration.charge_type == SPOTPAID:
        raise errors.NoOwnDisks(
            "The disks of a spot machine go with it when it is taken back.",
            field=f"data_disks.{staying[0]}.delete_with_instance", code="InvalidParameterCombination",
        )  # fmt: skip
    if configuration.charge_type != POSTPAID_BY_HOUR or not staying:
        return
    if not Zone.objects.filter(code=configuration.zone, capabilities__disks=True).exists():
        raise errors.NoOwnDisks(
            "In {zone} a disk goes with its machine: the zone keeps none by themselves.",
            field=f"data_disks.{staying[0]}.delete_with_instance",
            code="InvalidParameterCombination", zone=configuration.zone,
        )  # fmt: skip


def told(machine: Instance, engine: Engine) -> list[int]:
    """Have the engine keep those of a machine that is about to be erased; the numbers of what is kept.

    One of which the engine has no data is not kept: it goes with its machine.
    """
    if not isinstance(engine, Disks) or not things.is_in_bin(machine):
        return []
    return [
        disk.id for disk in staying(machine) if engine.ensure_kept(machine.public_id, disk.public_id, disk.size_gib)
    ]


def staying(machine: Instance) -> Sequence[Disk]:
    """The data disks that its owner has after he has ended the machine."""
    if not keeps_disks(machine):
        return []
    own = Disk.objects.filter(instance_id=machine.id, state=State.WITH_MACHINE, delete_with_instance=False)
    return list(own.filter(usage=Disk.Usage.DATA).order_by("position"))


def keeps_disks(machine: Instance) -> bool:
    """Whether any can stay: what arrears have stopped goes whole."""
    return machine.subscription.isolated_source != Source.ARREAR


def become_own(machine: Instance, kept: Sequence[int]) -> None:
    """What was kept is on its own from this second. Part of the machine's last commit, before its room is free."""
    for disk in Disk.objects.select_related("subscription").select_for_update().filter(id__in=kept).order_by("id"):
        db.call("placement_split_disk", disk.id, machine.id, disk.size_gib)
        state = _into_bin(disk, machine) if things.is_prepaid(machine) else _agree(disk)
        Disk.objects.filter(pk=disk.pk).update(
            state=state, instance_id=None, position=0, latest_operation_state="SUCCESS",
            own_zone_id=disk.zone_id, own_created_at=disk.subscription.created_at,
        )  # fmt: skip
        things.event(disk, "disk_kept", machine=machine.public_id)


def _into_bin(disk: Disk, machine: Instance) -> State:
    """The head of its own bundle, with the term that has ended, kept for the days of the bin."""
    at, its_own = clock.now(), machine.subscription
    release_at = machines.bin_until(at, shop.snapshot().billing_zone)
    things.agree(
        [disk], bundle_id=disk.id, charge_type=PREPAID, standing=Standing.ISOLATED, started_at=its_own.started_at,
        anchor_at=its_own.anchor_at, expires_at=its_own.expires_at, renew_flag="NOTIFY_AND_MANUAL_RENEW",
        isolated_source=its_own.isolated_source, isolated_at=at, release_at=release_at,
    )  # fmt: skip
    things.send(disk, release.KIND, due_at=release_at)
    return State.TORECYCLE


def _agree(disk: Disk) -> State:
    """The head of its own bundle: its term stays, what it pays for begins again, an hour of it is set aside."""
    at, agreed = db.call("metering_instant", clock.now()), disk.subscription
    head = {
        "bundle_id": disk.id, "charge_type": POSTPAID_BY_HOUR, "standing": Standing.ACTIVE, "started_at": at,
        "renew_flag": "NOTIFY_AND_MANUAL_RENEW", "isolated_source": Source.NOT_ISOLATED,
    }  # fmt: skip
    Subscription.objects.filter(pk=disk.pk).update(**head)
    agreed.refresh_from_db()
    holds.take([agreed], [_held(disk)])
    db.call("metering_start", [disk.id], [], at)
    return State.UNATTACHED


def _held(disk: Disk) -> int:
    """An hour of it, or what there is: nobody is kept from ending a machine for want of it."""
    (row,) = db.rows(
        "SELECT fn.ledger_available(p) AS available FROM ledger_purses p WHERE account_id = %s", disk.account_id
    )
    return min(holds.hour_minor([disk.id])[disk.id] or 0, max(0, int(row["available"])))
