"""Acts on several things that are ticked in a list: each by the act that it has alone, in a commit of its own.

So one that is refused holds up none of the others, and its sentence is the one that it would get alone. What they
would all give back is quoted together, as it is given back: of an account's returns one is free.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.utils.translation import gettext, gettext_lazy

from vmart.events.actor import Actor
from vmart.instances.models import Instance, State
from vmart.kernel.errors import Refused
from vmart.kernel.text import sayable
from vmart.network.models import Eip, EipState
from vmart.orders import may, reboot, return_prepaid, start, stop, terminate
from vmart.orders.addresses import give_back as addresses
from vmart.orders.disks import give_back as disks
from vmart.orders.disks import may as may_disk
from vmart.orders.disks import terminate as terminate_disk
from vmart.orders.return_prepaid import RefundQuote
from vmart.orders.snapshots import delete
from vmart.orders.things import is_in_bin, is_prepaid
from vmart.orders.without_charge import STOP_CHARGING
from vmart.pages import cells, wording
from vmart.storage.models import Disk, Snapshot, SnapshotState
from vmart.storage.models import State as DiskState

AT_ONCE_MAX = 100


@dataclass(frozen=True, slots=True)
class Act:
    """``why_not``: a sentence where the thing as it stands cannot; ``done``: what is said of one that was accepted.

    ``quote``: what returns of what is paid ahead give back. ``is_end``: something is lost by it.
    """

    title: Any
    why_not: Callable[[Any], str]
    do: Callable[[Actor, str], object]
    done: Any
    quote: Callable[[int, Sequence[str]], list[RefundQuote]] | None = None
    is_end: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """``listing`` and ``page``: names of addresses; ``read``: the account's things of these ids, by id."""

    listing: str
    page: str
    title: Any
    read: Callable[[int, Sequence[str]], Mapping[str, Any]]
    name: Callable[[Any], str]
    state: Callable[[Any], Any]
    acts: Mapping[str, Act]


def _sentence(why: Refused | None) -> str:
    return wording.sentence(why) if why else ""


def _why(refuse: Callable[[], object]) -> str:
    try:
        refuse()
    except Refused as why:
        return wording.sentence(why)
    return ""


# -- machines -------------------------------------------------------------------------------------


def _machines(account_id: int, public_ids: Sequence[str]) -> Mapping[str, Instance]:
    own = Instance.objects.select_related("subscription").filter(account_id=account_id, public_id__in=public_ids)
    return {machine.public_id: machine for machine in own.exclude(state=State.GONE)}


def _of_machine(act: str) -> Callable[[Instance], str]:
    return lambda machine: _sentence(may.why_not(act, machine))


def _end_of_machine(machine: Instance) -> str:
    if machine.state in terminate.IN_BIN:
        return gettext("It has ended already; what is left of it is erased on its own page.")
    return _sentence(may.why_not("end", machine))


_QUIETLY = partial(stop.stop, stop_type=stop.SOFT_FIRST)
MACHINES = Kind(
    "machines", "machine", gettext_lazy("Machines"), _machines, lambda machine: machine.name,
    lambda machine: cells.state(machine.state),
    {
        "start": Act(
            gettext_lazy("Start these machines?"), _of_machine("start"),
            lambda who, public_id: start.start(who, [public_id]), gettext_lazy("It is being started."),
        ),
        "stop": Act(
            gettext_lazy("Stop these machines?"), _of_machine("stop"),
            lambda who, public_id: _QUIETLY(who, [public_id]), gettext_lazy("It is being stopped, and billed on."),
        ),
        "stop_without_charge": Act(
            gettext_lazy("Stop these machines without charge?"), _of_machine("stop_without_charge"),
            lambda who, public_id: _QUIETLY(who, [public_id], stopped_mode=STOP_CHARGING),
            gettext_lazy("It is being stopped without charge."),
        ),
        "reboot": Act(
            gettext_lazy("Reboot these machines?"), _of_machine("reboot"),
            lambda who, public_id: reboot.reboot(who, [public_id]), gettext_lazy("It is being rebooted."),
        ),
        "end": Act(
            gettext_lazy("End these machines?"), _end_of_machine,
            lambda who, public_id: terminate.terminate(who, [public_id], erase=False),
            gettext_lazy("It has ended and is in the recycle bin, or erased if it has none."),
            quote=return_prepaid.quote_refund, is_end=True,
        ),
    },
)  # fmt: skip

# -- disks ----------------------------------------------------------------------------------------


def _disks(account_id: int, public_ids: Sequence[str]) -> Mapping[str, Disk]:
    own = Disk.objects.select_related("subscription").filter(account_id=account_id, public_id__in=public_ids)
    return {disk.public_id: disk for disk in own.exclude(state__in=["", DiskState.GONE, DiskState.FAILED])}


def _end_of_disk(disk: Disk) -> str:
    if disk.state in (DiskState.TORECYCLE, DiskState.ERASING):
        return gettext("It is in the recycle bin already; it is erased on its own page.")
    return _sentence(may_disk.why_not("end", disk, None))


DISKS = Kind(
    "disks", "disk", gettext_lazy("Disks"), _disks, lambda disk: disk.name or disk.public_id, cells.disk_state,
    {
        "end": Act(
            gettext_lazy("End these disks?"), _end_of_disk,
            lambda who, public_id: terminate_disk.terminate(who, [public_id], erase=False),
            gettext_lazy("It goes into the recycle bin."), quote=disks.quote_refund, is_end=True,
        )
    },
)  # fmt: skip

# -- snapshots ------------------------------------------------------------------------------------


def _snapshots(account_id: int, public_ids: Sequence[str]) -> Mapping[str, Snapshot]:
    own = Snapshot.objects.select_related("subscription").filter(account_id=account_id, public_id__in=public_ids)
    return {snapshot.public_id: snapshot for snapshot in own.exclude(state=SnapshotState.GONE)}


SNAPSHOTS = Kind(
    "snapshots", "snapshot", gettext_lazy("Snapshots"), _snapshots,
    lambda snapshot: snapshot.name or snapshot.public_id, lambda snapshot: cells.snapshot_state(snapshot.state),
    {
        "delete": Act(
            gettext_lazy("Delete these snapshots?"), lambda snapshot: _why(lambda: delete.refuse([snapshot])),
            lambda who, public_id: delete.delete(who, [public_id]), gettext_lazy("It is being deleted."), is_end=True,
        )
    },
)  # fmt: skip

# -- addresses ------------------------------------------------------------------------------------


def _addresses(account_id: int, public_ids: Sequence[str]) -> Mapping[str, Eip]:
    own = Eip.objects.select_related("subscription").filter(account_id=account_id, public_id__in=public_ids)
    return {eip.public_id: eip for eip in own.exclude(state=EipState.GONE)}


def _release(eip: Eip) -> str:
    if is_prepaid(eip) and is_in_bin(eip):
        return gettext("It is in the recycle bin already; it is given up for good on its own page.")
    return _why(lambda: addresses.refuse([eip]))


ADDRESSES = Kind(
    "addresses", "address", gettext_lazy("Public addresses"), _addresses, lambda eip: eip.ip or eip.public_id,
    lambda eip: wording.EIP_STATES[eip.state],
    {
        "release": Act(
            gettext_lazy("Give these addresses back?"), _release,
            lambda who, public_id: addresses.give_back(who, [public_id], for_good=False),
            gettext_lazy("It is given back."), quote=addresses.quote_refund, is_end=True,
        )
    },
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item:
    """One of those that were chosen. ``thing``: None where the account has none of that id; ``why_not``: a sentence."""

    public_id: str
    thing: Any
    why_not: str
    quote: RefundQuote | None = None  # where it is returned, with those before it


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one: ``accepted``, and the sentence that says it."""

    public_id: str
    thing: Any
    accepted: bool
    said: Any


@dataclass(frozen=True, slots=True)
class Asked:
    """What the act would do to each."""

    items: Sequence[Item]

    @property
    def possible(self) -> list[Item]:
        return [item for item in self.items if not item.why_not]

    @property
    def quotes(self) -> list[RefundQuote]:
        return [item.quote for item in self.items if item.quote]

    @property
    def refund_minor(self) -> int | None:
        """Of all together; None where nothing is returned."""
        return sum(quote.refund_minor for quote in self.quotes) if self.quotes else None

    @property
    def free(self) -> RefundQuote | None:
        """The one of which everything comes back."""
        return next((quote for quote in self.quotes if quote.first_free), None)

    @property
    def counted(self) -> bool:
        """Whether used time is taken off of one of them."""
        return any(not quote.first_free for quote in self.quotes)


def ask(account_id: int, kind: Kind, act: Act, public_ids: Sequence[str]) -> Asked:
    """Which of them can, what each return gives back now, and why the others cannot. Writes nothing."""
    items = [_item(kind, act, public_id, things) for things in [_read(account_id, kind, public_ids)]
             for public_id in public_ids]  # fmt: skip
    returned = [item.public_id for item in items if not item.why_not and act.quote and is_prepaid(item.thing)]
    if not returned or act.quote is None:
        return Asked(items)
    quotes, why_not = _quoted(partial(act.quote, account_id), returned)
    return Asked([
        replace(item, why_not=item.why_not or why_not.get(item.public_id, ""), quote=quotes.get(item.public_id))
        for item in items
    ])  # fmt: skip


def _quoted(
    quote: Callable[[Sequence[str]], list[RefundQuote]], returned: Sequence[str]
) -> tuple[dict[str, RefundQuote], dict[str, str]]:
    """What they give back, one after the other, and why some cannot: as many as there may be returns in a year."""
    why_not: dict[str, str] = {}
    try:
        return {one.public_id: one for one in quote(returned)}, why_not
    except Refused:
        possible: list[str] = []
    for public_id in returned:
        try:
            quote([*possible, public_id])
        except Refused as why:
            why_not[public_id] = wording.sentence(why)
        else:
            possible.append(public_id)
    return {one.public_id: one for one in (quote(possible) if possible else [])}, why_not


def do(actor: Actor, kind: Kind, act: Act, public_ids: Sequence[str]) -> list[Result]:
    """The act on each, in this order; what became of each."""
    things = _read(actor.account, kind, public_ids)
    return [_result(actor, act, public_id, things.get(public_id)) for public_id in public_ids]


def _read(account_id: int, kind: Kind, public_ids: Sequence[str]) -> Mapping[str, Any]:
    return kind.read(account_id, sayable(public_ids))


def _item(kind: Kind, act: Act, public_id: str, things: Mapping[str, Any]) -> Item:
    thing = things.get(public_id)
    return Item(public_id, thing, act.why_not(thing) if thing else _not_there(public_id))


def _not_there(public_id: str) -> str:
    """The same of what is another's."""
    return gettext("There is no {id}.").format(id=public_id[:20])


def _result(actor: Actor, act: Act, public_id: str, thing: Any) -> Result:
    why = act.why_not(thing) if thing else _not_there(public_id)
    if not why:
        why = _why(lambda: act.do(actor, public_id))
    return Result(public_id, thing, not why, why or act.done)
