"""Versions of the shop's policy, by the instant from which they hold."""

from django.db import models


class Version(models.Model):
    """What changes at ``begins_at``, as the seller wrote it; the rest stays. Immutable once begun."""

    begins_at = models.DateTimeField(unique=True)
    numbers = models.JSONField()
    applied_at = models.DateTimeField()

    class Meta:
        db_table = "policy_version"
