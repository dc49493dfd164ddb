"""What a buyer says of a machine that has no price and becomes a column of it, of the same name."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attributes:
    """``termination_protected``: no program may end it (DisableApiTermination).

    ``security_groups``: public ids, in order; none is the account's default group.
    """

    termination_protected: bool = False
    security_groups: tuple[str, ...] = ()


DEFAULTS = Attributes()
