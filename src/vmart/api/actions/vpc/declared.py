"""What the actions of vpc share: filters as they are sent, and how an action is declared."""

from functools import partial
from typing import Annotated

from pydantic import Field

from vmart.api.declarations import Code, Filter
from vmart.api.registry import Action

Filters = Annotated[list[Filter], Field(max_length=10), Code("LimitExceeded.NumberOfFilters")]
declared = partial(Action.called, service="vpc")
