"""What stays closed while one of the staff acts for a customer: all that is nobody's account's, but one's own."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from vmart.pages import behalf, permitted, role_words


class Closed:
    """Middleware: how one signs in, one's own settings, accounts and invitations wait until it is over."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._answer = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._answer(request)

    def process_view(self, request: HttpRequest, _view: Any, _arguments: Any, _named: Any) -> None:
        match = request.resolver_match
        name = match.view_name if match else ""
        if name and permitted.is_closed_on_behalf(name) and behalf.of_session(request.session):
            user: Any = request.user
            if getattr(user, "behalf", None):
                raise PermissionDenied(role_words.not_permitted(user.role, ()))
