"""The only writer of staged records, checkpoints, receipts, blobs, changes and snapshots; and their reader.

A snapshot is published whole, in one transaction, or it is not there. Only what changed is written:
the state at any snapshot is a query over the change rows.

sealing  records as bytes      staging     what is read and not yet published
states   a workspace at n      publishing  the next snapshot
differences  between two of its snapshots
"""

from .differences import ADDED, CHANGED, GONE, REMOVED, bodies, called, differences, history, real, span, steps, tally
from .publishing import NO_PREDECESSOR, Part, StreamResult, begin, change_line, leaf, publish, tell_planner
from .sealing import NONE_KNOWN, Addresses, Sealed, Unpackable, envelope_of, seal, unpacked
from .staging import (
    CHUNK,
    Lost,
    checkpoint,
    checkpoints,
    hold,
    mine,
    receipt_lines,
    stage,
    staged_keys,
    unstage,
    write_receipts,
)
from .states import counts, coverage_of, header_of, known_addresses, newest, newest_keys, records, state

__all__ = [
    "ADDED",
    "CHANGED",
    "CHUNK",
    "GONE",
    "NONE_KNOWN",
    "NO_PREDECESSOR",
    "REMOVED",
    "Addresses",
    "Lost",
    "Part",
    "Sealed",
    "StreamResult",
    "Unpackable",
    "begin",
    "bodies",
    "called",
    "change_line",
    "checkpoint",
    "checkpoints",
    "counts",
    "coverage_of",
    "differences",
    "envelope_of",
    "header_of",
    "history",
    "hold",
    "known_addresses",
    "leaf",
    "mine",
    "newest",
    "newest_keys",
    "publish",
    "real",
    "receipt_lines",
    "records",
    "seal",
    "span",
    "stage",
    "staged_keys",
    "state",
    "steps",
    "tally",
    "tell_planner",
    "unpacked",
    "unstage",
    "write_receipts",
]
