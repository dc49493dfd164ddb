"""Groups with their rules. Which machine has which groups, the machine says."""

from django.db import models
from django.db.models import Q


class SecurityGroup(models.Model):
    """``ingress`` and ``egress`` are lists of rules as ``policies.Policy`` has them, the first that fits decides.

    ``version`` counts the changes of rules. The default group is the same in every region, so its ``region`` is "". It
    has a row from its first change on (``held.default``).
    """

    id: int
    public_id = models.CharField(max_length=20, unique=True)
    account = models.ForeignKey("customers.Account", models.PROTECT, db_index=False)
    region = models.CharField(max_length=40, default="", blank=True)
    name = models.CharField(max_length=60)
    description = models.CharField(max_length=100, default="", blank=True)
    is_default = models.BooleanField(default=False)
    version = models.IntegerField(default=0)
    ingress = models.JSONField(default=list)
    egress = models.JSONField(default=list)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "security_group"
        constraints = [
            models.UniqueConstraint(fields=["account"], condition=Q(is_default=True), name="security_default_once"),
        ]
        indexes = [models.Index(fields=["account", "-id"], name="security_of_account")]
