"""`python -m tests.picturing docs`: the table of troubles, and with Chromium in the path a picture of each page."""

import mimetypes
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import django

import tests.environment  # noqa: F401  # keys and a folder of its own, before the settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth.models import Group  # noqa: E402
from django.contrib.staticfiles import finders  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402

from connectors.segment.simulator import serve  # noqa: E402
from portal.models import User  # noqa: E402
from tests.troubles import TROUBLES, Scene, document, hosts  # noqa: E402

WIDTH, HEIGHT = 1280, 1100


def played() -> dict[str, bytes]:
    """The page of each row, by its name; nothing of it stays in the database."""
    pages = {}
    for row in TROUBLES:
        with serve(size="small", eu_port=0) as running, transaction.atomic():
            browser = Client()
            person, _ = User.objects.get_or_create(username="priya")
            person.groups.add(Group.objects.get(name="Administrator"))
            browser.force_login(person)
            scene = Scene(browser, running)
            with hosts(us=running.url, eu=running.eu_url):
                pages[row.name] = scene.page(row.deed(scene))
            transaction.set_rollback(True)
        sys.stdout.write(f"{row.name}\n")
    return pages


def serving(pages: dict[str, bytes]) -> ThreadingHTTPServer:
    """The pages and their static files on a port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0].strip("/")
            found = finders.find(path.removeprefix("static/")) if path.startswith("static/") else None
            body = Path(str(found)).read_bytes() if found else pages.get(path, b"")
            self.send_response(200 if body else 404)
            kind = mimetypes.guess_type(path)[0] if found else "text/html; charset=utf-8"
            self.send_header("Content-Type", kind or "application/octet-stream")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main(folder: Path) -> None:
    (folder / "TROUBLES.md").write_text(document())
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("The table was written; for the pictures Chromium must be in the path.")
    server = serving(played())
    (folder / "troubles").mkdir(exist_ok=True)
    for row in TROUBLES:
        target = folder / "troubles" / f"{row.name}.png"
        url = f"http://127.0.0.1:{server.server_port}/{row.name}"
        options = ["--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={WIDTH},{HEIGHT}"]
        options.append("--force-device-scale-factor=0.75")
        subprocess.run(  # our own pages
            [chromium, *options, f"--screenshot={target}", url], check=True, capture_output=True, timeout=60
        )
    server.shutdown()


if __name__ == "__main__":
    settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
    setup_test_environment()
    connection.creation.create_test_db(verbosity=0)
    main(Path(sys.argv[1]))
