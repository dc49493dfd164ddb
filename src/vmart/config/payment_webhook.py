"""The address that card providers send their messages to: no session, no CSRF token; the signature is all."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from vmart.payments.webhook import receive


@csrf_exempt
@require_POST
def payment_webhook(request: HttpRequest, provider: str) -> HttpResponse:
    """POST /payments/webhook/<provider>."""
    return HttpResponse(status=receive(provider, request.headers, request.body))
