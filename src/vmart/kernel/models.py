"""The deployment: one row, written at first start. The sets of SQL functions that the database has."""

from django.db import models
from django.db.models import Q


class Deployment(models.Model):
    """What holds for the whole database and may not change once money has moved."""

    only = models.BooleanField(primary_key=True, default=True)
    currency = models.CharField(max_length=3)
    billing_zone = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    test_clock_at = models.DateTimeField(null=True, help_text="business time of a test clock; null runs on the wall")
    generation = models.BigIntegerField(default=1, help_text="grows with every change of catalog or prices")

    opened_at = models.DateTimeField(null=True, help_text="since when buyers are let in; null: the seller sets it up")
    test_account_id = models.BigIntegerField(null=True, help_text="the customer of the seller's own test orders")

    class Meta:
        db_table = "kernel_deployment"
        constraints = [
            models.CheckConstraint(condition=Q(only=True), name="kernel_deployment_one_row"),
        ]


class FunctionSet(models.Model):
    """SQL functions of one version (``function_sets.py``), the newest last; their schema is named by their digest."""

    id = models.BigAutoField(primary_key=True)
    schema = models.CharField(max_length=20, unique=True)
    release = models.CharField(max_length=20, help_text="the first release that brought them")
    installed_at = models.DateTimeField(help_text="by the machine's clock")

    class Meta:
        db_table = "kernel_function_set"
