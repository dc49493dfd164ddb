"""Bandwidth that is paid by the month: more of it for the rest of the term (billing-rules, sections 2 and 3).

It is ordered: its price is set aside at the order and taken when the speed is in force. Less of it is had at no time
of a term.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from vmart.instances.models import Instance
from vmart.kernel.errors import InvalidParameter
from vmart.orders import agreed, in_term
from vmart.pricing.priced import BANDWIDTH_ORDER, Priced


@dataclass(frozen=True, slots=True)
class Upgrade:
    """``mbps`` of each of these machines in place of what they have."""

    public_ids: Sequence[str]
    mbps: int


def priced(machines: Sequence[Instance], asked: Upgrade) -> Priced:
    """What the speed costs until the expiry, now."""
    return in_term.priced(BANDWIDTH_ORDER, machines, [agreed.at_speed(machine, asked.mbps) for machine in machines])


def still_so(machines: Sequence[Instance], due: Priced, asked: Upgrade) -> None:
    """Raise InvalidParameter for a price of another speed, or of a machine as it was before another change."""
    for line in due.lines:
        if [quantity for _, _, quantity in line.terms] != [asked.mbps]:
            raise InvalidParameter("The price is of another bandwidth; ask for it again.", field="bandwidth_mbps")
    in_term.still_so(machines, due, [agreed.at_speed(machine, asked.mbps) for machine in machines])
