"""Return of a disk that is paid ahead: what comes back by the rule of any return (``return_prepaid``), then the bin."""

import datetime as dt
from collections.abc import Sequence

from vmart.orders import return_prepaid
from vmart.orders.disks import isolate, own
from vmart.orders.return_prepaid import Kind, RefundQuote
from vmart.storage.models import Disk, State
from vmart.subscriptions.models import Source

AT_ONCE_MAX = 50


def quote_refund(account_id: int, disk_ids: Sequence[str]) -> list[RefundQuote]:
    """What returns would give back now; writes nothing. Raises what the return would."""
    return return_prepaid.quote_refund(account_id, disk_ids, DISKS)


def _lock(account_id: int, disk_ids: Sequence[str]) -> list[Disk]:
    return own.lock(account_id, disk_ids, most=AT_ONCE_MAX)


def refuse(disks: Sequence[Disk]) -> None:
    """Raise NotPrepaid, DiskBusy, DiskAttached, DiskState or DiskExpired for disks that cannot be returned."""
    own.refuse_postpaid(disks, "ResourceUnavailable.NotSupportRefund")
    own.refuse_busy(disks)
    for disk in disks:
        own.refuse_state(disk, State.UNATTACHED)
    own.refuse_expired(disks)


def _into_bin(disks: Sequence[Disk], request_id: str, now: dt.datetime, release_at: dt.datetime) -> None:
    isolate.into_bin(
        disks, "TerminateDisks", request_id, source=Source.MANMADE, at=now, release_at=release_at,
        **return_prepaid.term_ends(now),
    )  # fmt: skip


DISKS = Kind(_lock, refuse, _into_bin, "ResourceInsufficient.OverRefundQuota")
