"""Lists a page at a time, by key: the hundredth page costs what the first does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

PAGE = 50
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page; ``older`` is the key to pass for the next one, "" on the last."""

    rows: Sequence[T]
    older: str = ""
    first: bool = True


def cut(rows: Sequence[T], key: Callable[[T], object], *, first: bool, size: int = PAGE) -> Page[T]:
    """The first ``size`` of up to ``size`` + 1 rows, and where the next page begins."""
    if len(rows) <= size:
        return Page(rows, first=first)
    return Page(rows[:size], str(key(rows[size - 1])), first)


def number(text: str) -> int | None:
    """A page key that is a number; None for the first page and for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
