"""Placement groups: machines of an account that lie apart, on hosts or in racks of their own.

They move no money, but what they allow decides where a purchase finds room: every change goes by the account's lock, as
a purchase does. A machine comes into a group when it is bought, or later where its host allows it; it is not moved.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from vmart.customers import quotas
from vmart.events import record
from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.kernel import clock, db, public_ids
from vmart.kernel.errors import InvalidParameter, InvalidValue, MissingParameter, Refused, Unsupported
from vmart.kernel.text import is_one_line, sayable
from vmart.orders import machines as m
from vmart.orders import tokens
from vmart.orders.acts import accepting
from vmart.orders.errors import GroupInUse, NoPlaceInGroup, NotInGroup, TooManyGroups, UnknownPlacementGroup
from vmart.placement.models import Group, Member
from vmart.tags import modify as modify_tags
from vmart.tags import new
from vmart.tags.things import PLACEMENT_GROUP, Thing
from vmart.tags.wanted import Tag

NAME_MAX, AFFINITY_MAX, AT_ONCE = 60, 10, 10  # API 3.0, CreateDisasterRecoverGroup, DeleteDisasterRecoverGroups
GROUPS, MACHINES = "placement_groups", "machines_per_group"  # quotas
SWITCH = "SW"
_ID = re.compile(r"ps-[0-9a-z]{8}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A new group: ``apart`` is HOST or RACK, ``affinity`` the most machines of it in one place, 1 to 10."""

    name: str
    apart: str = Group.Apart.HOST
    affinity: int = 1
    tags: tuple[Tag, ...] = ()


def create(actor: Actor, wanted: Wanted, *, client_token: str = "") -> Group:
    """A new, empty group; a repeated token gets the first.

    Raises InvalidParameter, Unsupported, TooManyGroups, BadTag, TooManyTags.
    """
    check_name(wanted.name)
    new.check(wanted.tags)
    _check_affinity(wanted.affinity)
    _check_apart(wanted.apart)
    fingerprint = tokens.fingerprint("placement group", wanted)
    with db.act():
        db.call("ledger_lock", actor.account)
        known = tokens.first_answer(actor.account, client_token, fingerprint)
        if known is not None:
            return group(actor.account, str(known["group"]))
        made = _create(actor, wanted)
        tokens.keep(actor.account, client_token, fingerprint, {"group": made.public_id})
        return made


def modify(actor: Actor, public_id: str, *, name: str | None = None, affinity: int | None = None) -> None:
    """Another name, or more machines in one place. Raises UnknownPlacementGroup, InvalidParameter, MissingParameter."""
    if name is None and affinity is None:
        raise MissingParameter("Nothing is to be changed; possible are Name and Affinity.", field="group.name")
    with _changing(actor, public_id) as found:
        if name is not None:
            check_name(name)
            found.name = name
        if affinity is not None:
            _check_affinity(affinity, found.affinity)
            found.affinity = affinity
        found.save(update_fields=["name", "affinity"])
        _told(actor, "ModifyDisasterRecoverGroupAttribute", [found])


def delete(actor: Actor, ids: Sequence[str]) -> None:
    """Delete groups without machines, all or none. Raises UnknownPlacementGroup, GroupInUse, InvalidParameter."""
    with db.act():
        db.call("ledger_lock", actor.account)
        found = _named(actor.account, ids)
        _refuse_in_use(found)
        _told(actor, "DeleteDisasterRecoverGroups", found)
        Group.objects.filter(pk__in=[each.pk for each in found]).delete()
        modify_tags.end(actor.account, [Thing(PLACEMENT_GROUP, each.public_id) for each in found])


def join(actor: Actor, machines: Sequence[str], public_id: str) -> None:
    """Put machines into the group, in the place of the ones that they were in, all or none; they stay on their hosts.

    Raises UnknownPlacementGroup, NoPlaceInGroup, Busy, WrongState, UnknownInstance.
    """
    with accepting(actor, "ModifyInstancesDisasterRecoverGroup", machines, refuse=m.refuse_unusable) as found:
        wanted = group(actor.account, public_id)
        why_not = db.call("placement_join", wanted.id, [machine.id for machine in found])
        if why_not is not None:
            why, number = why_not.split("|")
            machine = next(each for each in found if each.id == int(number))
            raise _NOT_JOINED[why](machine, wanted)


def leave(actor: Actor, machines: Sequence[str], ids: Sequence[str]) -> None:
    """Take machines out of these groups, all or none. Raises UnknownPlacementGroup, NotInGroup, UnknownInstance."""
    with accepting(actor, "DeleteInstancesDisasterRecoverGroups", machines) as found:
        named = _named(actor.account, ids)
        places = Member.objects.filter(pk__in=[machine.id for machine in found], group__in=named)
        there = set(places.values_list("pk", flat=True))
        for machine in found:
            if machine.id not in there:
                raise NotInGroup(
                    "The instance {id} is in none of these placement groups.", field="machines", id=machine.public_id
                )
        places.delete()


def group(account_id: int, public_id: str, field: str = "group.id") -> Group:
    """The account's group. Raises UnknownPlacementGroup."""
    found = (
        Group.objects.filter(account_id=account_id, public_id=public_id).first() if _ID.fullmatch(public_id) else None
    )
    if found is None:
        raise unknown(public_id, field)
    return found


def check(account_id: int, ids: Sequence[str]) -> None:
    """Raise UnknownPlacementGroup unless each group that a purchase names is the account's."""
    for public_id in ids:
        group(account_id, public_id, "placement_groups")


def unknown(public_id: str, field: str = "placement_groups") -> Refused:
    """Of an id that names no group of the account."""
    if _ID.fullmatch(public_id):
        return UnknownPlacementGroup("The placement group {id} does not exist.", field=field, id=public_id)
    return UnknownPlacementGroup(
        "{id} is no id of a placement group: ps- and eight lower case letters and digits.",
        field=field, code="InvalidParameterValue.DisasterRecoverGroupIdMalformed", id=public_id,
    )  # fmt: skip


def check_name(name: str) -> None:
    """Raise InvalidValue unless the name has 1 to 60 characters on one line."""
    if not 1 <= len(name) <= NAME_MAX or not is_one_line(name):
        raise InvalidValue(
            "The name of a placement group has 1 to {most} characters on one line.", field="group.name", most=NAME_MAX
        )


def _check_affinity(affinity: int, least: int = 1) -> None:
    if not 1 <= affinity <= AFFINITY_MAX:
        raise InvalidValue(
            "The affinity is {value}; it is 1 to {most}.", field="group.affinity", value=affinity, most=AFFINITY_MAX
        )
    if affinity < least:
        raise InvalidValue(
            "The affinity is {least} and can only become larger: machines of the group may lie together already.",
            field="group.affinity", least=least,
        )  # fmt: skip


def _check_apart(apart: str) -> None:
    if apart == SWITCH:
        raise Unsupported(
            "Nobody knows here which switch a host is at; possible are HOST and RACK.", field="group.apart"
        )
    if apart not in Group.Apart.values:
        raise InvalidValue("Machines lie apart by HOST or RACK.", field="group.apart")


def _create(actor: Actor, wanted: Wanted) -> Group:
    most = quotas.of(actor.account)[GROUPS]
    if Group.objects.filter(account_id=actor.account).count() >= most:
        raise TooManyGroups("An account has at most {most} placement groups; delete one first.", most=most)
    number = db.rows("SELECT nextval(pg_get_serial_sequence('placement_group', 'id')) AS n")[0]["n"]
    made = Group.objects.create(
        id=number, public_id=public_ids.of("ps", number), account_id=actor.account, name=wanted.name,
        apart=wanted.apart, affinity=wanted.affinity, created_at=clock.now(),
    )  # fmt: skip
    new.give(actor.account, PLACEMENT_GROUP, [made.public_id], wanted.tags)
    _told(actor, "CreateDisasterRecoverGroup", [made])
    return made


def _full(machine: Instance, wanted: Group) -> Refused:
    return NoPlaceInGroup(
        "The placement group {id} may have no further machine.", field="group.id", id=wanted.public_id
    )


def _not_apart(machine: Instance, wanted: Group) -> Refused:
    return NoPlaceInGroup(
        "The instance {machine} lies where the placement group {id} has as many machines as it may have in one place, "
        "or where nobody has said the rack. It is not moved.",
        field="machines", machine=machine.public_id, id=wanted.public_id,
    )  # fmt: skip


_NOT_JOINED: dict[str, Callable[[Instance, Group], Refused]] = {"full": _full, "apart": _not_apart}


@contextmanager
def _changing(actor: Actor, public_id: str) -> Iterator[Group]:
    with db.act():
        db.call("ledger_lock", actor.account)
        yield group(actor.account, public_id)


def _named(account_id: int, ids: Sequence[str]) -> list[Group]:
    if not ids:
        raise MissingParameter("No placement group is named.", field="group.ids")
    if len(ids) > AT_ONCE:
        raise InvalidParameter("At most {most} placement groups at once.", field="group.ids", most=AT_ONCE)
    if len(set(ids)) != len(ids):
        raise InvalidParameter("A placement group is named twice.", field="group.ids")
    found = {each.public_id: each for each in Group.objects.filter(account_id=account_id, public_id__in=sayable(ids))}
    for place, public_id in enumerate(ids):
        if public_id not in found:
            raise unknown(public_id, f"group.ids.{place}")
    return [found[public_id] for public_id in ids]


def _refuse_in_use(groups: Sequence[Group]) -> None:
    held = Member.objects.filter(group__in=groups).order_by("pk").first()
    if held is None:
        return
    machine = Instance.objects.values_list("public_id", flat=True).get(id=held.pk)
    named = next(place for place, each in enumerate(groups) if each.pk == held.group_id)
    raise GroupInUse(
        "The placement group {id} has the instance {machine}: take its machines out of it first, or end them.",
        field=f"group.ids.{named}", id=groups[named].public_id, machine=machine,
    )  # fmt: skip


def _told(actor: Actor, act: str, groups: Sequence[Group]) -> None:
    names = [{"name": each.public_id, "called": each.name} for each in groups]
    record.write(actor.account, record.PLACEMENT_GROUP, [each.id for each in groups], act, details=names, actor=actor)
