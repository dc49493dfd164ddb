"""What a buyer says of a machine that has no price and becomes a column of it, of the same name."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Attributes:
    """``termination_protected``: no program may end it (DisableApiTermination).

    ``security_groups``: public ids, in order; none is the account's default group. ``max_price``: of a spot machine,
    what an hour of its CPU and memory may cost before it is taken back; None: what it costs at the purchase.
    """

    termination_protected: bool = False
    security_groups: tuple[str, ...] = ()
    max_price: Decimal | None = None


DEFAULTS = Attributes()
