"""A disk that is being moved takes room on two hosts."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("placement", "0003_groups")]

    operations = [
        migrations.AddField(
            "allocation",
            "left_host",
            models.ForeignKey(
                to="placement.host",
                on_delete=django.db.models.deletion.PROTECT,
                null=True,
                db_constraint=False,
                db_index=False,
                related_name="+",
            ),
        ),
    ]
