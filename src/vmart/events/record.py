"""Writing events down."""

import json
from collections.abc import Mapping, Sequence

from vmart.events.actor import Actor
from vmart.kernel import clock, db
from vmart.kernel.errors import Refused

MACHINE, ORDER, KEY_PAIR, API_KEY, PAYMENT, ACCOUNT = "machine", "order", "key_pair", "api_key", "payment", "account"
LAUNCH_TEMPLATE, PLACEMENT_GROUP, VPC, SUBNET = "launch_template", "placement_group", "vpc", "subnet"
DISK, SECURITY_GROUP, ADDRESS, SNAPSHOT, IMAGE = "disk", "security_group", "address", "snapshot", "own_image"
SNAPSHOT_POLICY, PACKAGE, ALARM = "snapshot_policy", "package", "alarm"


def write(
    account_id: int,
    subject_kind: str,
    subject_ids: Sequence[int],
    kind: str,
    *,
    details: Sequence[Mapping[str, object]] = (),
    actor: Actor | None = None,
) -> None:
    """The same event of several subjects of one account, in one statement, now; ``details`` are of each, in order."""
    db.rows(
        "SELECT fn.events_write(%s, %s, %s, %s, %s, %s::jsonb[], %s::jsonb)",
        [account_id] * len(subject_ids), subject_kind, list(subject_ids), kind, clock.now(),
        [json.dumps(detail) for detail in details or [{}] * len(subject_ids)],
        json.dumps(actor.told() if actor else {}),
    )  # fmt: skip


def reason(refused: Refused) -> dict[str, object]:
    """Why something did not happen, as an event keeps it: in English, and as what each reader's language says it by."""
    places = {name: value if isinstance(value, int) else str(value) for name, value in refused.params.items()}
    return {"why": refused.sentence, "template": refused.template, "places": places}
