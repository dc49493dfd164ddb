"""Images of customers: what a snapshot of a system disk holds, or was imported; who else may make machines of it."""

from django.db import models
from django.db.models import Q

from vmart.subscriptions.models import Sold


class ImageState(models.TextChoices):
    """Where an image is in its life; the words of the API where it has one."""

    CREATING = "CREATING"
    CREATEFAILED = "CREATEFAILED"  # never made; told of until its owner deletes it
    IMPORTING = "IMPORTING"
    IMPORTFAILED = "IMPORTFAILED"  # never made, as CREATEFAILED
    NORMAL = "NORMAL"
    DELETING = "DELETING"
    GONE = "GONE"


# On their snapshot, which is there as long as they are.
STANDING = (ImageState.CREATING, ImageState.NORMAL)
# Those that count, and whose names are taken.
COUNTING = (*STANDING, ImageState.IMPORTING)
# Not ended, or about to.
TOLD = (*COUNTING, ImageState.CREATEFAILED, ImageState.IMPORTFAILED)
_ENDED = Q(state__in=["DELETING", "GONE"])
_UNNAMED = Q(state__in=["CREATEFAILED", "IMPORTFAILED", "DELETING", "GONE"])


class OwnImage(Sold):
    """An image that an account owns, in the zone where it lies. What it costs is its snapshot's; an imported one has
    none, but an agreement and room of its own (ADR 0063)."""

    KIND = "own_image"

    # Of an imported one ``id`` is its subscription's, of another nothing else's: asked for with ``subscription`` it
    # alone is found.
    public_id = models.CharField(max_length=20, unique=True)  # "img-4k2j0qzt"
    zone = models.ForeignKey("catalog.Zone", models.PROTECT)
    # The public one from which it descends: system, login user and what else is known of it are that one's.
    base = models.ForeignKey("catalog.Image", models.PROTECT)
    # What it was made of, which stays as long; None: it was imported.
    snapshot = models.ForeignKey("storage.Snapshot", models.PROTECT, null=True)
    name = models.CharField(max_length=60)
    description = models.CharField(max_length=256, default="", blank=True)
    # Of the system disk that it was made of: no smaller one takes it. While it is being imported the room that is kept.
    size_gib = models.IntegerField()
    created_at = models.DateTimeField()
    # Of an imported one. The address may bear a signature, so it is forgotten when the import has ended.
    import_url = models.CharField(max_length=2048, default="", db_default="", blank=True)
    import_sha256 = models.CharField(max_length=64, default="", db_default="", blank=True)  # wanted, then found
    percent = models.IntegerField(default=0, db_default=0)  # how far the import is

    state = models.CharField(max_length=12, choices=ImageState.choices)

    class Meta:
        db_table = "storage_image"
        constraints = [
            models.UniqueConstraint(
                fields=["account_id", "name"], condition=~_UNNAMED, name="storage_image_one_of_a_name",
            ),
            models.CheckConstraint(condition=Q(size_gib__gt=0), name="storage_image_size"),
            models.CheckConstraint(condition=~Q(name=""), name="storage_image_name"),
            models.CheckConstraint(
                condition=Q(state="IMPORTING", snapshot=None) | (~Q(state="IMPORTING") & Q(import_url="")),
                name="storage_image_importing",
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["account_id", "-id"], condition=~_ENDED, name="storage_image_of_account"),
        ]


class ImageShare(models.Model):
    """An account that may make machines of another's image."""

    pk = models.CompositePrimaryKey("image_id", "account_id")
    image = models.ForeignKey(OwnImage, models.PROTECT, db_index=False)
    account_id = models.BigIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "storage_image_share"
        indexes = [models.Index(fields=["account_id", "image"], name="storage_image_share_with")]
