from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0005_lower_bandwidth"),
    ]

    operations = [
        migrations.AddField("line", "seller_back_minor", models.BigIntegerField(db_default=0, default=0)),
        migrations.AddField("line", "seller_gift_back_minor", models.BigIntegerField(db_default=0, default=0)),
        AddConstraintNotValid(
            "line",
            models.CheckConstraint(
                condition=Q(seller_gift_back_minor__gte=0)
                & Q(seller_gift_back_minor__lte=F("seller_back_minor"))
                & Q(seller_back_minor__lte=F("refund_minor")),
                name="orders_line_seller_back",
            ),
        ),
        migrations.CreateModel(
            name="Refund",
            fields=[
                ("transfer_id", models.UUIDField(primary_key=True, serialize=False)),
                ("order", models.ForeignKey(db_index=False, on_delete=models.PROTECT, to="orders.order")),
                ("line", models.ForeignKey(db_index=False, on_delete=models.PROTECT, to="orders.line")),
                ("key", models.CharField(max_length=64)),
                ("cash_minor", models.BigIntegerField()),
                ("gift_minor", models.BigIntegerField()),
                ("ended", models.BooleanField()),
                ("reason", models.CharField(max_length=200)),
                ("actor", models.CharField(max_length=254)),
                ("at", models.DateTimeField()),
            ],
            options={"db_table": "orders_refund"},
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.UniqueConstraint(fields=("order", "key", "line"), name="orders_refund_once"),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=Q(cash_minor__gte=0) & Q(gift_minor__gte=0) & ~Q(cash_minor=0, gift_minor=0) & ~Q(reason=""),
                name="orders_refund_says_why",
            ),
        ),
    ]
