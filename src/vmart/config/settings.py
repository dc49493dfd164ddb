"""Django settings, all of them from the environment that ``vmart`` sets for its processes.

Nothing here is read from a file but the secrets; see ``vmart.config.cli`` for who sets what.
"""

import os
from ipaddress import ip_network
from pathlib import Path

from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from vmart.config import mail
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
    "kernel", "events", "worker", "customers", "catalog", "policy", "subscriptions", "instances", "network", "storage",
    "security", "ledger", "pricing", "placement", "metering", "bills", "tags", "provisioning", "orders",
    "launch_templates", "consoles",
    "payments", "settlement", "monitoring", "listings", "pages", "api", "backoffice", "web",
]  # fmt: skip
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",  # templates of its widgets
    *[f"vmart.{room}" for room in ROOMS],
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
]

DATABASES = {"default": parse_database_url(os.environ.get("VMART_DATABASE_URL", ""))}

# The browser's side only: API requests never come here (wsgi.py).
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "vmart.web.sessions.seen",
    "vmart.web.closed.until_open",
    "vmart.web.on_behalf.Closed",
]
ROOT_URLCONF = "vmart.config.urls"
WSGI_APPLICATION = "vmart.config.wsgi.browser"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

FORM_RENDERER = "vmart.pages.forms.Renderer"

# Pages in two languages; the person's choice lies in a cookie.
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [ROOT / "locale"]
LANGUAGE_COOKIE_SAMESITE = "Lax"

# bin/setup copies the front-end packages to static_built/vendor and collects everything, under names
# that carry a hash, to static_built/served. Without that (tests), files are served as they lie.
STATIC_BUILT = ROOT / "static_built"
STATIC_URL = "/static/"
STATIC_ROOT = STATIC_BUILT / "served"
STATICFILES_DIRS = [("vendor", STATIC_BUILT / "vendor")] if (STATIC_BUILT / "vendor").is_dir() else []
STATICFILES_COLLECTED = (STATIC_ROOT / "staticfiles.json").exists() and "VMART_STATIC_AS_IS" not in os.environ
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if STATICFILES_COLLECTED or os.environ.get("VMART_COLLECTING")
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not STATICFILES_COLLECTED
WHITENOISE_AUTOREFRESH = False
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

# Nothing but our own files; pictures inside the style sheet are data: URLs.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
# VMART_HTTPS_ONLY=1 where a proxy of the seller's ends TLS before us, or only the TLS twin is open.
HTTPS_ONLY = os.environ.get("VMART_HTTPS_ONLY", "") == "1"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS_ONLY
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS_ONLY else None
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 14 * 86400
DATA_UPLOAD_MAX_MEMORY_SIZE = 1 << 20
FILE_UPLOAD_HANDLERS = ["vmart.pages.uploads.AtMost"]

# From where customers' images are imported beside the public internet by TLS (docs/operate/engine.md).
IMPORT_NETWORKS = [ip_network(one) for one in os.environ.get("VMART_IMPORT_NETWORKS", "").split(",") if one]
IMPORT_PLAIN = os.environ.get("VMART_IMPORT_HTTP", "") == "1"
IMPORT_DIR = os.environ.get("VMART_IMPORT_DIR", "/var/tmp")  # noqa: S108  files without a name: they end with us

# Throttling counts in the database, so that it holds across processes and restarts; used codes lie there too.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "config_cache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},  # of Django's 300 whoever asks from many addresses would push out the rest
    }
}

# Sign-in by e-mail address. Scrypt: memory-hard, and in the standard library.
AUTHENTICATION_BACKENDS = ["vmart.web.signing_in.Backend"]
ACCOUNT_ADAPTER = "vmart.web.signing_in.Adapter"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "vmart.web.signing_in.LongEnough", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_CHANGE_EMAIL = True  # a user has one address; the next one counts when it is confirmed
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True  # where sign-up was, so that a buyer goes on where he began
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # nobody without an account gets mail from the shop
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
PASSWORD_RESET_TIMEOUT = 86400
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/300s/key",
    "signup": "20/m/ip",
    "reauthenticate": "10/m/user",
    "manage_email": "10/m/user",
    "confirm_email": "1/180s/key",
    "change_password": "5/m/user",
    "reset_password": "20/m/ip,5/300s/key",
    "reset_password_from_key": "20/m/ip",
}

# The second factor: allauth's, in our words; its secrets are sealed (ADR 0064).
ACCOUNT_REAUTHENTICATION_REQUIRED = True  # who changes how one signs in says again who he is
MFA_ADAPTER = "vmart.web.second_factor.Adapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # a shop without mail confirms nothing; one with it lets in nobody unconfirmed
MFA_TOTP_TOLERANCE = 1  # the code before and the one after: telephones are late, and so are people
MFA_FORMS = {
    "authenticate": "vmart.web.second_factor_forms.Code",
    "reauthenticate": "vmart.web.second_factor_forms.CodeAgain",
    "activate_totp": "vmart.web.second_factor_forms.FirstCode",
    "add_webauthn": "vmart.web.second_factor_forms.NewPasskey",
    "authenticate_webauthn": "vmart.web.second_factor_forms.Passkey",
    "reauthenticate_webauthn": "vmart.web.second_factor_forms.PasskeyAgain",
    "login_webauthn": "vmart.web.second_factor_forms.PasskeyAlone",
}
ACCOUNT_FORMS = {"add_email": "vmart.web.own_address.NewAddress"}

# Mail is sent where the seller names a server (config/mail.py); links in it begin with the shop's own address.
MAIL = mail.MailSettings(*(os.environ.get(name, "") for name in (mail.SMTP, mail.SENDER, mail.SHOP)))
MAIL.check()
PUBLIC_URL = MAIL.shop.rstrip("/")
SENDS_MAIL = bool(MAIL.server)
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if SENDS_MAIL else "none"
ACCOUNT_EMAIL_NOTIFICATIONS = SENDS_MAIL
if SENDS_MAIL:
    globals().update(MAIL.django())
else:
    EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"

# The gateway of consoles (ADR 0066): its address as browsers have it, else its ports beside plain and TLS pages.
CONSOLE_URL = os.environ.get("VMART_CONSOLE_URL", "").rstrip("/")
CONSOLE_PORT = int(os.environ.get("VMART_CONSOLE_PORT") or 0)
CONSOLE_TLS_PORT = int(os.environ.get("VMART_CONSOLE_TLS_PORT") or 0)

LOGGING_CONFIG = "vmart.config.logs.configure"
LOGGING = {"level": os.environ.get("VMART_LOG_LEVEL", "INFO"), "format": os.environ.get("VMART_LOG_FORMAT", "")}
