"""What a customer changes of a machine while it is as it is: its name, its protection from programs.

Moves no money and asks no engine, so it is done at once, whatever is under way on the machine and wherever it is:
also one in the recycle bin has a name.
"""

from collections.abc import Sequence

from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.kernel.errors import MissingParameter
from vmart.orders import machines as m
from vmart.orders import naming
from vmart.orders.acts import accepting


def modify(actor: Actor, public_ids: Sequence[str], *, name: str | None, protected: bool | None) -> None:
    """Give the machines this name and protection, all or none; None leaves it as it is.

    Raises MissingParameter where nothing is to be changed, UnknownInstance, NameTooLong, InvalidParameter.
    """
    if name is None and protected is None:
        raise MissingParameter(
            "Nothing is to be changed; possible are InstanceName and DisableApiTermination.",
            field="name", code="MissingParameter.AtLeastOne",
        )  # fmt: skip
    name = None if name is None else naming.plain_name(name)
    with accepting(actor, "", public_ids) as found:
        named = [machine for machine in found if name is not None and machine.name != name]
        others = [machine for machine in found if protected is not None and machine.termination_protected != protected]
        m.events([machine for machine in found if machine in named + others], "ModifyInstancesAttribute", actor=actor)
        if name is not None:
            _rename(named, name)
        if protected is not None:
            _protect(others, protected)


def _rename(machines: Sequence[Instance], name: str) -> None:
    Instance.objects.filter(pk__in=[machine.pk for machine in machines]).update(name=name)
    m.events(machines, "renamed", [{"old": machine.name, "new": name} for machine in machines])


def _protect(machines: Sequence[Instance], protected: bool) -> None:
    Instance.objects.filter(pk__in=[machine.pk for machine in machines]).update(termination_protected=protected)
    m.events(machines, "protected" if protected else "unprotected")
