"""A day's listings as files: what every rival is given."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

LISTS = {"sources": "sources", "destinations": "destinations", "users": "users", "tracking-plans": "trackingPlans"}


def write(folder: Path, url: str, token: str) -> None:
    """Asks the API at `url` for everything and writes a file for each list, and one for each plan's rules."""
    folder.mkdir(parents=True)
    for path, name in LISTS.items():
        items = list(_items(url, token, path, name))
        _write(folder / f"{path}.json", items)
    for plan in items:  # the last list is that of the plans
        rules = list(_items(url, token, f"tracking-plans/{quote(plan['id'])}/rules", "rules"))
        _write(folder / f"rules-{plan['id']}.json", rules)


def read(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each file's name, and its items by what tells them apart."""
    for path in sorted(folder.glob("*.json")):
        items = json.loads(path.read_bytes())
        yield (
            path.stem,
            {item.get("id") or f"{item['type']} {item.get('key')} {item['version']}": item for item in items},
        )


def _write(path: Path, items: list[Any]) -> None:
    path.write_text(json.dumps(items, indent=1, sort_keys=True))  # lines, which is what git compares


def _items(url: str, token: str, path: str, name: str) -> Iterator[Any]:
    cursor: str | None = ""
    while cursor is not None:
        query = {"pagination.count": "200"} | ({"pagination.cursor": cursor} if cursor else {})
        request = Request(f"{url}/{path}?{urlencode(query)}", headers={"Authorization": f"Bearer {token}"})
        with urlopen(request) as answer:  # the simulator on loopback
            data = json.load(answer)["data"]
        yield from data[name]
        cursor = data["pagination"].get("next")
