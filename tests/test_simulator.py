"""The simulator keeps to the vendor's schema, to its own story, and to what the fact sheet says of the wire."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import product
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from connectors.segment.simulator import Simulator, hostile, serve
from connectors.segment.simulator.endpoints import ENDPOINTS, Endpoint
from connectors.segment.simulator.view import View
from connectors.segment.simulator.world import Kind, World
from tests.simulating import ask, items, pages

Json = Any
SCHEMA = json.loads((Path(__file__).parent / "segment_schema.json").read_text())


def understood(schema: Json) -> Json:
    """OpenAPI 3.0 as JSON Schema 2020-12; an object with named fields may have no others, so typing errors show."""
    if isinstance(schema, list):
        return [understood(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: understood(part) for name, part in schema.items() if name != "nullable"}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        plain.setdefault("additionalProperties", False)
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain


REGISTRY: Registry[Json] = Registry().with_resource(
    "urn:segment", DRAFT202012.create_resource(understood(SCHEMA))
)  # fmt: skip


@cache
def validator(reference: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"urn:segment{reference}"}, registry=REGISTRY)


def validate(endpoint: Endpoint, body: Json) -> None:
    answer = SCHEMA["paths"][endpoint.path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    validator(answer["$ref"]).validate(body)


def validate_error(response: requests.Response, status: int) -> Json:
    assert response.status_code == status, response.text
    validator("#/components/schemas/RequestErrorEnvelope").validate(response.json())
    assert response.json()["errors"][0]["status"] == status
    return response.json()["errors"][0]


SPAN = {"startTime": "2026-09-25T00:00:00Z", "endTime": "2026-10-02", "granularity": "DAY"}
GIVEN = {**SPAN, "period": "2026-09-01"}


def paths(endpoint: Endpoint, world: World) -> Iterator[tuple[str, dict[str, str]]]:
    """Every path an endpoint answers in a world, with the parameters it must have."""
    for idents in product(*(world.numbers(kind) for kind in endpoint.kinds)):
        named = dict(zip(endpoint.kinds, idents, strict=True))
        for params in chosen(endpoint, world, named):
            yield endpoint.path_of(idents), params


def chosen(endpoint: Endpoint, world: World, named: dict[Kind, str]) -> Iterator[dict[str, str]]:
    """Every set of parameters that must be given, with ids that belong together."""
    must = {name[:-1]: param for name, param in endpoint.params.items() if name.endswith("!")}
    names = [name for name in must if name in endpoint.queried or name not in GIVEN]
    values = [list(world.numbers(endpoint.queried[name])) if name in endpoint.queried else must[name] for name in names]
    for picked in product(*values):
        params = {name: GIVEN[name] for name in must if name in GIVEN} | dict(zip(names, picked, strict=True))
        at = named | {kind: params[name] for name, kind in endpoint.queried.items()}
        if View(world, "owner").belong({kind: world.numbers(kind)[ident] for kind, ident in at.items()}):
            yield params


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with serve(eu_port=0) as running:
        yield running


# --- the schema --------------------------------------------------------------------------------------


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.path)
def test_every_answer_validates(simulator: Simulator, endpoint: Endpoint) -> None:
    found = 0
    for path, params in paths(endpoint, simulator.api.world()):
        for body in pages(simulator, path, params=params):
            validate(endpoint, body)
            found += len(body["data"][endpoint.key]) if endpoint.key else 1
    assert found, "nothing was validated"


@pytest.mark.parametrize(
    "endpoint", [each for each in ENDPOINTS if each.key and each.paged], ids=lambda each: each.path
)
def test_short_pages_hold_the_same_as_long_ones(simulator: Simulator, endpoint: Endpoint) -> None:
    path, params = next(iter(paths(endpoint, simulator.api.world())))
    whole = items(simulator, path, endpoint.key, params=params)
    parts = list(pages(simulator, path, params=params, count=max(1, len(whole) // 3)))
    assert [item for body in parts for item in body["data"][endpoint.key]] == whole
    for body in parts:
        validate(endpoint, body)
    ends = [body["data"]["pagination"] for body in parts]
    assert ("next" in ends[-1]) is (endpoint.end == "null")
    assert "previous" not in ends[0]
    assert all("previous" in end for end in ends[1:])
    assert {end.get("totalEntries") for end in ends} == {len(whole) if endpoint.total else None}


def test_hostile_names_are_served_whole_and_validate() -> None:
    with serve(hostile=True, user_permissions=True) as simulator:
        assert {source["name"] for source in items(simulator, "/sources", "sources")} < set(hostile.NAMES)
        named = {item["name"] for item in items(simulator, "/destinations", "destinations")}
        assert set(hostile.NAMES) < named
        assert max(map(len, named)) > 10_000
        space = simulator.api.world().spaces[0]["id"]
        for listing, key in (("audiences", "audiences"), ("computed-traits", "computedTraits")):
            assert {one["name"] for one in items(simulator, f"/spaces/{space}/{listing}", key)} <= set(hostile.NAMES)
        for endpoint in ENDPOINTS:
            path, params = next(iter(paths(endpoint, simulator.api.world())))
            for body in pages(simulator, path, params=params):
                validate(endpoint, body)


# --- errors and pagination ---------------------------------------------------------------------------


def test_errors_have_the_envelope(simulator: Simulator) -> None:
    source = simulator.api.world().sources[0]["id"]
    validate_error(requests.get(simulator.url + "/", timeout=5), 401)
    validate_error(ask(simulator, "/", "revoked"), 401)
    validate_error(ask(simulator, "/users", "member"), 403)
    validate_error(ask(simulator, "/nowhere"), 404)
    validate_error(ask(simulator, "/sources/unknown"), 404)
    validate_error(ask(simulator, "/functions"), 422)
    validate_error(ask(simulator, "/functions", params={"resourceType": "NONE"}), 422)
    validate_error(ask(simulator, "/tracking-plans", params={"type": "NONE"}), 422)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        sent = requests.request(method, f"{simulator.url}/sources/{source}", json={"enabled": False}, timeout=5)
        validate_error(sent, 405)
        assert sent.headers["Allow"] == "GET"


@pytest.mark.parametrize("query", ["pagination[{}]", "pagination.{}", "pagination%5B{}%5D"])
def test_pagination_is_understood_in_each_spelling(simulator: Simulator, query: str) -> None:
    first = ask(simulator, f"/sources?{query.format('count')}=7").json()["data"]
    follow = first["pagination"]["next"].replace("+", "%2B")
    second = ask(simulator, f"/sources?{query.format('count')}=7&{query.format('cursor')}={follow}").json()["data"]
    ids = [source["id"] for source in simulator.api.world().sources]
    assert [source["id"] for source in first["sources"] + second["sources"]] == ids[:14]


@pytest.mark.parametrize("count", ["0", "-1", "1001", "many", "", "1.5", "10000000001"])
def test_a_count_out_of_bounds_is_refused(simulator: Simulator, count: str) -> None:
    refused = ask(simulator, "/sources", params={"pagination[count]": count})
    assert validate_error(refused, 422)["field"] == "pagination.count"


def test_a_page_has_200_items_unless_asked_and_a_cap_is_kept() -> None:
    with serve(size="medium") as simulator:
        assert len(ask(simulator, "/destinations").json()["data"]["destinations"]) == 200
        assert (
            len(ask(simulator, "/destinations", params={"pagination[count]": "1000"}).json()["data"]["destinations"])
            == 400
        )
        simulator.settings.cap = 30
        assert len(ask(simulator, "/destinations").json()["data"]["destinations"]) == 30


def test_cursors_are_opaque_and_good_for_one_list(simulator: Simulator) -> None:
    cursor = ask(simulator, "/sources", params={"pagination[count]": "5"}).json()["data"]["pagination"]["next"]
    swapped = cursor[::-1] if cursor[::-1] != cursor else "A" + cursor[1:]
    for path, wrong in (("/destinations", cursor), ("/sources", swapped), ("/sources", "NQ=="), ("/sources", "5")):
        refused = ask(simulator, path, params={"pagination[cursor]": wrong})
        assert validate_error(refused, 422)["field"] == "pagination.cursor"
    assert ask(simulator, "/sources", params={"pagination[cursor]": cursor}).status_code == 200


def test_latency_of_requests_overlaps() -> None:
    with serve(latency_ms=100) as simulator, ThreadPoolExecutor(10) as pool:
        began = monotonic()
        assert [pool.submit(ask, simulator, "/").result().status_code for _ in range(2)] == [200, 200]
        assert monotonic() - began >= 0.2
        began = monotonic()
        assert {answer.status_code for answer in pool.map(lambda _: ask(simulator, "/"), range(10))} == {200}
        assert 0.1 <= monotonic() - began < 0.9


# --- who sees what -----------------------------------------------------------------------------------


def test_tokens_open_their_own_workspace_in_their_own_region(simulator: Simulator) -> None:
    def identity(url: str, token: str) -> str | int:
        headers = {"Authorization": f"Bearer {simulator.tokens[token]}"}
        answer = requests.get(url + "/", headers=headers, timeout=5)
        return str(answer.json()["data"]["workspace"]["slug"]) if answer.ok else answer.status_code

    us = {token: identity(simulator.url, token) for token in simulator.tokens}
    eu = {token: identity(simulator.eu_url, token) for token in simulator.tokens}
    home = dict.fromkeys(("owner", "owner_second", "member", "member_minimal"), "fernhill-outdoor")
    assert us == {**home, "other": "larkspur-books", "revoked": 401, "eu_owner": 401, "eu_member": 401}
    assert eu == {**dict.fromkeys(us, 401), "eu_owner": "fernhill-europe", "eu_member": "fernhill-europe"}
    assert all(len(text) == 68 and text.startswith("sgp_") for text in simulator.tokens.values())
    assert len({text[-4:] for text in simulator.tokens.values()}) == len(simulator.tokens)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.path)
def test_a_member_sees_less(simulator: Simulator, endpoint: Endpoint) -> None:
    refused = {
        "/users",
        "/groups",
        "/roles",
        "/invites",
        "/audit-events",
        "/credentials",
        "/regulations",
        "/suppressions",
        "/usage/",
    }
    path, params = next(iter(paths(endpoint, simulator.api.world())))
    expected = 403 if any(endpoint.path.startswith(start) for start in refused) else 200
    assert ask(simulator, path, "member", params).status_code == expected
    assert ask(simulator, path, "member_minimal", params).status_code == (200 if path == "/" else 403)


def test_a_members_lists_are_filtered_and_hold_no_keys(simulator: Simulator) -> None:
    sources = items(simulator, "/sources", "sources", "member")
    ids = {source["id"] for source in sources}
    assert 0 < len(ids) < 20
    assert all(source["writeKeys"] == [] for source in sources)
    assert all(source["writeKeys"] for source in items(simulator, "/sources", "sources"))
    everything = items(simulator, "/destinations", "destinations")
    seen = items(simulator, "/destinations", "destinations", "member")
    assert seen == [one for one in everything if one["sourceId"] in ids] != everything
    hidden = next(one for one in everything if one["sourceId"] not in ids)
    validate_error(ask(simulator, f"/destination/{hidden['id']}/filters", "member"), 403)
    validate_error(ask(simulator, f"/sources/{hidden['sourceId']}", "member"), 403)


def test_features_that_are_off_in_the_other_region(simulator: Simulator) -> None:
    headers = {"Authorization": f"Bearer {simulator.tokens['eu_owner']}"}
    below = f"/spaces/{simulator.api.world('eu').spaces[0]['id']}"
    off = [("/spaces", 403), ("/reverse-etl-models", 404)]
    off += [(f"{below}/{name}", 403) for name in ("audiences", "computed-traits", "profiles-warehouses")]
    for path, status in off:
        validate_error(requests.get(simulator.eu_url + path, headers=headers, timeout=5), status)


def test_users_carry_permissions_only_on_request(simulator: Simulator) -> None:
    listed = items(simulator, "/users", "users")
    assert all("permissions" not in user for user in listed)
    assert all(ask(simulator, f"/users/{user['id']}").json()["data"]["user"]["permissions"] for user in listed)
    with serve(user_permissions=True) as generous:
        assert all(user["permissions"] for user in items(generous, "/users", "users"))


def test_secrets_are_partly_masked_and_all_declared(simulator: Simulator) -> None:
    wire = ask(simulator, "/destinations").text + ask(simulator, "/sources").text + ask(simulator, "/warehouses").text
    shown = [secret for secret in simulator.secrets if json.dumps(secret, ensure_ascii=False) in wire]
    masked = [secret for secret in shown if secret.startswith("••••••••••")]
    assert all(len(secret) == 14 for secret in masked)
    assert len(masked) > 10
    assert len(shown) - len(masked) > 20 + 10
    assert {source["writeKeys"][0] for source in simulator.api.world().sources} < set(shown)
    assert set(simulator.tokens.values()) < simulator.secrets
