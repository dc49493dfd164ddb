"""Python with tencentcloud-sdk-python."""

from typing import Any

from vmart.web.as_code.layout import commented, nested
from vmart.web.as_code.request import SECRET_ID, SECRET_KEY, Call, Variable
from vmart.web.as_code.said import environment

_PROGRAM = f"""import json
import os

from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.cvm.v20170312 import cvm_client, models

members = %(members)s

credential = Credential(os.environ["{SECRET_ID}"], os.environ["{SECRET_KEY}"])
http = HttpProfile(protocol=%(scheme)s, endpoint=%(host)s)
profile = ClientProfile(httpProfile=http, language=%(language)s)
client = cvm_client.CvmClient(credential, %(region)s, profile)
request = models.RunInstancesRequest()
request.from_json_string(json.dumps(members))
print(client.RunInstances(request).to_json_string())
"""


def program(call: Call) -> str:
    return commented(*environment(call)) + _PROGRAM % {
        "members": nested(call.members, _leaf, "    "), "scheme": _leaf(call.endpoint.scheme),
        "host": _leaf(call.endpoint.host), "region": _leaf(call.region), "language": _leaf(call.language),
    }  # fmt: skip


def _leaf(value: Any) -> str:
    """Texts in double quotes where that needs no escape more. What cannot be seen ``repr`` escapes."""
    if isinstance(value, Variable):
        return f'os.environ["{value}"]'
    text = repr(value)
    return f'"{text[1:-1]}"' if text[0] == "'" and '"' not in text else text
