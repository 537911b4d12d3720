"""Keys and a data folder for the tests; loaded before Django's settings (`-p tests.environment`)."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

DATA = Path(tempfile.mkdtemp(prefix="portal-tests-"))
atexit.register(shutil.rmtree, DATA, ignore_errors=True)
FOREIGN = (
    *("SIGNING_KEY_FILE", "TRUSTED_KEYS_FILE", "SEGMENT_REGIONS", "DEBUG", "ALLOWED_HOSTS", "PROXY_HOPS"),
    *("HOST", "PORT", "PORTAL_WORKER", "WORKERS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "LOG_LEVEL", "TIME_ZONE"),
    *("EMAIL_URL", "MAIL_FROM", "PORTAL_URL"),
    *("ANCHOR_FOLDER", "ANCHOR_MAIL", "ANCHOR_TSA_URL", "ANCHOR_TSA_ROOT", "ANCHOR_TSA_POLICY", "ANCHOR_WITHIN"),
)

# A test database need not survive a fall of the server, so no commit waits for its disk; and small tables are not worth
# the compilation of a query.
os.environ["PGOPTIONS"] = f"{os.environ.get('PGOPTIONS', '')} -c synchronous_commit=off -c jit=off".strip()
os.environ.update(
    PORTAL_DATA=str(DATA),
    HTTPS="false",
    SYNC_PROCESSES="0",  # a test process is large and has threads; test_workshop tries the helpers out
    SECRET_KEY="test-secret-key-0123456789-0123456789",
    FERNET_KEYS="test-fernet-key-0123456789-0123456789",
    FINGERPRINT_KEY="test-fingerprint-key-0123456789-0123",
)
for name in FOREIGN:
    os.environ.pop(name, None)

from portal import keys  # noqa: E402  # the environment above must stand first

keys.make_signing_key(DATA / "signing.key")
(DATA / "static").mkdir()
