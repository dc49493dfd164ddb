"""The table of tags, with the time that each held."""

from django.db import models
from django.db.models import F, Q


class Tag(models.Model):
    """A tag that a thing had in [``from_at``, ``to_at``), business time; it has it still where ``to_at`` is None.

    ``kind`` and ``resource_id`` (a public id) name the thing. A row that was closed is never changed again.
    """

    account = models.ForeignKey("customers.Account", models.PROTECT, db_index=False)
    kind = models.CharField(max_length=12)
    resource_id = models.CharField(max_length=20)
    key = models.CharField(max_length=127)
    value = models.CharField(max_length=255)
    from_at = models.DateTimeField()
    to_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "tags_tag"
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "resource_id", "key"], condition=Q(to_at=None), name="tags_tag_open_once"
            ),
            models.CheckConstraint(condition=Q(to_at=None) | Q(to_at__gt=F("from_at")), name="tags_tag_held"),
            models.CheckConstraint(condition=~Q(key="") & ~Q(value=""), name="tags_tag_values"),
        ]
        indexes = [
            # What an account has: its keys and values, and the things that a filter asks for.
            models.Index(
                fields=["account", "key", "value", "kind"], include=["resource_id"], condition=Q(to_at=None),
                name="tags_tag_of_account",
            ),
            # What a thing had in the hour of a charge.
            models.Index(fields=["resource_id", "from_at"], name="tags_tag_of_resource"),
        ]  # fmt: skip


class Kept(models.Model):
    """A key with a value that an account keeps, whether a thing has it or not."""

    account = models.ForeignKey("customers.Account", models.PROTECT, db_index=False)
    key = models.CharField(max_length=127)
    value = models.CharField(max_length=255)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "tags_kept"
        constraints = [
            models.UniqueConstraint(fields=["account", "key", "value"], name="tags_kept_once"),
            models.CheckConstraint(condition=~Q(key="") & ~Q(value=""), name="tags_kept_values"),
        ]
