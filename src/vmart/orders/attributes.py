"""What a customer changes of a machine as it stands: names, its protection, its user data, its security groups.

Moves no money. All but the host name waits for no engine, so it is done at once, whatever is under way on the machine
and wherever it is: also one in the recycle bin has a name. The host name is its own system's (``host_name.py``).
"""

from collections.abc import Sequence

from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.kernel.errors import MissingParameter
from vmart.orders import groups as own_groups
from vmart.orders import host_name, inside, naming, user_data
from vmart.orders import machines as m
from vmart.orders.acts import accepting


def modify(
    actor: Actor,
    public_ids: Sequence[str],
    *,
    name: str | None = None,
    protected: bool | None = None,
    document: bytes | None = None,
    groups: Sequence[str] | None = None,
    hostname: str | None = None,
) -> None:
    """Give the machines these names, protection, user data and security groups, all or none; None leaves it as it is.

    User data is read by the next system that is installed (ADR 0040). Raises MissingParameter where nothing is to be
    changed, UnknownInstance, NameTooLong, InvalidParameter, UserDataTooLarge, what ``groups.put`` raises, and for a
    host name BadHostName and what ``inside.refuse`` raises.
    """
    if all(value is None for value in (name, protected, document, groups, hostname)):
        raise MissingParameter(
            "Nothing is to be changed; possible are InstanceName, HostName, DisableApiTermination, UserData and"
            " SecurityGroups.",
            field="name", code="MissingParameter.AtLeastOne",
        )  # fmt: skip
    name = None if name is None else naming.plain_name(name)
    user_data.check(document or b"")
    reaches_in = hostname is not None
    if hostname is not None:
        naming.check_host_name(hostname)
    with accepting(actor, "", public_ids, refuse=inside.refuse if reaches_in else None, uses=reaches_in) as found:
        named = _others(found, "name", name)
        guarded = _others(found, "termination_protected", protected)
        told = _others(found, "user_data", document)
        changed = [machine for machine in found if reaches_in or machine in named + guarded + told]
        m.events(changed, host_name.ACT, actor=actor)
        if name is not None:
            _rename(named, name)
        if protected is not None:
            _protect(guarded, protected)
        if document is not None:
            _tell(told, document)
        if groups is not None:
            own_groups.put(actor, found, groups)
        if hostname is not None:
            host_name.begin(actor, found, hostname)


def put_into_project(actor: Actor, public_ids: Sequence[str]) -> None:
    """Accept that machines are in the one project that there is, all or none: they stay in it.

    Raises the refusals of ``acts.accepting``.
    """
    with accepting(actor, "ModifyInstancesProject", public_ids):
        pass


def _others(machines: Sequence[Instance], column: str, value: object) -> list[Instance]:
    """Those that have another value, which is to be this one; none where it is None."""
    return [machine for machine in machines if value is not None and getattr(machine, column) != value]


def _rename(machines: Sequence[Instance], name: str) -> None:
    Instance.objects.filter(pk__in=[machine.pk for machine in machines]).update(name=name)
    m.events(machines, "renamed", [{"old": machine.name, "new": name} for machine in machines])


def _protect(machines: Sequence[Instance], protected: bool) -> None:
    Instance.objects.filter(pk__in=[machine.pk for machine in machines]).update(termination_protected=protected)
    m.events(machines, "protected" if protected else "unprotected")


def _tell(machines: Sequence[Instance], document: bytes) -> None:
    Instance.objects.filter(pk__in=[machine.pk for machine in machines]).update(user_data=document)
    m.events(machines, "user_data_changed")
