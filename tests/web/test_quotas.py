"""Given an account with quotas, then its page says how much of each is used, as what they bound counts."""

import re

from tests.support import quotas
from tests.support.actors import by
from tests.web.visiting import customer, order_id_of, work
from vmart.instances.models import Instance
from vmart.orders import placement_groups
from vmart.orders.placement_groups import Wanted
from vmart.orders.snapshots import policies

_ROW = re.compile(r"<tr>(.*?)</tr>", re.DOTALL)
_CELL = re.compile(r"<td[^>]*>(.*?)</td>", re.DOTALL)


def _rows(html: str) -> list[list[str]]:
    found = [[re.sub("<[^>]*>", "", cell).strip() for cell in _CELL.findall(row)] for row in _ROW.findall(html)]
    return [row for row in found if row]


def test_each_quota_with_what_is_used_of_it() -> None:
    visitor = customer(gift_minor=10_000_000)
    account = visitor.account_id
    quotas.one(account, postpaid_per_zone=5, prepaid_per_month=7, launch_templates=9)
    for query in ("?charge=postpaid&count=2", "?charge=prepaid", "?charge=prepaid"):
        order_id_of(visitor.buy(query))
    work()
    returned = Instance.objects.filter(subscription__charge_type="PREPAID").earliest("id").public_id
    visitor.post(f"/machines/{returned}/end/")
    placement_groups.create(by(account), Wanted("apart"))
    daily = policies.Wanted(name="daily", active=True, hours=(3,), weekdays=(0,), retention_days=7)
    policies.create(by(account), "ap-guangzhou", daily)
    visitor.post("/buy/", visitor.buy_form("") | {"act": "save_template", "template_name": "kept"})
    rows = _rows(visitor.get("/quotas/").content.decode())
    assert rows == [
        ["Postpaid machines a zone", "Guangzhou Zone 3", "2", "5"],
        ["Postpaid machines a zone", "Guangzhou Zone 4", "0", "5"],
        ["Postpaid machines a zone", "Guangzhou Zone 6", "0", "5"],
        ["Postpaid machines a zone", "Shanghai Zone 2", "0", "5"],
        ["Postpaid machines a zone", "Shanghai Zone 5", "0", "5"],
        ["Prepaid machines bought a zone and month", "Guangzhou Zone 3", "1", "7"],
        ["Prepaid machines bought a zone and month", "Guangzhou Zone 4", "0", "7"],
        ["Prepaid machines bought a zone and month", "Guangzhou Zone 6", "0", "7"],
        ["Prepaid machines bought a zone and month", "Shanghai Zone 2", "0", "7"],
        ["Prepaid machines bought a zone and month", "Shanghai Zone 5", "0", "7"],
        ["Spot machines a zone", "Guangzhou Zone 3", "0", "100"],
        ["Spot machines a zone", "Guangzhou Zone 4", "0", "100"],
        ["Spot machines a zone", "Guangzhou Zone 6", "0", "100"],
        ["Spot machines a zone", "Shanghai Zone 2", "0", "100"],
        ["Spot machines a zone", "Shanghai Zone 5", "0", "100"],
        ["Disks of their own a zone", "Guangzhou Zone 3", "0", "200"],
        ["Disks of their own a zone", "Guangzhou Zone 4", "0", "200"],
        ["Disks of their own a zone", "Guangzhou Zone 6", "0", "200"],
        ["Disks of their own a zone", "Shanghai Zone 2", "0", "200"],
        ["Disks of their own a zone", "Shanghai Zone 5", "0", "200"],
        ["Elastic public addresses a region", "South China (Guangzhou)", "0", "20"],
        ["Elastic public addresses a region", "East China (Shanghai)", "0", "20"],
        ["Snapshots a region", "South China (Guangzhou)", "0", "200"],
        ["Snapshots a region", "East China (Shanghai)", "0", "200"],
        ["Bandwidth packages a region", "South China (Guangzhou)", "0", "20"],
        ["Bandwidth packages a region", "East China (Shanghai)", "0", "20"],
        ["Images of its own a region", "South China (Guangzhou)", "0", "10"],
        ["Images of its own a region", "East China (Shanghai)", "0", "10"],
        ["Snapshot policies a region", "South China (Guangzhou)", "1", "30"],
        ["Snapshot policies a region", "East China (Shanghai)", "0", "30"],
        ["Returned machines a year", "—", "1", "199"],
        ["API purchases a second", "—", "—", "10"],
        ["Launch templates", "—", "1", "9"],
        ["Placement groups", "—", "1", "10"],
        ["Machines a placement group", "—", "—", "50"],
        ["Alarms", "—", "0", "20"],
    ]
