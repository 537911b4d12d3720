"""When the last backup was made, as the audit log says."""

from datetime import datetime, timedelta

from ..audit import Action
from ..models import AuditEntry
from ..templatetags.portal import said_time, since, size
from .findings import Seen, warn, well

OLD = timedelta(days=7)
COMMAND = "`python manage.py backup FILE`"


def last_is_young(now: datetime) -> Seen:
    """A restored portal has had its backup: the one that it was restored from."""
    entry = AuditEntry.objects.filter(action__in=(Action.BACKUP_MADE, Action.RESTORED)).order_by("-at", "-pk").first()
    if entry is None:
        return warn(f"No backup was ever made. {COMMAND} makes one.", code="backup-never")
    at, what = entry.at, ""
    if entry.action == Action.RESTORED:
        at = min(at, datetime.fromisoformat(entry.detail["made"]))
        what = "This portal was restored from it."
    else:
        what = f"“{entry.target_name}”, {size(entry.detail['size'])}."
    saw = (
        f"The last backup was made {since(at, now)} ({said_time(at)}). {what} Its sha256 begins with "
        f"{entry.detail['sha256'][:16]}. {COMMAND} makes the next one."
    )
    return warn(saw, code="backup-old") if now - at > OLD else well(saw)
