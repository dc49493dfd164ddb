from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0002_drifts_by_kind"),
    ]

    operations = [
        migrations.AddField(model_name="line", name="bandwidth_ended_minor", field=models.BigIntegerField(null=True)),
        migrations.AddField(
            model_name="line",
            name="bandwidth_gift_back_minor",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
    ]
