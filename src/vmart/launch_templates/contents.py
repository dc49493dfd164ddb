"""What a version holds: what a purchase says, by the paths of its value (ADR 0031), and nothing else."""

import base64
from collections.abc import Mapping
from dataclasses import replace

from vmart.kernel.paths import leaves
from vmart.orders.login import LoginWanted
from vmart.orders.wanted import PURCHASE, Purchase
from vmart.pricing.configuration import PREPAID

Contents = Mapping[str, object]

_OF_THE_REQUEST = {"actor", "client_token", "min_count", "expected", "order_id"}
_NOT_KEPT = {"region"}  # the zone says it
_SAYS_NOTHING: tuple[object, ...] = ("", None, [])


def of(request: Purchase) -> dict[str, object]:
    """All that the purchase says. Its login is as it was typed (``LoginWanted``), without its password."""
    assert isinstance(request.machine.login, LoginWanted)
    user_data = base64.b64encode(request.machine.user_data).decode()
    plain = PURCHASE.plain(replace(request, machine=replace(request.machine, user_data=b"")), without=_OF_THE_REQUEST)
    flat = dict(leaves({**plain["configuration"], **plain["machine"]})) | {"user_data": user_data}
    if request.configuration.charge_type != PREPAID:
        del flat["renew_flag"]
    return {path: said for path, said in flat.items() if path not in _NOT_KEPT and said not in _SAYS_NOTHING}
