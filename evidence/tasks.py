"""What the worker does for the evidence, beside reading it. Tasks take ids."""

from django.utils import timezone

from connectors import locker, tasks
from portal import canon, ledger

from . import erasures, notices, retention, verifications
from .actions import due
from .library import receiving


def beat() -> str:
    """The connectors' beat; then seals what was recorded, and looks after verifications."""
    said = tasks.beat()
    now = timezone.now()
    try:
        sealed = f"{ledger.seal(now)} sealed"
    except canon.NoSigningKey as error:  # the home page says so when entries have waited for an hour
        sealed = str(error)
    verifications.recover(now)
    verifications.start_due(now)
    erasures.recover(now)
    erasures.replay(now)
    retention.start_due(now)
    due.renew(now)
    due.remind(now)
    notices.queue_mail(now)
    if now.minute == 0:  # once in an hour is enough
        receiving.sweep(now)
    return f"{said}, {sealed}"


def send_notices(person_pk: int) -> str:
    """Mails one person what waits for them."""
    return "sent" if notices.send(person_pk, timezone.now()) else "nothing was sent"


def verify(pk: int) -> str:
    """Carries out one verification that was asked for."""
    found = verifications.perform(pk)
    return "it does not wait any more" if found is None else f"{found} {found.state}"


def search(pk: int) -> str:
    """Searches for what one erasure is about."""
    found = erasures.search(pk)
    return "it is not searched for any more" if found is None else f"{found} {found.stage}"


def erase(pk: int) -> str:
    """Carries out one erasure that a second person has confirmed; the next beats try again until it is done."""
    try:
        return "erased" if erasures.carry_out(pk, timezone.now()) else "there was nothing to do"
    except (canon.NoSigningKey, locker.NotSealed):
        return "it waits until the ledger has sealed it"


def retain(workspace_pk: int) -> str:
    """Removes what the rule of one workspace does not keep; what could not go today is looked at again tomorrow."""
    try:
        return f"{retention.carry_out(workspace_pk, timezone.now())} removed"
    except (canon.NoSigningKey, locker.NotSealed):
        return "it waits until the ledger has sealed it"
