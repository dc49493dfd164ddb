"""What those who sell may do: one table, which the seller's pages and the acts' own commits ask. Pure."""

from enum import StrEnum

from vmart.customers import roles
from vmart.customers.roles import NotPermitted, Permission
from vmart.events.actor import Actor


class StaffPermission(StrEnum):
    """A kind of thing that one may do in the seller's rooms."""

    LOOK = "look"  # at today, what needs attention, deliveries, zones and the checklist
    CUSTOMERS = "customers"  # look for customers, and at all that is a customer's
    NOTES = "notes"  # write notes of customers, and strike them out
    MEND = "mend"  # retry work, deliver a lost machine again, end one
    MONEY = "money"  # credit, debit, refund, void; discounts; messages of card providers
    STANDING = "standing"  # freeze customers, and set their quotas
    PRICES = "prices"  # look at the catalog and its prices
    STOCK = "stock"  # the switch for sold out, and that of a host which takes no more machines
    CATALOG = "catalog"  # change prices
    SHOP = "shop"  # whose shop it is, and its first run
    STAFF = "staff"  # invite, change and remove staff
    ACT_AS = "act_as"  # look at a customer's pages as the customer
    ACT_AS_FULLY = "act_as_fully"  # act there, too, and spend the customer's money


class StaffRole(StrEnum):
    """What one of the staff is."""

    ADMIN = "admin"
    SUPPORT = "support"
    FINANCE = "finance"
    OPERATIONS = "operations"


_P = StaffPermission
STAFF_ROLES: dict[StaffRole, frozenset[StaffPermission]] = {
    StaffRole.ADMIN: frozenset(_P),
    StaffRole.SUPPORT: frozenset({_P.LOOK, _P.CUSTOMERS, _P.NOTES, _P.MEND, _P.ACT_AS}),
    StaffRole.FINANCE: frozenset({_P.LOOK, _P.CUSTOMERS, _P.NOTES, _P.MONEY, _P.STANDING, _P.PRICES}),
    StaffRole.OPERATIONS: frozenset({_P.LOOK, _P.MEND, _P.PRICES, _P.STOCK}),
}


def may(role: str, permission: StaffPermission) -> bool:
    """Whether a role of staff, or a word that is none, has the permission."""
    return role in STAFF_ROLES and permission in STAFF_ROLES[StaffRole(role)]


def having(permission: StaffPermission) -> tuple[str, ...]:
    """The roles of staff that have it."""
    return tuple(str(role) for role, permissions in STAFF_ROLES.items() if permission in permissions)


def on_behalf(role: str) -> str:
    """As what one of the staff acts in a customer's account (``roles.BEHALF``); "" of who may not."""
    if may(role, _P.ACT_AS_FULLY):
        return roles.SELLER_ACTS
    return roles.SELLER_LOOKS if may(role, _P.ACT_AS) else ""


def having_on_behalf(permission: Permission) -> tuple[str, ...]:
    """The roles of staff that have a member's permission when they act for a customer."""
    return tuple(str(role) for role in StaffRole if roles.may(on_behalf(role), permission))


def refusal(actor: Actor) -> NotPermitted:
    """Of what only some roles of the staff may do."""
    return NotPermitted("Your role does not allow that; it takes one of: {roles}.", roles=", ".join(actor.roles))


def not_any_more(actor: Actor) -> NotPermitted:
    """Of an act whose actor has lost his place by its commit, or has another role by then."""
    return refusal(actor) if actor.staff else roles.refusal(actor.roles)
