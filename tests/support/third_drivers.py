"""Two further drivers, as two more folders under ``engines`` would have them. ``DRIVERS`` is all that names them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from vmart import engines
from vmart.engines.contract import Engine
from vmart.engines.driver import Driver, Here, Identity, problems_by
from vmart.engines.simulated.engine import SimulatedEngine


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rows: int = Field(default=1, gt=0)


class SlateEngine(SimulatedEngine):
    """Makes its machines with chalk."""


def _open(settings: Mapping[str, Any]) -> Engine:
    return SlateEngine(settings)


def _complete(zone: str, own: Mapping[str, Any], here: Here) -> dict[str, Any]:
    return {"file": str(here.folder / f"{zone}.slate"), **own}


SLATE = Driver(
    kind="slate",
    title="Slate",
    title_for_buyers="Written in chalk",
    is_real=False,
    finds_members=False,
    open=_open,
    problems=lambda settings: problems_by(_Settings, settings),
    identity=lambda zone, _own, _here: Identity("slate", "", zone),
    complete=_complete,
)
QUIPU = replace(
    SLATE, kind="quipu", title="Quipu", title_for_buyers="Knotted machines", is_real=True, finds_members=True,
    identity=lambda zone, _own, _here: Identity("quipu", "", zone),
)  # fmt: skip
DRIVERS = (*engines.DRIVERS, SLATE, QUIPU)
