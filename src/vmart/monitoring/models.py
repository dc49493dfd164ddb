"""Values of machines by the minute, by five minutes and by the hour, and alarms on them."""

from django.db import models
from django.db.models import F, Q


class Reading(models.Model):
    """What an engine had counted of a machine when it was asked last: the next answer's values are since then.

    Rows of machines that are gone are taken away by ``fn.monitoring_roll``.
    """

    instance_id = models.BigIntegerField(primary_key=True)
    read_at = models.DateTimeField()
    epoch = models.CharField(max_length=64)
    cpu_ns = models.BigIntegerField()
    disk_read_bytes = models.BigIntegerField(null=True)
    disk_written_bytes = models.BigIntegerField(null=True)
    disk_reads = models.BigIntegerField(null=True)
    disk_writes = models.BigIntegerField(null=True)
    received_bytes = models.BigIntegerField(null=True)
    sent_bytes = models.BigIntegerField(null=True)
    received_packets = models.BigIntegerField(null=True)
    sent_packets = models.BigIntegerField(null=True)
    public_sent_bytes = models.BigIntegerField(null=True)

    class Meta:
        db_table = "monitoring_reading"


class Real(models.FloatField):  # type: ignore[type-arg]
    """Four bytes: seven digits are more than an engine knows of a minute."""

    def db_type(self, connection: object) -> str:
        return "real"


class Values(models.Model):
    """Means over the time from ``at`` on, NULL where nothing is known; no row is a machine that was off, or a gap.

    Percents are of what the machine has; the rest is MiB, or a number each second.
    """

    pk = models.CompositePrimaryKey("instance_id", "at")
    instance_id = models.BigIntegerField()
    at = models.DateTimeField()
    cpu_percent = Real(null=True)
    memory_percent = Real(null=True)
    memory_mib = Real(null=True)
    disk_percent = Real(null=True)
    disk_mib = Real(null=True)
    disk_read_bytes = Real(null=True)
    disk_written_bytes = Real(null=True)
    disk_reads = Real(null=True)
    disk_writes = Real(null=True)
    received_bytes = Real(null=True)
    sent_bytes = Real(null=True)
    received_packets = Real(null=True)
    sent_packets = Real(null=True)
    public_sent_bytes = Real(null=True)

    class Meta:
        abstract = True


class Minute(Values):
    """Partitioned by day."""

    class Meta:
        db_table = "monitoring_minute"


class Five(Values):
    """Five minutes. Partitioned by day."""

    class Meta:
        db_table = "monitoring_five"


class Hour(Values):
    """Partitioned by month."""

    class Meta:
        db_table = "monitoring_hour"


class Rolled(models.Model):
    """Until when minutes are rolled up into periods of so many seconds."""

    seconds = models.IntegerField(primary_key=True)
    until = models.DateTimeField()

    class Meta:
        db_table = "monitoring_rolled"


class Alarm(models.Model):
    """A rule of an account: a metric of each of its machines compared with a threshold, for so many minutes on end.

    Which machines: those of ``instance_ids`` (public ids), else those with the tag, else all of the account.
    """

    class Comparison(models.TextChoices):
        ABOVE = ">"
        AT_LEAST = ">="
        BELOW = "<"
        AT_MOST = "<="

    id: int
    public_id = models.CharField(max_length=20, unique=True)
    account = models.ForeignKey("customers.Account", models.PROTECT, db_index=False)
    name = models.CharField(max_length=60)
    metric = models.CharField(max_length=24)
    comparison = models.CharField(max_length=2, choices=Comparison.choices)
    threshold = models.FloatField()
    minutes = models.SmallIntegerField()
    instance_ids = models.JSONField(default=list)
    tag_key = models.CharField(max_length=127, default="", blank=True)
    tag_value = models.CharField(max_length=255, default="", blank=True)
    language = models.CharField(max_length=10, default="en")  # of its mails
    enabled = models.BooleanField(default=True, db_default=True)  # one that is off is not evaluated
    created_at = models.DateTimeField()

    class Meta:
        db_table = "monitoring_alarm"
        indexes = [models.Index(fields=["account", "id"], name="monitoring_alarm_of_account")]
        constraints = [
            models.CheckConstraint(condition=Q(minutes__gte=1) & Q(minutes__lte=60), name="monitoring_alarm_minutes"),
            models.CheckConstraint(condition=Q(comparison__in=[">", ">=", "<", "<="]), name="monitoring_alarm_sign"),
        ]


class State(models.TextChoices):
    """Of a rule at a machine. There is no row of NO_DATA before the first value."""

    OK = "OK"
    ALARM = "ALARM"
    NO_DATA = "NO_DATA"


class AlarmState(models.Model):
    """How a rule stands at a machine since when; ``evaluated_at``: the minute that decided it last."""

    pk = models.CompositePrimaryKey("alarm_id", "instance_id")
    alarm = models.ForeignKey(Alarm, models.CASCADE, db_index=False)
    instance_id = models.BigIntegerField()
    state = models.CharField(max_length=8, choices=State.choices)
    since = models.DateTimeField()

    class Meta:
        db_table = "monitoring_alarm_state"
        indexes = [models.Index(fields=["instance_id"], name="monitoring_state_of_machine")]


class AlarmNotice(models.Model):
    """An alarm that began (``state`` ALARM) or ended, to be told once.

    ``begun_at`` is written before the mail leaves and ``told_at`` after it: a mail that nobody knows of any more,
    because its worker was killed in between, is never sent again.
    """

    id: int
    alarm = models.ForeignKey(Alarm, models.CASCADE)
    instance_id = models.BigIntegerField()
    state = models.CharField(max_length=8, choices=State.choices)
    at = models.DateTimeField()
    value = models.FloatField(null=True)
    begun_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True)
    attempts = models.SmallIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "monitoring_alarm_notice"
        constraints = [
            models.UniqueConstraint(fields=["alarm", "instance_id", "at"], name="monitoring_notice_once"),
            models.CheckConstraint(
                condition=Q(told_at=None) | Q(begun_at__isnull=False, told_at__gte=F("begun_at")),
                name="monitoring_notice_order",
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(begun_at=None), name="monitoring_notice_untold"),
            models.Index(fields=["at"], name="monitoring_notice_by_time"),  # those of the last hour, those to forget
        ]
