"""What the verbs of this room say when they cannot be done, and the one check that each of them begins with."""

from ..models import Audit, Phase


class NotPossible(Exception):
    """A verb that cannot be done now. `field` names the input that it is about."""

    def __init__(self, code: str, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.field = code, message, field


def locked(audit: Audit) -> Audit:
    """The audit's row, held until the transaction ends. Raises NotPossible once it is closed."""
    found = Audit.objects.select_for_update().get(pk=audit.pk)
    if found.phase == Phase.CLOSED:
        why = "This audit is closed: nothing about it changes any more. Copy it to plan another one."
        raise NotPossible("audit-closed", why)
    return found
