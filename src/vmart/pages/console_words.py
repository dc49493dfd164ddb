"""What people read of consoles: why one has ended, in the language of the page that shows it."""

from collections.abc import Callable
from typing import Any

from django.utils import translation
from django.utils.translation import gettext_lazy as _

ENDS: dict[str, Any] = {
    "left": _("You closed it."),
    "over": _("It ended because you logged out in it, the login took too long, or the machine went off."),
    "idle": _("It ended because no key was pressed for a long time."),
    "machine_off": _("It ended because the machine went off."),
    "opened_elsewhere": _("It ended because the machine's console was opened in another window."),
    "signed_out": _("It ended because you signed out."),
    "no_member": _("It ended because you no longer belong to the account."),
    "key_off": _("It ended because the API key that asked for it was turned off."),
    "frozen": _("It ended because the account was frozen."),
    "too_large": _("It ended because a message from the browser was too large."),
    "restart": _("It ended because the shop is being restarted. The machine runs on."),
    "gateway_lost": _("It ended because the shop lost the connection. The machine runs on."),
    "no_answer": _("It ended because the machine's host does not answer."),
    "refused": _("It was refused."),
}


def end(why: str) -> str:
    """Why it ended, in the reader's language."""
    return str(ENDS.get(why, ENDS["gateway_lost"]))


def said_in(language: str, say: Callable[[], str]) -> str:
    """What ``say`` says in a language, for whoever has no request."""
    with translation.override(language):
        return say()
