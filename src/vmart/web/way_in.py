"""The login that the purchase form says."""

from django.http import QueryDict

from vmart.kernel.errors import MissingParameter
from vmart.orders import login
from vmart.web.choice import Choice


def of(choice: Choice, form: QueryDict) -> login.LoginWanted:
    """With the password as it was typed. Raises MissingParameter, WeakPassword."""
    if choice.values["login"] != "password":
        return without_password(choice)
    typed = form.get("password", "")
    login.check_password(typed)  # also an empty one
    return login.LoginWanted(typed)


def without_password(choice: Choice) -> login.LoginWanted:
    """As far as an address says it, which has no password. Raises MissingParameter."""
    if choice.values["login"] != "key":
        return login.GENERATED
    if not choice.keys:
        raise MissingParameter("Choose a key pair.", field="login.key_ids")
    return login.LoginWanted(key_ids=tuple(choice.keys))
