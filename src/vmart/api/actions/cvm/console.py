"""cvm: a machine's console: DescribeInstanceVncUrl."""

from typing import Annotated, TypedDict

from pydantic import Field

from vmart.api.declarations import Domain, Shape
from vmart.api.registry import Action, Call, Resource
from vmart.consoles import tickets, where


class DescribeInstanceVncUrl(Shape):
    """An address that opens the console of a running machine in a browser, once and soon."""

    instance_id: Annotated[str, Field(max_length=60), Domain("machines")]


class DescribeInstanceVncUrlAnswer(TypedDict):
    """The address, which is the whole right to open it: who has it needs no login."""

    InstanceVncUrl: str


def describe_instance_vnc_url(call: Call, asked: DescribeInstanceVncUrl) -> DescribeInstanceVncUrlAnswer:
    """A page of the shop; its ticket stands behind the #, which browsers send to no server."""
    shop = where.shop(call.endpoint)
    where.gateway_of_shop(shop)
    by = tickets.By(call.user_id, secret_id=call.secret_id)
    return {"InstanceVncUrl": where.page(shop, tickets.make(call.actor, asked.instance_id, by, shop))}


ACTIONS = (
    Action.called(
        DescribeInstanceVncUrl, DescribeInstanceVncUrlAnswer, describe_instance_vnc_url,
        writes=True, touches={Resource.MACHINE: "instance_id"},
    ),
)  # fmt: skip
