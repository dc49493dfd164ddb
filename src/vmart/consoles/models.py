"""The table of consoles."""

from django.db import models
from django.db.models import F, Q


class Console(models.Model):
    """A ticket, and the console that it opened. All instants are of the wall clock.

    ``ticket_hash``: SHA-256 of the ticket, which is kept nowhere. ``actor``: who asked, as ``Actor.told``; by
    ``session_key`` a person's session is found again, by ``secret_id`` a program's key; of a console that has ended
    the first is forgotten. ``origin``: of the page that may use it. ``address``: of its user, as the gateway saw it.
    ``seen_at``: until when a gateway had it open.
    """

    id: int
    account = models.ForeignKey("customers.Account", models.PROTECT, db_index=False, related_name="+")
    instance = models.ForeignKey("instances.Instance", models.PROTECT, db_index=False, related_name="+")
    ticket_hash = models.CharField(max_length=64, unique=True)
    actor = models.JSONField()
    user_id = models.BigIntegerField(null=True)
    session_key = models.CharField(max_length=40, default="", blank=True)
    secret_id = models.CharField(max_length=64, default="", blank=True)
    origin = models.CharField(max_length=300)
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)
    address = models.CharField(max_length=45, default="", blank=True)
    seen_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    why = models.CharField(max_length=20, default="", blank=True)

    class Meta:
        db_table = "consoles_console"
        constraints = [
            models.CheckConstraint(condition=Q(expires_at__gt=F("made_at")), name="consoles_expires"),
            models.CheckConstraint(
                condition=Q(opened_at=None) | Q(opened_at__gte=F("made_at"), opened_at__lt=F("expires_at")),
                name="consoles_opened_in_time",
            ),
            models.CheckConstraint(
                condition=Q(opened_at=None, seen_at=None) | Q(opened_at__isnull=False, seen_at__gte=F("opened_at")),
                name="consoles_seen_while_open",
            ),
            models.CheckConstraint(
                condition=Q(closed_at=None, why="")
                | (Q(opened_at__isnull=False, closed_at__gte=F("opened_at")) & ~Q(why="")),
                name="consoles_closed_once_open",
            ),
            models.CheckConstraint(
                condition=~Q(session_key="", secret_id="") | Q(closed_at__isnull=False), name="consoles_of_somebody"
            ),
        ]
        indexes = [
            models.Index(
                fields=["account"], condition=Q(opened_at__isnull=False, closed_at=None), name="consoles_open"
            ),
            models.Index(fields=["instance", "made_at"], name="consoles_of_machine"),
            models.Index(fields=["made_at"], name="consoles_by_age"),
        ]
