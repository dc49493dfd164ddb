"""bash with curl and openssl, which sign by TC3-HMAC-SHA256, and nothing else."""

import shlex

from vmart.web.as_code import shell
from vmart.web.as_code.request import SECRET_ID, SECRET_KEY, Call

_SIGNED = f"""
digest() {{ # text, options of openssl
  local told
  told=$(printf %s "$1" | openssl dgst -sha256 -r "${{@:2}}") && printf %s "${{told%% *}}"
}}
printf -v now '%(%s)T' -1
day=$(TZ=UTC printf '%(%Y-%m-%d)T' "$now")
type='application/json; charset=utf-8'
printf -v canonical 'POST\\n/\\n\\ncontent-type:%s\\nhost:%s\\n\\ncontent-type;host\\n%s' \\
  "$type" "$host" "$(digest "$request")"
printf -v text 'TC3-HMAC-SHA256\\n%s\\n%s/cvm/tc3_request\\n%s' "$now" "$day" "$(digest "$canonical")"
key=$(digest "$day" -hmac "TC3${{{SECRET_KEY}:?}}")
key=$(digest cvm -mac HMAC -macopt "hexkey:$key")
key=$(digest tc3_request -mac HMAC -macopt "hexkey:$key")
signature=$(digest "$text" -mac HMAC -macopt "hexkey:$key")

curl -sS -w '\\n' "$scheme://$host/" --data-binary "$request" \\
  -H "Host: $host" -H "Content-Type: $type" -H "X-TC-Action: RunInstances" -H "X-TC-Version: 2017-03-12" \\
  -H "X-TC-Region: $region" -H "X-TC-Timestamp: $now" -H "X-TC-Language: $language" \\
  -H "Authorization: TC3-HMAC-SHA256 Credential=${{{SECRET_ID}:?}}/$day/cvm/tc3_request,\\
 SignedHeaders=content-type;host, Signature=$signature"
"""


def program(call: Call) -> str:
    words = {
        "scheme": call.endpoint.scheme,
        "host": call.endpoint.host,
        "region": call.region,
        "language": call.language,
    }
    return shell.beginning(call) + "".join(f"{name}={shlex.quote(value)}\n" for name, value in words.items()) + _SIGNED
