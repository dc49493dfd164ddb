"""Reads of payments."""

from django.db.models import Sum

from vmart.payments.models import CardRefund, Payment

PAGE_MAX = 100


def payments_of(account_id: int, *, before: int | None = None, limit: int = 20) -> list[Payment]:
    """The account's payments, newest first; ``before`` is the last number of the page before."""
    found = Payment.objects.filter(account_id=account_id).order_by("-id")
    if before is not None:
        found = found.filter(id__lt=before)
    return list(found[: max(1, min(limit, PAGE_MAX))])


def on_its_way_minor(account_id: int) -> int:
    """Minor units that are set aside until a provider has sent them back to the account's cards."""
    open_ones = CardRefund.objects.filter(payment__account_id=account_id, resolved_at=None)
    return open_ones.aggregate(minor=Sum("amount_minor"))["minor"] or 0
