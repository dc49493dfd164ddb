"""Given many bought disks and addresses, when they are listed, then rows are read for those of the page alone."""

from typing import Any

import pytest
from django.db import connection, transaction

from tests.orders.addressing import new_address
from tests.support.actors import by
from tests.support.shopper import ZONE, buy_running, open_purse, work
from vmart.kernel import db
from vmart.listings import disks, eips
from vmart.listings.paging import Matching
from vmart.orders.disks.create import NewDisks, create
from vmart.pricing.configuration import DiskChoice

pytestmark = pytest.mark.usefixtures("in_business")

_MANY = """
INSERT INTO {table}
SELECT (jsonb_populate_record(one, jsonb_build_object(
  'id', n, 'bundle_id', n, 'public_id', n::text, '{at}', one.{at} + n * interval '1 second', 'ip', inet '9.0.0.0' + n,
  'name', CASE n % 200 WHEN 0 THEN 'few' ELSE 'x' || n END))).*
FROM {table} AS one, generate_series(1000000, 1004000) AS n WHERE one.id = {id} RETURNING id
"""


def _multiply(table: str, number: int, at: str) -> None:
    with db.act():
        for name, column in (("subscriptions_subscription", "created_at"), (table, at)):
            db.rows(
                _MANY.replace("{table}", name).replace("{id}", str(number)).replace("{at}", column).replace("%", "%%")
            )
    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM (ANALYZE) {table}")


def _plans(matching: Matching, order: str, alias: str) -> list[list[str]]:
    queries = ("SELECT count(*) {matching}", f"SELECT {alias}.id {{matching}} {order} OFFSET 900 LIMIT 20")
    with db.act():
        with connection.cursor() as cursor:
            # Can an index answer alone? So few rows may be read whole where VACUUM cannot mark them as all-visible.
            cursor.execute("SET LOCAL enable_seqscan = off")
            # For the same reason a smaller index of the account's is chosen for a count, with the rows it leads to.
            cursor.execute("DROP INDEX network_eip_task")
        plans = [[row["QUERY PLAN"] for row in matching.rows("EXPLAIN " + query)] for query in queries]
        transaction.set_rollback(True)
        return plans


@pytest.mark.parametrize(
    "condition", [{}, {"region": "ap-guangzhou"}, {"states": ["UNBIND"]}, {"zones": [ZONE]}], ids=str
)
def test_count_and_offset_of_addresses_read_an_index_alone(condition: dict[str, Any]) -> None:
    account = open_purse(cash_minor=100_000)
    buy_running(account)
    _multiply("network_eip", new_address(account).id, "created_at")
    matching = Matching.of(account, eips._FROM, eips._CONDITIONS, eips.WantedEips(**condition))
    for plan in _plans(matching, eips._NEWEST, "e"):
        (chosen,) = [line for line in plan if "network_eip e" in line]
        assert "Index Only Scan" in chosen, plan
        assert not any("Sort" in line for line in plan), plan


@pytest.mark.parametrize(
    "condition",
    [{}, {"region": "ap-guangzhou"}, {"types": ["CLOUD_SSD"]}, {"zones": [ZONE]}, {"states": ["UNATTACHED"]}],
    ids=str,
)
def test_count_and_offset_of_disks_read_indexes_alone(condition: dict[str, Any]) -> None:
    """Those with a life of their own; those of a machine are found by their machines."""
    account = open_purse(cash_minor=100_000)
    buy_running(account)
    (disk,) = create(by(account), NewDisks("ap-guangzhou", ZONE, "POSTPAID_BY_HOUR", DiskChoice("CLOUD_SSD", 20)))
    work()
    number = db.rows("SELECT id FROM storage_disk WHERE public_id = %s", disk)[0]["id"]
    _multiply("storage_disk", number, "own_created_at")
    matching = Matching.of(account, disks._LISTED, disks._CONDITIONS, disks.Wanted(**condition))
    counted, paged = _plans(matching, disks._CREATED[0], "d")
    for plan in (counted, paged):
        (chosen,) = [line for line in plan if "Scan" in line and "storage_disk d_1" in line]
        assert "Index Only Scan" in chosen, plan
    # The two parts are merged in their order; nothing sorts them together.
    nodes = [line.split("(")[0].strip(" ->") for line in paged if "(cost" in line]
    assert next(node for node in nodes if node in ("Sort", "Incremental Sort", "Merge Append")) == "Merge Append", paged
