"""How much of its quotas an account has used, zone by zone: counted as a purchase counts."""

from collections.abc import Sequence
from dataclasses import dataclass

from vmart.catalog import shop
from vmart.customers import quotas
from vmart.kernel import clock, db
from vmart.pricing.configuration import POSTPAID_BY_HOUR, PREPAID

_COUNTED = """
SELECT zone, fn.subscriptions_counted(%(account)s, zone, %(postpaid)s, NULL) AS postpaid,
       fn.subscriptions_counted(%(account)s, zone, %(prepaid)s, %(since)s) AS prepaid
FROM unnest(%(zones)s::text[]) WITH ORDINALITY AS named (zone, place) ORDER BY place
"""


@dataclass(frozen=True, slots=True)
class Used:
    """Of a quota in a zone: how many machines count against it, and the most there may be."""

    zone: str
    used: int
    most: int

    @property
    def remaining(self) -> int:
        """0 where a quota was lowered below what is there."""
        return max(0, self.most - self.used)


def machines(account_id: int, zones: Sequence[str]) -> tuple[list[Used], list[Used]]:
    """Postpaid machines that are there, prepaid ones bought this month in the billing zone; in the order of zones."""
    most = quotas.of(account_id)
    month = clock.month_start(clock.now(), shop.snapshot().billing_zone)
    counted = db.rows(
        _COUNTED, account=account_id, zones=list(zones), postpaid=POSTPAID_BY_HOUR, prepaid=PREPAID, since=month
    )
    return (
        [Used(row["zone"], row["postpaid"], most["postpaid_per_zone"]) for row in counted],
        [Used(row["zone"], row["prepaid"], most["prepaid_per_month"]) for row in counted],
    )
