"""Room that an act did not find and spot machines give back (ADR 0054): once the act has ended, in commits of its own.

An act that finds no room says with its refusal how some could be made (``lacking``); whoever opened the outermost act
has it made (``made_where_lacking``, ``made_for``). So what is only tried has nobody go.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from vmart.kernel import db
from vmart.kernel.errors import Refused
from vmart.orders.errors import RoomIsMade

Make = Callable[[], RoomIsMade | None]
R = TypeVar("R", bound=Refused)


def lacking(why: R, make: Make) -> R:
    """The refusal, with what has room made for what it refuses; None of that where there is none to be made."""
    why.make_room = make  # type: ignore[attr-defined]
    return why


def made_for(why: Refused) -> RoomIsMade | None:
    """Have room made for what was refused; what its buyer is told then. None where none is, and within an act."""
    make: Make | None = getattr(why, "make_room", None)
    return None if make is None or db.in_transaction() else make()


@contextmanager
def made_where_lacking() -> Iterator[None]:
    """Around an act: where it finds no room and some is made for it, it raises RoomIsMade instead."""
    try:
        yield
    except Refused as why:
        told = made_for(why)
        if told is not None:
            raise told from None
        raise
