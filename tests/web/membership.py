"""Members of an account in these tests: visitors who act for somebody else's account in a role."""

from tests.web.visiting import Visitor, customer
from vmart.customers.models import Member
from vmart.kernel import clock


def member_of(account_id: int, role: str, **options: object) -> Visitor:
    """A customer who acts for another account, in this role; his own account is another one."""
    visitor = customer(**options)
    Member.objects.create(account_id=account_id, user=visitor.user, role=role, joined_at=clock.now())
    visitor.post("/accounts/acting-for/", {"account": str(account_id)})
    visitor.account_id = account_id
    return visitor
