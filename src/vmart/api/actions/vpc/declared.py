"""What the actions of vpc share: filters as they are sent, the region of the call, and how an action is declared."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from vmart.api.actions.cvm.places import in_region
from vmart.api.declarations import Code, Filter, Shape
from vmart.api.registry import VPC, Action, Call
from vmart.catalog import shop
from vmart.kernel.errors import MissingParameter

Filters = Annotated[list[Filter], Field(max_length=10), Code("LimitExceeded.NumberOfFilters")]


def region_of(call: Call) -> str:
    """The region of a call that makes something there. Raises MissingParameter, UnknownRegion."""
    region = in_region(shop.snapshot(), call.region)
    if region is None:
        raise MissingParameter("What is made is in one region: name it.", field="region")
    return region.code


def declared(asks: type[Shape], answers: type, do: Callable[..., Any], *, writes: bool, **said: Any) -> Action:
    """An action that is called as its shape."""
    return Action(asks.__name__, asks, answers, do, "vpc", VPC, writes=writes, **said)
