"""A forgotten password: a link by mail where the shop sends mail, else the seller makes one."""

from allauth.account import views as allauth
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache


@never_cache
def forgotten(request: HttpRequest) -> HttpResponseBase:
    """Ask for the link. What is answered tells nobody whether there is an account."""
    if not settings.SENDS_MAIL:
        return render(request, "account/password_reset.html")
    answer: HttpResponseBase = allauth.password_reset(request)
    return answer
