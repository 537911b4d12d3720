"""A mail with the digest of a head: whoever keeps it can say later what the portal said then."""

from datetime import datetime

from django.conf import settings

from portal import canon, mail
from portal.templatetags.portal import said_time

from ..models import Snapshot
from .refusal import AnchorFailed


def make(snapshot: Snapshot, now: datetime) -> tuple[bytes, str]:
    """Sends it to each address; returns what was sent as bytes, and how many took it. Raises AnchorFailed."""
    subject, lines = words(snapshot)
    sent, why = [], ""
    for address in settings.ANCHOR_MAIL:
        try:
            sent.append(mail.send(address, subject, lines, now))
        except mail.MailRefused as error:
            why = str(error)
    if not sent:
        raise AnchorFailed(mail.MailRefused.code, why)
    refused = len(settings.ANCHOR_MAIL) - len(sent)
    detail = f"{len(sent)} of {len(settings.ANCHOR_MAIL)} addresses took it" + (f"; {why}" if refused else "")
    return canon.canonical({"lines": lines, "message_ids": sent, "subject": subject}), detail[:300]


def words(snapshot: Snapshot) -> tuple[str, list[str]]:
    """Subject and lines; a bare digest in a line of its own, to be copied and compared."""
    workspace = snapshot.workspace
    subject = f"Snapshot {snapshot.seq} of “{workspace.name}”: {snapshot.header_sha256[:16]}"
    return subject, [
        "Keep this mail where nobody who runs the portal can change it. It shows later whether the history that the "
        "portal shows is still the one of today.",
        "",
        f"Workspace: {workspace.name}",
        f"Workspace in the chain: {workspace.uid}",
        f"Snapshot: {snapshot.seq}",
        f"Published: {said_time(snapshot.published_at)}",
        f"Signed by key: {snapshot.key_id}",
        "Digest of its header (SHA-256):",
        snapshot.header_sha256,
    ]
