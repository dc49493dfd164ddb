import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0003_quotas_of_placement_groups"),
        ("placement", "0002_off_since"),
    ]

    operations = [
        migrations.AddField(
            model_name="host",
            name="rack",
            field=models.CharField(blank=True, db_default="", default="", max_length=40),
        ),
        migrations.CreateModel(
            name="Group",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.CharField(max_length=20, unique=True)),
                ("name", models.CharField(max_length=60)),
                ("apart", models.CharField(choices=[("HOST", "Host"), ("RACK", "Rack")], max_length=4)),
                ("affinity", models.IntegerField(default=1)),
                ("created_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, to="customers.account"
                    ),
                ),
            ],
            options={
                "db_table": "placement_group",
            },
        ),
        migrations.CreateModel(
            name="Member",
            fields=[
                (
                    "allocation",
                    models.OneToOneField(
                        db_column="instance_id",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        serialize=False,
                        to="placement.allocation",
                    ),
                ),
                ("group", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="placement.group")),
            ],
            options={
                "db_table": "placement_member",
            },
        ),
        migrations.AddIndex(
            model_name="group",
            index=models.Index(fields=["account", "-id"], name="placement_group_of_account"),
        ),
        migrations.AddConstraint(
            model_name="group",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", ""), _negated=True), name="placement_group_name"
            ),
        ),
        migrations.AddConstraint(
            model_name="group",
            constraint=models.CheckConstraint(
                condition=models.Q(("apart__in", ["HOST", "RACK"])), name="placement_group_apart"
            ),
        ),
        migrations.AddConstraint(
            model_name="group",
            constraint=models.CheckConstraint(
                condition=models.Q(("affinity__gte", 1), ("affinity__lte", 10)), name="placement_group_affinity"
            ),
        ),
        migrations.RunSQL(
            "ALTER TABLE placement_member ADD CONSTRAINT placement_member_allocation FOREIGN KEY (instance_id)"
            " REFERENCES placement_allocation (instance_id) ON DELETE CASCADE",
            "ALTER TABLE placement_member DROP CONSTRAINT placement_member_allocation",
        ),
    ]
