from django.db import migrations, models

from vmart.kernel.partitions import CreatePartitioned


class Migration(migrations.Migration):
    initial = True

    dependencies: list[tuple[str, str]] = []

    operations = [
        CreatePartitioned(
            name="Event",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "id", "at", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("id", models.BigIntegerField()),
                ("at", models.DateTimeField()),
                ("account_id", models.BigIntegerField()),
                ("subject_kind", models.CharField(max_length=20)),
                ("subject_id", models.BigIntegerField()),
                ("kind", models.CharField(max_length=40)),
                ("detail", models.JSONField(default=dict)),
                ("actor", models.JSONField(default=dict)),
            ],
            options={
                "db_table": "events_event",
                "indexes": [
                    models.Index(fields=["subject_kind", "subject_id", "at"], name="events_event_subject"),
                    models.Index(fields=["account_id", "id"], name="events_event_account"),
                ],
            },
        ),
        migrations.RunSQL("CREATE SEQUENCE events_event_id_seq OWNED BY events_event.id", migrations.RunSQL.noop),
        migrations.RunSQL(
            "ALTER TABLE events_event ALTER COLUMN id SET DEFAULT nextval('events_event_id_seq')",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(
            "ALTER TABLE events_event_default ALTER COLUMN id SET DEFAULT nextval('events_event_id_seq')",
            migrations.RunSQL.noop,
        ),
    ]
