"""Django settings, all of them from the environment that ``vmart`` sets for its processes.

Nothing here is read from a file but the secrets; see ``vmart.config.cli`` for who sets what.
"""

import os
from pathlib import Path

from vmart.config.database import parse_database_url
from vmart.kernel import secrets

ROOT = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("VMART_DATA_DIR", "./var")).absolute()

SECRETS = secrets.Secrets(DATA_DIR / "secrets")
SECRET_KEY = SECRETS.derive_hex("django")
DEBUG = False
ALLOWED_HOSTS = ["*"]  # the shop's address is the seller's business; links are relative
USE_TZ = True
TIME_ZONE = os.environ.get("VMART_BILLING_ZONE", "Asia/Shanghai")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "customers.User"

ROOMS = [
    "kernel", "worker", "customers", "catalog", "instances", "network", "storage", "ledger", "pricing", "placement",
    "metering", "bills", "provisioning", "orders", "payments", "settlement", "listings", "api", "backoffice", "web",
]  # fmt: skip
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    *[f"vmart.{room}" for room in ROOMS],
    "allauth",
    "allauth.account",
]

DATABASES = {"default": parse_database_url(os.environ.get("VMART_DATABASE_URL", ""))}
