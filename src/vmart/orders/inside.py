"""What acts inside a machine's own system have in common: its password, its key pairs. It is not stopped for them."""

from collections.abc import Sequence

from vmart.instances.models import Instance, State
from vmart.orders import machines as m
from vmart.orders.errors import WrongState


def refuse(machines: Sequence[Instance], *, while_running: bool = True) -> None:
    """Raise Busy or WrongState for machines that cannot be reached into; ``while_running`` says ForceStop."""
    m.refuse_unusable(machines)
    for machine in machines:
        m.refuse_running(machine, while_running=while_running)
        m.refuse_state(machine, [State.RUNNING, State.STOPPED], "UnsupportedOperation.InstanceStateNotRunning")
        if machine.state == State.STOPPED and machine.kind == "virtual-machine":
            raise WrongState(
                "The instance {id} is a virtual machine and stopped; start it first, its own system makes the change.",
                field="machines", code="UnsupportedOperation.InstanceStateStopped", id=machine.public_id,
            )  # fmt: skip
