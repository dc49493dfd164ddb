"""The logins of ``vmart up --demo``: random, kept in the secrets folder, made again when the database is new."""

import secrets
from pathlib import Path
from typing import Any

from vmart.config.places import read_json, write_private

_OPERATOR = "seller@demo.invalid"
_CUSTOMER = "customer@demo.invalid"
_GRANT_MINOR = 1_000_000  # once, whoever asks again
_WORD = "abcdefghijkmnpqrstuvwxyz23456789"


def _password() -> str:
    return "-".join("".join(secrets.choice(_WORD) for _ in range(5)) for _ in range(3))


def ensure_demo(file: Path) -> dict[str, Any]:
    """Operator and customer with an API key and a balance; what ready.json shows of them. Idempotent."""
    from vmart.customers.models import User

    held = read_json(file)
    if held is not None and User.objects.filter(email=held["customer"]["email"]).exists():
        return held
    logins: dict[str, Any] = {
        "operator": {"email": _OPERATOR, "password": _password()},
        "customer": {"email": _CUSTOMER, "password": _password()},
    }
    secret_id, secret = _make(logins)
    logins["customer"] |= {"secret_id": secret_id, "secret_key": secret}
    write_private(file, logins)
    return logins


def _make(logins: dict[str, Any]) -> tuple[str, str]:
    from vmart.backoffice import opening
    from vmart.customers import api_keys
    from vmart.customers.models import ApiKey, Member, User
    from vmart.customers.staff import StaffRole
    from vmart.events.actor import COMMAND, Actor
    from vmart.kernel import clock, db
    from vmart.orders import open_account

    operator = User.objects.filter(email=_OPERATOR).first() or User(email=_OPERATOR, date_joined=clock.now())
    operator.is_staff = operator.is_superuser = True
    operator.staff_role = StaffRole.ADMIN
    operator.set_password(logins["operator"]["password"])
    with db.act():
        operator.save()
        opening.open_when_ready()
    customer = User.objects.filter(email=_CUSTOMER).first() or User(email=_CUSTOMER, date_joined=clock.now())
    customer.set_password(logins["customer"]["password"])
    customer.save()
    member = Member.objects.select_related("account").filter(user=customer).first()
    account = member.account if member else open_account.open_account(customer, "Demo customer", quota_set="demo")
    open_account.grant(account.pk, _GRANT_MINOR, "demo")
    ApiKey.objects.filter(account=account).delete()
    key, secret = api_keys.create(Actor(account.id, COMMAND, "vmart up"), account, customer)
    return key.secret_id, secret
