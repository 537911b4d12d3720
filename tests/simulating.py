"""A small client for the tests of the simulator."""

from collections.abc import Iterator, Mapping
from typing import Any

import requests

from connectors.segment.simulator import Simulator

Json = Any
Params = Mapping[str, str]
NOTHING: Params = {}
SESSION = requests.Session()


def ask(simulator: Simulator, path: str, token: str = "owner", params: Params = NOTHING) -> requests.Response:
    headers = {"Authorization": f"Bearer {simulator.tokens[token]}"}
    return SESSION.get(simulator.url + path, params=params, headers=headers, timeout=5, allow_redirects=False)


def pages(
    simulator: Simulator, path: str, token: str = "owner", params: Params = NOTHING, count: int = 200
) -> Iterator[Json]:
    """The bodies of all pages of a list."""
    asked = {"pagination[count]": str(count), **params}
    while True:
        response = ask(simulator, path, token, asked)
        assert response.status_code == 200, response.text
        body = response.json()
        yield body
        follow = body["data"].get("pagination", {}).get("next")
        if not follow:
            return
        asked["pagination[cursor]"] = follow


def items(simulator: Simulator, path: str, key: str, token: str = "owner", params: Params = NOTHING) -> list[Json]:
    return [item for body in pages(simulator, path, token, params) for item in body["data"][key]]
