"""The deletion of key pairs: it waits for the account's purchases, so that a pair that is bought with stays."""

from collections.abc import Sequence

from vmart.instances import key_pairs
from vmart.kernel import db


def forget(account_id: int, key_ids: Sequence[str]) -> None:
    """Forget pairs, all or none. Raises UnknownKeyPair, KeyPairInUse, MissingParameter, InvalidParameter."""
    with db.act():
        db.call("ledger_lock", account_id)
        key_pairs.forget(account_id, key_ids)
