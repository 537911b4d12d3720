"""What can be done with a connection. Each verb is one function, one transaction, one line in the audit log.

The only writer of `Connection` and `SpareToken`.
"""

from .drafts import (
    DRAFTS_LIVE,
    activate,
    discard,
    discard_old_drafts,
    discarded_on,
    draft,
    holder_of,
    set_credential,
    touch,
)
from .life import LONGEST_POLICY, addresses, choose_groups, describe, disconnect, pause, reschedule, resume
from .noting import note_failure, note_published, note_token_works, note_workspace_name
from .refusals import LIVE, REFUSED, NotPossible, wrong_state
from .timetable import next_start, recount, serve, start_due
from .tokens import (
    check,
    checked_workspace,
    drop_offer,
    drop_old_offers,
    leaked,
    lost_by,
    offer,
    offered,
    previous,
    prove,
    regions_to_try,
    replace,
    rotation_day,
    settle,
    undo,
)

__all__ = [
    "DRAFTS_LIVE",
    "LIVE",
    "LONGEST_POLICY",
    "REFUSED",
    "NotPossible",
    "activate",
    "addresses",
    "check",
    "checked_workspace",
    "choose_groups",
    "describe",
    "discard",
    "discard_old_drafts",
    "discarded_on",
    "disconnect",
    "draft",
    "drop_offer",
    "drop_old_offers",
    "holder_of",
    "leaked",
    "lost_by",
    "next_start",
    "note_failure",
    "note_published",
    "note_token_works",
    "note_workspace_name",
    "offer",
    "offered",
    "pause",
    "previous",
    "prove",
    "recount",
    "regions_to_try",
    "replace",
    "reschedule",
    "resume",
    "rotation_day",
    "serve",
    "set_credential",
    "settle",
    "start_due",
    "touch",
    "undo",
    "wrong_state",
]
