"""What programs say of themselves, in the reader's language."""

from django.utils.translation import gettext as _

from vmart.web.as_code.request import PASSWORD, SECRET_ID, SECRET_KEY, Call, Variable


def environment(call: Call, password: str = PASSWORD) -> list[str]:
    """Where the secrets come from; the machine's password is called otherwise by some."""
    lines = [_("Set {id} and {key} in the environment: your API key.").format(id=SECRET_ID, key=SECRET_KEY)]
    if has_password(call):
        lines.append(_("Set {name} as well: the password of the machine.").format(name=password))
    return lines


def has_password(call: Call) -> bool:
    return isinstance(call.members.get("LoginSettings", {}).get("Password"), Variable)
