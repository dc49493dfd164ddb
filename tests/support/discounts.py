"""Accounts that pay a part of list prices."""

import datetime as dt
from decimal import Decimal

from vmart.customers import discounts
from vmart.customers.models import Discount
from vmart.kernel import clock


def pays(account: int, part: Decimal | str | int, since: dt.datetime | None = None) -> None:
    """It has held since the beginning of this hour, or since another; the seller sets none for an hour that began."""
    Discount.objects.create(
        account_id=account, from_at=since or clock.hour_start(clock.now()), factor=Decimal(part), reason="a friend",
        by="a test", created_at=clock.now(),
    )  # fmt: skip
    discounts.forget()
