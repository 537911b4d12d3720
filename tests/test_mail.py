"""Mail goes out whole and plain, or is refused by one name; no name from outside and no password gets out with it."""

import email
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from django.core import mail as outbox
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from portal import mail
from portal import settings as reading

NOW = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)
SMTP = "django.core.mail.backends.smtp.EmailBackend"
PASSWORD = "not-to-be-seen-9876"


class Server(socketserver.ThreadingTCPServer):
    """A mail server on loopback that answers each command as it is told, and keeps what it was given."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers, self.heard, self.mails = answers, list[str](), list[bytes]()
        super().__init__(("127.0.0.1", 0), Talk)


class Talk(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        self.say("220 here")
        while line := self.rfile.readline().decode().strip():
            verb = line.split(" ")[0].upper()
            self.server.heard.append(verb + line[len(verb) :])
            if verb == "DATA":
                self.say(self.server.answers.get("DATA", "354 go on"))
                self.server.mails.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                self.say("250 kept")
            elif verb == "EHLO":
                self.say("250-here\r\n250 AUTH PLAIN")
            else:
                self.say(self.server.answers.get(verb, "221 bye" if verb == "QUIT" else "250 yes"))

    def say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")


@contextmanager
def serving(settings: Any, **answers: str) -> Iterator[Server]:
    with Server(answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.EMAIL_BACKEND = SMTP
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.server_address[:2]
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def mailing(settings: Any) -> None:
    settings.SENDS_MAIL, settings.MAIL_FROM, settings.PORTAL_URL = True, "portal@example.com", "https://portal.test"
    settings.EMAIL_TIMEOUT = 5


def sent() -> EmailMessage:
    [one] = outbox.outbox
    found = email.message_from_bytes(one.message().as_bytes(), policy=default)
    assert isinstance(found, EmailMessage)
    return found


def test_a_mail_is_plain_and_ends_with_the_link() -> None:
    mail.send("a@example.com", "The token of “Größe” is due", ["One.", "", "Two."], NOW, path="/admin/x/1/")
    found = sent()
    assert found.get_content_type() == "text/plain"
    assert found.get_content() == "One.\n\nTwo.\n\nhttps://portal.test/admin/x/1/\n"
    assert found["Subject"] == "The token of “Größe” is due"
    assert (found["To"], found["From"]) == ("a@example.com", "portal@example.com")
    assert found["Date"].datetime == NOW
    assert found["Message-ID"].endswith("@example.com>")
    assert found["Auto-Submitted"] == "auto-generated"


def test_a_name_from_outside_stays_a_name() -> None:
    name = "Bad\r\nBcc: all@example.com\r\n\r\nHello \u202eevil\u0000 \ud800" + "x" * 500
    mail.send("a@example.com", f"About {name}", [f"About {name}", "The end."], NOW)
    found = sent()
    assert not found["Bcc"]
    assert set(found.keys()) >= {"Subject", "To", "From", "Date"}
    subject = found["Subject"].strip()  # a long head begins on its second line
    assert len(subject) <= 150
    assert subject.startswith("About Bad\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}Bcc: all")
    assert "\u202e" not in subject + found.get_content()
    assert len(found.get_content().splitlines()) == 2


@pytest.mark.parametrize("to", ["", "nobody", "a@example.com\nBcc: b@example.com", "a@example.com, b@example.com"])
def test_what_is_no_address_gets_nothing(to: str) -> None:
    with pytest.raises(mail.MailRefused, match="is no address"):
        mail.send(to, "x", ["x"], NOW)
    assert not outbox.outbox


def test_without_a_server_nothing_is_sent_and_that_is_said(settings: Any) -> None:
    settings.SENDS_MAIL = False
    assert not mail.configured()
    with pytest.raises(mail.MailRefused, match="EMAIL_URL is not set"):
        mail.send("a@example.com", "x", ["x"], NOW)
    assert not outbox.outbox


def test_a_server_gets_it_whole(settings: Any) -> None:
    with serving(settings) as server:
        mail.knock()
        assert not server.mails
        mail.send("a@example.com", "Größe", ["Zeile mit ß", ".", "y" * 3000], NOW)
    [data] = server.mails
    found = email.message_from_bytes(data, policy=default)
    assert isinstance(found, EmailMessage)
    assert found["Subject"] == "Größe"
    assert found.get_content().splitlines()[0] == "Zeile mit ß"
    assert max(len(line) for line in data.splitlines()) <= 998
    assert "RCPT TO:<a@example.com>" in server.heard


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ({"AUTH": f"535 wrong: me/{PASSWORD}"}, "refuses the portal's user or password (535)."),
        ({"RCPT": "550 who is that"}, "does not take mail for this address."),
        ({"MAIL": "530 not you"}, "takes no mail from portal@example.com (530)."),
        ({"DATA": "554 no"}, "refuses the mail (554)."),
    ],
)
def test_a_refusal_has_one_name_and_no_secret(settings: Any, answers: dict[str, str], why: str) -> None:
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "me", PASSWORD
    with (
        serving(settings, **{"AUTH": "235 yes", **answers}),
        pytest.raises(mail.MailRefused) as caught,
    ):
        mail.send("a@example.com", "x", ["x"], NOW)
    assert str(caught.value).endswith(why)
    assert caught.value.code == "mail-refused"
    assert caught.value.__suppress_context__
    assert PASSWORD not in str(caught.value)


def test_nobody_there_is_a_refusal_too(settings: Any) -> None:
    with serving(settings):
        pass
    with pytest.raises(mail.MailRefused, match="could not be reached"):
        mail.knock()


def test_a_server_that_cannot_encrypt_gets_no_password(settings: Any) -> None:
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD, settings.EMAIL_USE_TLS = "me", PASSWORD, True
    with serving(settings) as server, pytest.raises(mail.MailRefused, match="cannot do what EMAIL_URL asks"):
        mail.knock()
    assert "EHLO" in {line.split(" ")[0] for line in server.heard}
    assert "AUTH" not in {line.split(" ")[0] for line in server.heard}


@pytest.mark.django_db(transaction=True)
def test_no_transaction_waits_for_a_mail_server() -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="within a transaction"):
        mail.send("a@example.com", "x", ["x"], NOW)
    assert not outbox.outbox


# --- settings -----------------------------------------------------------------------------------------


def test_an_address_of_a_server_is_read_as_written() -> None:
    found = reading._mail("smtp+tls://me%40example.com:a+b%2Fc@mail.example.com")
    assert (found["EMAIL_HOST_USER"], found["EMAIL_HOST_PASSWORD"]) == ("me@example.com", "a+b/c")
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"], found["EMAIL_USE_TLS"]) == ("mail.example.com", 587, True)
    assert reading._mail("smtp+ssl://h")["EMAIL_USE_SSL"]
    assert reading._mail("smtp://127.0.0.1:2525")["EMAIL_PORT"] == 2525
    assert reading._mail("") == {}


@pytest.mark.parametrize(
    "url",
    [f"smtp://me:{PASSWORD}/x@host", f"smtp://me:{PASSWORD}#@host", f"smtps://me:{PASSWORD}@host", f"{PASSWORD}",
     f"smtp://me:{PASSWORD}@", f"smtp://me:{PASSWORD}@host:port", f"smtp://me:{PASSWORD}@[host"],
)  # fmt: skip
def test_an_address_that_is_none_is_not_repeated(url: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        reading._mail(url)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "read"),
    [("https://portal.example.com/", "https://portal.example.com"), ("http://127.0.0.1:8000", "http://127.0.0.1:8000")],
)
def test_links_lead_to_the_portal(url: str, read: str) -> None:
    assert reading._portal_url(url) == read


@pytest.mark.parametrize("url", ["http://portal.example.com", "https://me:x@portal", "https://portal/x", "portal", ""])
def test_links_lead_nowhere_else(url: str) -> None:
    with pytest.raises(ImproperlyConfigured):
        reading._portal_url(url)
