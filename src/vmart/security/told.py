"""That engines are told: queued for each network of an account, whatever changed."""

from vmart.events import record
from vmart.kernel import clock
from vmart.network import held
from vmart.network.models import Subnet
from vmart.worker import queue

KIND = "rules"


def send(account_id: int) -> None:
    """Have the rules of all the account's machines be told anew. Belongs into the act's transaction."""
    subnets: dict[str, list[int]] = {}
    for number, zone in Subnet.objects.filter(held.of(account_id)).order_by("id").values_list("id", "zone_id"):
        subnets.setdefault(zone, []).append(number)
    for zone, numbers in subnets.items():
        queue.enqueue_all(KIND, record.SUBNET, numbers, account_id=account_id, lane=zone, due_at=clock.now())
