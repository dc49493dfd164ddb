"""The seller's page that withdraws a price book which has not begun."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from vmart.backoffice import withdraw_book
from vmart.backoffice.views import operator, seller
from vmart.kernel import clock
from vmart.kernel.errors import Refused
from vmart.pages import wording
from vmart.pricing import books
from vmart.pricing.models import Book

_NUMBER_MAX = 2**31 - 1


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@operator
def withdraw(request: HttpRequest, version: int) -> HttpResponse:
    """Told first what goes on instead."""
    book = Book.objects.defer("document").filter(version=version).first() if version <= _NUMBER_MAX else None
    if book is None:
        raise Http404
    if request.method == "POST":
        try:
            withdraw_book.withdraw(version, by=seller(request))
        except Refused as refused:
            messages.error(request, wording.sentence(refused))
        else:
            messages.success(request, _("The price book is withdrawn; the prices of before go on."))
        return redirect("seller_catalog")
    before = books.before_it(book)
    if before is None or book.effective_at <= clock.now() or book.ends_at is not None:
        messages.warning(request, _("This price book cannot be withdrawn: it has begun, or a later one is published."))
        return redirect("seller_catalog")
    return render(request, "backoffice/book_withdraw.html", {"book": book, "before": before})
