"""The zip of a closed audit's evidence set: a function of the set and of the bytes that are there.

Same set, same bytes: files stand in the order of their digests, every time is that of the close, and a file lies in it
once, however many controls it supports. What cannot be put in is named with its reason in the index and the manifest.
Memory stays flat: files are copied in pieces, and read once before to prove that they are what they were.
"""

import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC
from typing import IO, Any

from django.template.loader import render_to_string

from ..document import ExportError
from ..exports import csv, pdf
from ..library import proof, store, versions
from ..models import Audit, AuditRequest, EvidenceItem, Scoped, Version
from . import lists

LEVEL = 6  # of deflate
_EXTENSION = re.compile(r"\.([A-Za-z0-9]{1,8})\Z")


@dataclass(frozen=True)
class Member:
    """A file in the zip, and what it is."""

    name: str
    sha256: str
    size: int
    what: str


@dataclass
class Held:
    """One version: the files that hold it, or why there are none."""

    version: Version
    members: list[Member] = field(default_factory=list)
    omitted: str = ""


class Zip:
    """A zip that is written member by member, and knows the digest of each."""

    def __init__(self, target: IO[bytes], audit: Audit) -> None:
        assert audit.closed_at is not None
        self._zip = zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL)
        self._time = max(audit.closed_at.astimezone(UTC).timetuple()[:6], (1980, 1, 1, 0, 0, 0))
        self.members: dict[str, Member] = {}

    def put(self, name: str, chunks: Iterable[bytes], what: str) -> Member:
        if name in self.members:
            return self.members[name]
        info = zipfile.ZipInfo(name, self._time)
        info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
        found, size = hashlib.sha256(), 0
        with self._zip.open(info, "w", force_zip64=True) as member:
            for chunk in chunks:
                member.write(chunk)
                found.update(chunk)
                size += len(chunk)
        self.members[name] = Member(name, found.hexdigest(), size, what)
        return self.members[name]

    def close(self) -> None:
        self._zip.close()


def expected(audit: Audit) -> int:
    """How many steps it takes: one for each version."""
    return EvidenceItem.objects.filter(audit=audit).values("version").distinct().count()


def pack(audit: Audit, target: IO[bytes], tell: Callable[[int], None] = lambda done: None) -> None:
    """Writes the zip into a file that can be sought in. `tell` hears how many versions are done."""
    packed = Zip(target, audit)
    items = EvidenceItem.objects.filter(audit=audit).order_by("sha256", "version_id").values_list("version", flat=True)
    held: dict[int, Held] = {}
    for pk in dict.fromkeys(items):
        tell(len(held))
        held[pk] = _hold(packed, Version.objects.select_related("snapshot", "received_by", "artifact").get(pk=pk))
    _tables(packed, audit, held)
    packed.close()
    tell(len(held))


# --- versions ---------------------------------------------------------------------------------------------------


def _hold(packed: Zip, version: Version) -> Held:
    """Puts one version in, after its bytes were proved; what is erased, damaged or missing is named."""
    held = Held(version)
    if grave := proof.grave_of(version):
        held.omitted = f"Not here: it was {grave}."
    elif fault := proof.fault_of(version):
        held.omitted = f"Not here: {fault.what}"
    elif version.stored:
        held.members.append(_file(packed, version))
    else:
        _report(packed, held)
    version.body = b""  # not needed any more, and the index names every version
    return held


def _file(packed: Zip, version: Version) -> Member:
    """An uploaded file, under its digest and with the ending of its name."""
    found = _EXTENSION.search(version.name)
    name = f"files/{version.sha256}.{found[1].lower() if found else 'bin'}"
    return packed.put(name, store.pieces(version.sha256), "Uploaded file")


def _report(packed: Zip, held: Held) -> None:
    """A captured report: its frozen JSON, which hashes to its digest; the same as PDF and as CSV to read."""
    version = held.version
    base, document = f"files/{version.sha256}", versions.document_of(version)
    frozen = [zlib.decompress(bytes(version.body))]
    held.members.append(packed.put(f"{base}.json", frozen, "Captured report, as it was frozen"))
    for table in document.report.tables:
        name = f"{base}-{_safe(table.name)}.csv"
        held.members.append(packed.put(name, csv.stream(document, table.name), f"Table “{table.title}” of the report"))
    try:
        made = pdf.render(document)
    except ExportError as error:
        held.omitted = f"It is here as JSON and CSV. A PDF could not be made: {error}"
        return
    held.members.append(packed.put(f"{base}.pdf", [made.data], "The report to read and print"))


def _safe(name: str) -> str:
    return re.sub(r"[^a-z0-9-]", "-", name.lower())[:60]


# --- what stands around them --------------------------------------------------------------------------------------


def _tables(packed: Zip, audit: Audit, held: dict[int, Held]) -> None:
    """Index, lists, manifest and sums; each names what came before it."""
    context = context_of(audit, held)
    packed.put("index.html", [render_to_string("evidence/audits/zip_index.html", context).encode()], "Index to read")
    packed.put("index.css", [render_to_string("evidence/audits/zip_index.css").encode()], "How the index looks")
    packed.put("controls.csv", _control_rows(context["controls"]), "Controls and their evidence")
    packed.put("requests.csv", csv.pieces(lists.TITLES, lists.rows(context["requests"])), "Requests of the auditors")
    packed.put("README.txt", [render_to_string("evidence/audits/zip_readme.txt", context).encode()], "How to check")
    packed.put("manifest.json", [_manifest(audit, packed, held)], "Every file, and what is left out")
    sums = [f"{each.sha256}  {each.name}\n".encode() for each in sorted(packed.members.values(), key=_name)]
    packed.put("SHA256SUMS", sums, "Digests, for sha256sum -c")


def _name(member: Member) -> str:
    return member.name


def context_of(audit: Audit, held: dict[int, Held]) -> dict[str, Any]:
    by_control: dict[int, list[Any]] = {}
    by_request: dict[int, list[Any]] = {}
    for item in EvidenceItem.objects.filter(audit=audit).order_by("title", "version_id"):
        into, key = (by_control, item.control_id) if item.control_id else (by_request, item.request_id)
        into.setdefault(key or 0, []).append((item, held[item.version_id]))
    scoped = list(Scoped.objects.filter(audit=audit).select_related("control__framework").order_by(*_BY_FRAMEWORK))
    for each in scoped:
        each.evidence = by_control.get(each.control_id, [])  # type: ignore[attr-defined]  # for the templates
    requests = list(_requests(audit))
    for asked in requests:
        asked.evidence = by_request.get(asked.pk, [])  # type: ignore[attr-defined]
    omitted = [each for each in held.values() if each.omitted]
    return {"audit": audit, "controls": scoped, "requests": requests, "held": held, "omitted": omitted}


_BY_FRAMEWORK = ("control__framework__title", "control__framework_id", "control__position", "pk")


def _requests(audit: Audit) -> Iterable[AuditRequest]:
    rows = AuditRequest.objects.filter(audit=audit).order_by("number")
    return rows.select_related("owner", "asked_by", "decided_by").prefetch_related("controls", "answers")


def _control_rows(scoped: list[Any]) -> Iterator[bytes]:
    titles = ("Framework", "Control", "Title", "In scope", "Reason", "Evidence", "Version", "SHA-256", "Files", "Note")
    return csv.pieces(titles, _control_lines(scoped))


def _control_lines(scoped: list[Any]) -> Iterator[tuple[Any, ...]]:
    for each in scoped:
        start = (each.control.framework.title, each.control.ref, each.control.title, each.within, each.reason)
        if not each.evidence:
            yield (*start, None, None, None, None, "No evidence" if each.within else None)
        for item, held in each.evidence:
            files = tuple(member.name for member in held.members)
            yield (*start, item.title, held.version.number, item.sha256, files, held.omitted or None)


def _manifest(audit: Audit, packed: Zip, held: dict[int, Held]) -> bytes:
    assert audit.closed_at is not None
    said = {
        "audit": audit.title,
        "period": [audit.period_from.isoformat(), audit.period_to.isoformat()],
        "closed_at": audit.closed_at.astimezone(UTC).isoformat(),
        "files": [asdict(each) for each in sorted(packed.members.values(), key=_name)],
        "omissions": [
            {"sha256": each.version.sha256, "title": each.version.title, "reason": each.omitted}
            for each in held.values()
            if each.omitted
        ],
    }
    return json.dumps(said, ensure_ascii=False, indent=1, sort_keys=True).encode("utf-8", "backslashreplace") + b"\n"
