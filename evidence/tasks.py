"""What the worker does for the evidence, beside reading it. Tasks take ids."""

from django.utils import timezone

from connectors import locker, tasks
from portal import canon, ledger

from . import erasures, notices, retention, undoing, verifications
from .actions import due
from .audits import asking, bundles
from .frameworks import shelf
from .library import freshness, recapture, receiving, staleness


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
    shelf.load_built_in(now)
    freshness.look(now)
    recapture.start_due(now)
    staleness.start_due(now)
    asking.tell_ready(now)
    asking.remind(now)
    bundles.recover(now)
    bundles.forget(now)
    due.renew(now)
    due.remind(now)
    notices.queue_mail(now)
    undoing.tidy(now)
    if now.minute == 0:  # once in an hour is enough
        receiving.sweep(now)
    return f"{said}, {sealed}"


def send_notices(person_pk: int) -> str:
    """Mails one person what waits for them."""
    return "sent" if notices.send(person_pk, timezone.now()) else "nothing was sent"


def capture_again(artifact_pk: int) -> str:
    """Captures one report anew whose day has come."""
    version = recapture.carry_out(artifact_pk, timezone.now())
    return "nothing was due" if version is None else f"{version}"


def compare_accepted(workspace_pk: int) -> str:
    """Compares the accepted reports of a workspace with its newest snapshot."""
    return f"{staleness.carry_out(workspace_pk, timezone.now())} compared"


def compare_one(artifact_pk: int) -> str:
    """Compares one accepted report with the newest snapshot."""
    return "compared" if staleness.compare_one(artifact_pk, timezone.now()) else "there was nothing to compare"


def pack(pk: int) -> str:
    """Makes the zip of one evidence set that was asked for."""
    found = bundles.perform(pk)
    return "it does not wait any more" if found is None else f"{found} {found.state}"


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
