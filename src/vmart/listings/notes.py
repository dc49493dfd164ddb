"""What those who sell have written about a customer, the latest first."""

from vmart.customers.models import Note
from vmart.listings.paging import PAGE, Page, cut, number


def of_account(account_id: int, before: str = "") -> Page[Note]:
    """A page of them. One query."""
    key = number(before)
    own = Note.objects.filter(account_id=account_id).order_by("-id")
    rows = list((own.filter(id__lt=key) if key is not None else own)[: PAGE + 1])
    return cut(rows, lambda row: row.pk, first=key is None)
