"""The table of events."""

from django.db import models


class Event(models.Model):
    """What happened to a subject (``kind`` of it and its number). Partitioned by month of ``at``, business time.

    ``kind`` in lower case is what happened; the name of an action of the API is what ``actor`` asked for and was
    accepted. ``actor``: as ``Actor.told``, {} where nobody asked.
    """

    pk = models.CompositePrimaryKey("id", "at")
    id = models.BigIntegerField()
    at = models.DateTimeField()
    account_id = models.BigIntegerField()
    subject_kind = models.CharField(max_length=20)
    subject_id = models.BigIntegerField()
    kind = models.CharField(max_length=40)
    detail = models.JSONField(default=dict)
    actor = models.JSONField(default=dict)

    class Meta:
        db_table = "events_event"
        indexes = [
            models.Index(fields=["subject_kind", "subject_id", "at"], name="events_event_subject"),
            models.Index(fields=["account_id", "id"], name="events_event_account"),
        ]
