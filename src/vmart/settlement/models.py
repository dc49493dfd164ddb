"""Which hours are closed, and which accounts could not be."""

from django.db import models


class Hour(models.Model):
    """A clock hour whose close ended (``closed_at``) or is under way (null)."""

    start = models.DateTimeField(primary_key=True)
    closed_at = models.DateTimeField(null=True)
    charges = models.BigIntegerField(default=0)
    deducted_minor = models.BigIntegerField(default=0)

    class Meta:
        db_table = "settlement_hour"


class Stuck(models.Model):
    """An account whose close failed: it waits here, the others go on; hours are done in order."""

    account_id = models.BigIntegerField(primary_key=True)
    from_hour = models.DateTimeField()
    reason = models.TextField()

    class Meta:
        db_table = "settlement_stuck"
