"""Anchors: what is made outside after a publish, what happens when that is refused, and what they find later."""

import io
import json
import os
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pypdf
import pytest
from django.core import mail as outbox
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ

from connectors import anchors, tasks
from connectors.anchors import folder
from connectors.models import Anchor, AnchorTry, Anomaly, Snapshot
from connectors.verification import verify
from evidence import anchored, integrity
from evidence.views import exporting
from portal import canon
from portal.doctor import running
from portal.doctor.findings import Verdict
from portal.models import AuditEntry
from portal.proving import Counted

from .test_verification import attack
from .worlds import World, world

pytestmark = pytest.mark.django_db

Kind = Anchor.Kind


@pytest.fixture(scope="module")
def two_days(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    with world(django_db_blocker, ("workspace", "data-flow")) as made:
        for day in range(2):
            made.simulator.settings.day = day
            assert made.sync().state == "published"
        yield made


@pytest.fixture
def heads(two_days: World) -> list[Snapshot]:
    return list(Snapshot.objects.select_related("workspace").order_by("seq"))


@pytest.fixture
def shelf(settings: Any, tmp_path: Path) -> Path:
    """A folder for anchors, outside of the database."""
    settings.ANCHOR_FOLDER = str(tmp_path / "anchors")
    Path(settings.ANCHOR_FOLDER).mkdir()
    return Path(settings.ANCHOR_FOLDER)


@pytest.fixture
def letters(settings: Any) -> Any:
    settings.SENDS_MAIL, settings.MAIL_FROM, settings.PORTAL_URL = True, "p@example.com", "http://localhost"
    settings.ANCHOR_MAIL = ["auditor@example.com", "board@example.com"]
    return settings


def anchor(now: datetime | None = None) -> list[str]:
    """What the beat queues now, carried out; what each said."""
    now = now or timezone.now()
    before = set(AnchorTry.objects.filter(next_at__gt=now).values_list("pk", flat=True))
    anchors.queue(now)
    due = AnchorTry.objects.exclude(pk__in=before).order_by("pk")
    return [anchors.carry_out(pk, now) for pk in list(due.values_list("pk", flat=True))]


def faults() -> list[str]:
    return [fault.what for fault in verify(Counted()) if fault.invariant == "I8" and fault.grave]


def notes() -> list[str]:
    return [fault.what for fault in verify(Counted()) if fault.invariant == "I8" and not fault.grave]


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


# --- making -------------------------------------------------------------------------------------------------------


def test_without_settings_nothing_is_anchored_and_that_is_a_note(heads: list[Snapshot]) -> None:
    tasks.beat()
    assert not AnchorTry.objects.exists()
    assert faults() == []
    [said] = notes()
    assert "Nothing outside this portal confirms snapshot 2" in said
    assert "No anchor is configured" in said
    assert not anchored.alarms(timezone.now() + timedelta(days=99))


def test_a_beat_queues_one_task_for_each_kind_and_the_task_anchors(
    heads: list[Snapshot], shelf: Path, letters: Any
) -> None:
    before = OrmQ.objects.count()
    tasks.beat()
    tasks.beat()
    assert OrmQ.objects.count() == before + 2
    for row in AnchorTry.objects.all():
        tasks.anchor(row.pk)
        assert tasks.anchor(row.pk) == "it does not wait any more"
    assert sorted(Anchor.objects.values_list("kind", "seq", "header_sha256")) == [
        (kind, 2, heads[1].header_sha256) for kind in ("folder", "mail")
    ]
    assert not AnchorTry.objects.exists()
    assert anchor() == [], "nothing is left to do"
    assert not faults()
    assert not notes()


def test_a_file_says_what_it_confirms_and_cannot_be_written_again(heads: list[Snapshot], shelf: Path) -> None:
    anchor()
    [path] = shelf.iterdir()
    assert path.name == f"{heads[1].workspace.uid}-2-{heads[1].header_sha256}.json"
    said = json.loads(path.read_bytes())
    assert said["header_sha256"] == canon.digest(bytes(heads[1].header)).hex()
    assert canon.signed_by(said["key_id"], bytes.fromhex(said["signature"]), bytes(heads[1].header))
    assert said["published_at"] == heads[1].published_at.isoformat()
    assert path.stat().st_mode & 0o777 == 0o444
    made = Anchor.objects.get()
    assert bytes(made.proof) == path.read_bytes()


def test_killed_between_file_and_row_the_next_try_finds_the_same_file(heads: list[Snapshot], shelf: Path) -> None:
    proof, name = folder.make(heads[1])  # and then the worker dies
    assert not Anchor.objects.exists()
    assert not faults()
    before = (shelf / name).stat().st_mtime_ns
    anchor()
    assert bytes(Anchor.objects.get().proof) == proof
    assert (shelf / name).stat().st_mtime_ns == before
    assert len(list(shelf.iterdir())) == 1


def test_a_store_without_links_takes_each_name_once_as_well(
    heads: list[Snapshot], shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    anchor()
    [path] = shelf.iterdir()
    assert path.read_bytes() == folder.contents(heads[1])


def test_a_file_with_other_bytes_is_never_written_over_and_an_alarm(heads: list[Snapshot], shelf: Path) -> None:
    path = shelf / folder.name_of(heads[1])
    path.write_bytes(b"{}\n")
    now = timezone.now()
    assert anchor(now) == ["anchor-contradicted"]
    assert path.read_bytes() == b"{}\n"
    assert anchored.alarms(now)[0].code == "anchor-contradicted"
    assert running.anchors_are_made(now).code == "anchor-contradicted"
    assert "was changed" in faults()[0]


def test_a_folder_that_is_not_there_is_tried_again_until_it_is(heads: list[Snapshot], shelf: Path) -> None:
    shelf.rmdir()
    now = timezone.now()
    assert anchor(now) == ["anchor-folder"]
    row = AnchorTry.objects.get()
    assert (row.code, row.tried_at) == ("anchor-folder", now)
    assert "No such file" in row.message
    assert str(shelf) not in row.message
    assert anchor(now + timedelta(minutes=14)) == []
    shelf.mkdir()
    assert len(anchor(now + timedelta(minutes=15))) == 1
    assert Anchor.objects.count() == 1
    assert not AnchorTry.objects.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_cannot_be_written_is_a_named_refusal(heads: list[Snapshot], shelf: Path) -> None:
    shelf.chmod(0o555)
    assert anchor() == ["anchor-folder"]
    shelf.chmod(0o755)


def test_a_mail_names_workspace_number_digest_and_time(heads: list[Snapshot], letters: Any) -> None:
    anchor()
    assert [mail.to for mail in outbox.outbox] == [["auditor@example.com"], ["board@example.com"]]
    mail = outbox.outbox[0]
    for said in (heads[1].workspace.name, str(heads[1].workspace.uid), "Snapshot: 2", heads[1].key_id, "Published: "):
        assert said in mail.body
    assert heads[1].header_sha256 in mail.body.splitlines()
    assert heads[1].header_sha256[:16] in mail.subject
    kept = json.loads(bytes(Anchor.objects.get().proof))
    assert len(kept["message_ids"]) == 2
    assert kept["lines"][-1] == heads[1].header_sha256


def test_a_mail_that_no_address_takes_is_tried_again(heads: list[Snapshot], letters: Any) -> None:
    letters.ANCHOR_MAIL = ["not an address"]
    now = timezone.now()
    assert anchor(now) == ["mail-refused"]
    letters.ANCHOR_MAIL = ["not an address", "auditor@example.com"]
    anchor(now + anchors.making.AGAIN)
    assert Anchor.objects.get().detail.startswith("1 of 2 addresses took it")


# --- what anchors find --------------------------------------------------------------------------------------------


def cut_tail() -> None:
    """The database as it was after the first day, as far as the chain goes."""
    attack("DELETE FROM connectors_change WHERE seq = 2")
    if Anomaly.objects.exists():
        attack("DELETE FROM connectors_anomaly")
    attack("DELETE FROM connectors_snapshot WHERE seq = 2")
    attack("UPDATE connectors_workspace SET head = 1")


def test_a_cut_tail_is_found_by_the_anchor_that_is_beyond_it(heads: list[Snapshot], shelf: Path) -> None:
    anchor()
    cut_tail()
    found = faults()
    assert "it was cut, or an older backup was restored" in found[0]
    assert anchored.alarms(timezone.now())[0].what == "An anchor contradicts the chain"
    assert running.anchors_are_made(timezone.now()).verdict is Verdict.FAIL


def test_an_older_database_is_found_by_the_folder_alone(heads: list[Snapshot], shelf: Path) -> None:
    (shelf / folder.name_of(heads[0])).write_bytes(folder.contents(heads[0]))
    anchor()
    cut_tail()
    attack("DELETE FROM connectors_anchor")
    assert not anchored.alarms(timezone.now()), "nothing in the database knows of it"
    [found] = faults()
    assert "snapshot 2, which is not there" in found
    assert anchor() == ["anchor-contradicted"], "the next try sees it, before any night's verification"
    assert anchored.alarms(timezone.now())[0].code == "anchor-contradicted"


def test_a_history_that_was_written_anew_is_not_anchored_beside_the_old(heads: list[Snapshot], shelf: Path) -> None:
    anchor()
    attack("UPDATE connectors_snapshot SET header_sha256 = %s WHERE seq = 2", "ab" * 32)
    assert any("written anew" in what for what in faults())
    assert anchor() == ["anchor-contradicted"]


def test_an_empty_database_is_found_by_the_folder(heads: list[Snapshot], shelf: Path) -> None:
    anchor()
    attack("DELETE FROM connectors_anchor")
    attack("UPDATE connectors_workspace SET uid = %s", "0" * 32)
    assert any("which is not there" in what for what in faults())


@pytest.mark.parametrize("harm", ["edited", "gone"])
def test_a_file_that_was_harmed_is_named(heads: list[Snapshot], shelf: Path, harm: str) -> None:
    anchor()
    [path] = shelf.iterdir()
    path.unlink()
    if harm == "edited":
        path.write_bytes(folder.contents(heads[1]).replace(b'"snapshot":2', b'"snapshot":3'))
    [found] = faults()
    assert path.name in found


def test_a_row_that_was_harmed_is_named(heads: list[Snapshot], shelf: Path) -> None:
    anchor()
    attack("UPDATE connectors_anchor SET proof = %s", b"{}")
    assert faults() == ["What is kept of its file is not what was put into the folder."]


def test_where_the_folder_cannot_be_seen_that_is_a_note(heads: list[Snapshot], shelf: Path, settings: Any) -> None:
    anchor()
    shelf.rename(shelf.with_name("elsewhere"))
    assert faults() == []
    assert "cannot be read from here" in notes()[0]
    settings.ANCHOR_FOLDER = ""
    assert "not read again" in notes()[0]


def test_an_anchor_of_an_older_head_says_how_far_it_reaches(two_days: World, shelf: Path) -> None:
    anchor()
    two_days.simulator.settings.day = 2
    assert two_days.sync().state == "published"
    assert any("The newest that is anchored is 2." in what for what in notes())
    assert not faults()


def test_anchors_are_written_once(heads: list[Snapshot], shelf: Path) -> None:
    anchor()
    made = Anchor.objects.get()
    with pytest.raises(canon.WrittenOnce):
        made.delete()
    assert not canon.unguarded(database)[0]


# --- pages and alarms ---------------------------------------------------------------------------------------------


def test_late_is_an_alarm_with_the_last_refusal(heads: list[Snapshot], shelf: Path, settings: Any) -> None:
    shelf.rmdir()
    now = heads[0].published_at + timedelta(hours=23)
    anchor(now)
    assert not anchored.alarms(now)
    later = heads[0].published_at + timedelta(hours=25)
    [matter] = anchored.alarms(later)
    assert "not anchored in time" in matter.what
    assert "The folder for anchors refuses the file" in matter.why
    assert matter in integrity.alarms(later)
    assert running.anchors_are_made(later).code == "anchor-folder"
    AnchorTry.objects.all().delete()
    assert anchored.alarms(later)[0].code == "anchor-late"
    settings.ANCHOR_WITHIN = timedelta(hours=48)
    assert not anchored.alarms(later)
    assert running.anchors_are_made(later).verdict is Verdict.PASS


@pytest.fixture
def auditor(client: Any, people: dict[str, Any]) -> Any:
    client.force_login(people["Auditor"])
    return client


def test_integrity_shows_each_kind_and_how_far_each_workspace_is_confirmed(
    auditor: Any, heads: list[Snapshot], shelf: Path, letters: Any
) -> None:
    letters.ANCHOR_MAIL = ["not an address"]
    anchor()
    said = text(auditor.get("/integrity/"))
    assert "Write-once folder Confirmed 1 of 1" in said
    assert "Time stamp (RFC 3161) Off" in said
    assert "Snapshot 2, just now" in said
    assert "Never yet; open since" in said
    assert "“not an address” is no address for mail." in said
    assert "mail-refused" in said
    assert "An anchor contradicts" not in text(auditor.get("/"))


def test_the_list_is_searched_filtered_and_its_proofs_are_handed_out(
    auditor: Any, heads: list[Snapshot], shelf: Path, letters: Any
) -> None:
    assert "Nothing is anchored yet" in text(auditor.get("/integrity/anchors/"))
    anchor()
    assert "2 anchors" in text(auditor.get("/integrity/anchors/?sort=-snapshot"))
    assert "1 anchor " in text(auditor.get("/integrity/anchors/?kind=mail"))
    assert "2 anchors" in text(auditor.get(f"/integrity/anchors/?q={heads[1].header_sha256[:20]}"))
    assert "No anchor matches" in text(auditor.get("/integrity/anchors/?q=nonsense"))
    made = Anchor.objects.get(kind="folder")
    answer = auditor.get(f"/integrity/anchors/{made.pk}/proof/")
    assert answer.content == folder.contents(heads[1])
    assert answer["Content-Disposition"].endswith(f'anchor-folder-s2-{heads[1].header_sha256[:16]}.json"')
    assert AuditEntry.objects.order_by("-pk")[0].target == f"anchor {made.pk}"


def wording(data: bytes) -> str:
    """All text of an export, without white space."""
    if data.startswith(b"%PDF"):
        data = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages).encode()
    return "".join(data.decode().split())


@pytest.mark.parametrize("fmt", exporting.TYPES)
def test_every_export_names_its_snapshot_and_the_whole_digest_of_its_header(
    auditor: Any, heads: list[Snapshot], fmt: str
) -> None:
    for head in heads:
        answer = auditor.get(f"/workspaces/{head.workspace_id}/reports/sources/export.{fmt}?as_of={head.seq}")
        said = wording(answer.getvalue())
        assert head.header_sha256 in said
        assert re.search(rf'(?i)"?snapshot"?:?{head.seq}(?![0-9])', said)


def test_every_page_of_a_pdf_carries_the_digest_in_its_footer(auditor: Any, heads: list[Snapshot]) -> None:
    answer = auditor.get(f"/workspaces/{heads[1].workspace_id}/reports/sources/export.pdf")
    for page in pypdf.PdfReader(io.BytesIO(answer.content)).pages:
        said = "".join(page.extract_text().split())
        assert f"Snapshot2,header{heads[1].header_sha256[:8]}…{heads[1].header_sha256[-8:]}" in said


def test_alarms_and_pages_cost_the_same_whatever_there_is(heads: list[Snapshot], shelf: Path) -> None:
    def cost() -> int:
        with CaptureQueriesContext(database) as seen:
            anchored.alarms(timezone.now())
            anchored.lines(timezone.now())
        return len(seen)

    before = cost()
    anchor()
    assert cost() == before
