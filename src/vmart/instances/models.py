"""The machine the customer owns: desired and observed state, life cycle, sealed password, key pairs."""

from django.db import models
from django.db.models import Q

from vmart.subscriptions.models import MACHINE, Agreed


class State(models.TextChoices):
    """Life cycle of billing-rules, section 4; GONE rows are kept for bills and shown nowhere."""

    PENDING = "PENDING"
    LAUNCH_FAILED = "LAUNCH_FAILED"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    STARTING = "STARTING"
    STOPPING = "STOPPING"
    REBOOTING = "REBOOTING"
    SHUTDOWN = "SHUTDOWN"
    TERMINATING = "TERMINATING"
    ENTER_RESCUE_MODE = "ENTER_RESCUE_MODE"
    RESCUE_MODE = "RESCUE_MODE"
    EXIT_RESCUE_MODE = "EXIT_RESCUE_MODE"
    GONE = "GONE"


IN_RESCUE = (State.ENTER_RESCUE_MODE, State.RESCUE_MODE, State.EXIT_RESCUE_MODE)
# Bought and not ended: not failed, not in the recycle bin, not erased.
ALIVE = (
    State.PENDING, State.RUNNING, State.STOPPED, State.STARTING, State.STOPPING, State.REBOOTING, *IN_RESCUE,
)  # fmt: skip
# Of those, on no way to another state; and which of them run.
AT_REST = (State.RUNNING, State.STOPPED, State.RESCUE_MODE)
ON = (State.RUNNING, State.RESCUE_MODE)


class Instance(Agreed):
    """A machine. What its account has agreed to pay, until when and in which standing, is its ``subscription``."""

    KIND = MACHINE

    id: int
    public_id = models.CharField(max_length=20)
    account = models.ForeignKey("customers.Account", models.PROTECT, db_index=False)
    # No key check on these three: it would share-lock the same catalog rows in every purchase (seen as
    # multixact traffic). Catalog rows are never deleted, and a stale catalog is refused by generation.
    zone = models.ForeignKey("catalog.Zone", models.PROTECT, db_constraint=False, db_index=False)
    instance_type = models.ForeignKey("catalog.InstanceType", models.PROTECT, db_constraint=False, db_index=False)
    image = models.ForeignKey("catalog.Image", models.PROTECT, db_constraint=False, db_index=False)
    # Public id of the customer's image that its system was made of, "" for none; ``image`` is the public one from which
    # that descends. The image may be deleted by now.
    own_image = models.CharField(max_length=20, default="", db_default="", blank=True)
    vcpu = models.IntegerField()
    memory_mib = models.IntegerField()
    name = models.CharField(max_length=128)
    hostname = models.CharField(max_length=60)

    charge_type = models.CharField(max_length=20)  # the subscription's, for lists by it; reconcile compares them
    internet_charge_type = models.CharField(max_length=40)
    bandwidth_mbps = models.IntegerField()
    public_ip_wanted = models.BooleanField()

    state = models.CharField(max_length=20, choices=State.choices, default=State.PENDING)
    stop_charging_mode = models.CharField(max_length=20, default="NOT_APPLICABLE")
    latest_operation = models.CharField(max_length=40, default="RunInstances")
    latest_operation_state = models.CharField(max_length=12, default="OPERATING")
    latest_operation_request_id = models.CharField(max_length=64, default="", blank=True)
    latest_operation_error_code = models.CharField(max_length=80, default="", blank=True)
    latest_operation_error = models.CharField(max_length=500, default="", blank=True)

    kind = models.CharField(max_length=20, default="", blank=True)  # what it really is: container, …
    subnet_id = models.BigIntegerField()
    private_ip = models.GenericIPAddressField()
    mac = models.CharField(max_length=17)
    public_ip = models.GenericIPAddressField(null=True)
    ipv6 = models.GenericIPAddressField(null=True)  # beside its public address, from the purchase to its end
    login_user = models.CharField(max_length=32)
    password_hash = models.CharField(max_length=200, default="", blank=True)
    ssh_keys = models.JSONField(default=list)  # public keys as they were at the request
    key_ids = models.JSONField(default=list)  # their public ids, shown as LoginSettings.KeyIds
    # Public keys by id that an act under way, or one without an answer, may have put in the machine (ADR 0036).
    keys_in_doubt = models.JSONField(default=dict, db_default={})
    # SSH takes no passwords though there is one: keys were bound after it was set.
    keys_only = models.BooleanField(default=False, db_default=False)
    user_data = models.BinaryField(default=b"")
    # How often its system disk was to be made anew: the engine erases what has an earlier number, once (ADR 0040).
    installation = models.IntegerField(default=0, db_default=0)
    # Counts its ways into the rescue mode and out of it: odd is in it (ADR 0059).
    rescue = models.IntegerField(default=0, db_default=0)
    termination_protected = models.BooleanField(default=False)  # DisableApiTermination: no program may end it

    # Public ids of its security groups, in order; none is the account's default one.
    security_groups = models.JSONField(default=list, db_default=[])

    # Of a spot machine: what an hour of its CPU and memory may cost, when it is taken back, or was, and whether that is
    # for others' room, which further spot machines do not get then.
    max_price = models.DecimalField(max_digits=20, decimal_places=8, null=True)
    reclaim_at = models.DateTimeField(null=True)
    reclaimed_for_room = models.BooleanField(default=False, db_default=False)

    # When it is to be ended by itself, or was; None where nobody planned it. Only what is charged by the hour has it.
    ends_at = models.DateTimeField(null=True)

    created_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "instances_instance"
        constraints = [
            models.UniqueConstraint(fields=["public_id"], name="instances_public_id_once"),
            models.CheckConstraint(
                condition=(Q(state="GONE") & Q(gone_at__isnull=False)) | (~Q(state="GONE") & Q(gone_at=None)),
                name="instances_gone",
            ),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(charge_type="POSTPAID_BY_HOUR"), name="instances_planned_end_of_postpaid"
            ),
            models.CheckConstraint(
                condition=Q(charge_type="SPOTPAID", max_price__isnull=False, max_price__gt=0)
                | (~Q(charge_type="SPOTPAID") & Q(max_price=None, reclaim_at=None)),
                name="instances_spot",
            ),
        ]
        indexes = [
            # Lists of an account's machines: the first counts and finds what is rare, the others give the order.
            models.Index(
                fields=["account", "zone", "state", "charge_type"],
                condition=~Q(state="GONE"),
                name="instances_of_account",
            ),
            models.Index(
                fields=["account", "created_at", "id"],
                include=["zone", "state", "charge_type", "subnet_id"],
                condition=~Q(state="GONE"),
                name="instances_in_order",
            ),
            models.Index(
                fields=["account", "name", "created_at", "id"],
                include=["zone", "state", "charge_type", "subnet_id"],
                condition=~Q(state="GONE"),
                name="instances_by_name",
            ),
            models.Index(fields=["zone"], condition=~Q(state="GONE"), name="instances_of_zone"),
            models.Index(
                fields=["account", "ends_at", "id"],
                condition=~Q(state="GONE") & Q(ends_at__isnull=False),
                name="instances_with_planned_end",
            ),
            models.Index(
                fields=["zone", "created_at"],
                condition=Q(charge_type="SPOTPAID") & ~Q(state="GONE"),
                name="instances_spot_of_zone",
            ),
            models.Index(
                fields=["zone", "reclaim_at"], condition=Q(reclaimed_for_room=True), name="instances_reclaimed"
            ),
        ]


class SealedPassword(models.Model):
    """A machine's password that the shop made, until its owner has it: sealed for this machine alone (ADR 0021)."""

    instance = models.OneToOneField(Instance, models.PROTECT, primary_key=True)
    sealed = models.BinaryField()
    made_at = models.DateTimeField()

    class Meta:
        db_table = "instances_sealed_password"


class KeyPair(models.Model):
    """An SSH public key of a customer; private keys are shown once and never kept."""

    id: int
    public_id = models.CharField(max_length=20, unique=True)
    account = models.ForeignKey("customers.Account", models.PROTECT)
    name = models.CharField(max_length=25)
    public_key = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "instances_key_pair"
        constraints = [models.UniqueConstraint(fields=["account", "name"], name="instances_key_pair_name_once")]
