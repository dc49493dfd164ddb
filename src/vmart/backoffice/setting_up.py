"""Before the first sale: the page that makes the first operator, and the checklist."""

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from vmart.backoffice import opening
from vmart.backoffice.forms import FirstOperator
from vmart.backoffice.tables import CHECKLIST
from vmart.backoffice.views import operator
from vmart.kernel.errors import Refused
from vmart.listings import checklist
from vmart.pages.table import listed

_BACKEND = "vmart.web.signing_in.Backend"


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def first(request: HttpRequest, token: str) -> HttpResponse:
    """The page behind the link that ``vmart up`` prints: it makes one operator, then leads nowhere."""
    if opening.is_founded() or not opening.is_first_token(token):
        return render(request, "backoffice/first.html", {"used": True}, status=404)
    form = FirstOperator(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        status = 422 if form.is_bound else 200
        return render(request, "backoffice/first.html", {"form": form}, status=status)
    try:
        user = opening.make_first(form.cleaned_data["email"], form.cleaned_data["password"])
    except opening.OperatorExists:
        return redirect("account_login")
    except Refused as refused:
        form.refuse(refused)
        return render(request, "backoffice/first.html", {"form": form}, status=422)
    login(request, user, backend=_BACKEND)
    return redirect("seller_first_run_begin")


@never_cache
@require_safe
@operator
def checklist_page(request: HttpRequest) -> HttpResponse:
    """What a shop needs before its first sale, and what of it is done."""
    steps = checklist.steps()
    here = {"steps": listed(CHECKLIST, steps, request), "all": len(steps), "done": sum(step.done for step in steps)}
    return render(request, "backoffice/checklist.html", here)
