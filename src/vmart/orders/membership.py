"""Other roles of members, and their end. Every act of the account waits for these, and asks its member's role after."""

from collections.abc import Iterator
from contextlib import contextmanager

from vmart.customers import accounts, api_keys, invitations, members
from vmart.customers.models import ApiKey, Member
from vmart.customers.roles import Role
from vmart.events.actor import Actor
from vmart.kernel import db
from vmart.kernel.errors import NotFound, Refused


class LastOwner(Refused):
    """The account would have no owner."""

    code = "OperationDenied"


def change(actor: Actor, user_id: int, role: str) -> None:
    """Give a member another role. Raises NotFound, NotPermitted, InvalidValue; LastOwner."""
    with _changing(actor, user_id) as member:
        invitations.refuse_role(actor, role, member.role)
        if member.role == role:
            return
        _refuse_last_owner(member, role)
        members.told(actor, user_id, member.user.email, "role_changed", before=member.role, role=role)
        Member.objects.filter(pk=member.pk).update(role=role)
        invitations.end_of(actor.account, user_id, role)
    api_keys.forget()


def remove(actor: Actor, user_id: int) -> None:
    """End a member's place, with his API keys of the account. Raises NotFound, NotPermitted; LastOwner."""
    with _changing(actor, user_id) as member:
        if user_id != actor.member:
            invitations.refuse_role(actor, member.role)
        _refuse_last_owner(member, "")
        members.told(actor, user_id, member.user.email, "member_left" if user_id == actor.member else "member_removed")
        ApiKey.objects.filter(account_id=actor.account, user_id=user_id).delete()
        invitations.end_of(actor.account, user_id, "")
        member.delete()
    api_keys.forget()


@contextmanager
def _changing(actor: Actor, user_id: int) -> Iterator[Member]:
    """A member of the actor's account, under both of its locks: no act of his is under way."""
    with db.act():
        db.call("ledger_lock", actor.account)
        accounts.lock(actor.account)
        found = Member.objects.select_related("user").filter(account_id=actor.account, user_id=user_id).first()
        if found is None:
            raise NotFound("This account has no such member.", field="member")
        yield found


def _refuse_last_owner(member: Member, role: str) -> None:
    if member.role != Role.OWNER or role == Role.OWNER:
        return
    others = Member.objects.filter(account_id=member.account_id, role=Role.OWNER).exclude(pk=member.pk)
    if not others.exists():
        raise LastOwner("An account keeps at least one owner: make another member owner first.", field="member")
