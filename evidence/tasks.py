"""What the worker does for the evidence, beside reading it. Tasks take ids."""

from django.utils import timezone

from connectors import tasks
from portal import canon, ledger

from . import verifications


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
    return f"{said}, {sealed}"


def verify(pk: int) -> str:
    """Carries out one verification that was asked for."""
    found = verifications.perform(pk)
    return "it does not wait any more" if found is None else f"{found} {found.state}"
