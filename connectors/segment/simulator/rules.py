"""Rules of tracking plans: one JSON Schema for each event, made of a bank of properties."""

import json
from functools import lru_cache
from typing import Any, NamedTuple

from . import hostile
from .dice import Dice
from .drift import Version, stamp

Json = Any

# theme -> (things, deeds): each pair of them is an event
THEMES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "shop": (
        ("Product", "Cart", "Checkout", "Wishlist", "Coupon", "Search", "Review", "Size guide", "Store finder"),
        ("Viewed", "Added", "Removed", "Updated", "Completed", "Shared", "Failed"),
    ),
    "app": (
        ("Trail", "Map", "Route", "Challenge", "Photo", "Profile", "Notification", "Offline pack"),
        ("Opened", "Saved", "Started", "Finished", "Shared", "Deleted", "Failed"),
    ),
    "orders": (
        ("Order", "Payment", "Refund", "Parcel", "Invoice", "Return", "Gift card", "Pick-up"),
        ("Created", "Confirmed", "Completed", "Cancelled", "Delayed", "Declined", "Reviewed"),
    ),
    "care": (
        ("Ticket", "Call", "Chat", "Survey", "Callback", "Complaint", "Warranty claim"),
        ("Opened", "Answered", "Escalated", "Rated", "Closed", "Reopened", "Assigned", "Merged"),
    ),
    "stores": (
        ("来店", "会計", "Receipt", "Fitting room", "Loyalty card", "Rental", "Workshop booking"),
        ("Started", "Finished", "Scanned", "Printed", "Cancelled", "Extended", "Counted", "Handed over"),
    ),
    "every": (
        ("Account", "Address", "Article", "Banner", "Basket", "Booking", "Campaign", "Catalogue", "Contract",
         "Delivery", "Device", "Discount", "Document", "Filter", "Form", "Invoice", "Label", "Message", "Offer",
         "Order", "Parcel", "Partner", "Payment", "Price", "Product", "Profile", "Quote", "Refund", "Return", "Review",
         "Session", "Store"),
        ("Viewed", "Opened", "Added", "Removed", "Updated", "Created", "Deleted", "Shared", "Started", "Completed",
         "Failed", "Approved", "Rejected", "Printed", "Exported", "Sent"),
    ),
    "hostile": (hostile.NAMES, ("Viewed", "Added")),
}  # fmt: skip

SPECIAL = ("IDENTIFY", "GROUP", "COMMON")

# name, what it is, type, and what narrows it
PROPERTIES: tuple[tuple[str, str, str, dict[str, Json]], ...] = (
    ("order_id", "number of the order", "string", {"pattern": "^[A-Z]{2}-[0-9]{6,12}$"}),
    ("product_id", "number of the article in the catalogue", "string", {"minLength": 1, "maxLength": 64}),
    ("sku", "article number with size and colour", "string", {"pattern": "^[A-Z0-9-]{4,24}$"}),
    ("quantity", "how many pieces", "integer", {"minimum": 0, "maximum": 9999}),
    ("price", "price of one piece, taxes included", "number", {"minimum": 0}),
    ("currency", "currency of all amounts in this event", "string", {"enum": ["EUR", "GBP", "USD", "JPY", "AED"]}),
    ("email", "address the customer gave", "string", {"format": "email"}),
    ("phone", "telephone number with its country", "string", {"pattern": "^\\+[0-9]{6,15}$"}),
    ("first_name", "given name as the customer wrote it", "string", {}),
    ("last_name", "family name as the customer wrote it", "string", {}),
    ("postal_code", "post code of the delivery address", "string", {"maxLength": 12}),
    ("country", "two letters of the country", "string", {"pattern": "^[A-Z]{2}$"}),
    ("locale", "language and country of the page", "string", {"pattern": "^[a-z]{2}-[A-Z]{2}$"}),
    ("session_id", "session in which it happened", "string", {"minLength": 8}),
    ("logged_in", "whether the customer was signed in", "boolean", {}),
    ("channel", "where the customer came from", "string", {"enum": ["direct", "search", "mail", "ad", "partner"]}),
    ("campaign_id", "campaign that led here, if any", "string", {}),
    ("coupon_code", "code that was redeemed", "string", {"maxLength": 32}),
    ("discount", "sum taken off the price", "number", {"minimum": 0}),
    ("shipping", "cost of delivery", "number", {"minimum": 0}),
    ("tax", "tax contained in the total", "number", {"minimum": 0}),
    ("total", "sum to be paid", "number", {"minimum": 0}),
    ("category", "branch of the catalogue", "string", {"maxLength": 120}),
    ("position", "place in the list, counted from one", "integer", {"minimum": 1}),
    ("url", "page on which it happened", "string", {"format": "uri"}),
    ("referrer", "page before this one", "string", {"format": "uri"}),
    ("device_type", "kind of device", "string", {"enum": ["phone", "tablet", "desktop", "till", "server"]}),
    ("app_version", "version of the app", "string", {"pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+$"}),
    ("store_id", "number of the store", "string", {"pattern": "^S[0-9]{4}$"}),
    ("employee_id", "number of the employee at the till", "string", {}),
    ("loyalty_tier", "tier in the loyalty programme", "string", {"enum": ["none", "fern", "birch", "oak"]}),
    ("points", "points won or spent", "integer", {}),
    ("payment_method", "how it was paid", "string", {"enum": ["card", "invoice", "wallet", "cash", "gift_card"]}),
    ("ip_address", "address of the device on the network", "string", {"format": "ipv4"}),
    ("date_of_birth", "birthday, asked for the birthday voucher", "string", {"format": "date"}),
    ("latitude", "position of the device, north", "number", {"minimum": -90, "maximum": 90}),
    ("longitude", "position of the device, east", "number", {"minimum": -180, "maximum": 180}),
    ("duration_seconds", "how long it took", "integer", {"minimum": 0}),
    ("error_code", "why it failed, if it failed", "string", {"maxLength": 40}),
    ("experiment", "name of the running experiment", "string", {}),
    ("variant", "variant that was shown", "string", {"enum": ["a", "b", "c", "control"]}),
)


def event(theme: str, number: int) -> str:
    """The event of that number; each number has a name of its own."""
    things, deeds = THEMES[theme]
    round_, at = divmod(number, len(things) * len(deeds))
    name = f"{things[at % len(things)]} {deeds[at // len(things)]}"
    return f"{name} {round_ + 1}" if round_ else name


class Book(NamedTuple):
    """A plan as its rules need to know it: of which workspace and number, about what, of how many rules."""

    seed: str
    plan: int
    theme: str
    size: int


def rule(book: Book, number: int, version: Version) -> Json:
    """A `RuleV1`: the rule of that number. It depends on nothing but its arguments."""
    dice = Dice(book.seed, "rule", book.plan, number, version.generation)
    kind = SPECIAL[number] if number < len(SPECIAL) else dice.pick(("TRACK",) * 18 + ("PAGE", "SCREEN"))
    key = event(book.theme, number + book.size * version.generation)
    start = -1 - dice.below(300)
    entry: dict[str, Json] = {"type": kind}
    if kind not in SPECIAL:
        entry["key"] = key
    entry |= {
        "version": 1 + (dice.below(3) if kind == "TRACK" else 0),
        "jsonSchema": _schema(dice, kind, key, 9 + version.revision),
        "createdAt": stamp(version.day if version.generation and not version.revision else start, book.plan, number),
        "updatedAt": stamp(version.day or start, book.plan, number),
    }
    if kind == "TRACK" and dice.chance(3):
        entry["deprecatedAt"] = stamp(start + 1, book.plan, number)
    return entry


@lru_cache(maxsize=220_000)
def rule_bytes(book: Book, number: int, version: Version) -> bytes:
    """`rule` as it goes over the wire. Remembered, because from day to day 99 % of the rules stay as they are."""
    entry = rule(book, number, version)
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode()


def _schema(dice: Dice, kind: str, key: str, count: int) -> Json:
    what = f"every {kind.lower()} call" if kind in SPECIAL else key
    fields = dice.some(PROPERTIES, count - 2 + dice.below(5))
    inner = {
        "type": "object",
        "properties": {
            name: {"description": f"{key}: {about}", "type": [form] if narrow else [form, "null"], **narrow}
            for name, about, form, narrow in fields
        },
        "required": [name for name, _, _, narrow in fields if narrow][: 1 + dice.below(4)],
        "additionalProperties": dice.chance(40),
    }
    holder = "traits" if kind in ("IDENTIFY", "GROUP") else "properties"
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "title": key if kind not in SPECIAL else kind.capitalize(),
        "description": f"What {what} carries. Ask the team that sends it before you change this.",
        "properties": {"context": {"type": "object"}, "traits": {"type": "object"}, holder: inner},
        "required": [holder],
    }
