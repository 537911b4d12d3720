"""What the check says of a token: in sentences, stream by stream with its evidence, and what less would do."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from connectors import registry, rights
from connectors.models import Connection
from connectors.rights import Cause
from connectors.segment.simulator import Fault, Simulator, serve

from .wizards import BASE, Watching, administrator, begin, both_regions, checked, give, text

SEGMENT = registry.get("segment")
OWNER, MEMBER = (rights.role_of(SEGMENT, name) for name in ("owner", "member"))


# --- decided from declarations alone ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stream", "status", "owner", "member"),
    [
        ("sources", 403, Cause.UNKNOWN, Cause.ROLE),  # a role, and nothing else, is declared
        ("sources", 401, Cause.UNKNOWN, Cause.ROLE),
        ("users", 403, Cause.UNKNOWN, Cause.ROLE),  # no lesser role is documented
        ("sources", 404, Cause.UNKNOWN, Cause.UNKNOWN),
        ("workspace", 403, Cause.UNKNOWN, Cause.UNKNOWN),  # any token reads it
        ("groups", 403, Cause.PLAN, Cause.UNKNOWN),
        ("groups", 404, Cause.PLAN, Cause.UNKNOWN),
        ("tracking_plans", 404, Cause.PLAN, Cause.UNKNOWN),
        ("functions", 404, Cause.OFF, Cause.UNKNOWN),
        ("functions", 403, Cause.OFF, Cause.UNKNOWN),
        ("sources", 500, Cause.FAILED, Cause.FAILED),
        ("groups", 0, Cause.FAILED, Cause.FAILED),
    ],
)
def test_the_reason_of_a_refusal_is_what_is_left_when_the_others_are_ruled_out(
    stream: str, status: int, owner: Cause, member: Cause
) -> None:
    declared = SEGMENT.stream(stream)
    found = [rights.cause(declared, "denied", status, role) for role in (OWNER, MEMBER, None)]
    assert found == [owner, member, member]
    assert all(rights.why(declared, each, OWNER) for each in found if each is not Cause.FAILED)


def test_an_answer_that_contradicts_the_role_leaves_every_reason_open() -> None:
    assert rights.contradicted(SEGMENT, {"users": 403, "groups": 403}, OWNER)
    assert not rights.contradicted(SEGMENT, {"users": 200, "groups": 403}, OWNER), "a plan may keep groups back"
    assert not rights.contradicted(SEGMENT, {"users": 403}, MEMBER)
    assert rights.cause(SEGMENT.stream("groups"), "denied", 403, OWNER, doubted=True) is Cause.UNKNOWN


def chosen(*groups: str) -> list[Any]:
    return SEGMENT.chosen(groups)


def test_the_least_for_sources_and_warehouses_is_two_roles_that_only_read() -> None:
    advice = rights.advice(SEGMENT, chosen("data-flow"), OWNER)
    assert [each.role.name for each in advice.needed] == ["Source Read-only", "Warehouse Destination Read-only"]
    assert (advice.none, advice.changes, advice.plans) == ((), (), ("Business",))
    assert advice.excess
    assert advice.savings == (), "leaving out the only group leaves nothing to read"
    assert not rights.advice(SEGMENT, chosen("data-flow"), MEMBER).excess


def test_what_no_lesser_role_reads_is_named_with_the_group_that_brings_it() -> None:
    advice = rights.advice(SEGMENT, chosen("data-flow", "people", "functions"), OWNER)
    assert {stream.name for stream in advice.none} >= {"users", "roles", "groups"}
    assert "credentials" not in {stream.name for stream in advice.none}
    assert [role.name for role in advice.changes] == ["Entities Admin"], "the only role that would do may also change"
    saved = {each.group.name: each for each in advice.savings}
    assert [role.name for role in saved["people"].roles] == ["Entities Admin"]
    assert saved["people"].unread == advice.none
    assert [role.name for role in saved["functions"].roles] == ["Function Read-only"]
    without = rights.advice(SEGMENT, chosen("data-flow", "functions"), OWNER)
    assert without.none == ()
    assert len(without.needed) == len(advice.needed) - 1


def test_every_chosen_stream_is_in_the_advice_once_for_each_of_its_roles() -> None:
    every = [stream for stream in SEGMENT.streams if not stream.open]
    advice = rights.advice(SEGMENT, SEGMENT.streams, None)
    for stream in every:
        roles = [each.role.name for each in advice.needed if stream in each.streams]
        assert sorted(roles) == sorted(stream.roles)
        assert (stream in advice.none) is not bool(stream.roles)


# --- on the page ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with serve(size="small", eu_port=0) as simulator:
        yield simulator


@pytest.fixture
def segment(running: Simulator, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    return both_regions(running, settings, monkeypatch)


@pytest.fixture
def admin(db: None, segment: Simulator, caplog: pytest.LogCaptureFixture) -> Iterator[Watching]:
    with administrator(segment, caplog) as browser:
        yield browser


def check(admin: Watching, token: str, *groups: str, **given: str) -> Any:
    """The page after a check of this token, with these groups chosen."""
    pk = begin(admin)
    give(admin, pk, token, **given)
    sent = {"what": "1", "groups": list(groups or ("workspace", "data-flow", "people"))}
    return admin.post(f"{BASE}{pk}/check/", sent, follow=True)


def of_streams(answer: Any) -> dict[str, str]:
    """Title of a stream -> what its line in the table says."""
    rows = re.findall(r'<th scope="row">([^<]+).*?</tr>', answer.content.decode(), re.DOTALL)
    lines = re.findall(r'<tr[^>]*>\s*<th scope="row">.*?</tr>', answer.content.decode(), re.DOTALL)
    return {title: " ".join(re.sub(r"<[^>]+>", " ", line).split()) for title, line in zip(rows, lines, strict=True)}


def test_a_good_token_is_explained_with_workspace_region_and_counts(admin: Watching, segment: Simulator) -> None:
    said = text(check(admin, segment.tokens["owner"]))
    assert re.search(r"The token opens “Fernhill Outdoor” \(fernhill-outdoor\), id \w+\.", said)
    assert "was asked first. It answered, so no other region was asked." in said
    assert re.search(r"It may read (\d+) of the \1 streams that were asked\. \d+ were not asked\.", said)
    assert "never as empty" not in said, "nothing is missing"


def test_the_region_that_was_asked_first_is_named_with_what_it_said(admin: Watching, segment: Simulator) -> None:
    said = text(check(admin, segment.tokens["eu_owner"], region="us"))
    first = re.search(r"us \(\S+\) was asked first: Segment rejects the token \(401\)\.", said)
    then = re.search(r"eu \(\S+\) was asked then\. It answered: the workspace is there", said)
    assert first
    assert then
    assert first.start() < then.start()
    assert "Tokens in Segment, Europe" in said
    assert "Tokens in Segment, United States" not in said


def test_a_narrow_token_is_told_by_cause_what_is_missing_and_what_it_means(admin: Watching, segment: Simulator) -> None:
    answer = check(admin, segment.tokens["member_minimal"], role="member")
    said, lines = text(answer), of_streams(answer)
    assert "the token's roles do not cover them" in said
    assert "Give the token the roles that the table names" in said
    assert "the answer does not say whether for the token's role or for the plan" in said
    assert "never as empty" in said
    assert "absence proves nothing here" in said
    assert "Not with this role" in lines["Sources"]
    assert "Needs: role Source Read-only" in lines["Sources"]
    assert "403 GET /sources" in lines["Sources"]
    assert "Role or plan unknown" in lines["Groups"]
    assert "not on the plan Business" in lines["Groups"]
    assert "Not checked" in lines["Warehouse connections"]


def test_an_owner_that_is_refused_what_no_plan_keeps_back_may_be_none(admin: Watching, segment: Simulator) -> None:
    said = text(check(admin, segment.tokens["member_minimal"], role="owner"))
    assert "said to be a Workspace Owner's" in said
    assert "Not on this plan" not in said
    segment.faults.append(Fault("^/groups$", "not_enabled", times=None))
    said = text(check(admin, segment.tokens["owner"], role="owner"))
    assert "said to be a Workspace Owner's" not in said
    assert "Not on this plan" in said


def test_each_verdict_has_the_time_of_its_own_request(admin: Watching, segment: Simulator) -> None:
    before = timezone.now() - timedelta(seconds=1)
    check(admin, segment.tokens["owner"])
    row = Connection.objects.get()
    asked = [found for found in row.capabilities["streams"].values() if found["status"]]
    assert all(before <= datetime.fromisoformat(found["at"]) <= timezone.now() for found in asked)
    assert not [f for f in row.capabilities["streams"].values() if not f["status"] and f["at"]]


def test_the_table_is_filtered_by_the_address(admin: Watching, segment: Simulator) -> None:
    everything = check(admin, segment.tokens["member_minimal"], role="member")
    at = f"{BASE}{Connection.objects.get().pk}/check/"
    every = of_streams(everything)
    offered = re.findall(r'class="chip" href="\?show=(\w+)#streams"', everything.content.decode())
    assert {"readable", "role", "unknown", "not_checked"} <= set(offered)
    seen: dict[str, str] = {}
    for cause in offered:
        page = admin.get(at, {"show": cause})
        assert f'href="?show={cause}#streams" aria-current="true"' in page.content.decode()
        seen |= of_streams(page)
    assert seen == every, "the filters together show every line once"
    assert of_streams(admin.get(at, {"show": "role"})).keys() < every.keys()
    assert of_streams(admin.get(at, {"show": "nonsense"})) == every
    assert "No stream of this verdict" in text(admin.get(at, {"show": "failed"}))


@pytest.mark.parametrize(
    ("token", "groups", "words"),
    [
        ("owner", ("data-flow",), r"(\d+) of \1 sources asked showed their write keys to this token"),
        ("member", ("data-flow",), r"Of \d+ sources asked, none showed write keys"),
        ("member_minimal", ("data-flow",), r"Not known whether this token is shown write keys: sources were not read"),
        ("owner", ("people",), r"Not known whether this token is shown write keys: sources were not read"),
    ],
)
def test_whether_write_keys_are_shown_is_counted_and_none_is_kept(
    admin: Watching, segment: Simulator, token: str, groups: tuple[str, ...], words: str
) -> None:
    asked = len(segment.requests)
    answer = check(admin, segment.tokens[token], *groups, role="owner" if token == "owner" else "member")
    assert re.search(words, text(answer))
    assert len([entry for entry in segment.requests[asked:] if entry.path == "/sources"]) == ("data-flow" in groups)
    everywhere = json.dumps(list(Connection.objects.values("capabilities"))) + answer.content.decode()
    assert not [secret for secret in segment.secrets if secret in everywhere]


def test_a_workspace_without_sources_proves_nothing_of_write_keys(admin: Watching, segment: Simulator) -> None:
    segment.faults.append(Fault("^/sources$", "empty", times=None))
    said = text(check(admin, segment.tokens["owner"], "data-flow"))
    assert "Not known whether this token is shown write keys: there are no sources yet." in said


def test_advice_stands_below_the_check(admin: Watching, segment: Simulator) -> None:
    said = text(check(admin, segment.tokens["owner"], "data-flow", "people"))
    for words in (
        "The least that would do",
        "Source Read-only , for",
        "no lesser role is documented",
        "Entities Admin",
        "It may also change entity models",
        "could change everything in the workspace",
        "Without People and access : no role Entities Admin",
    ):
        assert words in said


def test_a_check_that_was_kept_by_an_older_version_still_reads(admin: Watching, segment: Simulator) -> None:
    check(admin, segment.tokens["owner"])
    row = Connection.objects.get()
    old = row.capabilities
    del old["first"], old["exposed"]
    for found in old["streams"].values():
        del found["at"]
    Connection.objects.update(capabilities=old)
    said = text(admin.get(f"{BASE}{row.pk}/check/"))
    assert "was asked first" in said
    assert "Not known whether this token is shown write keys" in said
    assert checked(admin, row.pk).status_code == 200
