from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """In which country a region lies, for its flag."""

    dependencies = [("catalog", "0004_brand")]

    operations = [
        migrations.AddField("region", "country", models.CharField(max_length=2, default="", db_default="", blank=True)),
        AddConstraintNotValid(
            "region",
            models.CheckConstraint(condition=Q(country__regex="^([A-Z]{2})?$"), name="catalog_region_country_code"),
        ),
    ]
