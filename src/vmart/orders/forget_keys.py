"""The deletion of key pairs: it waits for the account's purchases, so that a pair that is bought with stays."""

from collections.abc import Sequence

from vmart.events.actor import Actor
from vmart.instances import key_pairs
from vmart.kernel import db
from vmart.tags import modify
from vmart.tags.things import KEY_PAIR, Thing


def forget(actor: Actor, key_ids: Sequence[str]) -> None:
    """Forget pairs, all or none. Raises UnknownKeyPair, KeyPairInUse, MissingParameter, InvalidParameter."""
    with db.act():
        db.call("ledger_lock", actor.account)
        key_pairs.forget(actor, key_ids)
        modify.end(actor.account, [Thing(KEY_PAIR, key_id) for key_id in key_ids])
