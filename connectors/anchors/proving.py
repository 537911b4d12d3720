"""I8: every anchor is met by the present chain. No network is needed: files are read again, tokens prove themselves."""

from collections.abc import Iterator
from uuid import UUID

from django.conf import settings
from django.db.models import Max

from portal.proving import Counted, Fault, stepwise

from ..models import Anchor, Snapshot, Workspace
from . import folder, stamp
from .making import configured
from .refusal import AnchorFailed

Kind = Anchor.Kind
CUT = "The chain is older than its anchors: it was cut, or an older backup was restored."


def verify(counted: Counted) -> Iterator[Fault]:
    """All faults of all anchors; a note for each newest snapshot that none confirms."""
    files, unread = _files()
    for said in filter(None, (unread, _rootless())):
        yield Fault("I8", "anchors", said, grave=False)
    yield from _anchors(files, counted)
    yield from _astray(files or {}, counted)
    yield from _unconfirmed(counted)


def _files() -> tuple[dict[str, folder.Named] | None, str]:
    """The folder's files by name; None, and why, when they cannot be seen from here."""
    if not settings.ANCHOR_FOLDER:
        made = Anchor.objects.filter(kind=Kind.FOLDER).exists()
        return None, "ANCHOR_FOLDER is not set here: the files of anchors were not read again." if made else ""
    try:
        return {each.file: each for each in folder.listed()}, ""
    except OSError:
        return None, "The folder for anchors cannot be read from here: its files were not read again."


def _rootless() -> str:
    if settings.ANCHOR_TSA_ROOT or not Anchor.objects.filter(kind=Kind.STAMP).exists():
        return ""
    return "ANCHOR_TSA_ROOT is not set here: the time stamps were not proved again."


def _anchors(files: dict[str, folder.Named] | None, counted: Counted) -> Iterator[Fault]:
    """Each row next to the snapshot that it confirms; a file that one accounts for is taken out of `files`."""
    for (pk,) in stepwise(Anchor.objects.all(), "pk"):
        anchor = Anchor.objects.select_related("workspace").get(pk=pk)
        counted.cover("I8")
        found = Snapshot.objects.filter(workspace=anchor.workspace, seq=anchor.seq).select_related("workspace").first()
        what = _missed(found, anchor.seq, anchor.header_sha256, anchor.workspace)
        if not what and found is not None:
            what = _proof(anchor, found, files)
        if files is not None and anchor.kind == Kind.FOLDER:
            files.pop(anchor.detail, None)
        if what:
            yield Fault("I8", f"{anchor.workspace.name}, snapshot {anchor.seq}, {anchor.get_kind_display()}", what)


def _missed(found: Snapshot | None, seq: int, sha256: str, workspace: Workspace | None) -> str:
    """Why the chain does not hold what an anchor confirms; "" when it does."""
    if workspace is None or found is None or seq > workspace.head:
        return f"An anchor confirms snapshot {seq}, which is not there. {CUT}"
    if found.header_sha256 != sha256:
        return "An anchor confirms another snapshot under this number: the history was written anew."
    return ""


def _proof(anchor: Anchor, snapshot: Snapshot, files: dict[str, folder.Named] | None) -> str:
    """What is wrong with the proof itself; "" when it holds, or cannot be read again here."""
    if anchor.kind == Kind.STAMP:
        return _stamp(bytes(anchor.proof), bytes(snapshot.header)) if settings.ANCHOR_TSA_ROOT else ""
    if anchor.kind != Kind.FOLDER:
        return ""
    expected = folder.contents(snapshot)
    if bytes(anchor.proof) != expected or anchor.detail != folder.name_of(snapshot):
        return "What is kept of its file is not what was put into the folder."
    return _file(anchor.detail, expected) if files is not None else ""


def _stamp(proof: bytes, header: bytes) -> str:
    try:
        stamp.proved(proof, header, stamp.trusted())
    except AnchorFailed as error:
        return error.message
    return ""


def _file(name: str, expected: bytes) -> str:
    try:
        return "" if folder.read(name) == expected else f"The file {name} was changed."
    except FileNotFoundError:
        return f"The file {name} is gone from the folder."
    except OSError:
        return f"The file {name} cannot be read."


def _astray(files: dict[str, folder.Named], counted: Counted) -> Iterator[Fault]:
    """Files that no row accounts for: of who was killed before writing it, or of a history that is gone."""
    for each in files.values():
        counted.cover("I8")
        workspace = Workspace.objects.filter(uid=each.uid).first() if _is_uid(each.uid) else None
        found = Snapshot.objects.filter(workspace=workspace, seq=each.seq).select_related("workspace").first()
        what = _missed(found, each.seq, each.sha256, workspace)
        if not what and found is not None:
            what = _file(each.file, folder.contents(found))
        if what:
            yield Fault("I8", f"{workspace.name if workspace else 'unknown workspace'}, file {each.file}", what)


def _is_uid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _unconfirmed(counted: Counted) -> Iterator[Fault]:
    for workspace in Workspace.objects.filter(head__gt=0).order_by("pk"):
        counted.cover("I8")
        newest = Anchor.objects.filter(workspace=workspace).aggregate(seq=Max("seq"))["seq"] or 0
        if newest >= workspace.head:
            continue
        what = f"Nothing outside this portal confirms snapshot {workspace.head}: it is not anchored."
        if newest:
            what += f" The newest that is anchored is {newest}."
        if not configured():
            what += " No anchor is configured."
        yield Fault("I8", workspace.name, what, grave=False)
