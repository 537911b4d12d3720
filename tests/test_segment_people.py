"""People and access: effective rights, and what of them nobody knows."""

import pytest

from connectors.spec import Coverage, State
from tests.snapshots import ALL_OF_IT, INCOMPLETE, WORKSPACE, Fake, build, right, rows, unknown, word, workspace


def test_effective_rights_are_direct_ones_and_those_of_groups() -> None:
    report = build("people", Fake(WORKSPACE))
    abel, mira, zora = rows(report, "people")
    assert (abel["direct"], abel["groups"]) == (("Source Admin",), ("Desk",))
    assert (abel["effective"], abel["resources"], abel["owner"]) == (("Source Admin", "Source Read-only"), 2, False)
    assert (mira["name"], mira["direct"], mira["effective"]) == ("mira@example.com", (), ("Source Read-only",))
    assert (zora["owner"], zora["groups"], zora["resources"]) == (True, (), 1)
    assert dict(report.facts) == {
        "People": 3,
        "Workspace Owners": 1,
        "Groups": 2,
        "Open invitations": 2,
        "Credentials": 1,
    }
    told = [
        (row["person"], row["role"], row["scope_type"], row["scope"], row["scope_id"], row["held"], row["group"])
        for row in rows(report, "rights")
    ]
    assert told == [
        ("Abel", "Source Admin", "SOURCE", "web", "s1", "Directly", None),
        ("Abel", "Source Admin", "SOURCE", None, "s9", "Directly", None),
        ("Abel", "Source Read-only", "SOURCE", "web", "s1", "Through a group", "Desk"),
        ("mira@example.com", "Source Read-only", "SOURCE", "web", "s1", "Through a group", "Desk"),
        ("zora", "Workspace Owner", "WORKSPACE", "Example", "w", "Directly", None),
    ]


def test_groups_list_their_members_and_invitations_their_addresses() -> None:
    report = build("people", Fake(WORKSPACE))
    desk, empty = rows(report, "groups")
    assert (desk["count"], desk["members"], desk["roles"]) == (2, ("Abel", "mira@example.com"), ("Source Read-only",))
    assert (empty["count"], empty["members"], empty["roles"]) == (0, (), ())
    assert [(row["email"], row["groups"]) for row in rows(report, "invitations")] == [
        ("Also@example.com", ()),
        ("new@example.com", ("Desk",)),
        ("third@example.com", ("empty",)),
    ]
    denied = build("people", Fake(workspace(group_users=[]), {"group_users": Coverage.DENIED}))
    assert all(unknown(row["members"]) for row in rows(denied, "groups"))


@pytest.mark.parametrize("coverage", INCOMPLETE)
@pytest.mark.parametrize("stream", ["user_permissions", "groups", "group_users"])
def test_rights_that_could_not_be_read_are_unknown_never_none(stream: str, coverage: Coverage) -> None:
    view = Fake(workspace(**{stream: []}), {stream: coverage})
    report = build("people", view)
    for row in rows(report, "people"):
        assert unknown(row["effective"])
        assert unknown(row["resources"])
        assert unknown(row["direct"]) == (stream == "user_permissions")
        assert unknown(row["groups"]) == (stream != "user_permissions")
        assert row["owner"] is True or unknown(row["owner"])
    unsure = {row["person"] for row in rows(report, "rights") if unknown(row["role"])}
    assert unsure == {"Abel", "mira@example.com", "zora"}
    assert unknown(dict(report.facts)["Workspace Owners"])
    if stream != "user_permissions":
        assert word(dict(report.facts)["Workspace Owners"]) == "At least 1"
        assert ("zora", True) in {(row["person"], row["role"] == "Workspace Owner") for row in rows(report, "rights")}


def test_rights_of_an_older_snapshot_are_shown_and_called_incomplete() -> None:
    view = Fake(WORKSPACE, {"user_permissions": Coverage.FAILED, "users": Coverage.FAILED}, as_of=3)
    report = build("people", view)
    abel = [row["role"] for row in rows(report, "rights") if row["person"] == "Abel"]
    assert "Source Admin" in abel
    assert any(map(unknown, abel))
    assert dict(report.facts)["People"] == State("failed", "Failed", "The token may not. 3 as of snapshot 3.")


def test_a_person_or_a_group_without_a_list_of_rights_is_unknown() -> None:
    nobody = workspace(
        users=[{"id": "u1", "name": "A"}, {"id": "u2", "name": "B"}, {"id": "u3", "name": "C"}],
        user_permissions=[{"userId": "u1", "permissions": None}, {"userId": "u3", "permissions": []}],
        groups=[{"id": "g1", "name": "Desk", "memberCount": 1}],
        group_users=[{"groupId": "g1", "userId": "u3"}],
    )
    a, b, c = rows(build("people", Fake(nobody)), "people")
    assert unknown(a["direct"])
    assert unknown(b["direct"]), "Segment was not asked about this person"
    assert c["direct"] == ()
    assert unknown(c["effective"])
    assert unknown(rows(build("people", Fake(nobody)), "groups")[0]["roles"])


def test_people_who_are_not_listed_but_have_rights_are_shown() -> None:
    strangers = workspace(users=[], group_users=[{"groupId": "g9", "userId": "u9"}])
    strangers["user_permissions"].append({"userId": "u9", "permissions": []})
    found = {row["id"]: row for row in rows(build("people", Fake(strangers)), "people")}
    assert found.keys() == {"u1", "u2", "u3", "u9"}
    assert found["u1"]["name"] == "u1"
    assert unknown(found["u9"]["effective"]), "what group g9 gives was not read"


def test_rights_by_label_and_by_role_id_alone() -> None:
    held = right("Source Read-only", ALL_OF_IT, labels=[("env", "test")])
    nameless = {"roleId": "r1", "resources": []}
    view = Fake(
        workspace(
            user_permissions=[{"userId": "u1", "permissions": [held, nameless]}],
            roles=[{"id": "r1", "name": "Function Admin"}],
            groups=[],
            group_users=[],
        )
    )
    zora = [row for row in rows(build("people", view), "rights") if row["person"] == "zora"]
    assert [(row["role"], row["scope_type"], row["labels"]) for row in zora] == [
        ("Function Admin", None, ()),
        ("Source Read-only", "WORKSPACE", ("env: test",)),
    ]
