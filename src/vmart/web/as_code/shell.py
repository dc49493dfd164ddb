"""A request as JSON in a variable of a shell."""

import json
from typing import Any

from vmart.web.as_code.layout import commented, nested
from vmart.web.as_code.request import PASSWORD, Call, Variable
from vmart.web.as_code.said import environment, has_password

# A password made into the inside of a JSON text: of what it may have, the backslash and the quote mean something there.
_PASSWORD = rf"""password=${{{PASSWORD}:?}}
password=${{password//\\/\\\\}}
password=${{password//\"/\\\"}}

"""


def beginning(call: Call) -> str:
    """From the first line to the variable ``request``."""
    password = _PASSWORD if has_password(call) else ""
    return (
        f"#!/usr/bin/env bash\n{commented(*environment(call))}\n{password}request='{nested(call.members, _leaf)}'\n\n"
    )


def _leaf(value: Any) -> str:
    """JSON between single quotes, so without one of its own. What cannot be seen is escaped."""
    if isinstance(value, Variable):
        return '"\'"$password"\'"'
    text = json.dumps(value, ensure_ascii=False).replace("'", "\\u0027")
    return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in text)
