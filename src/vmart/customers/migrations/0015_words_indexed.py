"""Customers are found by the words of their addresses and names."""

from django.contrib.postgres.indexes import GinIndex
from django.db import migrations

from vmart.customers.words import Words
from vmart.kernel.indexes import AddIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("customers", "0014_notes_of_customers"),
    ]

    operations = [
        AddIndex(model_name="user", index=GinIndex(Words("email"), name="customers_user_words")),
        AddIndex(model_name="account", index=GinIndex(Words("name"), name="customers_account_words")),
    ]
