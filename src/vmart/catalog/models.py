"""What is on sale where: regions, zones, instance types, images. Written by ``vmart catalog apply``."""

from django.db import models
from django.db.models import Q


class Applied(models.Model):
    """A catalog file as it was applied: what ``vmart catalog export`` writes is the last one."""

    id: int
    at = models.DateTimeField()
    by = models.CharField(max_length=254, default="", db_default="", blank=True)  # who: events.actor.Actor.name
    text = models.TextField()

    class Meta:
        db_table = "catalog_applied"


class Brand(models.Model):
    """Whose shop it is: one row, none where the catalog file says nothing of it. The pictures are PNG files."""

    only = models.BooleanField(primary_key=True, default=True)
    name_en = models.CharField(max_length=40)
    name_zh = models.CharField(max_length=40)
    colour_light = models.CharField(max_length=7, default="", blank=True)  # "#08695a"
    colour_dark = models.CharField(max_length=7, default="", blank=True)
    support = models.CharField(max_length=254, default="", blank=True)
    terms_en = models.TextField(default="", blank=True)
    terms_zh = models.TextField(default="", blank=True)
    imprint_en = models.TextField(default="", blank=True)
    imprint_zh = models.TextField(default="", blank=True)
    logo_sha256 = models.CharField(max_length=64, default="", blank=True)  # of what the catalog file has
    logo = models.BinaryField(default=b"")
    icon = models.BinaryField(default=b"")
    logo_width = models.IntegerField(default=0)
    logo_height = models.IntegerField(default=0)

    class Meta:
        db_table = "catalog_brand"
        constraints = [models.CheckConstraint(condition=Q(only=True), name="catalog_brand_one_row")]


class Draft(models.Model):
    """What the seller has answered so far of the questions that make the first catalog: one row at most."""

    only = models.BooleanField(primary_key=True, default=True)
    answers = models.JSONField(default=dict)  # step -> field -> text
    saved_at = models.DateTimeField()

    class Meta:
        db_table = "catalog_draft"
        constraints = [models.CheckConstraint(condition=Q(only=True), name="catalog_draft_one_row")]


class Region(models.Model):
    code = models.CharField(max_length=40, primary_key=True)  # "ap-guangzhou"
    legacy_code = models.CharField(max_length=10, unique=True)  # "gz"
    name_en = models.CharField(max_length=80)
    name_zh = models.CharField(max_length=80)
    country = models.CharField(max_length=2, default="", db_default="", blank=True)  # "CN"; "" where none is said
    position = models.IntegerField()

    class Meta:
        db_table = "catalog_region"
        constraints = [
            models.CheckConstraint(condition=Q(country__regex="^([A-Z]{2})?$"), name="catalog_region_country_code")
        ]


class Zone(models.Model):
    """A place of machines with one engine behind it; ``legacy_id`` is its number in the v2 API."""

    code = models.CharField(max_length=40, primary_key=True)  # "ap-guangzhou-3"
    region = models.ForeignKey(Region, models.PROTECT)
    legacy_id = models.IntegerField(unique=True)
    name_en = models.CharField(max_length=80)
    name_zh = models.CharField(max_length=80)
    position = models.IntegerField()
    engine_kind = models.CharField(max_length=20)  # of engines.DRIVERS
    engine_settings = models.JSONField(default=dict)
    ipv6_prefix = models.CharField(max_length=43, default="", db_default="", blank=True)  # of machines' addresses
    auto_compute = models.CharField(max_length=20, default="", blank=True)  # of kind auto: what `vmart up` found here
    engine_status = models.CharField(max_length=20, default="unknown")  # unknown | ready | unreachable
    engine_why = models.CharField(max_length=500, default="", blank=True)
    engine_seen_at = models.DateTimeField(null=True)  # wall time of its last answer
    # engines.contract.Capabilities as last seen, and "pools" of a real engine: {member: [filled GiB, GiB]}.
    capabilities = models.JSONField(default=dict)
    on_sale = models.BooleanField(default=True)
    vcpu_overcommit = models.IntegerField(default=16)
    disk_overcommit = models.IntegerField(default=4)  # of a real engine: its pools give out blocks as they are written
    address_note_en = models.CharField(max_length=300, default="", blank=True)
    address_note_zh = models.CharField(max_length=300, default="", blank=True)

    class Meta:
        db_table = "catalog_zone"


class InstanceType(models.Model):
    code = models.CharField(max_length=40, primary_key=True)  # "S5.MEDIUM4"
    family = models.CharField(max_length=20)
    family_name_en = models.CharField(max_length=80)
    family_name_zh = models.CharField(max_length=80)
    cpu_model = models.CharField(max_length=80)
    vcpu = models.IntegerField()
    memory_mib = models.IntegerField()
    position = models.IntegerField()

    class Meta:
        db_table = "catalog_instance_type"
        constraints = [
            models.CheckConstraint(condition=Q(vcpu__gt=0) & Q(memory_mib__gt=0), name="catalog_instance_type_size")
        ]


class Offer(models.Model):
    """A type sold in a zone; ``sold_out`` is the seller's switch, stock is placement's."""

    zone = models.ForeignKey(Zone, models.PROTECT)
    instance_type = models.ForeignKey(InstanceType, models.PROTECT)
    sold_out = models.BooleanField(default=False)

    class Meta:
        db_table = "catalog_offer"
        constraints = [models.UniqueConstraint(fields=["zone", "instance_type"], name="catalog_offer_once")]


class DiskType(models.Model):
    code = models.CharField(max_length=40, primary_key=True)  # "CLOUD_PREMIUM"
    name_en = models.CharField(max_length=80)
    name_zh = models.CharField(max_length=80)
    description_en = models.CharField(max_length=300)
    description_zh = models.CharField(max_length=300)
    position = models.IntegerField()

    class Meta:
        db_table = "catalog_disk_type"


class Image(models.Model):
    """A public image; ``unavailable_en`` says why it is shown and not sold."""

    public_id = models.CharField(max_length=20, primary_key=True)  # "img-8toqc6s3"
    recipe = models.CharField(max_length=40, unique=True)  # "debian-12": what the engine is asked for
    version = models.CharField(max_length=40)
    os_name = models.CharField(max_length=80)  # "Debian 12 64-bit"
    platform = models.CharField(max_length=40)
    architecture = models.CharField(max_length=20)
    size_gib = models.IntegerField()
    login_user = models.CharField(max_length=32)
    unavailable_en = models.CharField(max_length=300, default="", blank=True)
    unavailable_zh = models.CharField(max_length=300, default="", blank=True)
    position = models.IntegerField()
    created_at = models.DateTimeField()  # when the catalog first had it in this version

    class Meta:
        db_table = "catalog_image"


class ZoneImage(models.Model):
    """How far an image is in a zone (decision 14)."""

    zone = models.ForeignKey(Zone, models.PROTECT)
    image = models.ForeignKey(Image, models.PROTECT)
    status = models.CharField(max_length=20, default="missing")  # engines.contract.ImageStatus
    percent = models.IntegerField(default=0)
    why = models.CharField(max_length=500, default="", blank=True)
    detail = models.CharField(max_length=500, default="", blank=True)  # of why, for the seller alone
    version = models.CharField(max_length=40, default="", blank=True)
    checksum = models.CharField(max_length=80, default="", blank=True)
    ready_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "catalog_zone_image"
        constraints = [models.UniqueConstraint(fields=["zone", "image"], name="catalog_zone_image_once")]
