"""The only writer of staged records, checkpoints, receipts, blobs, changes and snapshots; and their reader.

A snapshot is published whole, in one transaction, or it is not there. Only what changed is written:
the state at any snapshot is a query over the change rows.

sealing  records as bytes      staging     what is read and not yet published
states   a workspace at n      publishing  the next snapshot
"""

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
    "CHUNK",
    "NONE_KNOWN",
    "NO_PREDECESSOR",
    "Addresses",
    "Lost",
    "Part",
    "Sealed",
    "StreamResult",
    "Unpackable",
    "begin",
    "change_line",
    "checkpoint",
    "checkpoints",
    "counts",
    "coverage_of",
    "envelope_of",
    "header_of",
    "hold",
    "known_addresses",
    "leaf",
    "mine",
    "newest",
    "newest_keys",
    "publish",
    "receipt_lines",
    "records",
    "seal",
    "stage",
    "staged_keys",
    "state",
    "tell_planner",
    "unpacked",
    "unstage",
    "write_receipts",
]
