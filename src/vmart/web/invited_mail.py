"""The mail that invites somebody into an account, in his language where the shop knows it."""

import logging

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import get_language, override

from vmart.customers.invitations import Made
from vmart.customers.models import User
from vmart.pages import role_words

log = logging.getLogger(__name__)
INVITED = "invitation"  # the key under which a session has the word of the link that led to the sign-up


def send(request: HttpRequest, made: Made) -> bool:
    """Send the link; False where that failed, which is in the log."""
    invited = made.invitation
    told = {
        "link": settings.PUBLIC_URL + reverse("invited", args=[made.word]), "account": invited.account.name,
        "inviter": invited.invited_by.email, "until": invited.expires_at,
    }  # fmt: skip
    with override(_language(invited.email)):
        told["role"] = role_words.title(invited.role)
        try:
            DefaultAccountAdapter(request).send_mail("account/email/invitation", invited.email, told)
        except OSError:
            log.exception("an invitation could not be sent")
            return False
    return True


def _language(email: str) -> str | None:
    """The reader's, where he is a user; else that of who invites him."""
    own = User.objects.filter(email__iexact=email).values_list("language", flat=True).first()
    return own or get_language()
