"""What a member of an account may do there: one table, which pages, the API and the acts' own commits ask. Pure."""

from collections.abc import Iterable
from enum import StrEnum

from vmart.kernel.errors import Refused


class Permission(StrEnum):
    """A kind of thing that one may do in an account."""

    LOOK = "look"  # at all that is the account's, but secrets and the audit log
    KEYS = "keys"  # API keys of one's own, which act with one's role
    OPERATE = "operate"  # machines and all that belongs to them, as far as no money is spent
    SPEND = "spend"  # what is bought, renewed or made larger
    PAY = "pay"  # top up, and pay orders that wait
    MEMBERS = "members"  # invite, change and remove members; their API keys
    AUDIT = "audit"  # who had what done, and who signed in
    OWNERS = "owners"  # make owners, and change or remove them


class Role(StrEnum):
    """What a member is, from most to least."""

    OWNER = "owner"
    ADMIN = "admin"
    OPERATOR = "operator"
    BILLING = "billing"
    VIEWER = "viewer"


_P = Permission
ROLES: dict[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(_P),
    Role.ADMIN: frozenset(_P) - {_P.OWNERS},
    Role.OPERATOR: frozenset({_P.LOOK, _P.KEYS, _P.OPERATE}),
    Role.BILLING: frozenset({_P.LOOK, _P.KEYS, _P.PAY}),
    Role.VIEWER: frozenset({_P.LOOK, _P.KEYS}),
}

# As what the seller's staff acts in an account: never as its member, and never for its members, keys and audit log.
SELLER_LOOKS, SELLER_ACTS = "seller_looks", "seller_acts"
BEHALF: dict[str, frozenset[Permission]] = {
    SELLER_LOOKS: frozenset({_P.LOOK}),
    SELLER_ACTS: frozenset({_P.LOOK, _P.OPERATE, _P.SPEND, _P.PAY}),
}


class NotPermitted(Refused):
    """The member's role does not allow it; the API's code for that."""

    code = "AuthFailure.UnauthorizedOperation"


def may(role: str, permission: Permission) -> bool:
    """Whether a role, or a word that is none, has the permission."""
    return permission in (ROLES[Role(role)] if role in ROLES else BEHALF.get(role, ()))


def having(permission: Permission) -> tuple[str, ...]:
    """The roles that have it."""
    return tuple(str(role) for role, permissions in ROLES.items() if permission in permissions)


def may_give(giver: str) -> list[Role]:
    """The roles that a member may give and take away: only owners make owners, and change or remove them."""
    if not may(giver, Permission.MEMBERS):
        return []
    return [role for role in Role if role != Role.OWNER or may(giver, Permission.OWNERS)]


def check(role: str, permission: Permission) -> None:
    """Raise NotPermitted for a role without the permission."""
    if not may(role, permission):
        raise refusal(having(permission))


def refusal(roles: Iterable[str]) -> NotPermitted:
    """Of what only these roles may do."""
    return NotPermitted(
        "Your role in this account does not allow that; it takes one of: {roles}.", roles=", ".join(roles)
    )
