"""An account's networks, as the acts on them find them."""

from django.db.models import Q

from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel.text import is_one_line
from vmart.network.errors import BadNetworkName, UnknownSubnet, UnknownVpc
from vmart.network.models import Subnet, Vpc

NAME_MAX = 60  # characters (API of vpc: CreateVpc, CreateSubnet)


def of(account_id: int) -> Q:
    """The account's, default or own, but for those that it has deleted."""
    return Q(deleted_at=None) & (Q(account_id=account_id) | Q(owner_id=account_id))


def vpc(account_id: int, public_id: str, field: str = "vpc_id") -> Vpc:
    """A VPC of the account, locked against being changed at once. Raises UnknownVpc."""
    found = Vpc.objects.select_for_update(no_key=True).filter(of(account_id), public_id=sayable(public_id)).first()
    if found is None:
        raise UnknownVpc("The VPC {id} does not exist.", field=field, id=public_id)
    return found


def subnet(account_id: int, public_id: str) -> Subnet:
    """A subnet of the account, locked as a purchase locks it that takes addresses of it. Raises UnknownSubnet."""
    locked = Subnet.objects.select_for_update(no_key=True)
    found = locked.filter(of(account_id), public_id=sayable(public_id)).first()
    if found is None:
        raise unknown_subnet(public_id)
    return found


def unknown_subnet(public_id: str) -> UnknownSubnet:
    """Of an act that names a subnet which is not the account's, or not any more."""
    return UnknownSubnet("The subnet {id} does not exist.", field="subnet_id", id=public_id)


def sayable(public_id: str) -> str:
    """The id, as the database can be asked for it."""
    return "" if "\0" in public_id else public_id  # a text of the database has no NUL


def check_name(name: str, field: str) -> None:
    """Raise BadNetworkName unless the name has 1 to 60 characters on one line."""
    if not name:
        raise BadNetworkName("A network needs a name.", field=field, code="InvalidParameterValue.Empty")
    if len(name) > NAME_MAX or not is_one_line(name):
        raise BadNetworkName(
            "The name of a network has at most {most} characters, on one line.", field=field, most=NAME_MAX
        )


def change(actor: Actor, kind: str, act: str, thing: Vpc | Subnet, **columns: object) -> None:
    """Write what is given of a thing of that kind, and that it was done."""
    given = {column: value for column, value in columns.items() if value is not None}
    for column, value in given.items():
        setattr(thing, column, value)
    thing.save(update_fields=given)
    tell(actor, kind, act, thing)


def tell(actor: Actor, kind: str, act: str, *things: Vpc | Subnet) -> None:
    """Write down that this was done to these things of one kind."""
    details = [{"name": thing.public_id, "called": thing.name} for thing in things]
    record.write(actor.account, kind, [thing.id for thing in things], act, details=details, actor=actor)
