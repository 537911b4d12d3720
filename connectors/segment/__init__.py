"""Twilio Segment, read through its Public API. Facts: docs.segmentapis.com, API version 73.2.0."""

import re
from collections.abc import Mapping

from ..spec import Connector, Exposure, Identity, Json, Record, Region, Unexpected
from . import guide, reports, streams, wording

_QUOTES = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb"
_LONGEST_TOKEN = 512


class Brackets:
    """`pagination[count]` and `pagination[cursor]`, as the vendor's own SDKs send them; cursors are opaque."""

    def params(self, size: int, cursor: str | None) -> Mapping[str, str]:
        found = {"pagination[count]": str(size)}
        return found if cursor is None else {**found, "pagination[cursor]": cursor}

    def next(self, data: Record) -> str | None:
        """Absent, null and "" all mean the last page."""
        return (data.get("pagination") or {}).get("next") or None

    def total(self, data: Record) -> int | None:
        total = (data.get("pagination") or {}).get("totalEntries")
        return int(total) if isinstance(total, (int, float)) and not isinstance(total, bool) else None


def _headers(token: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}", "Accept": "application/json"}


def _data(body: Json) -> Record:
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict):
        raise Unexpected("data-missing", "Segment's answer has no “data” object.")
    if not isinstance(data.get("pagination") or {}, dict):
        raise Unexpected("data-missing", "Segment's answer has a “pagination” that is not an object.")
    return data


def _identity(data: Record) -> Identity:
    found = data.get("workspace")
    if not isinstance(found, dict) or not isinstance(found.get("id"), str) or not found["id"]:
        raise Unexpected("workspace-missing", "Segment's answer does not name the workspace.")
    return Identity(found["id"], str(found.get("slug", "")), str(found.get("name", "")))


def _wait(body: Json) -> float | None:
    """`errors[0].data.msBeforeNext` of a 429, in seconds."""
    try:
        return float(body["errors"][0]["data"]["msBeforeNext"]) / 1000
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _clean(pasted: str) -> str:
    """Without blanks, line ends, quotes and a leading `Bearer`, which people paste along with the token."""
    text = re.sub(r"[\s\u200b-\u200d\u2060\ufeff]+", " ", pasted).strip(" " + _QUOTES)
    text = re.sub(r"(?i)^(authorization:\s*)?bearer\s+", "", text)
    return text.strip(" " + _QUOTES)


def _fault(token: str) -> str:
    """Segment publishes no token format, so only what cannot be a token is refused."""
    if " " in token:
        return "This is more than one word: copy only the token."
    if not token.isascii() or not token.isprintable():
        return "The token holds characters that Segment never uses: copy it again from Segment."
    if len(token) < 16:
        return "This is too short to be a token: copy all of it."
    if len(token) > _LONGEST_TOKEN:
        return "This is too long to be a token: copy only the token."
    return ""


def _write_keys(source: Json) -> int:
    """How many write keys a source shows; Segment leaves the list empty for who may not see them."""
    held = source.get("writeKeys") if isinstance(source, dict) else None
    return len([key for key in held if key]) if isinstance(held, list) else 0


WRITE_KEYS = Exposure(
    name="write_keys",
    title="write keys",
    stream="sources",
    field="writeKeys",
    count=_write_keys,
    about="Segment shows them to a Workspace Owner and to the role Source Admin: whoever has one can send data in the "
    "source's name. The portal drops each before anything is stored; only their number and keyed fingerprints stay.",
    source="https://docs.segmentapis.com/tag/Sources",
)

connector = Connector(
    slug="segment",
    title="Twilio Segment",
    category="Customer data platform",
    summary="How customer data flows: sources, tracking plans, destinations, warehouses, and who may change them.",
    regions=(
        Region("us", "United States (Oregon)", "https://api.segmentapis.com"),
        Region("eu", "Europe (Dublin)", "https://eu1.api.segmentapis.com"),
    ),
    docs="https://docs.segmentapis.com",
    probe="/",
    streams=streams.ALL,
    reports=reports.ALL,
    guide=guide.GUIDE,
    paging=Brackets(),
    headers=_headers,
    data=_data,
    identity=_identity,
    wait=_wait,
    clean=_clean,
    fault=_fault,
    wordings=wording.ALL,
    trail=wording.TRAIL,
    secrets=re.compile(r"sgp_[A-Za-z0-9]{20,}"),
    exposed=(WRITE_KEYS,),
)
