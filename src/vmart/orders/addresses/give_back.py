"""A bought public address is given back: charged no more from the request on, free for others once it leads nowhere.

One that is paid ahead is returned, by the rule of any return (``return_prepaid``), and kept for the days of the recycle
bin; given back again it is gone.
"""

import datetime as dt
from collections.abc import Sequence

from vmart.events.actor import Actor
from vmart.kernel import clock, db
from vmart.network.models import Eip, EipState
from vmart.orders import errors, hourly, return_prepaid, things
from vmart.orders.addresses import isolate, own, release
from vmart.orders.return_prepaid import Kind, RefundQuote
from vmart.subscriptions.models import Source

ACT = release.ACT


def give_back(actor: Actor, eip_ids: Sequence[str], *, for_good: bool = True) -> int:
    """Accept it, all or none; the number of the task.

    One on its way into the recycle bin is busy: a call that is merely repeated gives nothing up for good. Without
    ``for_good`` one in the bin stays as it is: whoever asked to give it back did not ask for that. Raises UnknownEip,
    EipBusy, EipWrongState, EipExpired, LimitExceeded.
    """
    with db.act():
        eips = own.lock(actor.account, eip_ids)
        refuse(eips)
        if not for_good:
            eips = [eip for eip in eips if not (things.is_prepaid(eip) and things.is_in_bin(eip))]
        things.events(eips, ACT, actor=actor)
        task = own.begin(eips, ACT, actor.request_id)
        returned = [eip for eip in eips if _is_in_term(eip)]
        # First, so that none of them is switched on again by a refund that ends arrears.
        if ended := [eip for eip in eips if not _is_in_term(eip)]:
            _end(ended)
        if returned:
            return_prepaid.give_back(returned, actor.request_id, kind=ADDRESSES)
        return task


def _is_in_term(eip: Eip) -> bool:
    return things.is_prepaid(eip) and not things.is_in_bin(eip)


def _end(eips: Sequence[Eip]) -> None:
    """Charged until now, and gone when its engine says so."""
    accepted = db.call("metering_instant", clock.now())
    things.end_usage(eips, accepted)
    hourly.hold_what_was_used(eips, accepted)
    Eip.objects.filter(pk__in=[eip.pk for eip in eips]).update(state=EipState.OFFLINING, package=None)
    charged = [eip for eip in eips if eip.subscription.isolated_at is None]
    things.isolate_all(charged, Source.MANMADE, accepted, accepted)
    things.forget_work(release.KIND, eips)
    things.send_all(eips, release.KIND)


def refuse(eips: Sequence[Eip]) -> None:
    """Raise EipBusy, EipWrongState or EipExpired for addresses that cannot be given back."""
    own.refuse_busy(eips)
    own.refuse_bound(eips)
    own.refuse_expired([eip for eip in eips if _is_in_term(eip)])


def quote_refund(account_id: int, eip_ids: Sequence[str]) -> list[RefundQuote]:
    """What returns would give back now; writes nothing. Raises what the return would."""
    return return_prepaid.quote_refund(account_id, eip_ids, ADDRESSES)


def refuse_return(eips: Sequence[Eip]) -> None:
    """Raise EipCharged, EipBusy, EipWrongState or EipExpired for addresses that cannot be returned."""
    for eip in eips:
        if not things.is_prepaid(eip):
            raise errors.EipCharged("{id} is postpaid: nothing was paid ahead.", field="addresses", id=eip.public_id)
    own.refuse_busy(eips)
    own.refuse_bound(eips)
    own.refuse_expired(eips)


def _into_bin(eips: Sequence[Eip], _request_id: str, now: dt.datetime, release_at: dt.datetime) -> None:
    isolate.into_bin(eips, Source.MANMADE, now, release_at, **return_prepaid.term_ends(now))


ADDRESSES = Kind(own.lock, refuse_return, _into_bin, "LimitExceeded.AccountReturnQuota")
