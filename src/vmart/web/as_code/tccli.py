"""tccli, which reads its request as a file does: no text of it can be taken for an option."""

import shlex

from vmart.web.as_code import shell
from vmart.web.as_code.request import Call


def program(call: Call) -> str:
    region, url = shlex.quote(call.region), shlex.quote(call.endpoint.url)
    return (
        shell.beginning(call)
        + f"tccli cvm RunInstances --region {region} --endpoint {url} --language {call.language} \\\n"
        + '  --cli-input-json file:///dev/stdin <<<"$request"\n'
    )
