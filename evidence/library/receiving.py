"""Files that people hand in: looked at, scanned, kept under their digest, and then told of in one transaction.

The bytes are in the store before a row names them, so no version is without its file; a file that no version names is
swept away after a day.
"""

import unicodedata
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import HttpRequest

from connectors import locker
from connectors.models import Workspace
from connectors.verification import looks_secret
from portal import audit
from portal.models import User

from ..models import Artifact, Bundle, Control, Kind, Source, Version
from . import intake, kinds, reviewing, scanning, store
from .standing import new_artifact
from .versions import add

SWEPT_AFTER = timedelta(days=1)
LONGEST = 200  # characters of a name that is shown


class Refused(Exception):
    """A file that is not kept: nothing of it is left. `code` is explained under /help/."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code, self.sentence = code, sentence


class Duplicate(Exception):
    """The portal has these bytes already, as `version`."""

    def __init__(self, version: Version) -> None:
        super().__init__(str(version))
        self.version = version


def receive(
    upload: "UploadedFile[Any]",
    *,
    by: User,
    now: datetime,
    artifact: Artifact | None = None,
    source: Source = Source.UPLOAD,
    title: str = "",
    period: tuple[date | None, date | None] = (None, None),
    collected_at: datetime | None = None,
    workspaces: Iterable[Workspace] = (),
    controls: Iterable[Control] = (),
    owner: User | None = None,
    again: bool = False,
    request: HttpRequest | None = None,
) -> Version:
    """Keeps a file as a new artifact, or as a new version of `artifact`. Raises Refused and Duplicate.

    again   keeps it also when other artifacts hold the same bytes; the same artifact never holds them twice in a row
    """
    name = safe_name(str(upload.name or ""))
    content, scan = _looked_at(upload, name, now)
    kept = _stored(upload)
    if grave := locker.grave_of(bytes.fromhex(kept.sha256)):
        store.remove(kept.sha256)
        raise Refused("upload-erased", f"A file with exactly this content was {grave}: it is not kept again.")
    values = {
        "sha256": kept.sha256,
        "size": kept.size,
        "media": content.media,
        "name": name,
        "source": source,
        "period_from": period[0],
        "period_to": period[1],
        "collected_at": min(collected_at or now, now),
        "received_at": now,
    }
    named = audit.clean(title.strip() or name, 200)
    with transaction.atomic():
        store.one_at_a_time(kept.sha256)
        _must_be_new(kept.sha256, artifact, again)
        if not store.has(kept.sha256):  # swept in between: the next try finds it young
            raise Refused("upload-store", "It was lost on the way into the store.")
        action = audit.Action.VERSION_ADDED if artifact else audit.Action.ARTIFACT_ADDED
        if artifact is None:
            artifact = new_artifact({"kind": Kind.FILE, "owner": owner or by}, values, title=named, now=now)
        artifact.workspaces.add(*workspaces)
        artifact.controls.add(*controls)
        reviewing.redate([artifact.pk])
        version = add(artifact, values | {"stored": True, "body": b"", "scan": scan}, title=named, by=by)
        said: dict[str, Any] = {"version": version.number, "sha256": kept.sha256, "size": kept.size, "scan": scan}
        audit.record(action, actor=by, target=artifact, request=request, at=now, file=name, **said)
    return version


def _looked_at(upload: "UploadedFile[Any]", name: str, now: datetime) -> tuple[kinds.Content, str]:
    file: Any = upload.file
    try:
        content = kinds.refined(file, kinds.of(file, name), name)
        if content.text:
            _must_hold_no_token(upload)
        return content, scanning.scan(file, now)
    except kinds.Unfit as error:
        raise Refused(error.code, error.sentence) from None
    except scanning.Infected as error:
        raise Refused("upload-infected", f"The virus scanner found “{error}” in it.") from None
    except scanning.Away:
        raise Refused("upload-scanner", "The virus scanner does not answer, and nothing is kept unscanned.") from None


def _must_hold_no_token(upload: "UploadedFile[Any]") -> None:
    if any(map(looks_secret, kinds.as_utf8(upload.chunks(kinds.PIECE)))):
        raise Refused("upload-token", "It holds something that looks like an access token.")


def _stored(upload: "UploadedFile[Any]") -> store.Stored:
    try:
        return store.put(upload.chunks(store.PIECE))
    except store.Away as error:
        raise Refused("upload-store", f"The store of files does not take it: {error}.") from None
    except OSError:
        raise Refused("upload-disk-full", intake.DISK_FULL) from None


def _must_be_new(sha256: str, artifact: Artifact | None, again: bool) -> None:
    same = Version.objects.filter(sha256=sha256, stored=True).select_related("artifact").order_by("pk")
    if artifact is not None:
        same = same.filter(artifact=artifact)
    elif again:
        return
    if (found := same.first()) is not None:
        raise Duplicate(found)


def safe_name(raw: str) -> str:
    """A name without folders, control and direction signs, not long, that keeps its ending."""
    last = unicodedata.normalize("NFC", raw.replace("\\", "/").rpartition("/")[2])
    kept = (sign for sign in last if not unicodedata.category(sign).startswith(("C", "Zl", "Zp")))
    plain = "".join(kept).strip(" .") or "file"
    if len(plain) <= LONGEST:
        return plain
    stem, dot, ending = plain.rpartition(".")
    return f"{stem[: LONGEST - 10]}….{ending}" if dot and len(ending) <= 8 else plain[:LONGEST]


def sweep(now: datetime) -> int:
    """Removes files that have been in the store, or on their way into it, for a day without a version; how many."""
    swept = 0
    for path in store.incoming().iterdir():
        if now.timestamp() - path.stat().st_mtime > SWEPT_AFTER.total_seconds():
            path.unlink(missing_ok=True)
            swept += 1
    for sha256, since in store.every():
        if now - since > SWEPT_AFTER and not _named(sha256):
            with transaction.atomic():
                store.one_at_a_time(sha256)
                if not _named(sha256):
                    swept += store.remove(sha256)
    return swept


def _named(sha256: str) -> bool:
    """Whether a version or the zip of an audit lies in the store under this digest."""
    versions = Version.objects.filter(sha256=sha256, stored=True)
    return versions.exists() or Bundle.objects.filter(name=sha256).exists()
