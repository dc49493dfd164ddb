"""What the wire remembers between requests and processes: nonces seen, calls made in this second."""

from django.db import models


class Nonce(models.Model):
    """A nonce that a key has used up, kept while its request could be repeated (decision 18)."""

    pk = models.CompositePrimaryKey("secret_id", "nonce")
    secret_id = models.CharField(max_length=64)
    nonce = models.BigIntegerField()
    expires_at = models.DateTimeField()  # wall time

    class Meta:
        db_table = "api_nonce"
        indexes = [models.Index(fields=["secret_id", "expires_at"], name="api_nonce_expiry")]


class Rate(models.Model):
    """Calls of one action that an account was granted in ``second``; unlogged: losing it costs one second."""

    pk = models.CompositePrimaryKey("account_id", "action")
    account_id = models.BigIntegerField()
    action = models.CharField(max_length=60)
    second = models.BigIntegerField()  # Unix time, wall
    used = models.IntegerField()
    granted = models.IntegerField()  # by the last statement

    class Meta:
        db_table = "api_rate"
