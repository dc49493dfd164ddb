"""Reads of payments."""

from vmart.payments.models import Payment

PAGE_MAX = 100


def payments_of(account_id: int, *, before: int | None = None, limit: int = 20) -> list[Payment]:
    """The account's payments, newest first; ``before`` is the last number of the page before."""
    found = Payment.objects.filter(account_id=account_id).order_by("-id")
    if before is not None:
        found = found.filter(id__lt=before)
    return list(found[: max(1, min(limit, PAGE_MAX))])
