"""What the actions of vpc share: filters as they are sent, and how an action is declared."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from vmart.api.declarations import Code, Filter, Shape
from vmart.api.registry import VPC, Action

Filters = Annotated[list[Filter], Field(max_length=10), Code("LimitExceeded.NumberOfFilters")]


def declared(asks: type[Shape], answers: type, do: Callable[..., Any], *, writes: bool, **said: Any) -> Action:
    """An action that is called as its shape."""
    return Action(asks.__name__, asks, answers, do, "vpc", VPC, writes=writes, **said)
