from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Whose shop it is, and who applied a catalog file."""

    dependencies = [("catalog", "0003_ipv6_prefix")]

    operations = [
        migrations.AddField("applied", "by", models.CharField(max_length=254, default="", db_default="", blank=True)),
        migrations.CreateModel(
            "Brand",
            fields=[
                ("only", models.BooleanField(default=True, primary_key=True, serialize=False)),
                ("name_en", models.CharField(max_length=40)),
                ("name_zh", models.CharField(max_length=40)),
                ("colour_light", models.CharField(blank=True, default="", max_length=7)),
                ("colour_dark", models.CharField(blank=True, default="", max_length=7)),
                ("support", models.CharField(blank=True, default="", max_length=254)),
                ("terms_en", models.TextField(blank=True, default="")),
                ("terms_zh", models.TextField(blank=True, default="")),
                ("imprint_en", models.TextField(blank=True, default="")),
                ("imprint_zh", models.TextField(blank=True, default="")),
                ("logo_sha256", models.CharField(blank=True, default="", max_length=64)),
                ("logo", models.BinaryField(default=b"")),
                ("icon", models.BinaryField(default=b"")),
                ("logo_width", models.IntegerField(default=0)),
                ("logo_height", models.IntegerField(default=0)),
            ],
            options={
                "db_table": "catalog_brand",
                "constraints": [models.CheckConstraint(condition=Q(only=True), name="catalog_brand_one_row")],
            },
        ),
        migrations.CreateModel(
            "Draft",
            fields=[
                ("only", models.BooleanField(default=True, primary_key=True, serialize=False)),
                ("answers", models.JSONField(default=dict)),
                ("saved_at", models.DateTimeField()),
            ],
            options={
                "db_table": "catalog_draft",
                "constraints": [models.CheckConstraint(condition=Q(only=True), name="catalog_draft_one_row")],
            },
        ),
    ]
