"""Which security groups a machine is in. Done at once; its engine is told within seconds."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_noop

from vmart.catalog.models import Zone
from vmart.events.actor import Actor
from vmart.instances.models import Instance, State
from vmart.kernel.errors import InvalidParameter, MissingParameter, Unsupported
from vmart.orders import machines as m
from vmart.orders import named
from vmart.orders.acts import accepting
from vmart.orders.errors import TooManyGroupsOfMachine, UnknownSecurityGroup, WrongState
from vmart.security import held, told

OF_A_MACHINE_MAX = 5
FIELD = "attributes.security_groups"
Groups = tuple[str, ...]
_NO_GROUPS = gettext_noop("No security group holds here.")


def check(account_id: int, zone: str, groups: Sequence[str], found: named.Named | None = None) -> None:
    """Raise UnknownSecurityGroup, TooManyGroupsOfMachine, InvalidParameter or Unsupported for what cannot be there.

    A zone whose engine enforces no groups takes none but the default one: none is sold that does not hold.
    ``found``: what is named, where that is known already.
    """
    if not groups:
        return
    default = held.default_id(account_id)
    found = found or named.look(account_id, zone, groups=groups)
    refuse_unfit(groups, {default, *found.groups})
    if set(groups) != {default} and why_none_hold(found.capabilities):
        raise none_hold(zone)


def refuse_unfit(groups: Sequence[str], known: Collection[str]) -> None:
    """Raise UnknownSecurityGroup, TooManyGroupsOfMachine or InvalidParameter; ``known`` are the region's."""
    if len(set(groups)) != len(groups):
        raise InvalidParameter("A security group is named twice.", field=FIELD)
    if len(groups) > OF_A_MACHINE_MAX:
        raise TooManyGroupsOfMachine(
            "A machine is in at most {most} security groups.", field=FIELD, most=OF_A_MACHINE_MAX
        )
    for number, public_id in enumerate(groups):
        if public_id not in known:
            raise unknown(public_id, number)


def none_hold(zone: str) -> Unsupported:
    """Of groups for a machine where they do not hold."""
    return Unsupported("Security groups do not hold in {zone}: leave them away.", field=FIELD, zone=zone)


def without() -> dict[str, str]:
    """The zones whose engines, as they were last seen, enforce no groups: by code, each with why not."""
    capabilities = dict(Zone.objects.order_by("position").values_list("code", "capabilities"))
    return {zone: why for zone, seen in capabilities.items() if (why := why_none_hold(seen))}


def why_none_hold(capabilities: Mapping[str, Any]) -> str:
    """Why an engine with these capabilities enforces no groups; "" where it does."""
    if capabilities.get("security_groups", True):
        return ""
    return str((capabilities.get("missing") or {}).get("security_groups") or _NO_GROUPS)


def refuse(machines: Sequence[Instance]) -> None:
    """Raise WrongState for a machine that was never delivered: no packet will come to it."""
    for machine in machines:
        if machine.state == State.LAUNCH_FAILED:
            raise WrongState(
                "The instance {id} was never delivered.",
                field="machines", code="UnsupportedOperation.InstanceStateLaunchFailed", id=machine.public_id,
            )  # fmt: skip


def unknown(public_id: str, number: int) -> UnknownSecurityGroup:
    """Of a group that is not the account's, not of the region, or not any more."""
    return UnknownSecurityGroup(
        "The security group {id} does not exist here.", field=f"{FIELD}.{number}", id=public_id[:60]
    )


def put(actor: Actor, machines: Sequence[Instance], groups: Sequence[str]) -> None:
    """Exactly these groups, in this order, for locked machines; none is the default one.

    Raises as ``check`` and ``refuse``.
    """
    refuse(machines)
    _write(actor, machines, [tuple(groups)] * len(machines))
    m.events(machines, "ModifyInstancesAttribute", actor=actor)


def join(actor: Actor, public_ids: Sequence[str], groups: Sequence[str]) -> None:
    """Further groups behind those that each machine has.

    Raises as ``check`` and ``refuse``, UnknownInstance, MissingParameter.
    """
    _refuse_none(groups)
    _change(
        actor, public_ids, "AssociateSecurityGroups",
        lambda own: own + tuple(group for group in groups if group not in own),
    )  # fmt: skip


def leave(actor: Actor, public_ids: Sequence[str], groups: Sequence[str]) -> None:
    """Fewer groups; a machine that would have none is refused. Raises as ``join``."""
    _refuse_none(groups)
    _change(
        actor, public_ids, "DisassociateSecurityGroups",
        lambda own: tuple(group for group in own if group not in groups), named=groups,
    )  # fmt: skip


def _refuse_none(groups: Sequence[str]) -> None:
    if not groups:
        raise MissingParameter("SecurityGroupIds names no security group.", field=FIELD)


def _change(
    actor: Actor, public_ids: Sequence[str], act: str, how: Callable[[Groups], Groups], named: Sequence[str] = ()
) -> None:
    with accepting(actor, act, public_ids, refuse=refuse) as machines:
        changed = []
        for machine in machines:
            own = of(machine)
            _refuse_not_in(machine, own, named)
            changed.append(how(own))
            if not changed[-1]:
                raise InvalidParameter(
                    "The instance {id} would be in no security group; put it into another first.",
                    field=FIELD, id=machine.public_id,
                )  # fmt: skip
        _write(actor, machines, changed)


def _write(actor: Actor, machines: Sequence[Instance], groups: Sequence[Groups]) -> None:
    """In as few statements as may be; belongs under the account lock, by which a group is deleted too."""
    for zone, own in sorted({(machine.zone_id, own) for machine, own in zip(machines, groups, strict=True)}):
        check(actor.account, zone, own)
    for own in sorted(set(groups)):
        having = [machine.pk for machine, wanted in zip(machines, groups, strict=True) if wanted == own]
        Instance.objects.filter(pk__in=having).update(security_groups=list(own))
    told.send(actor.account)


def _refuse_not_in(machine: Instance, own: Groups, named: Sequence[str]) -> None:
    for number, group in enumerate(named):
        if group not in own:
            raise UnknownSecurityGroup(
                "The instance {machine} is not in the security group {id}.",
                field=f"{FIELD}.{number}", machine=machine.public_id, id=group[:60],
            )  # fmt: skip


def of(machine: Instance) -> Groups:
    """The groups that a machine is in, in order."""
    return tuple(machine.security_groups) or (held.default_id(machine.account_id),)
