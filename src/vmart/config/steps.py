"""Which step works on which kind of operation, and what a worker does beside them."""

from collections.abc import Mapping

from vmart.catalog.models import Zone
from vmart.orders import (
    address,
    auto_renew,
    bandwidth,
    bandwidth_window,
    bind_keys,
    deliver,
    end_as_planned,
    enforce,
    expire,
    grow_disk,
    host_name,
    isolate,
    lower_bandwidth,
    lowering,
    move,
    planned_end,
    reboot,
    reclaim,
    redeliver,
    reinstall,
    release,
    rescue,
    reset_password,
    resize,
    size,
    start,
    stop,
    term,
    to_traffic,
    unpaid,
    where_it_is,
    windows,
)
from vmart.orders.addresses import associate, disassociate
from vmart.orders.addresses import bandwidth as address_bandwidth
from vmart.orders.addresses import isolate as isolate_address
from vmart.orders.addresses import mode as address_mode
from vmart.orders.addresses import release as release_address
from vmart.orders.disks import attach, create, detach, grow
from vmart.orders.disks import isolate as isolate_disk
from vmart.orders.disks import release as release_disk
from vmart.orders.images import create as create_image
from vmart.orders.images import delete as delete_image
from vmart.orders.images import import_image
from vmart.orders.packages import bandwidth as package_bandwidth
from vmart.orders.packages import delete as release_package
from vmart.orders.packages import members as address_package
from vmart.orders.snapshots import apply as apply_snapshot
from vmart.orders.snapshots import create as create_snapshot
from vmart.orders.snapshots import delete as release_snapshot
from vmart.orders.snapshots import policies as snapshot_policies
from vmart.orders.snapshots import scheduled as scheduled_snapshots
from vmart.payments import look_back, poll, refund_poll, refunded
from vmart.payments.record import CARDS_LANE, POLL_KIND
from vmart.security import told
from vmart.settlement import arrears, close
from vmart.worker.loop import Step

STEPS: Mapping[str, Step] = {
    "deliver": Step(deliver.deliver, batch=32, attempts=6, limit_s=3600, exhausted=deliver.exhausted),
    "stop": Step(stop.run, attempts=6, exhausted=stop.exhausted),
    "start": Step(start.run, attempts=6, exhausted=start.exhausted),
    "reboot": Step(reboot.run, attempts=6, exhausted=reboot.exhausted),
    reset_password.KIND: Step(reset_password.run, attempts=2, exhausted=reset_password.exhausted),
    bind_keys.KIND: Step(bind_keys.run, attempts=2, exhausted=bind_keys.exhausted),
    host_name.KIND: Step(host_name.run, attempts=3, exhausted=host_name.exhausted),
    reinstall.KIND: Step(reinstall.run, attempts=6, exhausted=reinstall.exhausted),
    rescue.KIND: Step(rescue.run, attempts=6, exhausted=rescue.exhausted),
    rescue.EXIT_KIND: Step(rescue.run_exit, attempts=6, exhausted=rescue.exit_exhausted),
    redeliver.KIND: Step(redeliver.run, attempts=12, exhausted=redeliver.exhausted),
    "isolate": Step(isolate.run, attempts=12),
    "release": Step(release.run, attempts=12),
    told.KIND: Step(enforce.run, attempts=12),
    address.KIND: Step(address.run, attempts=12),
    bandwidth.KIND: Step(bandwidth.run, attempts=6, exhausted=bandwidth.exhausted),
    windows.KIND: Step(bandwidth_window.run),
    bandwidth_window.SPEED_KIND: Step(bandwidth_window.run_speed, attempts=6, exhausted=bandwidth_window.exhausted),
    lowering.KIND: Step(lower_bandwidth.run),
    to_traffic.KIND: Step(to_traffic.run, attempts=6, exhausted=to_traffic.exhausted),
    resize.KIND: Step(resize.run, attempts=6, exhausted=resize.exhausted),
    grow_disk.KIND: Step(grow_disk.run, attempts=6, exhausted=grow_disk.exhausted),
    size.KIND: Step(size.run, attempts=12),
    move.KIND: Step(move.run, attempts=6, exhausted=move.exhausted),
    where_it_is.KIND: Step(where_it_is.run, attempts=12),
    create.KIND: Step(create.run, attempts=6, exhausted=create.exhausted),
    attach.KIND: Step(attach.run, attempts=6, limit_s=3600, exhausted=attach.exhausted),
    detach.KIND: Step(detach.run, attempts=6, exhausted=detach.exhausted),
    grow.KIND: Step(grow.run, attempts=6, exhausted=grow.exhausted),
    isolate_disk.KIND: Step(isolate_disk.run, attempts=12),
    release_disk.KIND: Step(release_disk.run, attempts=12),
    associate.KIND: Step(associate.run, attempts=6, exhausted=associate.exhausted),
    disassociate.KIND: Step(disassociate.run, attempts=6, exhausted=disassociate.exhausted),
    address_bandwidth.KIND: Step(address_bandwidth.run, attempts=6, exhausted=address_bandwidth.exhausted),
    address_mode.KIND: Step(address_mode.run, attempts=6, exhausted=address_mode.exhausted),
    isolate_address.KIND: Step(isolate_address.run, attempts=12),
    release_address.KIND: Step(release_address.run, attempts=12),
    address_package.KIND: Step(address_package.run, attempts=12),
    package_bandwidth.KIND: Step(package_bandwidth.run, attempts=6, exhausted=package_bandwidth.exhausted),
    release_package.KIND: Step(release_package.run, attempts=12),
    create_image.KIND: Step(create_image.run, attempts=6, limit_s=3600, exhausted=create_image.exhausted),
    import_image.KIND: Step(import_image.run, attempts=6, limit_s=36 * 3600, exhausted=import_image.exhausted),
    delete_image.KIND: Step(delete_image.run, attempts=12),
    create_snapshot.KIND: Step(create_snapshot.run, attempts=6, limit_s=3600, exhausted=create_snapshot.exhausted),
    apply_snapshot.KIND: Step(apply_snapshot.run, attempts=6, limit_s=3600, exhausted=apply_snapshot.exhausted),
    release_snapshot.KIND: Step(release_snapshot.run, attempts=12),
    snapshot_policies.KIND: Step(scheduled_snapshots.due),
    scheduled_snapshots.MAKE_KIND: Step(scheduled_snapshots.make),
    scheduled_snapshots.END_KIND: Step(scheduled_snapshots.end),
    "expire": Step(expire.run),
    planned_end.KIND: Step(end_as_planned.run),
    reclaim.KIND: Step(reclaim.run),
    reclaim.NOTICE_KIND: Step(reclaim.tell, attempts=3, exhausted=reclaim.untold),
    term.KIND: Step(auto_renew.run),
    unpaid.EXPIRE_KIND: Step(unpaid.expire),
    POLL_KIND: Step(poll.run, attempts=poll.ATTEMPTS, exhausted=poll.exhausted),
    refunded.POLL_KIND: Step(refund_poll.run, attempts=refund_poll.ATTEMPTS),
    look_back.KIND: Step(look_back.run, attempts=20, limit_s=24 * 3600),
    "arrears": Step(arrears.run),
    close.KIND: Step(close.run, attempts=1000, limit_s=4 * 3600),
}


def zone_codes() -> list[str]:
    """Codes of all zones, in order."""
    return list(Zone.objects.order_by("position").values_list("code", flat=True))


def lanes() -> list[str]:
    """One for timers and money, one for card providers, one for what customers have fetched, one for each zone: who is
    slow delays nobody else."""
    return ["", CARDS_LANE, import_image.LANE, *zone_codes()]
