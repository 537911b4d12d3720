"""How much of a workspace a snapshot has read, in words. Pure, no Django."""

from collections import Counter
from collections.abc import Collection

from connectors.spec import ANOMALIES, Coverage, Covered, standing

from .document import Provenance

_HAPPENED = {Coverage.NOT_ENABLED: "not enabled for this workspace", Coverage.UNSTABLE: "changed while it was read"}
_NAMED = 8  # streams named in one sentence


def completeness(provenance: Provenance, streams: Collection[str] = ()) -> tuple[str, tuple[str, ...]]:
    """How much of `streams` (all, when empty) the snapshot has read.

    Returns a headline and the gaps: a sentence for each stream that was not read completely, which says what
    happened, why, and which snapshot's records stand for it. Streams that nobody asked for share one. A stream that
    the snapshot does not know is said to be unknown.
    """
    known = _of(provenance, streams)
    whole = sum(covered is not None and covered.coverage is Coverage.COMPLETE for covered in known.values())
    noun = "stream" if len(known) == 1 else "streams"
    lacking = {name: each for name, each in known.items() if each is None or each.coverage is not Coverage.COMPLETE}
    unasked = [each for each in lacking.values() if each and each.coverage is Coverage.NOT_REQUESTED]
    shared = _unasked(unasked) if len(unasked) > 1 else ()
    told = [_gap(name, each, provenance.snapshot) for name, each in lacking.items() if not (shared and each in unasked)]
    return f"{whole} of {len(known)} {noun} complete", (*told, *shared)


def earlier(provenance: Provenance, streams: Collection[str] = ()) -> tuple[str, ...]:
    """A sentence for each earlier snapshot whose complete reading of some of `streams` stands in this one."""
    read: dict[int, list[str]] = {}
    for covered in _of(provenance, streams).values():
        if covered and covered.coverage is Coverage.COMPLETE and covered.as_of < provenance.snapshot:
            read.setdefault(covered.as_of, []).append(covered.title)
    return tuple(
        f"As of snapshot {seq}, because this run did not ask again: {_listed(titles)}."
        for seq, titles in sorted(read.items(), reverse=True)
    )


def _of(provenance: Provenance, streams: Collection[str]) -> dict[str, Covered | None]:
    held = {covered.stream: covered for covered in provenance.coverage}
    return {name: held.get(name) for name in streams or held}


def _listed(titles: list[str]) -> str:
    more = len(titles) - _NAMED
    return ", ".join(titles) if more <= 1 else f"{', '.join(titles[:_NAMED])} and {more} more"


def _unasked(streams: list[Covered]) -> tuple[str, ...]:
    """Streams that nobody asked for, those with the same reason and the same records in one sentence."""
    alike: dict[tuple[str, int], list[str]] = {}
    for covered in streams:
        alike.setdefault((_sentence(covered.reason), covered.as_of), []).append(covered.title)
    return tuple(
        f"Not requested: {_listed(titles)}.{reason} {_stands_for(as_of, 'it' if len(titles) == 1 else 'them')}"
        for (reason, as_of), titles in alike.items()
    )


def _sentence(reason: str) -> str:
    """A reason as a sentence after another one; nothing for none."""
    said = reason.strip().rstrip(".")
    return f" {said}." if said else ""


def _stands_for(as_of: int, it: str = "it") -> str:
    if as_of:
        return f"What is shown of {it} is as of snapshot {as_of}."
    return f"No snapshot has read {it} completely, so nothing can be said of {it}."


def _gap(name: str, covered: Covered | None, snapshot: int) -> str:
    if covered is None:
        return f"{name}: unknown. Snapshot {snapshot} says nothing of it."
    if covered.parts:
        return f"{covered.title}: {in_part(covered)} All others were read."
    happened = _HAPPENED.get(covered.coverage) or standing(covered).word.lower()
    return f"{covered.title}: {happened}.{_sentence(covered.reason)} {_stands_for(covered.as_of)}"


def in_part(covered: Covered) -> str:
    """What happened to its parts, and why: `1 of 40 tracking plans was denied; its records are as of snapshot 3.`"""
    alike = Counter((part.coverage, part.as_of) for part in covered.parts)
    said = [_happened(covered, many, how, as_of) for (how, as_of), many in sorted(alike.items())]
    reasons = {part.reason for part in covered.parts}
    return f"{' '.join(said)}{_sentence(reasons.pop() if len(reasons) == 1 else covered.reason)}"


def _happened(covered: Covered, many: int, how: Coverage, as_of: int) -> str:
    of = f"{covered.parents:,} {covered.parent}" if covered.parents else f"its {covered.parent or 'parts'}"
    one = many == 1
    what = {
        Coverage.DENIED: "was denied" if one else "were denied",
        Coverage.NOT_ENABLED: "was not enabled" if one else "were not enabled",
        Coverage.UNSTABLE: "changed while it was read" if one else "changed while they were read",
    }.get(how, "could not be read")
    whose = "its" if one else "their"
    records = f"{whose} records are as of snapshot {as_of}" if as_of else f"nothing is known of {whose} records"
    return f"{many:,} of {of} {what}; {records}."


def account(covered: Covered, snapshot: int) -> str:
    """What a coverage table says beside the numbers: how it was read or why not, and what is odd about it."""
    if covered.parts:
        said = in_part(covered)
    elif covered.coverage is Coverage.COMPLETE:
        said = _whole(covered) + (" This run did not ask for it." if covered.as_of < snapshot else "")
    else:
        said = f"{_sentence(covered.reason)}{'' if covered.as_of else ' Nothing can be said of it.'}"
    return f"{said}{_odd(covered)}".strip()


def _whole(covered: Covered) -> str:
    if covered.claimed is None:
        return "Read whole."
    if covered.claimed == covered.items:
        return "Read whole; the total that the service states agrees."
    return f"Read whole; the service states {covered.claimed:,} in all."


def _odd(covered: Covered) -> str:
    kind = covered.anomaly or ("dangling" if covered.dangling else "")
    many = f" {covered.dangling:,} of them." if covered.dangling else ""
    return f" {': '.join(ANOMALIES[kind])}{many}" if kind in ANOMALIES else ""


def figures(covered: Covered) -> dict[str, int | None]:
    """The numbers of a coverage table; None where there is nothing to count, which is no zero."""
    read = covered.coverage is Coverage.COMPLETE
    return {
        "records": covered.known if read or covered.as_of else None,
        "items": covered.items if read or covered.items else None,
        "pages": covered.pages if read or covered.pages else None,
        "claimed": covered.claimed,
        "as_of": covered.as_of or None,
    }
