"""User data on the purchase page: what a machine runs at its first boot, as its buyer types it.

It may hold secrets and is run as root, so it never enters an address and is never taken out of one: a link that
somebody sends would have his program run. Where the buyer leaves the form to come back, his session keeps it meanwhile.
"""

from django.http import HttpRequest, QueryDict

from vmart.orders import user_data
from vmart.web.choice import Choice

FIELD = "user_data"


def document(choice: Choice) -> bytes:
    """What is bought: what was typed, else what the template says that the form began with.

    Emptied it is none; but what the form could not show stays until something else is typed.
    """
    held = of_template(choice)
    if choice.user_data is None:
        return held
    return user_data.typed(choice.user_data) or (held if user_data.as_text(held) is None else b"")


def of_template(choice: Choice) -> bytes:
    """What the version says that the form began with."""
    said = choice.source.contents if choice.source else {}
    return user_data.decode(said.get(FIELD, ""))


def text(choice: Choice) -> str:
    """What the form shows."""
    if choice.user_data is not None:
        return choice.user_data
    return user_data.as_text(of_template(choice)) or ""


def unshown(choice: Choice) -> int:
    """Bytes of a template's document that the form cannot show; 0 where it can."""
    held = of_template(choice)
    return len(held) if user_data.as_text(held) is None else 0


def opened(request: HttpRequest) -> QueryDict:
    """The form that an address says, with what the session has kept for it, which is given once."""
    form = request.GET.copy()
    form.pop(FIELD, None)
    if kept := request.session.pop(FIELD, ""):
        form[FIELD] = kept
    return form


def leave(request: HttpRequest) -> None:
    """Keep what is typed until the form is opened again; what is too large would be refused there and is not kept."""
    typed = request.POST.get(FIELD, "")
    if typed.strip() and len(user_data.typed(typed)) <= user_data.MAX_BYTES:
        request.session[FIELD] = typed


def carried(query: str, form: QueryDict) -> QueryDict | None:
    """The form that the query says with what is typed in this one; None where the address says all.

    It does where nothing is typed; not where a template's document was emptied.
    """
    typed = form.get(FIELD)
    if typed is None or not (typed.strip() or form.get("template")):
        return None
    both = QueryDict(query, mutable=True)
    both[FIELD] = typed
    return both
