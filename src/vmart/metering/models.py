"""Usage: segments out of what happens to machines, byte samples, the horizon of the close."""

from django.db import models
from django.db.models import F, Q


class Segment(models.Model):
    """A component in use under one price key and quantity, [started_at, ended_at); open while null.

    The current configuration is never used to rate the past (decision 6). ``age_s`` is the tier
    clock at the start.
    """

    id: int
    account_id = models.BigIntegerField()
    instance_id = models.BigIntegerField()
    component = models.CharField(max_length=24)  # cpu | disk:<id> | bandwidth | traffic
    price_key = models.CharField(max_length=120)
    quantity = models.BigIntegerField()  # 1, GiB, Mbps
    age_s = models.BigIntegerField(default=0)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "metering_segment"
        constraints = [
            models.UniqueConstraint(
                fields=["instance_id", "component"], condition=Q(ended_at=None), name="metering_segment_one_open"
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("started_at")), name="metering_segment_order"
            ),
            models.CheckConstraint(condition=Q(quantity__gte=0) & Q(age_s__gte=0), name="metering_segment_values"),
        ]
        indexes = [
            models.Index(fields=["account_id"], condition=Q(ended_at=None), name="metering_segment_open"),
            models.Index(fields=["account_id", "ended_at"], condition=Q(ended_at__isnull=False),
                         name="metering_segment_ended"),
            models.Index(fields=["instance_id"], name="metering_segment_instance"),
        ]  # fmt: skip


class Counter(models.Model):
    """The engine's highest outbound count of a machine in each epoch; a new epoch starts at 0 again.

    Epochs that are over stay: an answer from one may come late, and is nothing new then.
    """

    pk = models.CompositePrimaryKey("instance_id", "epoch")
    instance_id = models.BigIntegerField()
    account_id = models.BigIntegerField()
    epoch = models.CharField(max_length=64)
    out_bytes = models.BigIntegerField()
    sampled_at = models.DateTimeField()

    class Meta:
        db_table = "metering_counter"


class Sample(models.Model):
    """Outbound bytes that a sample found since the one before. Partitioned by month of ``at``."""

    pk = models.CompositePrimaryKey("instance_id", "at", "number")
    instance_id = models.BigIntegerField()
    at = models.DateTimeField()
    number = models.BigIntegerField()
    account_id = models.BigIntegerField()
    price_key = models.CharField(max_length=120)
    out_bytes = models.BigIntegerField()

    class Meta:
        db_table = "metering_sample"
        constraints = [models.CheckConstraint(condition=Q(out_bytes__gt=0), name="metering_sample_positive")]
        indexes = [models.Index(fields=["account_id", "at"], name="metering_sample_account")]


class Horizon(models.Model):
    """Usage before ``closed_until`` is being or has been charged: no segment may start or end there."""

    only = models.BooleanField(primary_key=True, default=True)
    closed_until = models.DateTimeField()

    class Meta:
        db_table = "metering_horizon"
        constraints = [models.CheckConstraint(condition=Q(only=True), name="metering_horizon_one_row")]


class Amendment(models.Model):
    """A closed hour in which an account's usage has changed since its close: the next close charges it anew."""

    pk = models.CompositePrimaryKey("account_id", "hour")
    account_id = models.BigIntegerField()
    hour = models.DateTimeField()

    class Meta:
        db_table = "metering_amendment"
