"""RunInstances as a program sends it for what is chosen, by the names that the API has for it."""

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language

from vmart.api import fields
from vmart.api.actions.cvm.purchase import RunInstances
from vmart.events.actor import PAGE, Actor
from vmart.launch_templates import contents
from vmart.orders.own_network import DEFAULT, NetworkWanted
from vmart.orders.wanted import Machine, Purchase
from vmart.web import from_template, way_in
from vmart.web.offer import Offer

Members = dict[str, Any]
_NOBODY = Actor(None, PAGE)  # a program's user is known by its key
# What a request has without saying it, by its path.
_SAID_ANYWAY = {
    "attributes.termination_protected": False,
    "network.vpc_id": DEFAULT,
    "network.subnet_id": DEFAULT,
    "network.ipv6_addresses": 0,
}


class Variable(str):
    """A text that the program takes out of its environment, by the name of the variable: a secret is in no program."""


PASSWORD = Variable("MACHINE_PASSWORD")
SECRET_ID, SECRET_KEY = Variable("TENCENTCLOUD_SECRET_ID"), Variable("TENCENTCLOUD_SECRET_KEY")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How programs reach the shop: ``http`` or ``https``, and the host with its port."""

    scheme: str
    host: str

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}"


@dataclass(frozen=True, slots=True)
class Call:
    """RunInstances in a region, with its members as they are published. Texts of it may be a Variable.

    ``language``: in which it is answered, as it is published.
    """

    endpoint: Endpoint
    region: str
    members: Members
    language: str = "en-US"


def endpoint(request: HttpRequest) -> Endpoint:
    """The shop's own address where the seller has said it, else the one by which the visitor came."""
    parts = urlsplit(settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}")
    return Endpoint(parts.scheme, parts.netloc.rpartition("@")[2])


def call(shown: Offer, where: Endpoint) -> Call:
    """What buys it. Only for an offer without errors. Raises MissingParameter for a login by no key pair."""
    choice = shown.choice
    machine = from_template.machine(choice, way_in.without_password(choice))
    machine = replace(machine, network=_network(shown, machine))
    said = members(Purchase(_NOBODY, choice.configuration, machine))
    if choice.values["login"] == "password":
        said["LoginSettings"] = {"Password": PASSWORD}
    return Call(where, choice.zone.region, said, "zh-CN" if get_language() == "zh-hans" else "en-US")


def members(wanted: Purchase) -> Members:
    """The request that asks for just this."""
    said = {path: value for path, value in contents.of(wanted).items() if _SAID_ANYWAY.get(path) != value}
    return fields.members(RunInstances, said)


def _network(shown: Offer, machine: Machine) -> NetworkWanted:
    """With the VPC of the subnet, which not every client can leave away."""
    wanted = machine.network
    vpcs = {subnet.public_id: subnet.vpc_id for subnet in shown.subnets}
    return replace(wanted, vpc_id=vpcs.get(wanted.subnet_id, wanted.vpc_id))
