from django.db import migrations

# As a book without `image_gib` says from now on; the document itself stays as it was published.
_NOTHING = """
INSERT INTO pricing_rate (book_id, price_key, step_from, step_to, tier_from_s, tier_to_s, rate)
SELECT b.id, region || '/image', 0, NULL, 0, NULL, 0
FROM pricing_book b CROSS JOIN LATERAL jsonb_object_keys(b.document->'regions') AS region
"""


class Migration(migrations.Migration):
    """Books of before price imported images at 0, so that the close finds a price for each hour."""

    dependencies = [("pricing", "0001_first")]

    operations = [migrations.RunSQL(_NOTHING, migrations.RunSQL.noop)]
