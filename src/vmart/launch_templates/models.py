"""Templates and their versions. A version never changes; which is the default, its template says."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length
from django.db.models.lookups import GreaterThanOrEqual


class Template(models.Model):
    """``last_version``: the highest number that was ever given; numbers of deleted versions are not given again.

    That the default version exists is a key in the database (see the migration).
    """

    id: int
    public_id = models.CharField(max_length=20, unique=True)
    account = models.ForeignKey("customers.Account", models.PROTECT, db_index=False)
    name = models.CharField(max_length=128)
    default_version = models.IntegerField(default=1)
    last_version = models.IntegerField(default=1)
    created_by = models.BigIntegerField()  # the user's number
    created_at = models.DateTimeField()

    class Meta:
        db_table = "launch_templates_template"
        constraints = [
            models.CheckConstraint(condition=GreaterThanOrEqual(Length("name"), 2), name="launch_templates_name"),
            models.CheckConstraint(
                condition=Q(default_version__gte=1) & Q(default_version__lte=F("last_version")),
                name="launch_templates_default_was_given",
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-id"], name="launch_templates_of_account"),
            models.Index(fields=["account", "name", "-id"], name="launch_templates_by_name"),
        ]


class Version(models.Model):
    """``contents``: path of a purchase's value -> what it says of it; a path that it lacks is not said."""

    pk = models.CompositePrimaryKey("template_id", "number")
    template = models.ForeignKey(Template, models.PROTECT, db_index=False)
    number = models.IntegerField()
    description = models.CharField(max_length=256, default="", blank=True)
    contents = models.JSONField()
    created_by = models.BigIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "launch_templates_version"
        constraints = [
            models.CheckConstraint(condition=Q(number__gte=1), name="launch_templates_number"),
            models.CheckConstraint(
                condition=Q(description="") | Q(GreaterThanOrEqual(Length("description"), 2)),
                name="launch_templates_description",
            ),
        ]
