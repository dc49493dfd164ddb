"""Who may do what for whom: users, accounts, members, API keys, quotas."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from vmart.customers.roles import Role
from vmart.customers.staff import StaffRole
from vmart.customers.words import Words


class Users(BaseUserManager["User"]):
    """Makes users; the e-mail address is the name one signs in with."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in. Customers are members of accounts; who sells has ``is_staff`` and, of staff, a role."""

    email = models.EmailField(max_length=254, unique=True)
    is_staff = models.BooleanField(default=False)
    staff_role = models.CharField(max_length=20, default="", db_default="", blank=True)
    is_active = models.BooleanField(default=True)
    language = models.CharField(max_length=10, default="", blank=True)
    time_zone = models.CharField(max_length=64, default="", db_default="", blank=True)
    date_joined = models.DateTimeField()

    objects: ClassVar[Users] = Users()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        db_table = "customers_user"
        constraints = [
            models.UniqueConstraint(Lower("email"), name="customers_user_email_once"),
            models.CheckConstraint(
                condition=Q(staff_role__in=["", *map(str, StaffRole)]), name="customers_user_staff_role"
            ),
        ]
        indexes = [GinIndex(Words("email"), name="customers_user_words")]


class StaffChange(models.Model):
    """Who became what of the staff, and by whom: ``role`` is "" of who is none any more. Rows are never changed."""

    at = models.DateTimeField()
    user = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    before = models.CharField(max_length=20, default="", db_default="")
    role = models.CharField(max_length=20, default="", db_default="")
    by = models.CharField(max_length=300)

    class Meta:
        db_table = "customers_staff_change"
        constraints = [
            models.CheckConstraint(
                condition=Q(before__in=["", *map(str, StaffRole)]) & Q(role__in=["", *map(str, StaffRole)]),
                name="customers_staff_change_roles",
            )
        ]


class Account(models.Model):
    """A customer: owns machines and money. ``quota_set``: whose quotas hold where it has none of its own."""

    id: int
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField()
    credit_limit_minor = models.BigIntegerField(default=0)
    quota_set = models.CharField(max_length=20, default="default")
    free_return_used_at = models.DateTimeField(null=True)
    frozen_reason = models.CharField(max_length=200, default="", blank=True)

    class Meta:
        db_table = "customers_account"
        constraints = [
            models.CheckConstraint(
                condition=Q(credit_limit_minor__gte=0),
                name="customers_account_values",
            )
        ]
        indexes = [GinIndex(Words("name"), name="customers_account_words")]


class Discount(models.Model):
    """What part of every list price an account pays from a full hour on, until its next row; 1: all of it.

    Rows that have begun are never changed: what was charged by them can be counted again.
    """

    account = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False)
    from_at = models.DateTimeField()
    factor = models.DecimalField(max_digits=5, decimal_places=4)
    reason = models.CharField(max_length=500)
    by = models.CharField(max_length=300)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "customers_discount"
        constraints = [
            models.UniqueConstraint(fields=["account", "from_at"], name="customers_discount_once"),
            models.CheckConstraint(condition=Q(factor__gte=0, factor__lte=1), name="customers_discount_factor"),
            models.CheckConstraint(
                condition=Q(from_at__minute=0, from_at__second=0), name="customers_discount_full_hour"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="customers_discount_reason"),
        ]


class Note(models.Model):
    """What one who sells wrote about a customer; ``by`` and ``struck_by`` as ``Actor.name``. Rows are never deleted."""

    account = models.ForeignKey(Account, models.PROTECT, db_index=False)
    at = models.DateTimeField()
    by = models.CharField(max_length=300)
    text = models.CharField(max_length=2000)
    struck_at = models.DateTimeField(null=True)
    struck_by = models.CharField(max_length=300, default="", db_default="")

    class Meta:
        db_table = "customers_note"
        indexes = [models.Index(fields=["account", "id"], name="customers_note_account")]
        constraints = [
            models.CheckConstraint(condition=~Q(text=""), name="customers_note_text"),
            models.CheckConstraint(condition=Q(struck_at=None) ^ ~Q(struck_by=""), name="customers_note_struck"),
        ]


class QuotaDefault(models.Model):
    """What an account of a set (``default``, ``demo``) may have at most; values of the catalog file."""

    pk = models.CompositePrimaryKey("set_name", "name")
    set_name = models.CharField(max_length=20)
    name = models.CharField(max_length=40)
    value = models.IntegerField()

    class Meta:
        db_table = "customers_quota_default"
        constraints = [models.CheckConstraint(condition=Q(value__gte=0), name="customers_quota_default_value")]


class Quota(models.Model):
    """What one account may have at most, where the seller has said so."""

    pk = models.CompositePrimaryKey("account_id", "name")
    account = models.ForeignKey(Account, models.PROTECT, db_index=False, related_name="+")
    name = models.CharField(max_length=40)
    value = models.IntegerField()

    class Meta:
        db_table = "customers_quota"
        constraints = [models.CheckConstraint(condition=Q(value__gte=0), name="customers_quota_value")]


class Member(models.Model):
    """A user acting for an account."""

    account = models.ForeignKey(Account, models.PROTECT)
    user = models.ForeignKey(User, models.PROTECT)
    role = models.CharField(max_length=20)
    joined_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "customers_member"
        constraints = [
            models.UniqueConstraint(fields=["account", "user"], name="customers_member_once"),
            models.CheckConstraint(condition=Q(role__in=[str(role) for role in Role]), name="customers_member_role"),
        ]


class KeptFilter(models.Model):
    """How a user narrows a list of an account, under a name. ``query``: parameter of its address -> value."""

    id: int
    user = models.ForeignKey(User, models.PROTECT, db_index=False, related_name="+")
    account = models.ForeignKey(Account, models.PROTECT, db_index=False, related_name="+")
    list_name = models.CharField(max_length=40)
    name = models.CharField(max_length=60)
    query = models.JSONField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "customers_kept_filter"
        constraints = [
            models.UniqueConstraint(
                fields=["user", "account", "list_name", "name"], name="customers_kept_filter_name_once"
            ),
            models.CheckConstraint(condition=~Q(name=""), name="customers_kept_filter_name"),
        ]


class KeptColumns(models.Model):
    """Columns that a user chose for a list, in all of his accounts."""

    pk = models.CompositePrimaryKey("user_id", "list_name")
    user = models.ForeignKey(User, models.PROTECT, db_index=False, related_name="+")
    list_name = models.CharField(max_length=40)
    columns = models.JSONField()

    class Meta:
        db_table = "customers_kept_columns"


class Invitation(models.Model):
    """A place in an account for whoever has an address, until it is taken, withdrawn or too old.

    ``digest``: SHA-256 of the word in the mail's link, which is kept nowhere. ``mailed``: whether the link went to the
    address, and so proves it.
    """

    account = models.ForeignKey(Account, models.PROTECT, db_index=False)
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=20)
    digest = models.BinaryField(unique=True)
    invited_by = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    mailed = models.BooleanField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "customers_invitation"
        constraints = [
            models.CheckConstraint(
                condition=Q(role__in=[str(role) for role in Role]), name="customers_invitation_role"
            ),
            models.UniqueConstraint(
                "account", Lower("email"), condition=Q(ended_at=None), name="customers_invitation_once"
            ),
        ]


class ApiKey(models.Model):
    """A key pair for signatures; the secret is sealed, not hashed: an HMAC needs it (decision 8).

    It acts with its user's role in the account. ``addresses``: networks (``203.0.113.0/24``) from which it may be used;
    none: from everywhere.
    """

    account = models.ForeignKey(Account, models.PROTECT)
    user = models.ForeignKey(User, models.PROTECT)
    secret_id = models.CharField(max_length=64, unique=True)
    secret_sealed = models.BinaryField()
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    addresses = models.JSONField(default=list, db_default=[])

    class Meta:
        db_table = "customers_api_key"
        indexes = [models.Index(fields=["account"], name="customers_api_key_account")]
