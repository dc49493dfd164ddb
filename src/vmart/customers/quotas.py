"""What an account may have at most: a value of its own, or the one of its set as the catalog has it now."""

from collections.abc import Mapping

from vmart.customers.models import Quota
from vmart.kernel import db

LEAST = {
    "postpaid_per_zone": 0, "prepaid_per_month": 0, "returns_per_year": 0, "run_per_s": 1, "launch_templates": 0,
    "placement_groups": 0, "machines_per_group": 0, "disks_per_zone": 0,
    "addresses_per_region": 0, "snapshots_per_region": 0, "images_per_region": 0, "spot_per_zone": 0,
    "snapshot_policies_per_region": 0, "packages_per_region": 0, "alarms": 0,
}  # fmt: skip
MOST = 2**31 - 1


def of(account_id: int) -> dict[str, int]:
    """Every quota of the account, by name."""
    values = db.rows(
        "SELECT name, fn.customers_quota(%s, name) AS value FROM unnest(%s::text[]) AS name", account_id, list(LEAST)
    )
    return {row["name"]: row["value"] for row in values}


def own(account_id: int) -> dict[str, int]:
    """Those of which the account has a value of its own, by name."""
    return dict(Quota.objects.filter(account_id=account_id).values_list("name", "value"))


def keep(account_id: int, values: Mapping[str, int | None]) -> None:
    """Give the account values of its own, checked before; None: its set's again. Belongs under the account lock."""
    db.require_transaction()
    given_up = [name for name, value in values.items() if value is None]
    Quota.objects.filter(account_id=account_id, name__in=given_up).delete()
    rows = [Quota(account_id=account_id, name=name, value=value) for name, value in values.items() if value is not None]
    Quota.objects.bulk_create(rows, update_conflicts=True, unique_fields=["account", "name"], update_fields=["value"])
