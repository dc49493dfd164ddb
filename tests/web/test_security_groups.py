"""Given a machine in security groups, then its page names them."""

from tests.support.actors import by
from tests.support.shopper import work
from tests.web.visiting import ZONE, customer, text_of
from vmart.catalog import shop
from vmart.instances.models import Instance
from vmart.orders import groups
from vmart.security import change


def test_the_page_of_a_machine_names_the_groups_that_it_was_put_into() -> None:
    visitor = customer()
    visitor.buy()
    work()
    machine = Instance.objects.get()
    page = f"/machines/{machine.public_id}/"
    assert "Security groups" not in text_of(visitor.get(page))  # the default one, which is open
    actor, region = by(machine.account_id), shop.snapshot().region_of(ZONE)
    group = change.create(actor, region, "web", "").public_id
    groups.join(actor, [machine.public_id], [group])
    assert f"Security groups {groups.of(machine)[0]}, {group}" in text_of(visitor.get(page))
