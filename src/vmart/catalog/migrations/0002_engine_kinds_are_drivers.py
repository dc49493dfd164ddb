"""Which kinds of engine there are is known from ``engines.DRIVERS`` alone. The table stays as it is."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_first")]

    operations = [
        migrations.AlterField(model_name="zone", name="engine_kind", field=models.CharField(max_length=20)),
    ]
