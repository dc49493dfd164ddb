import django.db.models.deletion
import django.db.models.functions.text
import django.db.models.lookups
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("customers", "0002_quota_of_launch_templates"),
    ]

    operations = [
        migrations.CreateModel(
            name="Template",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.CharField(max_length=20, unique=True)),
                ("name", models.CharField(max_length=128)),
                ("default_version", models.IntegerField(default=1)),
                ("last_version", models.IntegerField(default=1)),
                ("created_by", models.BigIntegerField()),
                ("created_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, to="customers.account"
                    ),
                ),
            ],
            options={
                "db_table": "launch_templates_template",
            },
        ),
        migrations.CreateModel(
            name="Version",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "template_id", "number", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.IntegerField()),
                ("description", models.CharField(blank=True, default="", max_length=256)),
                ("contents", models.JSONField()),
                ("created_by", models.BigIntegerField()),
                ("created_at", models.DateTimeField()),
                (
                    "template",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, to="launch_templates.template"
                    ),
                ),
            ],
            options={
                "db_table": "launch_templates_version",
            },
        ),
        migrations.AddIndex(
            model_name="template",
            index=models.Index(fields=["account", "-id"], name="launch_templates_of_account"),
        ),
        migrations.AddIndex(
            model_name="template",
            index=models.Index(fields=["account", "name", "-id"], name="launch_templates_by_name"),
        ),
        migrations.AddConstraint(
            model_name="template",
            constraint=models.CheckConstraint(
                condition=django.db.models.lookups.GreaterThanOrEqual(
                    django.db.models.functions.text.Length("name"), 2
                ),
                name="launch_templates_name",
            ),
        ),
        migrations.AddConstraint(
            model_name="template",
            constraint=models.CheckConstraint(
                condition=models.Q(("default_version__gte", 1), ("default_version__lte", models.F("last_version"))),
                name="launch_templates_default_was_given",
            ),
        ),
        migrations.AddConstraint(
            model_name="version",
            constraint=models.CheckConstraint(condition=models.Q(("number__gte", 1)), name="launch_templates_number"),
        ),
        migrations.AddConstraint(
            model_name="version",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("description", ""),
                    django.db.models.lookups.GreaterThanOrEqual(
                        django.db.models.functions.text.Length("description"), 2
                    ),
                    _connector="OR",
                ),
                name="launch_templates_description",
            ),
        ),
        migrations.RunSQL(
            "ALTER TABLE launch_templates_template ADD CONSTRAINT launch_templates_default_exists"
            " FOREIGN KEY (id, default_version) REFERENCES launch_templates_version (template_id, number)"
            " DEFERRABLE INITIALLY DEFERRED",
            migrations.RunSQL.noop,
        ),
    ]
