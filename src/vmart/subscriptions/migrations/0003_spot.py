from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Q

_OF_MEMBER = Q(
    charge_type="", standing="", renew_flag="", isolated_source="", hold_number=0, started_at=None, anchor_at=None,
    expires_at=None, isolated_at=None, release_at=None, arrears_since=None, hold_id=None,
)  # fmt: skip
_WITHOUT_TERM = Q(charge_type__in=["POSTPAID_BY_HOUR", "SPOTPAID"], expires_at=None, anchor_at=None)


class Migration(migrations.Migration):
    dependencies = [
        ("subscriptions", "0002_hold_of_converted"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="subscription", name="subscriptions_head_or_member"),
        AddConstraintNotValid(
            model_name="subscription",
            constraint=models.CheckConstraint(
                condition=(Q(bundle_id=F("id")) & ~Q(standing="") & (Q(charge_type="PREPAID") | _WITHOUT_TERM))
                | (~Q(bundle_id=F("id")) & _OF_MEMBER),
                name="subscriptions_head_or_member",
            ),
        ),
    ]
