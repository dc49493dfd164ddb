"""The address of a user, and the one that he changes to: allauth's, where the old one holds until that is confirmed."""

from allauth.account import app_settings
from allauth.account.fields import EmailField
from allauth.account.forms import AddEmailForm
from allauth.account.internal.flows.email_verification import send_verification_email_to_address
from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from vmart.customers.models import Account, User


def is_taken(address: EmailAddress) -> bool:
    """Whether somebody else signs in with it."""
    return User.objects.filter(email__iexact=address.email).exclude(pk=address.user_id).exists()


def pending(user: User) -> QuerySet[EmailAddress]:
    """The address that waits for its confirmation, never the one that he signs in with."""
    found: QuerySet[EmailAddress] = EmailAddress.objects.filter(user=user, verified=False)
    return found.exclude(email__iexact=user.email)


def rename_account(user_id: int, before: str, after: str) -> None:
    """An account that was called by its owner's address goes on being called so."""
    Account.objects.filter(member__user_id=user_id, name__iexact=before).update(name=after)


class NewAddress(AddEmailForm):  # type: ignore[misc]  # allauth has no types
    """A new address. allauth's own form would drop an address that was never confirmed, though it is the user's own."""

    email = EmailField(max_length=app_settings.EMAIL_MAX_LENGTH)

    def save(self, request: HttpRequest) -> EmailAddress:
        with transaction.atomic():
            pending(self.user).delete()
            address = EmailAddress.objects.create(user=self.user, email=self.cleaned_data["email"])
        send_verification_email_to_address(request, address)
        return address
