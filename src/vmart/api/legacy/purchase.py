"""Legacy: RunInstances, RunInstancesHour."""

from typing import Annotated, TypedDict

from pydantic import Field

from vmart.api.declarations import INT32_MAX, ClientToken, Domain, LegacyShape, NotOffered, one_of
from vmart.api.legacy.machine import Hourly, Prepaid, configuration
from vmart.api.legacy.members import Name
from vmart.api.registry import RUN_PER_S, Action, Call, Resource
from vmart.catalog import shop
from vmart.orders import purchase
from vmart.orders.login import LoginWanted
from vmart.orders.wanted import Bought, Machine, Purchase


class _Buying(LegacyShape):
    """Login, name and token of a purchase."""

    image_id: Name
    instance_type: Name = ""
    password: Annotated[str, Field(max_length=200), Domain("login.password", "login")] = ""
    key_id: Annotated[Name, Domain("login.key_ids")] = ""
    instance_name: Annotated[str, Field(max_length=128), Domain("name")] = ""
    client_token: ClientToken | None = None
    need_security_agent: Annotated[int, one_of(0, 1)] = 0
    need_monitor_agent: Annotated[int, one_of(0, 1)] = 0
    sg_id: NotOffered = None

    @property
    def model(self) -> str:
        return self.instance_type


class RunInstances(_Buying, Prepaid):
    """Buy prepaid machines."""


class RunInstancesHour(_Buying, Hourly):
    """Buy postpaid machines."""

    zone_id: Annotated[int, Field(ge=0, le=INT32_MAX), Domain("zone")]


class RunInstancesAnswer(TypedDict):
    """One deal, and its machines by the deal's number."""

    dealIds: list[int]
    unInstanceIds: dict[str, list[str]]


class RunInstancesHourAnswer(TypedDict):
    """The machines."""

    unInstanceIds: list[str]


def _buy(call: Call, asked: RunInstances | RunInstancesHour) -> Bought:
    return purchase.purchase(
        Purchase(
            actor=call.actor,
            configuration=configuration(shop.snapshot(), call, asked),
            machine=Machine(
                image_id=asked.image_id,
                login=LoginWanted(asked.password, (asked.key_id,) if asked.key_id else ()),
                name=asked.instance_name,
            ),
            client_token=asked.client_token or "",
        )
    )


def run_instances(call: Call, asked: RunInstances) -> RunInstancesAnswer:
    """Buy prepaid machines: one deal with all of them."""
    bought = _buy(call, asked)
    return {"dealIds": [bought.order_id], "unInstanceIds": {str(bought.order_id): list(bought.instance_ids)}}


def run_instances_hour(call: Call, asked: RunInstancesHour) -> RunInstancesHourAnswer:
    """Buy postpaid machines."""
    return {"unInstanceIds": list(_buy(call, asked).instance_ids)}


ACTIONS = (
    Action(
        "RunInstances",
        RunInstances,
        RunInstancesAnswer,
        run_instances,
        version="",
        writes=True,
        buys=True,
        touches={Resource.KEY_PAIR: "key_id", Resource.IMAGE: "image_id"},
        rate=RUN_PER_S,
    ),
    Action(
        "RunInstancesHour",
        RunInstancesHour,
        RunInstancesHourAnswer,
        run_instances_hour,
        version="",
        writes=True,
        buys=True,
        touches={Resource.KEY_PAIR: "key_id", Resource.IMAGE: "image_id"},
        rate=RUN_PER_S,
    ),
)
