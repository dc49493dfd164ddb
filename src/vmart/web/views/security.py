"""How one signs in: password, address, second factor, passkeys, and where one is signed in. Also of operators."""

from typing import Any

from allauth.account import views as allauth
from allauth.account.models import EmailAddress
from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import Http404, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from vmart.pages.table import listed
from vmart.web import own_address, sessions
from vmart.web.security_tables import PASSKEYS, SESSIONS
from vmart.web.visitor import field

_ADDRESS_ACTS = ("action_add", "action_send", "action_remove")


@never_cache
@require_safe
@login_required
def page(request: HttpRequest) -> HttpResponse:
    """Everything at a glance; each part leads to its own page."""
    user: Any = request.user
    held = list(Authenticator.objects.filter(user=user).order_by("id"))
    codes = _first(held, Authenticator.Type.RECOVERY_CODES)
    here = {
        "app": _first(held, Authenticator.Type.TOTP),
        "codes_left": codes and app_settings.RECOVERY_CODE_COUNT - int(codes.data["used_mask"]).bit_count(),
        "passkeys": listed(PASSKEYS, [one for one in held if one.type == Authenticator.Type.WEBAUTHN], request),
        "confirmed": EmailAddress.objects.filter(user=user, email__iexact=user.email, verified=True).exists(),
        "sends_mail": settings.SENDS_MAIL,
        "sessions": sessions.of(user).count(),
    }
    return render(request, "web/security.html", here)


def _first(held: list[Authenticator], kind: str) -> Authenticator | None:
    return next((one for one in held if one.type == kind), None)


@login_required
def back(request: HttpRequest) -> HttpResponse:
    """Where allauth has lists of its own, this shop has one page."""
    return redirect("security")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def session_list(request: HttpRequest) -> HttpResponse:
    """Where one is signed in; the end of one session, or of all others."""
    if request.method == "POST":
        return _end(request)
    user: Any = request.user
    held = list(sessions.of(user)[: sessions.MOST])
    return render(request, "web/sessions.html", {"sessions": listed(SESSIONS, held, request), "several": len(held) > 1})


def _end(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    if request.POST.get("act") == "others":
        ended = sessions.end_others(user, request)
        text = ngettext("{count} other session was ended.", "{count} other sessions were ended.", ended)
        messages.success(request, text.format(count=ended))
    elif sessions.end(user, field(request.POST, "session")):
        messages.success(request, _("The session was ended."))
    else:
        messages.error(request, _("You have no such session; it may have ended meanwhile."))
    return redirect("sessions")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def address(request: HttpRequest) -> HttpResponseBase:
    """The address one signs in with, and another instead; without mail nothing can be confirmed."""
    if not settings.SENDS_MAIL:
        return render(request, "account/email_change.html")
    if request.method == "POST" and not any(act in request.POST for act in _ADDRESS_ACTS):
        return redirect("account_email")
    view = allauth.EmailView.as_view(extra_context={"pending": own_address.pending(request.user)})  # type: ignore[arg-type]
    answer: HttpResponseBase = view(request)
    return answer


def _with_mail(view: Any) -> Any:
    def only(request: HttpRequest, **named: Any) -> HttpResponseBase:
        if not settings.SENDS_MAIL:
            raise Http404
        answer: HttpResponseBase = view(request, **named)
        return answer

    return only


mail_sent = _with_mail(allauth.email_verification_sent)
confirm_email = _with_mail(never_cache(allauth.confirm_email))
