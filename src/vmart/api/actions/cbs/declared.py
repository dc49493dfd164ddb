"""How an action of cbs is declared."""

from functools import partial

from vmart.api.registry import Action

declared = partial(Action.called, service="cbs")
