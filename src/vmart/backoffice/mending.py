"""Where on the seller's pages a line of the attention list is mended."""

from django.urls import reverse

from vmart.listings.attention import Need


def where(need: Need) -> str:
    """Path of the page; "" where no page helps, or the line has its own buttons."""
    if need.cause.tag == "deliveries_failed":
        return reverse("seller_deliveries")
    if need.cause.tag == "card_refund_failed":
        return reverse("seller_payment", args=[need.subject])
    if need.account is not None:
        return reverse("seller_customer", args=[need.account])
    if need.subject_kind == "zone":
        return reverse("seller_zone", args=[need.subject])
    if need.subject_kind in ("host", "image"):
        return reverse("seller_zone", args=[need.places["zone"]])
    return ""
