"""Templates of a test's customer."""

from typing import Any

from tests.support.shopper import HOURLY, IMAGE, wanted
from vmart.launch_templates import contents, keep
from vmart.launch_templates.keep import NewVersion
from vmart.orders.wanted import Machine, Purchase
from vmart.pricing.configuration import Configuration

USER = 70


def request_of(account_id: int, configuration: Configuration = HOURLY, **machine: Any) -> Purchase:
    """A purchase with these attributes of its machine."""
    return wanted(account_id, configuration, machine=Machine(IMAGE, **{"name": "web", **machine}))


def new_version(account_id: int, configuration: Configuration = HOURLY, **machine: Any) -> NewVersion:
    """What is to be kept of it, as the pages keep it."""
    request = request_of(account_id, configuration, **machine)
    return NewVersion(request, contents.of(request), USER)


def template(account_id: int, name: str = "web", **machine: Any) -> str:
    """A new template's public id."""
    return keep.create(name, new_version(account_id, **machine))
