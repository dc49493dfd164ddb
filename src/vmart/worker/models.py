"""The queue: one row an operation until it is done (architecture, section 7)."""

from django.db import models
from django.db.models import Q


class Operation(models.Model):
    """Work that outlives a request. The row *is* the queue entry; a finished one is deleted.

    ``due_at`` is business time (timers); ``not_before`` (retries), lease and ``created_at`` are wall time.
    ``attention`` means: attempts used up, shown to the seller with its reason and a retry.
    """

    id: int
    kind = models.CharField(max_length=40)
    subject_kind = models.CharField(max_length=20)  # machine, account, order, … (events/record.py)
    subject_id = models.BigIntegerField()
    account_id = models.BigIntegerField(null=True)
    lane = models.CharField(max_length=40, default="")  # zone code: a slow engine keeps to its lane
    step = models.CharField(max_length=20, default="start")
    payload = models.JSONField(default=dict)
    due_at = models.DateTimeField()
    not_before = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    lease_owner = models.UUIDField(null=True)
    attempt = models.IntegerField(default=0)
    last_error = models.TextField(default="", blank=True)
    attention = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "worker_operation"
        constraints = [
            models.UniqueConstraint(fields=["subject_kind", "subject_id", "kind"], name="worker_operation_once"),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(attention=False), name="worker_operation_due"),
            models.Index(fields=["id"], condition=Q(attention=True), name="worker_operation_attention"),
            models.Index(fields=["created_at", "id"], condition=Q(attention=True), name="worker_operation_given_up"),
        ]
