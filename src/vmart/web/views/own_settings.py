"""In which language and time zone a user reads. Also of operators."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from vmart.catalog import shop
from vmart.customers.models import User
from vmart.web.member_forms import Settings


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def page(request: HttpRequest) -> HttpResponse:
    """Both are kept with the user: the language also in the cookie by which pages choose it."""
    user: Any = request.user
    now = {"language": get_language(), "time_zone": user.time_zone}
    zone = shop.snapshot().billing_zone.key
    form = Settings(zone, request.POST, initial=now) if request.method == "POST" else Settings(zone, initial=now)
    if request.method != "POST" or not form.is_valid():
        return render(request, "web/settings.html", {"form": form}, status=422 if form.errors else 200)
    chosen = form.cleaned_data
    User.objects.filter(pk=user.pk).update(language=chosen["language"], time_zone=chosen["time_zone"])
    with override(chosen["language"]):
        messages.success(request, _("Saved."))
    answer = redirect("settings")
    answer.set_cookie(
        settings.LANGUAGE_COOKIE_NAME, chosen["language"], max_age=settings.LANGUAGE_COOKIE_AGE,
        samesite="Lax", secure=request.is_secure(),
    )  # fmt: skip
    return answer
