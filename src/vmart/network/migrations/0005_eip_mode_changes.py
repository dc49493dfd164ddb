"""How often a public address with a life of its own was charged otherwise from then on."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("network", "0004_eip")]

    operations = [
        migrations.AddField(model_name="eip", name="mode_changes", field=models.IntegerField(db_default=0, default=0)),
    ]
