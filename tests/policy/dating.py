"""Versions of the policy for tests, written as ``catalog apply`` writes them."""

import datetime as dt
from typing import Any

from django.db.models import F

from vmart.catalog import shop
from vmart.kernel import clock, db
from vmart.kernel.models import Deployment
from vmart.policy import document, policy


def date_policy(begins_at: dt.datetime, **numbers: Any) -> None:
    """The shop has one version more, from then on."""
    zone = shop.snapshot().billing_zone
    (further,) = document.read([{"from": begins_at, **numbers}], zone)
    with db.act():
        policy.publish([*policy.stored(), further], clock.now(), anything_goes=False)
        Deployment.objects.update(generation=F("generation") + 1)
    shop.current()
