"""Given rows of bandwidth packages that do not fit, then reconcile says so: each of its checks can fail."""

import pytest

from tests.orders.addressing import new_address
from tests.orders.packaging import new_package, within
from tests.support.shopper import ZONE, open_purse
from vmart.catalog.models import Zone
from vmart.config.reconcile import reconcile
from vmart.kernel import db
from vmart.provisioning import zones

STANDS = "a subscription stands otherwise than its bandwidth package, or is charged for another speed"
INSIDE = "a public address is in a bandwidth package that it cannot be in, or charged otherwise than that"
WORKED = "a bandwidth package is being worked on and nothing works on it"
CHARGED = "a bought public address is charged otherwise than it is bound"


@pytest.mark.usefixtures("in_business")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE network_package SET bandwidth_mbps = 11", {STANDS}),
        ("UPDATE subscriptions_item SET mode = 'month' WHERE component = 'package'", {STANDS}),
        ("UPDATE subscriptions_subscription SET standing = 'ended' WHERE kind = 'package'", {STANDS}),
        ("UPDATE network_package SET latest_operation_state = 'OPERATING'", {WORKED}),
        ("UPDATE network_package SET account_id = account_id + 1", {INSIDE}),
        ("UPDATE network_package SET zone_id = %(other)s", {INSIDE}),
        ("UPDATE network_eip SET package_id = NULL", {INSIDE}),
        ("UPDATE network_eip SET internet_charge_type = 'TRAFFIC_POSTPAID_BY_HOUR'", {INSIDE}),
        ("UPDATE subscriptions_item SET component = 'bandwidth' WHERE component = 'idle'", {CHARGED}),
    ],
)
def test_what_does_not_fit_is_said(change: str, said: set[str]) -> None:
    account = open_purse(cash_minor=10_000)
    zones.check(ZONE)
    new_address(account, within(new_package(account)))
    assert list(reconcile()) == []
    other = Zone.objects.exclude(code=ZONE)[0].code
    db.rows(change + " RETURNING 1", other=other)
    assert said <= {line.partition(":")[0] for line in reconcile()}
