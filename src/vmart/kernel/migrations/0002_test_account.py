from django.db import migrations, models


class Migration(migrations.Migration):
    """Which customer buys the seller's test orders: known by his number, never by an address that others can type."""

    dependencies = [
        ("kernel", "0001_first"),
    ]

    operations = [
        migrations.AddField(
            "deployment",
            "test_account_id",
            models.BigIntegerField(null=True, help_text="the customer of the seller's own test orders"),
        ),
    ]
