"""Every setting, once. Values come from the environment or from the private file beside the data.

No default opens a door: without keys nothing starts, debug is off, cookies need https.
`.env.example` names every variable read here; a test holds the two together.
"""

import os
import re
import socket
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

from portal import keys

BASE_DIR = keys.BASE_DIR
env = environ.Env()
FERNET_KEYS_IN_FILE = "FERNET_KEYS" not in os.environ  # so that a new one may be written there
if keys.private_file(os.environ).exists():
    env.read_env(str(keys.private_file(os.environ)))
DATA_DIR = keys.data_dir(os.environ)
_YES, _NO = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


def _key(name: str) -> str:
    value: str = env.str(name, default="").strip()
    if len(value) < 32:
        raise ImproperlyConfigured(
            f"{name} is missing or shorter than 32 characters: run `python manage.py keys` to make a private file "
            f"with new keys, or set {name} in the environment."
        )
    return value


def _whole(name: str, default: int, least: int = 1) -> int:
    value: str = env.str(name, default="").strip() or str(default)
    if not value.isdecimal() or int(value) < least:
        raise ImproperlyConfigured(f"{name} must be a whole number of at least {least}, not {value!r}.")
    return int(value)


def _switch(name: str, default: bool) -> bool:
    """A word that is neither yes nor no stops the start, so that no typing error opens a door."""
    value: str = env.str(name, default="").strip().lower() or str(default).lower()
    if value not in _YES | _NO:
        raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")
    return value in _YES


def _may_be_linked(url: str) -> bool:
    """Whether an address is https, or http on the loopback, where nobody listens in between."""
    parts = urlsplit(url)
    loopback = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}
    return bool(parts.hostname) and (parts.scheme == "https" or loopback)


def _regions(name: str) -> dict[str, str]:
    """`name=url` pairs; only https, or http on the loopback, may become an address that gets a token."""
    found = {}
    for pair in filter(None, (part.strip() for part in env.str(name, default="").split(","))):
        label, _, url = pair.partition("=")
        parts = urlsplit(url)
        if not label.isidentifier() or not _may_be_linked(url):
            raise ImproperlyConfigured(f"{name}: write name=https://host, or http on the loopback, not {pair!r}.")
        found[label] = f"{parts.scheme}://{parts.netloc}"
    return found


def _database(url: str) -> dict[str, Any]:
    found: dict[str, Any] = environ.Env.db_url_config(url)
    if found.get("ENGINE") not in {"django.db.backends.sqlite3", "django.db.backends.postgresql"}:
        raise ImproperlyConfigured("DATABASE_URL: write sqlite:///file or postgres://user:password@host:port/name.")
    return found


_MAIL_PORTS = {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465, "consolemail": 0}


def _mail(url: str) -> dict[str, Any]:
    """Django's settings for the mail server at this address, none for no address.

    The address holds a password, so it is never repeated in a message.
    """
    if not url:
        return {}
    scheme, _, rest = url.partition("://")
    try:
        # environ reads a plus as a blank, which in a password it is not.
        found: dict[str, Any] = environ.Env.email_url_config(f"{scheme}://{rest.replace('+', '%2B')}")
    except (ValueError, ImproperlyConfigured):
        found = {}
    if scheme not in _MAIL_PORTS or set("?#") & set(url) or not (found.get("EMAIL_HOST") or scheme == "consolemail"):
        raise ImproperlyConfigured(
            "EMAIL_URL: write smtp+tls://user:password@host:587, smtp+ssl://user:password@host:465, smtp://host or "
            "consolemail://; other signs than letters and digits in user and password as %XX."
        )
    return found | {"EMAIL_PORT": found["EMAIL_PORT"] or _MAIL_PORTS[scheme]}


def _address(name: str, address: str) -> str:
    try:
        validate_email(address.strip())
    except ValidationError:
        raise ImproperlyConfigured(f"{name} must be an address such as portal@example.com.") from None
    return address.strip()


def _stamping(url: str, root: str, policies: list[str]) -> None:
    """Time stamps are proved by themselves, so plain http will do; without a pinned root and policy nothing would."""
    parts = urlsplit(url)
    if url and (parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc):
        raise ImproperlyConfigured("ANCHOR_TSA_URL: write the address of a time stamping server, https:// or http://.")
    if url and not (root and policies):
        raise ImproperlyConfigured("ANCHOR_TSA_URL needs ANCHOR_TSA_ROOT and ANCHOR_TSA_POLICY: whom to believe.")
    if root and not Path(root).is_absolute():
        raise ImproperlyConfigured("ANCHOR_TSA_ROOT: write the whole path of a PEM file, from the root.")
    for policy in policies:
        if not re.fullmatch(r"[0-2](\.(0|[1-9][0-9]*)){1,30}", policy):
            raise ImproperlyConfigured(f"ANCHOR_TSA_POLICY: write numbers with dots, such as 1.2.3.4, not {policy!r}.")


def _portal_url(url: str) -> str:
    parts = urlsplit(url)
    if not _may_be_linked(url) or parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ImproperlyConfigured("PORTAL_URL: write https://host, or http on the loopback, and nothing behind it.")
    return f"{parts.scheme}://{parts.netloc}"


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError):
        raise ImproperlyConfigured(f"TIME_ZONE: write Area/City, for instance Europe/Berlin, not {name!r}.") from None


def _clock(name: str, default: str) -> time:
    value: str = env.str(name, default="").strip() or default
    try:
        return datetime.strptime(value, "%H:%M").time()
    except ValueError:
        raise ImproperlyConfigured(f"{name}: write a time of day such as 03:00, not {value!r}.") from None


# --- secrets and doors ---
SECRET_KEY = _key("SECRET_KEY")
FERNET_KEYS = [key.strip() for key in _key("FERNET_KEYS").split(",") if key.strip()]
if any(len(key) < 32 for key in FERNET_KEYS):
    raise ImproperlyConfigured("FERNET_KEYS holds a key shorter than 32 characters: run `python manage.py keys`.")
FINGERPRINT_KEY = _key("FINGERPRINT_KEY")
SIGNING_KEY_FILE = keys.signing_key_file(os.environ)
TRUSTED_KEYS_FILE = Path(env.str("TRUSTED_KEYS_FILE", default="") or SIGNING_KEY_FILE.with_suffix(".pub"))
DEBUG = _switch("DEBUG", default=False)
HTTPS = _switch("HTTPS", default=True)
FOUR_EYES = _switch("FOUR_EYES", default=True)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
PROXY_HOPS = _whole("PROXY_HOPS", 0, least=0)

# --- where it runs ---
HOST = env.str("HOST", default="127.0.0.1")
PORT = _whole("PORT", 8000, least=0)
WEB_THREADS = _whole("WEB_THREADS", 8)
WORKERS = _whole("WORKERS", 2)
WORKER_NAME = (env.str("PORTAL_WORKER", default="") or socket.gethostname())[:80]
SYNC_CONNECTIONS = _whole("SYNC_CONNECTIONS", 8)
SYNC_PROCESSES = _whole("SYNC_PROCESSES", min(1, (os.cpu_count() or 1) - 1), least=0)
REGIONS = {"segment": _regions("SEGMENT_REGIONS")}

INSTALLED_APPS = [
    "django_q",
    "portal.apps.PortalConfig",
    "connectors.apps.ConnectorsConfig",
    "evidence.apps.EvidenceConfig",
    "portal.apps.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "evidence.library.intake.NotTooLarge",
    "portal.typed.SignInFirst",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.pages.SafeHeaders",
    "portal.account.OwnPasswordFirst",
]
ROOT_URLCONF = "portal.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.frame.shell",
            ],
            "builtins": [
                "django.templatetags.static",
                "portal.templatetags.portal",
                "evidence.templatetags.evidence",
            ],
        },
    }
]

# --- storage ---
DATABASES = {"default": _database(env.str("DATABASE_URL", default="") or f"sqlite:///{DATA_DIR / 'portal.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # WAL and immediate transactions: readers never wait, writers queue instead of failing half-way.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "portal.User"

# --- uploaded files: in a folder of the data, or in a bucket that speaks S3 ---
FILES_IN = env.str("FILES_IN", default="").strip() or "folder"
OBJECT_STORE_BUCKET = env.str("OBJECT_STORE_BUCKET", default="").strip()
OBJECT_STORE_URL = env.str("OBJECT_STORE_URL", default="").strip()
if FILES_IN not in ("folder", "bucket"):
    raise ImproperlyConfigured(f"FILES_IN must be folder or bucket, not {FILES_IN!r}.")
if FILES_IN == "bucket" and not OBJECT_STORE_BUCKET:
    raise ImproperlyConfigured("FILES_IN=bucket needs OBJECT_STORE_BUCKET: the name of the bucket.")
UPLOAD_MAX = _whole("UPLOAD_MAX_MB", 100) * 1_000_000
FILE_UPLOAD_HANDLERS = ["evidence.library.intake.Measured"]
DATA_UPLOAD_MAX_NUMBER_FILES = 200
CLAMD_ADDRESS = env.str("CLAMD_ADDRESS", default="").strip()
CLAMD_REQUIRED = _switch("CLAMD_REQUIRED", default=False)
if CLAMD_REQUIRED and not CLAMD_ADDRESS:
    raise ImproperlyConfigured("CLAMD_REQUIRED needs CLAMD_ADDRESS: where the scanner listens.")

# --- background work (dependencies were measured: see ARCHITECTURE.md, "The worker") ---
Q_CLUSTER = {
    "name": "portal",
    "broker_class": "portal.queue.Broker",
    "orm": "default",
    "workers": WORKERS,
    "queue_limit": 1,
    "timeout": 6 * 3600,
    "retry": 24 * 3600,
    "max_attempts": 1,
    "ack_failures": True,
    "catch_up": False,
    "save_limit": 250,
    "poll": 0.5,
    "label": "Worker",
}
COLLECT_TASK = "connectors.tasks.sync"
VERIFY_AT = _clock("VERIFY_AT", "03:00")

# --- mail: nothing is sent without EMAIL_URL; with it, who sends and where links lead must be known ---
_server = _mail(env.str("EMAIL_URL", default="").strip())
SENDS_MAIL = bool(_server)
EMAIL_BACKEND = _server.get("EMAIL_BACKEND", "django.core.mail.backends.dummy.EmailBackend")
EMAIL_HOST, EMAIL_PORT = _server.get("EMAIL_HOST") or "", _server.get("EMAIL_PORT", 0)
EMAIL_HOST_USER = _server.get("EMAIL_HOST_USER") or ""
EMAIL_HOST_PASSWORD = _server.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS, EMAIL_USE_SSL = _server.get("EMAIL_USE_TLS", False), _server.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 10  # seconds, for each step of the talk with the server
MAIL_FROM = DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("MAIL_FROM", default="").strip()
PORTAL_URL = env.str("PORTAL_URL", default="").strip()
if SENDS_MAIL or MAIL_FROM:
    _address("MAIL_FROM", MAIL_FROM)
if SENDS_MAIL or PORTAL_URL:
    PORTAL_URL = _portal_url(PORTAL_URL)

# --- anchors: where newest states are confirmed outside of the portal; all off by default ---
ANCHOR_FOLDER = env.str("ANCHOR_FOLDER", default="").strip()
if ANCHOR_FOLDER and not Path(ANCHOR_FOLDER).is_absolute():
    raise ImproperlyConfigured("ANCHOR_FOLDER: write the whole path of a folder, from the root.")
ANCHOR_MAIL = [_address("ANCHOR_MAIL", each) for each in env.list("ANCHOR_MAIL", default=[]) if each.strip()]
if ANCHOR_MAIL and not SENDS_MAIL:
    raise ImproperlyConfigured("ANCHOR_MAIL needs EMAIL_URL: without it the portal sends no mail.")
ANCHOR_TSA_URL = env.str("ANCHOR_TSA_URL", default="").strip()
ANCHOR_TSA_ROOT = env.str("ANCHOR_TSA_ROOT", default="").strip()
ANCHOR_TSA_POLICY = [each.strip() for each in env.list("ANCHOR_TSA_POLICY", default=[]) if each.strip()]
_stamping(ANCHOR_TSA_URL, ANCHOR_TSA_ROOT, ANCHOR_TSA_POLICY)
ANCHOR_WITHIN = timedelta(hours=_whole("ANCHOR_WITHIN", 24))

# --- sign-in ---
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS else "csrf"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_SSL_REDIRECT = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PROXY_HOPS else None
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
        "img-src": [SELF, "data:"],
    }
}

# --- words, time, files ---
LANGUAGE_CODE = "en-gb"
USE_I18N = False
USE_TZ = True
TIME_ZONE = _zone(env.str("TIME_ZONE", default="UTC"))
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    "files": {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": OBJECT_STORE_BUCKET,
            "endpoint_url": OBJECT_STORE_URL or None,
            "region_name": env.str("OBJECT_STORE_REGION", default="").strip() or None,
            "access_key": env.str("OBJECT_STORE_KEY", default="").strip() or None,
            "secret_key": env.str("OBJECT_STORE_SECRET", default="").strip() or None,
            "location": "files",
            "default_acl": None,
            "file_overwrite": True,
        },
    },
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"secrets": {"()": "portal.pages.WithoutSecrets"}},
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["secrets"]}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {"django-q": {"level": "WARNING"}, "django.request": {"level": "ERROR"}},
}
