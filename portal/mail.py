"""Mail, the one way out to people: plain text, one address at a time, or one named refusal.

Without EMAIL_URL nothing is sent: ask `configured` first and say so. Names that came from outside may stand in
subject and lines; they cannot begin a header or a line of their own.
"""

import re
import smtplib
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime
from email.utils import format_datetime, make_msgid

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.validators import validate_email
from django.db import connection as database

from .audit import clean

LONGEST_SUBJECT = 150
LONGEST_LINE = 1000
# Signs that turn the direction of what is read, and halves of characters, which no mail can carry.
_TRICKS = re.compile("[\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class MailRefused(Exception):
    """A mail did not go out. The message says why, and holds neither user nor password nor the server's own words."""

    code = "mail-refused"


def configured() -> bool:
    """Whether the portal can send mail at all."""
    return bool(settings.SENDS_MAIL)


def send(to: str, subject: str, lines: Sequence[str], now: datetime, *, path: str = "") -> str:
    """Sends plain text to one address; `path` (as `reverse` gives it) becomes the last line, a link to the portal.
    Returns the mail's Message-ID.

    Waits for the network, up to EMAIL_TIMEOUT at each step, so it must not be called within a transaction. Raises
    MailRefused.
    """
    _outside_of_transactions()
    if not configured():
        raise MailRefused("The portal sends no mail: EMAIL_URL is not set.")
    try:
        validate_email(to)
    except ValidationError:
        raise MailRefused(f"“{_plain(to, 80)}” is no address for mail.") from None
    body = [_plain(line, LONGEST_LINE) for line in lines]
    if path:
        body += ["", f"{settings.PORTAL_URL}{path}"]
    head = {
        "Date": format_datetime(now),
        "Message-ID": make_msgid(domain=settings.MAIL_FROM.rpartition("@")[2]),  # not this machine's own name
        "Auto-Submitted": "auto-generated",  # RFC 3834: nobody's absence answers it
    }
    text = "\n".join([*body, ""])
    mail = EmailMessage(_plain(subject, LONGEST_SUBJECT), text, settings.MAIL_FROM, [to], headers=head)
    _talk(lambda server: server.send_messages([mail]))
    return head["Message-ID"]


def knock() -> None:
    """Connects and signs in to the mail server, and sends nothing. Raises MailRefused."""
    _outside_of_transactions()
    _talk(lambda server: None)


def _outside_of_transactions() -> None:
    """Nobody's lock may last as long as a mail server takes. A test case's own block does not count, as in Django."""
    blocks = database.atomic_blocks
    if blocks and not blocks[-1]._from_testcase:  # type: ignore[attr-defined]  # not in the stubs
        raise RuntimeError("Mail cannot be sent within a transaction.")


def _talk(say: Callable[[BaseEmailBackend], object]) -> None:
    # Each refusal is raised without its cause: the server's own words may repeat what it was told.
    try:
        with get_connection() as server:
            say(server)
    except smtplib.SMTPAuthenticationError as error:
        why = f"The mail server refuses the portal's user or password ({error.smtp_code})."
        raise MailRefused(why) from None
    except smtplib.SMTPRecipientsRefused:
        raise MailRefused("The mail server does not take mail for this address.") from None
    except smtplib.SMTPSenderRefused as error:
        raise MailRefused(f"The mail server takes no mail from {settings.MAIL_FROM} ({error.smtp_code}).") from None
    except smtplib.SMTPResponseException as error:
        raise MailRefused(f"The mail server refuses the mail ({error.smtp_code}).") from None
    except smtplib.SMTPException:
        raise MailRefused("The mail server broke off, or cannot do what EMAIL_URL asks of it.") from None
    except ssl.SSLError:
        raise MailRefused("No trustworthy connection to the mail server could be made.") from None
    except TimeoutError:
        raise MailRefused(f"The mail server did not answer within {settings.EMAIL_TIMEOUT} seconds.") from None
    except OSError:
        raise MailRefused("The mail server could not be reached.") from None


def _plain(text: str, most: int) -> str:
    """One line without control characters and tricks."""
    return _TRICKS.sub("\N{REPLACEMENT CHARACTER}", clean(text, most))
